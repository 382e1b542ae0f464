//! Writes a checkpoint of random numbers in the published layout of Qwen3-TTS.
//!
//! `cargo run -p narrator-torch --example forge -- KIND SIZE SEED float32|bfloat16 DIR [ends]`

use std::path::Path;

use narrator_torch::qwen3::{ForgePlan, ModelKind, write_checkpoint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, size, seed, precision, dir, rest @ ..] = arguments.as_slice() else {
        return Err("give KIND SIZE SEED PRECISION DIR [ends]".into());
    };
    let kind = match kind.as_str() {
        "base" => ModelKind::Base,
        "custom_voice" => ModelKind::CustomVoice,
        "voice_design" => ModelKind::VoiceDesign,
        other => return Err(format!("`{other}` is not a kind").into()),
    };
    let ends = rest.iter().any(|word| word == "ends");
    let plan =
        ForgePlan { kind, size: size.parse()?, seed: seed.parse()?, bfloat16: precision == "bfloat16", ends };
    write_checkpoint(Path::new(dir), &plan)?;
    Ok(())
}
