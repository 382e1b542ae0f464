//! What the words alone make likely.
//!
//! A recogniser is a reader too: it writes a word that nobody said where the sentence wants it. Made to say the same text
//! over silence, it has nothing but the sentence to go by. What a word is likelier over the take than over silence
//! is what the audio says for it. Words that are heard with confidence are never asked about ([`Priors`]).

use narrator_engine::EngineError;

use super::decode::Place;
use super::decoder::Audio;
use super::listen::{Piece, Told};
use super::mel::SAMPLE_RATE;
use super::model::Model;
use super::score::Task;
use crate::error::Doing;
use crate::qwen3::ops::Torch;

/// Silence that is heard, in seconds.
const SILENCE_S: usize = 2;

/// A token whose prior is wanted: of which row, at which place of its expected text, and of which of its words.
#[derive(Clone, Copy)]
struct Wanted {
    row: usize,
    token: usize,
    word: usize,
}

impl Model {
    /// Gives words their priors, where they are asked for.
    pub(crate) fn find_priors(&self, tasks: &mut [Task], told: &mut Told<'_>) -> Result<(), EngineError> {
        // The tasks that have any, each a row.
        let asked: Vec<usize> = (0..tasks.len()).filter(|&at| tasks[at].doubted().next().is_some()).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let audio = if let Some(audio) = self.silence.get() {
            audio
        } else {
            let silence = Piece::new(vec![0.0; SILENCE_S * SAMPLE_RATE as usize], 0);
            let audio = self.audio_of(&[&silence], told)?;
            self.silence.get_or_init(|| audio)
        };
        let found = self.score_over(audio, tasks, &asked).doing("scoring the expected text over silence")?;
        for (wanted, log_prob) in found {
            let prior = &mut tasks[asked[wanted.row]].scored[wanted.word].prior;
            *prior = Some(prior.unwrap_or_default() + log_prob);
        }
        Ok(())
    }

    /// Log-probabilities of the wanted tokens when `audio` is heard.
    fn score_over(&self, audio: &Audio, tasks: &[Task], asked: &[usize]) -> Torch<Vec<(Wanted, f32)>> {
        let wanted_of = |row: usize| {
            let words = tasks[asked[row]].doubted();
            words.flat_map(move |(word, tokens)| tokens.iter().map(move |&token| Wanted { row, token, word }))
        };
        // What a token follows is read, and nothing behind the last.
        let read = |row: usize| {
            let task = &tasks[asked[row]];
            let last = wanted_of(row).map(|it| it.token).max().unwrap_or(0);
            task.row.prompt.iter().chain(&task.drafted()[..last]).copied()
        };
        let n = (0..asked.len()).map(|row| read(row).count()).max().unwrap_or(1);
        let mut tokens = Vec::with_capacity(n * asked.len());
        for row in 0..asked.len() {
            tokens.extend(read(row));
            tokens.resize(n * (row + 1), self.vocabulary.end_of_text);
        }
        let pass = self.decoder.read(&tokens, &self.decoder.cache(asked.len(), n as i64)?, audio, false)?;
        let wanted: Vec<Wanted> = (0..asked.len()).flat_map(wanted_of).collect();
        let place = |it: &Wanted| Place {
            row: it.row,
            position: tasks[asked[it.row]].row.prompt.len() + it.token - 1,
            begins: it.token == 0,
        };
        let mut ids = wanted.iter().map(|it| tasks[asked[it.row]].drafted()[it.token]);
        let mut found = Vec::with_capacity(wanted.len());
        self.over_logits(&pass.states, &wanted.iter().map(place).collect::<Vec<_>>(), |logits, places| {
            let targets: Vec<i64> = ids.by_ref().take(places.len()).collect();
            let heard = self.target_logits(&logits, &targets)?;
            found.extend(self.scores(logits, &heard, &targets)?.iter().map(|score| score.log_prob));
            Ok(())
        })?;
        Ok(wanted.into_iter().zip(found).collect())
    }
}

impl Task<'_> {
    /// Words whose priors are wanted, with their tokens.
    fn doubted(&self) -> impl Iterator<Item = (usize, &[usize])> {
        let words = self.expected.map_or(&[][..], |expected| &expected.words);
        let words = self.scored.iter().zip(words).enumerate();
        words.filter(|(_, (word, _))| self.priors.want(word)).map(|(at, (_, it))| (at, &it.tokens[..]))
    }
}
