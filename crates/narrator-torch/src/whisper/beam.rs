//! Beam search: several hypotheses of a row are followed at once, and several rows together: the weights are read
//! once for all of them.
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

/// A row that is being searched.
#[derive(Debug)]
struct Search<'r, 'a> {
    row: &'r mut Row<'a>,
    going: Vec<Hypothesis>,
    ended: Vec<Hypothesis>,
}

impl Search<'_, '_> {
    fn is_done(&self, beams: usize) -> bool {
        self.ended.len() >= beams || self.going.first().is_none_or(|one| one.tokens.len() >= self.row.most)
    }

    /// The token that hypothesis `beam` read last. Beams that nothing follows read along with the first.
    fn last(&self, beam: usize) -> Option<i64> {
        let one = self.going.get(beam).or(self.going.first())?;
        one.tokens.last().or(self.row.prompt.last()).copied()
    }
}

impl Model {
    /// Writes rows down, with as many hypotheses for each as `cache` has rows for one of them: copies of it, which
    /// have read all of its prompt but the last token. `audio` is what each row hears.
    pub(crate) fn search(
        &self,
        rows: Vec<&mut Row>,
        mut cache: Cache,
        audio: &Audio,
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        let beams = cache.lengths.len() / rows.len();
        let search = |row| Search { row, going: vec![Hypothesis::default()], ended: Vec::new() };
        let mut searches: Vec<Search> = rows.into_iter().map(search).collect();
        let mut going: Vec<usize> = (0..searches.len()).collect();
        // Of those that still go on, once one of them does not.
        let mut narrowed: Option<Audio> = None;
        loop {
            let left: Vec<usize> =
                (0..going.len()).filter(|&at| !searches[going[at]].is_done(beams)).collect();
            if left.is_empty() {
                break;
            }
            if left.len() < going.len() {
                let hypotheses: Vec<usize> =
                    left.iter().flat_map(|&at| at * beams..(at + 1) * beams).collect();
                let own = narrowed.as_ref().unwrap_or(audio).select(&left);
                narrowed = Some(own.doing("leaving finished rows behind")?);
                cache = cache.select(&hypotheses).doing("leaving finished rows behind")?;
                going = left.iter().map(|&at| going[at]).collect();
            }
            let audio = narrowed.as_ref().unwrap_or(audio);
            let ways = self.ways(&searches, &going, &cache, audio).doing("searching")?;
            let mut followed = Vec::with_capacity(cache.lengths.len());
            for ((at, &search), ways) in going.iter().enumerate().zip(ways) {
                let Search { going, ended, .. } = &mut searches[search];
                let parents;
                (*going, parents) = go_on(going, ways, beams, self.vocabulary.end_of_text, ended);
                let first = parents.first().copied().unwrap_or(0);
                followed
                    .extend((0..beams).map(|beam| at * beams + parents.get(beam).copied().unwrap_or(first)));
            }
            for length in &mut cache.lengths {
                *length += 1;
            }
            cache.follow(&followed).doing("following the best hypotheses")?;
            still_wanted(told)?;
        }
        for Search { row, going, ended } in &mut searches {
            let candidates = if ended.is_empty() { going } else { ended };
            let best = candidates.drain(..).max_by(|a, b| a.by_token().total_cmp(&b.by_token()));
            let Hypothesis { tokens, log_probs, .. } = best.unwrap_or_default();
            row.written = Written { tokens, log_probs, ended: true, attention: Vec::new() };
        }
        let rows = searches.into_iter().map(|search| search.row).collect();
        self.attend_again(rows, audio).doing("finding the words' times")?;
        still_wanted(told)
    }

    /// How each of the searches `going` may go on.
    fn ways(
        &self,
        searches: &[Search],
        going: &[usize],
        cache: &Cache,
        audio: &Audio,
    ) -> Torch<Vec<Vec<Way>>> {
        let beams = cache.lengths.len() / going.len();
        let last = |beam: usize| searches[going[beam / beams]].last(beam % beams);
        let tokens: Vec<i64> =
            (0..cache.lengths.len()).map(|beam| last(beam).unwrap_or(self.vocabulary.start)).collect();
        let pass = self.decoder.read(&tokens, cache, audio, false)?;
        let mut places = Vec::new();
        for (at, &search) in going.iter().enumerate() {
            let hypotheses = &searches[search].going;
            let begins = hypotheses[0].tokens.is_empty();
            places.extend((0..hypotheses.len()).map(|beam| Place {
                row: at * beams + beam,
                position: 0,
                begins,
            }));
        }
        let mut ways = vec![Vec::new(); going.len()];
        self.over_logits(&pass.states, &places, |mut logits, places| {
            self.rule_out(&mut logits, places)?;
            // One more than there are beams, since one of them may be the end.
            let most = beams as i64 + 1;
            let (log_probs, tokens) = logits.f_log_softmax(-1, Kind::Float)?.f_topk(most, -1, true, true)?;
            let from = places.iter().flat_map(|place| std::iter::repeat_n(place.row, most as usize));
            let likely = to_ints(&tokens)?.into_iter().zip(to_floats(&log_probs)?);
            for (from, (token, log_prob)) in from.zip(likely) {
                ways[from / beams].push((from % beams, token, log_prob));
            }
            Ok(())
        })?;
        Ok(ways)
    }

    /// Reads what was written once more, for its attention.
    fn attend_again(&self, rows: Vec<&mut Row>, audio: &Audio) -> Torch<()> {
        let written: Vec<Vec<i64>> =
            rows.iter().map(|row| [row.prompt.as_slice(), &row.written.tokens].concat()).collect();
        let n = written.iter().map(Vec::len).max().unwrap_or(1);
        let mut filled = Vec::with_capacity(written.len() * n);
        for tokens in &written {
            filled.extend_from_slice(tokens);
            filled.extend(std::iter::repeat_n(self.vocabulary.end_of_text, n - tokens.len()));
        }
        let cache = self.decoder.cache(rows.len(), n as i64)?;
        let pass = self.decoder.read(&filled, &cache, audio, true)?;
        for ((at, row), tokens) in rows.into_iter().enumerate().zip(&written) {
            let from = row.prompt.len() - 1;
            pass.keep_attention(at, from..tokens.len(), &mut row.written.attention)?;
        }
        Ok(())
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
