//! Which tokens a transcript may have, and when a transcript is not to be believed.
//!
//! All of it is the reference's: tokens that are never said, what a transcript does not begin with, how
//! timestamps follow each other, and the three tests that a decoding must pass.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::tokenizer::Vocabulary;
use crate::qwen3::ops::Torch;

/// A transcript whose text compresses better than this repeats itself.
pub(crate) const MOST_COMPRESSION: f32 = 2.4;
/// A transcript that is less likely than this on average is a guess.
pub(crate) const LEAST_MEAN_LOG_PROB: f32 = -1.0;
/// Above this, and with an unlikely transcript, there is no speech.
pub(crate) const NO_SPEECH: f32 = 0.6;
/// Tried in turn, with timestamps, until a transcript passes.
pub(crate) const TEMPERATURES: [f32; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// A first timestamp is not later than this many steps of 20 ms.
const LATEST_BEGINNING: i64 = 50;

/// What is done about a decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    Kept,
    /// Nothing was said; there is no transcript.
    Silence,
    /// To be decoded again at a higher temperature.
    Doubted,
}

/// Judges a decoding as the reference does.
pub(crate) fn judge(mean_log_prob: f32, compression: f32, no_speech: f32) -> Judgement {
    let unlikely = mean_log_prob < LEAST_MEAN_LOG_PROB;
    if unlikely && no_speech > NO_SPEECH {
        Judgement::Silence
    } else if unlikely || compression > MOST_COMPRESSION {
        Judgement::Doubted
    } else {
        Judgement::Kept
    }
}

/// Length of `text` over its length when compressed.
pub(crate) fn compression_ratio(text: &str) -> f32 {
    if text.is_empty() {
        return 0.0;
    }
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail; nothing written would count as a text that does not compress.
    let packed = packer.write_all(text.as_bytes()).and_then(|()| packer.finish());
    packed.map_or(0.0, |packed| text.len() as f32 / packed.len() as f32)
}

/// Tokens kept out of transcripts, as tensors on the model's device.
#[derive(Debug)]
pub(crate) struct Suppressed {
    /// Never said: signs that nobody hears, and control tokens but the end.
    never: Tensor,
    /// The same, timestamps left possible.
    never_but_times: Tensor,
    /// Not at the beginning.
    first: Tensor,
}

impl Suppressed {
    pub(crate) fn new(config: &Config, vocabulary: &Vocabulary, device: Device) -> Torch<Self> {
        let listed = |list: &Option<Vec<i64>>| list.clone().unwrap_or_default();
        let mut never = listed(&config.generation.suppress_tokens);
        never.extend(vocabulary.end_of_text + 1..vocabulary.first_timestamp);
        never.retain(|&id| id != vocabulary.end_of_text);
        never.sort_unstable();
        never.dedup();
        let never_but_times = never.clone();
        never.extend(vocabulary.first_timestamp..config.shape.vocab_size);
        let place = |ids: &[i64]| Tensor::f_from_slice(ids)?.f_to_device(device);
        Ok(Self {
            never: place(&never)?,
            never_but_times: place(&never_but_times)?,
            first: place(&listed(&config.generation.begin_suppress_tokens))?,
        })
    }

    /// Rules tokens out of `logits` `[n, vocabulary]`, in place.
    pub(crate) fn rule_out(&self, logits: &mut Tensor, timestamps: bool) -> Torch<()> {
        let which = if timestamps { &self.never_but_times } else { &self.never };
        let _ = logits.f_index_fill_(1, which, f64::NEG_INFINITY)?;
        Ok(())
    }

    /// Rules out what a transcript does not begin with, in the rows `rows` of `logits`, in place.
    pub(crate) fn rule_out_first(&self, logits: &mut Tensor, rows: &[i64]) -> Torch<()> {
        if rows.is_empty() || self.first.numel() == 0 {
            return Ok(());
        }
        let columns = self.first.numel() as i64;
        let rows = Tensor::f_from_slice(rows)?.f_to_device(logits.device())?.f_unsqueeze(1)?;
        let rows = rows.f_expand([-1, columns], false)?.f_reshape([-1])?;
        let columns = self.first.f_repeat([rows.numel() as i64 / columns])?;
        let low = Tensor::f_full([1], f64::NEG_INFINITY, (Kind::Float, logits.device()))?;
        let _ = logits.f_index_put_(&[Some(rows), Some(columns)], &low, false)?;
        Ok(())
    }
}

