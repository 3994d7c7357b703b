//! The arguments of the program.

use std::fmt::Write;
use std::str::FromStr;

use super::parts::BoxError;
use super::parts::push::Push;

pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn of_program() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// The first word; empty if there is none.
    pub(crate) fn command(&mut self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        self.0.remove(0)
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|word| word == name);
        place.map(|place| self.0.remove(place)).is_some()
    }

    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, BoxError> {
        let Some(place) = self.0.iter().position(|word| word == name) else {
            return Ok(None);
        };
        self.0.remove(place);
        if place == self.0.len() {
            return Err(format!("{name} needs a value").into());
        }
        Ok(Some(self.0.remove(place)))
    }

    pub(crate) fn number<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, BoxError> {
        match self.value(name)? {
            None => Ok(default),
            Some(text) => {
                let number = text.parse();
                number.map_err(|_| format!("{name} {text}: not such a number").into())
            }
        }
    }

    pub(crate) fn postgres(&mut self) -> Result<String, BoxError> {
        self.url("--postgres", "MCP_AUTH_TEST_POSTGRES")
    }

    pub(crate) fn redis(&mut self) -> Result<String, BoxError> {
        self.url("--redis", "MCP_AUTH_TEST_REDIS")
    }

    fn url(&mut self, name: &str, variable: &str) -> Result<String, BoxError> {
        let given = self.value(name)?;
        let given = given.or_else(|| std::env::var(variable).ok());
        given.ok_or_else(|| format!("give {name}, or start it under `scripts/services run`").into())
    }

    /// What becomes of hints, if anything.
    pub(crate) fn push(&mut self) -> Result<Option<Push>, BoxError> {
        let loss = self.value("--push-loss")?;
        if self.flag("--no-push") {
            return Ok(Some(Push::Off));
        }
        let Some(loss) = loss else {
            return Ok(None);
        };
        match loss.parse() {
            Ok(per_cent @ 0..=100) => Ok(Some(Push::Lossy(per_cent))),
            _ => Err(format!("--push-loss {loss}: not 0 to 100").into()),
        }
    }

    /// Everything was understood.
    pub(crate) fn end(self) -> Result<(), BoxError> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(format!("'{word}' means nothing here").into()),
        }
    }
}

/// A secret of 32 bytes, in hexadecimal digits.
pub(crate) fn random() -> Result<String, BoxError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}
