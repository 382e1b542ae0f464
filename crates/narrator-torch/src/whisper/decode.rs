//! Writing down what is heard, many rows at once.
//!
//! Greedy decoding takes the likeliest token again and again, and each costs a pass. Where a text is expected,
//! the expected tokens are read as a draft, all in one pass: every token up to the first that the model would
//! not have said itself is exactly what greedy decoding would have written, so the result is the same and a
//! right take costs one pass. Behind a difference the draft is taken up again where it fits.
//!
//! Rows with timestamps, and those above temperature 0, go token by token.

use narrator_engine::EngineError;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::decoder::{Audio, Cache};
use super::listen::{Told, still_wanted};
use super::model::Model;
use super::rules::time_rules;
use crate::error::Doing;
use crate::qwen3::ops::{Torch, to_floats, to_ints};

/// Positions whose logits are held at once: more do not fit a processor's cache, fewer cost calls.
const LOGIT_ROWS: i64 = 128;
/// Tokens of a draft that are read in one pass after the first: a difference throws away the rest of them.
const DRAFT: usize = 7;
/// How far ahead in the draft a token is looked for that the draft does not have next.
const LOOK_AHEAD: usize = 6;

/// A row that is being written.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// What the model is told before it writes.
    pub(crate) prompt: Vec<i64>,
    /// What may be said; empty where nothing is known.
    pub(crate) draft: &'a [i64],
    /// Tokens written at most.
    pub(crate) most: usize,
    pub(crate) timestamps: bool,
    /// Above 0 tokens are drawn.
    pub(crate) temperature: f32,
    pub(crate) random: Option<ChaCha8Rng>,
    pub(crate) written: Written,
    next: usize,
}

/// What a row has written.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Written {
    pub(crate) tokens: Vec<i64>,
    /// Of every token, and then of the end where it was reached.
    pub(crate) log_probs: Vec<f32>,
    pub(crate) ended: bool,
    /// Attention of the alignment heads while the last token of the prompt and every token written was read.
    pub(crate) attention: Vec<f32>,
}

impl Written {
    /// Mean over the tokens and the end, as the reference has it.
    pub(crate) fn mean_log_prob(&self) -> f32 {
        self.log_probs.iter().sum::<f32>() / (self.tokens.len() + 1) as f32
    }
}

/// A row and a position in a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) position: usize,
    /// Whether what follows is a transcript's first token.
    pub(crate) begins: bool,
}

/// The likeliest token somewhere.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Choice {
    pub(crate) token: i64,
    pub(crate) log_prob: f32,
}

impl<'a> Row<'a> {
    pub(crate) fn new(prompt: Vec<i64>, draft: &'a [i64], most: usize) -> Self {
        Self {
            prompt,
            draft,
            most,
            timestamps: false,
            temperature: 0.0,
            random: None,
            written: Written::default(),
            next: 0,
        }
    }

    fn done(&self) -> bool {
        self.written.ended || self.written.tokens.len() >= self.most
    }

    /// Whether the row's tokens depend on more than the likeliest one after each: it reads no draft.
    pub(crate) fn goes_alone(&self) -> bool {
        self.temperature > 0.0 || self.timestamps
    }

    /// Takes the choices that follow the tokens just read, of which the draft gave all but the first. Returns
    /// how many of the draft's tokens turned out to be right.
    pub(crate) fn take(&mut self, choices: &[Choice], drafted: &[i64], model: &Model) -> usize {
        for (at, choice) in choices.iter().enumerate() {
            self.written.log_probs.push(choice.log_prob);
            if choice.token == model.vocabulary.end_of_text {
                self.written.ended = true;
                return at;
            }
            self.written.tokens.push(choice.token);
            self.follow(choice.token, |id| model.vocabulary.is_silent(id));
            if self.done() || drafted.get(at) != Some(&choice.token) {
                return at;
            }
        }
        choices.len().saturating_sub(1)
    }

    /// Moves on in the draft past `said`, or to where it fits again.
    fn follow(&mut self, said: i64, is_silent: impl Fn(i64) -> bool) {
        let rest = self.draft.get(self.next..).unwrap_or_default();
        let near = &rest[..rest.len().min(LOOK_AHEAD)];
        self.next += match near.iter().position(|&id| id == said) {
            Some(found) => found + 1,
            // A sign that the draft does not have is one more; any other token stands for one of the draft.
            None if is_silent(said) => 0,
            None => 1,
        };
    }

