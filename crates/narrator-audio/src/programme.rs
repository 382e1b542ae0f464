//! The programme: takes in script order with their pauses, as one stream of samples.
//!
//! A pause is what the script says, from the last audible sample of one take to the first of the next:
//! the margins that the takes keep (see [`crate::edges`]) count towards it, and digital silence fills
//! the rest. Silence and not a room tone: synthesised speech has no room, and the margins already carry
//! the voice's own hiss, faded. Where a pause is shorter than the margins, the margins stay.
//!
//! A chapter begins with the kept margin of its first take; the pause before belongs to the chapter
//! that it ends. The stream is a pure function of the takes and the pauses. It is made one take at a
//! time, so memory depends on the longest take and not on the book.

use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::assembly::{ChapterAudio, Piece};
use crate::edges::{fade_edges, find_edges, ms_to_samples};
use crate::error::AudioError;
use crate::flac;

/// Blocks decoded ahead of their use. A block is a take, about ten seconds and a megabyte.
const QUEUE: usize = 4;

/// A part of the programme.
#[derive(Debug)]
pub(crate) struct Block {
    pub samples: Vec<f32>,
    pub rate: u32,
    /// Index of the chapter that begins with this block.
    pub begins: Option<usize>,
    /// Samples cut off the beginning of its take; nothing for silence between takes.
    pub cut: Option<u64>,
    /// Takes used up to here.
    pub takes: u64,
}

/// Makes the blocks one after the other.
#[derive(Debug)]
struct Programme<'a> {
    pieces: VecDeque<(Option<usize>, &'a Piece)>,
    rate: Option<u32>,
    /// Silence still to be given before the block that waits.
    silence: u64,
    /// Of the last pause, what its take's own tail does not cover.
    owed: u64,
    waiting: Option<Block>,
    takes: u64,
}

impl<'a> Programme<'a> {
    fn new(chapters: &'a [ChapterAudio]) -> Self {
        let with_index = |(index, chapter): (usize, &'a ChapterAudio)| {
            let pieces = chapter.pieces.iter().enumerate();
            pieces.map(move |(at, piece)| ((at == 0).then_some(index), piece))
        };
        let pieces = chapters.iter().enumerate().flat_map(with_index).collect();
        Self { pieces, rate: None, silence: 0, owed: 0, waiting: None, takes: 0 }
    }

    fn next(&mut self) -> Result<Option<Block>, AudioError> {
        loop {
            if let (Some(rate), true) = (self.rate, self.silence > 0) {
                let count = self.silence.min(u64::from(rate));
                self.silence -= count;
                let samples = vec![0.0; count as usize];
                return Ok(Some(Block { samples, rate, begins: None, cut: None, takes: self.takes }));
            }
            if let Some(block) = self.waiting.take() {
                return Ok(Some(block));
            }
            let Some((begins, piece)) = self.pieces.pop_front() else {
                self.silence = std::mem::take(&mut self.owed);
                if self.silence == 0 {
                    return Ok(None);
                }
                continue;
            };
            self.admit(begins, piece)?;
        }
    }

    fn admit(&mut self, begins: Option<usize>, piece: &Piece) -> Result<(), AudioError> {
        let flac::Pcm { rate, mut samples } = flac::decode(&piece.take)?;
        let expected = *self.rate.get_or_insert(rate);
        if rate != expected {
            return Err(AudioError::TakeRate { path: piece.take.clone(), rate, expected });
        }
        let edges = find_edges(&samples, rate);
        samples.truncate(edges.kept.end);
        samples.drain(..edges.kept.start);
        fade_edges(&mut samples, &edges, rate);

        self.silence = self.owed.saturating_sub(edges.lead());
        self.owed = ms_to_samples(piece.pause_after_ms, rate).saturating_sub(edges.tail());
        self.takes += 1;
        let cut = Some(edges.kept.start as u64);
        self.waiting = Some(Block { samples, rate, begins, cut, takes: self.takes });
        Ok(())
    }
}

