//! The published checkpoints, by the names they have here.

/// A checkpoint that can be pulled by name.
#[derive(Debug)]
pub struct Published {
    pub name: &'static str,
    pub repository: &'static str,
    /// Whose voices it has.
    pub about: &'static str,
    /// About this much is fetched.
    pub gigabytes: f64,
}

/// The Qwen3-TTS 12 Hz family.
pub const PUBLISHED: [Published; 5] = [
    Published {
        name: "qwen3-tts-1.7b-custom-voice",
        repository: "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice",
        about: "nine voices by name, told how to speak",
        gigabytes: 4.5,
    },
    Published {
        name: "qwen3-tts-1.7b-base",
        repository: "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
        about: "clones a voice from a clip",
        gigabytes: 4.5,
    },
    Published {
        name: "qwen3-tts-1.7b-voice-design",
        repository: "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign",
        about: "makes a voice from a description",
        gigabytes: 4.5,
    },
    Published {
        name: "qwen3-tts-0.6b-custom-voice",
        repository: "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
        about: "nine voices by name, smaller and quicker",
        gigabytes: 2.5,
    },
    Published {
        name: "qwen3-tts-0.6b-base",
        repository: "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
        about: "clones a voice from a clip, smaller and quicker",
        gigabytes: 2.5,
    },
];

/// The repository that `asked` means, and the name its model gets: a published name, or `OWNER/REPOSITORY`.
pub fn repository(asked: &str) -> Option<(String, String)> {
    if let Some(found) = PUBLISHED.iter().find(|published| published.name == asked) {
        return Some((found.repository.into(), found.name.into()));
    }
    let (owner, name) = asked.split_once('/')?;
    let fine = |part: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && part.chars().all(inside) && !part.starts_with('.')
    };
    if !fine(owner) || !fine(name) {
        return None;
    }
    let known = PUBLISHED.iter().find(|published| published.repository.eq_ignore_ascii_case(asked));
    Some((asked.into(), known.map_or_else(|| name.to_lowercase(), |known| known.name.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_repository_is_understood() {
        let of = |asked| repository(asked);
        let base = ("Qwen/Qwen3-TTS-12Hz-1.7B-Base".to_string(), "qwen3-tts-1.7b-base".to_string());
        assert_eq!(of("qwen3-tts-1.7b-base"), Some(base.clone()));
        assert_eq!(of("Qwen/Qwen3-TTS-12Hz-1.7B-Base"), Some(base));
        assert_eq!(of("me/My-Voice"), Some(("me/My-Voice".into(), "my-voice".into())));
        for wrong in ["qwen", "a/b/c", "/x", "x/", "../x", "a/..", "a b/c"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
