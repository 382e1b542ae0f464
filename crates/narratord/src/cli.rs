//! The command line, as clap reads it. What the commands do is in [`crate::commands`] and [`crate::run`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
#[command(
    name = "narratord",
    version,
    about = "Turns a book into an audiobook, overnight, with nobody watching.",
    after_help = crate::exit::table(),
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Narrate a book; the same command again resumes where it stopped
    Run(Box<RunArgs>),
    /// Show what would be spoken and what is skipped, and why, without speaking
    Plan(Box<PlanArgs>),
    /// Show how far a job is, live or finished
    Status(StatusArgs),
    /// Show a job's events; -f follows a live one
    Logs(LogsArgs),
    /// Hear a finished audiobook and hold it against the book: is every word there?
    Verify(VerifyArgs),
    /// Speak segments of a job again
    Retake(RetakeArgs),
    /// Look into a job's checkpoint log
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// List the voices that are ready to speak; add, design, preview or remove one
    Voices(VoicesArgs),
    /// List the models that are installed; pull, import or remove one
    Models(ModelsArgs),
    /// List every job that was started, and how it stands
    Jobs(JobsArgs),
    /// Take up again the jobs whose process is gone though they were not finished
    Supervise(SuperviseArgs),
    /// Install a systemd user unit that runs `narratord supervise` at boot
    InstallService(ServiceArgs),
    /// Check what is installed, what is missing, and what to do about it
    Doctor(DoctorArgs),
}

