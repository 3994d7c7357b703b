//! The few members of an object that mean something here.

use super::fault::MessageFault;
use super::scan::{Scanner, Step, Value};

/// The members of an object whose names are known. The others are only checked.
#[derive(Debug)]
pub(super) struct Fields<'b, const N: usize> {
    known: [&'static str; N],
    values: [Option<Value<'b>>; N],
    /// Another member has a name that readers who fold case take for this one.
    alike: [bool; N],
}

impl<'b, const N: usize> Fields<'b, N> {
    pub(super) fn none(known: [&'static str; N]) -> Self {
        Self {
            known,
            values: [None; N],
            alike: [false; N],
        }
    }

    /// Reads the object that begins here.
    pub(super) fn read(
        scanner: &mut Scanner<'b>,
        known: [&'static str; N],
    ) -> Result<Self, MessageFault> {
        Self::read_but(scanner, known, |_, _| Ok(false))
    }

    /// Reads the object that begins here. A member that `other` reads, and says so, is not kept.
    pub(super) fn read_but(
        scanner: &mut Scanner<'b>,
        known: [&'static str; N],
        mut other: impl FnMut(&str, &mut Scanner<'b>) -> Result<bool, MessageFault>,
    ) -> Result<Self, MessageFault> {
        let mut fields = Self::none(known);
        if scanner.peek() != Some(b'{') {
            return Err(MessageFault::NotJson);
        }
        scanner.enter(true)?;
        while let Step::Member(name) = scanner.step()? {
            let name = name.decode()?;
            if !other(&name, scanner)? {
                let value = scanner.value()?;
                fields.put(&name, value);
            }
        }
        Ok(fields)
    }

    fn put(&mut self, name: &str, value: Value<'b>) {
        let slots = self.values.iter_mut().zip(&mut self.alike);
        for (known, (slot, alike)) in self.known.iter().zip(slots) {
            if *known == name {
                *slot = Some(value);
            } else if is_alike(known, name) {
                *alike = true;
            }
        }
    }

    /// The member of this known name.
    pub(super) fn get(&self, name: &str) -> Result<Option<Value<'b>>, MessageFault> {
        let Some(index) = self.known.iter().position(|known| *known == name) else {
            return Ok(None);
        };
        if self.alike.get(index) == Some(&true) {
            return Err(MessageFault::Alike);
        }
        Ok(self.values.get(index).copied().flatten())
    }
}

/// Whether a reader that folds case takes `name` for `known`. Some do, Go's `encoding/json` among
/// them, which also folds the long s and the Kelvin sign. These take more bytes than their letters.
fn is_alike(known: &str, name: &str) -> bool {
    if name.len() <= known.len() || name.is_ascii() {
        return name.eq_ignore_ascii_case(known);
    }
    let fold = |char: char| match char {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        _ => char.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(known.chars().map(fold))
}
