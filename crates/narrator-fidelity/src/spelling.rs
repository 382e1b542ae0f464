//! One spelling for words that are spelled in several: British and American, and everyday variants.
//!
//! The canonical spelling is a key for comparing and need not be a word: endings are folded by rule, so
//! `colour` and `color` meet, and so do `realise` and `realize`. Two different words must not meet; where
//! a rule would let them (`our` and `or`, `prise` and `prize`), it asks for enough letters before it.

/// Pairs that no rule covers: the first is written for the second.
const VARIANTS: &[(&str, &str)] = &[
    ("aeroplane", "airplane"),
    ("aluminium", "aluminum"),
    ("annexe", "annex"),
    ("artefact", "artifact"),
    ("axe", "ax"),
    ("aye", "ay"),
    ("balk", "baulk"),
    ("behove", "behoove"),
    ("burnt", "burned"),
    ("catalogue", "catalog"),
    ("cheque", "check"),
    ("chequered", "checkered"),
    ("chilli", "chili"),
    ("cosy", "cozy"),
    ("cypher", "cipher"),
    ("defence", "defense"),
    ("dialogue", "dialog"),
    ("disc", "disk"),
    ("doughnut", "donut"),
    ("draught", "draft"),
    ("draughts", "drafts"),
    ("dreamt", "dreamed"),
    ("dyke", "dike"),
    ("enquire", "inquire"),
    ("enquired", "inquired"),
    ("enquires", "inquires"),
    ("enquiring", "inquiring"),
    ("enquiries", "inquiries"),
    ("enquiry", "inquiry"),
    ("gaol", "jail"),
    ("gaoler", "jailer"),
    ("gauge", "gage"),
    ("gipsies", "gypsies"),
    ("gipsy", "gypsy"),
    ("grey", "gray"),
    ("greyhound", "grayhound"),
    ("hallo", "hello"),
    ("hullo", "hello"),
    ("instalment", "installment"),
    ("jewellery", "jewelry"),
    ("judgement", "judgment"),
    ("kerb", "curb"),
    ("leapt", "leaped"),
    ("learnt", "learned"),
    ("leant", "leaned"),
    ("licence", "license"),
    ("manoeuvre", "maneuver"),
    ("manoeuvres", "maneuvers"),
    ("mould", "mold"),
    ("moult", "molt"),
    ("moustache", "mustache"),
    ("offence", "offense"),
    ("okay", "ok"),
    ("omelette", "omelet"),
    ("pretence", "pretense"),
    ("plough", "plow"),
    ("ploughed", "plowed"),
    ("practise", "practice"),
    ("practised", "practiced"),
    ("practises", "practices"),
    ("practising", "practicing"),
    ("programme", "program"),
    ("programmes", "programs"),
    ("pyjamas", "pajamas"),
    ("sceptic", "skeptic"),
    ("sceptical", "skeptical"),
    ("shew", "show"),
    ("shewed", "showed"),
    ("shewn", "shown"),
    ("shewing", "showing"),
    ("smelt", "smelled"),
    ("smoulder", "smolder"),
    ("spelt", "spelled"),
    ("spoilt", "spoiled"),
    ("storey", "story"),
    ("sulphur", "sulfur"),
    ("skilful", "skillful"),
    ("wilful", "willful"),
    ("tyre", "tire"),
    ("waggon", "wagon"),
    ("whisky", "whiskey"),
    ("woollen", "woolen"),
];

/// Abbreviations that are said as the full word.
const ABBREVIATED: &[(&str, &str)] = &[
    ("mr", "mister"),
    ("mrs", "missus"),
    ("missis", "missus"),
    ("dr", "doctor"),
    ("st", "saint"),
    ("prof", "professor"),
    ("capt", "captain"),
    ("col", "colonel"),
    ("gen", "general"),
    ("lt", "lieutenant"),
    ("sgt", "sergeant"),
    ("rev", "reverend"),
    ("hon", "honourable"),
    ("jr", "junior"),
    ("sr", "senior"),
    ("vs", "versus"),
    ("etc", "etcetera"),
    ("mt", "mount"),
    ("ft", "feet"),
    ("govt", "government"),
    ("dept", "department"),
    ("jan", "january"),
    ("feb", "february"),
    ("aug", "august"),
    ("sept", "september"),
    ("oct", "october"),
    ("nov", "november"),
    ("dec", "december"),
    ("esq", "esquire"),
    ("vol", "volume"),
];

