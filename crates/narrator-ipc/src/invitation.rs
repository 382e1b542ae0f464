//! What a child gets through its environment: where to connect, and the nonce that proves who it is.
//!
//! Never in the arguments, which every user of the machine can read.

use std::env;
use std::ffi::{OsStr, OsString};

use narrator_proto::Nonce;

use crate::JoinError;

/// Environment variable with the socket's or pipe's name.
pub const ENV_SOCKET: &str = "NARRATOR_SOCKET";
/// Environment variable with the nonce, 32 hex digits.
pub const ENV_NONCE: &str = "NARRATOR_NONCE";

/// An address and the nonce that is expected there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    address: OsString,
    nonce: Nonce,
}

impl Invitation {
    pub fn new(address: OsString, nonce: Nonce) -> Self {
        Self { address, nonce }
    }

    /// What this process was given.
    pub fn from_env() -> Result<Self, JoinError> {
        let get = |name| env::var_os(name).ok_or(JoinError::NotInvited { name });
        let (address, nonce) = (get(ENV_SOCKET)?, get(ENV_NONCE)?);
        let nonce = nonce.to_str().and_then(Nonce::from_hex);
        Ok(Self { address, nonce: nonce.ok_or(JoinError::BadInvitation { name: ENV_NONCE })? })
    }

    /// To be put into the child's environment.
    pub fn env(&self) -> [(&'static str, OsString); 2] {
        [(ENV_SOCKET, self.address.clone()), (ENV_NONCE, self.nonce.to_hex().into())]
    }

    pub fn address(&self) -> &OsStr {
        &self.address
    }

    pub fn nonce(&self) -> Nonce {
        self.nonce
    }
}
