//! Frames and messages for values, bytes and cuts that nobody thought of.

use narrator_core::{Delivery, HeardWord, Hearing, Priors, ScoredWord, VoiceAbilities};
use narrator_proto::{
    Beat, Budget, DeviceMemory, Done, Failure, FailureKind, Fatal, FatalKind, Frame, FromWorker, Heard,
    Hello, Kind, Listen, ListenerReady, Load, LoadProgress, LoadStage, Message, MessageError, Nonce,
    Precision, ProtocolVersion, Ready, Refusal, RequestId, SetRows, Speak, SpeakAs, ToWorker, Voice, Welcome,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::checks;

fn request() -> impl Strategy<Value = RequestId> {
    (1..=u64::MAX).prop_map(RequestId)
}

fn memory() -> impl Strategy<Value = Option<DeviceMemory>> {
    option::of(any::<[u64; 3]>().prop_map(|[free_bytes, total_bytes, peak_bytes]| DeviceMemory {
        free_bytes,
        total_bytes,
        peak_bytes,
    }))
}

fn priors() -> impl Strategy<Value = Priors> {
    select(vec![Priors::None, Priors::Guessable, Priors::Unsure])
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    any::<[u16; 2]>().prop_map(|[major, minor]| ProtocolVersion { major, minor })
}

fn voice() -> impl Strategy<Value = Voice> {
    any::<[String; 3]>().prop_map(|[name, language, description]| Voice { name, language, description })
}

fn ready() -> impl Strategy<Value = Ready> {
    let words = any::<[String; 3]>();
    (words, any::<[u32; 2]>(), vec(voice(), 0..9), any::<(u64, Option<u64>)>(), memory()).prop_map(
        |(
            [engine, default_voice, device],
            [sample_rate, max_rows],
            voices,
            (load_ms, peak),
            device_memory,
        )| Ready {
            engine,
            sample_rate,
            max_rows,
            voices,
            default_voice,
            device,
            load_ms,
            peak_resident_bytes: peak,
            device_memory,
        },
    )
}

fn beat() -> impl Strategy<Value = Beat> {
    (any::<(u64, u32, u32, Option<u64>)>(), memory()).prop_map(
        |((steps, rows, queued, resident_bytes), device_memory)| Beat {
            steps,
            rows,
            queued,
            resident_bytes,
            device_memory,
        },
    )
}

fn hearing() -> impl Strategy<Value = Hearing> {
    let level = -50.0_f32..0.0;
    let word = (any::<String>(), any::<[u32; 2]>(), level.clone())
        .prop_map(|(text, [start_ms, end_ms], log_prob)| HeardWord { text, start_ms, end_ms, log_prob });
    let scored = (any::<[u32; 4]>(), level.clone(), level.clone(), any::<(u16, String, bool)>()).prop_map(
        |([from, to, start_ms, end_ms], log_prob, best_log_prob, (tokens, rather, prior))| ScoredWord {
            at: from..to,
            start_ms,
            end_ms,
            log_prob,
            best_log_prob,
            tokens,
            rather,
            prior: prior.then_some(-1.5),
        },
    );
    let measures = (level, 0.0_f32..1.0, 0.0_f32..9.0, 0.0_f32..1.0);
    (any::<(String, u32)>(), vec(word, 0..9), vec(scored, 0..9), measures).prop_map(
        |(
            (model, audio_ms),
            words,
            scored,
            (mean_log_prob, no_speech_prob, compression_ratio, temperature),
        )| {
            Hearing {
                model,
                words,
                mean_log_prob,
                no_speech_prob,
                compression_ratio,
                temperature,
                audio_ms,
                scored,
            }
        },
    )
}

fn listener_ready() -> impl Strategy<Value = ListenerReady> {
    (any::<[String; 3]>(), any::<(bool, u32, u64, Option<u64>)>(), memory()).prop_map(
        |([engine, model, device], (multilingual, max_rows, load_ms, peak), device_memory)| ListenerReady {
            engine,
            model,
            multilingual,
            max_rows,
            device,
            load_ms,
            peak_resident_bytes: peak,
            device_memory,
        },
    )
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let hello = (version(), any::<(String, u32, [u8; 16])>(), vec(any::<String>(), 0..5)).prop_map(
        |(protocol, (build, pid, nonce), engines)| {
            FromWorker::Hello(Hello { protocol, build, pid, nonce: Nonce::from_bytes(nonce), engines })
        },
    );
    let stages = select(&[LoadStage::Weights, LoadStage::WarmUp][..]);
    let failed = (request(), select(&FailureKind::ALL[..]), any::<(String, Option<u64>)>(), memory())
        .prop_map(|(request, kind, (message, wanted_bytes), device_memory)| FromWorker::Failed {
            request,
            failure: Failure { kind, message, wanted_bytes, device_memory },
        });
    prop_oneof![
        hello,
        (stages, any::<[u64; 2]>()).prop_map(|(stage, [done, total])| {
            FromWorker::LoadProgress(LoadProgress { stage, done, total })
        }),
        ready().prop_map(FromWorker::Ready),
        beat().prop_map(FromWorker::Beat),
        request().prop_map(|request| FromWorker::Accepted { request }),
        (request(), vec(-2.0_f32..2.0, 1..3000))
            .prop_map(|(request, samples)| FromWorker::Pcm { request, samples }),
        (request(), any::<[u64; 2]>()).prop_map(|(request, [samples, compute_ms])| FromWorker::Done {
            request,
            done: Done { samples, compute_ms },
        }),
        failed,
        (select(&FatalKind::ALL[..]), any::<String>())
            .prop_map(|(kind, message)| FromWorker::Fatal(Fatal { kind, message })),
        Just(FromWorker::Goodbye),
        any::<(bool, bool)>().prop_map(|(calm, timbre_alone)| {
            FromWorker::Abilities(VoiceAbilities { calm, timbre_alone })
        }),
        listener_ready().prop_map(FromWorker::ListenerReady),
        (request(), hearing(), any::<u64>()).prop_map(|(request, hearing, compute_ms)| FromWorker::Heard {
            request,
            heard: Heard { hearing, compute_ms },
        }),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        (version(), version()).prop_map(|(worker, ours)| Refusal::Protocol { worker, ours }),
        any::<[String; 2]>().prop_map(|[worker, ours]| Refusal::Build { worker, ours }),
        Just(Refusal::Nonce),
        any::<[u32; 2]>().prop_map(|[claimed, child]| Refusal::Pid { claimed, child }),
        any::<String>().prop_map(|why| Refusal::NotTheProtocol { why }),
    ]
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    let precisions = select(&[Precision::Auto, Precision::Float32, Precision::BFloat16][..]);
    let load = (any::<[String; 2]>(), precisions, any::<(Option<u16>, Option<u32>)>()).prop_map(
        |([model_dir, device], precision, (threads, max_rows))| {
            ToWorker::Load(Load { model_dir, device, precision, threads, max_rows })
        },
    );
    let numbers = (0.5_f32..2.0, any::<u64>(), 0.1_f32..600.0);
    let speak =
        (request(), any::<(String, String, Option<String>)>(), numbers, any::<Option<(bool, bool)>>())
            .prop_map(|(request, (text, language, voice), (speed, seed, max_seconds), delivery)| {
                let speak = Speak { text, language, voice, speed, seed, max_seconds };
                match delivery {
                    None => ToWorker::Speak { request, speak },
                    Some((calm, timbre_alone)) => {
                        let delivery = Delivery { calm, timbre_alone };
                        ToWorker::SpeakAs { request, speak_as: SpeakAs { speak, delivery } }
                    }
                }
            });
    let texts = any::<(Option<String>, Option<String>, String)>();
    let listen = (request(), any::<(u32, u64, bool, u16, u64)>(), priors(), texts).prop_map(
        |(
            request,
            (sample_rate, samples, transcribe, beams, seed),
            priors,
            (language, expected, context),
        )| {
            ToWorker::Listen {
                request,
                listen: Listen {
                    sample_rate,
                    samples,
                    language,
                    expected,
                    priors,
                    transcribe,
                    context,
                    beams,
                    seed,
                },
            }
        },
    );
    prop_oneof![
        (version(), any::<[u32; 2]>()).prop_map(|(protocol, [beat_ms, orphan_grace_ms])| {
            ToWorker::Welcome(Welcome { protocol, beat_ms, orphan_grace_ms })
        }),
        refusal().prop_map(ToWorker::Refuse),
        load,
        speak,
        request().prop_map(|request| ToWorker::Cancel { request }),
        Just(ToWorker::CancelAll),
        any::<u32>().prop_map(|rows| ToWorker::SetRows(SetRows { rows })),
        Just(ToWorker::Drain),
        any::<u64>().prop_map(|device_bytes| ToWorker::Budget(Budget { device_bytes })),
        listen,
        (request(), vec(-2.0_f32..2.0, 1..3000))
            .prop_map(|(request, samples)| ToWorker::ListenPcm { request, samples }),
    ]
}

proptest! {
    #[test]
    fn what_a_worker_says_is_heard(message in from_worker()) {
        let frame = message.to_frame().expect("a frame");
        prop_assert_eq!(FromWorker::from_frame(&frame).expect("read"), message);
        let refused = matches!(ToWorker::from_frame(&frame), Err(MessageError::Direction { .. }));
        prop_assert!(refused, "and only in its direction");
    }

    #[test]
    fn what_a_worker_is_told_is_heard(message in to_worker()) {
        let frame = message.to_frame().expect("a frame");
        prop_assert_eq!(ToWorker::from_frame(&frame).expect("read"), message);
        let refused = matches!(FromWorker::from_frame(&frame), Err(MessageError::Direction { .. }));
        prop_assert!(refused, "and only in its direction");
    }

    #[test]
    fn a_stream_of_messages_comes_through_any_cuts(
        messages in vec(from_worker(), 0..8),
        pieces in vec(1_usize..5000, 1..50),
    ) {
        let frames: Vec<_> = messages.iter().map(|message| message.to_frame().expect("a frame")).collect();
        let mut stream = Vec::new();
        for frame in &frames {
            frame.encode_into(&mut stream);
        }
        let mut pieces = pieces.into_iter().cycle();
        let read = checks::splits_do_not_matter(&stream, || pieces.next().unwrap_or(1));
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_bytes_are_read_or_refused(stream in vec(any::<u8>(), 0..2000), piece in 1_usize..99) {
        checks::splits_do_not_matter(&stream, || piece);
    }

    #[test]
    fn any_payload_is_read_or_refused(
        kind in select(Kind::ALL), request in any::<u64>(), payload in vec(any::<u8>(), 0..300),
    ) {
        checks::payload_is_read_or_refused(kind.byte(), request, &payload);
        checks::payload_is_read_or_refused(kind.byte(), 0, &payload);
    }

    #[test]
    fn a_byte_too_many_or_too_few_is_refused(message in from_worker()) {
        let frame = message.to_frame().expect("a frame");
        if frame.kind() == Kind::Pcm {
            return Ok(());
        }
        let mut longer = frame.payload().to_vec();
        longer.push(0);
        let longer = Frame::new(frame.kind(), frame.request().0, longer).expect("a frame");
        let refused = matches!(FromWorker::from_frame(&longer), Err(MessageError::Trailing { extra: 1, .. }));
        prop_assert!(refused);
        if let Some((_, shorter)) = frame.payload().split_last() {
            let shorter = Frame::new(frame.kind(), frame.request().0, shorter.to_vec()).expect("a frame");
            let refused = matches!(FromWorker::from_frame(&shorter), Err(MessageError::Payload { .. }));
            prop_assert!(refused);
        }
    }
}

#[test]
fn a_length_inside_a_payload_cannot_ask_for_memory() {
    // A text whose announced length is 2^63 bytes, in the codec's own form.
    let mut payload = vec![0xfd];
    payload.extend_from_slice(&(1_u64 << 63).to_le_bytes());
    let frame = Frame::new(Kind::Speak, 1, payload).expect("a frame");
    assert!(matches!(ToWorker::from_frame(&frame), Err(MessageError::Payload { kind: Kind::Speak, .. })));
}
