//! A published Qwen3-TTS checkpoint folder, as far as it can be known without touching a tensor.
//!
//! Its configuration says which kind it is and whose voices it has; the headers of its weight files say
//! whether they are whole. What is wrong is told with the key, the tensor or the file. Whether every tensor
//! of the networks is there with its shape, the worker finds when it loads them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use narrator_engine::VoiceInfo;
use serde::Serialize;
use serde_json::{Map, Value};

use super::language;
use crate::error::Failure;
use crate::exit::Exit;

/// The engine's name in the worker's registry.
pub const QWEN3_TTS: &str = "qwen3-tts";

/// The voice that a custom-voice model speaks with when none is asked for: its English-speaking narrator.
const PREFERRED: &str = "ryan";

/// A safetensors header is refused above this, as the format's own readers refuse it.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// Where a checkpoint's voices come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Takes a voice from a clip.
    Base,
    /// Has voices by name.
    CustomVoice,
    /// Makes a voice from a description.
    VoiceDesign,
}

/// What a checkpoint folder says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    pub kind: Kind,
    /// Voices of its own, the default first.
    pub voices: Vec<VoiceInfo>,
    /// Languages that it was taught, by their English names in lower case.
    languages: BTreeSet<String>,
    /// The 0.6B model, as the configuration calls it.
    pub small: bool,
    /// Files that decide how it sounds, in the order of their names.
    pub files: Vec<String>,
}

impl Checkpoint {
    /// Whether `dir` claims to be one, whole or not.
    pub fn is_at(dir: &Path) -> bool {
        dir.join("config.json").exists()
    }

    /// Reads the checkpoint in `dir`; refuses one that is not whole, naming what is missing or wrong.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        let config = Json::read(dir, "config.json")?;
        match config.text("model_type")? {
            "qwen3_tts" => {}
            other => {
                return Err(config.wrong("model_type", &format!("is `{other}` and must be `qwen3_tts`")));
            }
        }
        let kind = match config.text("tts_model_type")? {
            "base" => Kind::Base,
            "custom_voice" => Kind::CustomVoice,
            "voice_design" => Kind::VoiceDesign,
            other => {
                let what = format!("is `{other}` and must be base, custom_voice or voice_design");
                return Err(config.wrong("tts_model_type", &what));
            }
        };
        let languages = config.names("talker_config", "codec_language_id")?;
        let voices = if kind == Kind::CustomVoice { speakers(&config)? } else { Vec::new() };
        let small = config.values.get("tts_model_size").and_then(Value::as_str) == Some("0b6");
        Ok(Self { kind, voices, languages, small, files: files(dir)? })
    }

    /// Whether it was taught the language of a BCP 47 tag.
    pub fn speaks(&self, tag: &str) -> bool {
        language::name(tag).is_some_and(|name| self.languages.contains(name))
    }
}

/// A JSON object of a checkpoint, with errors that name the file and the key.
struct Json {
    file: String,
    values: Map<String, Value>,
}

impl Json {
    fn read(dir: &Path, name: &str) -> Result<Self, Failure> {
        let path = dir.join(name);
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| damaged(format!("cannot read {file}")).because(error))?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(values)) => Ok(Self { file, values }),
            Ok(_) => Err(damaged(format!("{file} is not a JSON object"))),
            Err(error) => Err(damaged(format!("{file} is not valid JSON: {error}"))),
        }
    }

    fn wrong(&self, key: &str, what: &str) -> Failure {
        damaged(format!("{}: key `{key}` {what}", self.file))
    }

    fn text(&self, key: &str) -> Result<&str, Failure> {
        match self.values.get(key) {
            None | Some(Value::Null) => Err(self.wrong(key, "is missing")),
            Some(value) => value.as_str().ok_or_else(|| self.wrong(key, "is not a string")),
        }
    }

    fn object(&self, path: [&str; 2]) -> Result<&Map<String, Value>, Failure> {
        let mut values = &self.values;
        for (depth, key) in path.iter().enumerate() {
            let name = path[..=depth].join(".");
            values = match values.get(*key) {
                None | Some(Value::Null) => return Err(self.wrong(&name, "is missing")),
                Some(value) => value.as_object().ok_or_else(|| self.wrong(&name, "is not an object"))?,
            };
        }
        Ok(values)
    }

    /// The names in an object, in lower case, as they are matched.
    fn names(&self, section: &str, key: &str) -> Result<BTreeSet<String>, Failure> {
        Ok(self.object([section, key])?.keys().map(|name| name.to_lowercase()).collect())
    }
}

