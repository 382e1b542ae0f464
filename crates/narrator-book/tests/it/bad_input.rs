//! Everything that is not a sound book: a kind, a sentence, a hint, and never a panic.

use std::fs;

use narrator_book::{BookErrorKind, read, read_bytes};

use crate::common::{Book, CONTAINER, sample, zip_of};

fn refusal(name: &str, bytes: &[u8]) -> (BookErrorKind, String) {
    let error = read_bytes(name, bytes).expect_err("it is refused");
    (error.kind(), error.to_string())
}

fn shown(refused: &[(BookErrorKind, String)]) -> Vec<String> {
    refused.iter().map(|(kind, message)| format!("{kind:?}: {message}")).collect()
}

#[test]
fn what_is_not_a_book_is_named() {
    let noise: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let refused = [
        refusal("a.epub", b"%PDF-1.7\n1 0 obj"),
        refusal("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
        refusal("noise.bin", &noise),
        refusal("a.docx", &zip_of(&[("word/document.xml", b"<w/>")])),
        refusal("a.zip", &zip_of(&[("readme", b"hello")])),
        refusal("a.fb2", b"<?xml version='1.0'?><FictionBook><body/></FictionBook>"),
        refusal("empty.epub", b""),
        refusal("blank.txt", b" \n\n\t\n"),
        refusal("rules.txt", b"* * *\n\n-----\n"),
        refusal("pictures.epub", &Book::new().body("a.xhtml", "<img src='1.png' alt='page one'/>").bytes()),
    ];
    insta::assert_json_snapshot!(shown(&refused));
}

#[test]
fn damage_is_found_and_placed() {
    let missing = Book::new()
        .body("a.xhtml", "<p>x</p>")
        .manifest("<item id='m' href='gone.xhtml' media-type='application/xhtml+xml'/>")
        .spine("<itemref idref='m'/>")
        .bytes();
    let unlisted = Book::new().body("a.xhtml", "<p>x</p>").spine("<itemref idref='nobody'/>").bytes();
    let whole = sample();
    let refused = [
        refusal("missing.epub", &missing),
        refusal("unlisted.epub", &unlisted),
        refusal("cut.epub", &whole[..whole.len() / 2]),
        refusal(
            "no-rootfile.epub",
            &zip_of(&[("mimetype", b"application/epub+zip"), ("META-INF/container.xml", b"<container/>")]),
        ),
        refusal("no-package.epub", &zip_of(&[("META-INF/container.xml", CONTAINER.as_bytes())])),
        refusal("no-container.epub", &zip_of(&[("mimetype", b"application/epub+zip")])),
    ];
    insta::assert_json_snapshot!(shown(&refused));
}

#[test]
fn a_flipped_byte_in_the_text_is_damage() {
    let book = Book::new()
        .body(
            "a.xhtml",
            &format!(
                "<p>{}</p>",
                (0..2000).map(|i| format!("word{} ", i * 7919 % 1000)).collect::<Vec<_>>().concat()
            ),
        )
        .bytes();
    let at = book.windows(13).rposition(|w| w == b"OEBPS/a.xhtml").expect("a directory entry");
    let local = book.windows(13).position(|w| w == b"OEBPS/a.xhtml").expect("a local entry");
    assert_ne!(at, local);
    let mut flipped = book.clone();
    flipped[local + 13 + 200] ^= 0x10;
    assert_eq!(refusal("flipped.epub", &flipped).0, BookErrorKind::Damaged);
}

#[test]
fn protection_is_refused_unless_it_is_of_fonts() {
    let encryption = |algorithm: &str, uri: &str| {
        format!(
            "<encryption xmlns='urn:oasis:names:tc:opendocument:xmlns:container' xmlns:enc='http://www.w3.org/2001/04/xmlenc#'>\
             <enc:EncryptedData><enc:EncryptionMethod Algorithm='{algorithm}'/><enc:CipherData>\
             <enc:CipherReference URI='{uri}'/></enc:CipherData></enc:EncryptedData></encryption>"
        )
    };
    let book = |encryption: &str| {
        Book::new()
            .body("a.xhtml", "<p>x</p>")
            .extra("META-INF/encryption.xml", encryption.as_bytes())
            .bytes()
    };
    let locked = book(&encryption("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OEBPS/a.xhtml"));
    insta::assert_json_snapshot!(shown(&[refusal("locked.epub", &locked)]));
    let fonts = book(&encryption("http://www.idpf.org/2008/embedding", "OEBPS/f.otf"));
    assert!(read_bytes("fonts.epub", &fonts).is_ok());
}

#[test]
fn bombs_do_not_go_off() {
    let zeros = vec![b' '; 12 << 20];
    let ratio = Book::new().body("a.xhtml", "<p>x</p>").extra("OEBPS/big.txt", &zeros).bytes();
    assert!(ratio.len() < 1 << 20);
    insta::assert_json_snapshot!(shown(&[refusal("bomb.epub", &ratio)]));
}

#[test]
fn contents_and_metadata_built_to_exhaust_the_stack_do_not() {
    let deep = format!("{}<li><a href='a.xhtml'>x</a></li>", "<li><ol>".repeat(20_000));
    let book = Book::new().body("a.xhtml", "<h1>One</h1><p>x</p>").nav(&deep);
    assert_eq!(book.read().chapters[0].title, "One");
    let chain = (0..5_000)
        .map(|i| format!("<meta id='m{i}' refines='#m{}' property='p'>v</meta>", i + 1))
        .collect::<Vec<_>>()
        .concat();
    let book = Book::new().metadata(&format!("<dc:title>T</dc:title>{chain}")).body("a.xhtml", "<p>x</p>");
    assert_eq!(refusal("chain.epub", &book.bytes()).0, BookErrorKind::Damaged);
}

#[test]
fn names_that_climb_reach_nothing() {
    let book = Book::new()
        .body("a.xhtml", "<p>x</p>")
        .extra("../../../../tmp/narrator-book-climbed", b"y")
        .extra("/etc/narrator-book-climbed", b"y");
    assert_eq!(book.read().spoken_tokens(), 1);
    assert!(!std::path::Path::new("/tmp/narrator-book-climbed").exists());
}

#[test]
fn broken_contents_fall_back_to_headings() {
    let nav = "<li><a href='a.xhtml'>One</li></a></nav></ol><<<>";
    let book = Book::new().body("a.xhtml", "<h1>One</h1><p>x</p><h1>Two</h1><p>y</p>").nav(nav);
    assert!(!book.read().chapters.is_empty());
}

#[test]
fn files_that_cannot_be_books() {
    let folder = tempfile::tempdir().expect("a folder");
    let kind = |name: &str| read(&folder.path().join(name)).expect_err("it is refused").kind();
    assert_eq!(kind("nothing.epub"), BookErrorKind::NotFound);
    assert_eq!(kind(""), BookErrorKind::NotABook);
    fs::write(folder.path().join("empty.txt"), b"").expect("a file");
    assert_eq!(kind("empty.txt"), BookErrorKind::Empty);
    let error = read(&folder.path().join("nothing.epub")).expect_err("it is refused");
    assert!(error.to_string().ends_with("nothing.epub: no such file (check the path)"), "{error}");
}
