//! `config.json` and `generation_config.json`: the talker, its code predictor, the speaker encoder.

use std::collections::BTreeMap;
use std::path::Path;

use narrator_engine::EngineError;

use super::section::Section;

/// Which of the three published families a checkpoint is of: it decides where its voices come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModelKind {
    /// Clones a voice from a clip.
    Base,
    /// Has voices of its own, by name.
    CustomVoice,
    /// Makes a voice from a description.
    VoiceDesign,
}

impl ModelKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::CustomVoice => "custom_voice",
            Self::VoiceDesign => "voice_design",
        }
    }
}

/// Dimensions of a stack of decoder layers; the talker and the code predictor each have one.
#[derive(Clone, PartialEq, Debug)]
pub struct StackConfig {
    pub layers: i64,
    /// Width of the residual stream.
    pub hidden: i64,
    /// Width inside the feed-forward block.
    pub inner: i64,
    pub heads: i64,
    /// Heads of keys and values; every one serves `heads / kv_heads` query heads.
    pub kv_heads: i64,
    /// Not `hidden / heads`: the smaller talker has 16 heads of 128 on a width of 1024.
    pub head_dim: i64,
    pub norm_eps: f64,
    pub rope_theta: f64,
    /// Highest position for which the model was made.
    pub max_positions: i64,
    /// Size of an output vocabulary.
    pub vocab: i64,
}

/// Ids of the codec vocabulary that are no sounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecIds {
    pub pad: i64,
    pub bos: i64,
    /// End of speech.
    pub eos: i64,
    pub think: i64,
    pub nothink: i64,
    pub think_bos: i64,
    pub think_eos: i64,
}

/// The talker: text and codes in, the first code of every frame out.
#[derive(Clone, PartialEq, Debug)]
pub struct TalkerConfig {
    pub stack: StackConfig,
    pub text_vocab: i64,
    /// Width of the text embedding, before its projection to `stack.hidden`.
    pub text_hidden: i64,
    /// Codes in a frame.
    pub codebooks: i64,
    pub ids: CodecIds,
    /// Language names, and dialects among them, to codec ids.
    pub languages: BTreeMap<String, i64>,
    /// Speaker names to codec ids; empty unless the model has voices of its own.
    pub speakers: BTreeMap<String, i64>,
    /// Speakers of a dialect, to the language name of it.
    pub dialects: BTreeMap<String, String>,
    pub predictor: StackConfig,
}

/// The network that turns a clip into one vector, the speaker.
#[derive(Clone, PartialEq, Debug)]
pub struct SpeakerConfig {
    pub mel_bins: i64,
    /// Size of the vector, which is the talker's width.
    pub out: i64,
    pub channels: Vec<i64>,
    pub kernels: Vec<i64>,
    pub dilations: Vec<i64>,
    pub attention: i64,
    pub res2net_scale: i64,
    pub squeeze: i64,
    pub sample_rate: i64,
}

/// Ids of the text vocabulary that are no text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextIds {
    pub im_start: i64,
    pub im_end: i64,
    pub pad: i64,
    pub bos: i64,
    pub eos: i64,
}

/// How codes are chosen, of the talker or of the predictor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SamplingConfig {
    /// False: always the likeliest.
    pub sample: bool,
    pub temperature: f32,
    /// 0: no limit.
    pub top_k: usize,
    pub top_p: f32,
}

/// `generation_config.json`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GenerationConfig {
    pub talker: SamplingConfig,
    pub predictor: SamplingConfig,
    pub repetition_penalty: f32,
    /// Frames that a row may have at most, whatever its text.
    pub max_frames: usize,
}

/// A whole checkpoint's configuration, without its codec's.
#[derive(Clone, PartialEq, Debug)]
pub struct ModelConfig {
    pub kind: ModelKind,
    /// As the file says it, `0b6` or `1b7`; only the larger custom-voice model takes instructions.
    pub size: String,
    pub text: TextIds,
    pub talker: TalkerConfig,
    /// Present in base models alone.
    pub speaker: Option<SpeakerConfig>,
}

impl ModelConfig {
    /// Reads `config.json` in `dir`.
    pub fn read(dir: &Path) -> Result<Self, EngineError> {
        Self::of(&Section::read(&dir.join("config.json"))?)
    }

    pub(crate) fn from_json(value: serde_json::Value) -> Result<Self, EngineError> {
        Self::of(&Section::of("config.json", value)?)
    }

