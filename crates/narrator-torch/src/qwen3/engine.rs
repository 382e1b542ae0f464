//! The checkpoint as a [`Synthesizer`].
//!
//! A step reads in the prompts of rows that wait, gives every row one frame of codes, and turns codes into
//! samples: twelve frames (0.96 s) at a time, all rows that have as many together, and what is left of a row
//! at its end. A row is a runaway when it passes the budget of its text; what was sent of it is void.
//!
//! When memory runs out in a step, nothing of that step has happened to any row: choices are taken back, so
//! that a step after the caller has cancelled some rows says what the failed one would have said.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use narrator_core::VoiceAbilities;
use narrator_engine::{
    EngineError, EngineErrorKind, EngineInfo, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
};
use tch::Tensor;

use super::batch::{Batch, Joining, Said, Way, frames_tensor, groups, read_together};
use super::cast::Cast;
use super::codec::CodecState;
use super::config::GenerationConfig;
use super::limits::frame_budget;
use super::model::Qwen3Tts;
use super::ops::{Torch, to_floats};
use super::prompt::{Prompt, Utterance, Voice, language_name};
use crate::device::give_memory_back;
use crate::error::{Doing, bad_request};

/// The engine's name in the registry.
pub const ENGINE: &str = "qwen3-tts";

/// Frames that are decoded together: 0.96 s, as a chunk may be a second at most. Longer chunks would waste
/// less of the codec's work, by a few hundredths.
const CHUNK_FRAMES: usize = 12;

/// A row on its way.
#[derive(Debug)]
struct Row {
    id: RowId,
    /// Absent once the talker has read it.
    prompt: Option<Prompt>,
    seed: u64,
    calm: bool,
    budget: usize,
    frames: usize,
    /// Said and not yet decoded.
    pending: VecDeque<Vec<i64>>,
    state: CodecState,
    ended: bool,
    samples: u64,
    compute: Duration,
}

/// A loaded checkpoint that speaks.
#[derive(Debug)]
pub struct Qwen3Engine {
    model: Qwen3Tts,
    cast: Cast,
    info: EngineInfo,
    batch: Batch<RowId>,
    rows: Vec<Row>,
}

impl Qwen3Engine {
    /// Speaks with `model`, whose folder is `dir`, in at most `rows` rows.
    pub fn new(model: Qwen3Tts, dir: &Path, rows: u32) -> Result<Self, EngineError> {
        let config = model.generation();
        Self::with(model, dir, rows, config)
    }

    /// The same, choosing codes by another configuration than the checkpoint's.
    pub fn with(
        model: Qwen3Tts,
        dir: &Path,
        rows: u32,
        config: GenerationConfig,
    ) -> Result<Self, EngineError> {
        let batch = Batch::new(&model, rows.max(1) as usize, config, Way::Chosen)?;
        Self::assemble(model, dir, rows.max(1), batch)
    }

    /// The same, with a batch of `rows` rows that is there already.
    pub(super) fn assemble(
        model: Qwen3Tts,
        dir: &Path,
        rows: u32,
        batch: Batch<RowId>,
    ) -> Result<Self, EngineError> {
        let cast = Cast::find(&model, dir)?;
        let (voices, default_voice) = cast.list(&model);
        let info = EngineInfo {
            engine: ENGINE.to_owned(),
            sample_rate: model.sample_rate(),
            max_rows: rows,
            voices,
            default_voice,
            abilities: VoiceAbilities { calm: true, timbre_alone: cast.clones() },
        };
        Ok(Self { model, cast, info, batch, rows: Vec::new() })
    }

    pub fn model(&self) -> &Qwen3Tts {
        &self.model
    }

