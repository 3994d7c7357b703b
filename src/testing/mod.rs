//! An authorization server on loopback, and a clock you set by hand, for tests.
