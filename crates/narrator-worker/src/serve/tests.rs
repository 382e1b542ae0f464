//! The compute loop against the fake engine, and the IO thread against a real pipe.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use narrator_engine::{EngineError, EngineErrorKind};
use narrator_ipc::{Connection, Listener, RunDir, Terms, accept_worker, join};
use narrator_proto::{
    Budget, FailureKind, FatalKind, FromWorker, Load, LoadStage, Message, Precision, RequestId, SetRows,
    Speak, ToWorker, Welcome,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::compute::{self, Ending, Loaded, Model, Order};
use super::fake::{Fake, STEPS};
use super::io::{COMMANDS, IoEnd, converse};
use super::outbox::{Outbox, Outgoing};
use super::pulse::Pulse;

fn load() -> ToWorker {
    ToWorker::Load(Load {
        model_dir: "model".into(),
        device: "cpu".into(),
        precision: Precision::Auto,
        threads: None,
        max_rows: None,
    })
}

fn speak(request: u64, text: &str) -> ToWorker {
    capped(request, text, 5.0)
}

/// Text without an end, and a cap that is never reached: the outbox is full long before.
fn endless(request: u64) -> ToWorker {
    capped(request, "endless", 600.0)
}

fn capped(request: u64, text: &str, max_seconds: f32) -> ToWorker {
    let speak =
        Speak { text: text.into(), language: "en".into(), voice: None, speed: 1.0, seed: 1, max_seconds };
    ToWorker::Speak { request: RequestId(request), speak }
}

#[test]
fn the_budget_that_comes_before_the_order_is_part_of_it() {
    let told = |commands: Vec<ToWorker>| {
        let (outbox, _frames) = Outbox::new();
        let (sender, orders) = channel(COMMANDS);
        for command in commands {
            sender.try_send(command).expect("room for a command");
        }
        let mut told = None;
        let loader = |order: &Order, _: &mut dyn FnMut(u64, u64)| {
            told = Some(order.device_bytes);
            Err(EngineError::new(EngineErrorKind::BadModel, "seen enough"))
        };
        let ending = compute::run(loader, orders, &outbox, &Pulse::default());
        (told, ending)
    };
    let budget = |gib: u64| ToWorker::Budget(Budget { device_bytes: gib << 30 });
    assert_eq!(told(vec![load()]).0, Some(None));
    assert_eq!(told(vec![budget(9), load()]).0, Some(Some(9 << 30)));
    assert_eq!(told(vec![budget(9), budget(3), load()]).0, Some(Some(3 << 30)), "the last word holds");
}

/// A compute loop on a thread of its own.
struct Bench {
    commands: Sender<ToWorker>,
    frames: Receiver<Outgoing>,
    thread: JoinHandle<Ending>,
}

impl Bench {
    fn start(engine: impl FnOnce() -> Result<Fake, EngineError> + Send + 'static) -> Self {
        let (outbox, frames) = Outbox::new();
        let (commands, orders) = channel(COMMANDS);
        let thread = thread::spawn(move || {
            let loader = |_: &Order, progress: &mut dyn FnMut(u64, u64)| {
                progress(5, 10);
                progress(10, 10);
                Ok(Loaded { model: Model::Speaks(Box::new(engine()?)), device_memory: None })
            };
            compute::run(loader, orders, &outbox, &Pulse::default())
        });
        Self { commands, frames, thread }
    }

    fn say(&self, command: ToWorker) {
        self.commands.try_send(command).expect("room for a command");
    }

    fn next(&mut self) -> Option<FromWorker> {
        let Some(Outgoing::Frame(frame)) = self.frames.blocking_recv() else { return None };
        Some(FromWorker::from_frame(&frame).expect("a message"))
    }

    /// Everything from Ready on until the loop ends.
    fn finish(mut self) -> (Vec<FromWorker>, Ending) {
        let mut said = Vec::new();
        while let Some(message) = self.next() {
            match message {
                FromWorker::LoadProgress(_) | FromWorker::Ready(_) => {}
                other => said.push(other),
            }
        }
        (said, self.thread.join().expect("the thread ends well"))
    }
}

/// What comes of these commands when all of them are there from the start.
fn play(engine: Fake, commands: impl IntoIterator<Item = ToWorker>) -> (Vec<FromWorker>, Ending) {
    let (outbox, frames) = Outbox::new();
    let (sender, orders) = channel(COMMANDS);
    for command in [load()].into_iter().chain(commands) {
        sender.try_send(command).expect("room for a command");
    }
    let thread = thread::spawn(move || {
        let loader = |_: &Order, _: &mut dyn FnMut(u64, u64)| {
            Ok(Loaded { model: Model::Speaks(Box::new(engine)), device_memory: None })
        };
        compute::run(loader, orders, &outbox, &Pulse::default())
    });
    Bench { commands: sender, frames, thread }.finish()
}

/// The failures among the messages, and which requests were done.
fn outcomes(said: &[FromWorker]) -> (Vec<(u64, FailureKind)>, Vec<u64>) {
    let failed = said.iter().filter_map(|message| match message {
        FromWorker::Failed { request, failure } => Some((request.0, failure.kind)),
        _ => None,
    });
    let done = said.iter().filter_map(|message| match message {
        FromWorker::Done { request, .. } => Some(request.0),
        _ => None,
    });
    (failed.collect(), done.collect())
}

fn fatal(ending: &Ending) -> FatalKind {
    match ending {
        Ending::Fatal(fatal) => fatal.kind,
        other => panic!("not fatal: {other:?}"),
    }
}

#[test]
fn loading_moves_and_ends_with_ready_after_a_warm_up() {
    let mut bench = Bench::start(|| Ok(Fake::new(4)));
    bench.say(load());
    let mut stages = Vec::new();
    let ready = loop {
        match bench.next().expect("a message") {
            FromWorker::LoadProgress(progress) => stages.push(progress.stage),
            FromWorker::Ready(ready) => break ready,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(stages, [LoadStage::Weights, LoadStage::Weights, LoadStage::WarmUp]);
    assert_eq!((ready.engine.as_str(), ready.max_rows, ready.device.as_str()), ("fake", 4, "cpu"));
    assert_eq!((ready.voices.len(), ready.default_voice.as_str()), (2, "tone"));
    bench.say(ToWorker::Drain);
    assert_eq!(bench.finish(), (vec![], Ending::Drained));
}

#[test]
fn a_request_is_accepted_spoken_in_chunks_and_done() {
    let (said, ending) = play(Fake::new(4), [speak(7, "a few words"), ToWorker::Drain]);
    assert_eq!(ending, Ending::Drained);
    let request = RequestId(7);
    assert_eq!(said[0], FromWorker::Accepted { request });
    let lengths: Vec<_> = said
        .iter()
        .filter_map(|message| match message {
            FromWorker::Pcm { samples, .. } => Some(samples.len()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [500, 500, 500, 500, 300], "half a second each");
    assert!(matches!(said.last(), Some(FromWorker::Done { done, .. }) if done.samples == 100 * STEPS));
}

#[test]
fn output_that_cannot_be_speech_fails_its_row_alone() {
    let texts = ["good", "nan", "silent", "short but much longer than this", "vanishes", "good too"];
    for rows in [1, 3, 8] {
        let commands = (1..).zip(texts).map(|(n, text)| speak(n, text)).chain([ToWorker::Drain]);
        let (said, ending) = play(Fake::new(rows), commands);
        assert_eq!(ending, Ending::Drained);
        let (mut failed, mut done) = outcomes(&said);
        failed.sort_unstable_by_key(|(request, _)| *request);
        done.sort_unstable();
        let bad = FailureKind::BadOutput;
        assert_eq!(failed, [(2, bad), (3, bad), (4, bad), (5, bad)], "{rows} rows at once");
        assert_eq!(done, [1, 6], "{rows} rows at once");
    }
}

#[test]
fn generation_without_an_end_is_stopped_by_the_worker_itself() {
    let (said, ending) = play(Fake::new(4), [speak(1, "endless"), speak(2, "runaway"), ToWorker::Drain]);
    assert_eq!(ending, Ending::Drained);
    let (mut failed, _) = outcomes(&said);
    failed.sort_unstable_by_key(|(request, _)| *request);
    assert_eq!(failed, [(1, FailureKind::Runaway), (2, FailureKind::Runaway)]);
}

#[test]
fn what_an_engine_refuses_and_what_nobody_could_speak_fails_alone() {
    let ToWorker::Speak { speak: fine, .. } = speak(9, "fine") else { unreachable!() };
    let with = |request, speak| ToWorker::Speak { request: RequestId(request), speak };
    let commands = [
        speak(1, "refused"),
        speak(2, "  "),
        with(3, Speak { speed: 3.0, ..fine.clone() }),
        with(4, Speak { voice: Some("nobody".into()), ..fine.clone() }),
        with(5, Speak { max_seconds: f32::NAN, ..fine }),
        speak(6, "good"),
        ToWorker::Drain,
    ];
    let (said, ending) = play(Fake::new(2), commands);
    assert_eq!(ending, Ending::Drained);
    let (failed, done) = outcomes(&said);
    assert_eq!(failed.len(), 5);
    assert!(failed.iter().all(|(_, kind)| *kind == FailureKind::BadRequest), "{failed:?}");
    assert_eq!(done, [6]);
}

#[test]
fn out_of_memory_lets_the_younger_half_go_and_the_engine_lives() {
    let engine = Fake::with_budget(8, 2);
    let commands = (1..=6).map(|n| speak(n, "good")).chain([ToWorker::Drain]);
    let (said, ending) = play(engine, commands);
    assert_eq!(ending, Ending::Drained);
    let (failed, done) = outcomes(&said);
    let oom = FailureKind::OutOfMemory;
    // Six rows are too many, then three; one stays and sets the room.
    assert_eq!(failed, [(4, oom), (5, oom), (6, oom), (2, oom), (3, oom)]);
    assert_eq!(done, [1]);
}

#[test]
fn after_out_of_memory_the_rest_waits_instead_of_failing() {
    let engine = Fake::with_budget(2, 1);
    let commands = (1..=4).map(|n| speak(n, "good")).chain([ToWorker::Drain]);
    let (said, _) = play(engine, commands);
    assert_eq!(outcomes(&said), (vec![(2, FailureKind::OutOfMemory)], vec![1, 3, 4]));
}

#[test]
fn one_row_that_is_too_much_fails_and_the_next_is_tried() {
    let mut bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(load());
    while !matches!(bench.next(), Some(FromWorker::Ready(_))) {}
    bench.say(speak(1, "good"));
    bench.say(ToWorker::Drain);
    assert_eq!(outcomes(&bench.finish().0), (vec![], vec![1]));
    // The warm-up itself runs out: loading fails, and says so.
    let (_, ending) = play(Fake::with_budget(1, 0), []);
    assert_eq!(fatal(&ending), FatalKind::LoadFailed);
}

#[test]
fn rows_are_set_from_outside_within_what_the_engine_takes() {
    let two_at_once = |rows| {
        let commands =
            [ToWorker::SetRows(SetRows { rows }), speak(1, "good"), speak(2, "good"), ToWorker::Drain];
        let (said, _) = play(Fake::new(2), commands);
        matches!(said[..2], [FromWorker::Accepted { .. }, FromWorker::Accepted { .. }])
    };
    assert!(!two_at_once(0));
    assert!(!two_at_once(1));
    assert!(two_at_once(9));
}

#[test]
fn a_cancelled_request_ends_wherever_it_is_and_the_others_go_on() {
    let mut bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(load());
    while !matches!(bench.next(), Some(FromWorker::Ready(_))) {}
    bench.say(endless(1));
    bench.say(speak(2, "waits"));
    bench.say(speak(3, "good"));
    while !matches!(bench.next(), Some(FromWorker::Pcm { .. })) {}
    for request in [2, 1, 99].map(RequestId) {
        bench.say(ToWorker::Cancel { request });
    }
    bench.say(ToWorker::Drain);
    let (said, ending) = bench.finish();
    let cancelled = FailureKind::Cancelled;
    assert_eq!(outcomes(&said), (vec![(2, cancelled), (1, cancelled)], vec![3]));
    assert_eq!(ending, Ending::Drained);
}

#[test]
fn cancel_all_empties_the_engine_and_the_queue() {
    let mut bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(load());
    while !matches!(bench.next(), Some(FromWorker::Ready(_))) {}
    bench.say(endless(1));
    bench.say(endless(2));
    while !matches!(bench.next(), Some(FromWorker::Pcm { .. })) {}
    bench.say(ToWorker::CancelAll);
    bench.say(ToWorker::Drain);
    bench.say(speak(3, "too late"));
    let (said, _) = bench.finish();
    let (mut failed, done) = outcomes(&said);
    failed.retain(|(request, _)| *request != 3);
    assert_eq!((failed, done), (vec![(2, FailureKind::Cancelled), (1, FailureKind::Cancelled)], vec![]));
}

#[test]
fn a_dead_device_ends_the_process_with_its_reason() {
    let (said, ending) = play(Fake::new(4), [speak(1, "good"), speak(2, "device")]);
    assert_eq!(fatal(&ending), FatalKind::DeviceFault);
    assert_eq!(outcomes(&said), (vec![], vec![]), "who was in it is the orchestrator's to know");
}

#[test]
fn a_model_that_cannot_load_is_told_from_a_load_that_failed() {
    for (kind, expected) in [
        (EngineErrorKind::BadModel, FatalKind::ConfigRejected),
        (EngineErrorKind::OutOfMemory, FatalKind::LoadFailed),
        (EngineErrorKind::DeviceFault, FatalKind::DeviceFault),
    ] {
        let bench = Bench::start(move || Err(EngineError::new(kind, "no")));
        bench.say(load());
        assert_eq!(fatal(&bench.finish().1), expected);
    }
}

#[test]
fn commands_out_of_turn_and_requests_named_twice_are_protocol_errors() {
    let bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(speak(1, "too early"));
    assert_eq!(fatal(&bench.finish().1), FatalKind::ProtocolError);
    let (_, ending) = play(Fake::new(1), [load()]);
    assert_eq!(fatal(&ending), FatalKind::ProtocolError);
    let (_, ending) = play(Fake::new(1), [speak(1, "good"), speak(1, "again")]);
    assert_eq!(fatal(&ending), FatalKind::ProtocolError);
    let flood = (1..=300).map(|n| speak(n, "good"));
    let (_, ending) = play(Fake::new(1), flood);
    assert_eq!(fatal(&ending), FatalKind::ProtocolError);
}

#[test]
fn the_loop_ends_with_the_pipe_wherever_it_is() {
    let bench = Bench::start(|| Ok(Fake::new(1)));
    drop(bench.commands);
    assert_eq!(bench.thread.join().expect("ends"), Ending::Orphaned);

    let bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(load());
    drop(bench.frames);
    assert_eq!(bench.thread.join().expect("ends"), Ending::Orphaned, "nobody hears that it loads");

    let mut bench = Bench::start(|| Ok(Fake::new(1)));
    bench.say(load());
    bench.say(endless(1));
    while !matches!(bench.next(), Some(FromWorker::Pcm { .. })) {}
    drop((bench.commands, bench.frames));
    assert_eq!(bench.thread.join().expect("ends"), Ending::Orphaned);
}

/// Both ends of a real pipe: the orchestrator's, and the worker's with its IO loop running.
struct Pipe {
    ours: Connection,
    orders: Receiver<ToWorker>,
    outgoing: Sender<Outgoing>,
    pulse: Arc<Pulse>,
    io: tokio::task::JoinHandle<IoEnd>,
}

async fn pipe(beat_ms: u32) -> Pipe {
    let dir = tempfile::tempdir().expect("a directory");
    let run_dir = RunDir::open(Some(&dir.path().join("run"))).expect("a run directory");
    let listener = Listener::bind(&run_dir).expect("a listener");
    let invitation = listener.invitation().clone();
    let long = Duration::from_secs(30);
    let welcome = Welcome { beat_ms, ..Welcome::default() };
    let terms = Terms { within: long, welcome, ..Terms::for_child(std::process::id()) };
    let (ours, theirs) = tokio::join!(accept_worker(listener, terms), join(&invitation, vec![], long));
    let (connection, welcome) = theirs.expect("joined");
    let (commands, orders) = channel(COMMANDS);
    let (outgoing, frames) = channel(16);
    let pulse = Arc::new(Pulse::default());
    let io = tokio::spawn(converse(connection, welcome, commands, frames, Arc::clone(&pulse)));
    Pipe { ours: ours.expect("accepted").0, orders, outgoing, pulse, io }
}

#[tokio::test]
async fn beats_come_by_themselves_and_count_what_compute_did() {
    let pipe = pipe(10).await;
    let mut last = 0;
    for _ in 0..5 {
        pipe.pulse.step();
        let Some(FromWorker::Beat(beat)) = pipe.ours.recv().await.expect("received") else {
            panic!("not a beat")
        };
        assert!(beat.steps >= last && beat.resident_bytes.is_some_and(|bytes| bytes > 0));
        last = beat.steps;
    }
    assert!(last > 0);
}

#[tokio::test]
async fn beats_go_between_frames_however_many_there_are() {
    let pipe = pipe(10).await;
    let outgoing = pipe.outgoing.clone();
    let samples = vec![0.5; 24_000];
    let frame = FromWorker::Pcm { request: RequestId(1), samples }.to_frame().expect("a frame");
    let flood =
        tokio::spawn(async move { while outgoing.send(Outgoing::Frame(frame.clone())).await.is_ok() {} });
    let (mut beats, mut chunks) = (0, 0);
    while beats < 5 || chunks < 5 {
        match pipe.ours.recv().await.expect("received") {
            Some(FromWorker::Beat(_)) => beats += 1,
            Some(FromWorker::Pcm { .. }) => chunks += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    flood.abort();
}

#[tokio::test]
async fn the_end_of_the_pipe_is_seen_though_nobody_reads_and_nobody_takes_commands() {
    let mut pipe = pipe(1000).await;
    let samples = vec![0.5; 24_000];
    let frame = FromWorker::Pcm { request: RequestId(1), samples }.to_frame().expect("a frame");
    while tokio::time::timeout(Duration::from_millis(100), pipe.outgoing.send(Outgoing::Frame(frame.clone())))
        .await
        .is_ok()
    {}
    pipe.ours.send(&ToWorker::Drain).await.expect("sent");
    assert_eq!(pipe.orders.recv().await, Some(ToWorker::Drain), "and commands still come through");
    drop(pipe.ours);
    assert_eq!(pipe.io.await.expect("ends"), IoEnd::Closed);
    assert_eq!(pipe.orders.recv().await, None, "compute is told");
}

#[tokio::test]
async fn garbage_and_floods_are_answered_with_the_reason() {
    for flood in [false, true] {
        let pipe = pipe(5000).await;
        if flood {
            for _ in 0..=COMMANDS {
                pipe.ours.send(&ToWorker::CancelAll).await.expect("sent");
            }
        } else {
            pipe.ours.send_raw(b"this is not the protocol").await.expect("sent");
        }
        let told = loop {
            match pipe.ours.recv().await.expect("received") {
                Some(FromWorker::Beat(_)) => {}
                Some(FromWorker::Fatal(fatal)) => break fatal,
                other => panic!("unexpected {other:?}"),
            }
        };
        assert_eq!(told.kind, FatalKind::ProtocolError);
        assert!(matches!(pipe.io.await.expect("ends"), IoEnd::NotTheProtocol(_)));
    }
}

#[tokio::test]
async fn last_words_are_sent_after_everything_else() {
    let pipe = pipe(5000).await;
    let (outbox, frames) = Outbox::new();
    drop(pipe.outgoing);
    assert_eq!(pipe.io.await.expect("ends"), IoEnd::Finished);
    drop(frames);
    // Nobody there: they give up at once instead of waiting.
    outbox.last_words(&FromWorker::Goodbye, Duration::from_hours(1));

    let pipe = self::pipe(5000).await;
    let (outbox, mut frames) = Outbox::new();
    let outgoing = pipe.outgoing.clone();
    let forward =
        async move { outgoing.send(frames.recv().await.expect("the words")).await.expect("passed on") };
    let words = thread::spawn(move || outbox.last_words(&FromWorker::Goodbye, Duration::from_secs(30)));
    forward.await;
    while pipe.ours.recv().await.expect("received") != Some(FromWorker::Goodbye) {}
    assert_eq!(pipe.io.await.expect("ends"), IoEnd::Finished);
    words.join().expect("told");
}
