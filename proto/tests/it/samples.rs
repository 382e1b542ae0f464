//! One message of each shape, by the name of its golden file.

use narrator_core::{Delivery, HeardWord, Hearing, Priors, ScoredWord, VoiceAbilities};
use narrator_proto::{
    Beat, Budget, DeviceMemory, Done, Failure, FailureKind, Fatal, FatalKind, Frame, FromWorker, Heard,
    Hello, Listen, ListenerReady, Load, LoadProgress, LoadStage, Message, Nonce, Precision, ProtocolVersion,
    Ready, Refusal, RequestId, SetRows, Speak, SpeakAs, ToWorker, Voice, Welcome,
};

const REQUEST: RequestId = RequestId(0x0102_0304_0506_0708);
const MEMORY: DeviceMemory =
    DeviceMemory { free_bytes: 1 << 30, total_bytes: 80 << 30, peak_bytes: 3_500_000_000 };

/// Every kind, every variant of every enum, optional parts present and absent.
pub fn all() -> Vec<(String, Frame)> {
    let mut all = Vec::new();
    for (name, message) in from_worker() {
        all.push((name, message.to_frame().expect("a frame")));
    }
    for (name, message) in to_worker() {
        all.push((name, message.to_frame().expect("a frame")));
    }
    all
}

fn from_worker() -> Vec<(String, FromWorker)> {
    let hello = Hello {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        build: "0.1.0-0123456789abcdef".into(),
        pid: 4_194_303,
        nonce: Nonce::from_bytes(*b"0123456789abcdef"),
        engines: vec!["starter".into(), "qwen3-tts".into()],
    };
    let voice = |name: &str, description: &str| Voice {
        name: name.into(),
        language: "en".into(),
        description: description.into(),
    };
    let ready = Ready {
        engine: "starter".into(),
        sample_rate: 24_000,
        max_rows: 64,
        voices: vec![voice("hibari", "a calm voice"), voice("märz", "")],
        default_voice: "hibari".into(),
        device: "cuda:0".into(),
        load_ms: 1234,
        peak_resident_bytes: Some(600_000_000),
        device_memory: Some(MEMORY),
    };
    let beat = Beat {
        steps: 1_000_000,
        rows: 64,
        queued: 65,
        resident_bytes: Some(500_000_000),
        device_memory: Some(MEMORY),
    };
    let mut messages = vec![
        ("hello".into(), FromWorker::Hello(hello)),
        ("ready".into(), FromWorker::Ready(ready.clone())),
        (
            "ready-cpu".into(),
            FromWorker::Ready(Ready {
                device: "cpu".into(),
                voices: vec![],
                peak_resident_bytes: None,
                device_memory: None,
                ..ready
            }),
        ),
        ("beat".into(), FromWorker::Beat(beat)),
        ("beat-first".into(), FromWorker::Beat(Beat::default())),
        ("accepted".into(), FromWorker::Accepted { request: REQUEST }),
        ("pcm".into(), FromWorker::Pcm { request: REQUEST, samples: vec![0.0, 0.5, -1.0, 1e-7] }),
        (
            "done".into(),
            FromWorker::Done { request: REQUEST, done: Done { samples: 240_000, compute_ms: 812 } },
        ),
        ("goodbye".into(), FromWorker::Goodbye),
        ("abilities".into(), FromWorker::Abilities(VoiceAbilities { calm: true, timbre_alone: false })),
    ];
    messages.extend(from_listener());
    for stage in [LoadStage::Weights, LoadStage::WarmUp] {
        let progress = LoadProgress { stage, done: 300, total: 70_000 };
        messages.push((format!("load-progress-{stage:?}"), FromWorker::LoadProgress(progress)));
    }
    for kind in FailureKind::ALL {
        let memory = (kind == FailureKind::OutOfMemory).then_some(MEMORY);
        let failure = Failure {
            kind,
            message: format!("{kind:?}: why"),
            wanted_bytes: memory.map(|_| 2 << 30),
            device_memory: memory,
        };
        messages.push((format!("failed-{kind:?}"), FromWorker::Failed { request: REQUEST, failure }));
    }
    for kind in FatalKind::ALL {
        let fatal = Fatal { kind, message: format!("{kind:?}: why") };
        messages.push((format!("fatal-{kind:?}"), FromWorker::Fatal(fatal)));
    }
    messages
}