/// What to do about a folder that is not whole.
fn damaged(message: String) -> Failure {
    Failure::new(Exit::BadSettings, message)
        .hint("is this a complete Qwen3-TTS 12 Hz checkpoint folder? `narratord models pull` brings one")
}

/// A custom-voice model's speakers, the default first.
fn speakers(config: &Json) -> Result<Vec<VoiceInfo>, Failure> {
    let names = config.names("talker_config", "spk_id")?;
    if names.is_empty() {
        return Err(config.wrong("talker_config.spk_id", "names no speaker"));
    }
    let dialects = config.object(["talker_config", "spk_is_dialect"]).ok();
    let dialect = |name: &str| {
        let (_, dialect) = dialects?.iter().find(|(speaker, _)| speaker.to_lowercase() == name)?;
        dialect.as_str()
    };
    let info = |name: &String| VoiceInfo {
        name: name.clone(),
        // Each speaks every language of the model.
        language: "und".into(),
        description: dialect(name).map_or_else(String::new, |dialect| dialect.replace('_', " ")),
    };
    let mut voices: Vec<VoiceInfo> = names.iter().map(info).collect();
    voices.sort_by_key(|voice| voice.name != PREFERRED);
    Ok(voices)
}

/// Files that decide how the checkpoint sounds. Weight files are checked to be whole.
fn files(dir: &Path) -> Result<Vec<String>, Failure> {
    let mut files = vec!["config.json".to_string()];
    if dir.join("generation_config.json").exists() {
        files.push("generation_config.json".into());
    }
    for needed in ["merges.txt", "vocab.json", "speech_tokenizer/config.json"] {
        if !dir.join(needed).is_file() {
            return Err(damaged(format!("{} is missing", dir.join(needed).display())));
        }
        files.push(needed.into());
    }
    Json::read(dir, "speech_tokenizer/config.json")?;
    for part in ["", "speech_tokenizer/"] {
        for weights in weight_files(dir, part)? {
            if is_weights(&weights) {
                check_whole(&dir.join(&weights))?;
            }
            files.push(weights);
        }
    }
    files.sort();
    Ok(files)
}

fn is_weights(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "safetensors")
}

/// `model.safetensors`, or the index and the shards that it names, below `part`.
fn weight_files(dir: &Path, part: &str) -> Result<Vec<String>, Failure> {
    let whole = format!("{part}model.safetensors");
    if dir.join(&whole).exists() {
        return Ok(vec![whole]);
    }
    let index = format!("{part}model.safetensors.index.json");
    if !dir.join(&index).exists() {
        return Err(damaged(format!(
            "{} has neither model.safetensors nor model.safetensors.index.json",
            dir.join(part).display()
        )));
    }
    let json = Json::read(dir, &index)?;
    let Some(Value::Object(map)) = json.values.get("weight_map") else {
        return Err(json.wrong("weight_map", "is missing or not an object"));
    };
    let mut shards = BTreeSet::new();
    for (tensor, shard) in map {
        let key = || format!("weight_map.{tensor}");
        let shard = shard.as_str().ok_or_else(|| json.wrong(&key(), "is not a string"))?;
        if Path::new(shard).components().count() != 1 || shard.contains("..") {
            return Err(json.wrong(&key(), &format!("names a file outside the folder: `{shard}`")));
        }
        if !dir.join(format!("{part}{shard}")).exists() {
            let what = format!("names `{shard}`, which is missing from {}", dir.display());
            return Err(json.wrong(&key(), &what));
        }
        shards.insert(format!("{part}{shard}"));
    }
    Ok(std::iter::once(index).chain(shards).collect())
}

