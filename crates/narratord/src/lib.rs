//! The orchestrator's program: command line, run loop, events, exit codes.
//!
//! `run` narrates a book (module `run`); the other commands look at what is there (module `commands`). This program
//! never links libtorch: it starts in milliseconds, cannot be taken down by C++, and can say in plain
//! words what is missing.

mod account;
mod audit;
mod catalog;
mod cli;
mod commands;
mod config;
mod error;
mod events;
mod exit;
mod home;
mod hub;
mod job;
mod memory;
mod models;
mod output;
mod planning;
mod progress;
mod respelt;
mod run;
mod tool;
mod trace;
mod voices;

use std::process::ExitCode;

use clap::Parser;

use cli::{CheckpointCommand, Cli, Command};
use error::Failure;
use exit::Exit;

pub use planning::Splitter;

/// As [`run_command_line`], with another splitter in the place of narratord's own. A test puts in one that loses
/// text, to see that it is found out.
pub fn run_command_line_with(splitter: Splitter) -> ExitCode {
    planning::put_in(splitter);
    run_command_line()
}

/// Reads the command line, does what it says, and turns the outcome into an exit code.
pub fn run_command_line() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed stdout or stderr leaves nobody to tell.
            let _ = error.print();
            return exit.into();
        }
    };
    match dispatch(cli.command, &trace::Route::install()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::note(failure.for_people());
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command, traces: &trace::Route) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args, traces),
        Command::Plan(args) => commands::plan::plan(&args),
        Command::Status(args) => commands::status::status(&args),
        Command::Logs(args) => commands::logs::logs(&args),
        Command::Verify(args) => commands::verify::verify(&args),
        Command::Retake(args) => commands::retake::retake(&args, traces),
        Command::Checkpoint(CheckpointCommand::Verify(args)) => commands::checkpoint::verify(&args),
        Command::Checkpoint(CheckpointCommand::Dump(args)) => commands::checkpoint::dump(&args),
        Command::Checkpoint(CheckpointCommand::Repair(args)) => commands::checkpoint::repair(&args),
        Command::Voices(args) => commands::voices::voices(&args),
        Command::Models(args) => commands::models::models(&args),
        Command::Jobs(args) => commands::jobs::jobs(&args),
        Command::Supervise(args) => commands::supervise::supervise(&args),
        Command::InstallService(args) => commands::service::install(&args),
        Command::Doctor(args) => Ok(commands::doctor::doctor(&args)),
    }
}
