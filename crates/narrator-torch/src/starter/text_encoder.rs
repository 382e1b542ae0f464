//! Phoneme ids to one vector each: an embedding, two convolution blocks, then one transformer layer applied
//! several times over. The acoustic and the prosody network each have one of their own.

use narrator_engine::EngineError;
use tch::Tensor;

use super::layers::{ConvBlock, Fallible, Int8Linear, LayerNorm, Source};

/// Rows of the embedding: ids are below this.
pub(super) const SYMBOLS: i64 = 178;

const CONV_BLOCKS: usize = 2;
const HEADS: i64 = 2;

pub(super) struct TextEncoder {
    embedding: Tensor,
    convs: Vec<ConvBlock>,
    layer: TransformerLayer,
    /// Times that the one layer is applied.
    rounds: usize,
    norm: LayerNorm,
}

impl TextEncoder {
    pub(super) fn load(
        source: &Source<'_>,
        name: &str,
        channels: i64,
        rounds: usize,
    ) -> Result<Self, EngineError> {
        let convs = (0..CONV_BLOCKS)
            .map(|block| {
                ConvBlock::load(source, &format!("{name}.convs.{block}"), (channels, 2 * channels), (5, 1))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            embedding: source.names.take(&format!("{name}.embedding"), &[SYMBOLS, channels])?,
            convs,
            layer: TransformerLayer::load(source, &format!("{name}.attn"), channels)?,
            rounds,
            norm: LayerNorm::load(source, &format!("{name}.norm"), channels)?,
        })
    }

    /// `ids` is `[length]`; the result is `[length, channels]`.
    pub(super) fn forward(&self, ids: &Tensor) -> Fallible {
        let mut hidden = self.embedding.f_index_select(0, ids)?;
        for conv in &self.convs {
            hidden = conv.forward(&hidden)?;
        }
        for _ in 0..self.rounds {
            hidden = self.layer.forward(&hidden)?;
        }
        self.norm.forward(&hidden)
    }
}

/// Self-attention and a perceptron, each behind a norm and added to its input.
struct TransformerLayer {
    norm1: LayerNorm,
    qkv: Int8Linear,
    out: Int8Linear,
    norm2: LayerNorm,
    up: Int8Linear,
    down: Int8Linear,
}

impl TransformerLayer {
    fn load(source: &Source<'_>, name: &str, channels: i64) -> Result<Self, EngineError> {
        Ok(Self {
            norm1: LayerNorm::load(source, &format!("{name}.norm1"), channels)?,
            qkv: Int8Linear::load(source, &format!("{name}.qkv"), channels, 3 * channels)?,
            out: Int8Linear::load(source, &format!("{name}.out"), channels, channels)?,
            norm2: LayerNorm::load(source, &format!("{name}.norm2"), channels)?,
            up: Int8Linear::load(source, &format!("{name}.up"), channels, 2 * channels)?,
            down: Int8Linear::load(source, &format!("{name}.down"), 2 * channels, channels)?,
        })
    }

    fn forward(&self, input: &Tensor) -> Fallible {
        let qkv = self.qkv.forward(&self.norm1.forward(input)?)?;
        let attended = input.f_add(&self.out.forward(&attend(&qkv, HEADS)?)?)?;
        let mut hidden = self.up.forward(&self.norm2.forward(&attended)?)?;
        attended.f_add(&self.down.forward(&hidden.f_gelu_("none")?)?)
    }
}

/// Softmax attention of every position to all. `qkv` is `[length, 3 * channels]`: queries, keys, values.
pub(super) fn attend(qkv: &Tensor, heads: i64) -> Fallible {
    let [length, width] = qkv.size()[..] else { return qkv.f_view([0, 0]) };
    let channels = width / 3;
    let part = qkv.f_view([1, length, 3, heads, channels / heads])?.f_permute([2, 0, 3, 1, 4])?;
    let (query, key, value) = (part.f_select(0, 0)?, part.f_select(0, 1)?, part.f_select(0, 2)?);
    Tensor::f_scaled_dot_product_attention(&query, &key, &value, None::<&Tensor>, 0.0, false, None, false)?
        .f_permute([0, 2, 1, 3])?
        .f_reshape([length, channels])
}
