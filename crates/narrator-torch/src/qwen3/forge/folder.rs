//! Writing a forged checkpoint to disk.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use narrator_engine::EngineError;
use serde_json::{Map, Value, json};
use tch::{Device, Kind};

use super::plan::{Forge, ForgeSize, PUBLISHED_SPECIALS, SPECIALS, forged_configs};
use crate::error::bad_request;
use crate::qwen3::config::{CodecConfig, EncoderConfig, ModelConfig, ModelKind};
use crate::qwen3::model::{Manner, load_codec, load_model};
use crate::qwen3::source::Loader;

/// Merges of a small vocabulary, learned from the lines of the tokenizer's goldens: enough for real text of
/// all ten languages to be cut in unobvious places. Written by `scripts/qwen3-goldens`.
const MERGES: &str = include_str!("merges.txt");

/// What checkpoint to forge.
#[derive(Clone, Copy, Debug)]
pub struct ForgePlan {
    pub kind: ModelKind,
    pub size: ForgeSize,
    pub seed: u64,
    /// As published checkpoints are; float32 otherwise.
    pub bfloat16: bool,
    /// Sampled speech ends by itself after some seconds, as real speech does. Without this it hardly ever
    /// does, which suits comparisons of many frames.
    pub ends: bool,
}

/// Writes a checkpoint folder to `dir`, which is made.
pub fn write_checkpoint(dir: &Path, plan: &ForgePlan) -> Result<(), EngineError> {
    let ForgePlan { kind, size, seed, bfloat16, ends } = *plan;
    let codec_dir = dir.join("speech_tokenizer");
    let place = |error: std::io::Error| bad_request(format!("cannot write {}: {error}", dir.display()));
    fs::create_dir_all(&codec_dir).map_err(place)?;
    let vocabulary = vocabulary();
    let (config, codec_config) = forged_configs(kind, size, vocabulary.len() as i64);
    let json = |path: &Path, value: &Value| fs::write(path, format!("{value:#}\n")).map_err(place);
    json(&dir.join("config.json"), &config)?;
    json(&codec_dir.join("config.json"), &codec_config)?;
    json(&dir.join("generation_config.json"), &generation())?;
    json(&codec_dir.join("preprocessor_config.json"), &feature_extractor())?;
    write_tokenizer(dir, vocabulary, size == ForgeSize::Tiny).map_err(place)?;

    let weights = if bfloat16 { Kind::BFloat16 } else { Kind::Float };
    let forge = Forge::dry(seed, weights).ending(ends);
    let loader = Loader::new(&forge, weights, Device::Cpu);
    load_model(&loader, &ModelConfig::read(dir)?, &Manner { positions: 16, ..Manner::default() })?;
    write_weights(&dir.join("model.safetensors"), &forge, &forge.asked(), bfloat16).map_err(place)?;

    let forge = Forge::dry(seed, Kind::Float);
    let config = CodecConfig::read(&codec_dir)?;
    load_codec(&Loader::new(&forge, Kind::Float, Device::Cpu), &config, true, 1)?;
    let mut tensors = forge.asked();
    tensors.extend(unused(&config));
    write_weights(&codec_dir.join("model.safetensors"), &forge, &tensors, false).map_err(place)
}

fn generation() -> Value {
    json!({
        "do_sample": true, "repetition_penalty": 1.05, "temperature": 0.9, "top_p": 1.0, "top_k": 50,
        "subtalker_dosample": true, "subtalker_temperature": 0.9, "subtalker_top_p": 1.0,
        "subtalker_top_k": 50, "max_new_tokens": 8192,
    })
}

fn feature_extractor() -> Value {
    json!({
        "feature_extractor_type": "EncodecFeatureExtractor", "feature_size": 1, "sampling_rate": 24_000,
        "padding_side": "right", "padding_value": 0.0, "return_attention_mask": true,
        "chunk_length_s": null, "overlap": null,
    })
}