/// What decides how a book is planned.
#[derive(Debug, Args)]
pub struct BookArgs {
    /// The book: EPUB, plain text, Markdown or HTML
    #[arg(value_name = "BOOK")]
    pub book: PathBuf,
    /// Only these chapters, counted from 1: 2-5, 3,7 or 9-
    #[arg(long, value_name = "LIST")]
    pub chapters: Option<String>,
    /// A settings file (TOML); flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Respellings for names and rare words (TOML)
    #[arg(long, value_name = "FILE")]
    pub lexicon: Option<PathBuf>,
    /// A voice of the model: see `narratord voices`
    #[arg(long, value_name = "NAME")]
    pub voice: Option<String>,
    /// A model by name, or the path of a checkpoint folder: see `narratord models`
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// How fast the voice speaks, 0.5 to 2
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f32>,
    /// Seed of everything random; the same seed gives the same samples
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub book: BookArgs,
    /// The audiobook to write: .m4b, .mp3, .opus, .flac, .wav, or a folder (a path ending in /) for one
    /// file a chapter [default: the book's name with .m4b, here]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Where the job is kept [default: NAME.narration beside the output]
    #[arg(long, value_name = "DIR")]
    pub job: Option<PathBuf>,
    /// Where to speak: cpu, cuda:0, or several separated by commas
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Worker processes [default: one a core on a CPU, one a GPU]
    #[arg(long, value_name = "N")]
    pub workers: Option<u16>,
    /// How takes are checked [default: fast, where a recogniser is installed]
    #[arg(long, value_name = "MODE")]
    pub check: Option<CheckArg>,
    /// Plain progress lines even on a terminal
    #[arg(long)]
    pub plain: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CheckArg {
    /// Takes are not heard again
    Off,
    /// A small recogniser hears every take, a larger one what is doubted
    Fast,
    /// Both hear every take
    Strict,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub book: BookArgs,
    /// One JSON object: chapters, segments, the ledger
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct JobArg {
    /// The job's folder, or its audiobook [default: the job of this folder that ran last]
    #[arg(value_name = "JOB")]
    pub job: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub job: JobArg,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub job: JobArg,
    /// Keep showing events as they come
    #[arg(short, long)]
    pub follow: bool,
    /// Only events of this segment
    #[arg(long, value_name = "N")]
    pub segment: Option<u32>,
    /// Only events of this slot
    #[arg(long, value_name = "N")]
    pub slot: Option<u16>,
    /// Only events of this level or above: debug, info, warn, error
    #[arg(long, value_name = "LEVEL", default_value = "debug")]
    pub level: crate::events::Level,
    /// The events as they stand in the file, a JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub job: JobArg,
    /// A book, with --audio: nothing but these two files is looked at
    #[arg(long, value_name = "BOOK", requires = "audio", conflicts_with = "job")]
    pub book: Option<PathBuf>,
    /// The audiobook made of it, by whatever program: a file, or a folder of them
    #[arg(long, value_name = "FILE", requires = "book")]
    pub audio: Option<PathBuf>,
    /// With --book: only these chapters are in the audiobook
    #[arg(long, value_name = "LIST", requires = "book")]
    pub chapters: Option<String>,
    /// With --book: respellings that the narrator used (TOML)
    #[arg(long, value_name = "FILE", requires = "book")]
    pub lexicon: Option<PathBuf>,
    /// With --book: a settings file; its part `check` says who listens
    #[arg(long, value_name = "FILE", requires = "book")]
    pub config: Option<PathBuf>,
    /// Plain progress lines even on a terminal
    #[arg(long)]
    pub plain: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RetakeArgs {
    /// The job's folder, or its audiobook
    #[arg(value_name = "JOB")]
    pub job: PathBuf,
    /// Segments by their numbers: see report.html, `narratord plan` or `narratord logs`
    #[arg(value_name = "SEGMENT", required = true)]
    pub segments: Vec<u32>,
}

#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Check every record of the log and every take that it names
    Verify(StatusArgs),
    /// Print the log's records, one a line
    Dump(StatusArgs),
    /// Keep what is provably whole of a damaged log; the original is copied aside first
    Repair(RepairArgs),
}

#[derive(Debug, Args)]
pub struct RepairArgs {
    #[command(flatten)]
    pub job: JobArg,
    /// Say what would be done and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct JobsArgs {
    /// Forget the jobs whose folder is gone (state `removed`), then list the others
    #[arg(long)]
    pub forget: bool,
    #[command(flatten)]
    pub list: ListArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ModelsArgs {
    #[command(subcommand)]
    pub command: Option<ModelsCommand>,
    #[command(flatten)]
    pub list: ListArgs,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Get a model from the hub; the same command again goes on where it stopped
    #[command(after_help = published())]
    Pull(PullArgs),
    /// Put a checkpoint folder that is on this machine where models are
    Import(ImportArgs),
    /// Remove an installed model
    Remove(NameArgs),
}

#[derive(Debug, Args)]
pub struct PullArgs {
    /// A published name (see below), or OWNER/REPOSITORY on the hub
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// What to call it here [default: the published name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A branch, tag or commit
    #[arg(long, value_name = "REVISION", default_value = "main")]
    pub revision: String,
    /// Another hub than the public one [default: `HF_ENDPOINT`, or hub.endpoint]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// A settings file (TOML) with a section `hub`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The folder of a published Qwen3-TTS checkpoint
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// What to call it here [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Copy the files even where they could be linked
    #[arg(long)]
    pub copy: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct NameArgs {
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// The models that can be pulled by name, as `--help` shows them.
fn published() -> String {
    let rows: Vec<String> = crate::hub::PUBLISHED
        .iter()
        .map(|model| format!("  {:<28} {:>3.1} GB  {}", model.name, model.gigabytes, model.about))
        .collect();
    format!("Published models:\n{}\n\nHF_TOKEN is the hub's token, where one is needed.", rows.join("\n"))
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct VoicesArgs {
    #[command(subcommand)]
    pub command: Option<VoicesCommand>,
    #[command(flatten)]
    pub list: ListArgs,
}

#[derive(Debug, Subcommand)]
pub enum VoicesCommand {
    /// Clone a voice from a clip, for the Qwen3-TTS base models
    Add(AddArgs),
    /// Make a voice from a description, once, so that it stays the same through a book
    Design(DesignArgs),
    /// Hear a voice
    Preview(PreviewArgs),
    /// Remove a voice of yours
    Remove(NameArgs),
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// What to call the voice
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Somebody speaking, 5 to 15 seconds, without noise: WAV, or what ffmpeg reads
    #[arg(long, value_name = "FILE")]
    pub clip: PathBuf,
    /// All that the clip says and nothing else; without it the timbre alone is taken
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// The clip's language, such as en
    #[arg(long, value_name = "TAG", default_value = "und")]
    pub language: String,
    /// A base model by name, or its folder [default: the largest that is installed]
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// Take the place of a voice of this name
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Args)]
pub struct DesignArgs {
    /// What to call the voice
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What the voice is like: "An old man from the coast, calm, warm, a little hoarse"
    #[arg(long, value_name = "TEXT")]
    pub instruct: String,
    /// What it says when it is designed; some 15 seconds
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// The language of that text
    #[arg(long, value_name = "TAG", default_value = "en")]
    pub language: String,
    /// Another seed gives another voice of the same description
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A voice-design model by name, or its folder [default: the one that is installed]
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// The base model that speaks with the voice [default: the largest that is installed]
    #[arg(long, value_name = "NAME|DIR")]
    pub base: Option<String>,
    /// Take the place of a voice of this name
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// A voice that `narratord voices` lists
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The file to write
    #[arg(short, long, value_name = "WAV", default_value = "preview.wav")]
    pub output: PathBuf,
    /// What it says
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// That text's language [default: the voice's, or English]
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// A model by name, or its folder [default: the best that has the voice]
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
}

#[derive(Debug, Args)]
pub struct SuperviseArgs {
    /// Take up what can be taken up, then end
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub every: u64,
    /// Seconds to wait after a restarted job has ended
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub pause: u64,
}

#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// Print the unit and change nothing
    #[arg(long)]
    pub print: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
