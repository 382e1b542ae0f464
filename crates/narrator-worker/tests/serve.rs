//! The real worker process under a hand-held orchestrator: how it joins, refuses and ends. Speaking needs a
//! model and is shown by the workspace's own tests.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use narrator_ipc::{Connection, HandshakeError, Listener, RunDir, Terms, accept_worker};
use narrator_proto::{Fatal, FatalKind, FromWorker, Load, Precision, Refusal, ToWorker, Welcome};
use tokio::process::{Child, Command};

const LONG: Duration = Duration::from_mins(1);

struct Spawned {
    child: Child,
    listener: Listener,
    _dir: tempfile::TempDir,
}

/// The real program, with its environment changed.
fn spawn(change: impl FnOnce(&mut Command)) -> Spawned {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrator-worker"));
    command.arg("serve");
    spawn_command(command, change)
}

#[expect(clippy::disallowed_methods, reason = "the one place of these tests that spawns")]
fn spawn_command(mut command: Command, change: impl FnOnce(&mut Command)) -> Spawned {
    let dir = tempfile::tempdir().expect("a directory");
    let run_dir = RunDir::open(Some(&dir.path().join("run"))).expect("a run directory");
    let listener = Listener::bind(&run_dir).expect("a listener");
    command.envs(listener.invitation().env()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    change(&mut command);
    Spawned { child: command.spawn().expect("spawned"), listener, _dir: dir }
}

impl Spawned {
    fn terms(&self, orphan_grace_ms: u32) -> Terms {
        let welcome = Welcome { beat_ms: 50, orphan_grace_ms, ..Welcome::default() };
        let child_pid = self.child.id().expect("running");
        Terms { child_pid, within: LONG, allow_build_skew: false, welcome }
    }

    async fn accept(self, orphan_grace_ms: u32) -> (Child, Connection) {
        let terms = self.terms(orphan_grace_ms);
        let (connection, hello) = accept_worker(self.listener, terms).await.expect("welcome");
        assert_eq!(hello.pid, terms.child_pid);
        assert!(hello.engines.iter().any(|engine| engine == "starter"), "{hello:?}");
        (self.child, connection)
    }
}

async fn ended(mut child: Child) -> ExitStatus {
    tokio::time::timeout(LONG, child.wait()).await.expect("ends by itself").expect("waited")
}

fn load(model_dir: &str, device: &str) -> ToWorker {
    ToWorker::Load(Load {
        model_dir: model_dir.into(),
        device: device.into(),
        precision: Precision::Auto,
        threads: Some(1),
        max_rows: None,
    })
}

/// The next message that is not a beat.
async fn next(connection: &Connection) -> Option<FromWorker> {
    loop {
        match connection.recv().await.expect("received") {
            Some(FromWorker::Beat(_)) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_drained_worker_says_goodbye_and_ends_with_0() {
    let (child, connection) = spawn(|_| {}).accept(5000).await;
    connection.send(&ToWorker::Drain).await.expect("sent");
    assert_eq!(next(&connection).await, Some(FromWorker::Goodbye));
    assert_eq!(next(&connection).await, None);
    assert_eq!(ended(child).await.code(), Some(0));
}

#[tokio::test]
async fn a_worker_beats_before_it_has_a_model() {
    let (_child, connection) = spawn(|_| {}).accept(5000).await;
    for _ in 0..3 {
        assert!(matches!(connection.recv().await.expect("received"), Some(FromWorker::Beat(_))));
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_told_and_ends_with_78() {
    for (model, device, told) in [("/nonexistent/model", "cpu", "/nonexistent/model"), ("x", "gpu", "`gpu`")]
    {
        let (child, connection) = spawn(|_| {}).accept(5000).await;
        connection.send(&load(model, device)).await.expect("sent");
        match next(&connection).await {
            Some(FromWorker::Fatal(Fatal { kind: FatalKind::ConfigRejected, message })) => {
                assert!(message.contains(told), "{message}");
            }
            other => panic!("unexpected {other:?}"),
        }
        assert_eq!(ended(child).await.code(), Some(78));
    }
}

#[tokio::test]
async fn a_worker_with_another_nonce_is_refused_and_ends_with_78() {
    let spawned = spawn(|command| {
        command.env(narrator_ipc::ENV_NONCE, "0".repeat(32));
    });
    let terms = spawned.terms(5000);
    let error = accept_worker(spawned.listener, terms).await.expect_err("refused");
    assert!(matches!(error, HandshakeError::Refused(Refusal::Nonce)), "{error}");
    assert_eq!(ended(spawned.child).await.code(), Some(78));
}

#[tokio::test]
async fn a_worker_started_by_hand_says_so_and_ends_with_2() {
    let spawned = spawn(|command| {
        command.env_remove(narrator_ipc::ENV_SOCKET);
    });
    assert_eq!(ended(spawned.child).await.code(), Some(2));
}

#[tokio::test]
async fn a_worker_ends_with_the_pipe() {
    let (child, connection) = spawn(|_| {}).accept(5000).await;
    drop(connection);
    assert_eq!(ended(child).await.code(), Some(75));
}

#[tokio::test]
async fn garbage_is_answered_and_ends_the_worker() {
    let (child, connection) = spawn(|_| {}).accept(5000).await;
    connection.send_raw(&[0xff; 64]).await.expect("sent");
    assert!(matches!(
        next(&connection).await,
        Some(FromWorker::Fatal(Fatal { kind: FatalKind::ProtocolError, .. }))
    ));
    assert!(!ended(child).await.success());
}

/// Not a test of its own: what the tests below run in a process that may die.
#[cfg(unix)]
#[test]
fn a_worker_with_a_bad_loader() {
    let Ok(how) = std::env::var(BAD_LOADER) else { return };
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live rlimit; the limit only keeps core files out of the tree.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) }, 0);
    narrator_worker::serve::serve(&["starter"], |_, _| {
        assert!(how != "panics", "the loader has a bug");
        loop {
            std::thread::park();
        }
    });
}

#[cfg(unix)]
const BAD_LOADER: &str = "NARRATOR_TEST_BAD_LOADER";

#[cfg(unix)]
async fn with_bad_loader(how: &str) -> (Child, Connection) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "a_worker_with_a_bad_loader", "--nocapture"]).env(BAD_LOADER, how);
    let (child, connection) = spawn_command(command, |_| {}).accept(100).await;
    connection.send(&load("x", "cpu")).await.expect("sent");
    (child, connection)
}

