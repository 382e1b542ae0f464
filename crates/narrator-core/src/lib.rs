//! The words of narratord as types: what a book, a segment, a fault and a setting are.
//!
//! Everything here is plain data and pure functions. This crate does no IO, knows no async runtime and
//! reads no clock but through [`clock`]; every other crate of the workspace may depend on it, and it
//! depends on none of them.

pub mod clock;
pub mod delivery;
pub mod fault;
pub mod hearing;
pub mod ids;
pub mod ledger;
pub mod manuscript;
pub mod roman;
pub mod segment;
pub mod settings;

pub use delivery::{Delivery, VoiceAbilities};
pub use fault::{Fault, Policy};
pub use hearing::{HeardWord, Hearing, Priors, ScoredWord, is_squeezed};
pub use ids::{Dispatch, Incarnation, SegmentId, SlotId};
pub use ledger::{Fate, Ledger, LedgerEntry, LedgerError, SkipRule};
pub use manuscript::{Block, BlockKind, Chapter, Cover, DocId, Document, Manuscript, Metadata, Span, Token};
pub use segment::{ContentKey, Replacement, Script, ScriptChapter, Segment, SegmentKind, SpeechSettings};
pub use settings::Settings;