    fn of(top: &Section) -> Result<Self, EngineError> {
        let model_type = top.string("model_type")?;
        if model_type != "qwen3_tts" {
            return Err(top.wrong("model_type", &format!("is `{model_type}` and must be `qwen3_tts`")));
        }
        let tokenizer = top.string("tokenizer_type")?;
        if tokenizer != "qwen3_tts_tokenizer_12hz" {
            return Err(top.wrong(
                "tokenizer_type",
                &format!("is `{tokenizer}`, and only `qwen3_tts_tokenizer_12hz` is supported"),
            ));
        }
        let kind = match top.string("tts_model_type")?.as_str() {
            "base" => ModelKind::Base,
            "custom_voice" => ModelKind::CustomVoice,
            "voice_design" => ModelKind::VoiceDesign,
            other => {
                return Err(top.wrong(
                    "tts_model_type",
                    &format!("is `{other}` and must be base, custom_voice or voice_design"),
                ));
            }
        };
        let talker = talker(&top.section("talker_config")?)?;
        let speaker = match kind {
            ModelKind::Base => Some(speaker(&top.section("speaker_encoder_config")?, &talker)?),
            _ => None,
        };
        let text = TextIds {
            im_start: top.id("im_start_token_id")?,
            im_end: top.id("im_end_token_id")?,
            pad: top.id("tts_pad_token_id")?,
            bos: top.id("tts_bos_token_id")?,
            eos: top.id("tts_eos_token_id")?,
        };
        for (key, id) in [
            ("im_start_token_id", text.im_start),
            ("im_end_token_id", text.im_end),
            ("tts_pad_token_id", text.pad),
            ("tts_bos_token_id", text.bos),
            ("tts_eos_token_id", text.eos),
        ] {
            if id >= talker.text_vocab {
                return Err(top.wrong(key, "is not below talker_config.text_vocab_size"));
            }
        }
        let size = top.maybe_string("tts_model_size")?.unwrap_or_default();
        Ok(Self { kind, size, text, talker, speaker })
    }
}

fn stack(section: &Section) -> Result<StackConfig, EngineError> {
    let heads = section.size("num_attention_heads")?;
    let kv_heads = section.size("num_key_value_heads")?;
    let head_dim = section.size("head_dim")?;
    section.check_heads(heads, kv_heads, head_dim)?;
    if section.flag_or("attention_bias", false)? {
        return Err(section.wrong("attention_bias", "is true, which no published checkpoint has"));
    }
    if section.maybe_string("hidden_act")?.is_some_and(|act| act != "silu") {
        return Err(section.wrong("hidden_act", "must be `silu`"));
    }
    Ok(StackConfig {
        layers: section.size("num_hidden_layers")?,
        hidden: section.size("hidden_size")?,
        inner: section.size("intermediate_size")?,
        heads,
        kv_heads,
        head_dim,
        norm_eps: section.float("rms_norm_eps")?,
        rope_theta: section.float("rope_theta")?,
        max_positions: section.size("max_position_embeddings")?,
        vocab: section.size("vocab_size")?,
    })
}

fn talker(section: &Section) -> Result<TalkerConfig, EngineError> {
    let stack_config = stack(section)?;
    // The reference's rotary embedding has three position axes, but a prompt without pictures gives all
    // three the same index, which makes it the plain one. Anything else than that is not this model.
    if let Some(scaling) = section.maybe_section("rope_scaling")? {
        let kind = scaling.maybe_string("rope_type")?.or(scaling.maybe_string("type")?);
        if kind.is_some_and(|kind| kind != "default") {
            return Err(scaling.wrong("rope_type", "must be `default`"));
        }
    }
    let ids = CodecIds {
        pad: section.id("codec_pad_id")?,
        bos: section.id("codec_bos_id")?,
        eos: section.id("codec_eos_token_id")?,
        think: section.id("codec_think_id")?,
        nothink: section.id("codec_nothink_id")?,
        think_bos: section.id("codec_think_bos_id")?,
        think_eos: section.id("codec_think_eos_id")?,
    };
    let languages = section.ids("codec_language_id")?;
    let speakers = section.ids("spk_id")?;
    let dialects = section.strings_or_false("spk_is_dialect")?;
    let vocab = stack_config.vocab;
    for (key, id) in [("codec_pad_id", ids.pad), ("codec_bos_id", ids.bos), ("codec_eos_token_id", ids.eos)] {
        if id >= vocab {
            return Err(section.wrong(key, "is not below vocab_size"));
        }
    }
    for (key, map) in [("codec_language_id", &languages), ("spk_id", &speakers)] {
        if map.values().any(|&id| id >= vocab) {
            return Err(section.wrong(key, "has an id that is not below vocab_size"));
        }
    }
    if let Some(dialect) = dialects.values().find(|dialect| !languages.contains_key(*dialect)) {
        return Err(
            section.wrong("spk_is_dialect", &format!("names `{dialect}`, which codec_language_id lacks"))
        );
    }
    let codebooks = section.size("num_code_groups")?;
    let predictor = section.section("code_predictor_config")?;
    if predictor.size_or("num_code_groups", codebooks)? != codebooks || codebooks < 2 {
        return Err(predictor.wrong("num_code_groups", "is not that of talker_config, or below 2"));
    }
    Ok(TalkerConfig {
        text_vocab: section.size("text_vocab_size")?,
        text_hidden: section.size("text_hidden_size")?,
        codebooks,
        ids,
        languages,
        speakers,
        dialects,
        predictor: stack(&predictor)?,
        stack: stack_config,
    })
}

