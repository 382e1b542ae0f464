//! Every rule by example: what is on the page, what is said, and what must be left alone.

use narrator_core::BlockKind;

use crate::testing::english;

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    check_in("en", BlockKind::Paragraph, rows);
}

#[track_caller]
fn check_in(language: &str, kind: BlockKind, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|&(page, expected)| (page, expected, english(page, kind, language)))
        .filter(|(_, expected, said)| expected != said)
        .map(|(page, expected, said)| format!("page     {page}\nexpected {expected}\nsaid     {said}\n"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing in these is touched.
#[track_caller]
fn check_untouched(pages: &[&str]) {
    check(&pages.iter().map(|page| (*page, *page)).collect::<Vec<_>>());
}

#[test]
fn cardinals_and_decimals() {
    check(&[
        ("He had 7 sons.", "He had seven sons."),
        (
            "It has 1,234,567 stars.",
            "It has one million two hundred thirty-four thousand five hundred sixty-seven stars.",
        ),
        ("Pi is 3.14, or 3.", "Pi is three point one four, or three."),
        ("It weighs .5 or 0.25 of that.", "It weighs point five or zero point two five of that."),
        ("At −5 and -7 it froze.", "At minus five and minus seven it froze."),
        ("POSIX.1-2017 it is.", "Posix.one, twenty seventeen it is."),
        ("Std 1003.1-2017.", "Std one thousand three point one, twenty seventeen."),
        ("In [0,59] or (1,2,3).", "In [zero, fifty-nine] or (one, two, three)."),
        ("See 1.2.3 there.", "See one point two point three there."),
        ("Agent 007 and 0.", "Agent zero zero seven and zero."),
        ("A 5-year-old in room 12.", "A five-year-old in room twelve."),
        ("Room B12, 4x4, 221B.", "Room B twelve, four x four, two hundred twenty-one B."),
        ("COVID-19 and F-16.", "COVID-nineteen and F-sixteen."),
        ("Of 10,000 men 300 came.", "Of ten thousand men three hundred came."),
        ("In 1,887 cases.", "In one thousand eight hundred eighty-seven cases."),
        ("He won 3-1.", "He won three-one."),
        ("John 3:16 says.", "John three sixteen says."),
        (
            "1234567890123456789 is long.",
            "one two three four five six seven eight nine zero one two three four five six seven eight nine is long.",
        ),
    ]);
    check_in("en-GB", BlockKind::Paragraph, &[("It has 105 rooms.", "It has one hundred and five rooms.")]);
}

#[test]
fn ordinals_and_plurals() {
    check(&[
        ("The 1st, 2nd, 3rd and 21st.", "The first, second, third and twenty-first."),
        ("On the 5TH floor.", "On the fifth floor."),
        ("In his 20s.", "In his twenties."),
        ("Two 747s.", "Two seven hundred forty-sevens."),
    ]);
}

#[test]
fn fractions() {
    check(&[
        ("½ a mile, ¾ of it.", "half a mile, three quarters of it."),
        ("Take 2½ cups and 1 1/2 spoons.", "Take two and a half cups and one and a half spoons."),
        ("About 3/4 of them, 1/8 left.", "About three quarters of them, one eighth left."),
        ("Some 7⅛ inches, 1/3 more.", "Some seven and an eighth inches, one third more."),
    ]);
}

#[test]
fn years_and_decades() {
    check(&[
        ("In 1887 he left.", "In eighteen eighty-seven he left."),
        ("It was 1905.", "It was nineteen oh five."),
        ("Since 2005, or 2010.", "Since two thousand five, or twenty ten."),
        ("In 1066 they came.", "In ten sixty-six they came."),
        ("There were 1500 men.", "There were one thousand five hundred men."),
        ("Another 1200 people.", "Another one thousand two hundred people."),
        ("The 1880s and the 1900s.", "The eighteen eighties and the nineteen hundreds."),
        ("The ’80s, the '90s.", "The eighties, the nineties."),
        ("Of the 1880’s.", "Of the eighteen eighties."),
        ("The class of ’98.", "The class of ninety-eight."),
        (
            "From 1914–18 and 1939-1945.",
            "From nineteen fourteen to eighteen and nineteen thirty-nine to nineteen forty-five.",
        ),
        ("In mid-1880 it was 1887’s.", "In mid-eighteen eighty it was eighteen eighty-seven’s."),
        ("A.D. 1066 was 800 B.C. no more.", "A.D. ten sixty-six was eight hundred B.C. no more."),
    ]);
}

#[test]
fn ranges() {
    check(&[
        ("Pages 5–10 and 123–25.", "Pages five to ten and one hundred twenty-three to twenty-five."),
        ("Some 1,000-2,000 men.", "Some one thousand to two thousand men."),
        ("About 5–10% more.", "About five to ten percent more."),
        ("Minutes (00-59), hours 0-23.", "Minutes (zero zero to fifty-nine), hours zero to twenty-three."),
        ("From 1500–2000 feet up.", "From one thousand five hundred to two thousand feet up."),
    ]);
}

#[test]
fn money() {
    check(&[
        ("It cost $1,234.50.", "It cost one thousand two hundred thirty-four dollars and fifty cents."),
        ("Worth £3.5m or €5 million.", "Worth three point five million pounds or five million euros."),
        ("Just $1, or $1.01.", "Just one dollar, or one dollar and one cent."),
        ("For £1.01 or $0.50.", "For one pound and one penny or fifty cents."),
        ("A $5 bill, a £10 note.", "A five-dollar bill, a ten-pound note."),
        ("From $5–10 to $20-$30.", "From five to ten dollars to twenty to thirty dollars."),
        ("He paid US$20 and A$5.", "He paid twenty US dollars and five Australian dollars."),
        ("Only 50¢, 5 € and 7€.", "Only fifty cents, five euros and seven euros."),
        ("It is £5 10s. 6d. now.", "It is five pounds ten shillings and six pence now."),
        ("For 10s. 6d. he did.", "For ten shillings and six pence he did."),
        ("Made $2bn, then ¥500.", "Made two billion dollars, then five hundred yen."),
        ("$2.5 is odd.", "two point five dollars is odd."),
        ("He gave “$5”.", "He gave “five dollars”."),
    ]);
}

#[test]
fn percent_units_and_degrees() {
    check(&[
        ("It rose 5%, or 3.5 %.", "It rose five percent, or three point five percent."),
        ("Run 10 km at 5 km/h.", "Run ten kilometers at five kilometers per hour."),
        ("A 5-km walk, 1 kg of tea.", "A five-kilometer walk, one kilogram of tea."),
        ("He stood 6 ft. 2 in. tall.", "He stood six feet two inches tall."),
        ("He was 5′ 10″ and 6'2\" then.", "He was five feet ten and six feet two then."),
        ("It is 12 ft. long.", "It is twelve feet long."),
        ("It is 12 ft.", "It is twelve feet."),
        ("It was 90° and 20 °C.", "It was ninety degrees and twenty degrees Celsius."),
        ("At 51° 30′ north.", "At fifty-one degrees thirty minutes north."),
        ("Of 40 sq. ft. or 5 m².", "Of forty square feet or five square meters."),
        ("Eat 3 lbs. of 8 oz each.", "Eat three pounds of eight ounces each."),
        ("With 16GB.", "With sixteen gigabytes."),
    ]);
    check(&[("Put 5 in. He left.", "Put five in. He left."), ("I am 5m away.", "I am five m away.")]);
}

#[test]
fn times() {
    check(&[
        ("At 7:45 a.m. he rose.", "At seven forty-five AM he rose."),
        ("At 19:30 it rang.", "At nineteen thirty it rang."),
        ("At 5 p.m. He left.", "At five PM. He left."),
        ("At 5 p.m. they left.", "At five PM they left."),
        ("By 7.30 p.m., or 7pm.", "By seven thirty PM, or seven PM."),
        ("At 7:00 or 7:05.", "At seven o’clock or seven oh five."),
        ("It was 9:15:30 then.", "It was nine fifteen thirty then."),
        ("From 7–9 p.m. only.", "From seven to nine PM only."),
        ("He came at 5 P.M.", "He came at five PM."),
        ("Up at five a.m. or so.", "Up at five AM or so."),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("On 12 March 1887 he came.", "On the twelfth of March eighteen eighty-seven he came."),
        ("On the 12 March.", "On the twelfth of March."),
        ("On March 12, 1887, he came.", "On March twelfth, eighteen eighty-seven, he came."),
        ("By Jan. 5 or 6 Sept. 1887.", "By January fifth or the sixth of September eighteen eighty-seven."),
        ("On 12th March he left.", "On twelfth March he left."),
        ("Dated 1887-03-12.", "Dated March twelfth, eighteen eighty-seven."),
        (
            "On 25/12/1887 and 12/25/1887.",
            "On December twenty-fifth, eighteen eighty-seven and December twenty-fifth, eighteen eighty-seven.",
        ),
        ("On 12/3/1887.", "On twelve three eighteen eighty-seven."),
        ("In March 12 men came.", "In March twelve men came."),
        ("In May 1887.", "In May eighteen eighty-seven."),
    ]);
    check_in(
        "en-GB",
        BlockKind::Paragraph,
        &[("On 12/3/1887.", "On the twelfth of March, eighteen eighty-seven.")],
    );
    check_in(
        "en-US",
        BlockKind::Paragraph,
        &[("On 12/3/1887.", "On December third, eighteen eighty-seven.")],
    );
}

#[test]
fn telephones() {
    check(&[
        ("Call 555-1234 now.", "Call five five five, one two three four now."),
        ("Call (212) 555-1234.", "Call two one two, five five five, one two three four."),
        (
            "Call +44 20 7946 0958.",
            "Call plus four four, two zero, seven nine four six, zero nine five eight.",
        ),
    ]);
}

#[test]
fn titles_and_abbreviations() {
    check(&[
        ("Mr. Bennet, Mrs Long, Dr. Lee.", "Mister Bennet, Missus Long, Doctor Lee."),
        ("Mr. and Mrs. Long, and the Mr. of it.", "Mister and Missus Long, and the Mr. of it."),
        ("MR. BENNET was there.", "Mister Bennet was there."),
        ("Capt. Wentworth and Lieut. Smith.", "Captain Wentworth and Lieutenant Smith."),
        ("St. Ives, St Paul’s, Baker St.", "Saint Ives, Saint Paul’s, Baker Street."),
        ("He lived on Baker St. He died.", "He lived on Baker Street. He died."),
        ("Visit St. Ives.", "Visit Saint Ives."),
        ("No. 5 and Nos. 6, vol. II, p. xii.", "Number five and Numbers six, volume two, page twelve."),
        ("John Lee, Jr., and Tom Lee, Esq.", "John Lee, Junior, and Tom Lee, Esquire."),
        ("Smith & Co. were there.", "Smith and Company were there."),
        ("Fruit, e.g. pears, i.e. food.", "Fruit, for example pears, that is food."),
        ("Pears, plums, etc. He ate.", "Pears, plums, et cetera. He ate."),
        ("Pears, etc., were eaten.", "Pears, et cetera, were eaten."),
        ("Books, &c. &c.", "Books, et cetera et cetera."),
        ("Roe v. Wade, us vs. them.", "Roe versus Wade, us versus them."),
        ("J. R. R. Tolkien wrote.", "J R R Tolkien wrote."),
        ("Mt. Etna and Ft. Worth.", "Mount Etna and Fort Worth."),
        ("Prof. Lee met Gen. Tilney.", "Professor Lee met General Tilney."),
        ("The Dr. said so.", "The Doctor said so."),
    ]);
    check_untouched(&[
        "He said no. Then he left.",
        "Did you see art. I did.",
        "The gen and the col of it.",
        "It was I. Then he came.",
        "The U.S. Army left the U.S.",
        "Ms. Smith came.",
        "Hon means honey, Rev the engine.",
        "She may come, mar it, or dec it.",
        "Sit in. Go on.",
        "I am what I am.",
    ]);
}

#[test]
fn roman_numerals() {
    check(&[
        ("Chapter IV began.", "Chapter four began."),
        ("Henry VIII and Louis XIV’s.", "Henry the Eighth and Louis the Fourteenth’s."),
        ("Queen Elizabeth I was there.", "Queen Elizabeth the First was there."),
        ("World War II ended.", "World War two ended."),
        ("In Part I of Book III.", "In Part one of Book three."),
        ("The XIX century, the XIXth.", "The nineteenth century, the nineteenth."),
        ("See vol. ii, pp. iv and v.", "See volume two, pages four and v."),
        ("Rocky II, and (iii) too.", "Rocky two, and (three) too."),
    ]);
    check_untouched(&[
        "I told Elizabeth I was late.",
        "The part I was told, the part I saw.",
        "Mix it; I did; civil; vivid; Li; Di.",
        "The other part I liked.",
        "Malcolm X said, and C or D.",
        "My xi, my vi.",
    ]);
    check_in(
        "en",
        BlockKind::Heading(1),
        &[
            ("I", "one"),
            ("IV.", "four."),
            ("X. In Which He Falls", "ten. In Which He Falls"),
            ("XII: The Letter", "twelve: The Letter"),
            ("CHAPTER I.", "Chapter one."),
            ("CHAPTER XLII", "Chapter forty-two"),
            ("MIX", "Mix"),
            ("1984", "nineteen eighty-four"),
            ("I Am Born", "I Am Born"),
            ("7", "seven"),
        ],
    );
}

#[test]
fn capitals() {
    check(&[
        ("IT is a truth.", "It is a truth."),
        ("The IT staff, the WHO, in the US.", "The IT staff, the WHO, in the US."),
        ("HMM, SHH! In AD 79.", "Hmm, Shh! In AD seventy-nine."),
        ("He cried, “NEVER!” and RAN.", "He cried, “Never!” and Ran."),
        ("The BBC, NASA, the USA, DVDs.", "The BBC, NASA, the USA, DVDs."),
        ("DON’T! O’BRIEN!", "Don’t! O’Brien!"),
        ("THE END", "The End"),
        ("The XYZ and ACME.", "The XYZ and Acme."),
        ("I said NO to R&D.", "I said No to R and D."),
    ]);
    check_in(
        "en",
        BlockKind::Heading(2),
        &[
            ("THE LAST OF THE MOHICANS", "The Last Of The Mohicans"),
            ("WHO WAS IT? THE BUTLER", "Who Was It? The Butler"),
            ("INSIDE NASA AND THE FBI", "Inside NASA And The FBI"),
            ("LET US GO, MA", "Let Us Go, Ma"),
        ],
    );
}

#[test]
fn symbols_and_marks() {
    check(&[
        ("Salt & pepper, R&B.", "Salt and pepper, R and B."),
        ("He is #5, not #hashtag.", "He is number five, not #hashtag."),
        ("See § 5 and §7.", "See section five and section seven."),
        ("2 + 2 = 4.", "two plus two equals four."),
        (
            "perl >= 5 and x ≤ 2, a != b.",
            "perl greater than or equal to five and x less than or equal to two, a not equal to b.",
        ),
        ("The value of π.", "The value of pi."),
        (
            "Relations are <<, <=, “=”, >= and >>.",
            "Relations are less than less than, less than or equal to, “equals”, greater than or equal to and greater than greater than.",
        ),
        ("H₂O, 5² and 10⁶, ① too.", "H two O, five squared and ten six, one too."),
        ("It is _very_ *odd*.", "It is very odd."),
        ("A snake_case name.", "A snake case name."),
        ("Nether\u{AD}field.", "Netherfield."),
        ("It — yes – that…", "It — yes – that…"),
    ]);
}

#[test]
fn addresses() {
    check(&[
        (
            "See https://www.example.com/a-b/12.",
            "See double-u double-u double-u dot example dot com slash a dash b slash twelve.",
        ),
        ("Write to jane.doe@example.org, please.", "Write to jane dot doe at example dot org, please."),
        ("Go to example.com now.", "Go to example dot com now."),
        ("In /var/www or (/etc/rc.d).", "In /var/double-u double-u double-u or (/etc/r c.d)."),
    ]);
    check_untouched(&[
        "The end.Next came more.",
        "And/or so.",
        "Them w/ the src/lib.",
        "See /usr/share/GPL, /usr/lib.",
    ]);
}

#[test]
fn other_languages_go_through_as_they_are() {
    check_in(
        "de",
        BlockKind::Paragraph,
        &[("Dr. Müller zahlte 1.234,50 € am 12. März.", "Dr. Müller zahlte 1.234,50 € am 12. März.")],
    );
}
