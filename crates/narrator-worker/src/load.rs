//! From what was asked to what narrator-torch loads.

use std::path::Path;

use narrator_engine::{EngineError, EngineErrorKind, Manifest, Synthesizer, Transcriber};
use narrator_proto::{DeviceMemory, Precision};
use narrator_torch::{Device, LISTENERS, LoadOptions, device_memory, load_synthesizer, load_transcriber};

use crate::cli::ModelArgs;
use crate::serve::{Loaded, Model, Order};

/// Loads what the orchestrator asks for.
pub fn for_serving(order: &Order, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded, EngineError> {
    let load = &order.load;
    let options = options(order)?;
    let device = options.device;
    let dir = Path::new(&load.model_dir);
    let model = if listens(dir) {
        Model::Listens(load_transcriber(dir, &options, progress)?)
    } else {
        Model::Speaks(load_synthesizer(dir, &options, progress)?)
    };
    Ok(Loaded { model, device_memory: probe(device) })
}

fn options(order: &Order) -> Result<LoadOptions, EngineError> {
    let Order { load, device_bytes } = order;
    let device =
        load.device.parse().map_err(|why: String| EngineError::new(EngineErrorKind::BadModel, why))?;
    let precision = precision(load.precision);
    Ok(LoadOptions { device, precision, threads: load.threads, device_bytes: *device_bytes })
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
    let options =
        LoadOptions { device: args.device, threads: args.threads, precision, ..LoadOptions::default() };
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

#[cfg(test)]
mod tests {
    use narrator_proto::Load;

    use super::*;

    #[test]
    fn what_is_loaded_is_what_was_ordered_and_its_budget() {
        let load = Load {
            model_dir: "/models/a".into(),
            device: "cuda:1".into(),
            precision: Precision::BFloat16,
            threads: Some(2),
            max_rows: None,
        };
        let order = Order { load, device_bytes: Some(9 << 30) };
        let expected = LoadOptions {
            device: Device::Cuda(1),
            precision: narrator_torch::Precision::BFloat16,
            threads: Some(2),
            device_bytes: Some(9 << 30),
        };
        assert_eq!(options(&order).expect("options"), expected);
        let wrong = Order { load: Load { device: "gpu".into(), ..order.load }, ..order };
        assert_eq!(options(&wrong).expect_err("no device").kind(), EngineErrorKind::BadModel);
    }
}
