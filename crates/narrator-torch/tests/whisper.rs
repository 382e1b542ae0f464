//! Whisper as the worker uses it, on takes that the starter voice speaks, with the models that `scripts/setup`
//! brought.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use narrator_core::{Delivery, Hearing, Priors, ScoredWord};
use narrator_engine::{
    EngineError, EngineErrorKind, HearingRequest, RowId, SpeechRequest, SpeechSink, SpeechStats, Transcriber,
};
use narrator_torch::{LoadOptions, load_synthesizer, load_transcriber};

const RATE: usize = 24_000;
const TEXT: &str =
    "The keeper of the lighthouse was not able to climb the stairs, and the boy carried the lamp.";

fn model(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps/models").join(name);
    assert!(dir.join("manifest.json").exists(), "{} is missing: run scripts/setup", dir.display());
    dir
}

fn listener(name: &str) -> Box<dyn Transcriber> {
    load_transcriber(&model(name), &LoadOptions::default(), &mut |_, _| {}).expect("a recogniser")
}

#[derive(Default)]
struct Spoken(Vec<f32>);

impl SpeechSink for Spoken {
    fn samples(&mut self, _: RowId, pcm: &[f32]) {
        self.0.extend_from_slice(pcm);
    }

    fn finished(&mut self, _: RowId, _: SpeechStats) {}

    fn failed(&mut self, _: RowId, error: EngineError) {
        panic!("{error}");
    }
}

/// Takes of the starter voice.
fn speak(texts: &[&str]) -> Vec<Vec<f32>> {
    let options = LoadOptions::default();
    let mut voice = load_synthesizer(&model("starter-en"), &options, &mut |_, _| {}).expect("a voice");
    texts
        .iter()
        .map(|text| {
            let request = SpeechRequest {
                row: RowId(1),
                text: (*text).into(),
                language: "en".into(),
                voice: voice.info().default_voice.clone(),
                speed: 1.0,
                seed: 1,
                max_seconds: 120.0,
                delivery: Delivery::default(),
            };
            let mut spoken = Spoken::default();
            voice.admit(request).expect("admitted");
            while voice.rows() > 0 {
                voice.step(&mut spoken).expect("a step");
            }
            spoken.0
        })
        .collect()
}

fn request(pcm: &[f32], expected: Option<&str>, transcribe: bool) -> HearingRequest {
    HearingRequest {
        pcm: pcm.to_vec(),
        sample_rate: RATE as u32,
        expected: expected.map(Into::into),
        transcribe,
        ..HearingRequest::default()
    }
}

fn hear(listener: &mut dyn Transcriber, requests: &[HearingRequest]) -> Vec<Hearing> {
    let mut last = 0;
    let heard = listener.hear(requests, &mut |count| {
        assert!(count > last, "progress grows");
        last = count;
        ControlFlow::Continue(())
    });
    assert!(last > 0, "progress is told");
    heard.expect("heard").into_iter().map(|one| one.expect("a hearing")).collect()
}

fn bare(text: &str) -> Vec<String> {
    let letters: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    letters.split_whitespace().map(Into::into).collect()
}

/// How much rather something else was heard than the word.
fn loss(word: &ScoredWord) -> f32 {
    word.best_log_prob - word.log_prob
}

fn scored<'a>(hearing: &'a Hearing, text: &str, word: &str) -> &'a ScoredWord {
    let is_it = |scored: &&ScoredWord| &text[scored.at.start as usize..scored.at.end as usize] == word;
    hearing.scored.iter().find(is_it).expect(word)
}

#[test]
fn a_right_take_is_heard_as_it_is_written() {
    let take = speak(&[TEXT]).remove(0);
    let heard = hear(&mut *listener("whisper-tiny.en"), &[request(&take, Some(TEXT), true)]).remove(0);
    assert_eq!(bare(&heard.text()), bare(TEXT));
    assert_eq!(heard.model, "whisper-tiny.en");
    assert_eq!(heard.audio_ms as usize, take.len() * 1000 / RATE);
    assert!(heard.no_speech_prob < 0.5 && heard.temperature < 0.1 && heard.mean_log_prob > -0.5, "{heard:?}");
    let words = bare(TEXT).len();
    assert_eq!((heard.words.len(), heard.scored.len()), (words, words));
    assert!(heard.scored.iter().all(|word| loss(word) < 2.0 && word.best_log_prob >= word.log_prob));
    // Times grow, and the speech's own pace is one of a person.
    let starts: Vec<u32> = heard.words.iter().map(|word| word.start_ms).collect();
    assert!(starts.is_sorted() && heard.words.iter().all(|word| word.end_ms >= word.start_ms));
    assert!(heard.words.last().is_some_and(|word| word.end_ms <= heard.audio_ms));
    let (lamp, keeper) = (scored(&heard, TEXT, "lamp"), scored(&heard, TEXT, "keeper"));
    assert!(keeper.start_ms < 800 && lamp.start_ms > heard.audio_ms * 3 / 4, "{keeper:?} {lamp:?}");
}

