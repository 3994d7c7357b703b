//! What the targets share: a reader of fuzz input, and slow oracles that use no code of the crate.

pub mod answer;
pub mod changes;
pub mod hops;
pub mod input;
pub mod json;
pub mod letters;
pub mod oracle;
pub mod world;

pub use libfuzzer_sys::{Corpus, fuzz_target};
