//! Alignment of what was heard with what had to be said: verdicts, the retry ladder, the audit.
//!
//! The room is laid and empty: `--check` knows only `off`.
