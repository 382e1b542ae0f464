//! What a forged checkpoint is made of: its configuration and the numbers of every tensor.

use std::cell::RefCell;

use narrator_engine::EngineError;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::error::Doing;
use crate::qwen3::config::ModelKind;
use crate::qwen3::source::Source;

/// Dimensions of a forged checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForgeSize {
    /// A few million parameters: seconds, for tests.
    Tiny,
    /// The published 0.6B.
    Small,
    /// The published 1.7B.
    Large,
}

impl std::str::FromStr for ForgeSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tiny" => Ok(Self::Tiny),
            "0.6b" => Ok(Self::Small),
            "1.7b" => Ok(Self::Large),
            _ => Err(format!("`{text}` is not a size: give tiny, 0.6b or 1.7b")),
        }
    }
}

/// `config.json` and `speech_tokenizer/config.json` of a forged checkpoint. `vocab` is how many ids the text
/// vocabulary has before its control tokens; the published sizes have their own.
pub fn forged_configs(kind: ModelKind, size: ForgeSize, vocab: i64) -> (Value, Value) {
    let tiny = size == ForgeSize::Tiny;
    let hidden = match size {
        ForgeSize::Tiny => 128,
        ForgeSize::Small => 1024,
        ForgeSize::Large => 2048,
    };
    let specials = if tiny { vocab } else { PUBLISHED_SPECIALS };
    let named = kind == ModelKind::CustomVoice;
    let speakers = if named { json!({"ryan": 3061, "vivian": 3065, "eric": 2875}) } else { json!({}) };
    let dialects =
        if named { json!({"ryan": false, "vivian": false, "eric": "sichuan_dialect"}) } else { json!({}) };
    let stack = |hidden: i64, inner: i64, layers: i64, heads: i64, kv_heads: i64, vocab: i64| {
        json!({
            "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": 128,
            "vocab_size": vocab, "num_code_groups": 16, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000,
            "max_position_embeddings": 32768, "hidden_act": "silu", "attention_bias": false,
            "attention_dropout": 0, "initializer_range": 0.02, "use_cache": true,
            "use_sliding_window": false, "sliding_window": null,
        })
    };
    let mut talker =
        if tiny { stack(hidden, 256, 3, 4, 2, 3072) } else { stack(hidden, 3 * hidden, 28, 16, 8, 3072) };
    let mut predictor = if tiny { stack(96, 160, 2, 4, 2, 2048) } else { stack(1024, 3072, 5, 16, 8, 2048) };
    merge(&mut predictor, json!({"model_type": "qwen3_tts_talker_code_predictor", "rope_scaling": null}));
    merge(
        &mut talker,
        json!({
            "model_type": "qwen3_tts_talker",
            "text_hidden_size": if tiny { 64 } else { 2048 },
            "text_vocab_size": if tiny { vocab + SPECIALS.len() as i64 } else { PUBLISHED_TEXT_VOCAB },
            "rope_scaling": {"interleaved": true, "mrope_section": [24, 20, 20], "rope_type": "default"},
            "codec_pad_id": 2148, "codec_bos_id": 2149, "codec_eos_token_id": EOS, "codec_think_id": 2154,
            "codec_nothink_id": 2155, "codec_think_bos_id": 2156, "codec_think_eos_id": 2157,
            "codec_language_id": {
                "chinese": 2055, "english": 2050, "german": 2053, "italian": 2070, "portuguese": 2071,
                "spanish": 2054, "japanese": 2058, "korean": 2064, "french": 2061, "russian": 2069,
                "sichuan_dialect": 2062,
            },
            "spk_id": speakers, "spk_is_dialect": dialects, "code_predictor_config": predictor,
        }),
    );
    let mut config = json!({
        "architectures": ["Qwen3TTSForConditionalGeneration"], "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz", "tts_model_type": kind.name(),
        "tts_model_size": if size == ForgeSize::Small { "0b6" } else { "1b7" },
        "im_start_token_id": specials + 1, "im_end_token_id": specials + 2,
        "assistant_token_id": 0,
        "tts_pad_token_id": specials + 28, "tts_bos_token_id": specials + 29,
        "tts_eos_token_id": specials + 30, "talker_config": talker,
    });
    if kind == ModelKind::Base {
        let mut speaker = json!({"enc_dim": hidden, "sample_rate": 24_000});
        if tiny {
            merge(
                &mut speaker,
                json!({
                    "enc_channels": [32, 32, 32, 32, 96], "enc_attention_channels": 16, "enc_se_channels": 16,
                }),
            );
        }
        merge(&mut config, json!({"speaker_encoder_config": speaker}));
    }
    let (decoder, encoder) = if tiny {
        (
            json!({
                "hidden_size": 64, "latent_dim": 64, "codebook_dim": 64, "num_attention_heads": 4,
                "num_key_value_heads": 4, "head_dim": 16, "intermediate_size": 96, "num_hidden_layers": 2,
                "decoder_dim": 96, "sliding_window": 8,
            }),
            json!({
                "hidden_size": 64, "num_filters": 4, "num_hidden_layers": 2, "intermediate_size": 96,
                "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 16, "codebook_dim": 32,
                "vector_quantization_hidden_dimension": 32, "upsample_groups": 64, "num_quantizers": 32,
                "codebook_size": 2048, "sliding_window": 16,
            }),
        )
    } else {
        (
            json!({
                "hidden_size": 512, "codebook_dim": 512, "latent_dim": 1024, "head_dim": 64,
                "intermediate_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 16,
                "num_hidden_layers": 8, "decoder_dim": 1536, "sliding_window": 72,
            }),
            json!({"num_quantizers": 32}),
        )
    };
    let codec = json!({
        "architectures": ["Qwen3TTSTokenizerV2Model"], "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": 16, "input_sample_rate": 24_000, "output_sample_rate": 24_000,
        "decode_upsample_rate": 1920, "encode_downsample_rate": 1920,
        "decoder_config": decoder, "encoder_config": encoder,
    });
    (config, codec)
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Where the control tokens of the published vocabulary begin, and its size.
pub(super) const PUBLISHED_SPECIALS: i64 = 151_643;
const PUBLISHED_TEXT_VOCAB: i64 = 151_936;

/// The control tokens, in the order of their ids.
pub(super) const SPECIALS: [&str; 33] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
    "<|audio_start|>",
    "<|audio_end|>",
    "<tts_pad>",
    "<tts_text_bos>",
    "<tts_text_eod>",
    "<tts_text_bos_single>",
    "<|audio_pad|>",
];

