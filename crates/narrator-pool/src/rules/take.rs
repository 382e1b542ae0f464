//! Whether samples can be speech at all. What they say is for other ears.

/// Peak below which a take is silence: −66 dBFS, under the noise of any engine that speaks.
const SILENCE: f32 = 0.0005;
/// Shortest take: a fiftieth of a second is less than a vowel.
const SHORTEST_S: f64 = 0.02;

/// Facts about one finished take.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TakeFacts {
    pub samples: u64,
    pub sample_rate: u32,
    pub finite: bool,
    pub peak: f32,
}

impl TakeFacts {
    /// Looks at every sample once.
    pub fn of(pcm: &[f32], sample_rate: u32) -> Self {
        let mut facts = Self { samples: pcm.len() as u64, sample_rate, finite: true, peak: 0.0 };
        for sample in pcm {
            facts.finite &= sample.is_finite();
            facts.peak = facts.peak.max(sample.abs());
        }
        facts
    }

    pub fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(self.sample_rate.max(1))
    }

    /// What is wrong with it, if anything is.
    pub fn objection(&self) -> Option<&'static str> {
        if !self.finite {
            Some("samples that are not finite numbers")
        } else if self.seconds() < SHORTEST_S {
            Some("hardly any samples")
        } else if self.peak < SILENCE {
            Some("silence")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_speech_is_objected_to() {
        let tone: Vec<f32> = (0..24_000).map(|n| (n as f32 * 0.05).sin() * 0.3).collect();
        let objection = |pcm: &[f32]| TakeFacts::of(pcm, 24_000).objection();
        assert_eq!(objection(&tone), None);
        assert_eq!(objection(&[]), Some("hardly any samples"));
        assert_eq!(objection(&tone[..100]), Some("hardly any samples"));
        assert_eq!(objection(&vec![0.0; 24_000]), Some("silence"));
        for bad in [f32::NAN, f32::INFINITY] {
            let mut damaged = tone.clone();
            damaged[17] = bad;
            assert_eq!(objection(&damaged), Some("samples that are not finite numbers"));
        }
    }
}
