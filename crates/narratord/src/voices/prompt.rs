//! What the worker is given of a voice.

use std::ffi::OsString;
use std::path::Path;

use super::store::UserVoice;
use crate::error::Failure;
use crate::models::{Model, Speaker, VoiceAt};
use crate::{output, tool};

/// The voice as the worker is asked for it: a name of the model's own, or a file, which is made when it is
/// not there yet.
pub fn for_worker(speaker: &Speaker, model: &Model, worker: &Path) -> Result<String, Failure> {
    let path = match &speaker.at {
        VoiceAt::Model => return Ok(speaker.info.name.clone()),
        VoiceAt::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        VoiceAt::User(voice) => {
            make(voice, model, worker)?;
            voice.prompt(&model.manifest.sha256)
        }
    };
    path.into_os_string().into_string().map_err(|path| {
        let shown = Path::new(&path).display().to_string();
        Failure::new(crate::exit::Exit::BadSettings, format!("the path of the voice is not UTF-8: {shown}"))
    })
}

/// Has the model make of the clip what it speaks from, unless it has done so before.
pub fn make(voice: &UserVoice, model: &Model, worker: &Path) -> Result<(), Failure> {
    let prompt = voice.prompt(&model.manifest.sha256);
    if prompt.is_file() {
        return Ok(());
    }
    let folder = prompt.parent().unwrap_or(&voice.dir);
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, error))?;
    output::note(format_args!("{} listens to the voice {}, once ...", model.manifest.name, voice.name));
    let mut arguments: Vec<OsString> = vec![
        "clone".into(),
        "--model".into(),
        model.dir.clone().into(),
        "--clip".into(),
        voice.clip().into(),
    ];
    if let Some(text) = &voice.file.text {
        // Joined: a text may begin with a dash.
        arguments.push(format!("--text={text}").into());
    }
    arguments.extend(["--out".into(), prompt.into_os_string()]);
    tool::worker(worker, &arguments, &format!("cloning the voice {}", voice.name)).map(drop)
}
