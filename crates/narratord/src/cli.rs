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
    /// Look into a job's checkpoint log
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// List the voices that are ready to speak
    Voices(ListArgs),
    /// List the models that are installed
    Models(ListArgs),
    /// List every job that was started, and how it stands
    Jobs(ListArgs),
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
    /// How takes are checked
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
