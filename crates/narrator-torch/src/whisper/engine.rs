//! The checkpoint as a [`Transcriber`].
//!
//! One call is one batch: requests are resampled and cut to pieces, and pieces of like length are encoded and
//! decoded together. Each request fails alone; an error of libtorch is the
//! whole call's.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use narrator_core::{HeardWord, Hearing, ScoredWord};
use narrator_engine::{EngineError, HearingRequest, ListenerInfo, MANIFEST_FILE, Manifest, Transcriber};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::decode::Row;
use super::listen::{Piece, Told, Writing, still_wanted};
use super::mel::SAMPLE_RATE;
use super::model::Model;
use super::pieces::{self, FRAME};
use super::resample::Resampler;
use super::rules::{self, Judgement};
use super::score::frame_ms;
use super::words::{Expected, transcript_words};
use crate::error::bad_request;
use crate::manner::{LoadOptions, set_threads};

/// Languages that are written without spaces.
const UNSPACED: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];
/// Requests that one call takes at most.
const MAX_BATCH: u32 = 64;
/// Share of the decoder's places that context may take, as the reference has it.
const CONTEXT_SHARE: i64 = 2;

/// A loaded checkpoint.
#[derive(Debug)]
pub(crate) struct Whisper {
    info: ListenerInfo,
    model: Model,
}

/// Loads the checkpoint in `model_dir`, with or without a manifest.
pub(crate) fn load(
    model_dir: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Whisper, EngineError> {
    let name = if model_dir.join(MANIFEST_FILE).exists() {
        Manifest::read(model_dir)?.name
    } else {
        model_dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    };
    if let Some(threads) = options.threads {
        set_threads(threads);
    }
    let _guard = tch::no_grad_guard();
    let model = Model::load(model_dir, options, progress)?;
    let info = ListenerInfo {
        engine: super::ENGINE.into(),
        model: name,
        multilingual: model.vocabulary.is_multilingual(),
        max_batch: MAX_BATCH,
    };
    Ok(Whisper { info, model })
}

/// A request that can be served.
struct Asked<'a> {
    request: &'a HearingRequest,
    expected: Option<Expected>,
    language: Option<i64>,
    context: Vec<i64>,
    audio_ms: u32,
    /// Indices of its pieces, which other requests may share.
    pieces: Range<usize>,
}

/// Whether two requests hear the same, in the same language: what one was cut to does for both.
fn is_same_audio(one: &HearingRequest, other: &HearingRequest) -> bool {
    (one.sample_rate, &one.language) == (other.sample_rate, &other.language) && one.pcm == other.pcm
}

impl Transcriber for Whisper {
    fn info(&self) -> &ListenerInfo {
        &self.info
    }

