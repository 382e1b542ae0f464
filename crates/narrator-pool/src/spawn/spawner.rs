//! The one thread that makes processes, and the handle of what it made.

use std::ffi::OsString;
use std::io::pipe;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use narrator_core::{Incarnation, SlotId};

use super::{inherited, log, os};
use crate::machine::Exit;

/// Which process to make.
#[derive(Clone, Debug)]
pub struct Spec {
    pub slot: SlotId,
    pub incarnation: Incarnation,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// In addition to [`inherited`].
    pub env: Vec<(OsString, OsString)>,
}

/// What happens to a process, in this order.
#[derive(Debug)]
pub enum ProcessEvent {
    Spawned(Process),
    /// There is none; nothing follows.
    Failed(String),
    Exited(Exit),
}

/// A child and everything that it started. Dropping it kills them.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    group: Arc<os::Group>,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Die and say where, on systems that have such a signal.
    pub fn abort(&self) {
        self.group.abort();
    }

    pub fn kill(&self) {
        self.group.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.kill();
    }
}

type Tell = Box<dyn Fn(ProcessEvent) + Send>;

/// Has a process made; `tell` hears of its birth and of its end, on other threads.
pub fn spawn(spec: Spec, tell: impl Fn(ProcessEvent) + Send + 'static) {
    static SPAWNER: OnceLock<Option<Sender<(Spec, Tell)>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<(Spec, Tell)>();
        let thread = std::thread::Builder::new().name("narrator-spawner".into());
        // Runs for as long as the process: the sender is static.
        let run = move || orders.into_iter().for_each(|(spec, tell)| bear(spec, tell));
        thread.spawn(run).is_ok().then_some(sender)
    });
    let Some(sender) = spawner else {
        return tell(ProcessEvent::Failed("the system gives no thread to spawn from".into()));
    };
    if let Err(unsent) = sender.send((spec, Box::new(tell))) {
        (unsent.0.1)(ProcessEvent::Failed("the spawner thread is gone".into()));
    }
}

/// Makes one process and a thread that waits for its end.
#[expect(clippy::disallowed_methods, reason = "the one place where workers are spawned")]
fn bear(spec: Spec, tell: Tell) {
    let Spec { slot, incarnation, program, args, env } = spec;
    let fail = |why: std::io::Error| format!("cannot start {}: {why}", program.display());
    let (reader, writer) = match pipe() {
        Ok(ends) => ends,
        Err(error) => return tell(ProcessEvent::Failed(fail(error))),
    };
    let second = match writer.try_clone() {
        Ok(second) => second,
        Err(error) => return tell(ProcessEvent::Failed(fail(error))),
    };
    let mut command = Command::new(&program);
    command.args(args).env_clear().envs(inherited()).envs(env);
    command.stdin(Stdio::null()).stdout(Stdio::from(second)).stderr(Stdio::from(writer));
    os::prepare(&mut command);
    let spawned = command.spawn().and_then(|mut child| match os::Group::lead(&child) {
        Ok(group) => Ok((child, group)),
        Err(error) => {
            // Nobody could stop it later.
            let _ = child.kill();
            Err(error)
        }
    });
    // The command holds the writing ends of the log; with it they go, and the log can end.
    drop(command);
    let (mut child, group) = match spawned {
        Ok(made) => made,
        Err(error) => return tell(ProcessEvent::Failed(fail(error))),
    };
    let group = Arc::new(group);
    let pid = child.id();
    let last_line = log::carry(reader, slot, incarnation, pid);
    tell(ProcessEvent::Spawned(Process { pid, group: Arc::clone(&group) }));
    let wait = move || {
        let status = group.reap(&mut child);
        let exit = match status {
            Ok(status) => {
                Exit { code: status.code(), text: os::describe(status), last_line: last_line.wait() }
            }
            Err(error) => Exit { code: None, text: format!("unknown end: {error}"), last_line: None },
        };
        tell(ProcessEvent::Exited(exit));
    };
    let waiter = std::thread::Builder::new().name(format!("worker-wait-{incarnation}"));
    // Without a waiter nobody would hear of its end: the group's drop kills it, and the machine's own
    // patience finds it silent.
    let _ = waiter.stack_size(64 * 1024).spawn(wait);
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc::Receiver;
    use std::time::Duration;

    use super::*;

    fn shell(script: &str) -> Receiver<ProcessEvent> {
        let (sender, events) = channel();
        let spec = Spec {
            slot: SlotId(1),
            incarnation: Incarnation(1),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("NARRATOR_GREETING".into(), "hello".into())],
        };
        // From a thread that is gone long before the child is: its death must not be the child's.
        std::thread::spawn(move || spawn(spec, move |event| drop(sender.send(event))))
            .join()
            .expect("spawned");
        events
    }

    fn next(events: &Receiver<ProcessEvent>) -> ProcessEvent {
        events.recv_timeout(Duration::from_secs(30)).expect("an event")
    }

    #[test]
    fn an_exit_comes_with_its_code_and_last_line() {
        let events = shell("echo first; echo $NARRATOR_GREETING >&2; exit 78");
        let ProcessEvent::Spawned(_process) = next(&events) else { panic!("not spawned") };
        let ProcessEvent::Exited(exit) = next(&events) else { panic!("not exited") };
        assert_eq!((exit.code, &*exit.text), (Some(78), "exit code 78"));
        assert_eq!(exit.last_line.as_deref(), Some("hello"));
    }

    /// The parent-death signal of Linux follows the thread that made the process, not the process: with
    /// `spawn` made on the caller's thread this child would be killed when that thread ends.
    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let flag = dir.path().join("go");
        let events = shell(&format!("while [ ! -e {} ]; do sleep 0.02; done; exit 7", flag.display()));
        let ProcessEvent::Spawned(process) = next(&events) else { panic!("not spawned") };
        // The thread was joined in `shell`. A signal that its death sent has arrived when this has.
        std::thread::sleep(Duration::from_millis(300));
        // SAFETY: signal 0 only asks whether the process is there.
        assert_eq!(unsafe { libc::kill(process.pid().cast_signed(), 0) }, 0);
        std::fs::write(&flag, "").expect("written");
        let ProcessEvent::Exited(exit) = next(&events) else { panic!("not exited") };
        assert_eq!(exit.text, "exit code 7");
    }

    #[test]
    fn a_kill_reaches_the_grandchildren() {
        let events = shell("sleep 600 & echo $! ; wait");
        let ProcessEvent::Spawned(process) = next(&events) else { panic!("not spawned") };
        process.kill();
        let ProcessEvent::Exited(exit) = next(&events) else { panic!("not exited") };
        assert_eq!(exit.text, "signal 9 (SIGKILL)");
        let grandchild: Option<i32> = exit.last_line.and_then(|line| line.parse().ok());
        // The shell may have died before it could say the number.
        if let Some(pid) = grandchild {
            // SAFETY: signal 0 only asks whether the process is there.
            while unsafe { libc::kill(pid, 0) } == 0 && !is_zombie(pid) {
                std::thread::yield_now();
            }
        }
    }

    fn is_zombie(pid: i32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }

    #[test]
    fn a_program_that_is_not_there_is_an_answer() {
        let (sender, events) = channel();
        let spec = Spec {
            slot: SlotId(1),
            incarnation: Incarnation(1),
            program: "/nowhere/narrator-worker".into(),
            args: vec![],
            env: vec![],
        };
        spawn(spec, move |event| drop(sender.send(event)));
        let ProcessEvent::Failed(why) = next(&events) else { panic!("not failed") };
        assert!(why.starts_with("cannot start /nowhere/narrator-worker: "), "{why}");
    }
}
