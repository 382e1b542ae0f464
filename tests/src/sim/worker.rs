//! The sim worker's life.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use narrator_core::{Delivery, VoiceAbilities};
use narrator_ipc::{Connection, Invitation, IpcError, JoinError, join};
use narrator_proto::{
    Beat, DeviceMemory, Done, Failure, FailureKind, Fatal, FatalKind, FromWorker, Heard, Hello as HelloFrame,
    Listen, ListenerReady, LoadProgress, LoadStage, Message, Nonce, ProtocolVersion, Ready, RequestId, Speak,
    SpeakAs, ToWorker, Voice,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::dice::{Hand, is_calm};
use super::script::{Birth, Deed, HearDeed, Hello, Load, Manners, SimScript, pick};
use super::{Birthplace, ENV_SCRIPT, ENV_STATE, audio_for, hearing_for, hum_for, manners};

/// Half a second: what a step makes of each row.
const CHUNK_S: f64 = 0.5;
/// What it says its memory is before any leak.
const RESIDENT: u64 = 100 << 20;

/// Says what models take, as `narrator-worker weigh` does: what the script has for folders of their names.
fn weigh(script: &SimScript, models: impl Iterator<Item = String>) -> u8 {
    for model in models {
        let name = model.rsplit('/').next().unwrap_or_default();
        let Some([least, good, most]) = script.footprints.get(name) else {
            let _ = writeln!(std::io::stderr(), "error: model {name} weighs nothing that the script knows");
            return 78;
        };
        let line = serde_json::json!({ "least_bytes": least, "good_bytes": good, "most_bytes": most });
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    0
}

/// Runs a sim worker as its environment says; the exit code.
pub fn serve() -> u8 {
    let script = std::env::var(ENV_SCRIPT).unwrap_or_else(|_| "{}".into());
    let script: SimScript = match serde_json::from_str(&script) {
        Ok(script) => script,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{ENV_SCRIPT} is no script: {error}");
            return 78;
        }
    };
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("weigh") {
        return weigh(&script, arguments.skip_while(|argument| argument != "--").skip(1));
    }
    let place = std::env::var_os(ENV_STATE).map(Birthplace::new);
    let birth = place.as_ref().map_or(1, Birthplace::sign_in);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return 70 };
    let calm = place.as_ref().is_some_and(|place| is_calm(place.dir()));
    let mut hand = script.dice.clone().filter(|_| !calm).map(|dice| Hand::of(dice, birth));
    let by_chance = hand.as_mut().map(Hand::manners);
    let manners = pick(&script.manners, birth).or(by_chance).unwrap_or_default();
    let sim = Sim { script, place, birth, manners, hand: Mutex::new(hand) };
    runtime.block_on(sim.live())
}

struct Sim {
    script: SimScript,
    place: Option<Birthplace>,
    birth: u64,
    manners: Manners,
    /// Misdeeds by chance.
    hand: Mutex<Option<Hand>>,
}

/// `HalfFrame` as people write it.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// What the pipe's task and the compute task share.
#[derive(Default)]
struct Shared {
    budget: Option<u64>,
    load: Option<narrator_proto::Load>,
    queue: VecDeque<(RequestId, SpeakAs)>,
    listening: Vec<Listening>,
    limit: u32,
    cancelled: Vec<RequestId>,
    cancel_all: bool,
    draining: bool,
    steps: u64,
    spoken: u64,
    rows: u32,
    mute: bool,
}

/// A take on its way in.
struct Listening {
    request: RequestId,
    listen: Listen,
    got: u64,
}

#[derive(Clone, Default)]
struct Desk {
    shared: Arc<Mutex<Shared>>,
    news: Arc<Notify>,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Row {
    request: RequestId,
    pcm: Vec<f32>,
    sent: usize,
}

impl Sim {
    fn record(&self, what: &str, about: &str) {
        if let Some(place) = &self.place {
            place.record(self.birth, what, about);
        }
    }

    /// What goes wrong at this stage by chance, put on record.
    fn by_chance<T: std::fmt::Debug>(
        &self,
        stage: &str,
        draw: impl FnOnce(&mut Hand) -> Option<T>,
    ) -> Option<T> {
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = draw(hand.as_mut()?)?;
        if self.place.as_ref().is_some_and(|place| is_calm(place.dir())) {
            *hand = None;
            return None;
        }
        let deed = format!("{drawn:?}");
        let deed = deed.split([' ', '{', '(']).next().unwrap_or_default();
        self.record("chance", &format!("{stage}: {}", in_words(deed)));
        Some(drawn)
    }

