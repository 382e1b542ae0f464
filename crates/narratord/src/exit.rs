//! The exit codes: one table, for people and for scripts.

use std::process::ExitCode;

/// How a command ended, as its exit code says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Done,
    Usage,
    Quarantined,
    BadInput,
    Missing,
    Held,
    Disk,
    Stopped,
    BadSettings,
}

impl Exit {
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Usage,
        Self::Quarantined,
        Self::BadInput,
        Self::Missing,
        Self::Held,
        Self::Disk,
        Self::Stopped,
        Self::BadSettings,
    ];

    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Quarantined => 3,
            Self::BadInput => 65,
            Self::Missing => 69,
            Self::Held => 73,
            Self::Disk => 74,
            Self::Stopped => 75,
            Self::BadSettings => 78,
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Usage => "the command line is wrong",
            Self::Quarantined => "done, with segments in quarantine",
            Self::BadInput => "the book is bad, or the journal is damaged",
            Self::Missing => "something needed is missing: a file, a model, a program",
            Self::Held => "the job is held by another run",
            Self::Disk => "the disk is full or fails",
            Self::Stopped => "stopped with work left: run the same command again to resume",
            Self::BadSettings => "a setting or the model cannot work",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table as `--help` shows it.
pub fn table() -> String {
    let rows: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning())).collect();
    format!("Exit codes:\n{}", rows.join("\n"))
}
