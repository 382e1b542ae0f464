//! A synthesizer for tests: it makes a tone, and trouble by the first word of its text.

use narrator_core::VoiceAbilities;
use narrator_engine::{
    EngineError, EngineErrorKind, EngineInfo, RowId, SpeechRequest, SpeechSink, SpeechStats, Synthesizer,
    VoiceInfo,
};

pub const SAMPLE_RATE: u32 = 1000;
/// Made for each row in each step: the tenth of a second.
const STEP_SAMPLES: usize = 100;
/// A row without trouble ends after this many steps: 2.3 seconds, which is four chunks and a rest.
pub const STEPS: u64 = 23;

#[derive(Debug)]
pub struct Fake {
    info: EngineInfo,
    rows: Vec<(SpeechRequest, u64)>,
    /// Rows that the device's memory holds.
    budget: usize,
}

impl Fake {
    pub fn new(max_rows: u32) -> Self {
        Self::with_budget(max_rows, usize::MAX)
    }

    /// Runs out of memory with more than `budget` rows.
    pub fn with_budget(max_rows: u32, budget: usize) -> Self {
        let voices = ["tone", "other"].map(|name| VoiceInfo {
            name: name.into(),
            language: "en".into(),
            description: "a tone".into(),
        });
        let info = EngineInfo {
            engine: "fake".into(),
            sample_rate: SAMPLE_RATE,
            max_rows,
            voices: voices.into(),
            default_voice: "tone".into(),
            abilities: VoiceAbilities::default(),
        };
        Self { info, rows: Vec::new(), budget }
    }
}

impl Synthesizer for Fake {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn admit(&mut self, request: SpeechRequest) -> Result<(), EngineError> {
        assert!(self.rows.len() < self.info.max_rows as usize, "the caller keeps to max_rows");
        match first_word(&request.text) {
            "refused" => Err(EngineError::new(EngineErrorKind::BadRequest, "cannot say that")),
            _ if request.voice == "nobody" => {
                Err(EngineError::new(EngineErrorKind::BadRequest, "no such voice"))
            }
            _ => {
                self.rows.push((request, 0));
                Ok(())
            }
        }
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn step(&mut self, sink: &mut dyn SpeechSink) -> Result<(), EngineError> {
        if self.rows.len() > self.budget {
            return Err(EngineError::new(EngineErrorKind::OutOfMemory, "tried to allocate 2 GiB"));
        }
        if self.rows.iter().any(|(request, _)| first_word(&request.text) == "device") {
            return Err(EngineError::new(EngineErrorKind::DeviceFault, "an illegal memory access"));
        }
        self.rows.retain_mut(|(request, steps)| {
            *steps += 1;
            let level = match first_word(&request.text) {
                "nan" if *steps == 3 => f32::NAN,
                "silent" => 0.0,
                _ => 0.5,
            };
            sink.samples(request.row, &[level; STEP_SAMPLES]);
            match first_word(&request.text) {
                "runaway" => sink.failed(request.row, EngineError::new(EngineErrorKind::Runaway, "no end")),
                "vanishes" => {}
                "endless" => return true,
                "short" => sink.finished(request.row, SpeechStats::default()),
                _ if *steps < STEPS => return true,
                _ => sink.finished(request.row, SpeechStats { samples: 0, compute_ms: *steps }),
            }
            false
        });
        Ok(())
    }

    fn cancel(&mut self, row: RowId) -> bool {
        let before = self.rows.len();
        self.rows.retain(|(request, _)| request.row != row);
        self.rows.len() < before
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}