#[test]
fn what_was_not_said_is_found_in_its_place() {
    let other = TEXT.replace("not able", "able").replace("lamp", "dog");
    let take = speak(&[&other]).remove(0);
    let heard = hear(&mut *listener("whisper-tiny.en"), &[request(&take, Some(TEXT), false)]).remove(0);
    assert!(heard.words.is_empty(), "only scored");
    let mut worst: Vec<&ScoredWord> = heard.scored.iter().collect();
    worst.sort_by(|a, b| loss(b).total_cmp(&loss(a)));
    let names: Vec<&str> =
        worst[..2].iter().map(|word| &TEXT[word.at.start as usize..word.at.end as usize]).collect();
    assert!(names.contains(&"not") && names.contains(&"lamp"), "{names:?}");
    assert!(loss(worst[1]) > 3.0 && loss(worst[2]) < loss(worst[1]) / 2.0, "{worst:?}");
    assert_eq!(scored(&heard, TEXT, "lamp").rather.to_lowercase(), "dog");
}

#[test]
fn a_swallowed_ending_is_missed() {
    let mut take = speak(&[TEXT]).remove(0);
    let whole = hear(&mut *listener("whisper-tiny.en"), &[request(&take, Some(TEXT), false)]).remove(0);
    // The model knows how sentences go on, so that one last word may be likely and not there.
    let boy = scored(&whole, TEXT, "boy");
    take.truncate(boy.start_ms as usize * RATE / 1000);
    let cut = hear(&mut *listener("whisper-tiny.en"), &[request(&take, Some(TEXT), true)]).remove(0);
    for word in ["carried", "lamp"] {
        assert!(loss(scored(&cut, TEXT, word)) > loss(scored(&whole, TEXT, word)) + 3.0, "{word}: {cut:?}");
    }
    assert!(!bare(&cut.text()).contains(&"lamp".to_owned()), "{}", cut.text());
    // And there is no time left in which it could have been said.
    assert_eq!(scored(&cut, TEXT, "lamp").start_ms, scored(&cut, TEXT, "lamp").end_ms);
    assert!(scored(&cut, TEXT, "lamp").end_ms <= cut.audio_ms);
}

#[test]
fn a_row_hears_the_same_alone_and_among_others() {
    let texts = [TEXT, "Yes.", "It rained all night, and in the morning the road was gone."];
    let takes = speak(&texts);
    let requests: Vec<HearingRequest> =
        takes.iter().zip(texts).map(|(take, text)| request(take, Some(text), true)).collect();
    let mut listener = listener("whisper-tiny.en");
    let together = hear(&mut *listener, &requests);
    for (request, together) in requests.iter().zip(&together) {
        let alone = hear(&mut *listener, std::slice::from_ref(request)).remove(0);
        assert_eq!(alone.text(), together.text());
        for (one, other) in alone.scored.iter().zip(&together.scored) {
            assert!((one.log_prob - other.log_prob).abs() < 0.3, "{one:?} {other:?}");
        }
    }
    // A transcript does not depend on what was expected.
    let free = hear(&mut *listener, &[request(&takes[0], None, true)]).remove(0);
    assert_eq!(free.text(), together[0].text());
    assert!(free.scored.is_empty());
}

#[test]
fn silence_and_nothing_have_no_words() {
    let mut listener = listener("whisper-tiny.en");
    let requests = [request(&vec![0.0; 2 * RATE], None, true), request(&[], Some(TEXT), true)];
    let heard = hear(&mut *listener, &requests);
    assert_eq!(heard[1].audio_ms, 0);
    assert!(heard[1].words.is_empty() && heard[1].scored.is_empty() && heard[1].no_speech_prob > 0.9);
    assert!(heard[0].no_speech_prob > 0.3 || heard[0].words.len() < 3, "{:?}", heard[0]);
}