fn from_listener() -> Vec<(String, FromWorker)> {
    let ready = ListenerReady {
        engine: "whisper".into(),
        model: "whisper-tiny.en".into(),
        multilingual: false,
        max_rows: 16,
        device: "cuda:0".into(),
        load_ms: 321,
        peak_resident_bytes: Some(300_000_000),
        device_memory: Some(MEMORY),
    };
    let word =
        |text: &str, start_ms, end_ms| HeardWord { text: text.into(), start_ms, end_ms, log_prob: -0.25 };
    let scored = ScoredWord {
        at: 0..4,
        start_ms: 40,
        end_ms: 300,
        log_prob: -0.5,
        best_log_prob: -0.25,
        tokens: 2,
        rather: "Cull".into(),
        prior: Some(-4.5),
    };
    let hearing = Hearing {
        model: "whisper-tiny.en".into(),
        words: vec![word("Call", 40, 300), word("me", 300, 420), word("Ishmaël.", 420, 900)],
        mean_log_prob: -0.125,
        no_speech_prob: 0.25,
        compression_ratio: 1.25,
        temperature: 0.0,
        audio_ms: 1_000,
        scored: vec![scored],
    };
    let heard =
        |hearing, compute_ms| FromWorker::Heard { request: REQUEST, heard: Heard { hearing, compute_ms } };
    vec![
        ("listener-ready".into(), FromWorker::ListenerReady(ready.clone())),
        (
            "listener-ready-cpu".into(),
            FromWorker::ListenerReady(ListenerReady {
                model: "whisper-base".into(),
                multilingual: true,
                device: "cpu".into(),
                peak_resident_bytes: None,
                device_memory: None,
                ..ready
            }),
        ),
        ("heard".into(), heard(hearing, 25)),
        ("heard-nothing".into(), heard(Hearing::default(), 0)),
    ]
}

fn to_worker() -> Vec<(String, ToWorker)> {
    let ours = ProtocolVersion { major: 1, minor: 0 };
    let refusals = [
        ("protocol", Refusal::Protocol { worker: ProtocolVersion { major: 9, minor: 3 }, ours }),
        ("build", Refusal::Build { worker: "0.1.0-aaaa".into(), ours: "0.1.0-bbbb".into() }),
        ("nonce", Refusal::Nonce),
        ("pid", Refusal::Pid { claimed: 1, child: 4_194_303 }),
        ("not-the-protocol", Refusal::NotTheProtocol { why: "its first word was Beat".into() }),
    ];
    let load = Load {
        model_dir: "/models/qwen3-tts".into(),
        device: "cuda:1".into(),
        precision: Precision::Auto,
        threads: Some(4),
        max_rows: Some(16),
    };
    let speak = Speak {
        text: "“Call me Ishmael,” he said — once.".into(),
        language: "en".into(),
        voice: Some("hibari".into()),
        speed: 1.25,
        seed: u64::MAX,
        max_seconds: 42.5,
    };
    let listen = Listen {
        sample_rate: 24_000,
        samples: 240_000,
        language: Some("en".into()),
        expected: Some("“Call me Ishmael,” he said — once.".into()),
        priors: Priors::Guessable,
        transcribe: true,
        context: "Ishmael, Queequeg".into(),
        beams: 5,
        seed: u64::MAX,
    };
    let mut messages = vec![
        (
            "welcome".into(),
            ToWorker::Welcome(Welcome { protocol: ours, beat_ms: 1000, orphan_grace_ms: 5000 }),
        ),
        (
            "load-least".into(),
            ToWorker::Load(Load { device: "cpu".into(), threads: None, max_rows: None, ..load.clone() }),
        ),
        ("speak".into(), ToWorker::Speak { request: REQUEST, speak: speak.clone() }),
        (
            "speak-default-voice".into(),
            ToWorker::Speak { request: RequestId(1), speak: Speak { voice: None, ..speak.clone() } },
        ),
        (
            "speak-as".into(),
            ToWorker::SpeakAs {
                request: REQUEST,
                speak_as: SpeakAs { speak, delivery: Delivery { calm: true, timbre_alone: false } },
            },
        ),
        ("cancel".into(), ToWorker::Cancel { request: REQUEST }),
        ("cancel-all".into(), ToWorker::CancelAll),
        ("set-rows".into(), ToWorker::SetRows(SetRows { rows: 8 })),
        ("drain".into(), ToWorker::Drain),
        ("budget".into(), ToWorker::Budget(Budget { device_bytes: 9 << 30 })),
        ("listen".into(), ToWorker::Listen { request: REQUEST, listen: listen.clone() }),
        (
            "listen-least".into(),
            ToWorker::Listen {
                request: RequestId(1),
                listen: Listen { language: None, expected: None, context: String::new(), ..listen },
            },
        ),
        ("listen-pcm".into(), ToWorker::ListenPcm { request: REQUEST, samples: vec![0.0, 0.5, -1.0, 1e-7] }),
    ];
    for (name, refusal) in refusals {
        messages.push((format!("refuse-{name}"), ToWorker::Refuse(refusal)));
    }
    for precision in [Precision::Auto, Precision::Float32, Precision::BFloat16] {
        messages.push((format!("load-{precision:?}"), ToWorker::Load(Load { precision, ..load.clone() })));
    }
    messages
}