    /// What to read next: the last token, and as much of the draft as is worth it.
    fn upcoming(&self) -> Vec<i64> {
        let last = self.written.tokens.last().or(self.prompt.last());
        let mut upcoming: Vec<i64> = last.copied().into_iter().collect();
        if !self.goes_alone() {
            let rest = self.draft.get(self.next..).unwrap_or_default();
            upcoming.extend(&rest[..rest.len().min(DRAFT)]);
        }
        upcoming
    }
}

impl Model {
    /// Writes on until every row has ended. The cache holds what each row has read: everything but its last
    /// token. `told` is called after every pass.
    pub(crate) fn write(
        &self,
        rows: &mut [Row],
        cache: Cache,
        audio: Audio,
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        let (mut cache, mut audio) = (cache, audio);
        let mut going: Vec<usize> = (0..rows.len()).collect();
        loop {
            // Rows that are done only cost from here on; leaving them behind means copying the others.
            let left: Vec<usize> = (0..going.len()).filter(|&at| !rows[going[at]].done()).collect();
            if left.is_empty() {
                return Ok(());
            }
            if left.len() < going.len() {
                let narrowed = audio.select(&left).and_then(|audio| Ok((audio, cache.select(&left)?)));
                (audio, cache) = narrowed.doing("leaving finished rows behind")?;
                going = left.iter().map(|&at| going[at]).collect();
            }
            self.advance(rows, &going, &mut cache, &audio).doing("writing down what is heard")?;
            still_wanted(told)?;
        }
    }

    fn advance(&self, rows: &mut [Row], going: &[usize], cache: &mut Cache, audio: &Audio) -> Torch<()> {
        let mut upcoming: Vec<Vec<i64>> = going.iter().map(|&row| rows[row].upcoming()).collect();
        for (tokens, &length) in upcoming.iter_mut().zip(&cache.lengths) {
            tokens.truncate((cache.capacity() - length).max(1) as usize);
        }
        let n = upcoming.iter().map(Vec::len).max().unwrap_or(1);
        let filled: Vec<i64> = upcoming
            .iter()
            .flat_map(|tokens| {
                tokens.iter().copied().chain(std::iter::repeat(self.vocabulary.end_of_text)).take(n)
            })
            .collect();
        let pass = self.decoder.read(&filled, cache, audio, true)?;
        let mut places = Vec::new();
        for (at, tokens) in upcoming.iter().enumerate() {
            let row = &rows[going[at]];
            if !row.goes_alone() {
                let begins = row.written.tokens.is_empty();
                places.extend((0..tokens.len()).map(|position| Place {
                    row: at,
                    position,
                    begins: begins && position == 0,
                }));
            }
        }
        let mut choices = self.choose(&pass.states, &places)?.into_iter();
        for (at, tokens) in upcoming.iter().enumerate() {
            let row = &mut rows[going[at]];
            let chosen: Vec<Choice> = if row.goes_alone() {
                vec![self.choose_alone(&pass.states, at, row)?]
            } else {
                choices.by_ref().take(tokens.len()).collect()
            };
            let right = row.take(&chosen, &tokens[1..], self);
            pass.keep_attention(at, 0..1 + right, &mut row.written.attention)?;
            cache.lengths[at] += 1 + right as i64;
        }
        for (length, &row) in cache.lengths.iter().zip(going) {
            if *length >= cache.capacity() {
                // There is no room for another token.
                rows[row].most = rows[row].written.tokens.len();
            }
        }
        Ok(())
    }

    /// The likeliest token after each of `places`.
    fn choose(&self, states: &Tensor, places: &[Place]) -> Torch<Vec<Choice>> {
        let mut choices = Vec::with_capacity(places.len());
        self.over_logits(states, places, |mut logits, places| {
            self.rule_out(&mut logits, places)?;
            choices.extend(likeliest(&logits)?);
            Ok(())
        })?;
        Ok(choices)
    }

    /// Rules out in `logits`, of which each row is a place, what a transcript without timestamps never has.
    pub(crate) fn rule_out(&self, logits: &mut Tensor, places: &[Place]) -> Torch<()> {
        self.suppressed.rule_out(logits, false)?;
        let begins = (0_i64..).zip(places).filter(|(_, place)| place.begins);
        self.suppressed.rule_out_first(logits, &begins.map(|(at, _)| at).collect::<Vec<_>>())
    }

    /// Logits after `places` in `states` `[rows, n, width]`, some at a time.
    pub(crate) fn over_logits(
        &self,
        states: &Tensor,
        places: &[Place],
        mut use_them: impl FnMut(Tensor, &[Place]) -> Torch<()>,
    ) -> Torch<()> {
        let n = states.size()[1];
        let flat = states.f_reshape([-1, states.size()[2]])?;
        for places in places.chunks(LOGIT_ROWS as usize) {
            let index: Vec<i64> =
                places.iter().map(|place| place.row as i64 * n + place.position as i64).collect();
            let index = Tensor::f_from_slice(&index)?.f_to_device(self.device)?;
            use_them(self.decoder.logits(&flat.f_index_select(0, &index)?)?, places)?;
        }
        Ok(())
    }

