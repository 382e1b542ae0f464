//! Files: the tokenizer's ids, and folders that are wrong.

use std::fs;
use std::path::Path;

use crate::support::{checkpoint, data, quiet};
use narrator_engine::{EngineError, EngineErrorKind};
use narrator_torch::qwen3::{
    DumpRequest, GenerationConfig, Manner, ModelConfig, ModelKind, Qwen3Tts, TextTokenizer, Utterance, Voice,
};
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::Value;

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
fn a_top_k_of_0_is_no_limit() {
    let dir = copy();
    let path = dir.path().join("generation_config.json");
    let text = fs::read_to_string(&path).expect("read");
    assert!(text.contains("\"top_k\": 50"), "{text}");
    fs::write(&path, text.replace("\"top_k\": 50", "\"top_k\": 0")).expect("written");
    let config = GenerationConfig::read(dir.path()).expect("a configuration");
    assert_eq!((config.talker.top_k, config.predictor.top_k), (0, 50));
    assert_eq!(tried(dir.path()), None);
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

/// Splits a safetensors file in two, tensors in turn, under the names and the index that published shards have.
fn split(dir: &Path) {
    let whole = dir.join("model.safetensors");
    let bytes = fs::read(&whole).expect("read");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let mut map = serde_json::Map::new();
    let mut shards = [Vec::new(), Vec::new()];
    for (turn, name) in tensors.names().into_iter().enumerate() {
        let shard = turn % 2;
        map.insert(name.into(), format!("model-0000{}-of-00002.safetensors", shard + 1).into());
        shards[shard].push((name, tensors.tensor(name).expect("a tensor")));
    }
    for (shard, tensors) in shards.into_iter().enumerate() {
        let path = dir.join(format!("model-0000{}-of-00002.safetensors", shard + 1));
        safetensors::serialize_to_file(tensors, None, &path).expect("written");
    }
    let index = serde_json::json!({ "metadata": { "total_size": bytes.len() }, "weight_map": map });
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).expect("written");
    fs::remove_file(whole).expect("removed");
}

#[test]
fn weights_in_shards_are_the_weights() {
    let dir = copy();
    split(dir.path());
    let load = |dir: &Path| {
        Qwen3Tts::load(dir, Manner { positions: 64, ..Manner::default() }, &mut |_, _| {}).expect("a model")
    };
    let says = |model: &Qwen3Tts| {
        let voice = Voice::Named { speaker: "ryan", instruct: None };
        let utterance = Utterance { text: "Both halves.", language: "english", voice };
        let request = DumpRequest { utterance, greedy: true, seed: 0, frames: 4, clip: None };
        let dump = model.dump(&request).expect("an utterance");
        (dump.codes, dump.talker_logits, dump.wav)
    };
    quiet();
    assert_eq!(says(&load(dir.path())), says(&load(&checkpoint(ModelKind::CustomVoice))));

    let second = dir.path().join("model-00002-of-00002.safetensors");
    let bytes = fs::read(&second).expect("read");
    fs::write(&second, &bytes[..bytes.len() - 1000]).expect("written");
    let error = refused(dir.path()).to_string();
    assert!(error.contains("model-00002-of-00002.safetensors is cut short: tensor `"), "{error}");
    fs::remove_file(&second).expect("removed");
    assert!(refused(dir.path()).to_string().contains("model-00002-of-00002.safetensors"));
    let index = dir.path().join("model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"a": "../model.safetensors"}}"#).expect("written");
    assert!(refused(dir.path()).to_string().contains("outside its folder"));
}

const FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
    "model.safetensors",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model.safetensors",
];

/// Every value of a JSON document that is no object, as a path of keys.
fn leaves(value: &Value, at: &str, into: &mut Vec<String>) {
    match value.as_object() {
        Some(values) => values.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), into)),
        None => into.push(at.to_owned()),
    }
}

/// Values that no published configuration has, most of them of another type than the key's.
const ODD: [&str; 16] = [
    "null",
    "0",
    "-1",
    "1",
    "2",
    "7",
    "1000000000",
    "9223372036854775807",
    "1e300",
    "0.5",
    "\"x\"",
    "[]",
    "[0]",
    "[1000000000, 1000000000, 1000000000]",
    "{}",
    "true",
];

fn odd_value() -> impl Strategy<Value = Value> {
    prop::sample::select(ODD.as_slice()).prop_map(|odd| serde_json::from_str(odd).expect("JSON"))
}

/// Says why `dir` was refused, if it was.
fn tried(dir: &Path) -> Option<String> {
    let loaded = Qwen3Tts::load(dir, Manner { positions: 64, ..Manner::default() }, &mut |_, _| {});
    loaded.err().map(|error| {
        assert_eq!(error.kind(), EngineErrorKind::BadModel, "{error}");
        error.to_string()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Wherever the copying of a folder stopped, the file is named, or the tensor that it cuts.
    #[test]
    fn a_file_that_ends_too_early_is_refused_by_name(file in prop::sample::select(FILES.as_slice()), at in 0.0..1.0_f64) {
        let dir = copy();
        let path = dir.path().join(file);
        let bytes = fs::read(&path).expect("read");
        let kept = (bytes.len() as f64 * at) as usize;
        fs::remove_file(&path).expect("removed");
        fs::write(&path, &bytes[..kept]).expect("written");
        let told = tried(dir.path());
        // What ends files of text may be missing, as editors leave it out.
        let whole = bytes[kept..].iter().all(u8::is_ascii_whitespace);
        prop_assert!(told.is_some() || whole, "{file} was used with {kept} of its {} bytes", bytes.len());
        if let Some(told) = told {
            prop_assert!(told.contains(file), "{file} is not named: {told}");
        }
    }

    /// A configuration may say anything: it is used or refused, and never brings the worker down.
    #[test]
    fn a_configuration_that_says_anything_is_used_or_refused(
        file in prop::sample::select(["config.json", "generation_config.json", "speech_tokenizer/config.json"].as_slice()),
        which in any::<prop::sample::Index>(),
        odd in odd_value(),
    ) {
        let dir = copy();
        let path = dir.path().join(file);
        let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        let mut paths = Vec::new();
        leaves(&config, "", &mut paths);
        let key = &paths[which.index(paths.len())];
        *config.pointer_mut(key).expect("a value") = odd;
        fs::write(&path, config.to_string()).expect("written");
        if let Some(told) = tried(dir.path()) {
            prop_assert!(told.contains('`'), "neither key nor tensor is named: {told}");
        }
    }

    /// So may the header of a weight file.
    #[test]
    fn a_weight_file_with_a_damaged_header_is_used_or_refused(
        file in prop::sample::select(["model.safetensors", "speech_tokenizer/model.safetensors"].as_slice()),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let dir = copy();
        let path = dir.path().join(file);
        let mut bytes = fs::read(&path).expect("read");
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        bytes[at.index(8 + header)] = byte;
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bytes).expect("written");
        if let Some(told) = tried(dir.path()) {
            prop_assert!(told.contains(file) || told.contains('`'), "{told}");
        }
    }
}
