//! Engines by name: a model folder's manifest names one, and this is where the name becomes a model.

use std::path::Path;

use narrator_engine::{EngineError, Footprint, MANIFEST_FILE, Manifest, Synthesizer, Transcriber};

use crate::device::Card;
use crate::error::bad_model;
use crate::manner::LoadOptions;
use crate::{device, qwen3, starter, whisper};

/// Names of the engines that speak, as a manifest writes them.
pub const ENGINES: [&str; 2] = [starter::ENGINE, qwen3::ENGINE];

/// Names of the engines that listen.
pub const LISTENERS: [&str; 1] = [whisper::ENGINE];

/// Loads the model in `model_dir`. `progress` hears of bytes done and bytes in all, often enough to tell a
/// slow load from a stalled one.
pub fn load_synthesizer(
    model_dir: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Box<dyn Synthesizer>, EngineError> {
    // Before anything of libtorch hears of the device.
    device::open(options.device)?;
    // A published checkpoint comes without a manifest, and says itself what it is; what its configuration
    // lacks is told with the key.
    if !model_dir.join(MANIFEST_FILE).exists() && model_dir.join("config.json").exists() {
        return Ok(Box::new(qwen3::load(model_dir, options, progress)?));
    }
    let manifest = Manifest::read(model_dir)?;
    match manifest.engine.as_str() {
        starter::ENGINE => Ok(Box::new(starter::load(model_dir, &manifest, options, progress)?)),
        qwen3::ENGINE => Ok(Box::new(qwen3::load(model_dir, options, progress)?)),
        other => Err(bad_model(format!(
            "model `{}` in {} needs the engine `{other}`, and this build has {}",
            manifest.name,
            model_dir.display(),
            ENGINES.join(", ")
        ))),
    }
}

/// Loads the recogniser in `model_dir`, a published checkpoint folder with or without a manifest. `progress` is
/// as for [`load_synthesizer`].
pub fn load_transcriber(
    model_dir: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Box<dyn Transcriber>, EngineError> {
    device::open(options.device)?;
    if model_dir.join(MANIFEST_FILE).exists() {
        let manifest = Manifest::read(model_dir)?;
        if manifest.engine != whisper::ENGINE {
            return Err(bad_model(format!(
                "model `{}` in {} is of the engine `{}`, which does not listen; those that do: {}",
                manifest.name,
                model_dir.display(),
                manifest.engine,
                LISTENERS.join(", ")
            )));
        }
    }
    Ok(Box::new(whisper::load(model_dir, options, progress)?))
}

/// What the model in `model_dir` takes of such a card, from its configuration and the headers of its weights. No
/// device is asked.
pub fn weigh(model_dir: &Path, card: Card) -> Result<Footprint, EngineError> {
    if !model_dir.join(MANIFEST_FILE).exists() && model_dir.join("config.json").exists() {
        return qwen3::weigh(model_dir, card);
    }
    let manifest = Manifest::read(model_dir)?;
    match manifest.engine.as_str() {
        qwen3::ENGINE => qwen3::weigh(model_dir, card),
        whisper::ENGINE => whisper::weigh(model_dir),
        other => Err(bad_model(format!(
            "model `{}` is of the engine `{other}`, which does not run on a GPU: set the device to cpu, or choose \
             another model",
            manifest.name
        ))),
    }
}
