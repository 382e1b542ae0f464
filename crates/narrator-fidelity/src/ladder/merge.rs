//! A text that is too short to be spoken alone, spoken with its neighbour: where in the take it is.

use std::ops::Range;

/// How far the sound of a part may be from its share of the letters, either way. A short text is read slower
/// than a long one, and the sound of a single word has no pause to be counted out.
const MOST_OFF: f32 = 3.0;

/// The part of a take that is the segment's own, in milliseconds: from the middle of the silence between the
/// two texts to the take's end, or from its beginning. `share` is the segment's part of the letters, `behind`
/// whether it comes second. Of several silences it is the one that gives the segment its share of the sound;
/// none when none comes near it. That it is the right one is for whoever hears the part to say.
pub fn own_part(
    voice: &Range<u32>,
    silences: &[Range<u32>],
    audio_ms: u32,
    share: f32,
    behind: bool,
) -> Option<Range<u32>> {
    let all = voice.end.saturating_sub(voice.start) as f32;
    let wanted = all * share;
    if wanted <= 0.0 {
        return None;
    }
    let off = |silence: &Range<u32>| {
        let own = if behind {
            voice.end.saturating_sub(silence.end)
        } else {
            silence.start.saturating_sub(voice.start)
        };
        ((own.max(1) as f32) / wanted).ln().abs()
    };
    let best = silences.iter().min_by(|a, b| off(a).total_cmp(&off(b)))?;
    if off(best) > MOST_OFF.ln() {
        return None;
    }
    let middle = u32::midpoint(best.start, best.end);
    Some(if behind { middle..audio_ms } else { 0..middle })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOICE: Range<u32> = 100..4_100;

    #[test]
    fn the_silence_that_gives_a_text_its_share_is_where_it_begins() {
        let silences = [900..1_100, 2_000..2_400, 3_500..3_700];
        assert_eq!(own_part(&VOICE, &silences, 4_200, 0.1, true), Some(3_600..4_200));
        assert_eq!(own_part(&VOICE, &silences, 4_200, 0.45, true), Some(2_200..4_200));
        assert_eq!(own_part(&VOICE, &silences, 4_200, 0.2, false), Some(0..1_000));
    }

    #[test]
    fn without_a_silence_near_it_there_is_no_part() {
        assert_eq!(own_part(&VOICE, &[], 4_200, 0.1, true), None);
        let far = [500..700, 800..1_000];
        assert_eq!(own_part(&VOICE, &far, 4_200, 0.05, true), None);
        assert_eq!(own_part(&(0..0), &far, 0, 0.5, true), None);
    }
}
