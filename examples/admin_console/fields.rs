//! What a form has sent. Names may repeat, as those of lists and of checkboxes do.

use url::form_urlencoded;

#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Every value of a name, without white space around it.
    pub(crate) fn all<'f, 'n>(
        &'f self,
        name: &'n str,
    ) -> impl Iterator<Item = &'f str> + use<'f, 'n> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.trim())
    }

    /// The only value of a name; empty if there is none, or several.
    pub(crate) fn one(&self, name: &str) -> &str {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (Some(only), None) => only,
            _ => "",
        }
    }

    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|known| known == value)
    }

    /// The values that are not empty.
    pub(crate) fn filled(&self, name: &str) -> Vec<String> {
        let filled = self.all(name).filter(|value| !value.is_empty());
        filled.map(str::to_owned).collect()
    }
}
