//! Making a voice of the user: from a clip, or from a description.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use narrator_audio::Ffmpeg;
use narrator_audio::clip::{Clip, ClipError, ClipErrorKind, Concern, Finding, write_wav};

use super::prompt;
use super::store::{CLIP_FILE, Origin, UserVoice, VOICE_FILE, VoiceFile, check_name, find};
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::job::write_whole;
use crate::models::Model;
use crate::{output, tool};

/// The rate of every published checkpoint's speaker encoder and codec.
const RATE: u32 = 24_000;

/// Voices of one description that are tried before it is given up: some one in three hundred never ends.
const DESIGNS: u64 = 3;

/// What a designed voice says unless it is told: a quarter of a minute, calm, of every kind of sound.
pub const DESIGN_TEXT: &str = "The lighthouse keeper climbed the stairs each evening at six. He counted them, \
    though he knew their number well. From the top he watched the boats come home, one after another, and \
    when the last of them had passed the harbour wall, he lit the lamp and sat down to his tea.";

/// A new voice, as it is asked for.
#[derive(Debug)]
pub struct NewVoice<'a> {
    pub name: &'a str,
    pub language: &'a str,
    /// What the clip says.
    pub text: Option<String>,
    /// Take the place of one that is there.
    pub replace: bool,
}

/// Refuses a name that is taken or cannot be.
pub fn check_free(home: &Home, voice: &NewVoice<'_>) -> Result<(), Failure> {
    check_name(voice.name)?;
    // A damaged voice may be replaced too.
    if !voice.replace && find(home, voice.name).is_ok_and(|found| found.is_some()) {
        return Err(Failure::new(Exit::Usage, format!("there is a voice called {} already", voice.name))
            .hint("choose another name, or take its place with --replace"));
    }
    Ok(())
}

/// Clones the voice in the file `clip`.
pub fn add(
    home: &Home,
    voice: NewVoice<'_>,
    clip: &Path,
    base: Option<&Model>,
    worker: &Path,
) -> Result<UserVoice, Failure> {
    let ffmpeg = Ffmpeg::find(&[home.ffmpeg()]).ok();
    let (clip_samples, findings) = Clip::read(clip, ffmpeg.as_ref())?.prepared(RATE)?;
    say(&findings)?;
    if let Some(text) = &voice.text {
        check_pace(text, clip_samples.seconds());
    }
    let shown = clip.file_name().unwrap_or(clip.as_os_str()).to_string_lossy().into_owned();
    keep(home, voice, &clip_samples, Origin::Cloned { clip: shown }, base, worker)
}

