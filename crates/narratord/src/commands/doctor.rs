//! `narratord doctor`: what is installed, what is missing, what to do about it.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::{models, output, tool, voices};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

pub fn doctor(args: &DoctorArgs) -> Exit {
    let home = Home::find();
    let mut findings = vec![machine(), disk(), worker(), ffmpeg(&home)];
    findings.extend(speakers(&home));
    let missing = findings.iter().any(|finding| finding.state == State::Missing);
    if args.json {
        output::json(&findings);
    } else {
        for finding in &findings {
            let mark = match finding.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Missing => "MISSING",
            };
            output::data(format_args!("{mark:<8} {:<10} {}", finding.what, finding.found));
            if let Some(advice) = &finding.advice {
                output::data(format_args!("{:<19} → {advice}", ""));
            }
        }
    }
    if missing { Exit::Missing } else { Exit::Done }
}

fn ok(what: &'static str, found: String) -> Finding {
    Finding { what, state: State::Ok, found, advice: None }
}

fn machine() -> Finding {
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::everything()),
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let gigabytes = system.total_memory() as f64 / 1e9;
    let free = system.available_memory() as f64 / 1e9;
    ok("machine", format!("{cores} cores, {gigabytes:.1} GB of memory, {free:.1} GB free"))
}

fn disk() -> Finding {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let Some(free) = free_bytes(&here) else { return ok("disk", "free space unknown".into()) };
    let gigabytes = free as f64 / 1e9;
    let found = format!("{gigabytes:.1} GB free in {}", here.display());
    if gigabytes >= 3.0 {
        return ok("disk", found);
    }
    let advice = "a fourteen-hour book needs about 2 GB while it is made: free some space".to_string();
    Finding { what: "disk", state: State::Warning, found, advice: Some(advice) }
}

/// Free bytes of the disk that holds `path`: the mount point with the longest matching path.
pub fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let path = path.canonicalize().ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list();
    disks
        .iter()
        .filter(|disk| path.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len())
        .map(sysinfo::Disk::available_space)
}

fn worker() -> Finding {
    let what = "worker";
    let program = match home::worker_program(None) {
        Ok(program) => program,
        Err(failure) => {
            return Finding { what, state: State::Missing, found: failure.message, advice: failure.hint };
        }
    };
    match said_by(&program, "--version") {
        Ok(version) => ok(what, format!("{version}, {}", program.display())),
        Err(problem) => Finding {
            what,
            state: State::Missing,
            found: format!("{} does not start: {problem}", program.display()),
            advice: Some(
                "libtorch is missing or of another version: run scripts/setup, then build again".into(),
            ),
        },
    }
}

fn ffmpeg(home: &Home) -> Finding {
    let what = "ffmpeg";
    match narrator_audio::Ffmpeg::find(&[home.ffmpeg()]) {
        Ok(ffmpeg) => match said_by(ffmpeg.program(), "-version") {
            Ok(version) => ok(what, version),
            Err(problem) => Finding {
                what,
                state: State::Missing,
                found: format!("{} does not start: {problem}", ffmpeg.program().display()),
                advice: Some("install ffmpeg, or run scripts/setup".into()),
            },
        },
        Err(error) => Finding {
            what,
            state: State::Missing,
            found: error.to_string(),
            advice: Some("install ffmpeg, or run scripts/setup, which brings one".into()),
        },
    }
}

/// First line that a program prints when asked for its version.
fn said_by(program: &std::path::Path, flag: &str) -> Result<String, String> {
    let answer = tool::ask(program, &[flag]).map_err(|error| error.to_string())?;
    let first = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_string();
    if answer.status.success() { Ok(first(&answer.stdout)) } else { Err(first(&answer.stderr)) }
}

fn speakers(home: &Home) -> Vec<Finding> {
    let installed = models::installed(home);
    let mut findings: Vec<Finding> = installed
        .iter()
        .map(|found| match &found.model {
            Ok(model) => {
                let what = if model.speaks() { "voice" } else { "model" };
                ok(what, format!("{} ({})", found.name, model.manifest.engine))
            }
            Err(failure) => Finding {
                what: "model",
                state: State::Missing,
                found: failure.message.clone(),
                advice: failure.hint.clone(),
            },
        })
        .collect();
    for voice in voices::all(home) {
        findings.push(match voice {
            Ok(voice) => ok("your voice", format!("{}, {}", voice.name, voice.info().description)),
            Err(failure) => Finding {
                what: "your voice",
                state: State::Warning,
                found: failure.message,
                advice: failure.hint,
            },
        });
    }
    let real = installed.iter().any(|found| found.model.as_ref().is_ok_and(|model| model.kind().is_some()));
    if !real {
        findings.push(Finding {
            what: "real voice",
            state: State::Ok,
            found: "no Qwen3-TTS model is installed: the starter voice speaks".into(),
            advice: Some(
                "for the real thing: narratord models pull qwen3-tts-1.7b-custom-voice (4.5 GB)".into(),
            ),
        });
    }
    if !installed.iter().any(|found| found.model.as_ref().is_ok_and(models::Model::speaks)) {
        findings.push(Finding {
            what: "voice",
            state: State::Missing,
            found: format!("no model that speaks in {}", home.models().display()),
            advice: Some("run scripts/setup: it brings the starter voice".into()),
        });
    }
    findings
}
