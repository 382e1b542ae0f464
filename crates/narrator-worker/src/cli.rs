//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use narrator_core::Priors;
use narrator_torch::qwen3::Numbers;
use narrator_torch::{Device, Precision};

use crate::exit::Exit;
use crate::{dump, load, logging, serve, signals, synth, transcribe, voice, weigh};

#[derive(Parser, Debug)]
#[command(name = "narrator-worker", version, about = "Speaks text with a model, for narratord or on its own")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve narratord over its pipe; started by narratord, not by hand
    #[command(hide = true)]
    Serve,
    /// Speak one text and write it as a WAV file
    Synth(SynthArgs),
    /// Write down what is heard in WAV files
    Transcribe(TranscribeArgs),
    /// Measure how fast a recogniser hears WAV files, with their texts beside them
    BenchHearing(BenchHearingArgs),
    /// List the voices of a model
    Voices(ModelArgs),
    /// Say what models take of a GPU's memory, one JSON object a line; no GPU is asked
    Weigh(WeighArgs),
    /// Take a voice from a clip with a Qwen3-TTS base model, once, and keep it in a file
    Clone(CloneArgs),
    /// Measure the speed of Qwen3-TTS on this machine, on random weights made in memory
    Bench(BenchArgs),
    /// Write a Qwen3-TTS checkpoint of random numbers in the published layout, for tests
    #[command(hide = true)]
    Forge(ForgeArgs),
}

/// Which model, and how to run it.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// The model's folder
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// `cpu`, or `cuda:0` and so on
    #[arg(long, default_value = "cpu")]
    pub device: Device,
    /// Threads that libtorch uses on a CPU; the engine's choice when absent
    #[arg(long, value_name = "N")]
    pub threads: Option<u16>,
}

/// One text to speak.
#[derive(Args, Debug)]
pub struct SynthArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// What to say; `-` reads it from standard input
    #[arg(long)]
    pub text: String,
    /// A voice of the model; its default when absent
    #[arg(long)]
    pub voice: Option<String>,
    /// BCP 47; the voice's own when absent
    #[arg(long)]
    pub language: Option<String>,
    /// 0.5 to 2; 1 is the voice's own speed
    #[arg(long, default_value_t = 1.0)]
    pub speed: f32,
    /// The same seed gives the same samples
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop with an error past this many seconds of audio
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub max_seconds: f32,
    /// The file to write
    #[arg(long, short, value_name = "FILE", default_value = "speech.wav")]
    pub out: PathBuf,
    #[command(flatten)]
    pub parity: ParityArgs,
}

/// Where a Qwen3-TTS voice comes from.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "snake_case")]
pub enum Mode {
    CustomVoice,
    VoiceDesign,
    XVector,
    Icl,
}

/// A Qwen3-TTS checkpoint spoken with directly, to compare it with the reference implementation.
#[derive(Args, Debug)]
#[command(next_help_heading = "Comparing a Qwen3-TTS checkpoint")]
pub struct ParityArgs {
    /// Speak with the checkpoint itself, its voice from a name, a description, or a clip
    #[arg(long)]
    pub mode: Option<Mode>,
    /// With `custom_voice`: who speaks
    #[arg(long, requires = "mode")]
    pub speaker: Option<String>,
    /// With `voice_design`: the voice; with `custom_voice`: how to speak
    #[arg(long, requires = "mode")]
    pub instruct: Option<String>,
    /// With `x_vector` and `icl`: a mono WAV at the model's rate
    #[arg(long, value_name = "WAV", requires = "mode")]
    pub clip: Option<PathBuf>,
    /// With `icl`: what the clip says
    #[arg(long, value_name = "TEXT", requires = "clip")]
    pub clip_text: Option<String>,
    /// Always the likeliest code
    #[arg(long, requires = "mode")]
    pub greedy: bool,
    /// Frames at most, of 80 ms
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub frames: usize,
    /// float32, bfloat16 or float16
    #[arg(long, default_value = "float32")]
    pub dtype: Numbers,
    /// Write ids, prompt, hidden states, logits, codes and samples as safetensors
    #[arg(long, value_name = "FILE", requires = "mode")]
    pub dump: Option<PathBuf>,
}

/// Audio to write down.
#[derive(Args, Debug)]
pub struct TranscribeArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Mono WAV files, at any rate
    #[arg(required = true, value_name = "AUDIO")]
    pub audio: Vec<PathBuf>,
    /// What should have been said: scored word by word
    #[arg(long)]
    pub text: Option<String>,
    /// Score each file against the text in the file of its name that ends in .txt
    #[arg(long, conflicts_with = "text")]
    pub texts: bool,
    /// Only score; do not write down freely
    #[arg(long)]
    pub score_only: bool,
    /// Which scored words are scored over silence too: none, guessable or unsure
    #[arg(long, value_name = "WHICH", default_value = "unsure", value_parser = priors)]
    pub priors: Priors,
    /// A line for every word, with its times
    #[arg(long)]
    pub words: bool,
    /// A JSON object for every file
    #[arg(long)]
    pub json: bool,
    /// Hypotheses that are followed at once; 1 is greedy
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub beams: u16,
    /// BCP 47; found out when absent
    #[arg(long)]
    pub language: Option<String>,
    /// Words that may come up
    #[arg(long, default_value = "")]
    pub context: String,
    /// Of the sampling that failed decodings fall back to
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Files that are heard together
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub batch: usize,
    /// auto, float32 or bfloat16
    #[arg(long, default_value = "auto", value_parser = precision)]
    pub dtype: Precision,
}