/// Has `designer` make a voice from a description, and locks it as a clone.
pub fn design(
    home: &Home,
    voice: &NewVoice<'_>,
    (designer, instruct, seed): (&Model, &str, u64),
    base: &Model,
    worker: &Path,
) -> Result<UserVoice, Failure> {
    let text = voice.text.clone().unwrap_or_else(|| DESIGN_TEXT.to_string());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let folder = staging(home, voice.name)?;
    let path = folder.join("designed.wav");
    let mut last = None;
    for seed in seed..seed.saturating_add(DESIGNS) {
        output::note(format_args!("{} designs the voice {} ...", designer.manifest.name, voice.name));
        let arguments: Vec<OsString> = vec![
            "synth".into(),
            "--model".into(),
            designer.dir.clone().into(),
            // Joined: any of them may begin with a dash.
            format!("--voice={instruct}").into(),
            format!("--text={text}").into(),
            format!("--language={}", voice.language).into(),
            format!("--seed={seed}").into(),
            "--max-seconds=60".into(),
            "--out".into(),
            path.clone().into(),
        ];
        let spoken = tool::worker(worker, &arguments, "designing a voice");
        match spoken.and_then(|_| designed(&path)) {
            Ok(clip) => {
                let origin = Origin::Designed {
                    model: designer.manifest.name.clone(),
                    instruct: instruct.into(),
                    seed,
                };
                let voice = NewVoice { text: Some(text), ..*voice };
                return keep(home, voice, &clip, origin, Some(base), worker);
            }
            // Speech that cannot be used comes out otherwise with another seed; nothing else does.
            Err(failure) if failure.exit == Exit::BadInput => last = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    Err(last
        .unwrap_or_else(|| Failure::new(Exit::BadInput, "no voice came of the description"))
        .hint("describe the voice otherwise, or try another --seed"))
}

/// The designed clip, prepared; what is heard in its pauses is the voice's own.
fn designed(path: &Path) -> Result<Clip, Failure> {
    let (clip, mut findings) = Clip::read(path, None)?.prepared(RATE)?;
    findings.retain(|finding| !matches!(finding.concern, Concern::Noisy | Concern::CutOff));
    say(&findings)?;
    Ok(clip)
}

/// Tells what was found; fails with what refuses.
fn say(findings: &[Finding]) -> Result<(), Failure> {
    let (refusing, others): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.refuses);
    for finding in others {
        output::note(format_args!("warning: {}: {}", finding.what, finding.advice));
    }
    let Some(first) = refusing.first() else { return Ok(()) };
    let all: Vec<&str> = refusing.iter().map(|finding| finding.what.as_str()).collect();
    Err(Failure::new(Exit::BadInput, all.join("; ")).hint(first.advice))
}

/// A text that is much longer or shorter than its clip makes the model go round in circles or swallow words.
fn check_pace(text: &str, seconds: f64) {
    /// Letters a second that people speak: from slow Chinese to quick Spanish.
    const PACE: std::ops::RangeInclusive<f64> = 2.0..=30.0;
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let pace = letters as f64 / seconds.max(0.1);
    if !PACE.contains(&pace) {
        output::note(format_args!(
            "warning: {letters} letters in {seconds:.1} s is not how people speak: --text must be exactly what the clip says"
        ));
    }
}

/// Puts the voice in its place, and has the base model listen to it.
fn keep(
    home: &Home,
    new: NewVoice<'_>,
    clip: &Clip,
    origin: Origin,
    base: Option<&Model>,
    worker: &Path,
) -> Result<UserVoice, Failure> {
    let folder = staging(home, new.name)?;
    let path = folder.join(CLIP_FILE);
    write_wav(&path, clip.rate, &clip.samples)?;
    let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, error))?;
    let file = VoiceFile {
        language: new.language.into(),
        text: new.text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
        clip_blake3: blake3::hash(&bytes).to_hex().to_string(),
        seconds: clip.seconds(),
        origin,
    };
    let text = toml::to_string_pretty(&file)
        .map_err(|error| Failure::new(Exit::Disk, "the voice cannot be written").because(error))?;
    write_whole(&folder.join(VOICE_FILE), text.as_bytes())?;
    let mut voice = UserVoice { name: new.name.into(), dir: folder.clone(), file };
    if let Some(model) = base {
        prompt::make(&voice, model, worker)?;
    }
    // Left by a design.
    let _ = std::fs::remove_file(folder.join("designed.wav"));
    let place = home.voices().join(new.name);
    if place.exists() {
        std::fs::remove_dir_all(&place).map_err(|error| Failure::io("remove", &place, error))?;
    }
    std::fs::rename(&folder, &place).map_err(|error| Failure::io("write", &place, error))?;
    voice.dir = place;
    Ok(voice)
}

/// A fresh folder beside the voice's place. A design's clip is left in it.
fn staging(home: &Home, name: &str) -> Result<PathBuf, Failure> {
    let folder = home.voices().join(format!(".new-{name}"));
    std::fs::create_dir_all(&folder).map_err(|error| Failure::io("make", &folder, error))?;
    let prompts = folder.join("prompts");
    if prompts.exists() {
        std::fs::remove_dir_all(&prompts).map_err(|error| Failure::io("remove", &prompts, error))?;
    }
    Ok(folder)
}

/// Removes a voice, whatever state it is in.
pub fn remove(home: &Home, name: &str) -> Result<(), Failure> {
    check_name(name)?;
    let place = home.voices().join(name);
    if !place.is_dir() {
        return Err(Failure::new(Exit::Missing, format!("there is no voice of yours called `{name}`"))
            .hint("`narratord voices` lists them; a model's own voices go with `narratord models remove`"));
    }
    std::fs::remove_dir_all(&place).map_err(|error| Failure::io("remove", &place, error))
}

impl From<ClipError> for Failure {
    fn from(error: ClipError) -> Self {
        let exit = match error.kind() {
            ClipErrorKind::Unreadable | ClipErrorKind::Ffmpeg => Exit::Missing,
            ClipErrorKind::NotAudio => Exit::BadInput,
            ClipErrorKind::Disk => Exit::Disk,
        };
        Self::of(exit, &error)
    }
}
