//! Promise S1 at the pipe: nothing is welcomed that has not proved what it is, a stranger makes nobody
//! late, and every refusal names its reason. The child here is this test process itself.

use std::time::Duration;

use narrator_ipc::{
    Connection, HandshakeError, IpcError, JoinError, Listener, RunDir, Terms, accept_worker, join,
};
use narrator_proto::{
    BUILD_ID, FromWorker, Hello, Message, Nonce, ProtocolVersion, Refusal, ToWorker, Welcome,
};
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

struct Bench {
    _dir: tempfile::TempDir,
    listener: Listener,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("a directory");
    let run_dir = RunDir::open(Some(&dir.path().join("run"))).expect("a run directory");
    Bench { listener: Listener::bind(&run_dir).expect("a listener"), _dir: dir }
}

fn terms() -> Terms {
    Terms { within: LONG, ..Terms::for_child(std::process::id()) }
}

/// What comes of a child that sends these bytes and closes if `close`.
async fn child_sends(bytes: &[u8], close: bool) -> HandshakeError {
    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let peer = Connection::open(&invitation, Instant::now() + LONG).await.expect("connected");
    peer.send_raw(bytes).await.expect("sent");
    let mut held = Some(peer);
    if close {
        held = None;
    }
    let error = accept_worker(listener, terms()).await.expect_err("not welcome");
    drop(held);
    error
}

/// What a child is told whose hello was changed.
async fn child_says(change: impl FnOnce(&mut Hello)) -> (Refusal, Refusal) {
    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let mut hello = Hello::of_this_process(invitation.nonce(), vec!["sim".into()]);
    change(&mut hello);
    let child = async {
        let peer = Connection::open(&invitation, Instant::now() + LONG).await.expect("connected");
        peer.send(&FromWorker::Hello(hello)).await.expect("sent");
        peer.recv::<ToWorker>().await.expect("an answer")
    };
    let (accepted, told) = tokio::join!(accept_worker(listener, terms()), child);
    match (accepted, told) {
        (Err(HandshakeError::Refused(ours)), Some(ToWorker::Refuse(theirs))) => (ours, theirs),
        other => panic!("not a refusal: {other:?}"),
    }
}

fn hello_bytes(nonce: Nonce) -> Vec<u8> {
    let hello = Hello::of_this_process(nonce, vec![]);
    FromWorker::Hello(hello).to_frame().expect("a frame").to_bytes()
}

