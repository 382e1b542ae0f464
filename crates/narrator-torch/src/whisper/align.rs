//! Which frames a token was heard in: dynamic time warping over the attention of the alignment heads.
//!
//! As the model's publisher defines it: every frame's weights are brought to mean 0 and deviation 1 over all
//! tokens, smoothed by a median over seven frames, averaged over the heads, and the cheapest monotonous path
//! is taken. The row that counts for a token is the one that predicts it, that of the token before.

/// Frames of the median filter.
const MEDIAN: usize = 7;
/// Frames before and behind the one that it is of.
const HALF: usize = MEDIAN / 2;
/// Medians that are found together.
const LANES: usize = 16;

/// The attention of one row: of every token, `heads` rows of `width`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) heads: usize,
    pub(crate) tokens: usize,
    pub(crate) width: usize,
    /// Of the width, frames that have audio.
    pub(crate) frames: usize,
}

/// The frame where each of the tokens `from..tokens` begins on the path.
pub(crate) fn first_frames(attention: Attention, from: usize) -> Vec<usize> {
    let frames = attention.frames.min(attention.width);
    if from >= attention.tokens || frames == 0 {
        return vec![0; attention.tokens.saturating_sub(from)];
    }
    let matrix = averaged(attention, frames);
    warp(&matrix[from * frames..], frames)
}

/// `tokens` × `frames`, higher where a token was heard.
fn averaged(attention: Attention, frames: usize) -> Vec<f32> {
    let Attention { weights, heads, tokens, width, .. } = attention;
    let mut sum = vec![0.0; tokens * frames];
    let (mut means, mut scales) = (vec![0.0; frames], vec![0.0; frames]);
    let mut row = vec![0.0; frames + 2 * HALF];
    for head in 0..heads {
        let of = |token: usize| &weights[(token * heads + head) * width..][..frames];
        means.fill(0.0);
        scales.fill(0.0);
        for token in 0..tokens {
            for ((mean, square), &x) in means.iter_mut().zip(&mut scales).zip(of(token)) {
                *mean += x;
                *square += x * x;
            }
        }
        let count = tokens as f32;
        for (mean, square) in means.iter_mut().zip(&mut scales) {
            *mean /= count;
            let variance = (*square / count - *mean * *mean).max(0.0);
            *square = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
        }
        for token in 0..tokens {
            let weights = of(token).iter().zip(means.iter().zip(&scales));
            for (value, (weight, (mean, scale))) in row[HALF..].iter_mut().zip(weights) {
                *value = (weight - mean) * scale;
            }
            let sum = &mut sum[token * frames..][..frames];
            if mirror(&mut row) {
                add_medians(&row, sum);
            } else {
                sum.iter_mut().zip(&row[HALF..]).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    let heads = heads.max(1) as f32;
    for total in &mut sum {
        *total /= heads;
    }
    sum
}

/// Adds to `sum` the median around each value of `padded`, which is mirrored at its edges.
fn add_medians(padded: &[f32], sum: &mut [f32]) {
    let mut chunks = sum.chunks_exact_mut(LANES);
    let mut at = 0;
    for sum in &mut chunks {
        let near = &padded[at..at + LANES + MEDIAN - 1];
        let middle: [f32; LANES] =
            middles_of_seven(std::array::from_fn(|offset| std::array::from_fn(|lane| near[offset + lane])));
        sum.iter_mut().zip(middle).for_each(|(sum, middle)| *sum += middle);
        at += LANES;
    }
    for (sum, near) in chunks.into_remainder().iter_mut().zip(padded[at..].windows(MEDIAN)) {
        let [middle] = middles_of_seven(std::array::from_fn(|offset| [near[offset]]));
        *sum += middle;
    }
}

/// Fills the edges of `padded` with what stands beside them; one that is too short for that is not smoothed.
fn mirror(padded: &mut [f32]) -> bool {
    let end = padded.len() - HALF;
    if end <= 2 * HALF {
        return false;
    }
    for offset in 1..=HALF {
        padded[HALF - offset] = padded[HALF + offset];
        padded[end - 1 + offset] = padded[end - 1 - offset];
    }
    true
}

/// The fourth of seven in each lane, by a network that a compiler turns into minima and maxima of all lanes.
fn middles_of_seven<const N: usize>(mut x: [[f32; N]; MEDIAN]) -> [f32; N] {
    const NETWORK: [(usize, usize); 13] = [
        (0, 5),
        (0, 3),
        (1, 6),
        (2, 4),
        (0, 1),
        (3, 5),
        (2, 6),
        (2, 3),
        (3, 6),
        (4, 5),
        (1, 4),
        (1, 3),
        (3, 4),
    ];
    for (low, high) in NETWORK {
        let (a, b) = (x[low], x[high]);
        x[low] = std::array::from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] });
        x[high] = std::array::from_fn(|lane| if a[lane] < b[lane] { b[lane] } else { a[lane] });
    }
    x[HALF]
}

