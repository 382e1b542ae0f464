//! The effective settings: defaults, then the settings file, then the command line.

use std::path::Path;

use narrator_core::Settings;
use narrator_core::settings::CheckMode;

use crate::cli::{BookArgs, CheckArg, RunArgs};
use crate::error::Failure;
use crate::exit::Exit;

/// Reads a settings file; an unknown key or a wrong type is refused with its line.
pub fn from_file(path: &Path) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, error))?;
    toml::from_str(&text).map_err(|error| {
        Failure::new(
            Exit::BadSettings,
            format!("{} is not a settings file: {}", path.display(), error.to_string().trim_end()),
        )
        .hint("config/narratord.toml has every setting with its default and what it does")
    })
}

/// Settings for planning: what the text and the voice depend on.
pub fn for_book(args: &BookArgs) -> Result<Settings, Failure> {
    let mut settings = match &args.config {
        Some(path) => from_file(path)?,
        None => Settings::default(),
    };
    let speech = &mut settings.speech;
    if args.model.is_some() {
        speech.model.clone_from(&args.model);
    }
    if args.voice.is_some() {
        speech.voice.clone_from(&args.voice);
    }
    speech.speed = args.speed.unwrap_or(speech.speed);
    speech.seed = args.seed.unwrap_or(speech.seed);
    check(&settings)?;
    Ok(settings)
}

/// Settings for a run.
pub fn for_run(args: &RunArgs) -> Result<Settings, Failure> {
    let mut settings = for_book(&args.book)?;
    if !args.device.is_empty() {
        settings.workers.devices.clone_from(&args.device);
    }
    if args.workers.is_some() {
        settings.workers.count = args.workers;
    }
    if let Some(mode) = args.check {
        settings.check.mode = Some(match mode {
            CheckArg::Off => CheckMode::Off,
            CheckArg::Fast => CheckMode::Fast,
            CheckArg::Strict => CheckMode::Strict,
        });
    }
    check(&settings)?;
    Ok(settings)
}

/// Refuses what cannot work, naming the setting.
fn check(settings: &Settings) -> Result<(), Failure> {
    let wrong = |what: String| Err(Failure::new(Exit::BadSettings, what));
    let speed = settings.speech.speed;
    if !(0.5..=2.0).contains(&speed) {
        return wrong(format!("speech.speed is {speed}; it must be from 0.5 to 2"));
    }
    let script = &settings.script;
    if script.max_chars < 80 || script.max_chars > 2000 {
        return wrong(format!("script.max_chars is {}; it must be from 80 to 2000", script.max_chars));
    }
    if script.min_chars > script.max_chars {
        return wrong(format!(
            "script.min_chars ({}) is more than script.max_chars ({})",
            script.min_chars, script.max_chars
        ));
    }
    if settings.workers.count == Some(0) {
        return wrong("workers.count is 0; at least one worker must speak".into());
    }
    if settings.workers.devices.is_empty() {
        return wrong("workers.devices is empty; name at least one device, such as \"cpu\"".into());
    }
    if settings.check.workers == Some(0) {
        return wrong("check.workers is 0; at least one process must listen, or the mode be off".into());
    }
    let listening = settings.check.devices.iter().flatten();
    if settings.check.devices.as_ref().is_some_and(Vec::is_empty) {
        return wrong("check.devices is empty; name at least one device, such as \"cpu\"".into());
    }
    for device in settings.workers.devices.iter().chain(listening) {
        let cuda = device.strip_prefix("cuda:").is_some_and(|n| n.parse::<u8>().is_ok());
        if device != "cpu" && device != "cuda" && !cuda {
            return wrong(format!("there is no device called `{device}`: use cpu, cuda:0, cuda:1 and so on"));
        }
    }
    narrator_audio::check_settings(&settings.audio)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_settings_file_holds_exactly_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/narratord.toml");
        assert_eq!(from_file(&path).expect("the shipped file is valid"), Settings::default());
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let mut settings = Settings::default();
        settings.workers.devices = vec!["gpu0".into()];
        let failure = check(&settings).expect_err("no such device");
        assert_eq!(failure.exit, Exit::BadSettings);
        assert!(failure.message.contains("gpu0"));

        let mut settings = Settings::default();
        settings.script.min_chars = 500;
        assert!(check(&settings).expect_err("min over max").message.contains("script.min_chars"));
    }
}
