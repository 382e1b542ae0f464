//! Decisions about how much: frames for a text, numbers and rows for a memory. Pure.

use narrator_engine::{DRIVER_BYTES, Footprint};

use super::config::{ModelConfig, StackConfig};
use super::model::Numbers;
use crate::device::Card;

/// Frames a second: 24,000 samples in frames of 1,920.
const FRAMES_PER_SECOND: f64 = 12.5;

/// A text gets this many frames for every token of it. Speech takes about three; a model that has missed its
/// end never finds it again, and every frame past the text is room tone. Twelve is what serving engines
/// settled on after smaller factors had cut slow speakers.
const FRAMES_PER_TOKEN: usize = 12;

/// And at least this many, 15 seconds: the shortest texts run longest for their size.
const LEAST_FRAMES: usize = 192;

/// Frames after which a row that has not ended is a runaway.
pub(crate) fn frame_budget(text_tokens: usize, max_seconds: f32, model_max: usize) -> usize {
    let by_text = (text_tokens * FRAMES_PER_TOKEN).max(LEAST_FRAMES);
    let by_caller = (f64::from(max_seconds) * FRAMES_PER_SECOND).ceil();
    let by_caller = if by_caller.is_finite() { by_caller as usize } else { usize::MAX };
    by_text.min(by_caller).min(model_max).max(1)
}

/// Bytes that one token of one row takes in the talker's cache.
pub(crate) fn cache_bytes_per_token(stack: &StackConfig, bytes_per_number: u64) -> u64 {
    2 * (stack.layers * stack.kv_heads * stack.head_dim) as u64 * bytes_per_number
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// --- a CPU, whose memory is touched as it is used -------------------------------------------------------

/// The codec's state, the predictor's cache and activations of one row, measured at the published
/// dimensions: 40 MB and some room.
const OTHER_BYTES_PER_ROW: u64 = 64 * MIB;

/// Tokens that a row of a book is expected to hold when it is longest: a full segment, its frames, and a
/// reference clip. A row's cache may grow to more than this; all rows at once hardly do.
const TOKENS_PER_ROW: u64 = 1024;

/// Rows that fit into `free` bytes beside the weights, at least one.
pub(crate) fn rows_for_memory(free: u64, bytes_per_token: u64, most: u32) -> u32 {
    /// The rest is for prompts being read, the codec's activations, and everybody else.
    const SHARE: f64 = 0.7;
    let per_row = TOKENS_PER_ROW * bytes_per_token + OTHER_BYTES_PER_ROW;
    let rows = (free as f64 * SHARE) as u64 / per_row.max(1);
    u32::try_from(rows).unwrap_or(u32::MAX).clamp(1, most)
}

/// Memory of this machine that could be had without swapping; none where the system does not tell.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

// --- a card, whose memory is taken whole at the start ---------------------------------------------------

/// How many numbers a checkpoint's networks are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parameters {
    /// The talker without its text embedding, and the code predictor.
    pub(crate) speech: u64,
    pub(crate) text_embedding: u64,
}

/// Counted from the configuration, as the files may hold them in any precision.
pub(crate) fn parameters(config: &ModelConfig) -> Parameters {
    let talker = &config.talker;
    let stack = |stack: &StackConfig| {
        let heads = 2 * stack.heads * stack.head_dim + 2 * stack.kv_heads * stack.head_dim;
        let layer =
            stack.hidden * heads + 3 * stack.hidden * stack.inner + 2 * stack.hidden + 2 * stack.head_dim;
        stack.layers * layer + stack.hidden
    };
    let (wide, narrow) = (talker.stack.hidden, talker.predictor.hidden);
    let projection = talker.text_hidden * (talker.text_hidden + 1) + wide * (talker.text_hidden + 1);
    let codes = 2 * talker.stack.vocab * wide;
    let rest = (talker.codebooks - 1) * talker.predictor.vocab * (wide + narrow);
    let bridge = if wide == narrow { 0 } else { narrow * (wide + 1) };
    let speech = stack(&talker.stack) + stack(&talker.predictor) + projection + codes + rest + bridge;
    Parameters { speech: speech as u64, text_embedding: (talker.text_vocab * talker.text_hidden) as u64 }
}

/// In which numbers a card holds a model, and whether the text embedding stays in the host's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holding {
    pub(crate) numbers: Numbers,
    pub(crate) text_on_host: bool,
}

/// What a card keeps for a driver, libtorch's kernels and workspaces, the codec, recordings, and a few rows.
const CARD_OVERHEAD_BYTES: u64 = 3 * GIB;

/// Below this, the 0.6 GB of the text embedding are worth more as rows. A lookup of a prompt's few rows on the
/// host costs nothing.
const SHORT_BYTES: u64 = 16 * GIB;

