//! How many windows a card hears at once, and what a recogniser takes of it.
//!
//! Windows are counted at their full length, transcripts at the decoder's last place: takes are shorter, so that
//! what is counted is never too little for them. A CPU takes memory as it is used and needs none of this.

use narrator_engine::{DRIVER_BYTES, Footprint};

use super::config::Config;

/// Windows that are decoded together at most. More share the reading of weights; fewer are more alike in length.
pub(crate) const ROWS: usize = 16;

/// As many windows as make a card worth having: the weights are read once for all of them, and a quarter of the
/// most keeps a second recogniser ahead of any voice.
const GOOD_ROWS: u64 = 4;

/// Hypotheses that a search follows: what narratord asks for when a take is in doubt.
const SEARCH_ROWS: u64 = 5;
/// Windows that are searched together on a card;
pub(crate) const SEARCHES: usize = 2;
/// and on a CPU, which reads the weights more slowly, and is searched with short takes.
pub(crate) const SEARCHES_ON_CPU: usize = 8;

/// Copies of logits over the whole vocabulary, in float32, of so many positions as are looked at together.
const LOGIT_COPIES: u64 = 4;
const LOGIT_ROWS: u64 = 128;

/// What hearing takes beside the weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Working {
    /// However many windows there are: one search, and logits.
    fixed_bytes: u64,
    window_bytes: u64,
}

impl Working {
    pub(crate) fn of(config: &Config, number_bytes: u64) -> Self {
        let shape = &config.shape;
        let size = |number: i64| number.unsigned_abs();
        let (width, frames, tokens) =
            (size(shape.d_model), size(shape.max_source_positions), size(shape.max_target_positions));
        // Keys and values, of what was heard and of what was written.
        let kept = |places: u64| 2 * size(shape.decoder_layers) * width * places * number_bytes;
        // A search follows the best hypotheses by copying what each wrote; they all hear one copy of the window.
        let search = SEARCHES as u64 * (kept(frames) + SEARCH_ROWS * 2 * kept(tokens));
        // One layer at a time: what goes in and its norm, queries, keys and values joined and apart, what comes
        // out; and the perceptron before and behind its curve.
        let encoding = frames * (9 * width + 2 * size(shape.encoder_ffn_dim)) * number_bytes;
        // Of the heads that times are read from, for a text that is read in one pass.
        let attention = config.alignment_heads.len() as u64 * tokens * frames * 4;
        let logits = LOGIT_COPIES * LOGIT_ROWS * size(shape.vocab_size) * 4;
        // Leaving finished rows behind copies the others.
        Self {
            fixed_bytes: search + logits,
            window_bytes: 2 * kept(frames + tokens) + encoding.max(attention),
        }
    }

    /// Windows that fit into `room`, at least one.
    pub(crate) fn rows(self, room: u64) -> usize {
        let rows = room.saturating_sub(self.fixed_bytes) / self.window_bytes.max(1);
        usize::try_from(rows).unwrap_or(ROWS).clamp(1, ROWS)
    }

    /// Of a process whose weights take so much.
    pub(crate) fn footprint(self, weight_bytes: u64) -> Footprint {
        let with = |rows| DRIVER_BYTES + weight_bytes + self.fixed_bytes + rows * self.window_bytes;
        Footprint { least_bytes: with(1), good_bytes: with(GOOD_ROWS), most_bytes: with(ROWS as u64) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::whisper::config::{Generation, Shape};

    const GIB: u64 = 1 << 30;

    fn published(width: i64, layers: (i64, i64), heads: i64, vocabulary: i64, aligned: usize) -> Config {
        Config {
            shape: Shape {
                d_model: width,
                encoder_layers: layers.0,
                decoder_layers: layers.1,
                encoder_attention_heads: heads,
                decoder_attention_heads: heads,
                encoder_ffn_dim: 4 * width,
                decoder_ffn_dim: 4 * width,
                max_source_positions: 1500,
                max_target_positions: 448,
                num_mel_bins: 80,
                vocab_size: vocabulary,
            },
            generation: Generation::default(),
            alignment_heads: vec![(0, 0); aligned],
        }
    }

    fn large() -> Config {
        published(1280, (32, 32), 20, 51_866, 10)
    }

    #[test]
    fn the_published_sizes_take_what_they_take() {
        // In tenths of a gigabyte.
        let tenths = |config: &Config, weights: u64| {
            let all = Working::of(config, 2).footprint(weights * 2);
            [all.least_bytes, all.good_bytes, all.most_bytes].map(|bytes| (bytes + 50_000_000) / 100_000_000)
        };
        assert_eq!(tenths(&published(384, (4, 4), 6, 51_864, 8), 37_184_640), [8, 10, 15]);
        assert_eq!(tenths(&published(1280, (32, 4), 20, 51_866, 6), 808_878_080), [27, 31, 48]);
        assert_eq!(tenths(&large(), 1_543_490_560), [64, 85, 169]);
    }

    #[test]
    fn each_figure_of_the_footprint_holds_its_rows() {
        for config in [published(384, (4, 4), 6, 51_864, 8), large()] {
            let (working, weights) = (Working::of(&config, 2), GIB);
            let all = working.footprint(weights);
            let rows = [all.least_bytes, all.good_bytes, all.most_bytes]
                .map(|bytes| working.rows(bytes - weights - DRIVER_BYTES));
            assert_eq!(rows, [1, 4, ROWS]);
        }
    }

    proptest! {
        #[test]
        fn more_room_is_never_fewer_windows(room in 0..64 * GIB, more in 0..64 * GIB) {
            let working = Working::of(&large(), 2);
            prop_assert!(working.rows(room + more) >= working.rows(room));
            prop_assert!((1..=ROWS).contains(&working.rows(room)));
        }
    }
}