/// Reads a safetensors header and compares it with the file's length.
fn check_whole(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let broken = |what: String| damaged(format!("{shown} {what}"));
    let mut file = File::open(path).map_err(|error| Failure::io("read", path, error))?;
    let bytes = file.metadata().map_err(|error| Failure::io("read", path, error))?.len();
    let mut length = [0; 8];
    if file.read_exact(&mut length).is_err() {
        return Err(broken(format!("is cut short: it has {bytes} bytes and not even a header")));
    }
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER_BYTES {
        return Err(broken("is not a safetensors file: its header would be larger than any".into()));
    }
    let mut header = vec![0; length as usize];
    if file.read_exact(&mut header).is_err() {
        return Err(broken(format!("is cut short: it ends at byte {bytes}, inside its header")));
    }
    let header: Map<String, Value> = serde_json::from_slice(&header)
        .map_err(|error| broken(format!("is not a safetensors file: its header is not JSON: {error}")))?;
    let ends = header.iter().filter(|(name, _)| *name != "__metadata__").map(|(name, info)| {
        let end = info.get("data_offsets").and_then(|offsets| offsets.get(1)).and_then(Value::as_u64);
        (name, end.and_then(|end| end.checked_add(8 + length)))
    });
    let mut last = 8 + length;
    let mut cut: Option<(&String, u64)> = None;
    for (name, end) in ends {
        let Some(end) = end else {
            return Err(broken(format!("has no place for tensor `{name}` in its header")));
        };
        last = last.max(end);
        if end > bytes && cut.is_none_or(|(_, first)| end < first) {
            cut = Some((name, end));
        }
    }
    if let Some((name, end)) = cut {
        return Err(broken(format!(
            "is cut short: tensor `{name}` ends at byte {end} and the file at {bytes}; fetch it again"
        )));
    }
    if bytes > last {
        return Err(broken(format!("goes on after its last tensor: {bytes} bytes instead of {last}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A safetensors file of one tensor of four bytes, and `more` bytes than that.
    fn weights(path: &Path, more: i64) {
        let header = r#"{"a.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize((bytes.len() as i64 + 4 + more) as usize, 0);
        std::fs::write(path, bytes).unwrap();
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("speech_tokenizer")).unwrap();
        let config = r#"{"model_type":"qwen3_tts","tts_model_type":"custom_voice","tts_model_size":"0b6",
            "talker_config":{"codec_language_id":{"english":1,"chinese":2},
            "spk_id":{"Vivian":1,"Ryan":2,"Eric":3},"spk_is_dialect":{"Eric":"sichuan_dialect","Ryan":false}}}"#;
        for (name, text) in [
            ("config.json", config),
            ("vocab.json", "{}"),
            ("merges.txt", ""),
            ("speech_tokenizer/config.json", "{}"),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        weights(&dir.path().join("model.safetensors"), 0);
        weights(&dir.path().join("speech_tokenizer/model.safetensors"), 0);
        dir
    }

    #[test]
    fn a_folder_tells_its_kind_its_voices_and_its_files() {
        let dir = folder();
        let checkpoint = Checkpoint::read(dir.path()).unwrap();
        assert_eq!((checkpoint.kind, checkpoint.small), (Kind::CustomVoice, true));
        let names: Vec<&str> = checkpoint.voices.iter().map(|voice| voice.name.as_str()).collect();
        assert_eq!(names, ["ryan", "eric", "vivian"]);
        assert_eq!(checkpoint.voices[1].description, "sichuan dialect");
        assert!(checkpoint.speaks("en-GB") && checkpoint.speaks("zh") && !checkpoint.speaks("nl"));
        let files = ["config.json", "merges.txt", "model.safetensors"];
        let codec = ["speech_tokenizer/config.json", "speech_tokenizer/model.safetensors", "vocab.json"];
        assert_eq!(checkpoint.files, [files, codec].concat());
    }

    #[test]
    fn damage_is_told_by_its_name() {
        type Damage = fn(&Path);
        let damages: [(&str, Damage); 8] = [
            ("key `model_type` is missing", |dir| std::fs::write(dir.join("config.json"), "{}").unwrap()),
            ("config.json is not valid JSON", |dir| std::fs::write(dir.join("config.json"), "{").unwrap()),
            ("vocab.json is missing", |dir| std::fs::remove_file(dir.join("vocab.json")).unwrap()),
            ("has neither model.safetensors", |dir| {
                std::fs::remove_file(dir.join("model.safetensors")).unwrap();
            }),
            ("tensor `a.weight` ends at byte", |dir| weights(&dir.join("model.safetensors"), -1)),
            ("goes on after its last tensor", |dir| weights(&dir.join("model.safetensors"), 3)),
            ("inside its header", |dir| {
                std::fs::write(dir.join("model.safetensors"), 99_u64.to_le_bytes()).unwrap();
            }),
            ("key `weight_map.x` names `gone.safetensors`", |dir| {
                std::fs::remove_file(dir.join("model.safetensors")).unwrap();
                let index = r#"{"weight_map":{"x":"gone.safetensors"}}"#;
                std::fs::write(dir.join("model.safetensors.index.json"), index).unwrap();
            }),
        ];
        for (expected, damage) in damages {
            let dir = folder();
            damage(dir.path());
            let failure = Checkpoint::read(dir.path()).unwrap_err();
            assert_eq!(failure.exit, Exit::BadSettings);
            assert!(failure.message.contains(expected), "{} lacks {expected}", failure.message);
        }
    }
}
