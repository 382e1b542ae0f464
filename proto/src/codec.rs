//! The one module that calls bincode.
//!
//! Settings: `standard()` (little-endian, variable-length integers) with a limit, so that a length inside
//! a payload cannot ask for memory that the frame does not hold. A payload must be consumed to its last
//! byte: bincode itself would take what follows in silence.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MessageError;
use crate::kind::{Kind, SizeClass};

/// The largest payload that is ever coded; raw samples are not.
const LIMIT_BYTES: usize = SizeClass::Text.limit_bytes();

const fn settings() -> Configuration<LittleEndian, Varint, Limit<LIMIT_BYTES>> {
    bincode::config::standard().with_limit()
}

pub(crate) fn encode<T: Serialize>(kind: Kind, value: &T) -> Result<Vec<u8>, MessageError> {
    bincode::serde::encode_to_vec(value, settings())
        .map_err(|error| MessageError::Encode { kind, why: error.to_string() })
}

pub(crate) fn decode<T: DeserializeOwned>(kind: Kind, payload: &[u8]) -> Result<T, MessageError> {
    let (value, consumed) = bincode::serde::decode_from_slice(payload, settings())
        .map_err(|error| MessageError::Payload { kind, why: error.to_string() })?;
    match payload.len() - consumed {
        0 => Ok(value),
        extra => Err(MessageError::Trailing { kind, extra }),
    }
}
