//! Where a model's tensors come from: a checkpoint's safetensors files, or a generator.
//!
//! The network asks a [`Loader`] for every tensor by name and shape, once, while it is built. Behind the
//! loader stands a [`Source`]: the files of a folder ([`Folder`]), or random numbers in their place
//! ([`super::forge`]), which is how speed is measured where no checkpoint is.
//!
//! A folder's files are mapped. On a CPU, a tensor that is already in the wanted kind is used where it lies:
//! nothing is copied, several workers on one machine share one copy in the page cache, and rows of the text
//! embedding that no book uses are never read. Everything else is converted or copied once, tensor by
//! tensor, so that the model never has to fit into memory twice.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Advice, Mmap};
use narrator_engine::EngineError;
use safetensors::{Dtype, SafeTensors};
use tch::{Device, Kind, Tensor};

use super::config::Section;
use crate::error::{Doing, bad_model};

/// Gives tensors by name.
pub(crate) trait Source {
    /// The tensor `name` on the CPU, in whatever kind it is stored in; it has exactly this shape. `lazy`: it
    /// is a table of which few rows are used, not worth reading ahead.
    fn tensor(&self, name: &str, shape: &[i64], lazy: bool) -> Result<Tensor, EngineError>;
}

/// A place in a source's tree of names, and what tensors from there are made into.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    source: &'a dyn Source,
    prefix: String,
    kind: Kind,
    device: Device,
    /// Where tables go.
    tables: Device,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(source: &'a dyn Source, kind: Kind, device: Device) -> Self {
        Self { source, prefix: String::new(), kind, device, tables: device }
    }

    /// The same place, with tables on another device than everything else.
    pub(crate) fn with_tables(self, tables: Device) -> Self {
        Self { tables, ..self }
    }

    /// The place `name` below this one.
    pub(crate) fn at(&self, name: impl std::fmt::Display) -> Self {
        let prefix =
            if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) };
        Self { prefix, ..self.clone() }
    }

    /// The same place, with tensors in another kind.
    pub(crate) fn in_kind(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    pub(crate) fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor, EngineError> {
        self.load(name, shape, false, self.device)
    }

    /// A table of which few rows are used.
    pub(crate) fn table(&self, name: &str, shape: &[i64]) -> Result<Tensor, EngineError> {
        self.load(name, shape, true, self.tables)
    }

    fn load(&self, name: &str, shape: &[i64], table: bool, device: Device) -> Result<Tensor, EngineError> {
        let name = format!("{}.{name}", self.prefix);
        let lazy = table && device == Device::Cpu;
        self.source
            .tensor(&name, shape, lazy)?
            .f_to_device(device)
            .and_then(|tensor| tensor.f_to_kind(self.kind))
            .doing(&format!("loading tensor `{name}`"))
    }
}

/// One mapped file.
struct Shard {
    path: PathBuf,
    map: Arc<Mmap>,
    /// Where tensor data begins.
    data: usize,
}

struct Entry {
    shard: usize,
    kind: Kind,
    shape: Vec<i64>,
    start: usize,
    end: usize,
}

/// Told bytes done and bytes in all.
pub(crate) type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// The safetensors files of a folder: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names.
pub(crate) struct Folder<'p> {
    dir: PathBuf,
    shards: Vec<Shard>,
    entries: HashMap<String, Entry>,
    done: Cell<u64>,
    progress: RefCell<Progress<'p>>,
    /// Bytes read before this folder and bytes of all folders of the model, for progress.
    before: u64,
    total: u64,
}

/// What keeps mapped tensors valid: held by the model beside its tensors.
#[derive(Clone)]
pub(crate) struct Mappings(#[expect(dead_code, reason = "held for its lifetime alone")] Vec<Arc<Mmap>>);

impl std::fmt::Debug for Mappings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mappings")
    }
}

impl<'p> Folder<'p> {
    /// Maps the files and reads their headers. `before` and `total` place this folder in the model's
    /// progress; `total` may be 0 to mean this folder alone.
    pub(crate) fn open(
        dir: &Path,
        before: u64,
        total: u64,
        progress: Progress<'p>,
    ) -> Result<Self, EngineError> {
        let mut folder = Self {
            dir: dir.to_owned(),
            shards: Vec::new(),
            entries: HashMap::new(),
            done: Cell::new(0),
            progress: RefCell::new(progress),
            before,
            total,
        };
        for file in shard_files(dir)? {
            folder.add(&file)?;
        }
        if folder.total == 0 {
            folder.total = before + folder.bytes();
        }
        Ok(folder)
    }

    /// How many numbers all tensors have, whatever they are stored in.
    pub(crate) fn numbers(&self) -> u64 {
        self.entries.values().map(|entry| entry.shape.iter().product::<i64>().unsigned_abs()).sum()
    }

    fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.map.len() as u64).sum()
    }

    pub(crate) fn mappings(&self) -> Mappings {
        Mappings(self.shards.iter().map(|shard| Arc::clone(&shard.map)).collect())
    }

    fn add(&mut self, path: &Path) -> Result<(), EngineError> {
        let file = File::open(path)
            .map_err(|error| bad_model(format!("cannot open the weights {}: {error}", path.display())))?;
        // SAFETY: the mapping is read-only; a model folder is not written to while a worker runs (downloads
        // and set-up rename whole files into place), and a file truncated under us kills this process with
        // SIGBUS, which the pool survives.
        let map = unsafe { Mmap::map(&file) }
            .map_err(|error| bad_model(format!("cannot map the weights {}: {error}", path.display())))?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|error| match first_cut(&map) {
            Some((name, end)) => bad_model(format!(
                "{} is cut short: tensor `{name}` ends at byte {end} and the file at {}; fetch it again",
                path.display(),
                map.len()
            )),
            None => {
                bad_model(format!("{} is not a safetensors file: {error}; fetch it again", path.display()))
            }
        })?;
        let data = 8 + header;
        let shard = self.shards.len();
        for (name, info) in metadata.tensors() {
            let end = data + info.data_offsets.1;
            let kind = kind_of(info.dtype).ok_or_else(|| {
                bad_model(format!(
                    "tensor `{name}` of {} has the unsupported type {:?}: float32, bfloat16 and float16 are",
                    path.display(),
                    info.dtype
                ))
            })?;
            let shape = info.shape.iter().map(|&size| size as i64).collect();
            let entry = Entry { shard, kind, shape, start: data + info.data_offsets.0, end };
            self.entries.insert(name.clone(), entry);
        }
        self.shards.push(Shard { path: path.to_owned(), map: Arc::new(map), data });
        Ok(())
    }

    /// Reads ahead what is about to be used, telling progress.
    fn read(&self, entry: &Entry) {
        /// Between two words of progress: small enough for a slow disk, large enough to cost nothing.
        const STRIDE: usize = 32 << 20;
        let shard = &self.shards[entry.shard];
        let mut at = entry.start.max(shard.data);
        while at < entry.end {
            let length = STRIDE.min(entry.end - at);
            // A kernel without this advice reads the pages when they are first used instead.
            let _ = shard.map.advise_range(Advice::PopulateRead, at, length);
            at += length;
            self.advance(length as u64);
        }
    }

    fn advance(&self, bytes: u64) {
        self.done.set(self.done.get() + bytes);
        (self.progress.borrow_mut())((self.before + self.done.get()).min(self.total), self.total);
    }
}

impl Source for Folder<'_> {
    fn tensor(&self, name: &str, shape: &[i64], lazy: bool) -> Result<Tensor, EngineError> {
        let entry = self.entries.get(name).ok_or_else(|| {
            bad_model(format!(
                "tensor `{name}` is missing from the weights in {}; is this a complete checkpoint?",
                self.dir.display()
            ))
        })?;
        let shard = &self.shards[entry.shard];
        if entry.shape != shape {
            return Err(bad_model(format!(
                "tensor `{name}` of {} has shape {:?} where config.json asks for {shape:?}",
                shard.path.display(),
                entry.shape
            )));
        }
        if lazy {
            self.advance((entry.end - entry.start) as u64);
        } else {
            self.read(entry);
        }
        let bytes = &shard.map[entry.start..entry.end];
        let aligned = bytes.as_ptr().addr().is_multiple_of(entry.kind.elt_size_in_bytes());
        let doing = || format!("reading tensor `{name}` of {}", shard.path.display());
        if !aligned || bytes.is_empty() {
            return Tensor::f_from_data_size(bytes, shape, entry.kind).doing(&doing());
        }
        // SAFETY: the bytes are as many as shape and kind ask for (safetensors checked that), aligned, and
        // valid for as long as the mapping, which the model keeps (`Mappings`) beside the tensors. Nothing
        // writes to a weight.
        unsafe { Tensor::f_from_blob(bytes.as_ptr(), shape, &strides(shape), entry.kind, Device::Cpu) }
            .doing(&doing())
    }
}

/// The first tensor that a file's end cuts, when that is what is wrong with it, and where it should end.
fn first_cut(file: &[u8]) -> Option<(String, u64)> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*length);
    let header = rest.get(..usize::try_from(length).ok()?)?;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let ends = header.iter().filter_map(|(name, info)| {
        let end = info.get("data_offsets")?.get(1)?.as_u64()?;
        Some((name.clone(), 8_u64.checked_add(length)?.checked_add(end)?))
    });
    ends.filter(|(_, end)| *end > file.len() as u64).min_by_key(|(_, end)| *end)
}

/// Strides of a contiguous tensor.
fn strides(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Bytes of all weight files in `dir`.
pub(crate) fn weight_bytes(dir: &Path) -> Result<u64, EngineError> {
    let mut bytes = 0;
    for file in shard_files(dir)? {
        bytes += std::fs::metadata(&file)
            .map_err(|error| bad_model(format!("cannot read {}: {error}", file.display())))?
            .len();
    }
    Ok(bytes)
}

fn shard_files(dir: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let whole = dir.join("model.safetensors");
    let index = dir.join("model.safetensors.index.json");
    if whole.exists() {
        return Ok(vec![whole]);
    }
    if !index.exists() {
        return Err(bad_model(format!(
            "{} has neither model.safetensors nor model.safetensors.index.json; is this a complete \
             checkpoint folder?",
            dir.display()
        )));
    }
    let mut names: Vec<String> = Section::read(&index)?.all_strings("weight_map")?;
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            if Path::new(&name).components().count() == 1 && !name.contains("..") {
                Ok(dir.join(name))
            } else {
                Err(bad_model(format!("{} names a file outside its folder: `{name}`", index.display())))
            }
        })
        .collect()
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F32 => Some(Kind::Float),
        _ => None,
    }
}
