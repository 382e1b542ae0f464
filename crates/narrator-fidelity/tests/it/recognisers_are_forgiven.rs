//! What a recogniser writes differently is no fault of the take, and what it cannot hide is one.

use narrator_core::{Hearing, ScoredWord};
use narrator_fidelity::verdict::{Fault, Pardon};
use narrator_fidelity::{Decision, Evidence, Listener, Verdict, align, judge};
use proptest::prelude::*;

use crate::support::{WORDS, hearing, text};

fn all_right(text: &str, said: &str) {
    let alignment = align(text, &hearing(said).words);
    let wrong: Vec<_> = alignment.edits.iter().filter(|edit| !edit.kind.is_right()).collect();
    assert!(wrong.is_empty(), "{text:?} heard as {said:?}: {wrong:?}");
}

#[test]
fn the_same_words_written_otherwise() {
    for (text, said) in [
        ("In eighteen forty-two she left.", "In 1842 she left."),
        ("It cost five pounds and ten pence.", "It cost £5.10."),
        ("One hundred and five men.", "105 men."),
        ("He had ten thousand a year.", "He had 10,000 a year."),
        ("On the twenty-first of May", "On the 21st of May"),
        ("It was half past ten; no, ten thirty.", "It was half past 10. No, 10:30."),
        ("Chapter fourteen.", "Chapter 14"),
        ("Henry the Eighth had six wives.", "Henry VIII had 6 wives."),
        ("The Curvebuster came.", "the curve buster came"),
        ("Every one of them sat down for a while.", "Everyone of them sat down for awhile."),
        ("The colour of her neighbour's honour.", "The color of her neighbor's honor."),
        ("It is not what I do not know.", "It's not what I don't know."),
        ("It's what we're not.", "It is what we are not."),
        ("Mister and Missus Bennet.", "Mr. and Mrs. Bennett"),
        ("Their sons knew the heir.", "There suns new the air."),
        ("“No—never!” cried Jane…", "no, never, cried Jane."),
        ("PRIDE AND PREJUDICE", "Pride and Prejudice."),
        ("To-day and to-morrow.", "Today and tomorrow."),
        ("Café, naïve, façade.", "Cafe, naive, facade."),
        ("Five percent, or five per cent.", "5%, or 5%."),
        ("Doctor Smith of Baker Street.", "Dr. Smith of Baker St."),
        ("The nineteen twenties.", "The 1920s."),
        ("It was one million dollars.", "It was $1 million."),
        ("He has four thousand a year.", "He has 4 ,000 a year."),
        ("It cost twenty thousand pounds, no less.", "It cost £20 ,000, no less."),
        ("She was forty then.", "She was .40 then."),
        ("It is version five point six point twenty-three.", "It is version 5 .6 .23."),
        ("Put it in debian/rules.", "Put it in Debian slash rules."),
        ("Ask at lists dot debian dot org.", "Ask at lists .debian .org."),
        ("Minute zero, fifty-nine.", "Minute 059"),
        ("It is Posix one, twenty seventeen.", "It is POSIX -1 .2017"),
        ("At double-u double-u double-u dot debian.", "At www .debian"),
    ] {
        all_right(text, said);
    }
}

#[test]
fn small_words_said_in_passing() {
    for (text, said) in [
        (
            "He should not go; and till the evening she had no hope.",
            "He should not go, until the evening she had no hope.",
        ),
        ("She times them ill.", "She times the mill."),
        ("Now see dpkg for it.", "Now CDPKG for it."),
    ] {
        all_right(text, said);
    }
    // One small word for another is not what was written, however like they are.
    for (text, said) in
        [("It was his at last.", "It was is at last."), ("He came and went.", "He came in went.")]
    {
        let edits = align(text, &hearing(said).words).edits;
        assert!(edits.iter().any(|edit| !edit.kind.is_right()), "{text:?} heard as {said:?}");
    }
}

#[test]
fn words_parted_elsewhere_are_no_other_words() {
    let (text, said) =
        ("Never such a countenance, never such manners.", "Never such accountants, never such manners.");
    let heard = [hearing(said), hearing(said)];
    assert_eq!(verdict(text, &heard, Listener::First).decision, Decision::SecondOpinion);
    assert_eq!(verdict(text, &heard, Listener::Last).decision, Decision::Accept);
    let (text, said) = (
        "If there had been a Netherfield ball to talk of.",
        "If there had been another field ball to talk of.",
    );
    let heard = [hearing(said), hearing(said)];
    assert_eq!(verdict(text, &heard, Listener::Last).decision, Decision::Accept);
    let (text, said) =
        ("Never such a countenance, never such manners.", "Never such gardens, never such manners.");
    let heard = [hearing(said), hearing(said)];
    assert_eq!(verdict(text, &heard, Listener::Last).decision, Decision::Retry);
}

