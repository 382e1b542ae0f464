//! `speech_tokenizer/config.json`: the codec, from codes to samples and back.

use std::path::Path;

use narrator_engine::EngineError;

use super::section::Section;

/// The decoder: codes to samples.
#[derive(Clone, PartialEq, Debug)]
pub struct DecoderConfig {
    pub codebooks: i64,
    pub codebook_size: i64,
    /// Width of the quantised vector; each half of the split quantiser works in half of it.
    pub codebook_dim: i64,
    /// Width between the transformer and the convolutions.
    pub latent: i64,
    pub layers: i64,
    pub hidden: i64,
    pub inner: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub head_dim: i64,
    pub norm_eps: f64,
    pub rope_theta: f64,
    /// A frame attends to itself and to `window - 1` frames before it.
    pub window: i64,
    /// Channels of the first convolution; each block halves them.
    pub channels: i64,
    /// Factors of the upsampling before the convolutional blocks.
    pub upsampling: Vec<i64>,
    /// Factors of the convolutional blocks.
    pub rates: Vec<i64>,
}

impl DecoderConfig {
    /// Samples that one frame becomes.
    pub fn samples_per_frame(&self) -> i64 {
        self.upsampling.iter().product::<i64>() * self.rates.iter().product::<i64>()
    }
}

/// The encoder: samples to codes. Used on the reference clip of an in-context clone, once a voice.
#[derive(Clone, PartialEq, Debug)]
pub struct EncoderConfig {
    pub filters: i64,
    pub hidden: i64,
    pub kernel: i64,
    pub last_kernel: i64,
    pub residual_kernel: i64,
    pub residual_layers: i64,
    pub dilation_growth: i64,
    pub compress: i64,
    /// Strides in the order of the samples' way: the reverse of the file's `upsampling_ratios`.
    pub strides: Vec<i64>,
    pub layers: i64,
    pub inner: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub head_dim: i64,
    pub norm_eps: f64,
    pub rope_theta: f64,
    pub codebook_size: i64,
    pub codebook_dim: i64,
    pub quantizer_dim: i64,
    pub semantic: i64,
    /// Codebooks that the codec keeps: fewer than the encoder has.
    pub codebooks: i64,
    /// Codebooks in the file.
    pub stored_codebooks: i64,
}

/// Both directions.
#[derive(Clone, PartialEq, Debug)]
pub struct CodecConfig {
    pub sample_rate: i64,
    /// Samples that the encoder makes one frame of.
    pub samples_per_code: i64,
    pub decoder: DecoderConfig,
    pub encoder: EncoderConfig,
}

impl CodecConfig {
    /// Reads `config.json` in `dir`, a checkpoint's `speech_tokenizer`.
    pub fn read(dir: &Path) -> Result<Self, EngineError> {
        Self::of(&Section::read(&dir.join("config.json"))?)
    }

    pub(crate) fn from_json(value: serde_json::Value) -> Result<Self, EngineError> {
        Self::of(&Section::of("speech_tokenizer/config.json", value)?)
    }

    fn of(top: &Section) -> Result<Self, EngineError> {
        let kind = top.string("model_type")?;
        if kind != "qwen3_tts_tokenizer_12hz" {
            return Err(
                top.wrong("model_type", &format!("is `{kind}` and must be `qwen3_tts_tokenizer_12hz`"))
            );
        }
        let sample_rate = top.size_or("output_sample_rate", 24_000)?;
        if top.size_or("input_sample_rate", 24_000)? != sample_rate {
            return Err(top.wrong("input_sample_rate", "is not output_sample_rate"));
        }
        let codebooks = top.size_or("encoder_valid_num_quantizers", 16)?;
        let decoder = decoder(&top.section("decoder_config")?)?;
        if decoder.codebooks != codebooks {
            return Err(top.wrong("encoder_valid_num_quantizers", "is not decoder_config.num_quantizers"));
        }
        if top.size_or("decode_upsample_rate", 1920)? != decoder.samples_per_frame() {
            return Err(top.wrong("decode_upsample_rate", "is not the product of the decoder's rates"));
        }
        let encoder = encoder(&top.section("encoder_config")?, codebooks)?;
        let samples_per_code = top.size_or("encode_downsample_rate", 1920)?;
        if encoder.strides.iter().product::<i64>() * 2 != samples_per_code {
            return Err(
                top.wrong("encode_downsample_rate", "is not twice the product of the encoder's strides")
            );
        }
        Ok(Self { sample_rate, samples_per_code, decoder, encoder })
    }
}