/// Tensors that published codec files hold and that neither direction uses.
fn unused(config: &CodecConfig) -> Vec<(String, Vec<i64>)> {
    let (decoder, encoder) = (&config.decoder, &config.encoder);
    let EncoderConfig { codebook_size, codebook_dim, hidden, quantizer_dim, .. } = *encoder;
    let mut tensors = Vec::new();
    for half in ["rvq_first", "rvq_rest"] {
        let shape = vec![decoder.codebook_dim / 2, decoder.codebook_dim, 1];
        tensors.push((format!("decoder.quantizer.{half}.input_proj.weight"), shape));
    }
    let halves = [
        ("semantic", encoder.semantic, encoder.semantic),
        ("acoustic", encoder.codebooks - encoder.semantic, encoder.stored_codebooks - encoder.semantic),
    ];
    for (half, used, stored) in halves {
        let quantizer = format!("encoder.quantizer.{half}_residual_vector_quantizer");
        tensors.push((format!("{quantizer}.output_proj.weight"), vec![hidden, quantizer_dim, 1]));
        for index in 0..stored {
            let codebook = format!("{quantizer}.layers.{index}.codebook");
            tensors.push((format!("{codebook}.initialized"), vec![1]));
            if index >= used {
                tensors.push((format!("{codebook}.embed_sum"), vec![codebook_size, codebook_dim]));
                tensors.push((format!("{codebook}.cluster_usage"), vec![codebook_size]));
            }
        }
    }
    tensors
}

/// Tensor by tensor, so that the largest of them is all that memory has to hold.
fn write_weights(
    path: &Path,
    forge: &Forge,
    tensors: &[(String, Vec<i64>)],
    bfloat16: bool,
) -> std::io::Result<()> {
    let (dtype, width) = if bfloat16 { ("BF16", 2) } else { ("F32", 4) };
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut end = 0_i64;
    for (name, shape) in tensors {
        let start = end;
        end += shape.iter().product::<i64>() * width;
        header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    for (name, shape) in tensors {
        for value in forge.values(name, shape) {
            if bfloat16 {
                file.write_all(&bfloat16_bits(value).to_le_bytes())?;
            } else {
                file.write_all(&value.to_le_bytes())?;
            }
        }
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

/// Rounded to the nearest, ties to even, as libtorch does; forged numbers are finite.
fn bfloat16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    (rounded >> 16) as u16
}

/// The small vocabulary: 256 bytes in their printable forms, then one token for each merge.
fn vocabulary() -> Vec<String> {
    let printable = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let shifted = (0_u32..256).filter(|&byte| !printable(byte)).zip(256_u32..);
    let shifted: Vec<(u32, u32)> = shifted.collect();
    let mut tokens: Vec<String> = (0_u32..256)
        .map(|byte| shifted.iter().find(|(from, _)| *from == byte).map_or(byte, |(_, to)| *to))
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    let merged = MERGES.lines().filter(|line| !line.starts_with("#version"));
    tokens.extend(merged.map(|line| line.replace(' ', "")));
    tokens
}

fn write_tokenizer(dir: &Path, mut vocabulary: Vec<String>, tiny: bool) -> std::io::Result<()> {
    let mut merges = MERGES.to_owned();
    if !tiny {
        // Added tokens are numbered from the end of a vocabulary, and the published ones start here.
        let missing = PUBLISHED_SPECIALS as usize - vocabulary.len();
        let bytes = vocabulary[..256].to_vec();
        for (left, right) in unused_pairs(&bytes).take(missing) {
            merges.extend([&left, " ", &right, "\n"]);
            vocabulary.push(left + &right);
        }
    }
    let specials: Map<String, Value> = SPECIALS
        .iter()
        .zip(vocabulary.len()..)
        .map(|(token, id)| {
            let value = json!({
                "content": token, "lstrip": false, "normalized": false, "rstrip": false,
                "single_word": false, "special": true,
            });
            (id.to_string(), value)
        })
        .collect();
    let ids: Map<String, Value> =
        vocabulary.into_iter().zip(0..).map(|(token, id): (String, i64)| (token, json!(id))).collect();
    fs::write(dir.join("vocab.json"), Value::Object(ids).to_string())?;
    fs::write(dir.join("merges.txt"), merges)?;
    let config = json!({
        "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": specials, "add_prefix_space": false,
        "bos_token": null, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": null,
        "model_max_length": 131_072, "errors": "replace", "clean_up_tokenization_spaces": false,
        "split_special_tokens": false,
    });
    fs::write(dir.join("tokenizer_config.json"), config.to_string())
}

/// Pairs to merge, each of what earlier ones have made, that never meet in a text: every token made of them begins
/// with a byte that UTF-8 does not have. `bytes` are the 256 single-byte tokens.
fn unused_pairs(bytes: &[String]) -> impl Iterator<Item = (String, String)> {
    bytes[0xfd..].iter().flat_map(move |first| {
        let twos = bytes.iter().map(move |second| (first.clone(), second.clone()));
        let threes = bytes.iter().flat_map(move |second| {
            bytes.iter().map(move |third| (format!("{first}{second}"), third.clone()))
        });
        twos.chain(threes)
    })
}
