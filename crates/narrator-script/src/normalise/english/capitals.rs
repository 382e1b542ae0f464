//! Words in capitals: shouted, or set so in a heading or at a chapter's beginning, but words.
//!
//! An engine may spell them out or shout; they are given with one capital. What is spelled anyway stays:
//! acronyms by list, words without a vowel, and short words that are no English words.

use crate::normalise::lexeme::Kind;
use crate::normalise::{Claim, View};

/// Acronyms that could be taken for words by their form, and long ones.
const ACRONYMS: [&str; 81] = [
    "AA", "ABC", "AC", "AD", "AI", "AIDS", "AK", "API", "ASAP", "ASCII", "ATM", "AWOL", "BA", "BBC", "BCE",
    "CE", "CEO", "CIA", "COVID", "CPU", "DIY", "DNA", "DOS", "EU", "FAQ", "FBI", "IBM", "IMF", "ITV", "NYC",
    "OED", "UAE", "USAF", "FIFA", "GNU", "GPU", "HIV", "HTML", "ID", "IEEE", "IO", "IOU", "IQ", "IRA", "IRS",
    "ISBN", "IT", "JPEG", "KO", "LA", "MA", "MIT", "NASA", "NATO", "NBA", "NYPD", "OK", "OPEC", "OS", "PA",
    "PDF", "POW", "RAF", "RIP", "RSVP", "SOS", "SUV", "UFO", "UI", "UK", "UN", "UNESCO", "UNICEF", "URL",
    "US", "USA", "USB", "USSR", "VIP", "WHO", "YMCA",
];
/// Of these, the ones that are words more often when everything around is in capitals too.
const AMBIGUOUS: [&str; 11] = ["IT", "WHO", "LA", "MA", "PA", "AA", "AIDS", "OK", "MIT", "RIP", "US"];
/// And the ones that are words also where nothing else is, unless something stands before them that only
/// a name has: `IT is a truth` against `the IT department`.
const MOSTLY_WORDS: [&str; 4] = ["IT", "WHO", "MA", "PA"];
const BEFORE_NOUNS: [&str; 14] =
    ["the", "an", "a", "in", "of", "our", "your", "his", "her", "their", "by", "from", "for", "with"];

/// English words of two and three letters; longer ones in capitals are taken for words.
const SHORT_WORDS: &str = " ah am an as at aw be by do eh er go ha he hi ho if in is it lo me my no of oh on or \
    ow so to um up us we ye ace act add ado ads age ago aid ail aim air ale all and ant any ape apt arc are ark \
    arm art ash ask ate awe axe aye bad bag ban bar bat bay bed bee beg bet bid big bin bit bob bog bow box boy \
    bud bug bun bus but buy bye cab can cap car cat cow coy cry cub cue cup cur cut dad dam day den dew did die \
    dig dim din dip doe dog dot dry due dug dye ear eat ebb egg ego eke elf elm end era eve ewe eye fad fan far \
    fat fed fee few fig fin fir fit fix flu fly foe fog for fox fro fry fun fur gag gap gas gem get gin god got \
    gum gun gut guy had hag ham has hat hay hem hen her hew hey hid him hip his hit hoe hog hop hot how hue hug \
    hum hut ice icy ill imp ink inn ion its ivy jam jar jaw jet job jog jot joy jug keg key kid kin kit lad lag \
    lap law lax lay led leg let lid lie lip lit log lot low mad man map mar mat maw may men met mix mob mop mow \
    mud mug nag nap nay net new nib nil nip nod nor not now nun oak oar oat odd off oil old one opt orb ore our \
    out owe owl own pad pan paw pay pea peg pen pet pew pie pig pin pit pod pop pot pry pub pun put rag ram ran \
    rat raw ray red rib rid rim rob rod roe rot row rub rue rug rum run rut rye sad sag sap sat saw say sea see \
    set sew she shy sin sip sir sit six ski sky sly sob son sow spy sum sun tab tag tan tap tar tax tea ten the \
    thy tie tin tip toe ton too top toy try tub tug two use van vat vet vex via vow wag wan war was way web wed \
    wee wet who why wig win wit woe won woo yes yet yew you zoo ";

