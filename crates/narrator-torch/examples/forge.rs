//! Writes a checkpoint of random numbers in the published layout of Qwen3-TTS.
//!
//! `cargo run -p narrator-torch --example forge -- KIND SIZE SEED float32|bfloat16 DIR`

use std::path::Path;

use narrator_torch::qwen3::{ModelKind, write_checkpoint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, size, seed, precision, dir] = arguments.as_slice() else {
        return Err("give KIND SIZE SEED PRECISION DIR".into());
    };
    let kind = match kind.as_str() {
        "base" => ModelKind::Base,
        "custom_voice" => ModelKind::CustomVoice,
        "voice_design" => ModelKind::VoiceDesign,
        other => return Err(format!("`{other}` is not a kind").into()),
    };
    write_checkpoint(Path::new(dir), kind, size.parse()?, seed.parse()?, precision == "bfloat16")?;
    Ok(())
}
