//! Decisions about how much: frames for a text, rows for a memory. Pure.

use super::config::StackConfig;

/// Frames a second: 24,000 samples in frames of 1,920.
const FRAMES_PER_SECOND: f64 = 12.5;

/// A text gets this many frames for every token of it. Speech takes about three; a model that has missed its
/// end never finds it again, and every frame past the text is room tone. Twelve is what serving engines
/// settled on after smaller factors had cut slow speakers.
const FRAMES_PER_TOKEN: usize = 12;

/// And at least this many, 15 seconds: the shortest texts run longest for their size.
const LEAST_FRAMES: usize = 192;

/// Frames after which a row that has not ended is a runaway.
pub(crate) fn frame_budget(text_tokens: usize, max_seconds: f32, model_max: usize) -> usize {
    let by_text = (text_tokens * FRAMES_PER_TOKEN).max(LEAST_FRAMES);
    let by_caller = (f64::from(max_seconds) * FRAMES_PER_SECOND).ceil();
    let by_caller = if by_caller.is_finite() { by_caller as usize } else { usize::MAX };
    by_text.min(by_caller).min(model_max).max(1)
}

/// Bytes that one token of one row takes in the talker's cache.
pub(crate) fn cache_bytes_per_token(stack: &StackConfig, bytes_per_number: u64) -> u64 {
    2 * (stack.layers * stack.kv_heads * stack.head_dim) as u64 * bytes_per_number
}

/// The codec's state, the predictor's cache and activations of one row, measured at the published
/// dimensions: 40 MB and some room.
const OTHER_BYTES_PER_ROW: u64 = 64 << 20;

/// Tokens that a row of a book is expected to hold when it is longest: a full segment, its frames, and a
/// reference clip. A row's cache may grow to more than this; all rows at once hardly do.
const TOKENS_PER_ROW: u64 = 1024;

/// Rows that fit into `free` bytes beside the weights, at least one.
pub(crate) fn rows_for_memory(free: u64, bytes_per_token: u64, most: u32) -> u32 {
    /// The rest is for prompts being read, the codec's activations, and everybody else.
    const SHARE: f64 = 0.7;
    let per_row = TOKENS_PER_ROW * bytes_per_token + OTHER_BYTES_PER_ROW;
    let rows = (free as f64 * SHARE) as u64 / per_row.max(1);
    u32::try_from(rows).unwrap_or(u32::MAX).clamp(1, most)
}

/// Memory of this machine that could be had without swapping; none where the system does not tell.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_the_least_of_text_caller_and_model() {
        assert_eq!(frame_budget(1, 1e9, 8192), 192);
        assert_eq!(frame_budget(100, 1e9, 8192), 1200);
        assert_eq!(frame_budget(100, 10.0, 8192), 125);
        assert_eq!(frame_budget(100_000, 1e9, 8192), 8192);
        assert_eq!(frame_budget(100, f32::INFINITY, 8192), 1200);
        assert_eq!(frame_budget(100, 0.01, 8192), 1);
    }

    #[test]
    fn rows_follow_memory_and_are_never_none() {
        let per_token = 114_688;
        assert_eq!(rows_for_memory(0, per_token, 16), 1);
        assert_eq!(rows_for_memory(2 << 30, per_token, 16), 8);
        assert_eq!(rows_for_memory(1 << 40, per_token, 16), 16);
    }
}
