//! A checkpoint's `config.json`, `generation_config.json` and `preprocessor_config.json`, checked.

use std::path::Path;

use narrator_engine::EngineError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::bad_model;

/// The network's shape.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(crate) struct Shape {
    pub(crate) d_model: i64,
    pub(crate) encoder_layers: i64,
    pub(crate) decoder_layers: i64,
    pub(crate) encoder_attention_heads: i64,
    pub(crate) decoder_attention_heads: i64,
    pub(crate) encoder_ffn_dim: i64,
    pub(crate) decoder_ffn_dim: i64,
    /// Frames that the encoder gives for a full window: two mel frames each.
    pub(crate) max_source_positions: i64,
    pub(crate) max_target_positions: i64,
    pub(crate) num_mel_bins: i64,
    pub(crate) vocab_size: i64,
}

/// What generation goes by.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct Generation {
    /// Pairs of layer and head whose cross-attention follows the audio.
    #[serde(default)]
    pub(crate) alignment_heads: Option<Vec<(i64, i64)>>,
    /// Tokens that a transcript never has: signs of music, brackets, control tokens.
    #[serde(default)]
    pub(crate) suppress_tokens: Option<Vec<i64>>,
    /// Tokens that a transcript does not begin with.
    #[serde(default)]
    pub(crate) begin_suppress_tokens: Option<Vec<i64>>,
    #[serde(default)]
    pub(crate) is_multilingual: Option<bool>,
}

/// Of `preprocessor_config.json` only what could differ from what every published checkpoint has.
#[derive(Debug, Deserialize)]
struct Preprocessor {
    #[serde(default)]
    feature_size: Option<i64>,
    #[serde(default)]
    hop_length: Option<i64>,
    #[serde(default)]
    n_fft: Option<i64>,
    #[serde(default)]
    sampling_rate: Option<i64>,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    pub(crate) shape: Shape,
    pub(crate) generation: Generation,
    /// As the generation configuration has them; where it has none, all heads of the decoder's upper half, as
    /// the reference has it.
    pub(crate) alignment_heads: Vec<(i64, i64)>,
}

/// What to do about a file that is not as it must be.
const HINT: &str = "is this a complete Whisper checkpoint folder?";

/// More layers, heads or rows than any model has: products of two such stay within 64 bits.
const LARGEST: i64 = 10_000_000;

impl Config {
    /// Reads the files in `dir`. `generation_config.json` and `preprocessor_config.json` may be missing.
    pub(crate) fn read(dir: &Path) -> Result<Self, EngineError> {
        let shape: Shape = read_json(&dir.join("config.json"))?;
        let of_generation = dir.join("generation_config.json");
        let generation: Generation =
            if of_generation.exists() { read_json(&of_generation)? } else { Generation::default() };
        let of_features = dir.join("preprocessor_config.json");
        if of_features.exists() {
            check_features(&read_json(&of_features)?, &shape, &of_features)?;
        }
        Self::checked(shape, generation).map_err(|why| bad_model(format!("{}: {why}; {HINT}", dir.display())))
    }

