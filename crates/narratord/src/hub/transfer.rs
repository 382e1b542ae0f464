//! One file from the hub to the disk: gone on with where it stopped, verified at its end.
//!
//! What has come is in `NAME.part`, hashed as it comes; a file that goes on is hashed from its start first.
//! Broken connections, silence and the servers' own troubles are waited out while bytes still come now and
//! then; what another try cannot change ends the transfer at once. A file whose hash is wrong is fetched
//! once more from its start, in case an old part was bad, and then given up.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::Response;

use super::access::Access;
use super::listing::{Hash, Remote};
use super::meter::Meter;
use crate::error::Failure;
use crate::exit::Exit;
use crate::models::fingerprint::hex;

/// The first wait after a fruitless try; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const BUFFER_BYTES: usize = 256 << 10;

/// Both hashes of what has come: which one the hub lists depends on the file's size.
struct Hashes {
    sha256: Sha256,
    blob: Sha1,
}

impl Hashes {
    fn new(bytes: u64) -> Self {
        let mut blob = Sha1::new();
        blob.update(format!("blob {bytes}\0"));
        Self { sha256: Sha256::new(), blob }
    }

    fn update(&mut self, bytes: &[u8], hash: &Hash) {
        self.sha256.update(bytes);
        if matches!(hash, Hash::GitBlob(_)) {
            self.blob.update(bytes);
        }
    }

    /// SHA-256, and whether the file is what the hub lists.
    fn judge(self, hash: &Hash) -> (String, bool) {
        let sha256 = hex(&self.sha256.finalize());
        let right = match hash {
            Hash::Sha256(listed) => listed.eq_ignore_ascii_case(&sha256),
            Hash::GitBlob(listed) => listed.eq_ignore_ascii_case(&hex(&self.blob.finalize())),
        };
        (sha256, right)
    }
}

/// Why a try ended.
enum Trouble {
    /// Another try may go better, after this long at least.
    Passing(String, Duration),
    /// It will not.
    Lasting(Failure),
}

/// Where the bytes of a file are until it is whole; named by its hash, so that another version of the file
/// never goes on from it.
pub fn part_of(path: &Path, file: &Remote) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", &file.hash.hex()[..12]));
    path.with_file_name(name)
}

/// Whether the file at `path` is the one listed; its SHA-256 when it is.
pub fn is_there(path: &Path, file: &Remote) -> Option<String> {
    if std::fs::metadata(path).ok()?.len() != file.bytes {
        return None;
    }
    let (hashes, _) = hashed(path, file, u64::MAX).ok()?;
    let (sha256, right) = hashes.judge(&file.hash);
    right.then_some(sha256)
}

/// Fetches `file` to `path`; gives its SHA-256.
pub fn fetch(access: &Access, file: &Remote, path: &Path, meter: &mut Meter) -> Result<String, Failure> {
    let part = part_of(path, file);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, error))?;
    }
    for again in [true, false] {
        let sha256 = Transfer::begin(access, file, &part)?.run(meter)?;
        if let Some(sha256) = sha256 {
            std::fs::rename(&part, path).map_err(|error| Failure::io("write", path, error))?;
            return Ok(sha256);
        }
        std::fs::remove_file(&part).map_err(|error| Failure::io("remove", &part, error))?;
        meter.take_back(file.bytes);
        if again {
            meter.say(format_args!(
                "{} does not have the hash that the hub lists: fetching it again.",
                file.path
            ));
        }
    }
    Err(Failure::new(
        Exit::Missing,
        format!("{} came twice with another hash than the hub lists ({})", file.path, file.hash.hex()),
    )
    .hint(
        "something between here and the hub changes files, or the hub's copy is damaged: try another network",
    ))
}

/// Hashes the first `most` bytes of a file; gives how many there were.
fn hashed(path: &Path, file: &Remote, most: u64) -> std::io::Result<(Hashes, u64)> {
    let mut hashes = Hashes::new(file.bytes);
    let mut source = File::open(path)?.take(most);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut done = 0;
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok((hashes, done)),
            read => {
                hashes.update(&buffer[..read], &file.hash);
                done += read as u64;
            }
        }
    }
}

struct Transfer<'a> {
    access: &'a Access,
    file: &'a Remote,
    part: &'a Path,
    out: File,
    hashes: Hashes,
    have: u64,
}

impl<'a> Transfer<'a> {
    /// Takes up what an earlier try left.
    fn begin(access: &'a Access, file: &'a Remote, part: &'a Path) -> Result<Self, Failure> {
        let failed = |error| Failure::io("write", part, error);
        let out = File::options().create(true).append(true).open(part).map_err(failed)?;
        let left = out.metadata().map_err(failed)?.len();
        let (hashes, have) = if left <= file.bytes {
            hashed(part, file, left).map_err(failed)?
        } else {
            (Hashes::new(file.bytes), 0)
        };
        let transfer = Self { access, file, part, out, hashes, have };
        if have == 0 {
            transfer.cut()?;
        }
        Ok(transfer)
    }