/// The last convolution of the decoder is made this much quieter, so that samples lie within ±1 and no
/// mistake hides behind the clamp.
const FORGED_CODEC_GAIN: f32 = 0.003;

/// A source that makes numbers for any tensor asked for.
#[derive(Debug)]
pub(crate) struct Forge {
    seed: u64,
    kind: Kind,
    /// The id whose logit is made loud, so that it is chosen now and then.
    loud: Option<i64>,
    /// Only shapes are wanted: tensors are zeros without memory.
    dry: bool,
    /// What was asked for, in order.
    asked: RefCell<Vec<(String, Vec<i64>)>>,
}

impl Forge {
    pub(crate) fn new(seed: u64, kind: Kind) -> Self {
        Self { seed, kind, loud: None, dry: false, asked: RefCell::new(Vec::new()) }
    }

    pub(super) fn dry(seed: u64, kind: Kind) -> Self {
        Self { dry: true, ..Self::new(seed, kind) }
    }

    /// The same, with speech that ends.
    pub(super) fn ending(self, ends: bool) -> Self {
        Self { loud: ends.then_some(EOS), ..self }
    }

    pub(super) fn asked(&self) -> Vec<(String, Vec<i64>)> {
        self.asked.borrow().clone()
    }

    /// The numbers of a tensor.
    pub(super) fn values(&self, name: &str, shape: &[i64]) -> Vec<f32> {
        let (mean, deviation, uniform) = spread(name, shape);
        let count = shape.iter().product::<i64>().max(0) as u64;
        let start = fnv1a(name) ^ splitmix64(self.seed);
        let mut values: Vec<f32> = (0..count)
            .map(|index| {
                let bits = splitmix64(start.wrapping_add(index));
                if uniform {
                    mean + deviation * ((bits >> 40) as f32 / 16_777_216.0)
                } else {
                    mean + deviation * near_normal(bits)
                }
            })
            .collect();
        if let (HEAD, Some(id), [_, width]) = (name, self.loud, shape) {
            let row = values.iter_mut().skip((id * width) as usize).take(*width as usize);
            row.for_each(|value| *value *= LOUDNESS);
        }
        values
    }
}

