//! A request as the rows that the talker reads before it speaks.
//!
//! Every row of a prompt is the sum of a text row and a codec row of the same position; where one side has
//! nothing to say it says its padding. With `T` the projected text embedding, `C` the codec embedding, and
//! `pad`, `bos`, `eos` their marks, a prompt is, from the top:
//!
//! | rows | text side | codec side |
//! |---|---|---|
//! | instruction, when there is one | `T(<user turn>)` | – |
//! | role (3) | `T(<assistant turn opens>)` | – |
//! | head (n − 1) | `T(pad)` …, then `T(bos)` | language marks, speaker, `pad` |
//! | text | `T(text)`, `T(eos)` | `C(pad)` each |
//! | start | `T(pad)` | `C(bos)` |
//!
//! In-context cloning puts the reference's own text before the text and, in place of the last row, the
//! reference's codes after `C(bos)`: the model goes on speaking where the clip stops.
//!
//! During decoding every frame adds `T(pad)`: the text is all in the prompt. Feeding it a token a frame
//! instead, as the reference can do for live use, makes long passages hurry; a book has no use for it.

use narrator_engine::EngineError;
use tch::Tensor;

use super::config::{ModelConfig, ModelKind};
use super::talker::{Predictor, Talker, embed_frames};
use super::tokenizer::TextTokenizer;
use super::voice::ClonePrompt;
use crate::error::{Doing, bad_request};

/// Whose voice speaks.
#[derive(Debug)]
pub enum Voice<'a> {
    /// A voice that a custom-voice model has, by name in any case, with an instruction on how to speak
    /// (larger models alone take one).
    Named { speaker: &'a str, instruct: Option<&'a str> },
    /// A voice made from a description.
    Designed { instruct: &'a str },
    /// A voice taken from a clip.
    Cloned(&'a ClonePrompt),
}

/// What is to be said, by whom, in which language.
#[derive(Debug)]
pub struct Utterance<'a> {
    pub text: &'a str,
    /// A name that the checkpoint's configuration has, such as `english`, or `auto`.
    pub language: &'a str,
    pub voice: Voice<'a>,
}

/// A prompt ready for the talker.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// Ids of the spoken text in the reference's template.
    pub(crate) text_ids: Vec<i64>,
    /// Ids of the spoken text alone, which the budget of frames is counted from.
    pub(crate) content: usize,
    /// `[length, hidden]`.
    pub(crate) embeds: Tensor,
    /// What every decoded frame adds: `[1, hidden]`.
    pub(crate) pad: Tensor,
}

/// The codec ids that tell the language, and none for `auto`. A speaker of a dialect speaks it whenever the
/// language is Chinese or left open.
pub(crate) fn language_id(
    config: &ModelConfig,
    language: &str,
    speaker: Option<&str>,
) -> Result<Option<i64>, EngineError> {
    let talker = &config.talker;
    let language = language.to_lowercase();
    let auto = language == "auto";
    if (auto || language == "chinese")
        && let Some(dialect) = speaker.and_then(|speaker| talker.dialects.get(speaker))
    {
        return Ok(talker.languages.get(dialect).copied());
    }
    if auto {
        return Ok(None);
    }
    talker.languages.get(&language).copied().map(Some).ok_or_else(|| {
        let known: Vec<&str> = talker.languages.keys().map(String::as_str).collect();
        bad_request(format!("the model does not speak `{language}`: it speaks {}, or auto", known.join(", ")))
    })
}

/// The name under which a configuration knows the language of a BCP 47 tag; names pass as they are.
pub fn language_name(tag: &str) -> String {
    let primary = tag.split(['-', '_']).next().unwrap_or(tag).to_lowercase();
    let name = match primary.as_str() {
        "zh" | "cmn" => "chinese",
        "en" => "english",
        "de" => "german",
        "it" => "italian",
        "pt" => "portuguese",
        "es" => "spanish",
        "ja" => "japanese",
        "ko" => "korean",
        "fr" => "french",
        "ru" => "russian",
        "" | "und" | "mul" => "auto",
        _ => return tag.to_lowercase(),
    };
    name.to_owned()
}

/// Refuses what the model cannot do, by name.
fn check_voice(config: &ModelConfig, voice: &Voice) -> Result<(), EngineError> {
    let wanted = match voice {
        Voice::Named { .. } => ModelKind::CustomVoice,
        Voice::Designed { .. } => ModelKind::VoiceDesign,
        Voice::Cloned(_) => ModelKind::Base,
    };
    if config.kind != wanted {
        return Err(bad_request(format!(
            "this needs a {} model, and the loaded one is {}",
            wanted.name(),
            config.kind.name()
        )));
    }
    match voice {
        Voice::Named { speaker, instruct } => {
            if !config.talker.speakers.contains_key(&speaker.to_lowercase()) {
                let known: Vec<&str> = config.talker.speakers.keys().map(String::as_str).collect();
                return Err(bad_request(format!(
                    "the model has no speaker `{speaker}`: it has {}",
                    known.join(", ")
                )));
            }
            // The reference drops an instruction to the small model, which was not taught any.
            if instruct.is_some() && config.size == "0b6" {
                return Err(bad_request(
                    "the 0.6B custom-voice model takes no instruction; use the 1.7B one",
                ));
            }
            Ok(())
        }
        Voice::Designed { .. } | Voice::Cloned(_) => Ok(()),
    }
}