    fn check(&self, request: &SpeechRequest) -> Result<(), EngineError> {
        if (request.speed - 1.0).abs() > 1e-3 {
            return Err(bad_request(format!(
                "a Qwen3-TTS voice speaks at its own speed; set the speed to 1, not {}",
                request.speed
            )));
        }
        if request.max_seconds.is_nan() || request.max_seconds <= 0.0 {
            return Err(bad_request(format!("a limit of {} s leaves no time to speak", request.max_seconds)));
        }
        if self.rows.iter().any(|row| row.id == request.row) {
            return Err(bad_request(format!("row {} is being spoken already", request.row.0)));
        }
        if self.rows.len() >= self.info.max_rows as usize {
            return Err(bad_request(format!("the engine has room for {} rows", self.info.max_rows)));
        }
        Ok(())
    }

    /// Lets the talker read what waits.
    fn join_waiting(&mut self) -> Result<(), EngineError> {
        let waiting: Vec<usize> =
            (0..self.rows.len()).filter(|&index| self.rows[index].prompt.is_some()).collect();
        let lengths: Vec<i64> = waiting
            .iter()
            .map(|&index| self.rows[index].prompt.as_ref().map_or(0, |prompt| prompt.embeds.size()[0]))
            .collect();
        for group in groups(&lengths, read_together(self.model.manner.device)) {
            let joining: Vec<Joining<'_, RowId>> = group
                .iter()
                .filter_map(|&index| {
                    let row = &self.rows[waiting[index]];
                    let prompt = row.prompt.as_ref()?;
                    Some(Joining { key: row.id, prompt, seed: row.seed, calm: row.calm })
                })
                .collect();
            self.batch.join_together(&self.model, &joining)?;
            for index in group {
                self.rows[waiting[index]].prompt = None;
            }
        }
        Ok(())
    }

    /// One frame for every row.
    fn speak(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        for (id, said) in self.batch.advance(&self.model)? {
            let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else { continue };
            let fault = match said {
                Said::Frame(frame) => {
                    row.frames += 1;
                    row.pending.push_back(frame);
                    let full = self.batch.room(id).is_some_and(|room| room <= 0);
                    (row.frames >= row.budget || full).then(|| {
                        let text = format!(
                            "no end of speech after {} frames, {:.1} s",
                            row.frames,
                            row.frames as f64 * 0.08
                        );
                        EngineError::new(EngineErrorKind::Runaway, text)
                    })
                }
                Said::End if row.frames == 0 => Some(EngineError::new(
                    EngineErrorKind::BadOutput,
                    "the model ended its speech before it began",
                )),
                Said::End => {
                    row.ended = true;
                    None
                }
                Said::Broken => Some(EngineError::new(
                    EngineErrorKind::BadOutput,
                    format!("frame {} came of logits that are not numbers", row.frames),
                )),
            };
            if let Some(error) = fault {
                self.batch.leave(id)?;
                self.rows.retain(|row| row.id != id);
                sink.failed(id, error);
            }
        }
        Ok(())
    }

    fn try_step(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        let begun = Instant::now();
        self.join_waiting()?;
        self.speak(sink)?;
        // Rows share what the step took, as the orchestrator counts it.
        let share = begun.elapsed() / u32::try_from(self.rows.len().max(1)).unwrap_or(u32::MAX);
        for row in &mut self.rows {
            row.compute += share;
        }
        self.sound(sink)
    }

    /// Samples of every row that has a chunk ready, or has ended.
    fn sound(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        while let Some(frames) = self.rows.iter().filter_map(Row::ready).max() {
            let ready: Vec<&mut Row> =
                self.rows.iter_mut().filter(|row| row.ready() == Some(frames)).collect();
            decode(&self.model, ready, frames, sink).doing("decoding a chunk")?;
        }
        let done: Vec<RowId> =
            self.rows.iter().filter(|row| row.ended && row.pending.is_empty()).map(|row| row.id).collect();
        for id in done {
            if let Some(index) = self.rows.iter().position(|row| row.id == id) {
                let row = self.rows.swap_remove(index);
                let compute_ms = row.compute.as_millis() as u64;
                sink.finished(id, SpeechStats { samples: row.samples, compute_ms });
            }
        }
        Ok(())
    }
}

