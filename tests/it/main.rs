//! Behaviour through the public API, one file per family of requirements.

mod edge;
mod prm;
