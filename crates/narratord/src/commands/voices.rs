//! `narratord voices` and `narratord models`: what is installed.

use narrator_engine::VoiceInfo;
use serde::Serialize;

use crate::cli::ListArgs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::home::Home;
use crate::models::{self, Found, Model};
use crate::output;

#[derive(Serialize)]
struct VoiceRow<'a> {
    model: &'a str,
    #[serde(flatten)]
    voice: &'a VoiceInfo,
}

pub fn voices(args: &ListArgs) -> Result<Exit, Failure> {
    let models: Vec<Model> =
        models::installed(&Home::find()).into_iter().filter_map(|found| found.model.ok()).collect();
    let rows: Vec<VoiceRow<'_>> = models
        .iter()
        .flat_map(|model| {
            model.manifest.voices.iter().map(|voice| VoiceRow { model: &model.manifest.name, voice })
        })
        .collect();
    if args.json {
        output::json(&rows);
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        return Err(Failure::new(Exit::Missing, "no voice is installed")
            .hint("run scripts/setup: it brings the starter voice"));
    }
    output::data(format_args!("{:<16} {:<8} {:<16} DESCRIPTION", "VOICE", "LANGUAGE", "MODEL"));
    for VoiceRow { model, voice } in rows {
        let VoiceInfo { name, language, description } = voice;
        output::data(format_args!("{name:<16} {language:<8} {model:<16} {description}"));
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct ModelRow {
    name: String,
    #[serde(flatten)]
    model: Option<Model>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub fn models(args: &ListArgs) -> Result<Exit, Failure> {
    let home = Home::find();
    let row = |Found { name, model }| {
        let (model, problem) = match model {
            Ok(model) => (Some(model), None),
            Err(failure) => (None, Some(failure.message)),
        };
        ModelRow { name, model, problem }
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
    output::data(format_args!("{:<20} {:<10} {:>11}  LICENCE", "MODEL", "ENGINE", "SIZE"));
    for row in rows {
        output::data(line(&row));
    }
    Ok(Exit::Done)
}

fn line(row: &ModelRow) -> String {
    let Some(model) = &row.model else {
        return format!("{:<20} {}", row.name, row.problem.as_deref().unwrap_or_default());
    };
    let manifest = &model.manifest;
    let megabytes = manifest.files.iter().map(|file| file.bytes).sum::<u64>() as f64 / 1e6;
    format!("{:<20} {:<10} {megabytes:>8.1} MB  {}", row.name, manifest.engine, manifest.license)
}
