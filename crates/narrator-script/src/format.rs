//! `script.jsonl` and `ledger.jsonl`: the plan as stored in the job folder, one record a line.
//!
//! The first line of the script names the format and holds the chapters; every other line is a segment.
//! The ledger's first line names its format; every other line is a run of tokens with one fate. Field
//! names are stable and described in `docs/script-format.md`. Fields that a reader does not know are
//! ignored, so later versions can add some; a file of another version is refused.

use std::io::{self, BufRead, Write};

use narrator_core::{Ledger, LedgerEntry, Script, ScriptChapter, Segment};
use serde::{Deserialize, Serialize};

use crate::error::ScriptError;

const SCRIPT: &str = "script.jsonl";
const LEDGER: &str = "ledger.jsonl";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct ScriptHeader {
    format: String,
    version: u32,
    chapters: Vec<ScriptChapter>,
    segments: u32,
}

#[derive(Serialize, Deserialize)]
struct LedgerHeader {
    format: String,
    version: u32,
    entries: u32,
}

/// Writes a script, a segment a line after the line with its chapters.
pub fn write_script(script: &Script, out: &mut impl Write) -> Result<(), ScriptError> {
    let header = ScriptHeader {
        format: "narratord-script".to_owned(),
        version: VERSION,
        chapters: script.chapters.clone(),
        segments: script.segments.len() as u32,
    };
    write_line(&header, out)
        .and_then(|()| script.segments.iter().try_for_each(|segment| write_line(segment, out)))
        .and_then(|()| out.flush())
        .map_err(|source| ScriptError::Io { file: SCRIPT, source })
}

/// Reads what [`write_script`] wrote. A file that ends early is refused.
pub fn read_script(input: impl BufRead) -> Result<Script, ScriptError> {
    let mut lines = Lines { file: SCRIPT, input: input.lines(), number: 0 };
    let header: ScriptHeader = lines.next_record()?.ok_or_else(|| lines.damaged("it is empty"))?;
    lines.check_format(&header.format, "narratord-script", header.version)?;
    let mut segments: Vec<Segment> = Vec::new();
    while let Some(segment) = lines.next_record::<Segment>()? {
        if segment.id.0 as usize != segments.len() + 1 {
            return Err(lines.damaged(&format!(
                "segment {} stands where {} belongs",
                segment.id,
                segments.len() + 1
            )));
        }
        segments.push(segment);
    }
    lines.check_count(segments.len(), header.segments, "segments")?;
    Ok(Script { chapters: header.chapters, segments })
}

/// Writes a ledger, an entry a line.
pub fn write_ledger(ledger: &Ledger, out: &mut impl Write) -> Result<(), ScriptError> {
    let header = LedgerHeader {
        format: "narratord-ledger".to_owned(),
        version: VERSION,
        entries: ledger.entries.len() as u32,
    };
    write_line(&header, out)
        .and_then(|()| ledger.entries.iter().try_for_each(|entry| write_line(entry, out)))
        .and_then(|()| out.flush())
        .map_err(|source| ScriptError::Io { file: LEDGER, source })
}

/// Reads what [`write_ledger`] wrote. A file that ends early is refused.
pub fn read_ledger(input: impl BufRead) -> Result<Ledger, ScriptError> {
    let mut lines = Lines { file: LEDGER, input: input.lines(), number: 0 };
    let header: LedgerHeader = lines.next_record()?.ok_or_else(|| lines.damaged("it is empty"))?;
    lines.check_format(&header.format, "narratord-ledger", header.version)?;
    let mut entries: Vec<LedgerEntry> = Vec::new();
    while let Some(entry) = lines.next_record()? {
        entries.push(entry);
    }
    lines.check_count(entries.len(), header.entries, "entries")?;
    Ok(Ledger { entries })
}

fn write_line(record: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

struct Lines<R> {
    file: &'static str,
    input: io::Lines<R>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    fn next_record<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, ScriptError> {
        let Some(line) = self.input.next() else { return Ok(None) };
        self.number += 1;
        match line {
            Ok(line) => {
                serde_json::from_str(&line).map(Some).map_err(|error| self.damaged(&error.to_string()))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.damaged("it is not UTF-8")),
            Err(source) => Err(ScriptError::Io { file: self.file, source }),
        }
    }

    fn damaged(&self, reason: &str) -> ScriptError {
        ScriptError::Damaged { file: self.file, line: self.number.max(1), reason: reason.to_owned() }
    }

    fn check_format(&self, format: &str, expected: &str, version: u32) -> Result<(), ScriptError> {
        if format != expected {
            return Err(self.damaged(&format!("its format is {format:?}, not {expected:?}")));
        }
        if version != VERSION {
            return Err(self.damaged(&format!("its version is {version}; this narratord reads {VERSION}")));
        }
        Ok(())
    }

    fn check_count(&self, found: usize, expected: u32, what: &str) -> Result<(), ScriptError> {
        if found != expected as usize {
            return Err(self.damaged(&format!("it has {found} {what}, its first line says {expected}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use narrator_core::BlockKind;
    use narrator_core::settings::ScriptSettings;

    use super::*;
    use crate::lexicon::Lexicon;
    use crate::plan::{Plan, plan};
    use crate::testing::{book, speech};

    fn example() -> Plan {
        let manuscript = book(
            "en",
            &[
                &[(BlockKind::Heading(1), "Chapter IV"), (BlockKind::Paragraph, "* * *")],
                &[(BlockKind::Paragraph, "It cost “$5”.")],
            ],
        );
        plan(&manuscript, &ScriptSettings::default(), &speech(), &Lexicon::default(), None).unwrap()
    }

    fn stored(plan: &Plan) -> (String, String) {
        let (mut script, mut ledger) = (Vec::new(), Vec::new());
        write_script(&plan.script, &mut script).unwrap();
        write_ledger(&plan.ledger, &mut ledger).unwrap();
        (String::from_utf8(script).unwrap(), String::from_utf8(ledger).unwrap())
    }

    #[test]
    fn a_plan_survives_its_files() {
        let plan = example();
        let (script, ledger) = stored(&plan);
        assert_eq!(read_script(script.as_bytes()).unwrap(), plan.script);
        assert_eq!(read_ledger(ledger.as_bytes()).unwrap(), plan.ledger);
    }

    #[test]
    fn the_files_read_as_documented() {
        let (script, ledger) = stored(&example());
        insta::assert_snapshot!(script + "\n" + &ledger);
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line() {
        let (script, ledger) = stored(&example());
        let cut = script.trim_end().rsplit_once('\n').unwrap().0;
        let message = read_script(cut.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(message, @"script.jsonl, line 2: it has 1 segments, its first line says 2; delete it and run the same command again to plan anew");
        let message = read_script(ledger.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(message, @"script.jsonl, line 1: missing field `chapters` at line 1 column 53; delete it and run the same command again to plan anew");
        let message = read_ledger(ledger.replace("\"version\":1", "\"version\":9").as_bytes()).unwrap_err();
        insta::assert_snapshot!(message, @"ledger.jsonl, line 1: its version is 9; this narratord reads 1; delete it and run the same command again to plan anew");
        let message = read_ledger(&b""[..]).unwrap_err().to_string();
        insta::assert_snapshot!(message, @"ledger.jsonl, line 1: it is empty; delete it and run the same command again to plan anew");
        let message = read_script(&b"\xff\n"[..]).unwrap_err().to_string();
        insta::assert_snapshot!(message, @"script.jsonl, line 1: it is not UTF-8; delete it and run the same command again to plan anew");
    }
}
