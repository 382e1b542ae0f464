//! `narratord voices`: who can speak; cloning, designing, hearing and removing voices.

use std::ffi::OsString;

use narrator_engine::VoiceInfo;
use serde::Serialize;

use crate::cli::{AddArgs, DesignArgs, ListArgs, NameArgs, PreviewArgs, VoicesArgs, VoicesCommand};
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::models::{self, Kind, Model, Wanted};
use crate::voices::{self, DESIGN_TEXT, NewVoice, UserVoice};
use crate::{output, tool};

pub fn voices(args: &VoicesArgs) -> Result<Exit, Failure> {
    match &args.command {
        None => list(&args.list),
        Some(VoicesCommand::Add(args)) => add(args),
        Some(VoicesCommand::Design(args)) => design(args),
        Some(VoicesCommand::Preview(args)) => preview(args),
        Some(VoicesCommand::Remove(args)) => remove(args),
    }
}

#[derive(Serialize)]
struct VoiceRow {
    /// The model that speaks with it, the first choice where there are several; none is installed for a
    /// voice that waits for one.
    model: Option<String>,
    #[serde(flatten)]
    voice: VoiceInfo,
    /// One of the user's own.
    yours: bool,
}

fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let models = speaking(&home);
    let yours: Vec<UserVoice> = voices::all(&home)
        .into_iter()
        .filter_map(|voice| voice.map_err(|failure| output::note(failure.for_people())).ok())
        .collect();
    let is_yours = |voice: &VoiceInfo| yours.iter().any(|own| own.name == voice.name);
    let mut rows: Vec<VoiceRow> = Vec::new();
    for model in &models {
        let base = model.kind() == Some(Kind::Base);
        let own = model.manifest.voices.iter().filter(|voice| !base || !is_yours(voice));
        rows.extend(own.map(|voice| VoiceRow {
            model: Some(model.manifest.name.clone()),
            voice: voice.clone(),
            yours: false,
        }));
    }
    let base = base_model(&models).map(|model| model.manifest.name.clone());
    rows.extend(yours.iter().map(|own| VoiceRow { model: base.clone(), voice: own.info(), yours: true }));
    if args.json {
        output::json(&rows);
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        return Err(Failure::new(Exit::Missing, "no voice is installed")
            .hint("run scripts/setup: it brings the starter voice"));
    }
    output::data(format_args!("{:<16} {:<8} {:<28} DESCRIPTION", "VOICE", "LANGUAGE", "MODEL"));
    for VoiceRow { model, voice, .. } in &rows {
        let VoiceInfo { name, language, description } = voice;
        let language = if models::is_open(language) { "any" } else { language };
        let model = model.as_deref().unwrap_or("(needs a base model)");
        output::data(format_args!("{name:<16} {language:<8} {model:<28} {}", first_words(description)));
    }
    Ok(Exit::Done)
}

/// A description that fits a line.
fn first_words(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.into();
    }
    text.chars().take(MOST - 1).chain(std::iter::once('…')).collect()
}

/// Installed models, those with something wrong left out, the preferred first.
fn speaking(home: &Home) -> Vec<Model> {
    let mut models: Vec<Model> =
        models::installed(home).into_iter().filter_map(|found| found.model.ok()).collect();
    models.sort_by_key(models::rank);
    models
}

fn base_model(models: &[Model]) -> Option<&Model> {
    models.iter().find(|model| model.kind() == Some(Kind::Base))
}

/// The model named, or the first of its kind that is installed.
fn of_kind(home: &Home, named: Option<&str>, kind: Kind) -> Result<Option<Model>, Failure> {
    let Some(name) = named else {
        return Ok(speaking(home).into_iter().find(|model| model.kind() == Some(kind)));
    };
    let model = models::find(home, name)?;
    if model.kind() == Some(kind) {
        return Ok(Some(model));
    }
    let wanted = match kind {
        Kind::Base => "a base model, which clones",
        Kind::VoiceDesign => "a voice-design model",
        Kind::CustomVoice => "a custom-voice model",
    };
    Err(Failure::new(Exit::BadSettings, format!("{name} is not {wanted}"))
        .hint("`narratord models` says what each is for"))
}

/// A name that a model has already would be hidden by that model's voice.
fn check_unlike_models(home: &Home, name: &str) -> Result<(), Failure> {
    let taken = speaking(home).into_iter().find(|model| {
        model.kind() != Some(Kind::Base) && model.manifest.voices.iter().any(|voice| voice.name == name)
    });
    match taken {
        Some(model) => {
            let model = model.manifest.name;
            Err(Failure::new(Exit::Usage, format!("{model} has a voice called {name}"))
                .hint("choose another name"))
        }
        None => Ok(()),
    }
}

