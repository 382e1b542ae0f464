//! `narrator-soak`: options in, figures out.

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

use super::run::{Plan, means, soak};
use super::stage::Voice;
use super::tally::Tally;

/// Narrates books while everything goes wrong, and checks that nothing is lost.
#[derive(Debug, Parser)]
#[command(name = "narrator-soak")]
struct Options {
    /// Plans the same blows and misdeeds again
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long new faults are injected; the last book is then finished in peace
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// End as soon as so many faults were injected
    #[arg(long)]
    faults: Option<u64>,
    /// Who speaks: the scripted worker over a made-up book, or the real starter voice over the sample
    #[arg(long, value_enum, default_value_t = Voice::Sim)]
    voice: Voice,
    /// Segments of the made-up book
    #[arg(long, default_value_t = 2000)]
    segments: usize,
    /// Workers; 8 scripted ones or 2 real ones when absent
    #[arg(long)]
    workers: Option<u16>,
    /// Mean time between two blows from outside
    #[arg(long, default_value_t = 400)]
    pace_ms: u64,
    /// Where books are narrated; a temporary folder when absent
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Figures as JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Runs a soak as the command line says: 0 when every promise held, 1 when one did not.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        seed: options.seed,
        time: Duration::from_secs_f64(options.minutes * 60.0),
        faults: options.faults,
        voice: options.voice,
        segments: options.segments,
        slots: options.workers.unwrap_or(if options.voice == Voice::Sim { 8 } else { 2 }),
        pace: Duration::from_millis(options.pace_ms),
        within: options.dir.clone(),
    };
    let say = |line: &str| drop(writeln!(stderr(), "soak: {line}"));
    let (means, missing) = means();
    for line in &missing {
        say(line);
    }
    let (began, mut tally) = (Instant::now(), Tally::default());
    let result = soak(&plan, means, &mut tally, &say);
    let took = began.elapsed();
    if options.json {
        let replaced = tally.replacement_ms();
        let figures = json!({
            "seed": plan.seed,
            "seconds": took.as_secs_f64(),
            "passed": result.is_ok(),
            "faults_injected": tally.faults(),
            "faults_survived": tally.survived,
            "replaced_workers": tally.replaced_ms.len(),
            "replace_median_ms": replaced.map(|(median, _)| median),
            "replace_worst_ms": replaced.map(|(_, worst)| worst),
            "figures": tally,
        });
        let _ = writeln!(stdout(), "{figures:#}");
    } else {
        let _ = write!(stdout(), "{}", tally.table(took));
    }
    let Err(failed) = result else { return ExitCode::SUCCESS };
    say(&format!("BROKEN PROMISE: {}", failed.broken));
    if let Some(stage) = failed.stage {
        say(&format!("everything is as it was left in {}", stage.display()));
    }
    let again: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--json").collect();
    let seed = if again.iter().any(|argument| argument.starts_with("--seed")) {
        String::new()
    } else {
        format!("--seed {} ", plan.seed)
    };
    say(&format!("seed {}; to repeat: scripts/soak {seed}{}", plan.seed, again.join(" ")));
    ExitCode::FAILURE
}