#[cfg(unix)]
#[tokio::test]
async fn a_panic_is_told_before_the_process_aborts() {
    use std::os::unix::process::ExitStatusExt;
    let (child, connection) = with_bad_loader("panics").await;
    match next(&connection).await {
        Some(FromWorker::Fatal(Fatal { kind: FatalKind::Panicked, message })) => {
            assert!(message.starts_with("the loader has a bug at "), "{message}");
        }
        other => panic!("unexpected {other:?}"),
    }
    assert_eq!(ended(child).await.signal(), Some(libc::SIGABRT));
}

#[cfg(unix)]
#[tokio::test]
async fn a_stuck_worker_beats_and_aborts_once_the_pipe_is_gone() {
    use std::os::unix::process::ExitStatusExt;
    let (child, connection) = with_bad_loader("sticks").await;
    for _ in 0..3 {
        assert!(matches!(connection.recv().await.expect("received"), Some(FromWorker::Beat(_))));
    }
    drop(connection);
    assert_eq!(ended(child).await.signal(), Some(libc::SIGABRT));
}

#[cfg(unix)]
#[tokio::test]
async fn interrupts_are_left_to_the_orchestrator() {
    let (child, connection) = spawn(|_| {}).accept(5000).await;
    let pid = child.id().expect("running").cast_signed();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: a signal to a child of our own that was not waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }
    // Signals are delivered before the frame is read: had one of them ended it, nobody would answer.
    connection.send(&ToWorker::Drain).await.expect("sent");
    assert_eq!(next(&connection).await, Some(FromWorker::Goodbye));
    assert_eq!(ended(child).await.code(), Some(0));
}