    async fn live(self) -> u8 {
        if self.manners.survives_abort {
            manners::survive_abort();
        }
        match pick(&self.script.birth, self.birth).or_else(|| self.by_chance("at birth", Hand::birth)) {
            None => {}
            Some(Birth::Exit { code, line }) => {
                let _ = writeln!(std::io::stderr(), "{line}");
                manners::exit(code);
            }
            Some(Birth::Abort) => manners::abort(),
            Some(Birth::Hang) => std::future::pending().await,
        }
        let Ok(invitation) = Invitation::from_env() else {
            let _ = writeln!(std::io::stderr(), "the sim worker is started by a pool, not by hand");
            return 78;
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        let misgreeting =
            pick(&self.script.hello, self.birth).or_else(|| self.by_chance("greeting", Hand::hello));
        let _second = match misgreeting {
            Some(Hello::Twice) => Connection::open(&invitation, deadline).await.ok(),
            Some(deed) => return misgreet(&invitation, deadline, &deed).await,
            None => None,
        };
        match join(&invitation, vec!["sim".into()], Duration::from_secs(20)).await {
            Ok((connection, welcome)) => self.work(Arc::new(connection), welcome).await,
            Err(JoinError::Refused(_)) => 78,
            Err(_) => 69,
        }
    }

    async fn work(self, connection: Arc<Connection>, welcome: narrator_proto::Welcome) -> u8 {
        let desk = Desk::default();
        desk.lock().limit = self.script.rows;
        let grace = Duration::from_millis(welcome.orphan_grace_ms.into());
        tokio::spawn(listen(Arc::clone(&connection), desk.clone(), self.manners, grace));
        let every = Duration::from_millis(welcome.beat_ms.into());
        let (leak, device_bytes) = (self.script.leak_bytes, self.script.device_bytes);
        if self.script.beats {
            tokio::spawn(beat(Arc::clone(&connection), desk.clone(), every, leak, device_bytes));
        }
        if let Some(code) = self.load(&connection, &desk).await {
            return code;
        }
        let model = desk.lock().load.as_ref().map_or_else(String::new, |load| load.model_dir.clone());
        if listens(&model) {
            return self.hear_all(&connection, &desk, &model).await;
        }
        let ready = Ready {
            engine: "sim".into(),
            sample_rate: self.script.sample_rate,
            max_rows: self.script.rows,
            voices: vec![Voice { name: "tone".into(), language: "en".into(), description: String::new() }],
            default_voice: "tone".into(),
            device: desk.lock().load.as_ref().map_or_else(String::new, |load| load.device.clone()),
            load_ms: self.script.load_ms,
            peak_resident_bytes: Some(RESIDENT),
            device_memory: self.script.device_bytes.map(device_memory),
        };
        if self.script.abilities != VoiceAbilities::default() {
            let _ = connection.send(&FromWorker::Abilities(self.script.abilities)).await;
        }
        if connection.send(&FromWorker::Ready(ready)).await.is_err() {
            return orphaned().await;
        }
        self.compute(&connection, &desk).await
    }

    /// Loads; an exit code when that is the end.
    async fn load(&self, connection: &Connection, desk: &Desk) -> Option<u8> {
        let load = loop {
            if let Some(load) = desk.lock().load.clone() {
                break load;
            }
            desk.news.notified().await;
        };
        if let Some(bytes) = desk.lock().budget {
            let fence = std::env::var("PYTORCH_CUDA_ALLOC_CONF").unwrap_or_default();
            self.record("budget", &format!("{} {} {bytes} {fence}", load.model_dir, load.device));
        }
        self.record("loading", &load.device);
        if let Some(bytes) = self.script.device_bytes
            && let Some(place) = &self.place
        {
            place.hold(&load.device, bytes);
        }
        let progress =
            |done, total| FromWorker::LoadProgress(LoadProgress { stage: LoadStage::Weights, done, total });
        let fatal = |kind, message: &str| FromWorker::Fatal(Fatal { kind, message: message.into() });
        let _ = connection.send(&progress(1, 100)).await;
        match pick(&self.script.load, self.birth).or_else(|| self.by_chance("loading", Hand::load)) {
            None => sleep(Duration::from_millis(self.script.load_ms)).await,
            Some(Load::Slow { moves, every_ms }) => {
                for done in 0..moves {
                    sleep(Duration::from_millis(every_ms)).await;
                    let _ = connection.send(&progress(2 + done, moves + 2)).await;
                }
            }
            Some(Load::Stop) => std::future::pending().await,
            Some(Load::Fail) => {
                let _ = connection.send(&fatal(FatalKind::LoadFailed, "tensor talker.w is short")).await;
                return Some(1);
            }
            Some(Load::Reject) => {
                let _ = connection.send(&fatal(FatalKind::ConfigRejected, "no voice is called Zoe")).await;
                return Some(78);
            }
            Some(Load::Exit { code }) => manners::exit(code),
            Some(Load::Abort) => manners::abort(),
        }
        self.record("loaded", &load.device);
        None
    }

    /// A recogniser's life: one take after the other.
    async fn hear_all(&self, connection: &Connection, desk: &Desk, model: &str) -> u8 {
        let name = model.rsplit('/').next().unwrap_or_default();
        let ready = ListenerReady {
            engine: "whisper".into(),
            model: name.into(),
            multilingual: false,
            max_rows: 4,
            device: "cpu".into(),
            load_ms: self.script.load_ms,
            peak_resident_bytes: Some(RESIDENT),
            device_memory: None,
        };
        if connection.send(&FromWorker::ListenerReady(ready)).await.is_err() {
            return orphaned().await;
        }
        loop {
            let whole = {
                let mut shared = desk.lock();
                if std::mem::take(&mut shared.cancel_all) {
                    shared.listening.clear();
                }
                let at = shared.listening.iter().position(|it| it.got >= it.listen.samples);
                at.map(|at| shared.listening.remove(at))
            };
            let Some(Listening { request, listen, .. }) = whole else {
                let (draining, idle) = {
                    let shared = desk.lock();
                    (shared.draining, shared.listening.is_empty())
                };
                if draining && idle {
                    let _ = connection.send(&FromWorker::Goodbye).await;
                    return 0;
                }
                desk.news.notified().await;
                continue;
            };
            let _ = connection.send(&FromWorker::Accepted { request }).await;
            let deed = self.deed_for(&listen, model);
            match &deed {
                Some(HearDeed::Abort) => manners::abort(),
                Some(HearDeed::Stuck) => std::future::pending().await,
                Some(HearDeed::Fail) => {
                    let _ = fail(connection, request, FailureKind::BadOutput, "numbers that are not finite")
                        .await;
                    continue;
                }
                _ => {}
            }
            sleep(Duration::from_millis(self.script.step_ms)).await;
            desk.lock().steps += 1;
            let hearing = hearing_for(&listen, deed.as_ref(), name);
            let heard = Heard { hearing, compute_ms: 1 };
            if connection.send(&FromWorker::Heard { request, heard }).await.is_err() {
                return orphaned().await;
            }
        }
    }

    /// The first rule that is for this take, noted before it is carried out.
    fn deed_for(&self, listen: &Listen, model: &str) -> Option<HearDeed> {
        let text = listen.expected.as_deref().unwrap_or_default();
        let rule = self.script.hear.iter().find(|rule| {
            let before = || {
                let place = self.place.as_ref().map(Birthplace::read).unwrap_or_default();
                place.iter().filter(|it| it.what == "misheard" && it.about.contains(&rule.text)).count()
            };
            text.contains(&rule.text)
                && rule.model.as_deref().is_none_or(|part| model.contains(part))
                && rule.first.is_none_or(|first| before() < first)
        });
        self.record(if rule.is_some() { "misheard" } else { "heard" }, text);
        rule.map(|rule| rule.deed.clone())
    }

    /// The engine: rows join from the queue while there is room, every step makes half a second of each.
    async fn compute(&self, connection: &Connection, desk: &Desk) -> u8 {
        let mut rows: Vec<Row> = Vec::new();
        let mut held: Vec<Row> = Vec::new();
        let mut seen = 0;
        loop {
            let (cancel_all, cancelled) = {
                let mut shared = desk.lock();
                shared.rows = rows.len() as u32;
                (std::mem::take(&mut shared.cancel_all), std::mem::take(&mut shared.cancelled))
            };
            for row in held.extract_if(.., |row| cancel_all || cancelled.contains(&row.request)) {
                self.record("late", &row.request.to_string());
                let _ = finish(connection, row).await;
            }
            for row in rows.extract_if(.., |row| cancel_all || cancelled.contains(&row.request)) {
                let _ = fail(connection, row.request, FailureKind::Cancelled, "cancelled").await;
            }
            while rows.len() < desk.lock().limit.max(1) as usize {
                let Some((request, SpeakAs { speak, delivery })) = desk.lock().queue.pop_front() else {
                    break;
                };
                seen += 1;
                if delivery.calm {
                    self.record("calm", &speak.text);
                }
                if delivery.timbre_alone {
                    self.record("timbre alone", &speak.text);
                }
                if let Some(row) = self.admit(connection, desk, request, &speak, seen, rows.len()).await {
                    match row {
                        Admitted::Row(row) => rows.push(row),
                        Admitted::Held(row) => held.push(row),
                    }
                }
            }
            if rows.is_empty() {
                let (draining, idle) = {
                    let shared = desk.lock();
                    (shared.draining, shared.queue.is_empty() && !shared.cancel_all)
                };
                if draining && idle && held.is_empty() {
                    let _ = connection.send(&FromWorker::Goodbye).await;
                    return 0;
                }
                if idle {
                    desk.news.notified().await;
                }
                continue;
            }
            if self.script.step_ms > 0 {
                sleep(Duration::from_millis(self.script.step_ms)).await;
            }
            desk.lock().steps += 1;
            let chunk = (CHUNK_S * f64::from(self.script.sample_rate)) as usize;
            for row in &mut rows {
                let until = (row.sent + chunk).min(row.pcm.len());
                let samples = row.pcm[row.sent..until].to_vec();
                row.sent = until;
                if !samples.is_empty() {
                    let pcm = FromWorker::Pcm { request: row.request, samples };
                    if connection.send(&pcm).await.is_err() {
                        return orphaned().await;
                    }
                }
            }
            for row in rows.extract_if(.., |row| row.sent == row.pcm.len()) {
                desk.lock().spoken += 1;
                let samples = row.pcm.len() as u64;
                let _ = connection.send(&done(row.request, samples)).await;
            }
            // A real engine's thread is another than the pipe's; here they take turns.
            tokio::task::yield_now().await;
        }
    }

    /// Takes a request in, or does to it what the script says.
    async fn admit(
        &self,
        connection: &Connection,
        desk: &Desk,
        request: RequestId,
        speak: &Speak,
        nth: u64,
        rows: usize,
    ) -> Option<Admitted> {
        let rule = self.script.speak.iter().find(|rule| rule.is_for(self.birth, &speak.text, nth));
        let deed = rule.map(|rule| rule.deed.clone()).or_else(|| self.by_chance("speaking", Hand::speak));
        if deed == Some(Deed::AbortUnaccepted) {
            self.record("did", "AbortUnaccepted");
            manners::abort();
        }
        let _ = connection.send(&FromWorker::Accepted { request }).await;
        self.record("accepted", &speak.text);
        if self.script.fits_rows.is_some_and(|fits| rows >= fits as usize) {
            let _ = fail(connection, request, FailureKind::OutOfMemory, "CUDA out of memory.").await;
            return None;
        }
        let rate = self.script.sample_rate;
        let mut pcm = if self.script.hums {
            hum_for(&speak.text, speak.seed, rate)
        } else {
            audio_for(&speak.text, speak.seed, rate, self.script.seconds_per_char)
        };
        if let Some(deed) = &deed {
            self.record("did", &format!("{deed:?}"));
        }
        match deed {
            None => {}
            Some(Deed::Nan) => {
                let middle = pcm.len() / 2;
                pcm[middle] = f32::NAN;
            }
            Some(Deed::Silence) => pcm.fill(0.0),
            Some(Deed::Slow { steps, every_ms }) => {
                for _ in 0..steps {
                    sleep(Duration::from_millis(every_ms)).await;
                    desk.lock().steps += 1;
                }
            }
            Some(Deed::Late) => return Some(Admitted::Held(Row { request, pcm, sent: 0 })),
            Some(Deed::Twice) => {
                for _ in 0..2 {
                    let _ = finish(connection, Row { request, pcm: pcm.clone(), sent: 0 }).await;
                }
                return None;
            }
            Some(Deed::Stray) => {
                let stray = RequestId(request.0 + 1_000_000);
                let _ = finish(connection, Row { request: stray, pcm: pcm.clone(), sent: 0 }).await;
            }
            Some(Deed::Miscount) => {
                let _ = connection.send(&done(request, 7)).await;
                return None;
            }
            Some(Deed::Runaway) => {
                self.runaway(connection, desk, request, speak.max_seconds).await;
                let _ = fail(connection, request, FailureKind::Runaway, "no end after the cap").await;
                return None;
            }
            Some(Deed::RunawayUncapped) => {
                self.runaway(connection, desk, request, f32::MAX).await;
                return None;
            }
            Some(Deed::OutOfMemory) => {
                let _ = fail(connection, request, FailureKind::OutOfMemory, "CUDA out of memory.").await;
                return None;
            }
            Some(Deed::BadRequest) => {
                let _ = fail(connection, request, FailureKind::BadRequest, "no sound for this script").await;
                return None;
            }
            Some(Deed::DeviceFault) => {
                let message = "an illegal memory access was encountered";
                let _ = fail(connection, request, FailureKind::DeviceFault, message).await;
                manners::exit(70);
            }
            Some(deed) => self.misbehave(connection, desk, request, &deed).await,
        }
        Some(Admitted::Row(Row { request, pcm, sent: 0 }))
    }

    /// Speaks without end.
    async fn runaway(&self, connection: &Connection, desk: &Desk, request: RequestId, cap_s: f32) {
        let chunk = vec![0.1; (CHUNK_S * f64::from(self.script.sample_rate)) as usize];
        let mut seconds = 0.0;
        while seconds + (CHUNK_S as f32) < cap_s {
            seconds += CHUNK_S as f32;
            desk.lock().steps += 1;
            let pcm = FromWorker::Pcm { request, samples: chunk.clone() };
            if connection.send(&pcm).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The deeds that a worker does not come back from.
    async fn misbehave(&self, connection: &Connection, desk: &Desk, request: RequestId, deed: &Deed) {
        match deed {
            Deed::Abort => manners::abort(),
            Deed::Exit { code } => manners::exit(*code),
            Deed::Kill => manners::signal_self(libc::SIGKILL),
            Deed::Stop => return manners::signal_self(libc::SIGSTOP),
            Deed::Mute => desk.lock().mute = true,
            Deed::Garbage => {
                let _ = connection.send_raw(b"terminate called without an active exception\n").await;
            }
            Deed::HalfFrame => {
                let frame = FromWorker::Accepted { request }.to_frame().map(|frame| frame.to_bytes());
                if let Ok(bytes) = frame {
                    let _ = connection.send_raw(&bytes[..bytes.len() - 3]).await;
                }
                manners::exit(1);
            }
            Deed::Oversized => {
                let _ = connection.send_raw(&oversized()).await;
            }
            Deed::ClosePipe => manners::close_pipe(),
            Deed::Grandchild => {
                if let Some(place) = &self.place {
                    manners::leave_a_grandchild(place, self.birth);
                }
                manners::exit(1);
            }
            _ => {}
        }
        std::future::pending::<()>().await;
    }
}

enum Admitted {
    Row(Row),
    /// Kept until it is cancelled.
    Held(Row),
}

/// Whether the model in this folder is one that listens, by its manifest.
fn listens(model_dir: &str) -> bool {
    let manifest = std::fs::read_to_string(std::path::Path::new(model_dir).join("manifest.json"));
    let manifest = manifest.ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    manifest.is_some_and(|manifest| manifest["engine"] == "whisper")
}

/// A handshake as it must not be.
async fn misgreet(invitation: &Invitation, deadline: Instant, deed: &Hello) -> u8 {
    let Ok(connection) = Connection::open(invitation, deadline).await else { return 69 };
    let mut hello = HelloFrame::of_this_process(invitation.nonce(), vec!["sim".into()]);
    match deed {
        Hello::WrongProtocol => hello.protocol = ProtocolVersion { major: 99, minor: 0 },
        Hello::WrongBuild => hello.build = "0.0.0-0000000000000000".into(),
        Hello::WrongNonce => hello.nonce = Nonce::from_bytes([7; 16]),
        Hello::WrongPid => hello.pid += 1,
        Hello::Silent | Hello::Twice => std::future::pending().await,
        Hello::Garbage => {
            let _ = connection.send_raw(&[0xff; 64]).await;
            std::future::pending::<()>().await;
        }
        Hello::Half => {
            let _ = connection.send_raw(b"Nr\x01").await;
            return 1;
        }
        Hello::Oversized => {
            let _ = connection.send_raw(&oversized()).await;
            std::future::pending::<()>().await;
        }
    }
    let _ = connection.send(&FromWorker::Hello(hello)).await;
    match connection.recv::<ToWorker>().await {
        Ok(Some(ToWorker::Refuse(_))) => 78,
        _ => 69,
    }
}

/// The header of a frame of four gigabytes, with every checksum right.
fn oversized() -> Vec<u8> {
    let mut bytes = FromWorker::Goodbye.to_frame().map(|frame| frame.to_bytes()).unwrap_or_default();
    bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    let check = crc32c::crc32c_append(crc32c::crc32c(&bytes[..6]), &bytes[8..20]) as u16;
    bytes[6..8].copy_from_slice(&check.to_le_bytes());
    bytes
}

fn done(request: RequestId, samples: u64) -> FromWorker {
    FromWorker::Done { request, done: Done { samples, compute_ms: 1 } }
}

async fn finish(connection: &Connection, row: Row) -> Result<(), IpcError> {
    let samples = row.pcm.len() as u64;
    for chunk in row.pcm.chunks(12_000) {
        connection.send(&FromWorker::Pcm { request: row.request, samples: chunk.to_vec() }).await?;
    }
    connection.send(&done(row.request, samples)).await
}

async fn fail(
    connection: &Connection,
    request: RequestId,
    kind: FailureKind,
    message: &str,
) -> Result<(), IpcError> {
    let failure = Failure { kind, message: message.into(), wanted_bytes: None, device_memory: None };
    connection.send(&FromWorker::Failed { request, failure }).await
}

/// Listens to the pipe until it ends, and then, after the grace, ends the process.
async fn listen(connection: Arc<Connection>, desk: Desk, manners: Manners, grace: Duration) {
    while let Ok(Some(message)) = connection.recv::<ToWorker>().await {
        {
            let mut shared = desk.lock();
            match message {
                ToWorker::Budget(budget) => shared.budget = Some(budget.device_bytes),
                ToWorker::Load(load) => shared.load = Some(load),
                ToWorker::Speak { request, speak } => {
                    shared.queue.push_back((request, SpeakAs { speak, delivery: Delivery::default() }));
                }
                ToWorker::SpeakAs { request, speak_as } => shared.queue.push_back((request, speak_as)),
                ToWorker::Listen { request, listen } => {
                    shared.listening.push(Listening { request, listen, got: 0 });
                }
                ToWorker::ListenPcm { request, samples } => {
                    let row = shared.listening.iter_mut().find(|row| row.request == request);
                    if let Some(row) = row {
                        row.got += samples.len() as u64;
                    }
                }
                ToWorker::SetRows(rows) => shared.limit = rows.rows,
                ToWorker::Cancel { request } if !manners.deaf => shared.cancelled.push(request),
                ToWorker::CancelAll if !manners.deaf => {
                    shared.queue.clear();
                    shared.cancel_all = true;
                }
                ToWorker::Drain if !manners.deaf => shared.draining = true,
                _ => {}
            }
        }
        desk.news.notify_one();
    }
    if !manners.survives_orphaning {
        sleep(grace).await;
        manners::exit(75);
    }
}

async fn beat(
    connection: Arc<Connection>,
    desk: Desk,
    every: Duration,
    leak_bytes: u64,
    device_bytes: Option<u64>,
) {
    loop {
        sleep(every).await;
        let beat = {
            let shared = desk.lock();
            if shared.mute {
                return;
            }
            Beat {
                steps: shared.steps,
                rows: shared.rows,
                queued: shared.queue.len() as u32,
                resident_bytes: Some(RESIDENT + shared.spoken * leak_bytes),
                device_memory: device_bytes.map(device_memory),
            }
        };
        if connection.send(&FromWorker::Beat(beat)).await.is_err() {
            return;
        }
    }
}

fn device_memory(peak_bytes: u64) -> DeviceMemory {
    DeviceMemory { free_bytes: 0, total_bytes: 0, peak_bytes }
}

/// The pipe is gone: its listener ends the process.
async fn orphaned() -> u8 {
    std::future::pending().await
}