/// Streams the whole programme through `consume`, decoding ahead on a thread of its own.
pub(crate) fn stream(
    chapters: &[ChapterAudio],
    mut consume: impl FnMut(Block) -> Result<(), AudioError>,
) -> Result<(), AudioError> {
    let (send, receive) = sync_channel(QUEUE);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut programme = Programme::new(chapters);
            while let Some(block) = programme.next().transpose() {
                let failed = block.is_err();
                // The other side hangs up when it fails or is told to stop.
                if send.send(block).is_err() || failed {
                    break;
                }
            }
        });
        for block in receive {
            consume(block?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::AudioErrorKind;

    const RATE: u32 = 24_000;

    /// A take of hiss, a tone and hiss.
    fn write_take(dir: &Path, name: &str, ms: [u32; 3], rate: u32) -> Piece {
        let [lead, sound, tail] = ms.map(|ms| ms_to_samples(ms, rate) as usize);
        let mut pcm = vec![1e-4; lead];
        pcm.extend((0..sound).map(|n| if n % 20 < 10 { 0.25 } else { -0.25 }));
        pcm.extend(vec![1e-4; tail]);
        let take = dir.join(name);
        std::fs::write(&take, flac::encode(&pcm, rate).unwrap()).unwrap();
        Piece { take, pause_after_ms: 500 }
    }

    /// All samples, and where chapters begin.
    type Collected = (Vec<f32>, Vec<(usize, u64)>);

    fn collect(chapters: &[ChapterAudio]) -> Result<Collected, AudioError> {
        let (mut all, mut begins) = (Vec::new(), Vec::new());
        stream(chapters, |block| {
            begins.extend(block.begins.map(|chapter| (chapter, all.len() as u64)));
            all.extend(block.samples);
            Ok(())
        })?;
        Ok((all, begins))
    }

    /// Lengths of sound and silence, in milliseconds, by the audible threshold.
    fn runs(samples: &[f32]) -> Vec<(bool, u64)> {
        let mut runs: Vec<(bool, u64)> = Vec::new();
        for x in samples {
            let sound = x.abs() >= 0.001;
            match runs.last_mut() {
                Some((kind, count)) if *kind == sound => *count += 1,
                _ => runs.push((sound, 1)),
            }
        }
        // To the nearest millisecond: a take that starts in the middle of sound loses a sample or two of
        // loudness to its fade.
        let rate = u64::from(RATE);
        let ms = runs.iter().map(|(sound, count)| (*sound, (count * 1000 + rate / 2) / rate));
        ms.filter(|(_, ms)| *ms > 0).collect()
    }

    #[test]
    fn pauses_are_what_the_script_says_whatever_the_takes_bring() {
        let dir = tempfile::tempdir().unwrap();
        let take = |name: &str, ms| write_take(dir.path(), name, ms, RATE);
        let mut last = take("c", [10, 300, 0]);
        last.pause_after_ms = 2_000;
        let chapters = [
            ChapterAudio {
                title: "One".into(),
                pieces: vec![take("a", [300, 400, 450]), take("b", [0, 200, 600])],
            },
            ChapterAudio { title: "Empty".into(), pieces: vec![] },
            ChapterAudio { title: "Two".into(), pieces: vec![last] },
        ];
        let (samples, begins) = collect(&chapters).unwrap();
        let expected =
            [(false, 40), (true, 400), (false, 500), (true, 200), (false, 500), (true, 300), (false, 2_000)];
        assert_eq!(runs(&samples), expected);
        let second = ms_to_samples(40 + 400 + 500 + 200 + 500 - 10, RATE);
        assert_eq!(begins, [(0, 0), (2, second)]);
    }

    #[test]
    fn a_pause_shorter_than_the_margins_leaves_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = write_take(dir.path(), "a", [0, 100, 300], RATE);
        first.pause_after_ms = 50;
        let second = write_take(dir.path(), "b", [300, 100, 0], RATE);
        let (samples, _) =
            collect(&[ChapterAudio { title: "x".into(), pieces: vec![first, second] }]).unwrap();
        assert_eq!(runs(&samples)[1], (false, 120));
    }

    #[test]
    fn takes_that_do_not_fit_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let good = write_take(dir.path(), "a", [0, 100, 0], RATE);
        let other = write_take(dir.path(), "b", [0, 100, 0], 22_050);
        let chapter = |pieces| [ChapterAudio { title: "x".into(), pieces }];
        let error = collect(&chapter(vec![good.clone(), other])).unwrap_err();
        assert!(
            error.to_string().contains("b has 22050 samples a second where the takes before it have 24000")
        );

        let missing = Piece { take: dir.path().join("gone.flac"), pause_after_ms: 0 };
        let error = collect(&chapter(vec![good, missing])).unwrap_err();
        assert_eq!(error.kind(), AudioErrorKind::Take);
        assert!(error.to_string().contains("gone.flac is missing"));
    }
}