#[tokio::test]
async fn the_child_is_welcomed_and_both_can_speak() {
    let Bench { _dir: dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let terms = Terms { welcome: Welcome { beat_ms: 70, ..Welcome::default() }, ..terms() };
    let (accepted, joined) =
        tokio::join!(accept_worker(listener, terms), join(&invitation, vec!["sim".into()], LONG));
    let (ours, hello) = accepted.expect("accepted");
    let (theirs, welcome) = joined.expect("joined");
    assert_eq!((hello.engines, welcome.beat_ms), (vec!["sim".to_owned()], 70));
    let left = std::fs::read_dir(dir.path().join("run")).expect("listed").count();
    assert_eq!(left, 0, "the name is unlinked");

    ours.send(&ToWorker::Drain).await.expect("sent");
    assert_eq!(theirs.recv().await.expect("received"), Some(ToWorker::Drain));
    theirs.send(&FromWorker::Goodbye).await.expect("sent");
    drop(theirs);
    assert_eq!(ours.recv().await.expect("received"), Some(FromWorker::Goodbye));
    assert_eq!(ours.recv::<FromWorker>().await.expect("the end"), None);
}

#[tokio::test]
async fn another_major_version_is_refused_and_another_minor_is_not() {
    let worker = ProtocolVersion { major: 9, minor: 0 };
    let expected = Refusal::Protocol { worker, ours: ProtocolVersion::CURRENT };
    let told = child_says(|hello| hello.protocol = worker).await;
    assert_eq!(told, (expected.clone(), expected));

    let (ours, theirs) = child_says(|hello| {
        hello.protocol.minor += 1;
        hello.build = "0.0.0-other".into();
    })
    .await;
    let expected = Refusal::Build { worker: "0.0.0-other".into(), ours: BUILD_ID.into() };
    assert_eq!((&ours, &theirs), (&expected, &expected), "the minor version is not what is refused");
}

#[tokio::test]
async fn another_build_is_welcome_when_that_was_asked_for() {
    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let peer = Connection::open(&invitation, Instant::now() + LONG).await.expect("connected");
    let mut hello = Hello::of_this_process(invitation.nonce(), vec![]);
    hello.build = "0.0.0-other".into();
    peer.send(&FromWorker::Hello(hello)).await.expect("sent");
    let terms = Terms { allow_build_skew: true, ..terms() };
    accept_worker(listener, terms).await.expect("accepted");
}

#[tokio::test]
async fn a_wrong_nonce_and_a_wrong_pid_are_refused() {
    let told = child_says(|hello| hello.nonce = Nonce::from_bytes([7; 16])).await;
    assert_eq!(told, (Refusal::Nonce, Refusal::Nonce));
    let (ours, _) = child_says(|hello| hello.pid += 1).await;
    let child = std::process::id();
    assert_eq!(ours, Refusal::Pid { claimed: child + 1, child });
}

#[tokio::test]
async fn garbage_and_a_lying_length_are_refused_and_half_a_frame_is_a_death() {
    let refused = |error| match error {
        HandshakeError::Refused(Refusal::NotTheProtocol { why }) => why,
        other => panic!("not refused: {other}"),
    };
    let garbage = refused(child_sends(b"GET / HTTP/1.1\r\n\r\n\r\n\r\n", false).await);
    assert!(garbage.starts_with("frame starts with 0x4547"), "{garbage}");

    let hello = hello_bytes(Nonce::from_bytes([0; 16]));
    let half = child_sends(&hello[..hello.len() / 2], true).await;
    assert!(matches!(half, HandshakeError::Gone), "{half}");

    let mut lying = hello.clone();
    lying[18] = 0xff;
    let told = refused(child_sends(&lying, false).await);
    assert_eq!(told, "frame header does not match its checksum");

    let beat = FromWorker::Beat(narrator_proto::Beat::default()).to_frame().expect("a frame");
    let told = refused(child_sends(&beat.to_bytes(), false).await);
    assert_eq!(told, "its first word was Beat");
    let drain = ToWorker::Drain.to_frame().expect("a frame");
    let told = refused(child_sends(&drain.to_bytes(), false).await);
    assert_eq!(told, "Drain frame came FromWorker, against its direction");
}

#[tokio::test]
async fn a_child_that_leaves_or_says_nothing_is_told_apart() {
    assert!(matches!(child_sends(b"", true).await, HandshakeError::Gone));

    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let _silent = Connection::open(&invitation, Instant::now() + LONG).await.expect("connected");
    let terms = Terms { within: SHORT, ..terms() };
    let error = accept_worker(listener, terms).await.expect_err("silent");
    assert!(matches!(error, HandshakeError::Silent { within } if within == SHORT));
    let late = join(&invitation, vec![], LONG).await.expect_err("the name is gone");
    assert!(matches!(late, JoinError::Unreachable(_)), "{late}");
}

#[tokio::test]
async fn a_child_that_connects_twice_is_one_child() {
    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    let deadline = Instant::now() + LONG;
    let silent = Connection::open(&invitation, deadline).await.expect("connected");
    let (accepted, joined) = tokio::join!(accept_worker(listener, terms()), join(&invitation, vec![], LONG));
    let _ours = accepted.expect("accepted");
    let _theirs = joined.expect("joined");
    assert!(silent.recv::<ToWorker>().await.expect("the end").is_none(), "the other one is closed");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stranger_is_dropped_and_the_child_is_still_awaited() {
    let Bench { _dir, listener } = bench();
    let invitation = listener.invitation().clone();
    // The expected child is another process, so that this one is the stranger, nonce or not.
    let terms = Terms { child_pid: std::process::id() + 1, within: SHORT, ..terms() };
    let (accepted, joined) = tokio::join!(accept_worker(listener, terms), join(&invitation, vec![], LONG));
    assert!(matches!(accepted, Err(HandshakeError::Silent { .. })), "{accepted:?}");
    assert!(
        matches!(joined, Err(JoinError::Gone | JoinError::Ipc(IpcError::Io(_)))),
        "dropped without a word: {joined:?}"
    );
}