/// What to hear, and how often.
#[derive(Args, Debug)]
pub struct BenchHearingArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Mono WAV files; `A.txt` beside `A.wav` is what it should say
    #[arg(required = true, value_name = "AUDIO")]
    pub audio: Vec<PathBuf>,
    /// Files that are heard together
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub batch: usize,
    /// Times that all is heard; the quickest counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rounds: usize,
    /// auto, float32 or bfloat16
    #[arg(long, default_value = "auto", value_parser = precision)]
    pub dtype: Precision,
}

fn precision(text: &str) -> Result<Precision, String> {
    match text {
        "auto" => Ok(Precision::Auto),
        "float32" => Ok(Precision::Float32),
        "bfloat16" => Ok(Precision::BFloat16),
        _ => Err("give auto, float32 or bfloat16".into()),
    }
}

fn priors(text: &str) -> Result<Priors, String> {
    match text {
        "none" => Ok(Priors::None),
        "guessable" => Ok(Priors::Guessable),
        "unsure" => Ok(Priors::Unsure),
        _ => Err("give none, guessable or unsure".into()),
    }
}

/// Which models to weigh, and for what card.
#[derive(Args, Debug)]
pub struct WeighArgs {
    /// The models' folders
    #[arg(required = true, value_name = "DIR")]
    pub models: Vec<PathBuf>,
    /// The card's memory, all of it
    #[arg(long, value_name = "BYTES")]
    pub card_bytes: u64,
    /// The card, from before 2020, does not multiply bfloat16
    #[arg(long)]
    pub no_bfloat16: bool,
}

/// Whose voice to take.
#[derive(Args, Debug)]
pub struct CloneArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A mono WAV at the model's rate
    #[arg(long, value_name = "WAV")]
    pub clip: PathBuf,
    /// All that the clip says; without it, the timbre alone is taken
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
}

/// What to forge.
#[derive(Args, Debug)]
pub struct ForgeArgs {
    /// base, `custom_voice` or `voice_design`
    #[arg(long)]
    pub kind: String,
    /// tiny, 0.6b or 1.7b
    #[arg(long, default_value = "tiny")]
    pub size: String,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// As published checkpoints are; float32 otherwise
    #[arg(long)]
    pub bfloat16: bool,
    /// Sampled speech ends by itself
    #[arg(long)]
    pub ends: bool,
    /// The folder to make
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
}

/// What to measure.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// tiny, 0.6b or 1.7b
    #[arg(long, default_value = "1.7b")]
    pub size: String,
    /// Batch sizes
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pub rows: Vec<usize>,
    /// Frames of every row
    #[arg(long, default_value_t = 24)]
    pub frames: usize,
    /// Tokens of every row's prompt
    #[arg(long, default_value_t = 100)]
    pub prompt: usize,
    /// `cpu`, or `cuda:0` and so on
    #[arg(long, default_value = "cpu")]
    pub device: Device,
    /// float32, bfloat16 or float16
    #[arg(long, default_value = "bfloat16")]
    pub dtype: Numbers,
    /// The codec's; the default is what a CPU is given, and a GPU is given bfloat16
    #[arg(long, default_value = "float32")]
    pub codec_dtype: Numbers,
    /// Rows that the codec decodes together; 2 on a CPU and 32 on a GPU when absent
    #[arg(long, value_name = "N")]
    pub codec_rows: Option<usize>,
    /// Threads that libtorch uses on a CPU; all cores when absent
    #[arg(long, value_name = "N")]
    pub threads: Option<u16>,
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Serve => {
            logging::as_json();
            signals::leave_to_orchestrator();
            let engines = [&narrator_torch::ENGINES[..], &narrator_torch::LISTENERS].concat();
            serve::serve(&engines, load::for_serving)
        }
        Command::Synth(args) => {
            logging::for_people();
            told(synth::synth(&args))
        }
        Command::Transcribe(args) => {
            logging::for_people();
            told(transcribe::transcribe(&args))
        }
        Command::BenchHearing(args) => {
            logging::for_people();
            told(transcribe::measure(&args))
        }
        Command::Voices(args) => {
            logging::for_people();
            told(synth::voices(&args))
        }
        Command::Weigh(args) => {
            logging::for_people();
            told(weigh::weigh(&args))
        }
        Command::Clone(args) => {
            logging::for_people();
            told(voice::clone(&args))
        }
        Command::Bench(args) => {
            logging::for_people();
            told(dump::measure(&args))
        }
        Command::Forge(args) => {
            logging::for_people();
            told(voice::forge(&args))
        }
    };
    exit.into()
}

#[expect(clippy::print_stderr, reason = "errors of the commands for people go to standard error")]
fn told(result: Result<(), synth::SynthError>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn synth_reads_as_documented() {
        let cli = Cli::parse_from([
            "narrator-worker",
            "synth",
            "--model",
            "m",
            "--text",
            "-",
            "--device",
            "cuda:1",
            "--speed",
            "1.5",
            "--seed",
            "7",
            "--out",
            "a.wav",
            "--threads",
            "2",
            "--voice",
            "v",
        ]);
        let Command::Synth(args) = cli.command else { panic!("not synth") };
        assert_eq!((args.model.device, args.model.threads, args.seed), (Device::Cuda(1), Some(2), 7));
        assert!(
            Cli::try_parse_from(["narrator-worker", "voices", "--model", "m", "--device", "gpu"]).is_err()
        );
    }
}