/// What suits the card, where nothing else is `asked` for: bfloat16, the numbers that the model was made in.
/// Cards from before 2020 only emulate it; they hold float32 when it fits. Never float16: the predictor's
/// activations leave its range, which others have heard as silence.
pub(crate) fn holding(card: Card, parameters: Parameters, asked: Option<Numbers>) -> Holding {
    let text_on_host = card.total_bytes < SHORT_BYTES;
    let numbers = asked.unwrap_or_else(|| {
        let held = parameters.speech + if text_on_host { 0 } else { parameters.text_embedding };
        let fits = held * 4 + CARD_OVERHEAD_BYTES <= card.total_bytes;
        if !card.multiplies_bfloat16 && fits { Numbers::Float32 } else { Numbers::BFloat16 }
    });
    Holding { numbers, text_on_host }
}

/// How much a card speaks at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Capacity {
    pub(crate) rows: u32,
    /// Tokens that every row may hold.
    pub(crate) positions: u32,
    /// Rows that the codec decodes together.
    pub(crate) codec_rows: usize,
}

/// Batch sizes that a card is given.
const CARD_ROWS: [u32; 12] = [128, 96, 64, 48, 32, 24, 16, 12, 8, 4, 2, 1];

/// Tokens of a row, with the rows for which so many are worth having. A segment of 400 characters takes about
/// 150 and speaks in some 500 frames, beside 375 of half a minute of reference; what is more is for slow
/// speakers, and a row that fills its cache is a runaway.
const CARD_POSITIONS: [(u32, u64); 3] = [(3072, 32), (2048, 16), (1536, 0)];

/// What the codec needs for a row's chunk of twelve frames, for every byte of its numbers: its widest tensors
/// are 2.2 million numbers, of which some fifteen live at once.
const CODEC_ROW_BYTES: u64 = 40 * MIB;

/// The codec's state and the fixed tensors of one row.
const CARD_ROW_BYTES: u64 = 16 * MIB;

/// What `free` bytes beside the weights are given to.
pub(crate) fn capacity(free: u64, bytes_per_token: u64, codec_number_bytes: u64) -> Capacity {
    let codec_row = CODEC_ROW_BYTES * codec_number_bytes;
    let codec_rows = (free / 10 / codec_row.max(1)).clamp(1, 64);
    // For prompts being read and for recordings.
    let reserve = GIB.min(free / 4);
    let left = free.saturating_sub(reserve).saturating_sub(codec_rows * codec_row);
    let fits = |positions: u32| left / (u64::from(positions) * bytes_per_token + CARD_ROW_BYTES);
    let (positions, rows) = CARD_POSITIONS
        .iter()
        .map(|&(positions, worth)| (positions, fits(positions), worth))
        .find(|&(_, rows, worth)| rows >= worth)
        .map_or((CARD_POSITIONS[2].0, 1), |(positions, rows, _)| (positions, rows));
    let rows = CARD_ROWS.iter().copied().find(|&size| u64::from(size) <= rows).unwrap_or(1);
    Capacity { rows, positions, codec_rows: codec_rows as usize }
}

/// With less, [`capacity`] gives one row that may not fit.
const LEAST_ROWS: u32 = 2;

/// As many rows as make a card worth having. A frame reads the weights once for all rows, and eight rows of 500
/// tokens are less than half of that, for either published size: up to here speed grows with the rows.
const GOOD_ROWS: u32 = 8;

