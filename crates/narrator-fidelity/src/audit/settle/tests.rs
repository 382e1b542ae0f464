use narrator_core::{DocId, HeardWord, ScoredWord, Span};

use super::*;
use crate::audit::{BookWord, audit};
use crate::verdict::Fault;

const PAGE: &str = "they had gone down to the harbour long before the sun was over the hills of the bay";

fn book(text: &str) -> Vec<BookWord> {
    let words = text.split_whitespace().enumerate();
    words
        .map(|(at, word)| {
            let at = at as u32;
            let span = Span { doc: DocId(0), start: at * 10, end: at * 10 + 9 };
            BookWord { text: word.into(), chapter: 0, tokens: at..at + 1, span }
        })
        .collect()
}

fn heard(text: &str) -> Vec<HeardWord> {
    let words = text.split_whitespace().enumerate();
    words
        .map(|(at, word)| HeardWord {
            text: word.into(),
            start_ms: at as u32 * 300,
            end_ms: at as u32 * 300 + 250,
            log_prob: -0.1,
        })
        .collect()
}

fn questions(page: &str, said: &str) -> (Audit, Vec<Question>) {
    let (book, heard) = (book(page), heard(said));
    let found = audit(&book, &heard, &[]);
    let questions = found.questions(&book, &heard);
    (found, questions)
}

/// An answer of listeners who wrote nothing down.
fn by_scores(about: Range<u32>, opinions: Vec<Opinion>) -> Answer {
    answer(about, opinions, None)
}

/// An answer with the same opinions of each difference by itself as of all.
fn answer(about: Range<u32>, opinions: Vec<Opinion>, missing: Option<Vec<Vec<Complaint>>>) -> Answer {
    let own = vec![opinions.clone(); about.len()];
    Answer { about, opinions, own, missing }
}

/// An opinion without what silence makes of the place.
fn opinion(to_heard: f32, to_nothing: f32) -> Opinion {
    Opinion { to_heard, to_nothing, prior: None, heard_prior: None }
}

/// Settles all that is asked alike.
fn settled(page: &str, said: &str, opinions: &[(f32, f32)]) -> Audit {
    let (mut found, questions) = questions(page, said);
    let opinions: Vec<Opinion> =
        opinions.iter().map(|&(to_heard, to_nothing)| opinion(to_heard, to_nothing)).collect();
    let answers: Vec<_> = questions.into_iter().map(|it| by_scores(it.about, opinions.clone())).collect();
    found.settle(&answers);
    found
}

fn scored(log_probs: &[f32]) -> Hearing {
    let word = |&log_prob: &f32| ScoredWord {
        at: 0..1,
        start_ms: 0,
        end_ms: 100,
        log_prob,
        best_log_prob: log_prob,
        tokens: 1,
        rather: String::new(),
        prior: None,
    };
    Hearing { scored: log_probs.iter().map(word).collect(), ..Hearing::default() }
}

#[test]
fn a_missing_word_is_read_with_it_and_without_it() {
    let (_, questions) = questions(PAGE, &PAGE.replace("harbour ", ""));
    let [question] = &questions[..] else { panic!("{questions:?}") };
    assert_eq!(
        question.readings,
        [
            "they had gone down to the harbour long before the sun was over",
            "they had gone down to the long before the sun was over",
        ]
    );
    // Six words before it and six behind it, of 300 ms each, and the edges.
    assert_eq!((question.start_ms, question.end_ms), (0, 11 * 300 + 250 + 160));
}

#[test]
fn another_word_is_read_in_three_ways() {
    let (_, questions) = questions(PAGE, &PAGE.replace("harbour", "philosophy"));
    let [question] = &questions[..] else { panic!("{questions:?}") };
    let with = |word: &str| format!("they had gone down to the {word}long before the sun was over");
    assert_eq!(question.readings, [with("harbour "), with("philosophy "), with("")]);
}

#[test]
fn words_too_many_are_read_with_them_and_without_them() {
    let (found, questions) = questions(PAGE, &PAGE.replace("long before", "long philosophy before"));
    assert_eq!(found.discrepancies[0].kind, Difference::Added);
    assert_eq!(
        questions[0].readings,
        [
            "gone down to the harbour long before the sun was over the",
            "gone down to the harbour long philosophy before the sun was over the",
        ]
    );
}