    fn hear(
        &mut self,
        batch: &[HearingRequest],
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Hearing, EngineError>>, EngineError> {
        let _guard = tch::no_grad_guard();
        let mut count = 0;
        let mut unwanted = false;
        let mut told = || {
            count += 1;
            unwanted |= progress(count).is_break();
            if unwanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut pieces = Vec::new();
        let mut asked: Vec<Result<Asked, EngineError>> = Vec::with_capacity(batch.len());
        for request in batch {
            let same = asked.iter().flatten().find(|other| is_same_audio(other.request, request));
            let same = same.map(|other| other.pieces.clone());
            asked.push(self.prepare(request, same, &mut pieces));
        }
        still_wanted(&mut told)?;
        self.find_languages(&asked, &mut pieces, &mut told)?;
        let mut writings = Vec::with_capacity(pieces.len());
        for asked in asked.iter().flatten() {
            for index in asked.pieces.clone() {
                writings.push(self.writing(asked, index, &pieces[index]));
            }
        }
        self.model.listen(&pieces, &mut writings, &mut told)?;
        let mut writings = writings.into_iter();
        let mut heard = Vec::with_capacity(asked.len());
        for asked in asked.iter().flatten() {
            let own = writings.by_ref().take(asked.pieces.len()).collect();
            heard.push(self.answer(asked, &pieces, own));
        }
        drop(writings);
        let mut heard = heard.into_iter();
        Ok(asked.into_iter().map(|asked| asked.map(|_| heard.next().unwrap_or_default())).collect())
    }
}

impl Whisper {
    /// Reads a request, and cuts its audio to pieces unless they are there: `same`.
    fn prepare<'a>(
        &self,
        request: &'a HearingRequest,
        same: Option<Range<usize>>,
        pieces: &mut Vec<Piece>,
    ) -> Result<Asked<'a>, EngineError> {
        if request.sample_rate == 0 {
            return Err(bad_request("audio without a sample rate"));
        }
        if request.pcm.iter().any(|sample| !sample.is_finite()) {
            return Err(bad_request("audio with samples that are not numbers"));
        }
        let vocabulary = &self.model.vocabulary;
        let language = match request.language.as_deref() {
            None => None,
            Some(tag) if vocabulary.is_multilingual() => Some(vocabulary.language(tag).ok_or_else(|| {
                bad_request(format!("{} does not know the language `{tag}`", self.info.model))
            })?),
            Some(tag) if tag.to_lowercase().starts_with("en") => None,
            Some(tag) => {
                return Err(bad_request(format!("{} hears English alone, not `{tag}`", self.info.model)));
            }
        };
        let expected = match request.expected.as_deref() {
            Some(text) => Some(Expected::new(vocabulary, text)?),
            None => None,
        };
        let mut context = match request.context.trim() {
            "" => Vec::new(),
            text => vocabulary.encode(&format!(" {text}"))?,
        };
        let most = (self.model.config.shape.max_target_positions / CONTEXT_SHARE - 1).max(0) as usize;
        context.drain(..context.len().saturating_sub(most));
        let own = same.unwrap_or_else(|| self.cut(request, pieces));
        Ok(Asked {
            request,
            expected,
            language,
            context,
            audio_ms: (request.pcm.len() as u64 * 1000 / u64::from(request.sample_rate)) as u32,
            pieces: own,
        })
    }

    /// Adds the pieces of a request's audio; returns which they are.
    fn cut(&self, request: &HearingRequest, pieces: &mut Vec<Piece>) -> Range<usize> {
        let samples = Resampler::new(request.sample_rate, SAMPLE_RATE).run(&request.pcm);
        let first = pieces.len();
        let longest = self.model.config.shape.max_source_positions as usize * FRAME;
        for range in pieces::cut(&samples, longest) {
            if !range.is_empty() {
                pieces.push(Piece::new(samples[range.clone()].to_vec(), range.start / FRAME));
            }
        }
        first..pieces.len()
    }

    /// Finds the language of requests that do not say it, from their first pieces.
    fn find_languages(
        &self,
        asked: &[Result<Asked, EngineError>],
        pieces: &mut [Piece],
        told: &mut Told<'_>,
    ) -> Result<(), EngineError> {
        if !self.model.vocabulary.is_multilingual() {
            return Ok(());
        }
        for asked in asked.iter().flatten() {
            let Some(first) = asked.pieces.clone().next() else { continue };
            // Another request may have the same piece.
            let language = match asked.language.or(pieces[first].language) {
                Some(language) => language,
                None => self.model.language_of(&pieces[first], told)?,
            };
            for piece in &mut pieces[asked.pieces.clone()] {
                piece.language = Some(language);
            }
        }
        Ok(())
    }

