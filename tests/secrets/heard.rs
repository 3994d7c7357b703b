//! Everything this process logs, panics about, answers and shows.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
pub struct Heard {
    log: Arc<Mutex<Vec<u8>>>,
    said: Arc<Mutex<Vec<u8>>>,
}

/// Appends what is written.
#[derive(Clone)]
pub struct Ear(Arc<Mutex<Vec<u8>>>);

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Heard {
    /// Listens to every crate, every level, every span, and to panics, from now on.
    pub fn install() -> Self {
        let heard = Self::default();
        let ear = heard.log_ear();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(move || ear.clone())
            .init();
        let log = heard.log.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            let text = format!("{panic}\n{panic:?}\n");
            log.lock().unwrap().extend(text.into_bytes());
        }));
        heard
    }

    pub fn log_ear(&self) -> Ear {
        Ear(self.log.clone())
    }

    /// For writers of audit records.
    pub fn said_ear(&self) -> Ear {
        Ear(self.said.clone())
    }

    pub fn say(&self, text: impl AsRef<[u8]>) {
        let mut said = self.said.lock().unwrap();
        said.extend_from_slice(text.as_ref());
        said.push(b'\n');
    }

    pub fn show(&self, value: &dyn Debug) {
        self.say(format!("{value:?} {value:#?}"));
    }

    /// An error with all its causes.
    pub fn fail<E: Error + Debug + Display>(&self, error: &E) {
        self.show(error);
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            self.say(format!("{error} {error:?}"));
            cause = error.source();
        }
    }

    pub fn take(&self) -> (Vec<u8>, Vec<u8>) {
        let take = |bytes: &Mutex<Vec<u8>>| std::mem::take(&mut *bytes.lock().unwrap());
        (take(&self.log), take(&self.said))
    }
}
