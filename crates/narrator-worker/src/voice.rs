//! Voices of Qwen3-TTS as files: taken from a clip once, so that no book decodes the clip again.

use narrator_torch::qwen3::{ForgePlan, Manner, ModelKind, Numbers, Qwen3Tts, write_checkpoint};

use crate::cli::{CloneArgs, ForgeArgs};
use crate::dump::{bad, read_clip};
use crate::synth::SynthError;

/// Rows that the talker's cache must hold: cloning says nothing.
const POSITIONS: u32 = 16;

/// Takes the voice of a clip and saves it.
///
/// The encoders and the codec run in float32, and the talker, which does not run, stays in the numbers that
/// published weights have, so that its weights are mapped and not converted.
#[expect(clippy::print_stderr, reason = "a command for people")]
pub fn clone(args: &CloneArgs) -> Result<(), SynthError> {
    let manner = Manner {
        device: args.model.device,
        numbers: Numbers::BFloat16,
        codec: Numbers::Float32,
        positions: POSITIONS,
        ..Manner::default()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    narrator_torch::set_threads(args.model.threads.unwrap_or(cores.min(usize::from(u16::MAX)) as u16));
    let model = Qwen3Tts::load(&args.model.model, manner, &mut |_, _| {})?;
    let clip = read_clip(&args.clip, model.sample_rate())?;
    let voice = model.clone_voice(&clip, args.text.as_deref())?;
    voice.save(&args.out)?;
    let seconds = clip.len() as f64 / f64::from(model.sample_rate());
    match voice.context() {
        Some(context) => {
            eprintln!("{}: {} frames of {seconds:.1} s", args.out.display(), context.frames());
        }
        None => eprintln!("{}: the speaker of {seconds:.1} s", args.out.display()),
    }
    Ok(())
}

/// Writes a checkpoint of random numbers.
pub fn forge(args: &ForgeArgs) -> Result<(), SynthError> {
    let kind = match args.kind.as_str() {
        "base" => ModelKind::Base,
        "custom_voice" => ModelKind::CustomVoice,
        "voice_design" => ModelKind::VoiceDesign,
        other => {
            return Err(
                bad(&format!("`{other}` is not a kind: give base, custom_voice or voice_design")).into()
            );
        }
    };
    let size = args.size.parse().map_err(|why: String| bad(&why))?;
    let ForgeArgs { seed, bfloat16, ends, .. } = *args;
    Ok(write_checkpoint(&args.out, &ForgePlan { kind, size, seed, bfloat16, ends })?)
}
