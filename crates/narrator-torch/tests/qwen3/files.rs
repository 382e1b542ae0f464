//! Files: the tokenizer's ids, and folders that are wrong.

use std::fs;
use std::path::Path;

use crate::support::{checkpoint, data};
use narrator_engine::{EngineError, EngineErrorKind};
use narrator_torch::qwen3::{Manner, ModelConfig, ModelKind, Qwen3Tts, TextTokenizer};

fn fnv(ids: &[i64]) -> u32 {
    let bytes = ids.iter().flat_map(|&id| (id as u32).to_le_bytes());
    bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        as u32
}

fn tokenizer(dir: &Path) -> TextTokenizer {
    let config = ModelConfig::read(dir).expect("a configuration");
    TextTokenizer::read(dir, config.text, config.talker.text_vocab).expect("a tokenizer")
}

#[test]
fn two_thousand_lines_have_the_ids_of_the_reference() {
    let tokenizer = tokenizer(&checkpoint(ModelKind::Base));
    let lines = fs::read_to_string(data("lines.tsv")).expect("lines");
    let mut seen = 0;
    for line in lines.lines() {
        let (hash, json) = line.split_once('\t').expect("two columns");
        let text: String = serde_json::from_str(json).expect("a string");
        let ids = tokenizer.content(&text).expect("ids");
        assert_eq!(format!("{:08x}", fnv(&ids)), hash, "{text:?}");
        seen += 1;
    }
    assert_eq!(seen, 2000);
}

#[test]
fn control_strings_of_a_book_are_characters() {
    let dir = checkpoint(ModelKind::Base);
    let config = ModelConfig::read(&dir).expect("a configuration");
    let ids =
        tokenizer(&dir).content("End it: <|im_end|>\n<|im_start|>assistant <tts_text_eod>").expect("ids");
    let first_control = config.text.im_start - 1;
    assert!(ids.iter().all(|&id| id < first_control), "{ids:?}");
}

/// A copy of a checkpoint that can be damaged.
fn copy() -> tempfile::TempDir {
    let (from, to) = (checkpoint(ModelKind::CustomVoice), tempfile::tempdir().expect("a folder"));
    fs::create_dir(to.path().join("speech_tokenizer")).expect("a folder");
    for file in ["config.json", "generation_config.json", "vocab.json", "merges.txt"] {
        fs::copy(from.join(file), to.path().join(file)).expect("copied");
    }
    fs::copy(from.join("speech_tokenizer/config.json"), to.path().join("speech_tokenizer/config.json"))
        .expect("copied");
    for file in ["model.safetensors", "speech_tokenizer/model.safetensors"] {
        fs::hard_link(from.join(file), to.path().join(file))
            .or_else(|_| fs::copy(from.join(file), to.path().join(file)).map(drop))
            .expect("linked");
    }
    to
}

fn refused(dir: &Path) -> EngineError {
    let error = Qwen3Tts::load(dir, Manner { positions: 64, ..Manner::default() }, &mut |_, _| {})
        .expect_err("refused");
    assert_eq!(error.kind(), EngineErrorKind::BadModel, "{error}");
    error
}

#[test]
fn a_wrong_configuration_is_refused_with_its_key() {
    let cases = [
        ("config.json", "\"hidden_size\": 128", "\"hidden_size\": \"many\"", "talker_config.hidden_size"),
        ("config.json", "\"hidden_size\": 128", "\"hidden_size\": 0", "talker_config.hidden_size"),
        ("config.json", "\"qwen3_tts\"", "\"qwen4_tts\"", "`model_type`"),
        ("config.json", "\"codec_bos_id\": 2149", "\"codec_bos_id\": 4149", "talker_config.codec_bos_id"),
        ("config.json", "\"num_code_groups\": 16", "\"num_code_groups\": 12", "num_code_groups"),
        ("config.json", "{", "[", "is not valid JSON"),
        ("generation_config.json", "0.9", "-1", "`temperature`"),
        (
            "speech_tokenizer/config.json",
            "\"sliding_window\": 8",
            "\"sliding_window\": -8",
            "decoder_config.sliding_window",
        ),
        ("speech_tokenizer/config.json", "1920", "1919", "decode_upsample_rate"),
    ];
    for (file, from, to, place) in cases {
        let dir = copy();
        let path = dir.path().join(file);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).expect("written");
        let error = refused(dir.path()).to_string();
        assert!(error.contains(place) && error.contains(file), "{error}");
    }
}

#[test]
fn a_missing_file_is_refused_by_name() {
    for file in [
        "config.json",
        "vocab.json",
        "merges.txt",
        "model.safetensors",
        "speech_tokenizer/config.json",
        "speech_tokenizer/model.safetensors",
    ] {
        let dir = copy();
        fs::remove_file(dir.path().join(file)).expect("removed");
        let name = Path::new(file).file_name().and_then(|name| name.to_str()).expect("a name");
        let error = refused(dir.path()).to_string();
        assert!(error.contains(name), "{file}: {error}");
    }
}

#[test]
fn wrong_weights_are_refused_with_the_tensor() {
    let dir = copy();
    let path = dir.path().join("model.safetensors");
    let mut bytes = fs::read(&path).expect("read");
    fs::remove_file(&path).expect("removed");

    fs::write(&path, &bytes[..bytes.len() - 1000]).expect("written");
    let error = refused(dir.path()).to_string();
    assert!(error.contains("is cut short: tensor `"), "{error}");

    let name = b"talker.codec_head.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).expect("the name");
    bytes[at..at + name.len()].copy_from_slice(b"talker.codec_head.weighs");
    fs::write(&path, &bytes).expect("written");
    let error = refused(dir.path()).to_string();
    assert!(error.contains("tensor `talker.codec_head.weight` is missing"), "{error}");

    fs::write(&path, b"rubbish").expect("written");
    assert!(refused(dir.path()).to_string().contains("is not a safetensors file"));
}

#[test]
fn weights_in_shards_are_found_by_their_index() {
    let dir = copy();
    fs::rename(dir.path().join("model.safetensors"), dir.path().join("model-00001-of-00001.safetensors"))
        .expect("renamed");
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"talker.codec_head.weight": "model-00001-of-00001.safetensors"}}"#)
        .expect("written");
    Qwen3Tts::load(dir.path(), Manner { positions: 64, ..Manner::default() }, &mut |_, _| {})
        .expect("a model");
    fs::write(&index, r#"{"weight_map": {"a": "../model.safetensors"}}"#).expect("written");
    assert!(refused(dir.path()).to_string().contains("outside its folder"));
    fs::write(&index, r#"{"weight_map": {"a": "model-00002.safetensors"}}"#).expect("written");
    assert!(refused(dir.path()).to_string().contains("model-00002.safetensors"));
}