    fn checked(shape: Shape, generation: Generation) -> Result<Self, String> {
        let sizes = [
            ("d_model", shape.d_model),
            ("encoder_layers", shape.encoder_layers),
            ("decoder_layers", shape.decoder_layers),
            ("encoder_attention_heads", shape.encoder_attention_heads),
            ("decoder_attention_heads", shape.decoder_attention_heads),
            ("encoder_ffn_dim", shape.encoder_ffn_dim),
            ("decoder_ffn_dim", shape.decoder_ffn_dim),
            ("max_source_positions", shape.max_source_positions),
            ("max_target_positions", shape.max_target_positions),
            ("num_mel_bins", shape.num_mel_bins),
            ("vocab_size", shape.vocab_size),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
            return Err(format!("`{name}` is {size} in config.json"));
        }
        for heads in [shape.encoder_attention_heads, shape.decoder_attention_heads] {
            if shape.d_model % heads != 0 {
                return Err(format!("{heads} heads do not divide a width of {}", shape.d_model));
            }
        }
        let alignment_heads = match &generation.alignment_heads {
            Some(heads) if !heads.is_empty() => heads.clone(),
            _ => (shape.decoder_layers / 2..shape.decoder_layers)
                .flat_map(|layer| (0..shape.decoder_attention_heads).map(move |head| (layer, head)))
                .collect(),
        };
        let outside = alignment_heads.iter().find(|(layer, head)| {
            !(0..shape.decoder_layers).contains(layer) || !(0..shape.decoder_attention_heads).contains(head)
        });
        if let Some((layer, head)) = outside {
            return Err(format!("alignment head [{layer}, {head}] is outside the decoder"));
        }
        let suppressed = generation.suppress_tokens.iter().chain(&generation.begin_suppress_tokens).flatten();
        // A lone −1 stands for the reference's own list of signs; published folders spell the list out.
        if let Some(id) = suppressed.into_iter().find(|id| !(0..shape.vocab_size).contains(*id)) {
            return Err(format!("suppressed token {id} is outside the vocabulary"));
        }
        Ok(Self { shape, generation, alignment_heads })
    }
}

fn check_features(features: &Preprocessor, shape: &Shape, file: &Path) -> Result<(), EngineError> {
    let wanted = [
        ("feature_size", features.feature_size, shape.num_mel_bins),
        ("hop_length", features.hop_length, super::mel::HOP as i64),
        ("n_fft", features.n_fft, super::mel::FFT as i64),
        ("sampling_rate", features.sampling_rate, i64::from(super::mel::SAMPLE_RATE)),
    ];
    for (name, found, wanted) in wanted {
        if found.is_some_and(|found| found != wanted) {
            return Err(bad_model(format!(
                "{}: `{name}` is {} where Whisper has {wanted}; {HINT}",
                file.display(),
                found.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, EngineError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| bad_model(format!("cannot read {}: {error}; {HINT}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| bad_model(format!("{} cannot be used: {error}; {HINT}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            d_model: 8,
            encoder_layers: 2,
            decoder_layers: 4,
            encoder_attention_heads: 2,
            decoder_attention_heads: 2,
            encoder_ffn_dim: 16,
            decoder_ffn_dim: 16,
            max_source_positions: 1500,
            max_target_positions: 448,
            num_mel_bins: 80,
            vocab_size: 100,
        }
    }

    #[test]
    fn without_alignment_heads_the_upper_half_aligns() {
        let config = Config::checked(shape(), Generation::default()).expect("a configuration");
        assert_eq!(config.alignment_heads, [(2, 0), (2, 1), (3, 0), (3, 1)]);
    }

    #[test]
    fn what_is_outside_the_model_is_refused() {
        let heads = Generation { alignment_heads: Some(vec![(4, 0)]), ..Generation::default() };
        assert!(Config::checked(shape(), heads).expect_err("no such layer").contains("[4, 0]"));
        let tokens = Generation { suppress_tokens: Some(vec![100]), ..Generation::default() };
        assert!(Config::checked(shape(), tokens).expect_err("no such token").contains("100"));
        let narrow = Shape { d_model: 7, ..shape() };
        assert!(Config::checked(narrow, Generation::default()).is_err());
        let empty = Shape { vocab_size: 0, ..shape() };
        assert!(Config::checked(empty, Generation::default()).expect_err("no words").contains("vocab_size"));
    }

    #[test]
    fn features_of_another_kind_are_refused() {
        let features = Preprocessor {
            feature_size: Some(128),
            hop_length: Some(160),
            n_fft: Some(400),
            sampling_rate: None,
        };
        let error = check_features(&features, &shape(), Path::new("p.json")).expect_err("other bins");
        assert!(error.to_string().contains("`feature_size` is 128 where Whisper has 80"), "{error}");
    }
}
