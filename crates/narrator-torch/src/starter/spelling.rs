//! How an unknown word sounds, from its letters: a small transformer that gives every letter up to four
//! phonemes, of which repeats and blanks are dropped (as in CTC).
//!
//! The network reads at most 24 letters; a longer word is read in parts of about equal length, so that none
//! of its letters is lost.

use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::config::SpellingConfig;
use super::layers::{Fallible, LayerNorm, Source};
use super::text_encoder::attend;
use crate::error::{Doing, bad_model};

const CHANNELS: i64 = 128;
const HIDDEN: i64 = 384;
const LAYERS: usize = 4;
const HEADS: i64 = 4;

pub(super) struct Spelling {
    config: SpellingConfig,
    embedding: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
}

struct Layer {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
}

struct Linear {
    /// `[out, in]`, a view of what the file has.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(source: &Source<'_>, name: &str, inputs: i64, outputs: i64) -> Result<Self, EngineError> {
        let weight = source.names.take(&format!("{name}.weight"), &[inputs, outputs])?;
        Ok(Self {
            weight: weight.f_tr().doing("preparing a matrix")?,
            bias: source.names.take(&format!("{name}.bias"), &[outputs])?,
        })
    }

    fn forward(&self, input: &Tensor) -> Fallible {
        input.f_linear(&self.weight, Some(&self.bias))
    }
}

impl Layer {
    fn load(source: &Source<'_>, name: &str) -> Result<Self, EngineError> {
        let linear =
            |part: &str, inputs, outputs| Linear::load(source, &format!("{name}.{part}"), inputs, outputs);
        Ok(Self {
            norm1: LayerNorm::load(source, &format!("{name}.norm1"), CHANNELS)?,
            qkv: linear("qkv", CHANNELS, 3 * CHANNELS)?,
            out: linear("out", CHANNELS, CHANNELS)?,
            norm2: LayerNorm::load(source, &format!("{name}.norm2"), CHANNELS)?,
            up: linear("up", CHANNELS, HIDDEN)?,
            down: linear("down", HIDDEN, CHANNELS)?,
        })
    }

    fn forward(&self, input: &Tensor) -> Fallible {
        let qkv = self.qkv.forward(&self.norm1.forward(input)?)?;
        let attended = input.f_add(&self.out.forward(&attend(&qkv, HEADS)?)?)?;
        let hidden = self.up.forward(&self.norm2.forward(&attended)?)?.f_gelu("none")?;
        attended.f_add(&self.down.forward(&hidden)?)
    }
}

impl Spelling {
    pub(super) fn load(source: &Source<'_>, config: SpellingConfig) -> Result<Self, EngineError> {
        if config.max_letters == 0 || config.slots < 1 {
            return Err(bad_model("the spelling network's config.json has no letters or no slots"));
        }
        let symbols = config.phonemes.len() as i64 + 1;
        let layers = (0..LAYERS)
            .map(|layer| Layer::load(source, &format!("spelling.layers.{layer}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            embedding: source
                .names
                .take("spelling.embedding", &[config.letters.len() as i64 + 1, CHANNELS])?,
            positions: source.names.take("spelling.positions", &[config.max_letters as i64, CHANNELS])?,
            layers,
            norm: LayerNorm::load(source, "spelling.norm", CHANNELS)?,
            head: Linear::load(source, "spelling.head", CHANNELS, symbols * config.slots)?,
            config,
        })
    }

    /// Phonemes of `word`; empty when the network knows none of its letters.
    pub(super) fn phonemes(&self, word: &str) -> Result<String, EngineError> {
        let ids: Vec<i64> = word.chars().filter_map(|letter| self.letter_id(letter)).collect();
        let mut phonemes = String::new();
        for part in even_parts(&ids, self.config.max_letters) {
            let symbols = tch::no_grad(|| self.symbols(part)).doing("spelling an unknown word")?;
            phonemes.extend(collapse(&symbols).filter_map(|id| self.config.phonemes.get(id - 1)));
        }
        Ok(phonemes)
    }

    fn letter_id(&self, letter: char) -> Option<i64> {
        self.config.letters.iter().position(|&known| known == letter).map(|at| at as i64 + 1)
    }

    /// The likeliest phoneme of every slot of every letter.
    fn symbols(&self, ids: &[i64]) -> Fallible<Vec<i64>> {
        let letters = self.embedding.f_index_select(0, &Tensor::f_from_slice(ids)?)?;
        let mut hidden = letters.f_add(&self.positions.f_narrow(0, 0, ids.len() as i64)?)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden)?;
        }
        let logits = self.head.forward(&self.norm.forward(&hidden)?)?;
        let best = logits.f_view([ids.len() as i64 * self.config.slots, -1])?.f_argmax(-1, false)?;
        Vec::<i64>::try_from(&best.f_to_kind(Kind::Int64)?)
    }
}

/// Cuts `all` into as few parts of at most `most` as possible, as even as possible.
fn even_parts<T>(all: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let parts = all.len().div_ceil(most).max(1);
    all.chunks(all.len().div_ceil(parts).max(1))
}

/// Drops blanks (0) and what repeats its neighbour.
fn collapse(symbols: &[i64]) -> impl Iterator<Item = usize> {
    let mut previous = 0;
    symbols.iter().filter_map(move |&symbol| {
        let kept = symbol != previous && symbol > 0;
        previous = symbol;
        kept.then_some(symbol as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_collapse_unless_a_blank_parts_them() {
        assert_eq!(collapse(&[0, 3, 3, 0, 3, 1, 1, 0]).collect::<Vec<_>>(), [3, 3, 1]);
    }

    #[test]
    fn long_words_fall_into_even_parts() {
        let letters: Vec<u8> = (0..50).collect();
        let sizes = |count| even_parts(&letters[..count], 24).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(24), [24]);
        assert_eq!(sizes(25), [13, 12]);
        assert_eq!(sizes(50), [17, 17, 16]);
        assert!(sizes(0).is_empty());
    }
}