#[test]
fn what_is_said_twice_is_not_written_twice() {
    let twice = PAGE.replace("the harbour", "the harbour the harbour");
    let (found, questions) = questions(PAGE, &twice);
    assert_eq!(found.discrepancies[0].kind, Difference::Repeated);
    let times = |reading: &str| reading.matches("the harbour").count();
    assert_eq!(questions[0].readings.iter().map(|it| times(it)).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_passage_too_many_is_asked_about_only_where_it_has_no_room() {
    let (once, twice) = ("before the sun was over", "before the sun was over before the sun was over");
    let (book, mut heard) = (book(PAGE), heard(&PAGE.replace(once, twice)));
    let found = audit(&book, &heard, &[]);
    assert!(found.discrepancies[0].sure);
    assert!(found.questions(&book, &heard).is_empty());
    // Five words in a tenth of a second: a recogniser that stumbled.
    let twice = found.discrepancies[0].heard_words.clone();
    let from = heard[twice.start as usize].start_ms;
    for (at, word) in heard[twice.start as usize..twice.end as usize].iter_mut().enumerate() {
        (word.start_ms, word.end_ms) = (from + 20 * at as u32, from + 20 * at as u32 + 20);
    }
    let found = audit(&book, &heard, &[]);
    assert_eq!(found.questions(&book, &heard).len(), 1);
}

#[test]
fn differences_that_touch_are_one_question() {
    let page = "he rode on to Netherfield House with the greatest speed and came back at noon";
    let said = page.replace("Netherfield House", "another fieldhouse philosophy");
    let (found, questions) = questions(page, &said);
    let [question] = &questions[..] else { panic!("{questions:?}") };
    assert_eq!(question.about, 0..found.discrepancies.len() as u32);
    assert!(question.readings[0].contains("to Netherfield House with"));
    assert!(question.readings[1].contains("to another fieldhouse philosophy with"));
}

#[test]
fn a_right_word_between_parts_them() {
    let said = PAGE.replace("harbour long before", "philosophy long amphibian");
    let (found, questions) = questions(PAGE, &said);
    assert_eq!(found.discrepancies.len(), 2);
    assert_eq!(questions.iter().map(|it| it.about.clone()).collect::<Vec<_>>(), [0..1, 1..2]);
    // The neighbour is as it was heard in every reading.
    assert!(questions[0].readings.iter().all(|it| it.contains("long amphibian the")));
}

#[test]
fn nobody_is_asked_where_there_is_no_room_for_an_answer() {
    let (missing, nowhere) = ("harbour ".repeat(60), String::new());
    let page = PAGE.replace("harbour ", &missing);
    // Seventy words have no room in four seconds.
    assert!(questions(&page, &PAGE.replace("harbour ", &nowhere)).1.is_empty());
    // At the end of the audio, and where nothing was heard at all.
    assert!(questions(PAGE, PAGE.trim_end_matches(" bay")).1.is_empty());
    assert!(questions(PAGE, "").1.is_empty());
}

#[test]
fn an_opinion_is_the_difference_of_sums() {
    let (_, questions) = questions(PAGE, &PAGE.replace("harbour", "philosophy"));
    let readings = [scored(&[-1.0, -2.0]), scored(&[-1.0, -9.0]), scored(&[-5.0])];
    let opinions = |heard: &[Hearing]| questions[0].answer(&[heard.to_vec()]).opinions;
    assert_eq!(opinions(&readings), [opinion(7.0, 2.0)]);
    // Who could not score one of them has no opinion.
    assert_eq!(opinions(&[scored(&[-1.0]), scored(&[]), scored(&[-5.0])]), []);
    assert_eq!(opinions(&readings[..2]), []);
    assert_eq!(opinions(&[]), []);
}

#[test]
fn a_prior_is_what_silence_makes_of_the_readings() {
    let (_, questions) = questions(PAGE, &PAGE.replace("harbour", "philosophy"));
    let aloud = [scored(&[-1.0]), scored(&[-4.0]), scored(&[-3.0])];
    let silent = [scored(&[-20.0]), scored(&[-30.0]), scored(&[-16.0])];
    let answer = questions[0].answer(&[[aloud.clone(), silent].concat()]);
    let with_priors = Opinion { prior: Some(-4.0), heard_prior: Some(10.0), ..opinion(3.0, 2.0) };
    assert_eq!(answer.opinions, [with_priors]);
    assert_eq!(answer.own, [[with_priors]]);
    assert_eq!((with_priors.evidence(), with_priors.sound()), (Some(6.0), Some(6.0 - 7.0 * CONTRAST)));
    // Who could not score one of them against silence has an opinion all the same.
    let silent = [scored(&[-20.0]), scored(&[]), scored(&[-16.0])];
    assert_eq!(questions[0].answer(&[[aloud, silent].concat()]).opinions, [opinion(3.0, 2.0)]);
}

#[test]
fn of_differences_that_touch_each_is_asked_about_by_itself_as_well() {
    let page = PAGE.replace("harbour long", "harbour steps long");
    let (found, questions) = questions(&page, &PAGE.replace("harbour", "philosophy"));
    let [question] = &questions[..] else { panic!("{questions:#?}") };
    let [first, second] = &found.discrepancies[..] else { panic!("{found:#?}") };
    let with = |middle: &str| format!("they had gone down to the {middle}long before the sun was over");
    assert_eq!(question.readings[..3], [with("harbour steps "), with("philosophy "), with("")]);
    let own: Vec<[&str; 2]> = question
        .own
        .iter()
        .map(|it| [it.heard, it.nothing].map(|at| question.readings[at as usize].as_str()))
        .collect();
    let alone = |it: &Discrepancy| match it.written.as_str() {
        "harbour" => with(&format!("{} steps ", it.heard)),
        _ => with(&format!("harbour {} ", it.heard)),
    };
    assert_eq!(own[0][0], alone(first).replace("  ", " "));
    assert_eq!(own[1][0], alone(second).replace("  ", " "));
    assert_eq!((own[0][1], own[1][1]), (with("steps ").as_str(), with("harbour ").as_str()));
}

/// What comes of one difference: how it is settled, whether it is sure, and words lost in all.
fn one(found: &Audit) -> (Settled, bool, u32) {
    let of = found.discrepancies.iter().chain(&found.cleared).collect::<Vec<_>>();
    let [it] = of[..] else { panic!("{of:#?}") };
    (it.settled.expect("it was asked about"), it.sure, found.words_lost())
}

#[test]
fn a_missing_word_is_there_gone_or_either() {
    let said = PAGE.replace("harbour ", "");
    assert_eq!(one(&settled(PAGE, &said, &[(12.0, 12.0), (7.0, 7.0)])), (Settled::Cleared, true, 0));
    assert_eq!(one(&settled(PAGE, &said, &[(-3.0, -3.0), (1.0, 1.0)])), (Settled::Confirmed, true, 1));
    // In between it is a doubt, and not counted.
    assert_eq!(one(&settled(PAGE, &said, &[(3.0, 3.0)])), (Settled::Open, false, 0));
    // One is at a loss and the other sure.
    assert_eq!(one(&settled(PAGE, &said, &[(1.0, 1.0), (9.0, 9.0)])).0, Settled::Cleared);
}

#[test]
fn a_slight_word_that_nobody_hears_stays_a_doubt() {
    let said = PAGE.replace("to the harbour", "to harbour");
    assert_eq!(one(&settled(PAGE, &said, &[(-4.0, -4.0)])), (Settled::Confirmed, false, 0));
}

#[test]
fn a_small_word_at_the_end_of_a_sentence_is_not_swallowed() {
    let page = PAGE.replace("down to the harbour long", "where the harbour led to. Long");
    let said = page.replace("led to. Long", "led Long");
    assert_eq!(one(&settled(&page, &said, &[(-13.0, -13.0)])), (Settled::Confirmed, true, 1));
    assert_eq!(one(&settled(&page, &said, &[(-4.0, -4.0)])), (Settled::Confirmed, false, 0));
    // Within one it may be, an initial is in one, and cries are what recognisers leave out.
    let said = page.replace("over the hills", "over hills");
    assert_eq!(one(&settled(&page, &said, &[(-13.0, -13.0)])), (Settled::Confirmed, false, 0));
    for word in ["J.", "Oh!"] {
        let (page, said) = (PAGE.replace("before the", &format!("before {word} the")), PAGE);
        assert_eq!(one(&settled(&page, said, &[(-13.0, -13.0)])), (Settled::Confirmed, false, 0), "{word}");
    }
}

#[test]
fn what_sounds_alike_is_a_spelling_and_what_does_not_must_compete() {
    let alike = PAGE.replace("harbour", "harbor's");
    let heard_so = [(-20.0, 9.0)];
    assert_eq!(one(&settled(PAGE, &alike, &heard_so)).0, Settled::Cleared);
    let unlike = PAGE.replace("harbour", "philosophy");
    assert_eq!(one(&settled(PAGE, &unlike, &heard_so)), (Settled::Confirmed, true, 1));
    assert_eq!(one(&settled(PAGE, &unlike, &[(-7.0, 9.0)])), (Settled::Open, false, 0));
    assert_eq!(one(&settled(PAGE, &unlike, &[(-2.0, 9.0)])).0, Settled::Cleared);
    // Either says as much as the other: `in` and `a`, said in passing.
    assert_eq!(one(&settled(PAGE, &unlike, &[(-0.9, 1.3)])), (Settled::Open, false, 0));
    assert_eq!(one(&settled(PAGE, &unlike, &[(-0.9, -6.0)])), (Settled::Confirmed, true, 1));
    // A word that nothing speaks for is not there, though it sounds a little like it; a spelling of it may be.
    let like = PAGE.replace("harbour", "hammer");
    assert_eq!(one(&settled(PAGE, &like, &[(-3.0, 1.0)])), (Settled::Confirmed, true, 1));
    assert_eq!(one(&settled(PAGE, &alike, &[(-3.0, 1.0)])), (Settled::Open, false, 0));
    let name = |text: &str| text.replace("harbour", "Marrowhythe");
    let said = PAGE.replace("harbour", "Marowise");
    assert_eq!(one(&settled(&name(PAGE), &said, &[(-9.0, 1.0)])), (Settled::Open, false, 0));
}

#[test]
fn words_too_many_are_there_or_were_made_up() {
    let said = PAGE.replace("long before", "long philosophy before");
    assert_eq!(one(&settled(PAGE, &said, &[(-9.0, -9.0)])).0, Settled::Confirmed);
    assert_eq!(one(&settled(PAGE, &said, &[(2.0, 2.0)])).0, Settled::Cleared);
    assert_eq!(one(&settled(PAGE, &said, &[(-3.0, -3.0)])), (Settled::Open, false, 0));
}

#[test]
fn without_an_opinion_nothing_moves() {
    let (mut found, questions) = questions(PAGE, &PAGE.replace("harbour ", ""));
    let before = found.clone();
    let answers: Vec<_> = questions.iter().map(|it| by_scores(it.about.clone(), Vec::new())).collect();
    found.settle(&answers);
    found.settle(&[]);
    assert_eq!(found, before);
}

#[test]
fn words_found_follow_what_is_settled() {
    let said = PAGE.replace("harbour ", "").replace("hills ", "");
    let (mut found, questions) = questions(PAGE, &said);
    assert_eq!((found.words_found, found.words_lost()), (16, 2));
    let there = opinion(9.0, 9.0);
    found.settle(&[by_scores(questions[0].about.clone(), vec![there])]);
    assert_eq!((found.words_found, found.words_lost(), found.cleared.len()), (17, 1, 1));
    assert_eq!(found.discrepancies[0].written, "hills");
}

#[test]
fn only_what_is_plainly_heard_needs_no_second_listener() {
    let plainly = opinion(9.0, 9.0);
    let answered = |said: &str, opinions: &[Opinion]| {
        let (found, questions) = questions(PAGE, said);
        found.is_answered(&by_scores(questions[0].about.clone(), opinions.to_vec()))
    };
    let (lost, changed) = (PAGE.replace("harbour ", ""), PAGE.replace("harbour", "philosophy"));
    assert!(answered(&lost, &[plainly]) && answered(&changed, &[plainly]));
    assert!(!answered(&lost, &[]));
    assert!(!answered(&lost, &[opinion(5.0, 5.0)]));
    assert!(!answered(&changed, &[opinion(-4.0, 12.0)]));
    assert!(!answered(&PAGE.replace("long before", "long philosophy before"), &[plainly]));
}

#[test]
fn of_small_words_one_listener_is_enough() {
    let (found, questions) = questions(PAGE, &PAGE.replace("they had", "they has"));
    let [question] = &questions[..] else { panic!("{questions:#?}") };
    assert!(question.is_slight && !question.to_write_down);
    let answered = |opinions: Vec<Opinion>| found.is_answered(&by_scores(question.about.clone(), opinions));
    assert!(answered(vec![opinion(-9.0, -3.0)]) && !answered(Vec::new()));
    // So many of them are a loss like any other.
    let page = PAGE.replace("the sun", "it was to be as they had been at the sun");
    let (found, questions) = self::questions(&page, PAGE);
    assert!(found.discrepancies[0].sure && !questions[0].is_slight, "{found:#?}");
}

#[test]
fn a_word_missing_beside_another_heard_otherwise_competes_with_it() {
    let page = PAGE.replace("harbour long", "harbour steps long");
    let said = PAGE.replace("harbour", "philosophy");
    let (found, questions) = questions(&page, &said);
    assert_eq!(questions[0].about, 0..2, "{found:#?}");
    let settle = |to_heard: f32| {
        let mut found = found.clone();
        found.settle(&[by_scores(0..2, vec![opinion(to_heard, 9.0)])]);
        let lost = found.discrepancies.iter().chain(&found.cleared).find(|it| it.kind == Difference::Lost);
        lost.and_then(|it| it.settled)
    };
    assert_eq!(settle(-14.0), Some(Settled::Confirmed));
    assert_eq!(settle(-7.0), Some(Settled::Open));
    assert_eq!(settle(1.0), Some(Settled::Cleared));
}

/// Settles one difference by scores and by what the transcripts of its place hold against it.
fn retold(said: &str, opinions: &[(f32, f32)], missing: &[Complaint]) -> (Settled, bool, u32) {
    let (mut found, questions) = questions(PAGE, said);
    let of = |&(to_heard, to_nothing): &(f32, f32)| opinion(to_heard, to_nothing);
    let opinions = opinions.iter().map(of).collect();
    let about = questions[0].about.clone();
    found.settle(&[answer(about, opinions, Some(vec![missing.to_vec()]))]);
    one(&found)
}

fn complaint(written: &str, heard: &str, unlike: f32) -> Complaint {
    let fault = if heard.is_empty() { Fault::WordLost } else { Fault::WordChanged { unlike } };
    Complaint {
        fault,
        written: written.into(),
        word: Some(6),
        heard: heard.into(),
        start_ms: 0,
        end_ms: 0,
        pardon: None,
    }
}

#[test]
fn a_word_that_no_transcript_has_is_lost_though_its_place_is_filled() {
    let said = PAGE.replace("harbour", "philosophy");
    let missing = [complaint("harbour", "philosophy", 0.8)];
    // By the scores alone it may be either.
    assert_eq!(one(&settled(PAGE, &said, &[(-7.0, 5.0)])), (Settled::Open, false, 0));
    assert_eq!(retold(&said, &[(-7.0, 5.0)], &missing), (Settled::Confirmed, true, 1));
    // `haven't I` heard as have an I: on an average hardly better than what is written.
    assert_eq!(retold(&said, &[(-1.5, 6.0), (-4.9, 6.9)], &missing).0, Settled::Open);
    assert_eq!(retold(&said, &[(-4.0, 6.0), (-4.9, 6.9)], &missing).0, Settled::Confirmed);
    // Scores that plainly hear it and transcripts that do not: nobody knows.
    assert_eq!(retold(&said, &[(-2.0, 5.0), (3.0, 7.0)], &missing).0, Settled::Open);
}

#[test]
fn a_word_that_a_transcript_has_is_lost_only_when_all_scores_do_without_it() {
    let said = PAGE.replace("harbour ", "");
    assert_eq!(retold(&said, &[(-3.0, -3.0), (1.0, 1.0)], &[]), (Settled::Confirmed, true, 1));
    assert_eq!(retold(&said, &[(-2.0, -2.0), (3.3, 3.3)], &[]), (Settled::Open, false, 0));
    assert_eq!(retold(&said, &[(7.0, 7.0)], &[]).0, Settled::Cleared);
    let other = PAGE.replace("harbour", "philosophy");
    assert_eq!(retold(&other, &[(-5.0, 1.0)], &[]), (Settled::Open, false, 0));
}

#[test]
fn swallowed_sounds_and_spellings_are_listed_and_not_counted() {
    let said = PAGE.replace("over", "other");
    assert_eq!(retold(&said, &[(-6.0, 1.0)], &[complaint("liked", "like", 0.175)]).0, Settled::Open);
    let small = PAGE.replace("they", "you");
    assert_eq!(retold(&small, &[(-6.0, 1.0)], &[complaint("they", "you", 0.7)]).0, Settled::Open);
    let name = [complaint("Marrowhythe", "marrow", 0.4)];
    assert_eq!(retold(&said, &[(-9.0, 0.8), (-17.0, -9.0)], &name).0, Settled::Open);
    // So much worse than nothing is no spelling of it, unless it is one to the ear.
    let alike = PAGE.replace("harbour", "harbor's");
    let spelt = [complaint("harbour", "harbor's", 0.2)];
    assert_eq!(retold(&alike, &[(-26.0, -18.0), (-15.0, -10.0)], &spelt).0, Settled::Open);
    assert_eq!(retold(&said, &[(-9.0, -6.0), (-17.0, -9.0)], &name).0, Settled::Confirmed);
}

#[test]
fn of_several_differences_only_those_are_lost_that_a_transcript_misses() {
    let page = PAGE.replace("harbour long", "harbour steps long");
    let (mut found, questions) = questions(&page, &PAGE.replace("harbour", "philosophy"));
    let about = questions[0].about.clone();
    assert_eq!(about.len(), 2);
    let opinions = vec![opinion(-13.0, -7.0)];
    let missing = found.discrepancies.iter().map(|it| match it.written.as_str() {
        "harbour" => vec![complaint("harbour", "philosophy", 0.8)],
        _ => Vec::new(),
    });
    let missing = Some(missing.collect());
    found.settle(&[answer(about, opinions, missing)]);
    assert_eq!(found.words_lost(), 1);
}

#[test]
fn hyphens_are_not_scored_and_every_part_knows_its_place() {
    let page = PAGE.replace("harbour long", "harbour-side steps long");
    let (_, questions) = questions(&page, &PAGE.replace("harbour", "philosophy"));
    let [question] = &questions[..] else { panic!("{questions:#?}") };
    assert!(question.readings[0].contains("the harbour side steps long"), "{question:#?}");
    let parts = question.parts.iter().map(|it| &question.readings[0][it.start as usize..it.end as usize]);
    let mut parts: Vec<&str> = parts.collect();
    parts.sort_unstable();
    assert_eq!(parts, ["harbour side", "steps"]);
}

#[test]
fn a_word_said_twice_beside_another_is_one_question_with_it() {
    let page = "he lived in Gracechurch Street with his wife and all of his children";
    let (_, questions) = questions(page, &page.replace("Gracechurch Street", "Grey Street Street"));
    let [question] = &questions[..] else { panic!("{questions:#?}") };
    assert!(question.readings[0].contains("in Gracechurch Street with"), "{question:#?}");
    assert!(question.readings[1].contains("in Grey Street Street with"), "{question:#?}");
}

/// The page heard as it is written, one word of it without confidence.
fn unsure_of(page: &str, unsure: &str, opinions: &[Opinion]) -> (usize, Audit) {
    let book = book(page);
    let mut heard = heard(&page.replace('-', " "));
    heard.iter_mut().filter(|word| word.text == unsure).for_each(|word| word.log_prob = -0.8);
    let mut found = audit(&book, &heard, &[]);
    let questions = found.questions(&book, &heard);
    let answers: Vec<_> = questions.iter().map(|it| by_scores(it.about.clone(), opinions.to_vec())).collect();
    found.settle(&answers);
    (questions.len(), found)
}

fn with_prior(to_nothing: f32, prior: f32) -> Opinion {
    Opinion { to_heard: to_nothing, to_nothing, prior: Some(prior), heard_prior: Some(prior) }
}

#[test]
fn a_word_heard_without_confidence_is_lost_when_the_words_alone_explain_it() {
    let (asked, found) = unsure_of(PAGE, "harbour", &[with_prior(6.7, 8.4), with_prior(5.0, 4.5)]);
    assert_eq!(asked, 1);
    let [it] = &found.discrepancies[..] else { panic!("{found:#?}") };
    assert_eq!((it.kind, it.guessed, it.sure, it.lost), (Difference::Lost, true, true, 1));
    assert_eq!((it.written.as_str(), it.heard.as_str(), found.words_lost()), ("harbour", "harbour", 1));
    assert_eq!(found.words_found, found.words_in_book - 1);
}

#[test]
fn a_word_heard_without_confidence_is_no_difference_when_the_audio_says_it() {
    let plainly = opinion(14.0, 14.0);
    let unasked: &[Opinion] = &[];
    for opinions in
        [&[with_prior(8.2, 6.0)][..], &[with_prior(6.7, 8.4), with_prior(9.0, 1.0)], &[plainly], unasked]
    {
        let (_, found) = unsure_of(PAGE, "hills", opinions);
        assert_eq!((found.discrepancies.len(), found.cleared.len()), (0, 0), "{opinions:?}");
        assert!(found.is_clean() && found.words_found == found.words_in_book);
    }
}

#[test]
fn a_word_in_less_time_than_it_takes_needs_more_to_speak_for_it() {
    // Seven letters in a quarter of a second, and five.
    let lost = |word: &str| unsure_of(PAGE, word, &[with_prior(8.2, 6.0)]).1.words_lost();
    assert_eq!((lost("harbour"), lost("hills")), (1, 0));
}

#[test]
fn small_words_and_parts_of_words_are_not_doubted_for_want_of_confidence() {
    assert_eq!(unsure_of(PAGE, "was", &[]).0, 0);
    let page = PAGE.replace("harbour", "harbour-side");
    assert_eq!((unsure_of(&page, "side", &[]).0, unsure_of(&page, "hills", &[]).0), (0, 1));
}

#[test]
fn what_the_words_alone_make_likely_is_not_cleared() {
    let (found, questions) = questions(PAGE, &PAGE.replace("harbour", "hardware"));
    let settle = |prior: f32| {
        let mut found = found.clone();
        let opinions = vec![Opinion { prior: Some(prior), heard_prior: Some(-1.0), ..opinion(-1.0, 7.0) }];
        found.settle(&[by_scores(questions[0].about.clone(), opinions)]);
        (found.discrepancies.len(), found.cleared.len())
    };
    assert_eq!(settle(-3.0), (0, 1));
    assert_eq!(settle(2.0), (1, 0));
}

#[test]
fn another_word_that_sounds_like_itself_is_no_spelling_of_the_one_that_is_written() {
    let (found, questions) = questions(PAGE, &PAGE.replace("harbour", "hardware"));
    // The words alone want what is written, by so much.
    let settle = |heard_prior: f32, missing: Option<Vec<Vec<Complaint>>>| {
        let mut found = found.clone();
        let opinions =
            vec![Opinion { prior: Some(-1.0), heard_prior: Some(heard_prior), ..opinion(-1.0, 7.0) }];
        found.settle(&[answer(questions[0].about.clone(), opinions, missing)]);
        one(&found)
    };
    assert_eq!(settle(1.0, None).0, Settled::Cleared);
    assert_eq!(settle(3.0, None).0, Settled::Open);
    assert_eq!(settle(9.0, None), (Settled::Confirmed, true, 1));
    // In between it depends on whether a transcript has it.
    assert_eq!(settle(5.0, None).0, Settled::Open);
    let unheard = Some(vec![vec![complaint("harbour", "hardware", 0.6)]]);
    assert_eq!(settle(5.0, unheard), (Settled::Confirmed, true, 1));
}

#[test]
fn a_word_that_the_audio_says_is_not_lost_because_nobody_can_write_it() {
    let (found, questions) = questions(PAGE, &PAGE.replace("harbour", "hardware"));
    let missing = vec![vec![complaint("harbour", "hardware", 0.6)]];
    let settle = |prior: f32| {
        let mut found = found.clone();
        let opinions = vec![Opinion { prior: Some(prior), heard_prior: Some(-9.0), ..opinion(-8.0, 3.0) }];
        found.settle(&[answer(questions[0].about.clone(), opinions, Some(missing.clone()))]);
        one(&found)
    };
    assert_eq!(settle(-8.0), (Settled::Confirmed, true, 1));
    assert_eq!(settle(-10.0), (Settled::Open, false, 0));
}

#[test]
fn what_the_audio_says_much_for_is_not_lost_for_want_of_a_transcript() {
    let page = PAGE.replace("harbour", "haven't");
    let (mut found, questions) = questions(&page, &PAGE.replace("harbour", "have an"));
    // As whisper-tiny.en and whisper-base heard it in a good take.
    let heard = |evidence: f32, over_heard: f32, to_heard: f32, to_nothing: f32| Opinion {
        prior: Some(to_nothing - evidence),
        heard_prior: Some(to_heard - over_heard),
        ..opinion(to_heard, to_nothing)
    };
    let opinions = vec![heard(12.8, -9.3, -1.5, 5.9), heard(15.0, -11.2, -4.8, 7.5)];
    let missing = Some(vec![vec![complaint("haven't", "have an", 0.4)]]);
    found.settle(&[answer(questions[0].about.clone(), opinions, missing)]);
    assert_eq!(one(&found), (Settled::Open, false, 0));
}

#[test]
fn a_word_between_others_that_were_misheard_is_lost_by_itself() {
    let page = PAGE.replace("harbour long", "harbour steps long");
    let (mut found, questions) = questions(&page, &PAGE.replace("harbour", "philosophy"));
    let whole = Opinion { prior: Some(-9.0), heard_prior: Some(-5.0), ..opinion(2.0, 12.0) };
    let gone = Opinion { prior: Some(6.0), heard_prior: Some(6.0), ..opinion(5.0, 5.0) };
    let own = found.discrepancies.iter().map(|it| vec![if it.written == "steps" { gone } else { whole }]);
    let own = own.collect();
    found.settle(&[Answer { about: questions[0].about.clone(), opinions: vec![whole], own, missing: None }]);
    let [it] = &found.discrepancies[..] else { panic!("{found:#?}") };
    assert_eq!((it.written.as_str(), it.sure, it.lost), ("steps", true, 1));
    assert_eq!(it.own_opinions, [gone]);
}

#[test]
fn a_name_that_is_nothing_like_what_is_heard_is_lost_when_the_audio_says_nothing_of_it() {
    let page = PAGE.replace("harbour", "Bennet");
    let (found, questions) = questions(&page, &PAGE.replace("harbour", "Beans"));
    let settle = |to_heard: f32, to_nothing: f32, prior: f32| {
        let mut found = found.clone();
        let opinions = vec![Opinion {
            prior: Some(prior),
            heard_prior: Some(to_heard),
            ..opinion(to_heard, to_nothing)
        }];
        found.settle(&[by_scores(questions[0].about.clone(), opinions)]);
        found.words_lost()
    };
    assert_eq!(settle(-15.0, -2.0, -5.0), 1);
    assert_eq!(settle(-15.0, -2.0, -16.0), 0, "silence would have it far worse");
    assert_eq!(settle(-4.0, -2.0, -5.0), 0, "it may be his spelling");
}

#[test]
fn a_passage_that_is_gone_is_gone_however_unlikely_silence_finds_it() {
    let passage = "nobody had seen the old ferry since the evening on which the long autumn storm began";
    let page = PAGE.replace("the sun", &format!("{passage} the sun"));
    let (mut found, questions) =
        questions(&page, &PAGE.replace("the sun", "beggars dresses presents the sun"));
    assert_eq!(questions.len(), 1, "{found:#?}");
    let gone = |to_heard: f32, to_nothing: f32| Opinion {
        to_heard,
        to_nothing,
        prior: Some(to_nothing - 60.0),
        heard_prior: Some(to_heard - 50.0),
    };
    let complaint = complaint("nobody", "beggars", 0.8);
    let about = questions[0].about.clone();
    let missing = vec![vec![complaint; 12]; about.len()];
    found.settle(&[answer(about, vec![gone(-70.0, -80.0), gone(-75.0, -90.0)], Some(missing))]);
    assert!(found.discrepancies.iter().any(|it| it.sure && it.lost > 9), "{found:#?}");
}
