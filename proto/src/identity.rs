//! Who a process says it is: protocol version, build, nonce.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names the protocol sources and the workspace version that this program was built from; see `build.rs`.
pub const BUILD_ID: &str = env!("NARRATOR_BUILD_ID");

/// Version of the messages. The major version changes when a message changes, the minor when one is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProtocolVersion {
    pub major: u16,
    pub minor: u16,
}

impl ProtocolVersion {
    pub const CURRENT: Self = Self { major: 3, minor: 0 };

    /// Whether two ends understand each other.
    pub fn speaks_with(self, other: Self) -> bool {
        self.major == other.major
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// 128 random bits that a worker gets through its environment and gives back in `Hello`: the proof that
/// it is the process that was spawned. Never printed.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce([u8; 16]);

impl Nonce {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// 32 lower-case hex digits, the form in the environment.
    pub fn to_hex(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    pub fn from_hex(hex: &str) -> Option<Self> {
        let digits = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = digits.then(|| u128::from_str_radix(hex, 16).ok()).flatten()?;
        Some(Self(value.to_be_bytes()))
    }
}

impl PartialEq for Nonce {
    /// Looks at every byte whatever the first ones say, so that the time taken tells nothing.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

impl Eq for Nonce {}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_survives_its_hex_form_and_is_never_printed() {
        let nonce = Nonce::from_bytes(*b"0123456789abcdef");
        assert_eq!(Nonce::from_hex(&nonce.to_hex()), Some(nonce));
        assert_eq!(nonce.to_hex().len(), 32);
        assert_ne!(nonce, Nonce::from_bytes(*b"0123456789abcdeF"));
        for bad in ["", "xyz", "+0123456789abcdef0123456789abcde", &"0".repeat(33)] {
            assert_eq!(Nonce::from_hex(bad), None, "{bad}");
        }
        assert_eq!(format!("{nonce:?}"), "Nonce(..)");
    }

    #[test]
    fn the_build_id_names_version_and_sources() {
        let (version, hash) = BUILD_ID.rsplit_once('-').expect("two parts");
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
