//! Checkpoint folders of Qwen3-TTS for tests: forged ones that really speak, and empty ones that look like it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::program::program;

/// Has the worker forge a tiny checkpoint of random numbers, whose speech ends by itself.
pub fn forge(kind: &str, folder: &Path) {
    let forged = Command::new(program("narrator-worker"))
        .args(["forge", "--kind", kind, "--size", "tiny", "--ends", "--out"])
        .arg(folder)
        .output()
        .expect("the worker starts");
    assert!(forged.status.success(), "{}", String::from_utf8_lossy(&forged.stderr));
}

/// A folder with everything that a published custom-voice checkpoint has but numbers: `megabytes` of zeros.
pub fn hollow(folder: &Path, megabytes: usize) {
    let write = |name: &str, bytes: &[u8]| {
        let path: PathBuf = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    };
    let config = json!({
        "model_type": "qwen3_tts", "tts_model_type": "custom_voice", "tts_model_size": "1b7",
        "talker_config": {
            "codec_language_id": { "english": 2050 },
            "spk_id": { "ryan": 3061, "vivian": 3065 }, "spk_is_dialect": {},
        },
    });
    write("config.json", config.to_string().as_bytes());
    write("vocab.json", b"{}");
    write("merges.txt", b"#version: 0.2\n");
    write("speech_tokenizer/config.json", b"{}");
    write("model.safetensors", &weights(megabytes << 20));
    write("speech_tokenizer/model.safetensors", &weights(1 << 16));
}

fn weights(bytes: usize) -> Vec<u8> {
    let header =
        json!({ "zeros": { "dtype": "U8", "shape": [bytes], "data_offsets": [0, bytes] } }).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    // Not all alike, so that bytes at the wrong place are seen.
    file.extend((0..bytes).map(|n| (n / 251) as u8));
    file
}