/// What one process of a model takes of a card, of which the weights take so much.
pub(crate) fn footprint(weight_bytes: u64, bytes_per_token: u64, codec_number_bytes: u64) -> Footprint {
    /// Room is looked for in steps of this, up to a terabyte: more than any card has.
    const STEP: u64 = 64 * MIB;
    let with = |enough: &dyn Fn(Capacity) -> bool| {
        let mut rooms = (1..=16 * 1024).map(|step| step * STEP);
        let room = rooms.find(|&room| enough(capacity(room, bytes_per_token, codec_number_bytes)));
        DRIVER_BYTES + weight_bytes + room.unwrap_or(1024 * GIB)
    };
    Footprint {
        least_bytes: with(&|capacity| capacity.rows >= LEAST_ROWS),
        good_bytes: with(&|capacity| capacity.rows >= GOOD_ROWS),
        most_bytes: with(&|capacity| {
            (capacity.rows, capacity.positions) == (CARD_ROWS[0], CARD_POSITIONS[0].0)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qwen3::config::ModelKind;
    use crate::qwen3::forge::{ForgeSize, forged_configs};

    #[test]
    fn a_budget_is_the_least_of_text_caller_and_model() {
        assert_eq!(frame_budget(1, 1e9, 8192), 192);
        assert_eq!(frame_budget(100, 1e9, 8192), 1200);
        assert_eq!(frame_budget(100, 10.0, 8192), 125);
        assert_eq!(frame_budget(100_000, 1e9, 8192), 8192);
        assert_eq!(frame_budget(100, f32::INFINITY, 8192), 1200);
        assert_eq!(frame_budget(100, 0.01, 8192), 1);
    }

    #[test]
    fn rows_follow_memory_and_are_never_none() {
        let per_token = 114_688;
        assert_eq!(rows_for_memory(0, per_token, 16), 1);
        assert_eq!(rows_for_memory(2 << 30, per_token, 16), 8);
        assert_eq!(rows_for_memory(1 << 40, per_token, 16), 16);
    }

    fn counted(size: ForgeSize) -> (Parameters, u64) {
        let (config, _) = forged_configs(ModelKind::CustomVoice, size, 512);
        let config = ModelConfig::from_json(config).expect("a configuration");
        (parameters(&config), cache_bytes_per_token(&config.talker.stack, 2))
    }

    #[test]
    fn parameters_are_those_of_the_published_files() {
        let (small, _) = counted(ForgeSize::Small);
        assert_eq!((small.speech + small.text_embedding) * 2, 1_811_577_344);
        let (large, per_token) = counted(ForgeSize::Large);
        assert_eq!((large.speech + large.text_embedding) * 2, 3_833_352_704);
        assert_eq!((large.text_embedding, per_token), (311_164_928, 114_688));
    }

    /// What the 1.7B model is given on a card of so many gigabytes: numbers, where the text is, capacity.
    fn on_card(gigabytes: u64, multiplies_bfloat16: bool) -> (Numbers, bool, Capacity) {
        let (parameters, per_token) = counted(ForgeSize::Large);
        let card = Card { total_bytes: gigabytes * GIB, multiplies_bfloat16 };
        let holding = holding(card, parameters, None);
        let bytes = holding.numbers.bytes();
        let text = if holding.text_on_host { 0 } else { parameters.text_embedding };
        // A driver and its kernels take half a gigabyte, the codec 0.17 billion numbers.
        let held = (parameters.speech + text + 170_000_000) * bytes + GIB / 2;
        let free = card.total_bytes.saturating_sub(held);
        (holding.numbers, holding.text_on_host, capacity(free, per_token * bytes / 2, bytes))
    }

    #[test]
    fn every_card_is_given_what_it_holds() {
        let capacity = |rows, positions, codec_rows| Capacity { rows, positions, codec_rows };
        let table = [
            (8, true, (Numbers::BFloat16, true, capacity(12, 1536, 5))),
            (12, true, (Numbers::BFloat16, true, capacity(24, 2048, 10))),
            (24, true, (Numbers::BFloat16, false, capacity(48, 3072, 25))),
            (80, true, (Numbers::BFloat16, false, capacity(128, 3072, 64))),
            (141, true, (Numbers::BFloat16, false, capacity(128, 3072, 64))),
            (16, false, (Numbers::Float32, false, capacity(16, 1536, 4))),
            (8, false, (Numbers::BFloat16, true, capacity(12, 1536, 5))),
        ];
        for (gigabytes, multiplies, expected) in table {
            assert_eq!(on_card(gigabytes, multiplies), expected, "{gigabytes} GB");
        }
    }

    #[test]
    fn a_card_too_small_is_still_tried_and_what_is_asked_for_is_given() {
        assert_eq!(capacity(0, 114_688, 2), Capacity { rows: 1, positions: 1536, codec_rows: 1 });
        let (parameters, _) = counted(ForgeSize::Large);
        let card = Card { total_bytes: 8 * GIB, multiplies_bfloat16: false };
        assert_eq!(holding(card, parameters, None).numbers, Numbers::BFloat16, "float32 does not fit");
        assert_eq!(holding(card, parameters, Some(Numbers::Float32)).numbers, Numbers::Float32);
    }

    #[test]
    fn each_figure_of_the_footprint_holds_its_rows() {
        for (size, weights) in [(ForgeSize::Small, 2 * GIB), (ForgeSize::Large, 4 * GIB)] {
            let (_, per_token) = counted(size);
            for bytes in [2, 4] {
                let per_token = per_token * bytes / 2;
                let all = footprint(weights, per_token, bytes);
                let given = |bytes_in_all| capacity(bytes_in_all - weights - DRIVER_BYTES, per_token, bytes);
                assert_eq!(given(all.least_bytes).rows, LEAST_ROWS);
                assert_eq!(given(all.good_bytes).rows, GOOD_ROWS);
                let most = given(all.most_bytes);
                assert_eq!((most.rows, most.positions), (CARD_ROWS[0], CARD_POSITIONS[0].0));
                assert!(all.least_bytes < all.good_bytes && all.good_bytes < all.most_bytes);
            }
        }
    }

    #[test]
    fn more_memory_is_never_fewer_rows_of_a_length() {
        let mut before = capacity(0, 114_688, 2);
        for free in (0..200).map(|step| step * GIB / 2) {
            let now = capacity(free, 114_688, 2);
            assert!(now.positions > before.positions || now.rows >= before.rows, "{before:?} {now:?}");
            before = now;
        }
    }
}
