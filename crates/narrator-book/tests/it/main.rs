//! What narrator-book promises, shown on whole books.

mod any_input;
mod bad_input;
mod chapters;
mod common;
mod real;
mod sample;
mod skips;
mod text;
