//! One utterance of a Qwen3-TTS checkpoint with everything that it was made from, for comparisons with
//! other implementations (`scripts/parity`), and the speed of forged ones.

use std::path::Path;

use narrator_engine::{EngineError, EngineErrorKind};
use narrator_torch::Device;
use narrator_torch::qwen3::{
    BenchPlan, BenchReport, ClonePrompt, DumpRequest, ForgeSize, Manner, Numbers, Qwen3Tts, Utterance, Voice,
    bench, language_name,
};

use crate::cli::{BenchArgs, Mode, SynthArgs};
use crate::synth::SynthError;
use crate::wav;

/// Speaks as `--mode` says; writes the samples, and the tensors where `--dump` says.
#[expect(clippy::print_stderr, reason = "a command for people")]
pub fn speak(args: &SynthArgs, mode: Mode, text: &str) -> Result<(), SynthError> {
    let parity = &args.parity;
    let manner = Manner {
        device: args.model.device,
        numbers: parity.dtype,
        codec: Numbers::Float32,
        ..Manner::default()
    };
    if let Some(threads) = args.model.threads {
        narrator_torch::set_threads(threads);
    }
    let model = Qwen3Tts::load(&args.model.model, manner, &mut |_, _| {})?;
    let clip = match &parity.clip {
        Some(path) => Some(read_clip(path, model.sample_rate())?),
        None => None,
    };
    let clone = match (mode, &clip) {
        (Mode::XVector, Some(clip)) => Some(model.clone_voice(clip, None)?),
        (Mode::Icl, Some(clip)) => {
            let words = parity.clip_text.as_deref();
            Some(
                model.clone_voice(
                    clip,
                    Some(words.ok_or_else(|| bad("give the clip's words: --clip-text"))?),
                )?,
            )
        }
        (Mode::XVector | Mode::Icl, None) => return Err(bad("give a clip to clone: --clip FILE.wav").into()),
        (Mode::CustomVoice | Mode::VoiceDesign, _) => None,
    };
    let language = args.language.as_deref().map_or_else(|| "auto".to_owned(), language_name);
    let voice = voice_of(args, mode, clone.as_ref())?;
    let dump = model.dump(&DumpRequest {
        utterance: Utterance { text, language: &language, voice },
        greedy: parity.greedy,
        seed: args.seed,
        frames: parity.frames,
        clip: clip.as_deref(),
    })?;
    if let Some(path) = &parity.dump {
        dump.save(path)?;
    }
    wav::write(&args.out, model.sample_rate(), &dump.wav)
        .map_err(|source| SynthError::Output { path: args.out.clone(), source })?;
    eprintln!("{}: {} frames", args.out.display(), dump.codes.len());
    Ok(())
}

fn voice_of<'a>(
    args: &'a SynthArgs,
    mode: Mode,
    clone: Option<&'a ClonePrompt>,
) -> Result<Voice<'a>, EngineError> {
    let instruct = args.parity.instruct.as_deref();
    match (mode, clone) {
        (Mode::CustomVoice, _) => {
            let speaker = args.parity.speaker.as_deref().ok_or_else(|| bad("name a speaker: --speaker"))?;
            Ok(Voice::Named { speaker, instruct })
        }
        (Mode::VoiceDesign, _) => {
            let instruct = instruct.ok_or_else(|| bad("describe the voice: --instruct"))?;
            Ok(Voice::Designed { instruct })
        }
        (Mode::XVector | Mode::Icl, Some(clone)) => Ok(Voice::Cloned(clone)),
        (Mode::XVector | Mode::Icl, None) => Err(bad("give a clip to clone: --clip FILE.wav")),
    }
}

pub(crate) fn bad(message: &str) -> EngineError {
    EngineError::new(EngineErrorKind::BadRequest, message)
}

/// A clip must be at the model's rate already: resamplers differ, and a comparison must not.
pub(crate) fn read_clip(path: &Path, sample_rate: u32) -> Result<Vec<f32>, SynthError> {
    wav::read_mono(path, sample_rate).map_err(|error| {
        bad(&format!("cannot use the clip {}: {error}; give a mono WAV at {sample_rate} Hz", path.display()))
            .into()
    })
}

/// Attention on a GPU wants its masks aligned.
const POSITIONS_STEP: usize = 128;

/// Measures forged checkpoints and prints a line for every batch size.
#[expect(clippy::print_stdout, reason = "the table is the command's data")]
pub fn measure(args: &BenchArgs) -> Result<(), SynthError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u16;
    let on_card = args.device != Device::Cpu;
    let size: ForgeSize = args.size.parse().map_err(|why: String| bad(&why))?;
    let plan = BenchPlan {
        size,
        manner: Manner {
            device: args.device,
            numbers: args.dtype,
            codec: args.codec_dtype,
            // A frame may be on its way when the last is read.
            positions: (args.prompt + args.frames + 3).next_multiple_of(POSITIONS_STEP) as u32,
            joined: on_card,
            text_on_host: on_card,
            codec_rows: args.codec_rows.unwrap_or(if on_card { 32 } else { Manner::default().codec_rows }),
        },
        threads: args.threads.unwrap_or(cores),
        rows: args.rows.clone(),
        frames: args.frames,
        prompt: args.prompt,
    };
    println!("rows\tframe_s\trtf\taudio_x\ttalker_s\tpredictor_s\tcodec_s\thost_s\tprefill_s");
    bench(&plan, &mut |report: &BenchReport| {
        let each = |share: std::time::Duration| {
            share.as_secs_f64() * report.rows as f64 / report.frames.max(1) as f64
        };
        println!(
            "{}\t{:.4}\t{:.4}\t{:.2}\t{:.4}\t{:.4}\t{:.4}\t{:.4}\t{:.3}",
            report.rows,
            report.step_seconds(),
            report.real_time_factor(),
            1.0 / report.real_time_factor().max(1e-9),
            each(report.talker),
            each(report.predictor),
            each(report.codec),
            each(report.host),
            report.prefill.as_secs_f64(),
        );
    })?;
    Ok(())
}
