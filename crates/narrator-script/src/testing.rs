//! Manuscripts for the crate's own tests.

use narrator_core::{
    Block, BlockKind, Chapter, DocId, Document, Manuscript, Metadata, Span, SpeechSettings, Token,
};

use crate::lexicon::Lexicon;
use crate::normalise::edits;
use crate::sentences::sentence_starts;
use crate::source::Source;

/// `text` broken at white space, as an ingester would break it.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut at = 0;
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let start = at as u32;
        at += word.len() + 1;
        let span = Span { doc: DocId(0), start, end: start + word.len() as u32 };
        out.push(Token { text: word.to_owned(), span, space_before: true, skip: None });
    }
    out
}

pub(crate) fn book(language: &str, chapters: &[&[(BlockKind, &str)]]) -> Manuscript {
    let mut offset = 0;
    let chapters = chapters
        .iter()
        .enumerate()
        .map(|(number, blocks)| Chapter {
            title: format!("Chapter {}", number + 1),
            blocks: blocks
                .iter()
                .map(|(kind, text)| {
                    let mut tokens = tokens(text);
                    for token in &mut tokens {
                        token.span.start += offset;
                        token.span.end += offset;
                    }
                    offset += text.len() as u32 + 2;
                    Block { kind: *kind, tokens }
                })
                .collect(),
        })
        .collect();
    Manuscript {
        metadata: Metadata { title: "A Book".into(), language: language.into(), ..Metadata::default() },
        cover: None,
        documents: vec![Document { path: "book.txt".into(), bytes: u64::from(offset) }],
        chapters,
    }
}

pub(crate) fn speech() -> SpeechSettings {
    SpeechSettings {
        engine: "starter".into(),
        model_hash: "00".into(),
        voice: "hibari".into(),
        language: "en".into(),
        speed: 1.0,
        seed: 1,
    }
}

/// What is spoken for `text`, a paragraph.
pub(crate) fn normalised_with(text: &str, language: &str, lexicon: &Lexicon) -> String {
    normalised_block(text, language, BlockKind::Paragraph, lexicon)
}

pub(crate) fn normalised_block(text: &str, language: &str, kind: BlockKind, lexicon: &Lexicon) -> String {
    let source = Source::of(&tokens(text));
    let starts = sentence_starts(&source, language);
    let mut said = source.text.clone();
    for edit in edits(&source, &starts, kind, language, lexicon).into_iter().rev() {
        said.replace_range(edit.range, &edit.spoken);
    }
    said
}

/// What the English rules say for `text`, without the full stop at the block's end.
pub(crate) fn english(text: &str, kind: BlockKind, language: &str) -> String {
    let source = Source::of(&tokens(text));
    let starts = sentence_starts(&source, language);
    let mut said = source.text.clone();
    let all = edits(&source, &starts, kind, language, &Lexicon::default());
    for edit in all.into_iter().rev().filter(|edit| edit.rule != "final-stop") {
        said.replace_range(edit.range, &edit.spoken);
    }
    said
}