/// A recogniser's way with a word.
fn noisy(word: &str, way: usize) -> String {
    match way {
        0 => word.to_uppercase(),
        1 => format!("“{word},”"),
        2 => format!("{word}."),
        3 if word.len() > 5 => {
            let (one, other) = word.split_at(3);
            format!("{one} {other}")
        }
        _ => word.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn case_marks_and_split_compounds(row in text(3..40), ways in prop::collection::vec(0_usize..6, 40)) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let said: Vec<String> = words.iter().zip(ways).map(|(word, way)| noisy(word, way)).collect();
        all_right(&words.join(" "), &said.join(" "));
    }

    #[test]
    fn any_number_in_figures(value in 0_u64..1_000_000, row in text(2..8)) {
        let words: Vec<&str> = row.iter().map(|&index| WORDS[index]).collect();
        let spoken = cardinal(value);
        all_right(&format!("{} {spoken} {}", words[0], words[1]), &format!("{} {value} {}", words[0], words[1]));
        let linked = spoken.replace("hundred ", "hundred and ");
        all_right(&format!("{} {linked} {}", words[0], words[1]), &format!("{} {value} {}", words[0], words[1]));
    }
}

/// A second speller, written apart from the one under test.
fn cardinal(value: u64) -> String {
    const ONES: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    match value {
        0..20 => ONES[value as usize].to_owned(),
        20..100 if value.is_multiple_of(10) => TENS[value as usize / 10 - 2].to_owned(),
        20..100 => format!("{}-{}", TENS[value as usize / 10 - 2], ONES[value as usize % 10]),
        100..1000 if value.is_multiple_of(100) => format!("{} hundred", ONES[value as usize / 100]),
        100..1000 => format!("{} hundred {}", ONES[value as usize / 100], cardinal(value % 100)),
        _ if value.is_multiple_of(1000) => format!("{} thousand", cardinal(value / 1000)),
        _ => format!("{} thousand {}", cardinal(value / 1000), cardinal(value % 1000)),
    }
}

fn verdict(text: &str, hearings: &[Hearing], listener: Listener) -> Verdict {
    judge(&Evidence { segment: None, text, hearings, signal: None, listener })
}

#[test]
fn a_word_that_nobody_heard_refuses_the_take() {
    let text = "She did not walk home alone.";
    let said = hearing("She did walk home alone.");
    let first = verdict(text, std::slice::from_ref(&said), Listener::First);
    assert_eq!(first.decision, Decision::SecondOpinion);
    let both = verdict(text, &[said.clone(), said], Listener::Last);
    assert_eq!(both.decision, Decision::Retry);
    assert_eq!(both.complaints.len(), 1);
    let complaint = &both.complaints[0];
    assert_eq!(
        (complaint.fault.clone(), complaint.written.as_str(), complaint.word),
        (Fault::WordLost, "not", Some(2))
    );
    assert_eq!((complaint.start_ms, complaint.end_ms), (550, 600));
    assert_eq!((both.words, both.heard), (6, 5));
}

#[test]
fn what_another_listener_heard_is_there() {
    let text = "She did not walk home alone.";
    let verdict = verdict(text, &[hearing("She did walk home alone."), hearing(text)], Listener::Last);
    assert_eq!(verdict.decision, Decision::Accept);
    assert_eq!(verdict.pardoned[0].pardon, Some(Pardon::OtherListener));
    assert_eq!(verdict.times.len(), 6);
}

#[test]
fn a_name_is_no_fault_and_another_word_is() {
    let text = "Then Mr. Wickham came in.";
    let name = [hearing("Then Mr. Wycombe came in."), hearing("Then Mr. Wickam came in.")];
    assert_eq!(verdict(text, &name, Listener::Last).decision, Decision::Accept);
    let other = [hearing("Then Mr. Bentley came in."), hearing("Then Mr. Bentley came in.")];
    assert_eq!(verdict(text, &other, Listener::Last).decision, Decision::Retry);
}

#[test]
fn the_first_and_the_last_word_must_be_heard_themselves() {
    let text = "He walked into the garden.";
    for said in ["walked into the garden.", "He walked into the", "He walked into the gar"] {
        let both = [hearing(said), hearing(said)];
        assert_eq!(verdict(text, &both, Listener::Last).decision, Decision::Retry, "{said}");
    }
}

