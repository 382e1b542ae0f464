//! From what was asked to what narrator-torch loads.

use std::path::Path;

use narrator_engine::{EngineError, EngineErrorKind, Manifest, Synthesizer, Transcriber};
use narrator_proto::{DeviceMemory, Load, Precision};
use narrator_torch::{Device, LISTENERS, LoadOptions, device_memory, load_synthesizer, load_transcriber};

use crate::cli::ModelArgs;
use crate::serve::{Loaded, Model};

/// Loads what the orchestrator asks for.
pub fn for_serving(load: &Load, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded, EngineError> {
    let device: Device =
        load.device.parse().map_err(|why: String| EngineError::new(EngineErrorKind::BadModel, why))?;
    let options = LoadOptions { device, precision: precision(load.precision), threads: load.threads };
    let dir = Path::new(&load.model_dir);
    let model = if listens(dir) {
        Model::Listens(load_transcriber(dir, &options, progress)?)
    } else {
        Model::Speaks(load_synthesizer(dir, &options, progress)?)
    };
    Ok(Loaded { model, device_memory: probe(device) })
}

/// Asks the device for its memory, as often as it is called; nothing to ask on a CPU.
fn probe(device: Device) -> Option<Box<dyn Fn() -> Option<DeviceMemory>>> {
    device_memory(device)?;
    Some(Box::new(move || {
        device_memory(device).map(|memory| DeviceMemory {
            free_bytes: memory.free_bytes,
            total_bytes: memory.total_bytes,
            peak_bytes: memory.peak_bytes,
        })
    }))
}

/// Loads what a person asks for.
pub fn for_people(args: &ModelArgs) -> Result<Box<dyn Synthesizer>, EngineError> {
    let options = LoadOptions { device: args.device, threads: args.threads, ..LoadOptions::default() };
    load_synthesizer(&args.model, &options, &mut |_, _| {})
}

/// Loads the recogniser that a person asks for.
pub fn listener_for_people(
    args: &ModelArgs,
    precision: narrator_torch::Precision,
) -> Result<Box<dyn Transcriber>, EngineError> {
    let options = LoadOptions { device: args.device, threads: args.threads, precision };
    load_transcriber(&args.model, &options, &mut |_, _| {})
}

/// Whether the model in this folder is a recogniser, by its manifest. What is wrong with a folder, its loader
/// says better.
fn listens(dir: &Path) -> bool {
    Manifest::read(dir).is_ok_and(|manifest| LISTENERS.contains(&manifest.engine.as_str()))
}

fn precision(wire: Precision) -> narrator_torch::Precision {
    match wire {
        Precision::Auto => narrator_torch::Precision::Auto,
        Precision::Float32 => narrator_torch::Precision::Float32,
        Precision::BFloat16 => narrator_torch::Precision::BFloat16,
    }
}