    fn writing<'a>(&self, asked: &'a Asked, index: usize, piece: &Piece) -> Writing<'a> {
        let vocabulary = &self.model.vocabulary;
        let mut prompt = Vec::new();
        if let (Some(previous), false) = (vocabulary.previous, asked.context.is_empty()) {
            prompt.push(previous);
            prompt.extend_from_slice(&asked.context);
        }
        let start = prompt.len();
        prompt.push(vocabulary.start);
        if let (Some(language), Some(transcribe)) = (piece.language, vocabulary.transcribe) {
            prompt.extend([language, transcribe]);
        }
        prompt.push(vocabulary.no_timestamps);
        // A text over several pieces cannot be read in one pass.
        let expected = asked.expected.as_ref().filter(|_| asked.pieces.len() == 1);
        let room = self.model.config.shape.max_target_positions as usize;
        let expected = expected.filter(|expected| prompt.len() + expected.ids.len() < room);
        let draft = expected.map_or(&[][..], |expected| &expected.ids);
        let most = most_tokens(piece.frames()).min(room.saturating_sub(prompt.len() + 1));
        Writing {
            piece: index,
            row: Row::new(prompt, draft, most),
            expected,
            priors: asked.request.priors,
            transcribe: asked.request.transcribe,
            beams: usize::from(asked.request.beams.max(1)),
            start,
            no_speech: 0.0,
            scored: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(asked.request.seed),
            frames: Vec::new(),
        }
    }

    fn answer(&self, asked: &Asked, pieces: &[Piece], writings: Vec<Writing>) -> Hearing {
        let mut hearing = Hearing {
            model: self.info.model.clone(),
            audio_ms: asked.audio_ms,
            no_speech_prob: if writings.is_empty() { 1.0 } else { 0.0 },
            ..Hearing::default()
        };
        let (mut total, mut tokens) = (0.0, 0);
        hearing.no_speech_prob = writings.iter().map(|writing| writing.no_speech).fold(1.0, f32::min);
        for writing in writings {
            let offset_ms = frame_ms(pieces[writing.piece].offset);
            let limit_ms = offset_ms + frame_ms(pieces[writing.piece].frames());
            let shift = |word: ScoredWord| ScoredWord {
                start_ms: word.start_ms + offset_ms,
                end_ms: (word.end_ms + offset_ms).min(limit_ms),
                ..word
            };
            hearing.scored.extend(writing.scored.iter().cloned().map(shift));
            if !asked.request.transcribe {
                continue;
            }
            let written = &writing.row.written;
            hearing.temperature = hearing.temperature.max(writing.row.temperature);
            total += written.log_probs.iter().sum::<f32>();
            tokens += written.tokens.len() + 1;
            let ratio = rules::compression_ratio(self.model.vocabulary.decode(&written.tokens).trim());
            hearing.compression_ratio = hearing.compression_ratio.max(ratio);
            if rules::judge(written.mean_log_prob(), ratio, writing.no_speech) == Judgement::Silence {
                continue;
            }
            let code = pieces[writing.piece].language.and_then(|id| {
                self.model
                    .vocabulary
                    .languages()
                    .into_iter()
                    .find(|(known, _)| *known == id)
                    .map(|(_, code)| code)
            });
            let spaced = !code.is_some_and(|code| UNSPACED.contains(&code));
            let frame =
                |token: usize| writing.frames.get(token).or(writing.frames.last()).copied().unwrap_or(0);
            for word in transcript_words(&self.model.vocabulary, &written.tokens, spaced) {
                let log_probs = &written.log_probs[word.tokens.clone()];
                hearing.words.push(HeardWord {
                    text: word.text,
                    start_ms: offset_ms + frame_ms(frame(word.tokens.start)),
                    end_ms: (offset_ms + frame_ms(frame(word.tokens.end))).min(limit_ms),
                    log_prob: log_probs.iter().sum::<f32>() / log_probs.len().max(1) as f32,
                });
            }
        }
        hearing.mean_log_prob = if tokens == 0 { 0.0 } else { total / tokens as f32 };
        hearing
    }
}

/// Tokens that are written at most for so much audio. The reference writes 224 whatever the length; nobody
/// says twelve tokens a second, and a loop in a short take should not cost what a full window does.
fn most_tokens(frames: usize) -> usize {
    (32 + frames * 12 / 50).min(224)
}
