//! docs/operations.md lists every event with its fields: those that the source can emit, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use narrator_tests::program::checkout;
use narrator_tests::sim::{Births, Deed, SimScript, SpeakRule};
use narrator_tests::sim_desk::{SimDesk, only_in};
use serde_json::Value;

/// Events by name, with their fields.
type Events = BTreeMap<String, BTreeSet<String>>;

/// On every line, by the page's own words.
const ON_EVERY_LINE: [&str; 3] = ["time", "level", "event"];
const ON_EVERY_LINE_OF_THE_POOL: [&str; 2] = ["run", "elapsed_ms"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// The parts of a cell that stand between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The tables of the page: `| names | fields of each, or of all | … |`.
fn documented() -> Events {
    let page = read(&checkout().join("docs/operations.md"));
    let (_, section) = page.split_once("\n## Events\n").expect("the page has events");
    let section = section.split("\n## ").next().expect("a section");
    let mut events = Events::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').collect();
        let (names, fields) = (quoted(cells[1]), quoted(cells[2]));
        assert!(fields.len() == names.len() || fields.len() <= 1, "which fields are whose? {row}");
        for (at, name) in names.iter().enumerate() {
            let own = fields.get(at).or(fields.first()).copied().unwrap_or_default();
            assert!(events.insert((*name).to_string(), words(own)).is_none(), "{name} stands there twice");
        }
    }
    events
}

/// `WorkerReady` as the log writes it.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// What stands between the braces that open at the end of `head` in `source`, and close them.
fn block<'a>(source: &'a str, head: &str) -> &'a str {
    let start = source.find(head).unwrap_or_else(|| panic!("no `{head}` in the source")) + head.len();
    let mut depth = 1;
    for (at, c) in source[start..].char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return &source[start..start + at];
        }
    }
    panic!("`{head}` is never closed")
}

/// `name: Type` of lines that declare a field.
fn fields_of(body: &str) -> BTreeSet<String> {
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with(['/', '#']));
    let fields = lines.flat_map(|line| line.split(',')).filter_map(|part| {
        let name = part.split_once(": ")?.0.trim().trim_start_matches("pub ");
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| name.to_string())
    });
    fields.collect()
}

/// The variants of the pool's enum.
fn of_the_pool() -> Events {
    let source = read(&checkout().join("crates/narrator-pool/src/event.rs"));
    let mut rest = block(&source, "pub enum What {");
    let mut events = Events::new();
    while let Some(brace) = rest.find('{') {
        let name = rest[..brace].trim().rsplit(char::is_whitespace).next().expect("a name").to_string();
        let body = block(&rest[brace..], "{");
        events.insert(snake(&name), fields_of(body));
        rest = &rest[brace + body.len() + 2..];
    }
    assert!(
        events.len() > 25 && events.contains_key("worker_ready"),
        "the enum was not understood: {events:?}"
    );
    events
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// The keys of the object that `json!({` opens at the end of `before`.
fn keys(after: &str) -> BTreeSet<String> {
    let (mut depth, mut quote, mut escaped, mut word) = (1, false, false, String::new());
    let mut keys = BTreeSet::new();
    for (at, c) in after.char_indices() {
        if quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    quote = false;
                    if depth == 1 && after[at + 1..].starts_with(':') {
                        keys.insert(std::mem::take(&mut word));
                    }
                }
                _ => word.push(c),
            }
            continue;
        }
        match c {
            '"' => (quote, word) = (true, String::new()),
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    keys
}

/// What narratord emits beside the pool's events: every call names its event and writes its fields out, or
/// is one of the few that are known here.
fn of_the_program() -> Events {
    let mut files = Vec::new();
    sources(&checkout().join("crates/narratord/src"), &mut files);
    let snapshot = || {
        let source = read(&checkout().join("crates/narratord/src/progress.rs"));
        fields_of(block(&source, "pub struct Snapshot {"))
    };
    let mut events = Events::new();
    for file in files {
        let source = read(&file);
        let source = source.split("\n#[cfg(test)]\nmod ").next().expect("a part");
        for (at, _) in source.match_indices("\",") {
            // `LEVEL, "name", &json!({ … })`
            let before = &source[..at];
            let Some((head, name)) = before.rsplit_once('"') else { continue };
            let head = head.trim_end();
            let level = head.strip_suffix(',').and_then(|head| head.rsplit(['(', ' ', '\n']).next());
            if !level.is_some_and(|level| level == "level" || level.starts_with("Level::")) {
                continue;
            }
            let after = source[at + 2..].trim_start().trim_start_matches('&');
            let after = after.strip_prefix("serde_json::").unwrap_or(after);
            let fields = if let Some(object) = after.strip_prefix("json!({") {
                keys(object)
            } else if after.split(')').next().is_some_and(|call| call.contains("tally")) {
                snapshot()
            } else {
                panic!("{}: the fields of `{name}` are not written out as json!({{ … }})", file.display())
            };
            events.entry(name.to_string()).or_default().extend(fields);
        }
        // Nothing that emits is passed over.
        let calls = source.matches(".emit(").count();
        let named = source.matches(".emit(Level::").count() + emits_over_lines(source);
        let passed_on = usize::from(
            file.ends_with("trace.rs") || file.ends_with("supervise.rs") || file.ends_with("events.rs"),
        );
        assert!(calls <= named + passed_on, "{}: an event's name is not written out", file.display());
    }
    assert!(events.contains_key("run_started") && events.contains_key("progress"), "{events:?}");
    events
}

