//! A connection keeps its place whatever is cancelled, and holds one frame whatever is sent.

use std::sync::Arc;
use std::time::Duration;

use narrator_ipc::{Connection, IpcError, Listener, RunDir, Terms, accept_worker, join};
use narrator_proto::{FrameError, FromWorker, Message, MessageError, RequestId, ToWorker};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

async fn pair() -> (Connection, Connection) {
    let dir = tempfile::tempdir().expect("a directory");
    let run_dir = RunDir::open(Some(&dir.path().join("run"))).expect("a run directory");
    let listener = Listener::bind(&run_dir).expect("a listener");
    let invitation = listener.invitation().clone();
    let terms = Terms { within: LONG, ..Terms::for_child(std::process::id()) };
    let (ours, theirs) = tokio::join!(accept_worker(listener, terms), join(&invitation, vec![], LONG));
    (ours.expect("accepted").0, theirs.expect("joined").0)
}

fn chunk(n: u64) -> FromWorker {
    FromWorker::Pcm { request: RequestId(n), samples: vec![n as f32; 24_000] }
}

#[tokio::test]
async fn a_cancelled_send_is_completed_by_the_next() {
    let (ours, theirs) = pair().await;
    // Fill the pipe until a send does not get through, then leave it in the middle.
    let mut sent = 0;
    while timeout(Duration::from_millis(100), theirs.send(&chunk(sent + 1))).await.is_ok() {
        sent += 1;
    }
    let reader = async {
        for n in 1..=sent + 2 {
            assert_eq!(ours.recv().await.expect("received"), Some(chunk(n)), "chunk {n}");
        }
    };
    let last = chunk(sent + 2);
    let (after, ()) = tokio::join!(theirs.send(&last), reader);
    after.expect("sent");
}

#[tokio::test]
async fn a_cancelled_receive_loses_nothing() {
    let (ours, theirs) = pair().await;
    let bytes = chunk(7).to_frame().expect("a frame").to_bytes();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    theirs.send_raw(head).await.expect("sent");
    assert!(timeout(Duration::from_millis(50), ours.recv::<FromWorker>()).await.is_err());
    theirs.send_raw(tail).await.expect("sent");
    assert_eq!(ours.recv().await.expect("received"), Some(chunk(7)));
}

#[tokio::test]
async fn many_senders_share_one_connection() {
    let (ours, theirs) = pair().await;
    let theirs = Arc::new(theirs);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=20 {
        let theirs = Arc::clone(&theirs);
        tasks.spawn(async move { theirs.send(&chunk(n)).await.expect("sent") });
    }
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < 20 {
        match ours.recv().await.expect("received") {
            Some(FromWorker::Pcm { request, samples }) => {
                assert_eq!(FromWorker::Pcm { request, samples }, chunk(request.0));
                seen.push(request.0);
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(1..=20));
}

#[tokio::test]
async fn what_is_not_the_protocol_is_told_apart_from_a_broken_pipe() {
    let (ours, theirs) = pair().await;
    theirs.send(&FromWorker::Goodbye).await.expect("sent");
    theirs.send_raw(&[0; 64]).await.expect("sent");
    assert_eq!(ours.recv().await.expect("received"), Some(FromWorker::Goodbye));
    let error = ours.recv::<FromWorker>().await.expect_err("garbage");
    assert!(error.is_protocol(), "{error}");

    let (ours, theirs) = pair().await;
    drop(ours);
    let error = theirs.send(&FromWorker::Goodbye).await.expect_err("nobody there");
    assert!(!error.is_protocol(), "{error}");
    assert_eq!(theirs.recv::<ToWorker>().await.expect("the end"), None);
}

#[tokio::test]
async fn the_end_inside_a_frame_is_an_error() {
    let (ours, theirs) = pair().await;
    theirs.send_raw(&chunk(1).to_frame().expect("a frame").to_bytes()[..1000]).await.expect("sent");
    drop(theirs);
    let error = ours.recv::<FromWorker>().await.expect_err("truncated");
    let expected = FrameError::Truncated { have: 1000, need: 96_024 };
    assert!(matches!(&error, IpcError::Message(MessageError::Frame(found)) if *found == expected), "{error}");
}
