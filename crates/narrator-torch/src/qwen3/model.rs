//! A checkpoint in memory: everything that a folder holds, ready to speak.

use std::path::Path;

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::codec::{CodecDecoder, CodecEncoder};
use super::config::{CodecConfig, GenerationConfig, ModelConfig, ModelKind};
use super::forge::{Forge, ForgeSize, forged_configs};
use super::prompt::{self, Prompt, Utterance};
use super::source::{Folder, Loader, Mappings, weight_bytes};
use super::speaker::SpeakerEncoder;
use super::talker::{Predictor, Talker};
use super::tokenizer::TextTokenizer;
use super::voice::{CloneContext, ClonePrompt};
use crate::error::{Doing, bad_request};

/// What weights and activations are held in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbers {
    Float32,
    BFloat16,
    Float16,
}

impl Numbers {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Float32 => Kind::Float,
            Self::BFloat16 => Kind::BFloat16,
            Self::Float16 => Kind::Half,
        }
    }

    /// Bytes of one.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Float32 => 4,
            Self::BFloat16 | Self::Float16 => 2,
        }
    }
}

impl std::str::FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "float32" => Ok(Self::Float32),
            "bfloat16" => Ok(Self::BFloat16),
            "float16" => Ok(Self::Float16),
            _ => Err(format!("`{text}` is not a precision: give float32, bfloat16 or float16")),
        }
    }
}

/// How a checkpoint is brought into memory.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub device: crate::Device,
    /// Of the talker and the code predictor.
    pub numbers: Numbers,
    /// Of the codec's decoder.
    pub codec: Numbers,
    /// Tokens that a prompt with its frames may have.
    pub positions: u32,
    /// Matrices that read the same input in one: fewer operations, for a GPU.
    pub joined: bool,
    /// The text embedding, a sixth of the 1.7B model, stays in the host's memory.
    pub text_on_host: bool,
    /// Rows that the codec decodes together.
    pub codec_rows: usize,
}

impl Default for Manner {
    /// Float32 on the CPU, as comparisons want it.
    fn default() -> Self {
        let numbers = Numbers::Float32;
        Self {
            device: crate::Device::Cpu,
            numbers,
            codec: numbers,
            positions: 4096,
            joined: false,
            text_on_host: false,
            codec_rows: CODEC_ROWS_CPU,
        }
    }
}

/// Rows that a CPU decodes together. A row's widest tensors are 4 MB a chunk: those of more rows leave the
/// caches between one pass and the next (measured with 1.7B in bfloat16 on two cores, 16 rows: see
/// docs/benchmarks.md). A GPU wants as many as its memory holds.
const CODEC_ROWS_CPU: usize = 2;

/// Where a checkpoint has its codec.
pub(super) const CODEC_FOLDER: &str = "speech_tokenizer";

impl Manner {
    pub(crate) fn kind(&self) -> Kind {
        self.numbers.kind()
    }

    pub(crate) fn tch_device(&self) -> Device {
        self.device.tch()
    }

    /// Where tables of which few rows are used lie.
    fn tables(&self) -> Device {
        if self.text_on_host { Device::Cpu } else { self.tch_device() }
    }
}

/// A loaded checkpoint.
#[derive(Debug)]
pub struct Qwen3Tts {
    pub(crate) config: ModelConfig,
    pub(crate) codec_config: CodecConfig,
    pub(crate) generation: GenerationConfig,
    pub(crate) manner: Manner,
    /// Absent where weights were forged in place.
    tokenizer: Option<TextTokenizer>,
    pub(crate) talker: Talker,
    pub(crate) predictor: Predictor,
    pub(crate) decoder: CodecDecoder,
    /// Present in base models alone.
    cloning: Option<(CodecEncoder, SpeakerEncoder)>,
    /// What the tensors above may lie in; dropped after them.
    _mappings: Vec<Mappings>,
}

/// Where in `config.json` tensors stand: everything that `model.safetensors` holds.
pub(super) fn load_model(
    loader: &Loader,
    config: &ModelConfig,
    manner: &Manner,
) -> Result<(Talker, Predictor, Option<SpeakerEncoder>), EngineError> {
    let talker = loader.at("talker");
    Ok((
        Talker::load(&talker, &config.talker, i64::from(manner.positions), manner.joined)?,
        Predictor::load(&talker.at("code_predictor"), &config.talker, manner.joined)?,
        config
            .speaker
            .as_ref()
            .map(|speaker| SpeakerEncoder::load(&loader.at("speaker_encoder"), speaker))
            .transpose()?,
    ))
}