/// Rules timestamps in and out of one row of `logits`, whose other rules have been applied: they come in pairs
/// but before the end, never go back, begin within the first second, and come when all of them together
/// are likelier than every single token of text.
pub(crate) fn time_rules(logits: &mut [f32], said: &[i64], first_timestamp: i64, end_of_text: i64) {
    const OUT: f32 = f32::NEG_INFINITY;
    let (first, end) = (first_timestamp as usize, end_of_text as usize);
    let is_time = |id: Option<&i64>| id.is_some_and(|&id| id >= first_timestamp);
    let last_is_time = is_time(said.last());
    let one_before_is_time = said.len() < 2 || is_time(said.get(said.len() - 2));
    if last_is_time {
        if one_before_is_time {
            logits[first..].fill(OUT);
        } else {
            logits[..end].fill(OUT);
        }
    }
    let latest = said.iter().rev().find(|&&id| id >= first_timestamp);
    if let Some(&latest) = latest {
        // A stretch of no length is only possible while it is being closed.
        let least = if last_is_time && !one_before_is_time { latest } else { latest + 1 };
        logits[first..least as usize].fill(OUT);
    }
    if said.is_empty() {
        logits[..first].fill(OUT);
        let past = ((first_timestamp + LATEST_BEGINNING + 1) as usize).min(logits.len());
        logits[past..].fill(OUT);
    }
    let (text, times) = logits.split_at(first);
    let likeliest = text.iter().copied().fold(OUT, f32::max);
    let highest = times.iter().copied().fold(OUT, f32::max);
    if highest > OUT {
        let all = highest + times.iter().map(|&x| (x - highest).exp()).sum::<f32>().ln();
        if all > likeliest {
            logits[..first].fill(OUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoding_is_judged_as_the_reference_does() {
        assert_eq!(judge(-0.3, 1.5, 0.9), Judgement::Kept);
        assert_eq!(judge(-1.2, 1.5, 0.9), Judgement::Silence);
        assert_eq!(judge(-1.2, 1.5, 0.1), Judgement::Doubted);
        assert_eq!(judge(-0.1, 2.5, 0.9), Judgement::Doubted, "a loop is likely and still a loop");
    }

    #[test]
    fn a_loop_compresses() {
        assert!(compression_ratio(&"and then ".repeat(30)) > MOST_COMPRESSION);
        assert!(compression_ratio("It is a truth universally acknowledged.") < 1.2);
        assert!(compression_ratio("").abs() < f32::EPSILON);
    }

    /// A vocabulary of 4 words, the end (4), and 60 timestamps from 5.
    fn ruled(logits: &[(usize, f32)], said: &[i64]) -> Vec<usize> {
        let mut row = vec![0.0; 65];
        for &(id, value) in logits {
            row[id] = value;
        }
        time_rules(&mut row, said, 5, 4);
        (0..65).filter(|&id| row[id] > f32::NEG_INFINITY).collect()
    }

    #[test]
    fn the_first_token_is_an_early_timestamp() {
        assert_eq!(ruled(&[], &[]), (5..=55).collect::<Vec<_>>());
    }

    #[test]
    fn timestamps_come_in_pairs_and_do_not_go_back() {
        // After the opening one: text, where a word is likely enough.
        assert_eq!(ruled(&[(1, 9.0)], &[7]), [0, 1, 2, 3, 4]);
        // After text: anything, but no time that has been.
        assert_eq!(ruled(&[(1, 9.0)], &[7, 1]), [0, 1, 2, 3, 4].into_iter().chain(8..65).collect::<Vec<_>>());
        // After a closing one: the next opens at once, or the end.
        assert_eq!(ruled(&[(4, 9.0)], &[7, 1, 20]), [4].into_iter().chain(20..65).collect::<Vec<_>>());
    }

    #[test]
    fn times_that_are_likely_together_win() {
        let sure = ruled(&[(1, 2.0)], &[7, 1]);
        assert!(!sure.contains(&1), "57 times at 0 weigh e^4");
    }
}
