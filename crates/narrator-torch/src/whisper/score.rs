//! The first pass over a batch: the expected text read by all rows at once.
//!
//! It judges the text (what is each token's probability after the right text before it, and which token would
//! the model rather have heard), it is the draft of the transcript, and its attention gives the words' times.
//!
//! A token's probability is among the tokens that are heard: signs and control tokens are left out, so that a
//! comma more or less is nobody's fault, while the end of the text stays in, since words that are missing
//! at the end are. A word at the beginning of a sentence and within it is the same word: the probabilities of
//! both cases of its first letter count together.

use narrator_core::{Priors, ScoredWord};
use narrator_engine::EngineError;
use tch::{Kind, Tensor};

use super::align::{Attention, first_frames};
use super::decode::{Choice, Place, Row, likeliest};
use super::decoder::{Audio, Cache, Pass};
use super::model::Model;
use super::words::Expected;
use crate::error::Doing;
use crate::qwen3::ops::{Torch, to_floats, to_ints};

/// A piece of audio and what is asked about it.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) row: Row<'a>,
    /// Which piece: tasks may share one.
    pub(crate) piece: usize,
    pub(crate) expected: Option<&'a Expected>,
    /// Which words of the expected text are scored over silence too.
    pub(crate) priors: Priors,
    pub(crate) transcribe: bool,
    /// Encoder frames that the piece has.
    pub(crate) frames: usize,
    /// Place of the start of the transcript in the prompt: no-speech is read from what follows it.
    pub(crate) start: usize,
    pub(crate) no_speech: f32,
    pub(crate) scored: Vec<ScoredWord>,
}

/// One token of the expected text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Score {
    pub(crate) log_prob: f32,
    best: f32,
    /// What the model would rather have heard.
    rival: i64,
}

/// What a task has in common with one before it: behind the same beginning comes the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Alike {
    /// The task itself, where nothing came before it.
    to: usize,
    /// How much of the expected text is the same.
    tokens: usize,
}

impl Alike {
    fn find(tasks: &[Task], at: usize) -> Self {
        let own = &tasks[at];
        let before = tasks[..at].iter().enumerate();
        let same = before.filter(|(_, other)| {
            (other.piece, other.start) == (own.piece, own.start) && other.row.prompt == own.row.prompt
        });
        let common = same.map(|(to, other)| {
            let pairs = other.drafted().iter().zip(own.drafted());
            Self { to, tokens: pairs.take_while(|(one, other)| one == other).count() }
        });
        common.max_by_key(|alike| alike.tokens).unwrap_or(Self { to: at, tokens: 0 })
    }

    /// Puts before what was found of task `at` what was found of the other one.
    fn complete<T: Clone>(self, found: &mut [Vec<T>], at: usize) {
        if self.to < at {
            let (before, rest) = found.split_at_mut(at);
            let common = before[self.to].iter().take(self.tokens).cloned();
            rest[0].splice(0..0, common);
        }
    }
}

impl Model {
    /// Reads prompts and expected texts, scores, and takes over as much of each text as greedy decoding would
    /// have written. Returns the cache that [`Model::write`] goes on from.
    pub(crate) fn read_expected(&self, tasks: &mut [Task], audio: &Audio) -> Result<Cache, EngineError> {
        let lengths: Vec<usize> =
            tasks.iter().map(|task| task.row.prompt.len() + task.drafted().len()).collect();
        let n = lengths.iter().max().copied().unwrap_or(1);
        let most = tasks.iter().map(|task| task.row.prompt.len() + task.row.most).max().unwrap_or(1);
        let work = || -> Torch<(Cache, Pass)> {
            let cache = self.decoder.cache(tasks.len(), (most.max(n) + 1) as i64)?;
            let mut filled = Vec::with_capacity(n * tasks.len());
            for (task, length) in tasks.iter().zip(&lengths) {
                filled.extend_from_slice(&task.row.prompt);
                filled.extend_from_slice(task.drafted());
                filled.extend(std::iter::repeat_n(self.vocabulary.end_of_text, n - length));
            }
            let pass = self.decoder.read(&filled, &cache, audio, true)?;
            Ok((cache, pass))
        };
        let (mut cache, pass) = work().doing("reading the expected text")?;
        self.after_reading(tasks, &mut cache, &pass).doing("scoring the expected text")?;
        Ok(cache)
    }

