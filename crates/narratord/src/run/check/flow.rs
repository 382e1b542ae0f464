//! The pools' ends of a checked run: what they are lent, and what becomes of their answers.

use std::sync::Arc;

use narrator_core::{ContentKey, Dispatch, Priors, SegmentId};
use narrator_pool::{
    Answer, Heard, Lease, ListenTask, Quarantined, ResultSink, SegmentSource, SinkError, SpeakTask, Take,
    Task, Work,
};

use super::checker::{Checker, OnBench};
use super::course::{Ear, Spoken};
use super::hearers::{SEARCH_BEAMS, primary};

/// Silence between two pieces of one segment, in seconds: that between two sentences of a paragraph, less
/// what voices leave at the ends of a take.
const JOINT_S: f32 = 0.12;

/// Lends texts to the voice.
#[derive(Debug)]
pub struct SpeakSource {
    pub checker: Arc<Checker>,
    /// What the worker is asked to speak with.
    pub voice: Option<String>,
}

impl SegmentSource for SpeakSource {
    fn lease(&mut self) -> Lease {
        let mut course = self.checker.course();
        let Some(order) = course.speak() else {
            return if course.is_over() { Lease::Exhausted } else { Lease::NothingNow };
        };
        drop(course);
        let Some(segment) = self.checker.script.segment(order.segment) else { return Lease::NothingNow };
        let speech = &self.checker.speech;
        let key = if order.whole { segment.key } else { ContentKey::of(&order.text, speech) };
        let task = SpeakTask {
            text: order.text,
            language: speech.language.clone(),
            voice: self.voice.clone().or_else(|| Some(segment.voice.clone())),
            speed: speech.speed,
            first_take: order.take,
            delivery: order.delivery,
        };
        Lease::Work(Work { segment: segment.id, key, task: Task::Speak(task) })
    }

    fn give_back(&mut self, _segment: SegmentId) {
        // The run ends without it; the next one finds it in the journal where it stands.
    }

    fn unlent(&self) -> u64 {
        self.checker.course().left_to_speak() as u64
    }
}

/// Makes takes durable and puts them before the recognisers.
#[derive(Debug)]
pub struct SpeakSink(pub Arc<Checker>);

/// A take of a whole segment, perhaps of pieces.
#[derive(Debug)]
pub struct WholeTake {
    pub segment: SegmentId,
    pub key: ContentKey,
    pub take: u32,
    pub rate: u32,
    pub pcm: Vec<f32>,
}

impl SpeakSink {
    /// The whole take that an answer completes, if it does.
    fn complete(&self, take: &Take) -> Option<WholeTake> {
        let Dispatch { segment, .. } = take.dispatch;
        let key = self.0.script.segment(segment)?.key;
        let whole = |take, rate, pcm| Some(WholeTake { segment, key, take, rate, pcm });
        let spoken = self.0.course().spoken(segment);
        match spoken {
            Spoken::Whole(plan) => {
                let rate = take.sample_rate;
                whole(take.take, rate, plan.own_of(take.pcm.clone(), rate))
            }
            Spoken::Last(before) => {
                let number = self.0.course().take_number(segment);
                whole(number, take.sample_rate, joined(before, &take.pcm, take.sample_rate))
            }
            Spoken::Piece | Spoken::Stray => None,
        }
    }
}

impl ResultSink for SpeakSink {
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>> {
        let takes: Vec<&Take> = answers.iter().filter_map(|answer| answer.take()).collect();
        let whole: Vec<WholeTake> = takes.iter().filter_map(|take| self.complete(take)).collect();
        let kept = self.0.keeper.keep_spoken(&whole);
        if let Ok(files) = &kept {
            for (take, flac) in whole.iter().zip(files) {
                self.0.lay_out(take.segment, take.take, flac);
            }
            for take in takes {
                if self.0.course().spoken(take.dispatch.segment) == Spoken::Piece {
                    self.0.course().piece(take.dispatch.segment, take.pcm.clone());
                }
            }
            for WholeTake { segment, take, .. } in whole {
                let listened = self.0.course().durable(segment, take);
                if !listened && let Err(error) = self.0.last_word(segment, take, "no recogniser is left") {
                    return vec![Err(error); answers.len()];
                }
            }
        }
        vec![kept.map(drop); answers.len()]
    }

    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError> {
        let reason = format!("{}: {} ({} tries)", out.fault, out.why, out.tries);
        self.0.unspeakable(out.segment, &reason)
    }
}

/// Pieces in a row, with a breath between them.
fn joined(before: Vec<Vec<f32>>, last: &[f32], rate: u32) -> Vec<f32> {
    let breath = vec![0.0; (JOINT_S * rate as f32) as usize];
    let mut pcm = Vec::new();
    for piece in before {
        pcm.extend_from_slice(&piece);
        pcm.extend_from_slice(&breath);
    }
    pcm.extend_from_slice(last);
    pcm
}

/// Lends takes to a recogniser.
#[derive(Debug)]
pub struct ListenSource {
    pub checker: Arc<Checker>,
    pub ear: Ear,
}

impl SegmentSource for ListenSource {
    fn lease(&mut self) -> Lease {
        loop {
            let mut course = self.checker.course();
            let Some((segment, key, take)) = course.hear(self.ear) else {
                return if course.needs_no(self.ear) { Lease::Exhausted } else { Lease::NothingNow };
            };
            drop(course);
            match self.checker.fetch(segment, &key, take) {
                Some(on_bench) => return self.work(segment, key, &on_bench),
                None => self.checker.unreadable(segment, take),
            }
        }
    }

    fn give_back(&mut self, _segment: SegmentId) {
        // It is on the disk, and the next run hears it.
    }

    fn unlent(&self) -> u64 {
        self.checker.course().left_to_hear(self.ear) as u64
    }
}

impl ListenSource {
    fn work(&self, segment: SegmentId, key: ContentKey, on_bench: &OnBench) -> Lease {
        let text = self.checker.script.segment(segment).map(|segment| segment.text.clone());
        let task = ListenTask {
            take: on_bench.take,
            pcm: Arc::clone(&on_bench.pcm),
            sample_rate: on_bench.rate,
            language: Some(primary(&self.checker.speech.language)),
            expected: text,
            // The first hears every take; the second is there to be sure.
            priors: if self.ear == Ear::Second { Priors::Unsure } else { Priors::Guessable },
            transcribe: true,
            context: String::new(),
            beams: if self.ear == Ear::Second && on_bench.search { SEARCH_BEAMS } else { 1 },
            seed: key.row_seed(on_bench.take),
        };
        Lease::Work(Work { segment, key, task: Task::Listen(task) })
    }
}

/// Judges what was heard.
#[derive(Debug)]
pub struct ListenSink {
    pub checker: Arc<Checker>,
    pub ear: Ear,
}

impl ResultSink for ListenSink {
    fn accept(&mut self, answers: &[&Answer]) -> Vec<Result<(), SinkError>> {
        let heard: Vec<&Heard> = answers
            .iter()
            .filter_map(|answer| match answer {
                Answer::Heard(heard) => Some(heard),
                Answer::Take(_) => None,
            })
            .collect();
        self.checker.heard(self.ear, &heard)
    }

    fn quarantine(&mut self, out: &Quarantined) -> Result<(), SinkError> {
        let why = format!("{}: {} ({} tries)", out.fault, out.why, out.tries);
        self.checker.unheard(self.ear, out.segment, &why)
    }
}
