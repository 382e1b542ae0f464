//! A hub of models on this machine, speaking the protocol of the public one as far as a download needs it.
//!
//! Two servers: the hub lists and redirects, the store behind it has the large files. The store is reached by
//! another host name, as the public one is, so that a token which strays there is seen. Every request is
//! written down; what goes wrong is scripted.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that everything is at.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
#[derive(Clone, Debug)]
pub struct HubFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

impl HubFile {
    /// The public hub keeps weights elsewhere.
    fn is_large(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|ending| ending == "safetensors")
    }

    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }

    fn blob(&self) -> String {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {}\0", self.bytes.len()));
        hasher.update(&self.bytes);
        hex(&hasher.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// One thing that goes wrong with a download.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mishap {
    /// The connection ends after so many bytes.
    CutAfter(usize),
    /// The server answers with this status.
    Status(u16),
    /// A byte in the middle is another one.
    Corrupt,
}

/// What the hub is like, beyond what goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Nothing is given without it.
    pub token: Option<String>,
    /// Ranges are ignored.
    pub no_ranges: bool,
    /// Every file is listed with this many bytes more than it has.
    pub listed_bytes_more: u64,
}

/// A request, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub at_store: bool,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

#[derive(Debug)]
struct State {
    repository: String,
    files: Vec<HubFile>,
    manner: Manner,
    /// Of the downloads of large files, in the order in which they come.
    mishaps: Mutex<VecDeque<Mishap>>,
    asked: Mutex<Vec<Asked>>,
    store: u16,
}

/// A hub that serves one repository until the test's process ends.
#[derive(Debug)]
pub struct Hub {
    pub endpoint: String,
    state: Arc<State>,
}

impl Hub {
    pub fn start(repository: &str, files: Vec<HubFile>, manner: Manner, mishaps: &[Mishap]) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").expect("a port");
        let store = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let endpoint = format!("http://127.0.0.1:{}", port(&hub));
        let state = Arc::new(State {
            repository: repository.into(),
            files,
            manner,
            mishaps: Mutex::new(mishaps.iter().copied().collect()),
            asked: Mutex::default(),
            store: port(&store),
        });
        for (listener, at_store) in [(hub, false), (store, true)] {
            let state = Arc::clone(&state);
            std::thread::spawn(move || {
                for connection in listener.incoming().filter_map(Result::ok) {
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || serve(&state, connection, at_store));
                }
            });
        }
        Self { endpoint, state }
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// More that goes wrong, from now on.
    pub fn will_fail(&self, mishaps: &[Mishap]) {
        self.state.mishaps.lock().unwrap_or_else(PoisonError::into_inner).extend(mishaps);
    }
}

/// The files of a folder, as a repository.
pub fn files_of(folder: &Path) -> Vec<HubFile> {
    let mut files = Vec::new();
    gather(folder, folder, &mut files);
    // Folders are read in no order; the tests count on the large weights being asked for first.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.push(HubFile { path: "README.md".into(), bytes: b"# A model".to_vec() });
    files.push(HubFile { path: ".gitattributes".into(), bytes: b"*.safetensors filter=lfs".to_vec() });
    files
}

fn gather(root: &Path, folder: &Path, files: &mut Vec<HubFile>) {
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            gather(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            files.push(HubFile { path: name, bytes: std::fs::read(&path).expect("a file") });
        }
    }
}

/// Answers one request. A connection that the other end drops is its own affair.
fn serve(state: &State, connection: TcpStream, at_store: bool) {
    let mut lines = BufReader::new(connection.try_clone().expect("a connection")).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
        })
    };
    let asked = Asked { at_store, path, range: header("range"), authorization: header("authorization") };
    state.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let _ = if at_store { give(state, connection, &asked) } else { answer(state, connection, &asked) };
}

type Written = std::io::Result<()>;

