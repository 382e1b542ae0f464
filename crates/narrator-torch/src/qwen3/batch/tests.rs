//! Both ways to make frames, and how rows are read in.

use super::*;
use crate::qwen3::forge::ForgeSize;
use crate::qwen3::model::Manner;

fn model(joined: bool) -> Qwen3Tts {
    tch::set_num_threads(1);
    let manner = Manner { joined, positions: 160, ..Manner::default() };
    Qwen3Tts::forge(ForgeSize::Tiny, 7, manner).expect("a model")
}

/// Every other row of a conversation.
fn is_calm(key: usize) -> bool {
    key % 2 == 1
}

/// Rows that join and leave in the middle: everything that each of them said.
fn conversation(model: &Qwen3Tts, prompts: &[Prompt], config: GenerationConfig, way: Way) -> Vec<Vec<Said>> {
    let _no_grad = tch::no_grad_guard();
    let mut batch = Batch::new(model, 6, config, way).expect("a batch");
    let mut heard: Vec<Vec<Said>> = vec![Vec::new(); prompts.len()];
    let join = |batch: &mut Batch<usize>, rows: &[usize]| {
        let joining: Vec<_> = rows
            .iter()
            .map(|&key| Joining { key, prompt: &prompts[key], seed: key as u64, calm: is_calm(key) })
            .collect();
        batch.join_together(model, &joining).expect("joined");
    };
    join(&mut batch, &[0, 1, 2]);
    for step in 0..16 {
        match step {
            4 => assert!(batch.leave(1).expect("left")),
            6 => join(&mut batch, &[3, 4, 5]),
            11 => assert!(batch.leave(0).expect("left")),
            _ => {}
        }
        for (key, said) in batch.advance(model).expect("a frame") {
            heard[key].push(said);
        }
    }
    heard
}

/// A prompt of numbers that are the same at every run.
fn prompt(model: &Qwen3Tts, length: i64) -> Prompt {
    let width = model.config.talker.stack.hidden;
    let mut state = length as u64;
    let mut noise = |rows: i64| {
        let values: Vec<f32> = (0..rows * width)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect();
        Tensor::from_slice(&values).view([rows, width])
    };
    Prompt { text_ids: Vec::new(), content: length as usize, embeds: noise(length), pad: noise(1) }
}

fn prompts(model: &Qwen3Tts) -> Vec<Prompt> {
    [17, 40, 9, 33, 34, 12].iter().map(|&length| prompt(model, length)).collect()
}

/// What a recording would replay, done plainly on the CPU, says the same as the host's choices.
#[test]
fn a_fixed_frame_is_the_frame_that_the_host_chooses() {
    let model = model(false);
    let joined = self::model(true);
    let prompts = prompts(&model);
    let sampled = GenerationConfig::default();
    for config in [sampled, sampled.greedy()] {
        let chosen = conversation(&model, &prompts, config, Way::Chosen);
        assert!(chosen.iter().all(|said| said.len() >= 4), "{chosen:?}");
        for (model, ahead) in [(&model, false), (&model, true), (&joined, true)] {
            let way = Way::Fixed { session: None, ahead };
            let fixed = conversation(model, &prompts, config, way);
            for (row, (chosen, fixed)) in chosen.iter().zip(&fixed).enumerate() {
                let common = chosen.len().min(fixed.len());
                assert!(
                    common + usize::from(ahead) >= chosen.len(),
                    "row {row} is late by more than one frame"
                );
                assert_eq!(chosen[..common], fixed[..common], "row {row}, ahead {ahead}");
            }
        }
    }
}

#[test]
fn a_row_says_the_same_alone_in_fixed_frames() {
    let model = model(true);
    let prompts = prompts(&model);
    let config = GenerationConfig::default();
    let together = conversation(&model, &prompts, config, Way::Fixed { session: None, ahead: false });
    let _no_grad = tch::no_grad_guard();
    for key in [0, 3] {
        let way = Way::Fixed { session: None, ahead: false };
        let mut batch = Batch::new(&model, 1, config, way).expect("a batch");
        let row = Joining { key, prompt: &prompts[key], seed: key as u64, calm: is_calm(key) };
        batch.join_together(&model, &[row]).expect("joined");
        for said in &together[key] {
            assert_eq!(batch.advance(&model).expect("a frame"), [(key, said.clone())]);
        }
    }
}