/// Absent keys mean the defaults of the reference's configuration classes, as published files leave some out.
fn decoder(section: &Section) -> Result<DecoderConfig, EngineError> {
    let hidden = section.size_or("hidden_size", 1024)?;
    let heads = section.size_or("num_attention_heads", 16)?;
    let config = DecoderConfig {
        codebooks: section.size_or("num_quantizers", 16)?,
        codebook_size: section.size_or("codebook_size", 2048)?,
        codebook_dim: section.size_or("codebook_dim", 512)?,
        latent: section.size_or("latent_dim", 1024)?,
        layers: section.size_or("num_hidden_layers", 8)?,
        hidden,
        inner: section.size_or("intermediate_size", 3072)?,
        heads,
        kv_heads: section.size_or("num_key_value_heads", 16)?,
        head_dim: section.size_or("head_dim", hidden / heads)?,
        norm_eps: section.float_or("rms_norm_eps", 1e-5)?,
        rope_theta: section.float_or("rope_theta", 1e4)?,
        window: section.size_or("sliding_window", 72)?,
        channels: section.size_or("decoder_dim", 1536)?,
        upsampling: section.sizes_or("upsampling_ratios", &[2, 2])?,
        rates: section.sizes_or("upsample_rates", &[8, 5, 4, 3])?,
    };
    if config.codebooks < 2 {
        return Err(section.wrong("num_quantizers", "must be at least 2"));
    }
    section.check_heads(config.heads, config.kv_heads, config.head_dim)?;
    if config.codebook_dim % 2 != 0 {
        return Err(section.wrong("codebook_dim", "is odd"));
    }
    if config.rates.len() > 16 || config.channels >> config.rates.len() == 0 {
        return Err(section.wrong("decoder_dim", "cannot be halved once for every rate"));
    }
    Ok(config)
}

fn encoder(section: &Section, codebooks: i64) -> Result<EncoderConfig, EngineError> {
    for (key, wanted) in [("use_causal_conv", true), ("use_conv_shortcut", false)] {
        if section.flag_or(key, wanted)? != wanted {
            return Err(section.wrong(key, &format!("must be {wanted}")));
        }
    }
    if section.maybe_string("pad_mode")?.is_some_and(|mode| mode != "constant") {
        return Err(section.wrong("pad_mode", "must be `constant`"));
    }
    let mut strides = section.sizes_or("upsampling_ratios", &[8, 6, 5, 4])?;
    strides.reverse();
    let hidden = section.size_or("hidden_size", 512)?;
    let heads = section.size_or("num_attention_heads", 8)?;
    let codebook_dim = section.size_or("codebook_dim", 256)?;
    let config = EncoderConfig {
        filters: section.size_or("num_filters", 64)?,
        hidden,
        kernel: section.size_or("kernel_size", 7)?,
        last_kernel: section.size_or("last_kernel_size", 3)?,
        residual_kernel: section.size_or("residual_kernel_size", 3)?,
        residual_layers: section.size_or("num_residual_layers", 1)?,
        dilation_growth: section.size_or("dilation_growth_rate", 2)?,
        compress: section.size_or("compress", 2)?,
        strides,
        layers: section.size_or("num_hidden_layers", 8)?,
        inner: section.size_or("intermediate_size", 2048)?,
        heads,
        kv_heads: section.size_or("num_key_value_heads", 8)?,
        head_dim: section.size_or("head_dim", hidden / heads)?,
        norm_eps: section.float_or("norm_eps", 1e-5)?,
        rope_theta: section.float_or("rope_theta", 1e4)?,
        codebook_size: section.size_or("codebook_size", 2048)?,
        codebook_dim,
        quantizer_dim: section.size_or("vector_quantization_hidden_dimension", 256)?,
        semantic: section.size_or("num_semantic_quantizers", 1)?,
        codebooks,
        stored_codebooks: section.size_or("num_quantizers", 32)?,
    };
    if config.semantic >= codebooks || config.stored_codebooks < codebooks {
        return Err(section.wrong("num_quantizers", "is below the codebooks that the codec keeps"));
    }
    if config.quantizer_dim != config.codebook_dim || config.quantizer_dim == config.hidden {
        return Err(section.wrong(
            "vector_quantization_hidden_dimension",
            "must be codebook_dim, and another than hidden_size",
        ));
    }
    section.check_heads(config.heads, config.kv_heads, config.head_dim)?;
    Ok(config)
}
