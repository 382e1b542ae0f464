//! The talker and the code predictor: from a prompt to frames of codes.
//!
//! A frame is 80 ms of sound in [`TalkerConfig::codebooks`] codes. The talker gives the first of them from
//! its last hidden state; the code predictor gives the others one after the other, from that hidden state and
//! the codes so far; the sum of all their embeddings, plus one row of text, is the talker's next input.
//!
//! ```text
//!  prompt ─▶ talker ─▶ h ─▶ codec_head ─▶ code 0 ──┐
//!              ▲       └──────────────▶ predictor ─┴▶ codes 1…15
//!              └── Σ embeddings of the 16 codes + text row ◀──┘
//! ```
//!
//! Shapes: `[rows, hidden]` between steps, `rows` being those that speak just now.

use narrator_engine::EngineError;
use tch::{Device, Kind, Tensor};

use super::config::TalkerConfig;
use super::ops::{Torch, linear};
use super::source::Loader;
use super::stack::{Cache, Place, Positions, Stack};
use crate::error::Doing;

/// The talker's weights.
#[derive(Debug)]
pub(crate) struct Talker {
    pub(crate) stack: Stack,
    text_embedding: Tensor,
    fc1: (Tensor, Tensor),
    fc2: (Tensor, Tensor),
    codec_embedding: Tensor,
    head: Tensor,
    device: Device,
    kind: Kind,
}

impl Talker {
    /// `positions`: how long a prompt with its frames may be.
    /// `joined`: in few large matrices (`stack::layer`).
    pub(crate) fn load(
        loader: &Loader,
        config: &TalkerConfig,
        positions: i64,
        joined: bool,
    ) -> Result<Self, EngineError> {
        let model = loader.at("model");
        let (width, hidden) = (config.text_hidden, config.stack.hidden);
        let projection = loader.at("text_projection");
        let layer = |name: &str, shape: [i64; 2]| -> Result<_, EngineError> {
            let layer = projection.at(name);
            Ok((layer.tensor("weight", &shape)?, layer.tensor("bias", &shape[..1])?))
        };
        Ok(Self {
            text_embedding: model.table("text_embedding.weight", &[config.text_vocab, width])?,
            fc1: layer("linear_fc1", [width, width])?,
            fc2: layer("linear_fc2", [hidden, width])?,
            codec_embedding: model.tensor("codec_embedding.weight", &[config.stack.vocab, hidden])?,
            head: loader.tensor("codec_head.weight", &[config.stack.vocab, hidden])?,
            stack: Stack::load(&model, &config.stack, positions, joined)?,
            device: loader.device(),
            kind: loader.kind(),
        })
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Text ids as rows of the talker's input: `[n, hidden]`. The table may lie on the host, where a lookup
    /// is cheap and 600 MB are not missed.
    pub(crate) fn text(&self, ids: &[i64]) -> Torch {
        let index = Tensor::f_from_slice(ids)?.f_to_device(self.text_embedding.device())?;
        let rows = Tensor::f_embedding(&self.text_embedding, &index, -1, false, false)?
            .f_to_device(self.device)?
            .f_to_kind(self.kind)?;
        rows.f_linear(&self.fc1.0, Some(&self.fc1.1))?.f_silu()?.f_linear(&self.fc2.0, Some(&self.fc2.1))
    }

    /// Codec ids (first codes and control ids alike) as rows: `[n, hidden]`.
    pub(crate) fn codec(&self, ids: &Tensor) -> Torch {
        Tensor::f_embedding(&self.codec_embedding, ids, -1, false, false)
    }

    /// The same from plain numbers.
    pub(crate) fn codec_ids(&self, ids: &[i64]) -> Torch {
        self.codec(&Tensor::f_from_slice(ids)?.f_to_device(self.device)?)
    }

    /// Runs prompts, `[length, hidden]` each, into the rows from `first_row` on; returns the last hidden state
    /// of each, `[1, hidden]`. Shorter ones are filled up behind, where none of their own tokens looks.
    pub(crate) fn start(&self, prompts: &[&Tensor], cache: &Cache, first_row: i64) -> Torch<Vec<Tensor>> {
        let tokens = prompts.iter().map(|prompt| prompt.size()[0]).max().unwrap_or(0);
        let filled =
            prompts.iter().map(|prompt| prompt.f_constant_pad_nd([0, 0, 0, tokens - prompt.size()[0]]));
        let filled = Tensor::f_stack(&filled.collect::<Torch<Vec<_>>>()?, 0)?;
        let states = self.stack.forward(&filled, cache, &Place::Start { first_row, tokens })?;
        let last = |(prompt, row): (&&Tensor, i64)| {
            states.f_narrow(0, row, 1)?.f_narrow(1, prompt.size()[0] - 1, 1)?.f_squeeze_dim(1)
        };
        prompts.iter().zip(0..).map(last).collect()
    }

    /// One token for every row: `x` is `[rows, hidden]`, and so is what is returned.
    pub(crate) fn step(&self, x: &Tensor, cache: &Cache, positions: Positions) -> Torch {
        self.stack.forward(&x.f_unsqueeze(1)?, cache, &Place::Apart(positions))?.f_squeeze_dim(1)
    }

    /// Logits of the first code: `[rows, vocab]`, float32.
    pub(crate) fn logits(&self, hidden: &Tensor) -> Torch {
        linear(hidden, &self.head)?.f_to_kind(Kind::Float)
    }
}

/// The code predictor's weights.
#[derive(Debug)]
pub(crate) struct Predictor {
    stack: Stack,
    /// From the talker's width to the predictor's; absent where they are the same.
    bridge: Option<(Tensor, Tensor)>,
    /// One table for each code but the last, which nothing follows inside a frame, and the last one too,
    /// which the talker's next input needs: `[vocab, talker hidden]`.
    embeddings: Vec<Tensor>,
    heads: Vec<Tensor>,
}

impl Predictor {
    pub(crate) fn load(loader: &Loader, config: &TalkerConfig, joined: bool) -> Result<Self, EngineError> {
        let (wide, narrow) = (config.stack.hidden, config.predictor.hidden);
        let rest = config.codebooks - 1;
        let bridge = if wide == narrow {
            None
        } else {
            let bridge = loader.at("small_to_mtp_projection");
            Some((bridge.tensor("weight", &[narrow, wide])?, bridge.tensor("bias", &[narrow])?))
        };
        let tables = loader.at("model.codec_embedding");
        let heads = loader.at("lm_head");
        let vocab = config.predictor.vocab;
        Ok(Self {
            bridge,
            embeddings: (0..rest)
                .map(|code| tables.at(code).tensor("weight", &[vocab, wide]))
                .collect::<Result<_, _>>()?,
            heads: (0..rest)
                .map(|code| heads.at(code).tensor("weight", &[vocab, narrow]))
                .collect::<Result<_, _>>()?,
            // One hidden state and all codes but the last.
            stack: Stack::load(&loader.at("model"), &config.predictor, config.codebooks, joined)?,
        })
    }