/// The full word for an abbreviation.
pub fn unabbreviated(folded: &str) -> Option<&'static str> {
    ABBREVIATED.iter().find(|(short, _)| *short == folded).map(|(_, full)| *full)
}

/// The key under which all spellings of a word meet.
pub fn canonical(folded: &str) -> Box<str> {
    if let Some((_, other)) = VARIANTS.iter().find(|(one, _)| *one == folded) {
        return (*other).into();
    }
    by_rule(folded).into()
}

fn by_rule(word: &str) -> String {
    let mut key = word.to_owned();
    if !key.is_ascii() {
        return key;
    }
    // Greek digraphs: encyclopaedia, foetus, manoeuvring.
    if key.len() > 5 {
        key = key.replace("aeo", "eo").replace("oeu", "eu");
        key = key.replace("paed", "ped").replace("haem", "hem").replace("mediaev", "mediev");
    }
    // -our- to -or-, with letters before it: neighbourhood, favourite; not hour, four, pour, tour, your.
    for (british, american) in
        [("avour", "avor"), ("abour", "abor"), ("onour", "onor"), ("umour", "umor"), ("olour", "olor")]
    {
        key = key.replace(british, american);
    }
    for stem in [
        "behaviour",
        "neighbour",
        "endeavour",
        "parlour",
        "candour",
        "splendour",
        "ardour",
        "fervour",
        "vigour",
        "rigour",
        "odour",
        "armour",
        "harbour",
        "vapour",
        "saviour",
        "demeanour",
        "clamour",
        "glamour",
        "rancour",
        "rumour",
        "succour",
        "valour",
        "mould",
        "tumour",
        "misbehaviour",
    ] {
        if let Some(rest) = key.strip_prefix(stem) {
            key = format!("{}{rest}", stem.replacen("ou", "o", 1));
        }
    }
    // -ise to -ize and its family, behind at least three letters.
    for (british, american) in [
        ("isation", "ization"),
        ("isations", "izations"),
        ("ising", "izing"),
        ("ised", "ized"),
        ("ises", "izes"),
        ("iser", "izer"),
        ("ise", "ize"),
        ("yse", "yze"),
        ("ysed", "yzed"),
        ("ysing", "yzing"),
    ] {
        if let Some(stem) = key.strip_suffix(british)
            && stem.len() > 3
        {
            key = format!("{stem}{american}");
            break;
        }
    }
    // -re to -er: centre, theatre, spectre.
    for ending in ["tre", "bre"] {
        if let Some(stem) = key.strip_suffix(ending)
            && stem.len() > 2
        {
            key = format!("{stem}{}er", &ending[..1]);
        }
    }
    // travelled, traveller, marvellous, counsellor, worshipped.
    for ending in ["ed", "ing", "er", "ers", "ous", "or", "ors"] {
        let Some(stem) = key.strip_suffix(ending) else { continue };
        if stem.len() > 4 && (stem.ends_with("ll") || stem.ends_with("pp")) {
            key = format!("{}{ending}", &stem[..stem.len() - 1]);
            break;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_meet() {
        for (one, other) in [
            ("colour", "color"),
            ("neighbourhood", "neighborhood"),
            ("favourite", "favorite"),
            ("honourable", "honorable"),
            ("behaviour", "behavior"),
            ("realise", "realize"),
            ("recognised", "recognized"),
            ("civilisation", "civilization"),
            ("analyse", "analyze"),
            ("centre", "center"),
            ("theatre", "theater"),
            ("travelled", "traveled"),
            ("marvellous", "marvelous"),
            ("grey", "gray"),
            ("shewed", "showed"),
            ("judgement", "judgment"),
            ("parlour", "parlor"),
            ("encyclopaedia", "encyclopedia"),
            ("surprise", "surprize"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one}, {other}");
        }
    }

    #[test]
    fn different_words_do_not_meet() {
        for (one, other) in [
            ("our", "or"),
            ("four", "for"),
            ("hour", "hor"),
            ("wise", "wize"),
            ("called", "caled"),
            ("filling", "filing"),
            ("there", "ther"),
            ("where", "wher"),
            ("your", "yor"),
            ("not", "now"),
            ("tolled", "toled"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one}, {other}");
        }
    }
}