    /// Empties the part. A device in its place (a test's full disk) has no length to set.
    fn cut(&self) -> Result<(), Failure> {
        let failed = |error| Failure::io("write", self.part, error);
        if self.out.metadata().map_err(failed)?.len() > 0 {
            self.out.set_len(0).map_err(failed)?;
        }
        Ok(())
    }

    /// To the end: the file's SHA-256, or nothing when its hash is wrong.
    fn run(mut self, meter: &mut Meter) -> Result<Option<String>, Failure> {
        let mut fruitless = 0;
        while self.have < self.file.bytes {
            let before = self.have;
            let trouble = match self.piece(meter) {
                Ok(()) => continue,
                Err(Trouble::Lasting(failure)) => return Err(failure),
                Err(Trouble::Passing(why, pause)) => (why, pause),
            };
            fruitless = if self.have > before { 0 } else { fruitless + 1 };
            let (why, pause) = trouble;
            if fruitless >= self.access.tries {
                return Err(Failure::new(
                    Exit::Stopped,
                    format!("{} stopped at byte {} of {}: {why}", self.file.path, self.have, self.file.bytes),
                )
                .hint("run the same command again: it goes on from there"));
            }
            meter.say(format_args!("{}: {why}; it goes on from byte {}.", self.file.path, self.have));
            std::thread::sleep(pause.max(FIRST_PAUSE * 2_u32.pow(fruitless.min(6))).min(LONGEST_PAUSE));
        }
        self.out.sync_all().map_err(|error| Failure::io("write", self.part, error))?;
        let (sha256, right) = self.hashes.judge(&self.file.hash);
        Ok(right.then_some(sha256))
    }

    /// One request, from where the file stands to where the connection ends.
    fn piece(&mut self, meter: &mut Meter) -> Result<(), Trouble> {
        let mut request = self.access.agent.get(&self.file.url);
        if self.have > 0 {
            request = request.header("range", format!("bytes={}-", self.have));
        }
        if let Some(token) = &self.access.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let passing = |why: String| Trouble::Passing(why, Duration::ZERO);
        let response = request.call().map_err(|error| passing(error.to_string()))?;
        let status = response.status().as_u16();
        match status {
            206 if self.have > 0 => self.check_range(&response)?,
            // The server does not go on from anywhere: all of it comes again.
            200 => self.restart(meter)?,
            408 | 425 | 429 | 500.. => {
                let pause = header(&response, "retry-after").and_then(|text| text.parse().ok());
                let pause = Duration::from_secs(pause.unwrap_or(0));
                return Err(Trouble::Passing(format!("the hub answers {status}"), pause));
            }
            _ => return Err(Trouble::Lasting(self.access.refused(status, &self.file.path))),
        }
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = body.read(&mut buffer).map_err(|error| passing(error.to_string()))?;
            if read == 0 {
                break;
            }
            if self.have + read as u64 > self.file.bytes {
                let what =
                    format!("{} is longer than the hub lists ({} bytes)", self.file.path, self.file.bytes);
                return Err(Trouble::Lasting(Failure::new(Exit::Missing, what)));
            }
            let bytes = &buffer[..read];
            self.out
                .write_all(bytes)
                .map_err(|error| Trouble::Lasting(Failure::io("write", self.part, error)))?;
            self.hashes.update(bytes, &self.file.hash);
            self.have += read as u64;
            meter.advance(read as u64);
        }
        if self.have < self.file.bytes {
            return Err(passing("the connection ended too early".into()));
        }
        Ok(())
    }

    /// A range must begin where the file stands.
    fn check_range(&self, response: &Response<Body>) -> Result<(), Trouble> {
        let range = header(response, "content-range").unwrap_or_default();
        let start =
            range.strip_prefix("bytes ").and_then(|range| range.split('-').next()?.parse::<u64>().ok());
        if start == Some(self.have) {
            return Ok(());
        }
        let why = format!("the hub sent `{range}` where byte {} was asked for", self.have);
        Err(Trouble::Passing(why, Duration::ZERO))
    }

    fn restart(&mut self, meter: &mut Meter) -> Result<(), Trouble> {
        if self.have > 0 {
            meter.take_back(self.have);
            self.have = 0;
            self.hashes = Hashes::new(self.file.bytes);
            self.cut().map_err(Trouble::Lasting)?;
        }
        Ok(())
    }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_string)
}
