//! Behaviour by requirement; see the files.

mod config;
mod login;
mod mistakes;
mod names;
mod operations;
mod patterns;
mod places;
mod properties;
mod scopes;
mod support;
mod uris;