/// What the libraries under narratord trace: it goes into the log, too. (Reading and planning a book is done
/// before there is a job, and warns on stderr.)
fn of_the_libraries() -> Events {
    let mut events = Events::new();
    for library in ["audio", "core", "engine", "fidelity", "ipc", "journal", "pool"] {
        let mut files = Vec::new();
        sources(&checkout().join(format!("crates/narrator-{library}/src")), &mut files);
        for file in files {
            let source = read(&file);
            for (at, _) in source.match_indices("!(") {
                let before = &source[..at];
                if !["info", "warn", "error", "debug", "trace"].iter().any(|level| before.ends_with(level)) {
                    continue;
                }
                let (name, fields) = traced(&source[at + 2..]);
                let name =
                    name.unwrap_or_else(|| panic!("{}: a trace without an event's name", file.display()));
                events.entry(name).or_default().extend(fields);
            }
        }
    }
    assert!(events.contains_key("worker_log"), "{events:?}");
    events
}

/// The event and the fields of a tracing macro, from behind its parenthesis on.
fn traced(call: &str) -> (Option<String>, BTreeSet<String>) {
    let (mut depth, mut quote, mut parts) = (0, false, vec![String::new()]);
    for c in call.chars() {
        match c {
            '"' => quote = !quote,
            '(' | '[' | '{' if !quote => depth += 1,
            ')' | ']' | '}' if !quote && depth == 0 => break,
            ')' | ']' | '}' if !quote => depth -= 1,
            ',' if !quote && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("one is always there").push(c);
    }
    let (mut event, mut fields) = (None, BTreeSet::new());
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if part.starts_with('"') {
            fields.insert("message".into());
        } else if let Some((name, value)) = part.split_once(" = ") {
            if name == "event" {
                event = Some(value.trim_matches('"').to_string());
            } else {
                fields.insert(name.to_string());
            }
        } else {
            fields.insert(part.trim_start_matches(['%', '?']).to_string());
        }
    }
    (event, fields)
}

/// Calls whose arguments begin on the next line with a level.
fn emits_over_lines(source: &str) -> usize {
    let starts = |rest: &&str| {
        let rest = rest.trim_start();
        rest.starts_with("Level::") || rest.starts_with("level,\n")
    };
    source.split(".emit(\n").skip(1).filter(starts).count()
}

#[test]
fn the_page_lists_every_event_with_its_fields_and_no_other() {
    let mut emitted = of_the_pool();
    emitted.extend(of_the_program());
    emitted.extend(of_the_libraries());
    let documented = documented();
    for (name, fields) in &emitted {
        let Some(listed) = documented.get(name) else {
            panic!("docs/operations.md lacks the event `{name}` with its fields {fields:?}")
        };
        assert_eq!(listed, fields, "docs/operations.md lists other fields of `{name}` than the source emits");
    }
    for name in documented.keys() {
        assert!(emitted.contains_key(name), "docs/operations.md lists `{name}`, which nothing emits");
    }
}

/// What is really in the log of a night with a death, a poison segment, a kill and a restart.
#[test]
fn what_is_in_a_log_is_on_the_page() {
    let forever = Deed::Slow { steps: 1_000_000, every_ms: 20 };
    let speak = vec![
        SpeakRule::on(&only_in(2), Deed::Kill).only(Births::Only(1)),
        SpeakRule::on(&only_in(3), Deed::Kill),
        SpeakRule::on(&only_in(5), forever).only(Births::UpTo(5)),
    ];
    let desk = SimDesk::new(6, SimScript { speak, ..SimScript::default() });
    let running = desk.start(&desk.run_arguments());
    desk.wait_for_events("segment_done", 3);
    running.kill();
    desk.run(&["supervise", "--once", "--pause", "0"]).expect(0);
    let (documented, pool) = (documented(), of_the_pool());
    let mut seen = BTreeSet::new();
    for event in desk.events() {
        let Value::Object(event) = event else { panic!("{event}") };
        let name = event["event"].as_str().expect("a name").to_string();
        let listed =
            documented.get(&name).unwrap_or_else(|| panic!("`{name}` is not on the page: {event:?}"));
        let everywhere = ON_EVERY_LINE.iter().chain(if pool.contains_key(&name) {
            &ON_EVERY_LINE_OF_THE_POOL[..]
        } else {
            &[]
        });
        let everywhere: BTreeSet<String> = everywhere.map(ToString::to_string).collect();
        for field in event.keys() {
            assert!(
                listed.contains(field) || everywhere.contains(field),
                "`{name}` has `{field}`: {event:?}"
            );
        }
        assert!(everywhere.iter().all(|field| event.contains_key(field)), "{event:?}");
        seen.insert(name);
    }
    for name in ["segment_quarantined", "fault_seen", "job_restarted", "run_finished", "slot_backoff"] {
        assert!(seen.contains(name), "{name} was not seen: {seen:?}");
    }
}