    fn after_reading(&self, tasks: &mut [Task], cache: &mut Cache, pass: &Pass) -> Torch<()> {
        let alike: Vec<Alike> = (0..tasks.len()).map(|at| Alike::find(tasks, at)).collect();
        self.find_speech(tasks, &alike, pass)?;
        let mut places = Vec::new();
        for (row, (task, alike)) in tasks.iter().zip(&alike).enumerate() {
            let from = task.row.prompt.len() - 1;
            let place = |index| Place { row, position: from + index, begins: index == 0 };
            places.extend((alike.tokens..=task.drafted().len()).map(place));
        }
        let (mut scores, mut choices): (Vec<Vec<Score>>, Vec<Vec<Choice>>) =
            (vec![Vec::new(); tasks.len()], vec![Vec::new(); tasks.len()]);
        self.over_logits(&pass.states, &places, |mut logits, places| {
            let target = |place: &Place| {
                let task = &tasks[place.row];
                let index = place.position + 1 - task.row.prompt.len();
                task.drafted().get(index).copied().unwrap_or(self.vocabulary.end_of_text)
            };
            let targets: Vec<i64> = places.iter().map(target).collect();
            let heard = self.target_logits(&logits, &targets)?;
            self.rule_out(&mut logits, places)?;
            if tasks.iter().any(|task| task.transcribe) {
                for (choice, place) in likeliest(&logits)?.into_iter().zip(places) {
                    choices[place.row].push(choice);
                }
            }
            if tasks.iter().any(|task| task.expected.is_some()) {
                for (score, place) in self.scores(logits, &heard, &targets)?.into_iter().zip(places) {
                    scores[place.row].push(score);
                }
            }
            Ok(())
        })?;
        for (at, alike) in alike.iter().enumerate() {
            alike.complete(&mut scores, at);
            alike.complete(&mut choices, at);
        }
        for (at, task) in tasks.iter_mut().enumerate() {
            let from = task.row.prompt.len() - 1;
            if let Some(expected) = task.expected {
                let mut attention = Vec::new();
                pass.keep_attention(at, from..from + expected.ids.len() + 1, &mut attention)?;
                let width = pass.attention.as_ref().map_or(0, |attention| attention.size()[3]) as usize;
                let times = self.frames_of(&attention, width, task.frames);
                task.scored = self.scored_words(expected, &scores[at], &times);
            }
            cache.lengths[at] = task.row.prompt.len() as i64 - 1;
            if task.transcribe && !task.row.goes_alone() {
                let draft = task.drafted().to_vec();
                let right = task.row.take(&choices[at], &draft, self);
                pass.keep_attention(at, from..from + 1 + right, &mut task.row.written.attention)?;
                cache.lengths[at] += 1 + right as i64;
            }
        }
        Ok(())
    }

    /// Where each token begins, from attention that was kept while its predecessor and it were read.
    pub(crate) fn frames_of(&self, attention: &[f32], width: usize, frames: usize) -> Vec<usize> {
        let heads = self.config.alignment_heads.len();
        let tokens = attention.len() / (heads * width).max(1);
        first_frames(Attention { weights: attention, heads, tokens, width, frames }, 0)
    }

    /// Probability of no speech, of what follows the start of the transcript.
    fn find_speech(&self, tasks: &mut [Task], alike: &[Alike], pass: &Pass) -> Torch<()> {
        let Some(no_speech) = self.vocabulary.no_speech else { return Ok(()) };
        let place = |row: usize| Place { row, position: tasks[row].start, begins: false };
        let first = |&at: &usize| alike[at].to == at;
        let places: Vec<Place> = (0..tasks.len()).filter(first).map(place).collect();
        let mut found = Vec::new();
        self.over_logits(&pass.states, &places, |logits, _| {
            let chances = logits.f_softmax(-1, Kind::Float)?.f_select(1, no_speech)?;
            found.extend(to_floats(&chances)?);
            Ok(())
        })?;
        let mut found = found.into_iter();
        for (at, alike) in alike.iter().enumerate() {
            let own = if alike.to == at { found.next() } else { None };
            tasks[at].no_speech = own.unwrap_or(tasks[alike.to].no_speech);
        }
        Ok(())
    }

