//! Prints what is read from a book: its chapters, and how many tokens are spoken and skipped.
fn main() {
    for path in std::env::args().skip(1) {
        match narrator_book::read(path.as_ref()) {
            Err(error) => println!("{:?}: {error}", error.kind()),
            Ok(m) => {
                println!("{:#?} cover {:?}", m.metadata, m.cover.as_ref().map(|c| (c.bytes.len(), &c.media_type)));
                println!("{} documents, {} tokens, {} spoken", m.documents.len(), m.tokens().count(), m.spoken_tokens());
                let mut rules = std::collections::BTreeMap::new();
                for t in m.tokens() { if let Some(s) = t.skip { let e: &mut (u32, String) = rules.entry(s).or_default(); e.0 += 1; if e.1.len() < 200 { e.1 += " "; e.1 += &t.text; } } }
                println!("{rules:#?}");
                for c in &m.chapters {
                    let n: usize = c.blocks.iter().flat_map(|b| &b.tokens).filter(|t| t.skip.is_none()).count();
                    println!("{n:6} {:4} {}", c.blocks.len(), c.title);
                }
            }
        }
    }
}
