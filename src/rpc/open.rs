//! The arrays and objects that are open while a text is read, and the member names seen in them.

use std::borrow::Cow;
use std::collections::HashSet;

use super::fault::MessageFault;
use super::scan::Text;

/// Deepest nesting taken: half of what `serde_json` takes.
const MAX_DEPTH: usize = 64;
/// Most members of one object whose names are compared one by one.
const FEW: usize = 16;
/// Most names, over all open objects, kept without allocating.
const ROOM: usize = 48;
/// Member names that `serde_json` and its like read as instructions: with the feature
/// `arbitrary_precision` or `raw_value` an object of such a member is not an object any more.
const RESERVED: &str = "$serde_json::private::";

/// What is open, outermost first. Ordinary messages need no allocation here.
pub(super) struct Open<'b> {
    depth: usize,
    /// One bit for each level, the innermost lowest: whether it is an object.
    objects: u64,
    /// For each level, where its names begin.
    begins: [usize; MAX_DEPTH],
    names: [Option<&'b str>; ROOM],
    held: usize,
    /// The names of large objects and of those with escapes in a name, by depth. Hashed with a
    /// random seed, so that nobody can choose names that collide.
    large: Vec<(usize, HashSet<Cow<'b, str>>)>,
}

impl<'b> Open<'b> {
    pub(super) fn new() -> Self {
        Self {
            depth: 0,
            objects: 0,
            begins: [0; MAX_DEPTH],
            names: [None; ROOM],
            held: 0,
            large: Vec::new(),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether the innermost is an object.
    pub(super) fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    #[inline]
    pub(super) fn enter(&mut self, object: bool) -> Result<(), MessageFault> {
        let begin = self
            .begins
            .get_mut(self.depth)
            .ok_or(MessageFault::TooDeep)?;
        *begin = self.held;
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.large.pop_if(|(depth, _)| *depth == self.depth);
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.held = self.begin(self.depth);
    }

    fn begin(&self, level: usize) -> usize {
        self.begins.get(level).copied().unwrap_or(0)
    }

    /// Takes the name of a further member of the innermost object.
    #[inline]
    pub(super) fn add(&mut self, name: Text<'b>) -> Result<(), MessageFault> {
        let begin = self.begin(self.depth.saturating_sub(1));
        let siblings = self.names.get(begin..self.held).unwrap_or_default();
        let few = siblings.len() < FEW && self.held < ROOM && !self.is_large();
        let Some(plain) = name.plain().filter(|_| few) else {
            return self.add_to_large(name, begin);
        };
        if plain.starts_with(RESERVED) {
            return Err(MessageFault::Reserved);
        }
        if siblings.contains(&Some(plain)) {
            return Err(MessageFault::Duplicate);
        }
        if let Some(slot) = self.names.get_mut(self.held) {
            *slot = Some(plain);
            self.held += 1;
        }
        Ok(())
    }

    /// Whether the names of the innermost object are hashed.
    fn is_large(&self) -> bool {
        matches!(self.large.last(), Some((depth, _)) if *depth == self.depth)
    }

    #[cold]
    fn add_to_large(&mut self, name: Text<'b>, begin: usize) -> Result<(), MessageFault> {
        if let Some((_, names)) = self.large.last_mut().filter(|large| large.0 == self.depth) {
            return insert(names, name);
        }
        let siblings = self.names.get(begin..self.held).unwrap_or_default();
        let siblings = siblings.iter().flatten().copied();
        let mut names = siblings.map(Cow::Borrowed).collect();
        insert(&mut names, name)?;
        self.held = begin;
        self.large.push((self.depth, names));
        Ok(())
    }
}

fn insert<'b>(names: &mut HashSet<Cow<'b, str>>, name: Text<'b>) -> Result<(), MessageFault> {
    let name = name.decode()?;
    if name.starts_with(RESERVED) {
        return Err(MessageFault::Reserved);
    }
    if names.insert(name) {
        Ok(())
    } else {
        Err(MessageFault::Duplicate)
    }
}
