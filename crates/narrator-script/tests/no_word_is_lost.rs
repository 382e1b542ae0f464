//! Over books of random soup: every token is spoken once or skipped by a rule, in order; no segment is
//! too long or without sound; the plan is the same every time; and a plan that was tampered with is found
//! out, however small the change.

use narrator_core::settings::ScriptSettings;
use narrator_core::{
    Block, BlockKind, Chapter, DocId, Document, Fate, Manuscript, Metadata, SkipRule, Span, SpeechSettings,
    Token,
};
use narrator_script::{
    ErrorKind, Lexicon, Plan, ScriptError, plan, read_ledger, read_script, verify, verify_keys, write_ledger,
    write_script,
};
use proptest::prelude::*;

fn speech() -> SpeechSettings {
    SpeechSettings {
        engine: "starter".into(),
        model_hash: "00".into(),
        voice: "hibari".into(),
        language: "en".into(),
        speed: 1.0,
        seed: 1,
    }
}

/// Texts that a token may have: words, everything the rules look for, and everything that they do not.
fn token_text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "the",
        "I",
        "a",
        "Mr.",
        "St.",
        "Dr",
        "No.",
        "vol.",
        "p.m.",
        "a.m.",
        "etc.",
        "e.g.",
        "&c.",
        "&",
        "Henry",
        "VIII",
        "Chapter",
        "IV",
        "MIX",
        "NASA",
        "THE",
        "END",
        "O’BRIEN",
        "March",
        "12",
        "12,",
        "1887",
        "1887.",
        "1,234.50",
        "$5",
        "$1,234.50",
        "£3.5m",
        "US$5",
        "5%",
        "%",
        "10",
        "km",
        "5′10″",
        "90°",
        "°C",
        "3/4",
        "½",
        "2½",
        "5–10",
        "1914–18",
        "7:45",
        "19:30",
        "555-1234",
        "(212)",
        "+44",
        "007",
        "#5",
        "§",
        "’80s",
        "1880s",
        "_so_",
        "*",
        "***",
        "—",
        "–",
        "-",
        "…",
        "...",
        "•",
        "“Yes,”",
        "“No!”",
        "said",
        "he.",
        "?”",
        "“",
        "”",
        "«",
        "»",
        "(",
        ")",
        "www.example.com",
        "jane@example.org",
        "1.2.3",
        "10s.",
        "6d.",
        "J.",
        "R.",
        "U.S.",
        "in.",
        "ft.",
        "6",
        "日本語",
        "。",
        "שלום",
        "مرحبا",
        "😀",
        "👩\u{200D}👩",
        "e\u{301}te\u{301}",
        "\u{AD}",
        "Nether\u{AD}field",
        "1\u{FE0F}\u{20E3}",
        "²",
        "m²",
        "①",
        "٣٤",
        "\u{202E}abc",
        "x_y",
        "____",
        "Jan.",
        "25/12/1887",
        "1887-03-12",
        "am",
        "pm",
        "XIX",
        "century",
        "I.",
        "(ii)",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        12 => known,
        4 => "[a-z]{1,12}[.,;:!?]?",
        2 => "[A-Z][a-z]{0,9}[.!?”’]{0,2}",
        2 => "[0-9$£€.,:/%°’'s–-]{1,9}",
        2 => "\\PC{1,8}",
        1 => any::<String>().prop_map(|text| text.chars().take(6).collect()),
        1 => "[a-zA-Z]{60,500}",
        1 => "[0-9]{30,90}",
        1 => "[-*_.=]{9,60}",
    ]
}

fn skip() -> impl Strategy<Value = Option<SkipRule>> {
    prop_oneof![
        9 => Just(None),
        1 => prop::sample::select(vec![SkipRule::NoteReference, SkipRule::PageBreak, SkipRule::Hidden]).prop_map(Some),
    ]
}

fn kind() -> impl Strategy<Value = BlockKind> {
    prop::sample::select(vec![
        BlockKind::Paragraph,
        BlockKind::Paragraph,
        BlockKind::Heading(1),
        BlockKind::Quote,
        BlockKind::ListItem,
        BlockKind::Verse,
        BlockKind::TableRow,
        BlockKind::Note,
    ])
}

type RawBlock = (BlockKind, Vec<(String, bool, Option<SkipRule>)>);

fn manuscript() -> impl Strategy<Value = Manuscript> {
    let token = (token_text(), prop::bool::weighted(0.85), skip());
    let block = (kind(), prop::collection::vec(token, 1..40));
    let chapter = (prop::collection::vec(block, 0..4), "[A-Za-z:“”\"0-9 ]{1,12}");
    let language = prop::sample::select(vec!["en", "en-GB", "en-US", "de", "fr", "ja", "", "x-unknown"]);
    (prop::collection::vec(chapter, 1..4), language)
        .prop_map(|(chapters, language)| assemble(chapters, language))
}

