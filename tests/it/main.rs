//! One file per promise.

mod s15_exactly_once;