#[test]
fn requests_that_cannot_be_served_fail_alone() {
    let take = speak(&["Yes."]).remove(0);
    let good = request(&take, None, true);
    let french = HearingRequest { language: Some("fr".into()), ..good.clone() };
    let broken = HearingRequest { pcm: vec![f32::NAN; 100], ..good.clone() };
    let rateless = HearingRequest { sample_rate: 0, ..good.clone() };
    let heard = listener("whisper-tiny.en")
        .hear(&[french, good, broken, rateless], &mut |_| ControlFlow::Continue(()))
        .expect("heard");
    let kinds: Vec<Option<EngineErrorKind>> =
        heard.iter().map(|one| one.as_ref().err().map(EngineError::kind)).collect();
    let bad = Some(EngineErrorKind::BadRequest);
    assert_eq!(kinds, [bad, None, bad, bad]);
    assert_eq!(bare(&heard[1].as_ref().expect("a hearing").text()), ["yes"]);
}

#[test]
fn more_than_a_window_is_heard_to_its_end() {
    let takes = speak(&[TEXT, "It rained all night, and in the morning the road was gone."]);
    let mut long = Vec::new();
    for _ in 0..4 {
        for take in &takes {
            long.extend_from_slice(take);
            long.extend_from_slice(&vec![0.0; RATE / 2]);
        }
    }
    assert!(long.len() > 35 * RATE);
    let heard = hear(&mut *listener("whisper-tiny.en"), &[request(&long, None, true)]).remove(0);
    let gone = heard.words.iter().filter(|word| word.text.starts_with("gone")).count();
    let lamps = heard.words.iter().filter(|word| word.text.starts_with("lamp")).count();
    assert_eq!((gone, lamps), (4, 4), "{}", heard.text());
    assert!(heard.words.iter().map(|word| word.start_ms).is_sorted());
    let last = heard.words.last().expect("words");
    assert!(last.end_ms + 1500 > heard.audio_ms && last.end_ms <= heard.audio_ms, "{last:?}");
}

#[test]
fn the_multilingual_model_finds_the_language_and_searches() {
    let take = speak(&[TEXT]).remove(0);
    let mut listener = listener("whisper-base");
    assert!(listener.info().multilingual);
    let greedy = request(&take, Some(TEXT), true);
    let searched = HearingRequest { beams: 5, language: Some("en-GB".into()), ..greedy.clone() };
    let heard = hear(&mut *listener, &[greedy, searched]);
    for heard in &heard {
        assert_eq!(bare(&heard.text()), bare(TEXT));
        assert_eq!(heard.scored.len(), bare(TEXT).len());
        let lamp = heard.words.last().expect("words");
        assert!(lamp.start_ms > heard.audio_ms * 3 / 4, "{lamp:?}");
    }
}

#[test]
fn searches_that_go_together_find_what_each_finds_alone() {
    // Of like length, since a window is as long as its group's longest piece.
    let texts = [
        TEXT,
        "It rained all night, and in the morning the road to the harbour was gone.",
        "Nobody had seen the old man since the day on which the ferry did not come.",
        "She put the letter back into the drawer, and the key into the pocket of her coat.",
    ];
    let requests: Vec<HearingRequest> = speak(&texts)
        .iter()
        .zip([3, 3, 2, 3])
        .map(|(take, beams)| HearingRequest { beams, ..request(take, None, true) })
        .collect();
    let mut listener = listener("whisper-tiny.en");
    let together = hear(&mut *listener, &requests);
    for (request, together) in requests.iter().zip(&together) {
        let alone = hear(&mut *listener, std::slice::from_ref(request)).remove(0);
        assert_eq!(bare(&alone.text()), bare(&together.text()));
        assert!((alone.mean_log_prob - together.mean_log_prob).abs() < 0.2, "{alone:?} {together:?}");
        for (one, other) in alone.words.iter().zip(&together.words) {
            assert!(one.start_ms.abs_diff(other.start_ms) <= 60, "{one:?} {other:?}");
        }
    }
}