pub(crate) fn claim(view: &View<'_>, at: usize) -> Option<Claim> {
    let word = view.word(at)?;
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if letters < 2 || !word.chars().all(|c| c.is_uppercase() || !c.is_alphabetic()) {
        return None;
    }
    // `U.S.` and its kind, `R&D`, `4WD`, `F-16`, `VHF/UHF`.
    let glued = view.is_mark(at + 1, '&') || at.checked_sub(1).is_some_and(|it| view.is_mark(it, '&'));
    let by_number = view.is_wordlike(at.checked_sub(1))
        || view.digits(at + 1).is_some()
        || (view.is_mark(at + 1, '-') && view.digits(at + 2).is_some());
    let is_noun =
        view.word_before(at).is_some_and(|before| BEFORE_NOUNS.contains(&before.to_lowercase().as_str()));
    let as_word =
        view.all_capitals || is_among_capitals(view, at) || (MOSTLY_WORDS.contains(&word) && !is_noun);
    if glued || by_number || is_spelled(word, as_word) {
        return None;
    }
    Some(Claim::new(1, one_capital(word), "capitals"))
}

/// Whether `word`, in capitals, is said letter by letter, or is a name that is read as it stands.
/// `as_word`: its place speaks for a word.
fn is_spelled(word: &str, as_word: bool) -> bool {
    let stem = word.split(['’', '\'']).next().unwrap_or(word);
    let plain = stem.to_lowercase();
    if ACRONYMS.contains(&stem) {
        return !(as_word && AMBIGUOUS.contains(&stem));
    }
    if !stem.is_ascii() {
        return false;
    }
    if !plain.contains(['a', 'e', 'i', 'o', 'u', 'y']) {
        // `HMM`, `SHH`, `BRRR` are sounds, not letters.
        let doubled = plain.as_bytes().windows(2).any(|pair| pair[0] == pair[1]);
        return !doubled && !matches!(plain.as_str(), "nth" | "tsk" | "pst");
    }
    let is_contraction = stem.len() < word.len();
    plain.len() <= 3 && !as_word && !is_contraction && !SHORT_WORDS.contains(&format!(" {plain} "))
}

/// Whether a neighbouring word is in capitals and surely a word: then this is a line in capitals.
fn is_among_capitals(view: &View<'_>, at: usize) -> bool {
    let is_loud = |text: &str| {
        text.chars().filter(|c| c.is_alphabetic()).count() > 3
            && text.chars().all(|c| c.is_uppercase() || !c.is_alphabetic())
            && !ACRONYMS.contains(&text)
    };
    let mut before = view.lexemes[..at].iter().rev().filter(|it| it.kind == Kind::Word);
    let mut after = view.lexemes[at + 1..].iter().filter(|it| it.kind == Kind::Word);
    // The next word that is not short either way decides: `LAST OF THE MOHICANS`.
    let long = |it: &&crate::normalise::lexeme::Lexeme<'_>| {
        it.text.chars().count() > 3 || it.text.chars().any(char::is_lowercase)
    };
    before.by_ref().take(4).find(long).is_some_and(|it| is_loud(it.text))
        || after.by_ref().take(4).find(long).is_some_and(|it| is_loud(it.text))
}

/// `DON’T` as `Don’t`, `O’BRIEN` as `O’Brien`.
fn one_capital(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut start = true;
    let name = word.starts_with(['O', 'D']) && word.chars().nth(1).is_some_and(|c| matches!(c, '’' | '\''));
    for c in word.chars() {
        if start {
            out.push(c);
        } else {
            out.extend(c.to_lowercase());
        }
        start = name && matches!(c, '’' | '\'');
    }
    out
}