#[test]
fn forced_scoring_finds_a_word_that_sounds_like_what_was_heard() {
    let text = "Mr. Collins had been here.";
    let mut said = hearing("Mr. Collings had been here.");
    let score = |at: std::ops::Range<u32>, log_prob: f32, best: f32| ScoredWord {
        at,
        start_ms: 0,
        end_ms: 100,
        log_prob,
        best_log_prob: best,
        tokens: 2,
        rather: String::new(),
        prior: None,
    };
    said.scored = vec![score(4..11, -1.8, -1.0)];
    assert_eq!(verdict(text, &[said.clone()], Listener::First).decision, Decision::Accept);
    said.scored = vec![score(4..11, -14.0, -1.0)];
    assert_eq!(verdict(text, &[said], Listener::First).decision, Decision::SecondOpinion);
}

/// Forced scores of a text whose words are all found, but for the one of that number.
fn scores(text: &str, word: usize, log_prob: f32, best_log_prob: f32) -> Vec<ScoredWord> {
    let mut from = 0;
    text.split(' ')
        .enumerate()
        .map(|(index, it)| {
            let at = from..from + it.len() as u32;
            from = at.end + 1;
            let (log_prob, best_log_prob) =
                if index == word { (log_prob, best_log_prob) } else { (-0.1, -0.1) };
            let start_ms = index as u32 * 300;
            let (end_ms, rather) = (start_ms + 250, String::new());
            ScoredWord { at, start_ms, end_ms, log_prob, best_log_prob, tokens: 1, rather, prior: None }
        })
        .collect()
}

/// The verdict when two recognisers hear the same and score the same.
fn both(text: &str, said: &str, scored: Vec<ScoredWord>) -> Verdict {
    let said = Hearing { scored, ..hearing(said) };
    verdict(text, &[said.clone(), said], Listener::Last)
}

#[test]
fn forced_scoring_is_the_arbiter_where_two_heard_the_same_other_word() {
    let text = "His want of care was plain.";
    let like = |log_prob| both(text, "His one of care was plain.", scores(text, 1, log_prob, -0.2));
    assert_eq!(like(-2.8).decision, Decision::Accept);
    assert_eq!(like(-2.8).pardoned[0].pardon, Some(Pardon::Scored));
    assert_eq!(like(-9.0).decision, Decision::Retry);
    // What sounds otherwise was not misheard by a taste for another word.
    let other = both(text, "His garden of care was plain.", scores(text, 1, -2.8, -0.2));
    assert_eq!(other.decision, Decision::Retry);
    // Nor is a word that turns the meaning round.
    let text = "He would not come home.";
    let not = both(text, "He would now come home.", scores(text, 2, -2.8, -0.2));
    assert_eq!(not.decision, Decision::Retry);
}

#[test]
fn a_final_stop_that_runs_into_the_next_word_is_no_fault() {
    let swallowed = |text: &str, said: &str, word| both(text, said, scores(text, word, -9.0, -0.2)).decision;
    let (text, said) = ("She would liked to have gone.", "She would like to have gone.");
    assert_eq!(swallowed(text, said, 2), Decision::Accept);
    let (text, said) = ("A short pause followed this speech.", "A short pause followed the speech.");
    assert_eq!(swallowed(text, said, 4), Decision::Accept);
    // In front of a vowel it would have been heard, and what turns the meaning round must be.
    let (text, said) = ("She liked all of it.", "She like all of it.");
    assert_eq!(swallowed(text, said, 1), Decision::Retry);
    let (text, said) = ("She can't do all of it.", "She can do all of it.");
    assert_eq!(swallowed(text, said, 1), Decision::Retry);
}

#[test]
fn a_rare_word_one_sound_off_is_no_other_word() {
    let text = "Those are systemd service units.";
    let heard = |said: &str| both(text, said, scores(text, 2, -9.0, -0.2)).decision;
    assert_eq!(heard("Those are system service units."), Decision::Accept);
    assert_eq!(heard("Those are garden service units."), Decision::Retry);
    let last = "They are started by systemd";
    let cut = both(last, "They are started by system", scores(last, 4, -9.0, -0.2));
    assert_eq!(cut.decision, Decision::Retry, "the end of a take may have been cut");
}

#[test]
fn a_lost_word_is_there_only_if_the_recogniser_would_write_it_itself() {
    let text = "It is an estate of some value.";
    let said = "It is estate of some value.";
    assert_eq!(both(text, said, scores(text, 2, -0.8, -0.7)).decision, Decision::Accept);
    let lost = both(text, said, scores(text, 2, -1.3, -0.4));
    assert_eq!(lost.decision, Decision::Retry);
    // It is placed where scoring looked for it.
    assert_eq!((lost.complaints[0].start_ms, lost.complaints[0].end_ms), (600, 850));
}

