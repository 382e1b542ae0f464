//! A cloned voice: all that speaking with it needs, made once from a clip and kept on disk.
//!
//! Two ways to clone. By the speaker vector alone: timbre without manner, no text needed. In context: the
//! model is also given the clip's codes and its text and goes on from there, which keeps manner and pace.
//! For the latter the codec's state after the clip is kept too, so that a segment's first samples continue
//! the clip's sound without decoding the clip again for each.
//!
//! A clone is saved as one safetensors file: `speaker`, and for in-context ones `codes`, `state.N` and the
//! text in the metadata. It fits the checkpoint that made it; loading checks the shapes, and callers keep it
//! under a key of checkpoint and clip.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use narrator_engine::EngineError;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use tch::{Device, Kind, Tensor};

use super::codec::CodecState;
use super::ops::to_floats;
use crate::error::{Doing, bad_model, bad_request};

/// The clip's own words and sounds, for cloning in context.
#[derive(Debug)]
pub struct CloneContext {
    pub(crate) text: String,
    /// `[frames, codebooks]`, int64, on the CPU.
    pub(crate) codes: Tensor,
    /// The codec after the clip.
    pub(crate) primed: CodecState,
}

impl CloneContext {
    /// Frames of the clip.
    pub fn frames(&self) -> i64 {
        self.codes.size().first().copied().unwrap_or(0)
    }
}

/// A voice taken from a clip.
#[derive(Debug)]
pub struct ClonePrompt {
    /// `[talker hidden]`, float32, on the CPU.
    pub(crate) speaker: Tensor,
    pub(crate) context: Option<CloneContext>,
}

const FORMAT: &str = "narratord clone 1";

impl ClonePrompt {
    pub fn context(&self) -> Option<&CloneContext> {
        self.context.as_ref()
    }

    /// The voice without the clip's words: its timbre alone.
    pub(crate) fn timbre(&self) -> Self {
        Self { speaker: self.speaker.shallow_clone(), context: None }
    }

    /// Writes the voice to `path`, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), EngineError> {
        let mut parts = vec![("speaker".to_owned(), self.speaker.shallow_clone())];
        let mut metadata = HashMap::from([("format".to_owned(), FORMAT.to_owned())]);
        if let Some(context) = &self.context {
            parts.push(("codes".to_owned(), context.codes.f_to_kind(Kind::Float).doing("saving a voice")?));
            for (index, part) in context.primed.parts().iter().enumerate() {
                parts.push((format!("state.{index}"), part.shallow_clone()));
            }
            metadata.insert("text".to_owned(), context.text.clone());
            metadata.insert("frames".to_owned(), context.primed.frames().to_string());
        }
        let mut bytes = Vec::with_capacity(parts.len());
        for (name, tensor) in parts {
            let values = to_floats(&tensor).doing("saving a voice")?;
            let shape: Vec<usize> = tensor.size().iter().map(|&size| size as usize).collect();
            let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.push((name, shape, data));
        }
        let views = bytes
            .iter()
            .map(|(name, shape, data)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let temporary = path.with_extension("part");
        let write = views.and_then(|views| serialize_to_file(views, Some(metadata), &temporary));
        let place = |error: &dyn std::fmt::Display| {
            bad_request(format!("cannot save the voice to {}: {error}", path.display()))
        };
        write.map_err(|error| place(&error))?;
        File::open(&temporary).and_then(|file| file.sync_all()).map_err(|error| place(&error))?;
        std::fs::rename(&temporary, path).map_err(|error| place(&error))
    }

    /// Reads what [`Self::save`] wrote; `state` parts come back in `kind` on `device`, the codec's.
    pub(crate) fn load(path: &Path, kind: Kind, device: Device) -> Result<Self, EngineError> {
        let wrong = |what: &dyn std::fmt::Display| {
            bad_model(format!("{} is not a saved voice: {what}; make it again", path.display()))
        };
        let bytes = std::fs::read(path)
            .map_err(|error| bad_model(format!("cannot read the voice {}: {error}", path.display())))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(&error))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(wrong(&"it is of another format"));
        }
        let tensor = |name: &str| -> Result<Tensor, EngineError> {
            let view = file.tensor(name).map_err(|error| wrong(&error))?;
            if view.dtype() != Dtype::F32 {
                return Err(wrong(&format!("`{name}` is not float32")));
            }
            let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
            Tensor::f_from_data_size(view.data(), &shape, Kind::Float).doing("reading a voice")
        };
        let speaker = tensor("speaker")?;
        let context = match metadata.get("text") {
            None => None,
            Some(text) => {
                let frames = metadata
                    .get("frames")
                    .and_then(|frames| frames.parse().ok())
                    .ok_or_else(|| wrong(&"it does not say how many frames the clip has"))?;
                let parts = (0..)
                    .map(|index| format!("state.{index}"))
                    .take_while(|name| file.tensor(name).is_ok())
                    .map(|name| {
                        tensor(&name)?
                            .f_to_device(device)
                            .and_then(|part| part.f_to_kind(kind))
                            .doing("reading a voice")
                    })
                    .collect::<Result<_, _>>()?;
                Some(CloneContext {
                    text: text.clone(),
                    codes: tensor("codes")?.f_to_kind(Kind::Int64).doing("reading a voice")?,
                    primed: CodecState::from_parts(parts, frames),
                })
            }
        };
        Ok(Self { speaker, context })
    }
}
