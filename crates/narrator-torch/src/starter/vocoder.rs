//! From spectra to samples.
//!
//! The network gives, for each frame and frequency bin, five numbers: the log magnitude and the phase of a
//! filter for the pulses of the vocal cords, the log magnitude of noise, and the log magnitude and phase of
//! a third, free part. The spectrum of the speech is their sum
//!
//! ```text
//!  S = exp(a) · e^(i π tanh b) · STFT(pulses)  +  exp(c) · noise  +  exp(d) · e^(i e)
//! ```
//!
//! and one inverse STFT (1200 points, hop 300, Hann) makes it sound. The pulses are band-limited: the sum of
//! all harmonics of the pitch below 11 kHz, in closed form.

use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::layers::Fallible;
use super::noise::ComplexNoise;

pub(super) const SAMPLE_RATE: u32 = 24_000;
pub(super) const HOP: i64 = 300;
const POINTS: i64 = 1200;
pub(super) const BINS: i64 = POINTS / 2 + 1;
/// Hops in a window.
const OVERLAP: i64 = POINTS / HOP;

/// A pitch at or below this (hertz) means that the vocal cords are silent.
const UNVOICED: f32 = 40.0;
/// Harmonics above this (hertz) are left out of the pulses.
const HIGHEST_HARMONIC: f32 = 11_000.0;
/// Log magnitudes are cut here, so that a stray one cannot overflow.
const HIGHEST_LOG: f64 = 7.0;
/// Below this the closed form of the pulses is replaced by its limit.
const NEAR_POLE: f32 = 2e-3;

pub(super) struct Vocoder {
    window: Tensor,
    /// The window that makes a unit cosine 1 high in the spectrum.
    source_window: Tensor,
    /// One over the summed squares of the windows over a sample: of the first hop, in the middle, and of
    /// the last two hops. Rows of [`HOP`].
    gains: [Tensor; 4],
    noise: ComplexNoise,
}

impl Vocoder {
    pub(super) fn new() -> Fallible<Self> {
        let hann: Vec<f32> = (0..POINTS)
            .map(|at| 0.5 - 0.5 * (std::f64::consts::TAU * at as f64 / POINTS as f64).cos())
            .map(|weight| weight as f32)
            .collect();
        let window = Tensor::f_from_slice(&hann)?;
        let squares = window.f_square()?.f_view([OVERLAP, HOP])?;
        let gain = |first: i64, last: i64| {
            squares
                .f_narrow(0, first, last - first + 1)?
                .f_sum_dim_intlist(&[0i64][..], false, Kind::Float)?
                .f_reciprocal()
        };
        Ok(Self {
            source_window: window.f_div_scalar(POINTS as f64 / 4.0)?,
            gains: [gain(0, 2)?, gain(0, 3)?, gain(1, 3)?, gain(2, 3)?],
            window,
            noise: ComplexNoise::new(),
        })
    }

    /// Samples of the `[frames, 5 * BINS]` spectra; [`HOP`] a frame.
    pub(super) fn speak(
        &mut self,
        spectra: &Tensor,
        pitch: &Tensor,
        stream: &mut ChaCha8Rng,
    ) -> Fallible<Vec<f32>> {
        let part = |number: i64| spectra.f_narrow(1, number * BINS, BINS);
        let loudness = |number: i64| part(number)?.f_clamp_max(HIGHEST_LOG)?.f_exp_();
        let frames = pitch.size()[0];

        // pi * tanh(b) is a turn of 2 pi * sigmoid(2 b) less half a turn, which only changes the sign; libtorch
        // has the sigmoid three times faster.
        let turn = part(1)?.f_mul_scalar(2.0)?.f_sigmoid_()?.f_mul_scalar_(std::f64::consts::TAU)?;
        let filter = loudness(0)?.f_neg_()?;
        let filter = Tensor::f_complex(&turn.f_cos()?.f_mul_(&filter)?, &turn.f_sin()?.f_mul_(&filter)?)?;
        let voiced = self.spectrum_of(&pulses(pitch)?, frames)?.f_mul_(&filter)?;

        let (phase, free) = (part(4)?, loudness(3)?);
        let mut real = phase.f_cos()?.f_mul_(&free)?;
        let mut imaginary = phase.f_sin()?.f_mul_(&free)?;
        let noise = Tensor::f_from_slice(&self.noise.draw((frames * BINS) as usize, stream))?
            .f_view([2, frames, BINS])?;
        let breath = loudness(2)?;
        let _ = real.f_addcmul_(&noise.f_select(0, 0)?, &breath)?;
        let _ = imaginary.f_addcmul_(&noise.f_select(0, 1)?, &breath)?;

        self.samples_of(&Tensor::f_complex(&real, &imaginary)?.f_add_(&voiced)?, frames)
    }

    /// Short-time spectrum of `samples` (`frames` hops of them), a window centred on every hop.
    fn spectrum_of(&self, samples: &Tensor, frames: i64) -> Fallible {
        let padded =
            samples.f_unsqueeze(0)?.f_reflection_pad1d([POINTS / 2, POINTS / 2])?.f_squeeze_dim(0)?;
        let windows = padded.f_as_strided([frames, POINTS], [HOP, 1], 0)?;
        windows.f_mul(&self.source_window)?.f_fft_rfft(POINTS, -1, "backward")
    }

