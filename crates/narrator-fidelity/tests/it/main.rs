//! What the crate promises, by promise.

mod audit_finds_what_is_missing;
mod known_edits_come_out_again;
mod recognisers_are_forgiven;
mod support;
mod three_pages;