/// Everything that `speech_tokenizer/model.safetensors` holds; the encoder is for cloning alone.
pub(super) fn load_codec(
    loader: &Loader,
    config: &CodecConfig,
    encoder: bool,
    rows: usize,
) -> Result<(CodecDecoder, Option<CodecEncoder>), EngineError> {
    let decoder = CodecDecoder::load(&loader.at("decoder"), &config.decoder, rows)?;
    let encoder = encoder
        .then(|| CodecEncoder::load(&loader.at("encoder"), &config.encoder, config.samples_per_code))
        .transpose()?;
    Ok((decoder, encoder))
}

impl Qwen3Tts {
    /// Loads the checkpoint in `dir`. `progress` is told bytes done and bytes in all.
    pub fn load(dir: &Path, manner: Manner, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, EngineError> {
        crate::device::open(manner.device)?;
        let codec_dir = dir.join(CODEC_FOLDER);
        let config = ModelConfig::read(dir)?;
        let codec_config = CodecConfig::read(&codec_dir)?;
        let generation = GenerationConfig::read(dir)?;
        check_codebooks(&config, &codec_config)?;
        let tokenizer = TextTokenizer::read(dir, config.text, config.talker.text_vocab)?;
        let (own, codec) = (weight_bytes(dir)?, weight_bytes(&codec_dir)?);

        let folder = Folder::open(dir, 0, own + codec, progress)?;
        let loader = Loader::new(&folder, manner.kind(), manner.tch_device());
        let loader = loader.with_tables(manner.tables());
        let (talker, predictor, speaker) = load_model(&loader, &config, &manner)?;
        let mut mappings = vec![folder.mappings()];
        drop(folder);

        let folder = Folder::open(&codec_dir, own, own + codec, progress)?;
        let loader = Loader::new(&folder, manner.codec.kind(), manner.tch_device());
        let (decoder, encoder) = load_codec(&loader, &codec_config, speaker.is_some(), manner.codec_rows)?;
        mappings.push(folder.mappings());
        drop(folder);
        progress(own + codec, own + codec);
        Ok(Self {
            config,
            codec_config,
            generation,
            manner,
            tokenizer: Some(tokenizer),
            talker,
            predictor,
            decoder,
            cloning: encoder.zip(speaker),
            _mappings: mappings,
        })
    }

    /// Makes a model of random numbers in memory, for measuring speed where no checkpoint is. It has no
    /// tokenizer: prompts for it are made by `noise_prompt`.
    pub fn forge(size: ForgeSize, seed: u64, manner: Manner) -> Result<Self, EngineError> {
        /// Any number: a model without a tokenizer reads no text.
        const VOCAB: i64 = 512;
        crate::device::open(manner.device)?;
        let (config, codec_config) = forged_configs(ModelKind::VoiceDesign, size, VOCAB);
        let config = ModelConfig::from_json(config)?;
        let codec_config = CodecConfig::from_json(codec_config)?;
        let forge = Forge::new(seed, manner.kind());
        let loader = Loader::new(&forge, manner.kind(), manner.tch_device());
        let loader = loader.with_tables(manner.tables());
        let (talker, predictor, _) = load_model(&loader, &config, &manner)?;
        let forge = Forge::new(seed, manner.codec.kind());
        let loader = Loader::new(&forge, manner.codec.kind(), manner.tch_device());
        let (decoder, _) = load_codec(&loader, &codec_config, false, manner.codec_rows)?;
        Ok(Self {
            config,
            codec_config,
            generation: GenerationConfig::default(),
            manner,
            tokenizer: None,
            talker,
            predictor,
            decoder,
            cloning: None,
            _mappings: Vec::new(),
        })
    }

    /// Changes what rows may hold and how many are decoded together, once it is known what memory there is.
    /// Never to more positions than the model was loaded for.
    pub(crate) fn shorten(&mut self, positions: u32, codec_rows: usize) {
        self.manner.positions = positions.min(self.manner.positions);
        self.decoder.set_together(codec_rows);
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub fn generation(&self) -> GenerationConfig {
        self.generation
    }

    pub fn sample_rate(&self) -> u32 {
        self.codec_config.sample_rate as u32
    }

    fn tokenizer(&self) -> Result<&TextTokenizer, EngineError> {
        self.tokenizer.as_ref().ok_or_else(|| bad_request("a model forged in place has no tokenizer"))
    }

    pub(crate) fn prompt(&self, utterance: &Utterance) -> Result<Prompt, EngineError> {
        prompt::build(&self.config, self.tokenizer()?, &self.talker, &self.predictor, utterance)
    }

    /// A prompt of `length` random rows, for measurements.
    pub(crate) fn noise_prompt(&self, length: i64) -> Result<Prompt, EngineError> {
        let shape = [length, self.config.talker.stack.hidden];
        let noise = |shape: [i64; 2]| {
            Tensor::f_randn(shape, (Kind::Float, Device::Cpu))?
                .f_to_device(self.manner.tch_device())?
                .f_to_kind(self.manner.kind())
        };
        Ok(Prompt {
            text_ids: Vec::new(),
            content: length as usize,
            embeds: noise(shape).doing("making a prompt")?,
            pad: noise([1, shape[1]]).doing("making a prompt")?,
        })
    }

    /// A voice from mono samples at [`Self::sample_rate`]; with the words of the clip, in context.
    pub fn clone_voice(&self, samples: &[f32], text: Option<&str>) -> Result<ClonePrompt, EngineError> {
        let _no_grad = tch::no_grad_guard();
        let Some((encoder, speaker_encoder)) = &self.cloning else {
            return Err(bad_request(format!(
                "a voice is cloned by a base model, and the loaded one is {}",
                self.config.kind.name()
            )));
        };
        if speaker_encoder.sample_rate() != self.codec_config.sample_rate {
            return Err(bad_request("the model's speaker encoder and codec have different sample rates"));
        }
        if samples.iter().any(|sample| !sample.is_finite()) {
            return Err(bad_request("the reference clip has samples that are not numbers"));
        }
        let speaker =
            speaker_encoder.encode(samples)?.f_to_device(Device::Cpu).doing("keeping the speaker")?;
        let context = match text {
            None => None,
            Some(text) => {
                // Refused here, not at the first segment of a book.
                self.tokenizer()?.content(text)?;
                let codes = encoder.encode(samples)?;
                let mut primed = self.decoder.fresh().doing("priming the codec")?;
                let batch = codes.f_unsqueeze(0).doing("priming the codec")?;
                let _ = self.decoder.decode(&batch, &mut [&mut primed]).doing("priming the codec")?;
                Some(CloneContext { text: text.trim().to_owned(), codes, primed })
            }
        };
        Ok(ClonePrompt { speaker, context })
    }

    /// Reads a voice that [`ClonePrompt::save`] wrote, and checks that it fits this checkpoint.
    pub fn load_voice(&self, path: &Path) -> Result<ClonePrompt, EngineError> {
        let voice = ClonePrompt::load(path, self.manner.codec.kind(), self.manner.tch_device())?;
        let hidden = self.config.talker.stack.hidden;
        let fits = voice.speaker.size() == [hidden]
            && voice.context.as_ref().is_none_or(|context| {
                let codes = context.codes.size();
                codes.len() == 2
                    && codes[1] == self.config.talker.codebooks
                    && self.decoder.accepts(&context.primed)
            });
        if fits {
            Ok(voice)
        } else {
            Err(bad_request(format!(
                "the voice {} was made by another checkpoint; make it again",
                path.display()
            )))
        }
    }
}

/// The talker's frames must be what the codec decodes.
fn check_codebooks(config: &ModelConfig, codec: &CodecConfig) -> Result<(), EngineError> {
    let (talker, decoder) = (&config.talker, &codec.decoder);
    if talker.codebooks != decoder.codebooks || talker.predictor.vocab > decoder.codebook_size {
        return Err(crate::error::bad_model(format!(
            "config.json has {} codes a frame of {} kinds, and speech_tokenizer/config.json {} of {}: the two \
             are not of one checkpoint",
            talker.codebooks, talker.predictor.vocab, decoder.codebooks, decoder.codebook_size
        )));
    }
    Ok(())
}
