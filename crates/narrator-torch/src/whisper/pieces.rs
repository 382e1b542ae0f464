//! From requests of any length to what the encoder is given.
//!
//! The encoder was trained on windows of 30 seconds: speech, and then silence to the window's end. A take of
//! seven seconds leaves three quarters of the window silent, at full cost. So the middle of that silence is
//! left out: the take and the second of silence behind it keep their places at the window's beginning, the
//! window's last second keeps its place at the end, and what lay between is not computed. Both of what the
//! model looks for behind speech, quiet and the window's end, are still there; with the window merely cut
//! short, decodings of short takes loop. `docs/benchmarks.md` has the comparison.
//!
//! A request that is longer than a window is cut where it is quietest.

use std::ops::Range;

use super::mel::SAMPLE_RATE;

/// Samples of one encoder frame.
pub(crate) const FRAME: usize = 320;
/// Frames of silence that are kept behind a piece, and as many at the window's end.
pub(crate) const TAIL: usize = 50;
/// A cut is looked for in the last stretch of a window, in seconds.
const CUT_WITHIN: usize = 10;
/// Loudness is judged over this many samples, 20 ms.
const LOUDNESS: usize = FRAME;
/// A pause is this many of them.
const PAUSE: usize = 10;

/// What the encoder computes of a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    /// Frames from the window's beginning.
    pub(crate) head: usize,
    /// Frames up to its end.
    pub(crate) tail: usize,
}

impl Window {
    /// For pieces of at most `frames`, in windows of `capacity`.
    pub(crate) fn of(frames: usize, capacity: usize) -> Self {
        if frames + 2 * TAIL < capacity {
            Self { head: frames + TAIL, tail: TAIL }
        } else {
            Self { head: capacity, tail: 0 }
        }
    }

    pub(crate) fn frames(self) -> usize {
        self.head + self.tail
    }
}

/// Cuts `samples`, where they are more than `longest`, into pieces at the quietest places.
pub(crate) fn cut(samples: &[f32], longest: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    while samples.len() - from > longest {
        let end = from + longest.saturating_sub(2 * TAIL * FRAME).max(1);
        let search = (end - (CUT_WITHIN * SAMPLE_RATE as usize).min(longest / 2))..end;
        let at = search.start + quietest(&samples[search]);
        pieces.push(from..at);
        from = at;
    }
    pieces.push(from..samples.len());
    pieces
}

/// The middle of the quietest pause.
fn quietest(samples: &[f32]) -> usize {
    let energies: Vec<f32> =
        samples.chunks(LOUDNESS).map(|chunk| chunk.iter().map(|x| x * x).sum::<f32>()).collect();
    let pauses = energies.windows(PAUSE.min(energies.len()));
    let sums = pauses.map(|pause| pause.iter().sum::<f32>());
    let best = sums.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at);
    ((best + PAUSE / 2) * LOUDNESS).min(samples.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cutting_loses_nothing(length in 0_usize..2_000_000, longest in 320_000_usize..=480_000) {
            let pieces = cut(&vec![0.0; length], longest);
            prop_assert_eq!(pieces[0].start, 0);
            prop_assert_eq!(pieces.last().map(|piece| piece.end), Some(length));
            for pair in pieces.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            prop_assert!(pieces.iter().all(|piece| piece.len() <= longest));
        }
    }

    #[test]
    fn a_long_piece_is_cut_in_its_pause() {
        let mut samples = vec![0.5; 700_000];
        samples[400_000..404_000].fill(0.001);
        let pieces = cut(&samples, 480_000);
        assert_eq!(pieces.len(), 2);
        assert!((400_000..404_000).contains(&pieces[0].end), "{pieces:?}");
    }

    #[test]
    fn a_window_keeps_both_its_ends_and_never_grows() {
        assert_eq!(Window::of(350, 1500), Window { head: 400, tail: 50 });
        for frames in [1390, 1400, 1450, 1500] {
            assert!(Window::of(frames, 1500).frames() <= 1500, "{frames}");
        }
        assert_eq!(Window::of(1500, 1500), Window { head: 1500, tail: 0 });
    }
}
