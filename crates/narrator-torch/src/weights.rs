//! Weights by name, out of memory-mapped safetensors files.
//!
//! A tensor is looked up with the shape that the code expects; a missing one or one of another shape is an
//! error that names the tensor, the file and both shapes. Bytes are copied once, from the mapping to the
//! device, so a model never has to fit into memory twice.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use narrator_engine::EngineError;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use crate::error::{Doing, bad_model};

/// An open safetensors file.
pub(crate) struct Weights {
    path: PathBuf,
    map: Mmap,
    device: tch::Device,
}

/// The parsed header of a [`Weights`], from which tensors are taken.
pub(crate) struct Names<'a> {
    weights: &'a Weights,
    tensors: SafeTensors<'a>,
}

impl Weights {
    /// Opens `path`; its tensors will live on `device`.
    pub(crate) fn open(path: &Path, device: tch::Device) -> Result<Self, EngineError> {
        let file = File::open(path)
            .map_err(|error| bad_model(format!("cannot open the weights {}: {error}", path.display())))?;
        // SAFETY: the mapping is read-only and private to this process; a model folder is not written to
        // while a worker runs (set-up renames whole folders into place), and a file truncated under us kills
        // this process with SIGBUS, which the pool survives.
        let map = unsafe { Mmap::map(&file) }
            .map_err(|error| bad_model(format!("cannot map the weights {}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), map, device })
    }

    /// Parses the header.
    pub(crate) fn names(&self) -> Result<Names<'_>, EngineError> {
        let tensors = SafeTensors::deserialize(&self.map).map_err(|error| {
            bad_model(format!("{} is not a safetensors file: {error}", self.path.display()))
        })?;
        Ok(Names { weights: self, tensors })
    }

    #[cfg(test)]
    pub(crate) fn bytes_of_file(&self) -> &[u8] {
        &self.map
    }

    /// Bytes of the file, the unit of load progress.
    pub(crate) fn bytes(&self) -> u64 {
        self.map.len() as u64
    }
}

impl Names<'_> {
    /// The tensor `name`, which must have exactly this shape, in its own kind.
    pub(crate) fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor, EngineError> {
        let place = || format!("tensor `{name}` of {}", self.weights.path.display());
        let view = self.tensors.tensor(name).map_err(|_| bad_model(format!("{} is missing", place())))?;
        let found: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        if found != shape {
            return Err(bad_model(format!("{} has shape {found:?} where {shape:?} is expected", place())));
        }
        let kind = kind_of(view.dtype())
            .ok_or_else(|| bad_model(format!("{} has the unsupported type {:?}", place(), view.dtype())))?;
        Tensor::f_from_data_size(view.data(), shape, kind)
            .and_then(|tensor| tensor.f_to_device(self.weights.device))
            .doing(&format!("loading {}", place()))
    }
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::BOOL => Some(Kind::Bool),
        Dtype::U8 => Some(Kind::Uint8),
        Dtype::I8 => Some(Kind::Int8),
        Dtype::I16 => Some(Kind::Int16),
        Dtype::I32 => Some(Kind::Int),
        Dtype::I64 => Some(Kind::Int64),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F32 => Some(Kind::Float),
        Dtype::F64 => Some(Kind::Double),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use narrator_engine::EngineErrorKind;

    fn file_with(name: &str, data: &[f32]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        let view =
            safetensors::tensor::TensorView::new(Dtype::F32, vec![data.len()], &bytes).expect("a view");
        safetensors::serialize_to_file([(name, view)], None, file.path()).expect("written");
        file
    }

    #[test]
    fn a_tensor_is_found_by_name_and_shape() {
        let file = file_with("a", &[1.0, 2.0]);
        let weights = Weights::open(file.path(), tch::Device::Cpu).expect("open");
        let tensor = weights.names().expect("a header").take("a", &[2]).expect("a tensor");
        assert_eq!(Vec::<f32>::try_from(&tensor).expect("values"), [1.0, 2.0]);
    }

    #[test]
    fn a_wrong_shape_and_a_missing_name_are_told_with_both() {
        let file = file_with("a", &[1.0, 2.0]);
        let weights = Weights::open(file.path(), tch::Device::Cpu).expect("open");
        let names = weights.names().expect("a header");
        let shape = names.take("a", &[1, 2]).expect_err("another shape");
        assert_eq!(shape.kind(), EngineErrorKind::BadModel);
        assert!(shape.to_string().contains("has shape [2] where [1, 2] is expected"), "{shape}");
        let missing = names.take("b", &[2]).expect_err("no such tensor");
        assert!(missing.to_string().starts_with("tensor `b` of "), "{missing}");
    }

    #[test]
    fn what_is_no_safetensors_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), b"garbage that is no header").expect("written");
        let weights = Weights::open(file.path(), tch::Device::Cpu).expect("open");
        assert!(weights.names().err().expect("no header").to_string().contains("not a safetensors file"));
    }
}