#[test]
fn a_calm_row_says_something_else_with_the_same_draws() {
    let (model, config) = (model(true), GenerationConfig::default());
    let prompt = prompt(&model, 21);
    let _no_grad = tch::no_grad_guard();
    let says = |calm| {
        let way = Way::Fixed { session: None, ahead: false };
        let mut batch = Batch::new(&model, 1, config, way).expect("a batch");
        let row = Joining { key: 0, prompt: &prompt, seed: 5, calm };
        batch.join_together(&model, &[row]).expect("joined");
        (0..8).flat_map(|_| batch.advance(&model).expect("a frame")).collect::<Vec<_>>()
    };
    assert_eq!(says(true), says(true));
    assert_ne!(says(true), says(false));
}

/// A NaN that one row leaves in the caches must not reach the row that comes into its place.
#[test]
fn a_row_that_breaks_takes_nobody_with_it() {
    let model = model(false);
    let prompts = prompts(&model);
    let _no_grad = tch::no_grad_guard();
    for fixed in [false, true] {
        let way = || if fixed { Way::Fixed { session: None, ahead: true } } else { Way::Chosen };
        let config = GenerationConfig::default();
        let mut batch = Batch::new(&model, 2, config, way()).expect("a batch");
        let broken = prompt(&model, 60);
        let _ = broken.embeds.get(3).fill_(f64::NAN);
        // The longest row makes the others read as far as itself, and so what was left in their places.
        batch.join(&model, 1, &prompts[1], 1).expect("joined");
        batch.join(&model, 9, &broken, 9).expect("joined");
        let mut said = Vec::new();
        for step in 0..10 {
            if step == 3 {
                assert!(batch.rows.iter().all(|row| row.key == 1), "the broken row is gone");
                batch.join(&model, 2, &prompts[2], 2).expect("joined");
            }
            said.extend(batch.advance(&model).expect("a frame"));
        }
        let broken: Vec<usize> =
            said.iter().filter(|(_, said)| *said == Said::Broken).map(|(key, _)| *key).collect();
        assert_eq!(broken, [9], "fixed {fixed}");
        assert!(said.iter().filter(|(key, _)| *key == 2).count() >= 6);
    }
}

/// A step that runs out of memory has changed nothing: the next says what it would have said.
#[test]
fn draws_are_taken_back_when_a_frame_fails() {
    let model = model(false);
    let prompts = prompts(&model);
    let _no_grad = tch::no_grad_guard();
    let config = GenerationConfig::default();
    let way = Way::Fixed { session: None, ahead: false };
    let mut batch = Batch::new(&model, 1, config, way).expect("a batch");
    batch.join(&model, 0, &prompts[0], 5).expect("joined");
    let before = batch.rows[0].chooser.clone();
    let mut draws = (Vec::new(), Vec::new());
    let whole = std::mem::replace(&mut batch.frame_cache, {
        let stack = &model.config.talker.predictor;
        Cache::new(stack, 0, 1, Kind::Float, tch::Device::Cpu).expect("a cache without room")
    });
    assert!(batch.advance(&model).is_err());
    assert_eq!(batch.rows[0].length, 17);
    batch.rows[0].chooser.clone().draw_frame(15, &mut draws.0);
    before.clone().draw_frame(15, &mut draws.1);
    assert_eq!(draws.0, draws.1);
    batch.frame_cache = whole;
    assert!(matches!(batch.advance(&model).expect("a frame")[..], [(0, Said::Frame(_))]));
}

#[test]
fn prompts_of_like_length_are_read_together() {
    assert_eq!(groups(&[], 1000), Vec::<Vec<usize>>::new());
    assert_eq!(groups(&[10, 100, 11, 95, 12], 1000), [vec![1, 3], vec![4, 2, 0]]);
    assert_eq!(groups(&[100, 100, 100], 250), [vec![0, 1], vec![2]]);
    assert_eq!(groups(&[900, 900], 250), [vec![0], vec![1]], "one alone may be longer");
    let lengths: Vec<i64> = (1..60).collect();
    for group in groups(&lengths, 400) {
        let longest = group.iter().map(|&index| lengths[index]).max().expect("one");
        let own: i64 = group.iter().map(|&index| lengths[index]).sum();
        let all = longest * group.len() as i64;
        assert!(all <= 400 && (all - own) * 5 <= all, "{group:?}");
    }
}