fn add(args: &AddArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let voice = NewVoice {
        name: &args.name,
        language: &args.language,
        text: args.text.clone().filter(|text| !text.trim().is_empty()),
        replace: args.replace,
    };
    voices::check_free(&home, &voice)?;
    check_unlike_models(&home, &args.name)?;
    let base = of_kind(&home, args.model.as_deref(), Kind::Base)?;
    let worker = home::worker_program(None)?;
    let made = voices::add(&home, voice, &args.clip, base.as_ref(), &worker)?;
    if made.file.text.is_none() {
        output::note("Without --text the timbre alone is taken; with it, manner and pace too.");
    }
    finished(&made, base.is_some());
    Ok(Exit::Done)
}

fn finished(voice: &UserVoice, heard: bool) {
    let UserVoice { name, file, .. } = voice;
    output::note(format_args!("{name}: {:.1} s of clip are kept.", file.seconds));
    output::note(if heard {
        format!(
            "`narratord voices preview {name}` lets you hear it; `narratord run BOOK --voice {name}` narrates with it."
        )
    } else {
        "It needs a base model to speak: `narratord models pull qwen3-tts-1.7b-base`.".into()
    });
}

fn design(args: &DesignArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let voice = NewVoice {
        name: &args.name,
        language: &args.language,
        text: args.text.clone(),
        replace: args.replace,
    };
    voices::check_free(&home, &voice)?;
    check_unlike_models(&home, &args.name)?;
    if args.text.is_none() && models::primary(&args.language) != "en" {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no text to design a voice with in `{}`", args.language),
        )
        .hint("give some 15 seconds of it: --text \"…\""));
    }
    if args.instruct.split_whitespace().count() < 2 {
        return Err(Failure::new(Exit::Usage, format!("`{}` does not describe a voice", args.instruct))
            .hint("such as --instruct \"A woman of fifty, low and warm, in no hurry\""));
    }
    let lacking = |what: &str, name: &str| {
        Failure::new(Exit::Missing, format!("{what} is installed"))
            .hint(format!("narratord models pull {name}"))
    };
    let designer = of_kind(&home, args.model.as_deref(), Kind::VoiceDesign)?
        .ok_or_else(|| lacking("no voice-design model", "qwen3-tts-1.7b-voice-design"))?;
    let base = of_kind(&home, args.base.as_deref(), Kind::Base)?
        .ok_or_else(|| lacking("no base model, which keeps the voice the same,", "qwen3-tts-1.7b-base"))?;
    let worker = home::worker_program(None)?;
    let made = voices::design(&home, &voice, (&designer, &args.instruct, args.seed), &base, &worker)?;
    finished(&made, true);
    Ok(Exit::Done)
}

fn preview(args: &PreviewArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let wanted = Wanted { model: args.model.as_deref(), voice: Some(&args.name), before: None };
    let model = models::choose(&home, wanted)?;
    let speaker = model.speaker(Some(&args.name))?;
    let worker = home::worker_program(None)?;
    let voice = voices::for_worker(&speaker, &model, &worker)?;
    let own = Some(&speaker.info.language).filter(|language| !models::is_open(language));
    let language = match (&args.language, &args.text) {
        (Some(language), _) => language.clone(),
        // The text of the house is English.
        (None, None) => "en".into(),
        (None, Some(_)) => own.cloned().unwrap_or_else(|| "und".into()),
    };
    let text = args.text.as_deref().unwrap_or(DESIGN_TEXT);
    let arguments: Vec<OsString> = vec![
        "synth".into(),
        "--model".into(),
        model.dir.clone().into(),
        format!("--voice={voice}").into(),
        format!("--text={text}").into(),
        format!("--language={language}").into(),
        "--out".into(),
        args.output.clone().into(),
    ];
    output::note(format_args!("{} speaks with {} ...", args.name, model.manifest.name));
    tool::worker(&worker, &arguments, "speaking")?;
    output::data(args.output.display());
    Ok(Exit::Done)
}

fn remove(args: &NameArgs) -> Result<Exit, Failure> {
    voices::remove(&Home::find(), &args.name)?;
    output::note(format_args!("The voice {} is removed.", args.name));
    Ok(Exit::Done)
}
