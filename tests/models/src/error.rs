//! What a store says when it fails.

#[derive(Debug)]
pub struct BackendError(&'static str);

impl BackendError {
    pub fn new(text: &'static str) -> Self {
        Self(text)
    }

    pub fn report(&self) -> &str {
        self.0
    }
}
