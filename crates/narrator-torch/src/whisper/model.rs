//! A whole checkpoint in memory.

use std::cell::OnceCell;
use std::path::Path;

use narrator_engine::{EngineError, Footprint};
use tch::{Device, Kind, Tensor};

use super::config::Config;
use super::decoder::{Audio, Decoder};
use super::encoder::Encoder;
use super::limits::{ROWS, SEARCHES, SEARCHES_ON_CPU, Working};
use super::mel::LogMel;
use super::rules::Suppressed;
use super::tokenizer::Vocabulary;
use crate::device::{device_memory, give_memory_back, room};
use crate::error::Doing;
use crate::manner::{LoadOptions, Precision};
use crate::qwen3::ops::Torch;
use crate::qwen3::source::{Folder, Loader, Mappings};

/// Networks, vocabulary and what is derived from them once.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) mel: LogMel,
    pub(crate) encoder: Encoder,
    pub(crate) decoder: Decoder,
    pub(crate) suppressed: Suppressed,
    /// Tokens that are written and not heard.
    pub(crate) silent: Tensor,
    /// Two seconds of nothing, once somebody asks for priors.
    pub(crate) silence: OnceCell<Audio>,
    /// Of every token, the one with its first letter in the other case, or itself.
    pub(crate) other_case: Vec<i64>,
    pub(crate) device: Device,
    /// Pieces that are decoded together.
    pub(crate) rows: usize,
    /// Pieces that are searched together.
    pub(crate) searches: usize,
    /// Whether windows are computed whole, as the reference does, to compare with it.
    pub(crate) whole_windows: bool,
    /// The files that tensors may lie in; last, so that it is let go last.
    _mappings: Mappings,
}

impl Model {
    /// Loads the checkpoint in `dir`.
    pub(crate) fn load(
        dir: &Path,
        options: &LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, EngineError> {
        let config = Config::read(dir)?;
        let vocabulary = Vocabulary::read(dir, &config)?;
        let device = options.device.tch();
        let kind = kind_for(options);
        let folder = Folder::open(dir, 0, 0, progress)?;
        let loader = Loader::new(&folder, kind, device).at("model");
        let derive = || -> Torch<(Suppressed, Tensor)> {
            let silent: Vec<i64> =
                (0..vocabulary.len() as i64).filter(|&id| vocabulary.is_silent(id)).collect();
            Ok((
                Suppressed::new(&config, &vocabulary, device)?,
                Tensor::f_from_slice(&silent)?.f_to_device(device)?,
            ))
        };
        let (suppressed, silent) = derive().doing("placing the vocabulary's rules")?;
        let mut model = Self {
            mel: LogMel::new(config.shape.num_mel_bins, device)?,
            encoder: Encoder::load(&loader.at("encoder"), &config.shape)?,
            decoder: Decoder::load(&loader.at("decoder"), &config)?,
            suppressed,
            silent,
            silence: OnceCell::new(),
            other_case: vocabulary.other_case(),
            device,
            rows: ROWS,
            searches: if device == Device::Cpu { SEARCHES_ON_CPU } else { SEARCHES },
            whole_windows: false,
            _mappings: folder.mappings(),
            vocabulary,
            config,
        };
        model.rows = model.rows_on(options, kind);
        Ok(model)
    }

    /// Rows for the memory that is left to this process now that the weights are there.
    fn rows_on(&self, options: &LoadOptions, kind: Kind) -> usize {
        // What was joined is of no more use in its parts.
        give_memory_back(options.device);
        let Some(memory) = device_memory(options.device) else { return ROWS };
        let room = room(memory, options.device_bytes);
        let rows = Working::of(&self.config, kind.elt_size_in_bytes() as u64).rows(room);
        tracing::info!(event = "whisper.capacity", device = %options.device, room_bytes = room, rows);
        rows
    }
}

/// What the checkpoint in `dir` takes of a card, where it is held in bfloat16.
pub(crate) fn weigh(dir: &Path) -> Result<Footprint, EngineError> {
    let number_bytes = Kind::BFloat16.elt_size_in_bytes() as u64;
    let working = Working::of(&Config::read(dir)?, number_bytes);
    Ok(working.footprint(Folder::open(dir, 0, 0, &mut |_, _| {})?.numbers() * number_bytes))
}

/// On a GPU bfloat16, and on a CPU that multiplies it; else float32.
fn kind_for(options: &LoadOptions) -> Kind {
    let gpu = options.device != crate::Device::Cpu;
    match options.precision {
        Precision::BFloat16 => Kind::BFloat16,
        Precision::Auto if gpu || multiplies_bfloat16() => Kind::BFloat16,
        Precision::Float32 | Precision::Auto => Kind::Float,
    }
}

#[cfg(target_arch = "x86_64")]
fn multiplies_bfloat16() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn multiplies_bfloat16() -> bool {
    false
}