    /// The next token of one row with timestamps or above temperature 0.
    fn choose_alone(&self, states: &Tensor, at: usize, row: &mut Row) -> Torch<Choice> {
        let mut choice = Choice { token: self.vocabulary.end_of_text, log_prob: 0.0 };
        self.over_logits(states, &[Place { row: at, position: 0, begins: false }], |mut logits, _| {
            self.suppressed.rule_out(&mut logits, row.timestamps)?;
            if row.written.tokens.is_empty() {
                self.suppressed.rule_out_first(&mut logits, &[0])?;
            }
            let mut values = to_floats(&logits)?;
            if row.timestamps {
                let vocabulary = &self.vocabulary;
                time_rules(
                    &mut values,
                    &row.written.tokens,
                    vocabulary.first_timestamp,
                    vocabulary.end_of_text,
                );
            }
            choice = match (&mut row.random, row.temperature > 0.0) {
                (Some(random), true) => draw(&values, row.temperature, random),
                _ => best_of(&values),
            };
            Ok(())
        })?;
        Ok(choice)
    }
}

/// The likeliest token of each row of `logits`.
pub(crate) fn likeliest(logits: &Tensor) -> Torch<Vec<Choice>> {
    let (log_probs, tokens) = logits.f_log_softmax(-1, Kind::Float)?.f_max_dim(-1, false)?;
    let pairs = to_ints(&tokens)?.into_iter().zip(to_floats(&log_probs)?);
    Ok(pairs.map(|(token, log_prob)| Choice { token, log_prob }).collect())
}

fn log_sum_exp(values: impl Iterator<Item = f32> + Clone) -> f32 {
    let most = values.clone().fold(f32::NEG_INFINITY, f32::max);
    most + values.map(|value| (value - most).exp()).sum::<f32>().ln()
}

fn best_of(logits: &[f32]) -> Choice {
    let all = log_sum_exp(logits.iter().copied());
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(Choice { token: 0, log_prob: f32::NEG_INFINITY }, |(token, logit)| Choice {
        token: token as i64,
        log_prob: logit - all,
    })
}

/// Draws a token at a temperature; its log-probability is that of temperature 1.
fn draw(logits: &[f32], temperature: f32, random: &mut ChaCha8Rng) -> Choice {
    let heat = |logit: &f32| logit / temperature;
    let most = logits.iter().map(heat).fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = logits.iter().map(|logit| (heat(logit) - most).exp()).sum();
    let mut left = random.random::<f32>() * total;
    let mut token = best_of(logits).token as usize;
    for (at, logit) in logits.iter().enumerate() {
        left -= (heat(logit) - most).exp();
        if left <= 0.0 {
            token = at;
            break;
        }
    }
    Choice { token: token as i64, log_prob: logits[token] - log_sum_exp(logits.iter().copied()) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn followed(draft: &[i64], said: &[i64]) -> usize {
        let mut row = Row::new(vec![0], draft, 100);
        for &token in said {
            row.follow(token, |id| id >= 100);
        }
        row.next
    }

    #[test]
    fn a_draft_is_taken_up_again_where_it_fits() {
        let draft = [1, 2, 100, 3, 4, 5];
        assert_eq!(followed(&draft, &[1, 2, 100]), 3);
        assert_eq!(followed(&draft, &[1, 2, 3]), 4, "a sign was left out");
        assert_eq!(followed(&draft, &[1, 101, 2]), 2, "a sign was put in");
        assert_eq!(followed(&draft, &[1, 9]), 2, "another word in its place");
        assert_eq!(followed(&draft, &[4]), 5, "words were left out");
        assert_eq!(followed(&draft, &[1, 2, 100, 3, 4, 5, 9]), 7, "past its end");
    }

    #[test]
    fn drawing_keeps_to_the_seed_and_to_what_is_possible() {
        let logits = [f32::NEG_INFINITY, 1.0, 1.5, f32::NEG_INFINITY];
        let draws = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            (0..50).map(|_| draw(&logits, 1.0, &mut random).token).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        assert!(draws(3).iter().all(|token| (1..=2).contains(token)));
        let cold = draw(&logits, 0.01, &mut ChaCha8Rng::seed_from_u64(4));
        assert_eq!(cold.token, 2);
        assert!((cold.log_prob - best_of(&logits).log_prob).abs() < 1e-6);
    }
}
