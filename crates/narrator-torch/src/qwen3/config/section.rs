//! Reading a JSON file so that every complaint names the file and the whole key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use narrator_engine::EngineError;
use serde_json::{Map, Value};

use crate::error::bad_model;

/// A JSON object of a file, and where in the file it stands.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    file: PathBuf,
    /// Keys that lead here, joined by dots; empty at the top.
    at: String,
    values: Map<String, Value>,
}

impl Section {
    pub(crate) fn read(file: &Path) -> Result<Self, EngineError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| bad_model(format!("cannot read {}: {error}; {}", file.display(), HINT)))?;
        let values = match serde_json::from_str(&text) {
            Ok(Value::Object(values)) => values,
            Ok(_) => return Err(bad_model(format!("{} is not a JSON object; {HINT}", file.display()))),
            Err(error) => {
                return Err(bad_model(format!("{} is not valid JSON: {error}; {HINT}", file.display())));
            }
        };
        Ok(Self { file: file.to_owned(), at: String::new(), values })
    }

    /// A value made in memory, which errors call by `name`.
    pub(crate) fn of(name: &str, value: Value) -> Result<Self, EngineError> {
        match value {
            Value::Object(values) => Ok(Self { file: name.into(), at: String::new(), values }),
            _ => Err(bad_model(format!("{name} is not a JSON object; {HINT}"))),
        }
    }

    fn key(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// An error about `key`.
    pub(crate) fn wrong(&self, key: &str, what: &str) -> EngineError {
        bad_model(format!("{}: key `{}` {what}; {HINT}", self.file.display(), self.key(key)))
    }

    /// What attention relies on, of the three keys that every section with layers has.
    pub(crate) fn check_heads(&self, heads: i64, kv_heads: i64, head_dim: i64) -> Result<(), EngineError> {
        if heads % kv_heads != 0 {
            return Err(self.wrong("num_key_value_heads", "does not divide num_attention_heads"));
        }
        if head_dim % 2 != 0 {
            return Err(self.wrong("head_dim", "is odd"));
        }
        if head_dim == 0 {
            return Err(self.wrong("head_dim", "is missing, and hidden_size is below num_attention_heads"));
        }
        Ok(())
    }

    /// Absent and `null` are the same, as the published files have both.
    fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    fn need<T>(&self, key: &str, found: Option<T>) -> Result<T, EngineError> {
        found.ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(crate) fn section(&self, key: &str) -> Result<Self, EngineError> {
        self.need(key, self.maybe_section(key)?)
    }

    pub(crate) fn maybe_section(&self, key: &str) -> Result<Option<Self>, EngineError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(values)) => {
                Ok(Some(Self { file: self.file.clone(), at: self.key(key), values: values.clone() }))
            }
            Some(_) => Err(self.wrong(key, "is not an object")),
        }
    }

    /// A size: an integer from 1 to a thousand million, so that products of two stay within 64 bits.
    fn maybe_size(&self, key: &str) -> Result<Option<i64>, EngineError> {
        match self.maybe_id(key)? {
            Some(0) => Err(self.wrong(key, "must not be 0")),
            size => Ok(size),
        }
    }

    pub(crate) fn size(&self, key: &str) -> Result<i64, EngineError> {
        self.need(key, self.maybe_size(key)?)
    }

    pub(crate) fn size_or(&self, key: &str, default: i64) -> Result<i64, EngineError> {
        Ok(self.maybe_size(key)?.unwrap_or(default))
    }

    /// A number of things, of which there may be none.
    pub(crate) fn count_or(&self, key: &str, default: i64) -> Result<i64, EngineError> {
        Ok(self.maybe_id(key)?.unwrap_or(default))
    }

    fn maybe_id(&self, key: &str) -> Result<Option<i64>, EngineError> {
        self.get(key)
            .map(|value| {
                as_id(value).ok_or_else(|| self.wrong(key, "is not an integer from 0 to 1000000000"))
            })
            .transpose()
    }

    /// A token id: as a size, but 0 is one too.
    pub(crate) fn id(&self, key: &str) -> Result<i64, EngineError> {
        self.need(key, self.maybe_id(key)?)
    }

    fn maybe_float(&self, key: &str) -> Result<Option<f64>, EngineError> {
        self.get(key)
            .map(|value| {
                value.as_f64().filter(|x| x.is_finite()).ok_or_else(|| self.wrong(key, "is not a number"))
            })
            .transpose()
    }

    pub(crate) fn float_or(&self, key: &str, default: f64) -> Result<f64, EngineError> {
        Ok(self.maybe_float(key)?.unwrap_or(default))
    }

    pub(crate) fn float(&self, key: &str) -> Result<f64, EngineError> {
        self.need(key, self.maybe_float(key)?)
    }

    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool, EngineError> {
        self.get(key)
            .map(|value| value.as_bool().ok_or_else(|| self.wrong(key, "is neither true nor false")))
            .transpose()
            .map(|flag| flag.unwrap_or(default))
    }

    pub(crate) fn string(&self, key: &str) -> Result<String, EngineError> {
        self.need(key, self.maybe_string(key)?)
    }

    pub(crate) fn maybe_string(&self, key: &str) -> Result<Option<String>, EngineError> {
        self.get(key)
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(key, "is not a string")))
            .transpose()
    }

    pub(crate) fn sizes_or(&self, key: &str, default: &[i64]) -> Result<Vec<i64>, EngineError> {
        let Some(value) = self.get(key) else { return Ok(default.to_vec()) };
        value
            .as_array()
            .and_then(|values| values.iter().map(|v| as_id(v).filter(|&size| size > 0)).collect())
            .ok_or_else(|| self.wrong(key, "is not a list of positive integers"))
    }

    /// A map from names (in lower case, as they are matched) to token ids.
    pub(crate) fn ids(&self, key: &str) -> Result<BTreeMap<String, i64>, EngineError> {
        let Some(section) = self.maybe_section(key)? else { return Ok(BTreeMap::new()) };
        section.values.keys().map(|name| Ok((name.to_lowercase(), section.id(name)?))).collect()
    }

    /// The values of a map of strings, which must be there.
    pub(crate) fn all_strings(&self, key: &str) -> Result<Vec<String>, EngineError> {
        let section = self.section(key)?;
        section.values.keys().map(|name| section.string(name)).collect()
    }

    /// A map from names to strings, where `false` stands for none.
    pub(crate) fn strings_or_false(&self, key: &str) -> Result<BTreeMap<String, String>, EngineError> {
        let Some(section) = self.maybe_section(key)? else { return Ok(BTreeMap::new()) };
        section
            .values
            .iter()
            .filter(|(_, value)| *value != &Value::Bool(false))
            .map(|(name, _)| Ok((name.to_lowercase(), section.string(name)?.to_lowercase())))
            .collect()
    }
}

/// What to do about any of these.
const HINT: &str = "is this a complete Qwen3-TTS 12 Hz checkpoint folder?";

fn as_id(value: &Value) -> Option<i64> {
    value.as_i64().filter(|id| (0..=1_000_000_000).contains(id))
}