    /// Codes after the first.
    pub(crate) fn codes(&self) -> usize {
        self.heads.len()
    }

    fn narrow(&self, x: &Tensor) -> Torch {
        match &self.bridge {
            Some((weight, bias)) => x.f_linear(weight, Some(bias)),
            None => Ok(x.shallow_clone()),
        }
    }

    /// Embedding of code number `code` (counted from 0 after the first) of every row: `[rows, talker hidden]`.
    pub(crate) fn embed(&self, code: usize, ids: &Tensor) -> Torch {
        Tensor::f_embedding(&self.embeddings[code], ids, -1, false, false)
    }

    /// Opens a frame with the talker's state and its first code's embedding, both `[rows, talker hidden]`;
    /// returns the logits of the next code, `[rows, vocab]`, float32.
    pub(crate) fn start(&self, hidden: &Tensor, first: &Tensor, cache: &Cache) -> Torch {
        let x = self.narrow(&Tensor::f_stack(&[hidden, first], 1)?)?;
        let out = self.stack.forward(&x, cache, &Place::Start { first_row: 0, tokens: 2 })?;
        linear(&out.f_select(1, 1)?, &self.heads[0])?.f_to_kind(Kind::Float)
    }

    /// Takes the embedding of code number `code` and gives the logits of the one after it.
    pub(crate) fn next(&self, code: usize, embedded: &Tensor, cache: &Cache) -> Torch {
        let x = self.narrow(embedded)?.f_unsqueeze(1)?;
        let out = self.stack.forward(&x, cache, &Place::Together { position: code as i64 + 2 })?;
        linear(&out.f_squeeze_dim(1)?, &self.heads[code + 1])?.f_to_kind(Kind::Float)
    }
}

/// The embeddings of whole frames `codes` `[n, codebooks]`, summed: `[n, hidden]`. This is how reference
/// codes enter a prompt.
pub(crate) fn embed_frames(
    talker: &Talker,
    predictor: &Predictor,
    codes: &Tensor,
) -> Result<Tensor, EngineError> {
    let columns = codes.f_unbind(1).doing("reading reference codes")?;
    let mut embedded = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let rows = if index == 0 { talker.codec(column) } else { predictor.embed(index - 1, column) };
        embedded.push(rows.doing("embedding reference codes")?);
    }
    Tensor::f_stack(&embedded, 1)
        .and_then(|all| all.f_sum_dim_intlist([1].as_slice(), false, None))
        .doing("summing the embeddings of reference codes")
}

/// As [`embed_frames`] for one frame of every row, from embeddings at hand.
pub(crate) fn sum_embeddings(embedded: &[Tensor]) -> Torch {
    Tensor::f_stack(embedded, 1)?.f_sum_dim_intlist([1].as_slice(), false, None)
}
