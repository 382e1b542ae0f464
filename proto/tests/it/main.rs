//! The protocol from outside: golden bytes and properties.

mod golden;
mod properties;
mod samples;

#[path = "../../fuzz/checks.rs"]
mod checks;
