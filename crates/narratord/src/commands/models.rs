//! `narratord models`: what is installed; fetching, importing and removing.

use serde::Serialize;

use crate::cli::{ImportArgs, ListArgs, ModelsArgs, ModelsCommand, NameArgs, PullArgs};
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::hub::{self, PUBLISHED};
use crate::models::{self, Found, Kind, Model};
use crate::{config, output};

pub fn models(args: &ModelsArgs) -> Result<Exit, Failure> {
    match &args.command {
        None => list(&args.list),
        Some(ModelsCommand::Pull(args)) => pull(args),
        Some(ModelsCommand::Import(args)) => import(args),
        Some(ModelsCommand::Remove(args)) => remove(args),
    }
}

#[derive(Serialize)]
struct ModelRow {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(flatten)]
    model: Option<Model>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl ModelRow {
    fn of(name: String, model: Model) -> Self {
        Self { name, kind: model.kind(), bytes: Some(model.bytes()), model: Some(model), problem: None }
    }
}

fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let row = |Found { name, model }| match model {
        Ok(model) => ModelRow::of(name, model),
        Err(failure) => {
            ModelRow { name, kind: None, bytes: None, model: None, problem: Some(failure.message) }
        }
    };
    let rows: Vec<ModelRow> = models::installed(&home).into_iter().map(row).collect();
    if args.json {
        output::json(&rows);
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        let folder = home.models();
        return Err(Failure::new(Exit::Missing, format!("no model is installed in {}", folder.display()))
            .hint("run scripts/setup: it brings the starter voice and two sizes of Whisper"));
    }
    output::data(format_args!("{:<28} {:<10} {:>11}  {:<12} FOR", "MODEL", "ENGINE", "SIZE", "LICENCE"));
    for row in &rows {
        output::data(line(row));
    }
    if !rows.iter().any(|row| row.kind.is_some()) {
        output::note("\nTo be had: `narratord models pull NAME`");
        for published in &PUBLISHED {
            let hub::Published { name, gigabytes, about, .. } = published;
            output::note(format_args!("  {name:<28} {gigabytes:>3.1} GB  {about}"));
        }
    }
    Ok(Exit::Done)
}

fn line(row: &ModelRow) -> String {
    let Some(model) = &row.model else {
        return format!("{:<28} {}", row.name, row.problem.as_deref().unwrap_or_default());
    };
    let manifest = &model.manifest;
    let megabytes = model.bytes() as f64 / 1e6;
    let purpose = match row.kind {
        Some(Kind::CustomVoice) => "speaking, with voices of its own",
        Some(Kind::Base) => "speaking, with cloned voices",
        Some(Kind::VoiceDesign) => "designing voices",
        None if model.speaks() => "speaking",
        None => "listening",
    };
    format!(
        "{:<28} {:<10} {megabytes:>8.1} MB  {:<12} {purpose}",
        row.name, manifest.engine, manifest.license
    )
}

fn pull(args: &PullArgs) -> Result<Exit, Failure> {
    let settings = match &args.config {
        Some(path) => config::from_file(path)?,
        None => narrator_core::Settings::default(),
    };
    if let Some(name) = &args.name {
        models::check_model_name(name)?;
    }
    let access = hub::Access::find(args.endpoint.as_deref(), &settings.hub)?;
    let model = hub::pull(&Home::find(), &access, &args.model, args.name.as_deref(), &args.revision)?;
    Ok(finished(model, args.json))
}

fn import(args: &ImportArgs) -> Result<Exit, Failure> {
    let model = models::import(&Home::find(), &args.folder, args.name.as_deref(), args.copy)?;
    Ok(finished(model, args.json))
}

/// What is there now, and how to speak with it.
fn finished(model: Model, json: bool) -> Exit {
    let name = model.handle();
    let speaks = model.speaks();
    let kind = model.kind();
    let row = ModelRow::of(name.clone(), model);
    if json {
        output::json(&row);
        return Exit::Done;
    }
    output::data(line(&row));
    match kind {
        Some(Kind::Base) if !speaks => output::note(
            "It clones: `narratord voices add NAME --clip CLIP.wav --text \"what it says\"`, then run with --voice NAME.",
        ),
        Some(Kind::VoiceDesign) => {
            output::note("Make a voice with it: `narratord voices design NAME --instruct \"…\"`.");
        }
        _ => output::note(format_args!("`narratord run BOOK --model {name}` speaks with it.")),
    }
    Exit::Done
}

fn remove(args: &NameArgs) -> Result<Exit, Failure> {
    models::check_model_name(&args.name)?;
    let home = Home::find();
    let place = home.models().join(&args.name);
    if !place.is_dir() {
        return Err(Failure::new(Exit::Missing, format!("there is no model called `{}`", args.name))
            .hint("`narratord models` lists them"));
    }
    // Out of sight first, so that half a model is never taken for one.
    let going = home.models().join(format!(".old-{}", args.name));
    let failed = |error| Failure::io("remove", &place, error);
    std::fs::rename(&place, &going).map_err(failed)?;
    std::fs::remove_dir_all(&going).map_err(failed)?;
    output::note(format_args!("{} is removed.", args.name));
    Ok(Exit::Done)
}