    /// The inverse: every frame's samples windowed, overlapped and divided by what the windows sum up to.
    fn samples_of(&self, spectrum: &Tensor, frames: i64) -> Fallible<Vec<f32>> {
        let mut windows = spectrum.f_fft_irfft(POINTS, -1, "backward")?;
        let windows = windows.f_mul_(&self.window)?.f_view([frames, OVERLAP, HOP])?;
        // Row `n` of the output is hop `n + 2` of the overlapped frames: half a window is cut at both ends.
        let half = OVERLAP / 2;
        let output = Tensor::f_zeros([frames, HOP], (Kind::Float, windows.device()))?;
        for block in 0..OVERLAP {
            let first = (block - half).max(0);
            let last = (frames + block - half).min(frames);
            let from = windows.f_select(1, block)?.f_narrow(0, first - block + half, last - first)?;
            let _ = output.f_narrow(0, first, last - first)?.f_add_(&from)?;
        }
        let [head, middle, before_last, last] = &self.gains;
        for (first, rows, gain) in
            [(0, 1, head), (1, frames - 3, middle), (frames - 2, 1, before_last), (frames - 1, 1, last)]
        {
            let _ = output.f_narrow(0, first, rows)?.f_mul_(gain)?;
        }
        Vec::<f32>::try_from(&output.f_view([frames * HOP])?)
    }
}

/// A pulse train that follows the pitch (hertz, one number a hop): every harmonic below
/// [`HIGHEST_HARMONIC`] at unit height, which sums up to `sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2`.
///
/// Samples in a row depend on each other through the phase, so this is a loop; libtorch takes the sines.
fn pulses(pitch: &Tensor) -> Fallible {
    let frames = pitch.size()[0];
    let pitch = pitch.f_view([1, 1, frames])?.f_upsample_linear1d([frames * HOP], false, None)?;
    let pitch = Vec::<f32>::try_from(&pitch.f_view([frames * HOP])?)?;

    let mut halves = Vec::with_capacity(pitch.len());
    let mut aboves = Vec::with_capacity(pitch.len());
    let mut turns = 0.0f64;
    for &hertz in &pitch {
        let hertz = hertz.max(UNVOICED);
        turns += f64::from(hertz) / f64::from(SAMPLE_RATE);
        turns -= whole(turns);
        // Angles are brought back into one turn: libtorch takes long over the sine of a large one.
        let above = turns * f64::from(harmonics(hertz));
        halves.push((turns * std::f64::consts::PI) as f32);
        aboves.push(((above - whole(above)) * std::f64::consts::TAU) as f32);
    }
    let sines = |angles: &[f32]| Vec::<f32>::try_from(&Tensor::f_from_slice(angles)?.f_sin_()?);
    let (below, mut above) = (sines(&halves)?, sines(&aboves)?);
    for ((above, below), &hertz) in above.iter_mut().zip(below).zip(&pitch) {
        *above = match (hertz > UNVOICED, 2.0 * below) {
            (false, _) => 0.0,
            (true, below) if below.abs() <= NEAR_POLE => harmonics(hertz) - 0.5,
            (true, below) => *above / below - 0.5,
        };
    }
    Tensor::f_from_slice(&above)
}

/// How many harmonics of `hertz` fit, and a half.
fn harmonics(hertz: f32) -> f32 {
    (HIGHEST_HARMONIC / hertz) as i32 as f32 + 0.5
}

/// The whole turns of a small positive angle. (Rounding by `trunc` is a call on processors of the baseline.)
fn whole(turns: f64) -> f64 {
    f64::from(turns as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pulses_repeat_with_the_pitch_and_rest_without() {
        let train = Vec::<f32>::try_from(
            &pulses(&Tensor::full([20], 240.0, (Kind::Float, tch::Device::Cpu))).expect("pulses"),
        )
        .expect("samples");
        assert_eq!(train.len(), 6000);
        let peaks = train.iter().filter(|&&sample| sample > 44.0).count();
        assert!((58..=62).contains(&peaks), "{peaks} peaks in a quarter of a second of 240 Hz");
        let rest = pulses(&Tensor::zeros([20], (Kind::Float, tch::Device::Cpu))).expect("pulses");
        assert!(rest.abs().max().double_value(&[]) < f64::MIN_POSITIVE);
    }

    #[test]
    fn the_inverse_gives_back_what_the_spectrum_was_taken_of() {
        let vocoder = Vocoder::new().expect("a vocoder");
        let (kind, frames) = ((Kind::Float, tch::Device::Cpu), 9);
        let samples = Tensor::randn([frames * HOP], kind);
        let spectrum = vocoder.spectrum_of(&samples, frames).expect("a spectrum") * (POINTS as f64 / 4.0);
        let back = Tensor::from_slice(&vocoder.samples_of(&spectrum, frames).expect("samples"));
        // The last hops lack the frame behind the end.
        let kept = (frames - 2) * HOP;
        let off = (back.narrow(0, 0, kept) - samples.narrow(0, 0, kept)).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{off}");
    }

    #[test]
    fn equal_streams_speak_equally() {
        let mut vocoder = Vocoder::new().expect("a vocoder");
        let kind = (Kind::Float, tch::Device::Cpu);
        let (spectra, pitch) = (Tensor::zeros([8, 5 * BINS], kind), Tensor::full([8], 200.0, kind));
        let mut speak =
            |seed| vocoder.speak(&spectra, &pitch, &mut ChaCha8Rng::seed_from_u64(seed)).expect("samples");
        let first = speak(1);
        assert_eq!(first.len(), 2400);
        assert_ne!(speak(2), first);
        assert_eq!(speak(1), first);
    }
}