#[test]
fn several_texts_of_one_take_are_each_scored_as_if_alone() {
    let take = speak(&[TEXT]).remove(0);
    let silence = vec![0.0; 2 * RATE];
    let without = TEXT.replace("not ", "");
    let requests = [
        request(&take, Some(TEXT), false),
        request(&take, Some(&without), true),
        request(&silence, Some(TEXT), false),
        request(&take, None, true),
        request(&silence, Some(&without), false),
    ];
    let mut listener = listener("whisper-tiny.en");
    let together = hear(&mut *listener, &requests);
    for (request, together) in requests.iter().zip(&together) {
        let alone = hear(&mut *listener, std::slice::from_ref(request)).remove(0);
        assert_eq!((bare(&alone.text()), alone.audio_ms), (bare(&together.text()), together.audio_ms));
        assert_eq!(alone.scored.len(), together.scored.len());
        let sum = |heard: &Hearing| heard.scored.iter().map(|word| word.log_prob).sum::<f32>();
        assert!((sum(&alone) - sum(together)).abs() < 2.0, "{alone:?} {together:?}");
    }
    let sum = |heard: &Hearing| heard.scored.iter().map(|word| word.log_prob).sum::<f32>();
    assert!(sum(&together[0]) > sum(&together[1]) + 4.0, "the word is there");
    assert!(sum(&together[2]) < sum(&together[0]) - 40.0, "silence says nothing of it");
}

#[test]
fn what_is_not_heard_with_confidence_is_scored_over_silence_too() {
    let texts = [TEXT, "It rained all night, and in the morning the road was gone."];
    let others = [TEXT.replace("lamp", "dog"), texts[1].replace("road", "harbour").replace("gone", "green")];
    let takes = speak(&others.each_ref().map(String::as_str));
    let asked = takes.iter().zip(texts);
    let mut listener = listener("whisper-tiny.en");
    let with_priors = |(take, text): (&Vec<f32>, &str)| HearingRequest {
        priors: Priors::Unsure,
        ..request(take, Some(text), true)
    };
    let heard = hear(&mut *listener, &asked.clone().map(with_priors).collect::<Vec<_>>());
    let plain: Vec<_> = asked.map(|(take, text)| request(take, Some(text), true)).collect();
    let silence = vec![0.0; 2 * RATE];
    let silent: Vec<_> = texts.iter().map(|text| request(&silence, Some(text), false)).collect();
    let (plain, silent) = (hear(&mut *listener, &plain), hear(&mut *listener, &silent));
    let guessable = |(take, text): (&Vec<f32>, &str)| HearingRequest {
        priors: Priors::Guessable,
        ..request(take, Some(text), true)
    };
    let asked = hear(&mut *listener, &takes.iter().zip(texts).map(guessable).collect::<Vec<_>>());
    let few =
        |hearing: &Hearing| hearing.scored.iter().all(|word| word.prior.is_some() == word.is_guessable());
    assert!(asked.iter().all(few), "{asked:?}");
    let mut unsure = 0;
    for ((heard, plain), silent) in heard.iter().zip(&plain).zip(&silent) {
        assert_eq!(heard.words, plain.words, "nothing else changes");
        for ((word, plain), silent) in heard.scored.iter().zip(&plain.scored).zip(&silent.scored) {
            assert_eq!((word.log_prob, plain.prior), (plain.log_prob, None));
            assert_eq!(word.prior.is_some(), word.is_unsure(), "{word:?}");
            if let Some(prior) = word.prior {
                unsure += 1;
                assert!((prior - silent.log_prob).abs() < 0.3, "{word:?} {silent:?}");
            }
        }
    }
    assert!((3..9).contains(&unsure), "{unsure}");
    let lamp = scored(&heard[0], TEXT, "lamp");
    assert!(lamp.log_prob - lamp.prior.expect("unsure") < 4.0, "{lamp:?}");
}

#[test]
fn a_voice_is_no_recogniser() {
    let error = load_transcriber(&model("starter-en"), &LoadOptions::default(), &mut |_, _| {})
        .err()
        .expect("another engine");
    assert_eq!(error.kind(), EngineErrorKind::BadModel);
    assert!(error.to_string().contains("which does not listen"), "{error}");
}

#[test]
fn a_call_that_nobody_wants_any_more_ends_and_the_next_one_is_heard() {
    let take = speak(&[TEXT]).remove(0);
    let (mut listener, requests) = (listener("whisper-tiny.en"), [request(&take, Some(TEXT), true)]);
    let mut told = 0;
    let stopped = listener.hear(&requests, &mut |count| {
        told = count;
        if count < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(stopped.expect_err("no answer").kind(), EngineErrorKind::Cancelled);
    let mut all = 0;
    let heard = listener.hear(&requests, &mut |count| {
        all = count;
        ControlFlow::Continue(())
    });
    assert_eq!(heard.expect("heard").len(), 1);
    assert!(told < all, "it ended {told} steps in, of {all}");
}
