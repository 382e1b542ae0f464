//! The listening loop against a recogniser that hears by numbers.

use std::ops::ControlFlow;
use std::thread::{self, JoinHandle};

use narrator_core::{HeardWord, Hearing, Priors};
use narrator_engine::{EngineError, EngineErrorKind, HearingRequest, ListenerInfo, Transcriber};
use narrator_proto::{
    FailureKind, FatalKind, FromWorker, Listen, ListenerReady, Load, Message, Precision, RequestId, SetRows,
    Speak, ToWorker,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::compute::{self, Ending, Loaded, Model, Order};
use super::io::COMMANDS;
use super::outbox::{Outbox, Outgoing};
use super::pulse::Pulse;

/// Hears the expected text back, with the number of requests in the batch as its model; trouble by the
/// text's first word.
struct Ear {
    info: ListenerInfo,
    /// Requests that memory holds.
    budget: usize,
}

impl Ear {
    fn new(max_batch: u32) -> Self {
        let info =
            ListenerInfo { engine: "whisper".into(), model: "ear".into(), multilingual: false, max_batch };
        Self { info, budget: usize::MAX }
    }
}

impl Transcriber for Ear {
    fn info(&self) -> &ListenerInfo {
        &self.info
    }

    fn hear(
        &mut self,
        batch: &[HearingRequest],
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Hearing, EngineError>>, EngineError> {
        assert!(batch.len() <= self.info.max_batch as usize, "a batch is never larger than it may be");
        // It is said once that nobody wants it any more, at whichever look that is found out.
        let mut wanted = progress(1).is_continue();
        if batch.len() > self.budget {
            return Err(EngineError::new(EngineErrorKind::OutOfMemory, "tried to allocate 2 GiB"));
        }
        let first = |request: &HearingRequest| {
            let text = request.expected.clone().unwrap_or_default();
            text.split(' ').next().unwrap_or_default().to_owned()
        };
        if batch.iter().any(|request| first(request) == "endless") {
            while wanted {
                wanted = progress(2).is_continue();
                thread::yield_now();
            }
            return Err(EngineError::new(EngineErrorKind::Cancelled, "not wanted any more"));
        }
        if batch.iter().any(|request| first(request) == "device") {
            return Err(EngineError::new(EngineErrorKind::DeviceFault, "an illegal memory access"));
        }
        if batch.iter().any(|request| first(request) == "dropped") {
            return Ok(Vec::new());
        }
        let heard = |request: &HearingRequest| {
            if first(request) == "bad" {
                return Err(EngineError::new(EngineErrorKind::BadOutput, "numbers that are not finite"));
            }
            let text = request.expected.clone().unwrap_or_default();
            let words = text.split(' ').map(|word| HeardWord {
                text: word.into(),
                start_ms: 0,
                end_ms: request.pcm.len() as u32,
                log_prob: 0.0,
            });
            Ok(Hearing { model: batch.len().to_string(), words: words.collect(), ..Hearing::default() })
        };
        Ok(batch.iter().map(heard).collect())
    }
}

fn listen(request: u64, text: &str, samples: u64) -> ToWorker {
    let listen = Listen {
        sample_rate: 16_000,
        samples,
        language: Some("en".into()),
        expected: Some(text.into()),
        priors: Priors::Unsure,
        transcribe: true,
        context: String::new(),
        beams: 1,
        seed: 1,
    };
    ToWorker::Listen { request: RequestId(request), listen }
}

fn pcm(request: u64, samples: usize) -> ToWorker {
    ToWorker::ListenPcm { request: RequestId(request), samples: vec![0.25; samples] }
}

/// A request with all its samples.
fn whole(request: u64, text: &str) -> [ToWorker; 3] {
    [listen(request, text, 300), pcm(request, 200), pcm(request, 100)]
}

struct Bench {
    commands: Sender<ToWorker>,
    frames: Receiver<Outgoing>,
    thread: JoinHandle<Ending>,
}

impl Bench {
    /// A loop that finds these commands when it begins.
    fn start(ear: Ear, commands: impl IntoIterator<Item = ToWorker>) -> Self {
        let (outbox, frames) = Outbox::new();
        let (sender, orders) = channel(COMMANDS);
        let load = ToWorker::Load(Load {
            model_dir: "model".into(),
            device: "cpu".into(),
            precision: Precision::Auto,
            threads: None,
            max_rows: None,
        });
        for command in [load].into_iter().chain(commands) {
            sender.try_send(command).expect("room for a command");
        }
        let thread = thread::spawn(move || {
            let loader = |_: &Order, _: &mut dyn FnMut(u64, u64)| {
                Ok(Loaded { model: Model::Listens(Box::new(ear)), device_memory: None })
            };
            compute::run(loader, orders, &outbox, &Pulse::default())
        });
        Self { commands: sender, frames, thread }
    }

    fn next(&mut self) -> Option<FromWorker> {
        loop {
            let Some(Outgoing::Frame(frame)) = self.frames.blocking_recv() else { return None };
            match FromWorker::from_frame(&frame).expect("a message") {
                FromWorker::LoadProgress(_) => {}
                message => return Some(message),
            }
        }
    }

    fn ready(&mut self) -> ListenerReady {
        match self.next() {
            Some(FromWorker::ListenerReady(ready)) => ready,
            other => panic!("not ready: {other:?}"),
        }
    }

    fn say(&self, command: ToWorker) {
        self.commands.try_send(command).expect("room for a command");
    }

    fn finish(mut self) -> (Vec<FromWorker>, Ending) {
        let said = std::iter::from_fn(|| self.next()).collect();
        (said, self.thread.join().expect("the thread ends well"))
    }
}

fn play(ear: Ear, commands: impl IntoIterator<Item = ToWorker>) -> (Vec<FromWorker>, Ending) {
    let mut bench = Bench::start(ear, commands);
    bench.ready();
    bench.finish()
}

/// Requests that were heard, with the size of their batch.
type HeardOnes = Vec<(u64, String)>;
type FailedOnes = Vec<(u64, FailureKind)>;

fn outcomes(said: &[FromWorker]) -> (HeardOnes, FailedOnes) {
    let heard = said.iter().filter_map(|message| match message {
        FromWorker::Heard { request, heard } => Some((request.0, heard.hearing.model.clone())),
        _ => None,
    });
    let failed = said.iter().filter_map(|message| match message {
        FromWorker::Failed { request, failure } => Some((request.0, failure.kind)),
        _ => None,
    });
    (heard.collect(), failed.collect())
}

fn fatal(ending: &Ending) -> FatalKind {
    match ending {
        Ending::Fatal(fatal) => fatal.kind,
        other => panic!("not fatal: {other:?}"),
    }
}

#[test]
fn a_recogniser_announces_two_batches_and_what_it_is() {
    let mut bench = Bench::start(Ear::new(4), [ToWorker::Drain]);
    let ready = bench.ready();
    assert_eq!((ready.engine.as_str(), ready.model.as_str(), ready.max_rows), ("whisper", "ear", 8));
    assert_eq!(bench.finish(), (vec![], Ending::Drained));
}

#[test]
fn a_request_is_heard_when_its_last_sample_is_there() {
    let mut bench = Bench::start(Ear::new(4), [listen(7, "call me Ishmael", 300), pcm(7, 299)]);
    bench.ready();
    bench.say(ToWorker::Drain);
    bench.say(pcm(7, 1));
    let (said, ending) = bench.finish();
    assert_eq!(ending, Ending::Drained);
    assert_eq!(said[0], FromWorker::Accepted { request: RequestId(7) });
    let FromWorker::Heard { request, heard } = &said[1] else { panic!("{said:?}") };
    assert_eq!((request.0, heard.hearing.text().as_str()), (7, "call me Ishmael"));
    assert_eq!(heard.hearing.words[0].end_ms, 300, "all samples reached the engine");
}

#[test]
fn waiting_requests_share_calls_up_to_the_batch() {
    let commands = (1..=5).flat_map(|n| whole(n, "words")).chain([ToWorker::Drain]);
    let (said, ending) = play(Ear::new(3), commands);
    assert_eq!(ending, Ending::Drained);
    let (heard, failed) = outcomes(&said);
    let sizes: Vec<_> = heard.iter().map(|(request, size)| (*request, size.as_str())).collect();
    assert_eq!(sizes, [(1, "3"), (2, "3"), (3, "3"), (4, "2"), (5, "2")]);
    assert_eq!(failed, []);
}

#[test]
fn each_fails_alone_and_a_dropped_batch_fails_whole() {
    let commands = [whole(1, "good"), whole(2, "bad one"), whole(3, "good")].into_iter().flatten();
    let (said, _) = play(Ear::new(4), commands.chain([ToWorker::Drain]));
    let (heard, failed) = outcomes(&said);
    assert_eq!((heard.len(), failed), (2, vec![(2, FailureKind::BadOutput)]));
    let (said, _) = play(Ear::new(4), whole(1, "dropped").into_iter().chain([ToWorker::Drain]));
    assert_eq!(outcomes(&said).1, [(1, FailureKind::BadOutput)]);
}

#[test]
fn what_nobody_could_hear_is_refused_without_its_samples() {
    let ToWorker::Listen { listen: fine, .. } = listen(1, "fine", 300) else { unreachable!() };
    let with = |request, listen| ToWorker::Listen { request: RequestId(request), listen };
    let commands = [
        with(1, Listen { samples: 0, ..fine.clone() }),
        with(2, Listen { samples: u64::MAX, ..fine.clone() }),
        with(3, Listen { sample_rate: 7, ..fine.clone() }),
        with(4, Listen { transcribe: false, expected: None, ..fine }),
        pcm(4, 10),
        ToWorker::Drain,
    ];
    let (said, ending) = play(Ear::new(1), commands);
    assert_eq!(ending, Ending::Drained);
    let (_, failed) = outcomes(&said);
    assert_eq!(failed.len(), 4);
    assert!(failed.iter().all(|(_, kind)| *kind == FailureKind::BadRequest), "{failed:?}");
}

#[test]
fn out_of_memory_lets_the_younger_half_go() {
    let ear = Ear { budget: 1, ..Ear::new(4) };
    let commands = (1..=4).flat_map(|n| whole(n, "good")).chain([ToWorker::Drain]);
    let (said, ending) = play(ear, commands);
    assert_eq!(ending, Ending::Drained);
    let (heard, failed) = outcomes(&said);
    let oom = FailureKind::OutOfMemory;
    assert_eq!(failed, [(3, oom), (4, oom), (2, oom)]);
    assert_eq!(heard, [(1, "1".to_owned())]);
}

#[test]
fn rows_are_set_from_outside() {
    let commands = [ToWorker::SetRows(SetRows { rows: 2 })].into_iter();
    let commands = commands.chain((1..=3).flat_map(|n| whole(n, "words"))).chain([ToWorker::Drain]);
    let (heard, _) = outcomes(&play(Ear::new(4), commands).0);
    let sizes: Vec<_> = heard.iter().map(|(_, size)| size.as_str()).collect();
    assert_eq!(sizes, ["2", "2", "1"]);
}

#[test]
fn of_long_requests_a_call_takes_fewer_than_of_short_ones() {
    // In a call four windows of half a minute, or eight requests.
    let samples = 25 * 16_000;
    let long = |n| [listen(n, "long", samples as u64), pcm(n, samples)];
    let commands = (1..=6).flat_map(long).chain((7..=14).flat_map(|n| whole(n, "short")));
    let ear = Ear { info: ListenerInfo { max_batch: 64, ..Ear::new(64).info }, budget: usize::MAX };
    let load = [ToWorker::SetRows(SetRows { rows: 8 })];
    let (said, _) = play(ear, load.into_iter().chain(commands).chain([ToWorker::Drain]));
    let sizes: Vec<_> = outcomes(&said).0.into_iter().map(|(_, size)| size).collect();
    assert_eq!(sizes, [vec!["4"; 4], vec!["8"; 8], vec!["2"; 2]].concat());
}

#[test]
fn a_cancelled_request_is_not_heard_and_its_late_samples_are_nobodys() {
    let commands = [
        listen(1, "half", 300),
        pcm(1, 100),
        ToWorker::Cancel { request: RequestId(1) },
        pcm(1, 200),
        listen(2, "never", 300),
        ToWorker::CancelAll,
        ToWorker::Cancel { request: RequestId(99) },
        ToWorker::Drain,
    ];
    let (said, ending) = play(Ear::new(4), commands);
    assert_eq!(ending, Ending::Drained);
    let cancelled = FailureKind::Cancelled;
    assert_eq!(outcomes(&said), (vec![], vec![(1, cancelled), (2, cancelled)]));
}

#[test]
fn a_call_ends_when_all_of_it_is_cancelled_and_the_worker_goes_on() {
    let mut bench = Bench::start(Ear::new(1), whole(1, "endless"));
    bench.ready();
    assert_eq!(bench.next(), Some(FromWorker::Accepted { request: RequestId(1) }));
    let [two, samples, rest] = whole(2, "waits");
    let [three, others, last] = whole(3, "good");
    for command in [two, samples, rest, ToWorker::CancelAll, three, others, last, ToWorker::Drain] {
        bench.say(command);
    }
    let (said, ending) = bench.finish();
    assert_eq!(ending, Ending::Drained);
    let (heard, failed) = outcomes(&said);
    let cancelled = FailureKind::Cancelled;
    assert_eq!((heard.len(), failed), (1, vec![(1, cancelled), (2, cancelled)]));
}

#[test]
fn a_call_ends_with_the_pipe() {
    let mut bench = Bench::start(Ear::new(1), whole(1, "endless"));
    bench.ready();
    assert_eq!(bench.next(), Some(FromWorker::Accepted { request: RequestId(1) }));
    drop(bench.commands);
    assert_eq!(bench.thread.join().expect("ends"), Ending::Orphaned);
}

#[test]
fn what_is_no_conversation_ends_the_process() {
    let speak = Speak {
        text: "Hello.".into(),
        language: "en".into(),
        voice: None,
        speed: 1.0,
        seed: 1,
        max_seconds: 5.0,
    };
    let wrong = [
        vec![ToWorker::Speak { request: RequestId(1), speak }],
        vec![listen(1, "twice", 300), listen(1, "twice", 300)],
        vec![listen(1, "too much", 300), pcm(1, 301)],
        (1..=300).map(|n| listen(n, "flood", 300)).collect(),
    ];
    for commands in wrong {
        assert_eq!(fatal(&play(Ear::new(1), commands).1), FatalKind::ProtocolError);
    }
    let (_, ending) = play(Ear::new(1), whole(1, "device"));
    assert_eq!(fatal(&ending), FatalKind::DeviceFault);
}

#[test]
fn the_loop_ends_with_the_pipe() {
    let mut bench = Bench::start(Ear::new(1), []);
    bench.ready();
    drop(bench.commands);
    assert_eq!(bench.thread.join().expect("ends"), Ending::Orphaned);
}