impl Source for Forge {
    fn tensor(&self, name: &str, shape: &[i64], _lazy: bool) -> Result<Tensor, EngineError> {
        self.asked.borrow_mut().push((name.to_owned(), shape.to_vec()));
        let make = || {
            if self.dry {
                return Tensor::f_zeros([1], (self.kind, tch::Device::Cpu))?.f_expand(shape, false);
            }
            Tensor::f_from_slice(&self.values(name, shape))?.f_view(shape)?.f_to_kind(self.kind)
        };
        make().doing(&format!("forging tensor `{name}`"))
    }
}

/// Mean, deviation (or width) and whether the numbers are uniform, by what a name says of a tensor.
fn spread(name: &str, shape: &[i64]) -> (f32, f32, bool) {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&["cluster_usage"]) {
        (0.5, 1.0, true)
    } else if ends(&["embed_sum", "embedding_sum"]) {
        (0.0, 1.0, false)
    } else if ends(&["initialized"]) {
        (1.0, 0.0, false)
    } else if shape.len() >= 2 {
        let inputs: i64 = shape[1..].iter().product();
        let gain = if name == CLOSING { FORGED_CODEC_GAIN } else { 1.0 };
        (0.0, gain / (inputs as f32).sqrt(), false)
    } else if ends(&["alpha", "beta"]) {
        (0.0, 0.2, false)
    } else if ends(&["scale", "gamma"]) {
        (0.3, 0.1, false)
    } else if ends(&["bias"]) {
        (0.0, if name == CLOSING_BIAS { 0.05 * FORGED_CODEC_GAIN } else { 0.05 }, false)
    } else {
        // What is left are norms.
        (1.0, 0.1, false)
    }
}

const HEAD: &str = "talker.codec_head.weight";

/// The end of speech in the published codec vocabulary.
const EOS: i64 = 2150;

/// A logit this many times as wide as the others ends speech after one to four seconds.
const LOUDNESS: f32 = 5.0;

const CLOSING: &str = "decoder.decoder.6.conv.weight";
const CLOSING_BIAS: &str = "decoder.decoder.6.conv.bias";

/// Four 16-bit integers summed: near normal, variance 1, exact in float32 up to one rounding.
fn near_normal(bits: u64) -> f32 {
    let sum = (0..4).map(|part| ((bits >> (16 * part)) & 0xffff) as i32).sum::<i32>() - 2 * 0xffff;
    // Four uniform integers below 2¹⁶ have a summed variance of (2³² − 1) / 3.
    sum as f32 * (1.0 / 37_837.227)
}

fn splitmix64(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_near_normal_and_only_seed_and_name_decide_them() {
        let forge = Forge::new(1, Kind::Float);
        let values = forge.values("a.weight", &[100, 1000]);
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 1e-3, "{mean}");
        assert!((variance * 1000.0 - 1.0).abs() < 0.02, "{variance}");
        assert_eq!(values, Forge::new(1, Kind::BFloat16).values("a.weight", &[100, 1000]));
        assert_ne!(values, Forge::new(2, Kind::Float).values("a.weight", &[100, 1000]));
        assert_ne!(values, forge.values("b.weight", &[100, 1000]));
    }

    #[test]
    fn the_generator_stays_as_it_is() {
        // Committed goldens were made from these numbers.
        assert_eq!(splitmix64(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(fnv1a("talker"), fnv1a("talker"));
        let values = Forge::new(1, Kind::Float).values("talker.codec_head.weight", &[2, 2]);
        assert_eq!(values.len(), 4);
    }
}
