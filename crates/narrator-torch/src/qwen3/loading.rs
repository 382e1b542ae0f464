//! From a folder and a device to an engine: in which numbers, with how many rows.
//!
//! On a CPU, memory is taken as it is used, and rows are few. On a GPU everything is taken at the start: the
//! numbers follow from the card's memory and kind, the rows from what is free once the weights are there, within
//! the budget that this process was given ([`limits`](super::limits)); should that be taken by somebody else
//! meanwhile, from half as much.

use std::path::Path;

use narrator_engine::{EngineError, EngineErrorKind, Footprint};

use super::batch::{Batch, Way};
use super::config::{ModelConfig, Section};
use super::engine::Qwen3Engine;
use super::limits::{
    Capacity, available_memory, cache_bytes_per_token, capacity, footprint, holding, parameters,
    rows_for_memory,
};
use super::model::{CODEC_FOLDER, Manner, Numbers, Qwen3Tts};
use super::source::Folder;
use crate::device::{Card, device_memory, give_memory_back, multiplies_bfloat16, room, session};
use crate::manner::{Device, LoadOptions, Precision, set_threads};

/// Tokens that a row may hold on a CPU: a segment of 400 characters takes about 150 and its frames at most 1,800,
/// beside half a minute of reference.
const POSITIONS: u32 = 3072;

/// More rows than this make a CPU slower in total: its caches no longer hold a layer's activations.
const MOST_ROWS_CPU: u32 = 16;

/// True when `dir` holds a checkpoint of this family, whole or not.
pub fn is_checkpoint(dir: &Path) -> bool {
    Section::read(&dir.join("config.json"))
        .and_then(|config| config.string("model_type"))
        .is_ok_and(|kind| kind == "qwen3_tts")
}

/// Loads the checkpoint in `dir`.
pub fn load(
    dir: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Qwen3Engine, EngineError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    set_threads(options.threads.unwrap_or(cores.min(usize::from(u16::MAX)) as u16));
    let _no_grad = tch::no_grad_guard();
    match options.device {
        Device::Cpu => load_on_cpu(dir, options.precision, progress),
        Device::Cuda(_) => load_on_card(dir, options, progress),
    }
}

/// What the checkpoint in `dir` takes of such a card.
pub(crate) fn weigh(dir: &Path, card: Card) -> Result<Footprint, EngineError> {
    let config = ModelConfig::read(dir)?;
    let parameters = parameters(&config);
    let holding = holding(card, parameters, None);
    let numbers = |dir: &Path| Folder::open(dir, 0, 0, &mut |_, _| {}).map(|folder| folder.numbers());
    let on_host = if holding.text_on_host { parameters.text_embedding } else { 0 };
    let held = (numbers(dir)? + numbers(&dir.join(CODEC_FOLDER))?).saturating_sub(on_host);
    let bytes = holding.numbers.bytes();
    Ok(footprint(held * bytes, cache_bytes_per_token(&config.talker.stack, bytes), bytes))
}

fn asked(precision: Precision) -> Option<Numbers> {
    match precision {
        Precision::Auto => None,
        Precision::Float32 => Some(Numbers::Float32),
        Precision::BFloat16 => Some(Numbers::BFloat16),
    }
}

/// The codec keeps float32 on a CPU. In bfloat16 it takes half the time, but on forged weights its samples are
/// only 17 dB above their error; on trained ones others have measured 40 dB, which nobody can check without
/// them, and float32 is fast enough.
fn load_on_cpu(
    dir: &Path,
    precision: Precision,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Qwen3Engine, EngineError> {
    let numbers = asked(precision).unwrap_or(if cpu_multiplies_bfloat16() {
        Numbers::BFloat16
    } else {
        Numbers::Float32
    });
    let model = Qwen3Tts::load(dir, Manner { numbers, positions: POSITIONS, ..Manner::default() }, progress)?;
    let per_token = cache_bytes_per_token(&model.config().talker.stack, numbers.bytes());
    let rows = available_memory().map_or(1, |free| rows_for_memory(free, per_token, MOST_ROWS_CPU));
    Qwen3Engine::new(model, dir, rows)
}

/// Without the instruction, bfloat16 is unpacked to float32 for every product and gains nothing.
fn cpu_multiplies_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// A GPU has the codec in the talker's numbers, as serving engines do.
fn load_on_card(
    dir: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Qwen3Engine, EngineError> {
    let device = options.device;
    // Before the weights, so that all of this thread's work is on the one stream.
    let session = session(device);
    let before = device_memory(device).ok_or_else(|| {
        EngineError::new(
            EngineErrorKind::DeviceFault,
            format!("device {device} does not say how much memory it has"),
        )
    })?;
    let card = Card {
        total_bytes: before.total_bytes,
        multiplies_bfloat16: multiplies_bfloat16(session.as_deref()),
    };
    let holding = holding(card, parameters(&ModelConfig::read(dir)?), asked(options.precision));
    let manner = Manner {
        device,
        numbers: holding.numbers,
        codec: holding.numbers,
        joined: true,
        text_on_host: holding.text_on_host,
        positions: POSITIONS,
        // Until it is known how much is free.
        codec_rows: 1,
    };
    let mut model = Qwen3Tts::load(dir, manner, progress)?;
    // Parts that were joined are of no more use.
    give_memory_back(device);
    let bytes = holding.numbers.bytes();
    let per_token = cache_bytes_per_token(&model.config().talker.stack, bytes);
    let room = device_memory(device).map_or(0, |memory| room(memory, options.device_bytes));
    let mut capacity = capacity(room, per_token, bytes);
    loop {
        tracing::info!(
            event = "qwen3.capacity",
            %device,
            total_bytes = before.total_bytes,
            room_bytes = room,
            numbers = ?holding.numbers,
            text_on_host = holding.text_on_host,
            rows = capacity.rows,
            positions = capacity.positions,
            codec_rows = capacity.codec_rows,
        );
        model.shorten(capacity.positions, capacity.codec_rows);
        let way = Way::Fixed { session: session.clone(), ahead: true };
        match Batch::new(&model, capacity.rows as usize, model.generation(), way) {
            Ok(batch) => return Qwen3Engine::assemble(model, dir, capacity.rows, batch),
            Err(error) if error.kind() != EngineErrorKind::OutOfMemory || capacity.rows == 1 => {
                return Err(error);
            }
            Err(_) => {}
        }
        give_memory_back(device);
        capacity = Capacity { rows: capacity.rows / 2, ..capacity };
    }
}