fn plain(mut connection: TcpStream, status: &str, more: &str, body: &[u8]) -> Written {
    let length = body.len();
    write!(connection, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n")?;
    connection.write_all(body)
}

/// The hub: listings, small files, and where large ones are.
fn answer(state: &State, connection: TcpStream, asked: &Asked) -> Written {
    let allowed = state
        .manner
        .token
        .as_ref()
        .is_none_or(|token| asked.authorization.as_deref() == Some(format!("Bearer {token}").as_str()));
    if !allowed {
        return plain(
            connection,
            "401 Unauthorized",
            "X-Error-Code: RepoNotFound\r\n",
            b"Invalid username or password.",
        );
    }
    let repository = &state.repository;
    if asked.path == format!("/api/models/{repository}/revision/main?blobs=true") {
        return plain(connection, "200 OK", "Content-Type: application/json\r\n", listing(state).as_bytes());
    }
    let resolved = asked.path.strip_prefix(&format!("/{repository}/resolve/{COMMIT}/"));
    let Some(file) = resolved.and_then(|path| state.files.iter().find(|file| file.path == path)) else {
        return plain(connection, "404 Not Found", "X-Error-Code: RepoNotFound\r\n", b"Repository not found");
    };
    if file.is_large() {
        let (sha256, length) = (file.sha256(), file.bytes.len());
        let more = format!(
            "Location: http://localhost:{}/store/{sha256}?signed=yes\r\nX-Repo-Commit: {COMMIT}\r\n\
             X-Linked-Etag: \"{sha256}\"\r\nX-Linked-Size: {length}\r\nETag: \"{sha256}\"\r\n",
            state.store
        );
        return plain(connection, "302 Found", &more, b"");
    }
    let more = format!("ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n", file.blob());
    plain(connection, "200 OK", &more, &file.bytes)
}

fn listing(state: &State) -> String {
    let siblings: Vec<_> = state
        .files
        .iter()
        .map(|file| {
            let size = file.bytes.len() as u64 + state.manner.listed_bytes_more;
            let mut entry = json!({ "rfilename": file.path, "size": size, "blobId": file.blob() });
            if file.is_large() {
                entry["lfs"] = json!({ "sha256": file.sha256(), "size": size, "pointerSize": 134 });
            }
            entry
        })
        .collect();
    let id = &state.repository;
    json!({
        "id": id, "modelId": id, "sha": COMMIT, "private": false, "gated": false,
        "cardData": { "license": "apache-2.0" }, "siblings": siblings,
    })
    .to_string()
}

/// The store: a file or the rest of it, with what goes wrong.
fn give(state: &State, mut connection: TcpStream, asked: &Asked) -> Written {
    let sha256 = asked.path.trim_start_matches("/store/").split('?').next().unwrap_or_default();
    let Some(file) = state.files.iter().find(|file| file.is_large() && file.sha256() == sha256) else {
        return plain(connection, "403 Forbidden", "", b"");
    };
    let mishap = state.mishaps.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    if let Some(Mishap::Status(status)) = mishap {
        return plain(connection, &format!("{status} Trouble"), "Retry-After: 0\r\n", b"");
    }
    let total = file.bytes.len();
    let from = asked
        .range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let (status, start) = match from {
        Some(from) if !state.manner.no_ranges && from >= total => {
            return plain(connection, "416 Range Not Satisfiable", "", b"");
        }
        Some(from) if !state.manner.no_ranges => ("206 Partial Content", from),
        _ => ("200 OK", 0),
    };
    let mut body = file.bytes[start..].to_vec();
    if mishap == Some(Mishap::Corrupt) {
        let middle = body.len() / 2;
        body[middle] ^= 1;
    }
    let length = body.len();
    if let Some(Mishap::CutAfter(bytes)) = mishap {
        body.truncate(bytes);
    }
    let range = if status.starts_with("206") {
        format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1)
    } else {
        String::new()
    };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nConnection: close\r\nETag: \"{sha256}\"\r\nContent-Length: {length}\r\n{range}\r\n"
    )?;
    connection.write_all(&body)
}
