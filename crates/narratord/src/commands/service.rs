//! `narratord install-service`: a systemd user unit that runs `narratord supervise` at boot.

use std::path::{Path, PathBuf};

use crate::cli::ServiceArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::job::write_whole;
use crate::output;

const UNIT: &str = "narratord.service";

pub fn install(args: &ServiceArgs) -> Result<Exit, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Missing, "cannot find this program").because(error))?;
    let unit = unit(&program);
    if args.print {
        output::data(unit.trim_end());
        return Ok(Exit::Done);
    }
    let dir = units_dir()?;
    let wants = dir.join("default.target.wants");
    std::fs::create_dir_all(&wants).map_err(|error| Failure::io("make", &wants, error))?;
    let path = dir.join(UNIT);
    write_whole(&path, unit.as_bytes())?;
    enable(&path, &wants.join(UNIT))?;
    output::note(format_args!("Wrote {} and enabled it.", path.display()));
    output::note(
        "Start it now:              systemctl --user daemon-reload && systemctl --user start narratord",
    );
    output::note("Start it before you log in: loginctl enable-linger");
    Ok(Exit::Done)
}

/// The unit's text. systemd expands `%` and unquotes: both are escaped.
fn unit(program: &Path) -> String {
    let program = program.display().to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!(
        "[Unit]\n\
         Description=narratord: takes up again the audiobooks whose making was cut off\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart=\"{program}\" supervise\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         # SIGTERM goes to the supervisor alone, which passes it on: the run in hand finishes what it is\n\
         # speaking (two minutes at most), and what is left resumes at the next start.\n\
         KillMode=mixed\n\
         TimeoutStopSec=150\n\
         Nice=5\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

fn units_dir() -> Result<PathBuf, Failure> {
    std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .map(|config| config.join("systemd").join("user"))
        .ok_or_else(|| Failure::new(Exit::Missing, "neither XDG_CONFIG_HOME nor HOME is set"))
}

/// What `systemctl --user enable` does: a link from the target that wants it.
#[cfg(unix)]
fn enable(unit: &Path, link: &Path) -> Result<(), Failure> {
    match std::os::unix::fs::symlink(unit, link) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Failure::io("link", link, error))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn enable(_unit: &Path, _link: &Path) -> Result<(), Failure> {
    Err(Failure::new(Exit::Missing, "there is no systemd here")
        .hint("start `narratord supervise` from the Task Scheduler at log-on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_systemd_would_read_otherwise_are_escaped() {
        let text = unit(Path::new("/opt/100% \"real\"/narratord"));
        assert!(text.contains("ExecStart=\"/opt/100%% \\\"real\\\"/narratord\" supervise"));
    }

    #[test]
    fn the_unit_reads_like_a_unit() {
        insta::assert_snapshot!(unit(Path::new("/usr/bin/narratord")));
    }
}