#[test]
fn an_added_word_is_the_recognisers_own_if_it_misses_nothing_without_it() {
    let text = "He took so decided a dislike to him.";
    let said = "He took so very decided a dislike to him.";
    assert_eq!(both(text, said, scores(text, 0, -0.1, -0.1)).decision, Decision::Accept);
    assert_eq!(both(text, said, scores(text, 3, -7.0, -0.1)).decision, Decision::Retry);
    // What is said twice was said.
    let twice = "He took so decided decided a dislike to him.";
    assert_eq!(both(text, twice, scores(text, 0, -0.1, -0.1)).decision, Decision::Retry);
}

#[test]
fn a_transcript_that_cannot_be_trusted_is_never_held_against_the_take() {
    let text = "She walked into the garden.";
    let video = hearing("Thanks for watching!");
    assert_eq!(
        verdict(text, std::slice::from_ref(&video), Listener::First).decision,
        Decision::SecondOpinion
    );
    assert_eq!(verdict(text, &[video.clone(), hearing(text)], Listener::Last).decision, Decision::Accept);
    let neither = verdict(text, &[video.clone(), video], Listener::Last);
    assert_eq!(neither.decision, Decision::Retry);
    assert_eq!(neither.complaints[0].fault, Fault::Unheard);
}

#[test]
fn a_verdict_is_one_json_object() {
    let text = "She did not walk home alone.";
    let said = hearing("She did walk home alone.");
    let verdict = verdict(text, &[said.clone(), said], Listener::Last);
    let json = serde_json::to_value(&verdict).expect("JSON");
    assert_eq!(json["decision"], "retry");
    assert_eq!(json["complaints"][0]["fault"], "word-lost");
    assert_eq!(json["complaints"][0]["written"], "not");
    assert_eq!(json["complaints"][0]["start_ms"], 550);
    let back: Verdict = serde_json::from_value(json).expect("the same verdict");
    assert_eq!(back, verdict);
}

/// As [`scores`], of a word in hardly any time that is as likely over silence, less `evidence`.
fn guessed(text: &str, word: usize, log_prob: f32, evidence: f32) -> Vec<ScoredWord> {
    let mut scored = scores(text, word, log_prob, log_prob);
    scored[word].prior = Some(log_prob - evidence);
    scored[word].end_ms = scored[word].start_ms + 120;
    scored
}

#[test]
fn what_the_audio_does_not_say_is_not_there_whoever_writes_it() {
    let text = "Did you ever hear Darcy mention it?";
    let verdict_of = |said: &str, evidence| both(text, said, guessed(text, 3, -1.9, evidence));
    let refused = verdict_of(text, 2.0);
    assert_eq!(refused.decision, Decision::Retry);
    assert_eq!(refused.complaints[0].fault, Fault::WordGuessed);
    assert_eq!(refused.summary(), "`hear` was guessed at 0.9 s, and not heard");
    assert_eq!(verdict_of(text, 12.0).decision, Decision::Accept);
    // What everybody writes in the time that it takes was scored badly for what is written before it: `C++ library`.
    let mut in_time = guessed(text, 3, -1.9, 2.0);
    in_time[3].end_ms += 130;
    assert_eq!(both(text, text, in_time).decision, Decision::Accept);
    // One of them would have been enough, had the audio said it.
    let one = Hearing { scored: guessed(text, 3, -9.0, 1.0), ..hearing("Did you ever Darcy mention it?") };
    let other = Hearing { scored: guessed(text, 3, -1.0, 1.0), ..hearing(text) };
    assert_eq!(verdict(text, &[one, other.clone()], Listener::Last).decision, Decision::Retry);
    assert_eq!(verdict(text, &[other], Listener::First).decision, Decision::SecondOpinion);
}

#[test]
fn another_spelling_is_not_held_to_the_score_of_the_written_one() {
    let text = "I have the honour to know Mister Darcy.";
    for (word, said) in [(3, text.replace("honour", "honor")), (6, text.replace("Mister", "Mr."))] {
        let verdict = both(text, &said, guessed(text, word, -5.0, 2.0));
        assert_eq!(verdict.decision, Decision::Accept, "{said}: {verdict:?}");
    }
}

#[test]
fn a_word_behind_a_sign_is_not_held_to_its_score() {
    let behind = |text: &str| both(text, &text.replace("++", ""), guessed(text, 3, -9.0, -2.0)).decision;
    assert_eq!(behind("See the C++ library for it."), Decision::Accept);
    assert_eq!(behind("See the old library for it."), Decision::Retry);
}
