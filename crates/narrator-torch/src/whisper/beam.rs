//! Beam search: several hypotheses of one row are followed at once.
//!
//! As the model's publisher does it: of all ways to go on, as many as there are beams are kept; a hypothesis
//! that ends is put aside; when as many have ended as there are beams, the likeliest by token wins.

use narrator_engine::EngineError;
use tch::Kind;

use super::decode::{Place, Row, Written};
use super::decoder::{Audio, Cache};
use super::listen::{Told, still_wanted};
use super::model::Model;
use crate::error::Doing;
use crate::qwen3::ops::{Torch, to_floats, to_ints};

/// A transcript that may become the one.
#[derive(Clone, PartialEq, Debug, Default)]
struct Hypothesis {
    tokens: Vec<i64>,
    log_probs: Vec<f32>,
    sum: f32,
}

impl Hypothesis {
    fn with(&self, token: Option<i64>, log_prob: f32) -> Self {
        let mut longer = self.clone();
        longer.tokens.extend(token);
        longer.log_probs.push(log_prob);
        longer.sum += log_prob;
        longer
    }

    fn by_token(&self) -> f32 {
        self.sum / self.log_probs.len().max(1) as f32
    }
}

/// One way to go on: from which hypothesis, with which token, and how likely that token is.
type Way = (usize, i64, f32);

/// Chooses from `ways` the hypotheses that go on, with the ones that they come from, and puts the ended aside.
fn go_on(
    from: &[Hypothesis],
    mut ways: Vec<Way>,
    beams: usize,
    end: i64,
    ended: &mut Vec<Hypothesis>,
) -> (Vec<Hypothesis>, Vec<usize>) {
    let sum = |way: &Way| from[way.0].sum + way.2;
    ways.sort_by(|a, b| sum(b).total_cmp(&sum(a)));
    let (mut next, mut parents) = (Vec::with_capacity(beams), Vec::with_capacity(beams));
    for (parent, token, log_prob) in ways {
        if next.len() == beams {
            break;
        }
        if token != end {
            next.push(from[parent].with(Some(token), log_prob));
            parents.push(parent);
        } else if ended.len() < beams {
            ended.push(from[parent].with(None, log_prob));
        }
    }
    (next, parents)
}

impl Model {
    /// Writes one row down with as many hypotheses as `cache` and `audio` have rows, all of them copies of the
    /// row, which has read all of its prompt but the last token.
    pub(crate) fn search(
        &self,
        row: &mut Row,
        cache: Cache,
        audio: &Audio,
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        let beams = cache.lengths.len();
        let (mut cache, mut going, mut ended) = (cache, vec![Hypothesis::default()], Vec::new());
        while ended.len() < beams && going.first().is_some_and(|one| one.tokens.len() < row.most) {
            let ways = self.ways(row, &going, &cache, audio, beams).doing("searching")?;
            let parents;
            (going, parents) = go_on(&going, ways, beams, self.vocabulary.end_of_text, &mut ended);
            for length in &mut cache.lengths {
                *length += 1;
            }
            if going.is_empty() {
                break;
            }
            // Beams that nothing follows read along with the first.
            let rows: Vec<usize> =
                (0..beams).map(|at| parents.get(at).copied().unwrap_or(parents[0])).collect();
            cache = cache.select(&rows).doing("following the best hypotheses")?;
            still_wanted(told)?;
        }
        let candidates = if ended.is_empty() { going } else { ended };
        let best = candidates.into_iter().max_by(|a, b| a.by_token().total_cmp(&b.by_token()));
        let Hypothesis { tokens, log_probs, .. } = best.unwrap_or_default();
        row.written = Written { tokens, log_probs, ended: true, attention: Vec::new() };
        self.attend_again(row, cache, audio).doing("finding the words' times")?;
        still_wanted(told)
    }

    fn ways(
        &self,
        row: &Row,
        going: &[Hypothesis],
        cache: &Cache,
        audio: &Audio,
        beams: usize,
    ) -> Torch<Vec<Way>> {
        let last =
            |at: usize| going.get(at).unwrap_or(&going[0]).tokens.last().or(row.prompt.last()).copied();
        let tokens: Vec<i64> = (0..beams).map(|at| last(at).unwrap_or(self.vocabulary.start)).collect();
        let pass = self.decoder.read(&tokens, cache, audio, false)?;
        let begins = going[0].tokens.is_empty();
        let places: Vec<Place> = (0..going.len()).map(|row| Place { row, position: 0, begins }).collect();
        let mut ways = Vec::new();
        self.over_logits(&pass.states, &places, |mut logits, places| {
            self.rule_out(&mut logits, places)?;
            // One more than there are beams, since one of them may be the end.
            let most = beams as i64 + 1;
            let (log_probs, tokens) = logits.f_log_softmax(-1, Kind::Float)?.f_topk(most, -1, true, true)?;
            let from = places.iter().flat_map(|place| std::iter::repeat_n(place.row, most as usize));
            let likely = to_ints(&tokens)?.into_iter().zip(to_floats(&log_probs)?);
            ways.extend(from.zip(likely).map(|(from, (token, log_prob))| (from, token, log_prob)));
            Ok(())
        })?;
        Ok(ways)
    }

    /// Reads what was written once more, for its attention.
    fn attend_again(&self, row: &mut Row, mut cache: Cache, audio: &Audio) -> Torch<()> {
        let beams = cache.lengths.len();
        cache.lengths.fill(0);
        let all = [row.prompt.as_slice(), &row.written.tokens].concat();
        let pass = self.decoder.read(&all.repeat(beams), &cache, audio, true)?;
        let from = row.prompt.len() - 1;
        pass.keep_attention(0, from..all.len(), &mut row.written.attention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_ways_go_on_and_the_ended_are_put_aside() {
        let first = Hypothesis { tokens: vec![1], log_probs: vec![-0.1], sum: -0.1 };
        let second = Hypothesis { tokens: vec![2], log_probs: vec![-1.0], sum: -1.0 };
        let ways = vec![(0, 9, -0.2), (0, 5, -2.0), (0, 6, -3.0), (1, 7, -0.5), (1, 9, -4.0), (1, 8, -5.0)];
        let mut ended = Vec::new();
        let (next, parents) = go_on(&[first, second], ways, 2, 9, &mut ended);
        assert_eq!(parents, [1, 0]);
        assert_eq!(next.iter().map(|one| one.tokens.clone()).collect::<Vec<_>>(), [vec![2, 7], vec![1, 5]]);
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].tokens.as_slice(), ended[0].log_probs.len()), (&[1][..], 2));
    }

    #[test]
    fn length_is_no_merit() {
        let short = Hypothesis { tokens: vec![1], log_probs: vec![-0.5, -0.5], sum: -1.0 };
        let long = Hypothesis { tokens: vec![1, 2, 3], log_probs: vec![-0.3; 4], sum: -1.2 };
        assert!(long.by_token() > short.by_token());
    }
}
