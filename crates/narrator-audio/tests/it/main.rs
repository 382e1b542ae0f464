//! The crate from outside: whole books through the real ffmpeg, and what can go wrong on the way.

#[cfg(test)]
mod books;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod support;
