//! The sink on its own thread, given as many results at once as have come together.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::machine::{Input, Ticket};
use crate::{Answer, Quarantined, ResultSink, SinkError};

/// Results that are given to the sink at once, at most: a commit of this many is as good as one of more.
const GROUP: usize = 64;

pub(super) enum Job {
    Answer(Ticket, Arc<Answer>),
    Quarantine(Ticket, Quarantined),
}

/// Starts the sink's thread. It ends when the sender is dropped.
pub(super) fn start(
    sink: impl ResultSink + 'static,
    answers: UnboundedSender<Input>,
) -> (Sender<Job>, JoinHandle<()>) {
    let (sender, jobs) = channel();
    (sender, spawn_blocking(move || work(sink, &jobs, &answers)))
}

fn work(mut sink: impl ResultSink, jobs: &Receiver<Job>, answers: &UnboundedSender<Input>) {
    while let Ok(first) = jobs.recv() {
        let mut answered = Vec::new();
        let mut quarantines = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1)) {
            match job {
                Job::Answer(ticket, answer) => answered.push((ticket, answer)),
                Job::Quarantine(ticket, out) => quarantines.push((ticket, out)),
            }
        }
        if !answered.is_empty() {
            let group: Vec<&Answer> = answered.iter().map(|(_, answer)| &**answer).collect();
            let mut results = sink.accept(&group).into_iter();
            for (ticket, _) in &answered {
                let unanswered = || SinkError::Failed { detail: "the sink gave no answer".into() };
                answer(answers, *ticket, results.next().unwrap_or_else(|| Err(unanswered())));
            }
        }
        for (ticket, out) in quarantines {
            let result = sink.quarantine(&out);
            answer(answers, ticket, result);
        }
    }
}

fn answer(answers: &UnboundedSender<Input>, ticket: Ticket, result: Result<(), SinkError>) {
    // Nobody listens any more when the run's future was dropped.
    let _ = answers.send(match result {
        Ok(()) => Input::Stored { ticket },
        Err(error) => Input::StoreFailed { ticket, fault: error.fault(), detail: error.to_string() },
    });
}