fn assemble(chapters: Vec<(Vec<RawBlock>, String)>, language: &str) -> Manuscript {
    let mut at = 0;
    // Every chapter is a document of its own.
    let chapters: Vec<Chapter> = chapters
        .into_iter()
        .enumerate()
        .map(|(doc, (blocks, title))| Chapter {
            title,
            blocks: blocks
                .into_iter()
                .map(|(kind, tokens)| Block {
                    kind,
                    tokens: tokens
                        .into_iter()
                        .map(|(text, space_before, skip)| {
                            let start = at + u32::from(space_before);
                            at = start + text.len() as u32;
                            let span = Span { doc: DocId(doc as u16), start, end: at };
                            Token { text, span, space_before, skip }
                        })
                        .collect(),
                })
                .collect(),
        })
        .collect();
    Manuscript {
        metadata: Metadata { title: "Soup".into(), language: language.into(), ..Metadata::default() },
        cover: None,
        documents: chapters.iter().map(|_| Document { path: "soup".into(), bytes: u64::from(at) }).collect(),
        chapters,
    }
}

fn settings() -> impl Strategy<Value = ScriptSettings> {
    (0_u32..120, 40_u32..500).prop_map(|(min, max)| ScriptSettings {
        min_chars: min.min(max),
        max_chars: max,
        ..ScriptSettings::default()
    })
}

fn lexicon() -> Lexicon {
    let text = "[words]\n\"the\" = \"thee\"\n\"Henry\" = \"Harry\"\n\"1887\" = \"that year\"\n\"St. I\" = \"holy I\"\n";
    Lexicon::parse(text, "soup.toml").expect("a lexicon")
}

/// The plan, or nothing when the soup has nothing to say.
fn planned(manuscript: &Manuscript, settings: &ScriptSettings) -> Option<Plan> {
    match plan(manuscript, settings, &speech(), &lexicon(), None) {
        Ok(plan) => Some(plan),
        Err(ScriptError::NothingToSpeak { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_token_has_one_fate_and_every_segment_says_its_page(manuscript in manuscript(), settings in settings()) {
        let Some(plan) = planned(&manuscript, &settings) else { return Ok(()) };
        // `plan` has proved it already; here it is proved from outside, and by counting.
        verify(&manuscript, &plan.script, &plan.ledger, settings.max_chars).unwrap();
        verify_keys(&plan.script, &speech()).unwrap();
        let (spoken, skipped) = plan.ledger.counts();
        prop_assert_eq!((spoken + skipped.values().sum::<u32>()) as usize, manuscript.tokens().count());
        for (token, entry) in manuscript.tokens().zip(plan.ledger.entries.iter().flat_map(|entry| entry.tokens.clone().map(move |_| entry))) {
            if token.skip.is_none() && token.text.chars().any(char::is_alphanumeric) {
                prop_assert!(matches!(entry.fate, Fate::Spoken(_)), "{:?} is not spoken", token.text);
            }
        }
        for segment in &plan.script.segments {
            prop_assert!(segment.text.chars().any(char::is_alphanumeric));
            let chars = segment.text.chars().count();
            let words = manuscript.tokens().skip(segment.tokens.start as usize).take(segment.tokens.len())
                .filter(|token| token.skip.is_none() && token.text.chars().any(char::is_alphanumeric)).count();
            prop_assert!(chars <= settings.max_chars as usize || words == 1);
        }
    }

    #[test]
    fn the_same_book_gives_the_same_plan(manuscript in manuscript(), settings in settings()) {
        prop_assert_eq!(planned(&manuscript, &settings), planned(&manuscript, &settings));
    }

    #[test]
    fn a_plan_survives_its_files(manuscript in manuscript()) {
        let Some(plan) = planned(&manuscript, &ScriptSettings::default()) else { return Ok(()) };
        let (mut script, mut ledger) = (Vec::new(), Vec::new());
        write_script(&plan.script, &mut script).unwrap();
        write_ledger(&plan.ledger, &mut ledger).unwrap();
        prop_assert_eq!(read_script(script.as_slice()).unwrap(), plan.script);
        prop_assert_eq!(read_ledger(ledger.as_slice()).unwrap(), plan.ledger);
    }

    /// The three lost pages: whatever is done to a script by hand, the proof finds it.
    #[test]
    fn a_script_that_was_tampered_with_is_found_out(manuscript in manuscript(), pick in any::<prop::sample::Index>(), how in 0..6) {
        let settings = ScriptSettings::default();
        let Some(mut plan) = planned(&manuscript, &settings) else { return Ok(()) };
        let index = pick.index(plan.script.segments.len());
        let count = plan.script.segments.len();
        match how {
            0 => { plan.script.segments.remove(index); }
            1 => { let twice = plan.script.segments[index].clone(); plan.script.segments.insert(index, twice); }
            2 if count > 1 => plan.script.segments.swap(index, (index + 1) % count),
            3 => { let text = &mut plan.script.segments[index].text; text.pop(); }
            4 => plan.script.segments[index].text.push_str(" more"),
            _ => {
                // A word said to be unpronounceable.
                let Some(entry) = plan.ledger.entries.iter_mut().find(|entry| matches!(entry.fate, Fate::Spoken(_))) else { return Ok(()) };
                entry.fate = Fate::Skipped(SkipRule::NoSpeech);
            }
        }
        let error = verify(&manuscript, &plan.script, &plan.ledger, settings.max_chars).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::Broken);
    }
}