/// Published files give `enc_dim` and `sample_rate` alone; the rest are the reference's own defaults.
fn speaker(section: &Section, talker: &TalkerConfig) -> Result<SpeakerConfig, EngineError> {
    let config = SpeakerConfig {
        mel_bins: section.size_or("mel_dim", 128)?,
        out: section.size_or("enc_dim", 1024)?,
        channels: section.sizes_or("enc_channels", &[512, 512, 512, 512, 1536])?,
        kernels: section.sizes_or("enc_kernel_sizes", &[5, 3, 3, 3, 1])?,
        dilations: section.sizes_or("enc_dilations", &[1, 2, 3, 4, 1])?,
        attention: section.size_or("enc_attention_channels", 128)?,
        res2net_scale: section.size_or("enc_res2net_scale", 8)?,
        squeeze: section.size_or("enc_se_channels", 128)?,
        sample_rate: section.size_or("sample_rate", 24_000)?,
    };
    let blocks = config.channels.len();
    if blocks < 3 || config.kernels.len() != blocks || config.dilations.len() != blocks {
        return Err(section.wrong("enc_channels", "must be as long as enc_kernel_sizes and enc_dilations"));
    }
    if config.channels[1..blocks - 1].iter().any(|c| c % config.res2net_scale != 0) {
        return Err(section.wrong("enc_res2net_scale", "does not divide enc_channels"));
    }
    if config.channels[1..blocks - 1].iter().sum::<i64>() != config.channels[blocks - 1] {
        return Err(section.wrong("enc_channels", "must end with the sum of the middle blocks"));
    }
    if config.out != talker.stack.hidden {
        return Err(section.wrong("enc_dim", "is not talker_config.hidden_size"));
    }
    Ok(config)
}

impl GenerationConfig {
    /// Reads `generation_config.json` in `dir`; an absent file or key means the published value.
    pub fn read(dir: &Path) -> Result<Self, EngineError> {
        let file = dir.join("generation_config.json");
        if !file.exists() {
            return Ok(Self::default());
        }
        let section = Section::read(&file)?;
        let published = Self::default();
        let sampling = |prefix: &str, sample: &str, default: SamplingConfig| -> Result<_, EngineError> {
            let temperature = format!("{prefix}temperature");
            let config = SamplingConfig {
                sample: section.flag_or(&format!("{prefix}{sample}"), default.sample)?,
                temperature: section.float_or(&temperature, f64::from(default.temperature))? as f32,
                top_k: section.count_or(&format!("{prefix}top_k"), default.top_k as i64)? as usize,
                top_p: section.float_or(&format!("{prefix}top_p"), f64::from(default.top_p))? as f32,
            };
            if config.temperature <= 0.0 {
                return Err(section.wrong(&temperature, "must be above 0"));
            }
            Ok(config)
        };
        let repetition_penalty =
            section.float_or("repetition_penalty", f64::from(published.repetition_penalty))? as f32;
        if repetition_penalty <= 0.0 {
            return Err(section.wrong("repetition_penalty", "must be above 0"));
        }
        Ok(Self {
            talker: sampling("", "do_sample", published.talker)?,
            predictor: sampling("subtalker_", "dosample", published.predictor)?,
            repetition_penalty,
            max_frames: section.size_or("max_new_tokens", published.max_frames as i64)? as usize,
        })
    }

    /// The same, but always the likeliest code: what comparisons between implementations use.
    #[must_use]
    pub fn greedy(mut self) -> Self {
        self.talker.sample = false;
        self.predictor.sample = false;
        self
    }
}

impl Default for GenerationConfig {
    /// The values of the published checkpoints.
    fn default() -> Self {
        let sampling = SamplingConfig { sample: true, temperature: 0.9, top_k: 50, top_p: 1.0 };
        Self { talker: sampling, predictor: sampling, repetition_penalty: 1.05, max_frames: 8192 }
    }
}