/// Builds the prompt of `utterance`.
pub(crate) fn build(
    config: &ModelConfig,
    tokenizer: &TextTokenizer,
    talker: &Talker,
    predictor: &Predictor,
    utterance: &Utterance,
) -> Result<Prompt, EngineError> {
    check_voice(config, &utterance.voice)?;
    let content = tokenizer.content(utterance.text)?;
    let name = match &utterance.voice {
        Voice::Named { speaker, .. } => Some(speaker.to_lowercase()),
        _ => None,
    };
    let language = language_id(config, utterance.language, name.as_deref())?;
    let instruct = match &utterance.voice {
        Voice::Named { instruct, .. } => *instruct,
        Voice::Designed { instruct } => Some(*instruct),
        Voice::Cloned(_) => None,
    };
    let instruct = instruct.map(|text| tokenizer.instruction(text)).transpose()?;
    let reference = match &utterance.voice {
        Voice::Cloned(clone) => clone
            .context
            .as_ref()
            .map(|context| Ok::<_, EngineError>((tokenizer.content(&context.text)?, &context.codes)))
            .transpose()?,
        _ => None,
    };
    let speaker = match &utterance.voice {
        Voice::Named { .. } => {
            let id = name.as_ref().and_then(|name| config.talker.speakers.get(name)).copied();
            id.map(Speaker::Id)
        }
        Voice::Cloned(clone) => Some(Speaker::Vector(&clone.speaker)),
        Voice::Designed { .. } => None,
    };
    let codes = match &reference {
        Some((_, codes)) => {
            let codes = codes.f_to_device(talker.device()).doing("moving reference codes")?;
            Some(embed_frames(talker, predictor, &codes)?)
        }
        None => None,
    };
    let parts = Parts {
        instruct: instruct.as_deref(),
        role: &tokenizer.role(),
        language,
        speaker,
        reference: reference.as_ref().map(|(ids, _)| ids.as_slice()),
        codes: codes.as_ref(),
        content: &content,
    };
    let (embeds, pad) = assemble(config, talker, &parts).doing("building a prompt")?;
    Ok(Prompt { text_ids: tokenizer.template(&content), content: content.len(), embeds, pad })
}

enum Speaker<'a> {
    Id(i64),
    Vector(&'a Tensor),
}

struct Parts<'a> {
    instruct: Option<&'a [i64]>,
    role: &'a [i64],
    language: Option<i64>,
    speaker: Option<Speaker<'a>>,
    /// Ids of the reference's text.
    reference: Option<&'a [i64]>,
    /// Embedded frames of the reference.
    codes: Option<&'a Tensor>,
    content: &'a [i64],
}

fn assemble(config: &ModelConfig, talker: &Talker, parts: &Parts) -> Result<(Tensor, Tensor), tch::TchError> {
    let ids = config.talker.ids;
    let marks = talker.text(&[config.text.bos, config.text.eos, config.text.pad])?;
    let mark = |index: i64| marks.f_narrow(0, index, 1);
    let (bos, eos, pad) = (mark(0)?, mark(1)?, mark(2)?);

    let think = match parts.language {
        Some(language) => talker.codec_ids(&[ids.think, ids.think_bos, language, ids.think_eos])?,
        None => talker.codec_ids(&[ids.nothink, ids.think_bos, ids.think_eos])?,
    };
    let speaker = match &parts.speaker {
        Some(Speaker::Id(id)) => Some(talker.codec_ids(&[*id])?),
        Some(Speaker::Vector(vector)) => {
            Some(vector.f_to_device(talker.device())?.f_to_kind(talker.kind())?.f_view([1, -1])?)
        }
        None => None,
    };
    let codec_pad = talker.codec_ids(&[ids.pad])?;
    let codec_bos = talker.codec_ids(&[ids.bos])?;
    let head: Vec<&Tensor> =
        [Some(&think), speaker.as_ref(), Some(&codec_pad)].into_iter().flatten().collect();
    let head = Tensor::f_cat(&head, 0)?;
    let length = head.size()[0];
    let text_side = Tensor::f_cat(&[&pad.f_expand([length - 1, -1], false)?, &bos], 0)?;

    let mut rows = Vec::new();
    if let Some(instruct) = parts.instruct {
        rows.push(talker.text(instruct)?);
    }
    rows.push(talker.text(parts.role)?);
    rows.push(text_side.f_add(&head)?);
    let spoken = [parts.reference.unwrap_or_default(), parts.content].concat();
    rows.push(Tensor::f_cat(&[&talker.text(&spoken)?, &eos], 0)?.f_add(&codec_pad)?);
    rows.push(match parts.codes {
        Some(codes) => Tensor::f_cat(&[&codec_bos, codes], 0)?.f_add(&pad)?,
        None => pad.f_add(&codec_bos)?,
    });
    Ok((Tensor::f_cat(&rows, 0)?, pad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_the_names_of_the_configuration() {
        for (tag, name) in [("en", "english"), ("en-GB", "english"), ("zh_CN", "chinese"), ("und", "auto")] {
            assert_eq!(language_name(tag), name);
        }
        assert_eq!(language_name("Sichuan_Dialect"), "sichuan_dialect");
        assert_eq!(language_name("German"), "german");
    }
}