    /// Logits of the tokens `targets` and of their likes in the other case, together.
    pub(crate) fn target_logits(&self, logits: &Tensor, targets: &[i64]) -> Torch {
        let gather = |ids: &[i64]| {
            logits.f_gather(1, &Tensor::f_from_slice(ids)?.f_to_device(self.device)?.f_unsqueeze(1)?, false)
        };
        let twins: Vec<i64> = targets.iter().map(|&id| self.other_case[id as usize]).collect();
        let alone: Vec<f32> =
            targets.iter().zip(&twins).map(|(a, b)| if a == b { f32::NEG_INFINITY } else { 0.0 }).collect();
        let alone = Tensor::f_from_slice(&alone)?.f_to_device(self.device)?.f_unsqueeze(1)?;
        gather(targets)?.f_logaddexp(&gather(&twins)?.f_add(&alone)?)
    }

    /// Scores of `targets`, whose logits are `heard`, among the tokens that can be heard.
    pub(crate) fn scores(&self, mut logits: Tensor, heard: &Tensor, targets: &[i64]) -> Torch<Vec<Score>> {
        let _ = logits.f_index_fill_(1, &self.silent, f64::NEG_INFINITY)?;
        let (best, rivals) = logits.f_max_dim(-1, true)?;
        let all = logits.f_logsumexp([1].as_slice(), true)?;
        let (heard, best) = (to_floats(&heard.f_sub(&all)?)?, to_floats(&best.f_sub(&all)?)?);
        let rivals = to_ints(&rivals)?;
        Ok(targets
            .iter()
            .zip(heard)
            .zip(best.into_iter().zip(rivals))
            .map(|((&target, heard), (best, rival))| {
                let same = rival == target || rival == self.other_case[target as usize];
                // A target that is never said stands beside the others instead of among them.
                let log_prob = heard.min(0.0);
                Score { log_prob, best: if same { log_prob } else { best.max(log_prob) }, rival }
            })
            .collect())
    }

    fn scored_words(&self, expected: &Expected, scores: &[Score], first: &[usize]) -> Vec<ScoredWord> {
        let frame = |token: usize| first.get(token).or(first.last()).map_or(0, |&frame| frame_ms(frame));
        expected
            .words
            .iter()
            .filter_map(|word| {
                let (&begin, &end) = (word.tokens.first()?, word.tokens.last()?);
                let of = |score: fn(&Score) -> f32| word.tokens.iter().map(|&at| score(&scores[at])).sum();
                let (log_prob, best_log_prob): (f32, f32) = (of(|s| s.log_prob), of(|s| s.best));
                let loss = |at: usize| scores[at].best - scores[at].log_prob;
                let worst = word.tokens.iter().copied().max_by(|&a, &b| loss(a).total_cmp(&loss(b)))?;
                let rather = if loss(worst) > 0.0 {
                    let mut heard = expected.ids[begin..worst].to_vec();
                    heard.push(scores[worst].rival);
                    self.vocabulary.decode(&heard).trim().to_owned()
                } else {
                    String::new()
                };
                Some(ScoredWord {
                    at: word.at.clone(),
                    start_ms: frame(begin),
                    end_ms: frame(end + 1),
                    log_prob,
                    best_log_prob,
                    tokens: word.tokens.len() as u16,
                    rather,
                    prior: None,
                })
            })
            .collect()
    }
}

/// Encoder frames are 20 ms long.
pub(crate) fn frame_ms(frame: usize) -> u32 {
    frame as u32 * 20
}

impl Task<'_> {
    /// Tokens that are read with the prompt.
    pub(crate) fn drafted(&self) -> &[i64] {
        self.expected.map_or(&[], |expected| &expected.ids)
    }
}