impl Row {
    /// Frames that are to be decoded now.
    fn ready(&self) -> Option<usize> {
        match self.pending.len() {
            0 => None,
            pending if pending >= CHUNK_FRAMES => Some(CHUNK_FRAMES),
            pending => self.ended.then_some(pending),
        }
    }
}

/// Decodes the next `frames` frames of every row of `rows` together. Frames leave a row only when its samples
/// are there.
fn decode(model: &Qwen3Tts, mut rows: Vec<&mut Row>, frames: usize, sink: &mut dyn SpeechSink) -> Torch<()> {
    let begun = Instant::now();
    let codes = rows
        .iter()
        .map(|row| {
            let frames: Vec<Vec<i64>> = row.pending.iter().take(frames).cloned().collect();
            frames_tensor(&frames)
        })
        .collect::<Torch<Vec<Tensor>>>()?;
    let codes = Tensor::f_cat(&codes, 0)?;
    let mut states: Vec<&mut CodecState> = rows.iter_mut().map(|row| &mut row.state).collect();
    let samples = to_floats(&model.decoder.decode(&codes, &mut states)?)?;
    let width = frames * model.decoder.samples_per_frame();
    let share = begun.elapsed() / u32::try_from(rows.len().max(1)).unwrap_or(u32::MAX);
    for (row, samples) in rows.into_iter().zip(samples.chunks(width)) {
        row.compute += share;
        row.pending.drain(..frames);
        row.samples += samples.len() as u64;
        sink.samples(row.id, samples);
    }
    Ok(())
}

impl Synthesizer for Qwen3Engine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn admit(&mut self, request: SpeechRequest) -> Result<(), EngineError> {
        let _no_grad = tch::no_grad_guard();
        self.check(&request)?;
        self.cast.prepare(&self.model, &request.voice)?;
        let mut voice = self.cast.voice(&request.voice)?;
        let timbre;
        if let (Voice::Cloned(clone), true) = (&voice, request.delivery.timbre_alone) {
            timbre = clone.timbre();
            voice = Voice::Cloned(&timbre);
        }
        let state = match &voice {
            Voice::Cloned(clone) => clone.context().map(|context| context.primed.fork()),
            Voice::Named { .. } | Voice::Designed { .. } => None,
        };
        let language = language_name(&request.language);
        let prompt = self.model.prompt(&Utterance { text: &request.text, language: &language, voice })?;
        if prompt.embeds.size()[0] >= i64::from(self.model.manner.positions) {
            return Err(bad_request("the text and the voice are longer than a row can hold"));
        }
        let state = match state {
            Some(state) => state,
            None => self.model.decoder.fresh().doing("preparing the codec")?,
        };
        let budget = frame_budget(prompt.content, request.max_seconds, self.model.generation.max_frames);
        self.rows.push(Row {
            id: request.row,
            prompt: Some(prompt),
            seed: request.seed,
            calm: request.delivery.calm,
            budget,
            frames: 0,
            pending: VecDeque::new(),
            state,
            ended: false,
            samples: 0,
            compute: Duration::ZERO,
        });
        Ok(())
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn step(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        let _no_grad = tch::no_grad_guard();
        let stepped = self.try_step(sink);
        if stepped.as_ref().is_err_and(|error| error.kind() == EngineErrorKind::OutOfMemory) {
            // What is recorded for these rows would be of no use to the fewer that come after them.
            self.batch.forget_recordings();
            give_memory_back(self.model.manner.device);
        }
        stepped
    }

    fn cancel(&mut self, row: RowId) -> bool {
        let before = self.rows.len();
        self.rows.retain(|other| other.id != row);
        // Closing its gap copies within the caches and takes no memory; a device that fails here fails the
        // next step as well, which says so.
        let _ = self.batch.leave(row);
        self.rows.len() < before
    }
}