/// Where each row of `matrix` begins on the path of the highest sum from corner to corner, on which rows
/// and columns only grow.
fn warp(matrix: &[f32], frames: usize) -> Vec<usize> {
    let rows = matrix.len() / frames;
    let mut before = vec![f32::INFINITY; frames + 1];
    before[0] = 0.0;
    let mut trace = vec![0_u8; rows * frames];
    for row in 0..rows {
        let mut now = vec![f32::INFINITY; frames + 1];
        for column in 1..=frames {
            let (diagonal, above, left) = (before[column - 1], before[column], now[column - 1]);
            let (cost, step) = if diagonal < above && diagonal < left {
                (diagonal, DIAGONAL)
            } else if above < diagonal && above < left {
                (above, ABOVE)
            } else {
                (left, LEFT)
            };
            now[column] = cost - matrix[row * frames + column - 1];
            trace[row * frames + column - 1] = step;
        }
        before = now;
    }
    let mut first = vec![0; rows];
    let (mut row, mut column) = (rows, frames);
    while row > 0 {
        first[row - 1] = column.saturating_sub(1);
        // Along the edges there is one way.
        let step = if column == 0 { ABOVE } else { trace[(row - 1) * frames + column - 1] };
        match step {
            DIAGONAL => {
                row -= 1;
                column -= 1;
            }
            ABOVE => row -= 1,
            _ => column -= 1,
        }
    }
    first
}

const DIAGONAL: u8 = 0;
const ABOVE: u8 = 1;
const LEFT: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_network_finds_the_middle(x in prop::array::uniform7(-100.0_f32..100.0)) {
            let mut sorted = x;
            sorted.sort_by(f32::total_cmp);
            prop_assert_eq!(middles_of_seven(x.map(|x| [x]))[0].to_bits(), sorted[3].to_bits());
        }

        #[test]
        fn a_path_only_grows(values in prop::collection::vec(-1.0_f32..1.0, 1..120), rows in 1_usize..6) {
            let frames = values.len().div_ceil(rows);
            let mut matrix = values;
            matrix.resize(rows * frames, 0.0);
            let first = warp(&matrix, frames);
            prop_assert_eq!(first.len(), rows);
            prop_assert!(first.is_sorted());
            prop_assert!(first[0] == 0 && first.iter().all(|&frame| frame < frames));
        }
    }

    #[test]
    fn tokens_are_found_where_they_are_attended() {
        // Three tokens of ten frames each, and one before them that attends everywhere.
        let (tokens, frames) = (4, 30);
        let mut weights = vec![0.01; tokens * frames];
        for token in 1..tokens {
            for frame in (token - 1) * 10..token * 10 {
                weights[token * frames + frame] = 0.5;
            }
        }
        let attention = Attention { weights: &weights, heads: 1, tokens, width: frames, frames };
        assert_eq!(first_frames(attention, 1), [0, 10, 20]);
    }

    fn medians(row: &[f32]) -> Vec<f32> {
        let mut padded = vec![0.0; row.len() + 2 * HALF];
        padded[HALF..][..row.len()].copy_from_slice(row);
        let mut sum = vec![0.0; row.len()];
        assert!(mirror(&mut padded), "long enough");
        add_medians(&padded, &mut sum);
        sum
    }

    #[test]
    fn the_edge_is_mirrored() {
        // 4 3 2 1 2 3 4 at the first
        let found = medians(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!((found[0].to_bits(), found[7].to_bits()), (3.0_f32.to_bits(), 6.0_f32.to_bits()));
        assert!(!mirror(&mut [0.0; 3 + 2 * HALF]), "nothing to mirror");
    }

    #[test]
    fn lanes_change_nothing() {
        let row: Vec<f32> = (0..100_i32).map(|at| ((at * 37) % 101) as f32).collect();
        let found = medians(&row);
        for at in HALF..row.len() - HALF {
            let mut near = row[at - HALF..=at + HALF].to_vec();
            near.sort_by(f32::total_cmp);
            assert_eq!(found[at].to_bits(), near[HALF].to_bits(), "at {at}");
        }
    }
}
