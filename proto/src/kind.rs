//! The kinds of frames: one table of numbers, directions and limits.
//!
//! Invariant: a number, once given, keeps its meaning and its payload's layout for as long as the
//! protocol's major version stands. What must change becomes a new kind.
//!
//! | numbers | use |
//! |---|---|
//! | `0x01..=0x1f` | from the worker: life and speech |
//! | `0x20..=0x3f` | from the worker: listening: what was heard |
//! | `0x41..=0x5f` | to the worker: life and speech |
//! | `0x60..=0x7f` | to the worker: listening |
//! | the rest | unused, refused |

/// Who sends a kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    FromWorker,
    ToWorker,
}

/// How large a kind's payload may be. Checked against the header before a byte is reserved for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SizeClass {
    /// Numbers and short words.
    Control,
    /// Carries text that a person or a book wrote.
    Text,
    /// Raw samples.
    Pcm,
}

impl SizeClass {
    /// Largest payload in bytes. A segment has at most some hundred characters and a second of 48 kHz
    /// audio is 192 KB, so that each limit is several times what an honest peer sends.
    pub const fn limit_bytes(self) -> usize {
        match self {
            Self::Control => 64 * 1024,
            Self::Text => 256 * 1024,
            Self::Pcm => 512 * 1024,
        }
    }
}

/// Whether a kind speaks of one request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// The header's request is 0.
    Process,
    /// The header's request names one that the orchestrator sent; never 0.
    Request,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KindSpec {
    pub name: &'static str,
    pub direction: Direction,
    pub size: SizeClass,
    pub scope: Scope,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal: $direction:ident, $size:ident, $scope:ident;)*) => {
        /// What a frame is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind of this number, if there is one.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its row in the table.
            pub const fn spec(self) -> KindSpec {
                match self {
                    $(Self::$name => KindSpec {
                        name: stringify!($name),
                        direction: Direction::$direction,
                        size: SizeClass::$size,
                        scope: Scope::$scope,
                    },)*
                }
            }
        }
    };
}

kinds! {
    /// First words of a worker: what it is, and the nonce it was born with.
    Hello = 0x01: FromWorker, Control, Process;
    /// Loading moved.
    LoadProgress = 0x02: FromWorker, Control, Process;
    /// The model is loaded and has spoken a warm-up.
    Ready = 0x03: FromWorker, Text, Process;
    /// Alive, once a beat, with the step counter that tells whether it moves.
    Beat = 0x04: FromWorker, Control, Process;
    /// The request is in the engine; from here on a fault may be its own.
    Accepted = 0x05: FromWorker, Control, Request;
    /// The next samples of a request, raw.
    Pcm = 0x06: FromWorker, Pcm, Request;
    /// The request is complete.
    Done = 0x07: FromWorker, Control, Request;
    /// The request failed; its samples are void, the worker goes on.
    Failed = 0x08: FromWorker, Control, Request;
    /// The worker cannot go on and says why.
    Fatal = 0x09: FromWorker, Control, Process;
    /// Drained: nothing follows.
    Goodbye = 0x0a: FromWorker, Control, Process;
    /// What the voice can do otherwise than usual.
    Abilities = 0x0b: FromWorker, Control, Process;
    /// A recogniser is loaded and has heard a warm-up.
    ListenerReady = 0x20: FromWorker, Control, Process;
    /// What was heard; the request is complete.
    Heard = 0x21: FromWorker, Text, Request;
    /// The handshake held.
    Welcome = 0x41: ToWorker, Control, Process;
    /// The handshake did not hold, and why.
    Refuse = 0x42: ToWorker, Control, Process;
    /// Load this model.
    Load = 0x43: ToWorker, Control, Process;
    /// Speak this text.
    Speak = 0x44: ToWorker, Text, Request;
    /// Forget one request.
    Cancel = 0x45: ToWorker, Control, Request;
    /// Forget all requests.
    CancelAll = 0x46: ToWorker, Control, Process;
    /// Hold at most so many rows in the engine from now on.
    SetRows = 0x47: ToWorker, Control, Process;
    /// Finish what was accepted or is queued, then say goodbye.
    Drain = 0x48: ToWorker, Control, Process;
    /// Speak this text, otherwise than usual.
    SpeakAs = 0x49: ToWorker, Text, Request;
    /// Take no more of the device than this.
    Budget = 0x4a: ToWorker, Control, Process;
    /// Hear the audio that follows.
    Listen = 0x60: ToWorker, Text, Request;
    /// The next samples of it, raw.
    ListenPcm = 0x61: ToWorker, Pcm, Request;
}

impl Kind {
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// Largest payload of this kind in bytes.
    pub const fn limit_bytes(self) -> usize {
        self.spec().size.limit_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_are_one_to_one_and_keep_to_their_ranges() {
        for byte in 0..=u8::MAX {
            let Some(kind) = Kind::from_byte(byte) else { continue };
            assert_eq!(kind.byte(), byte);
            let range = match kind.spec().direction {
                Direction::FromWorker => 0x01..=0x3f,
                Direction::ToWorker => 0x41..=0x7f,
            };
            assert!(range.contains(&byte), "{kind:?}");
        }
        assert!(Kind::ALL.is_sorted());
        assert!(Kind::ALL.iter().all(|kind| Kind::from_byte(kind.byte()) == Some(*kind)));
    }
}
