//! What a device is and how much memory it has free, asked from outside: no worker lives there to say it.

use std::fmt::Debug;
use std::process::Command;

/// What the driver says of a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Card {
    pub total_bytes: u64,
    pub free_bytes: u64,
    /// Cards since 2020 do; one that does not say is taken for one of them.
    pub multiplies_bfloat16: bool,
}

/// Looks at devices. Called on a thread where it may block.
pub trait DeviceProbe: Debug + Send + Sync {
    /// A device as it is now; `None` when it cannot be known, and then nothing waits for it.
    fn card(&self, device: &str) -> Option<Card>;
}

/// Asks the driver's own tool.
#[derive(Clone, Copy, Debug, Default)]
pub struct NvidiaSmi;

impl DeviceProbe for NvidiaSmi {
    fn card(&self, device: &str) -> Option<Card> {
        let index = device.strip_prefix("cuda:")?.parse().ok()?;
        let output = Command::new("nvidia-smi")
            .args(["--query-gpu=memory.total,memory.free,compute_cap", "--format=csv,noheader,nounits", "-i"])
            .arg(in_driver(index, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()))
            .output()
            .ok()?;
        output.status.success().then(|| card_in(&String::from_utf8_lossy(&output.stdout)))?
    }
}

/// The driver's name of the card that workers know as number `index`: they count those that they are shown.
fn in_driver(index: usize, visible: Option<&str>) -> String {
    let shown = visible.and_then(|visible| visible.split(',').nth(index)).map(str::trim);
    shown.filter(|name| !name.is_empty()).map_or_else(|| index.to_string(), str::to_owned)
}

/// Mebibytes in all and free, and the kind of card, on the first line.
fn card_in(answer: &str) -> Option<Card> {
    let mut fields = answer.lines().next()?.split(',').map(str::trim);
    let mut bytes = || fields.next()?.parse::<u64>().ok().map(|mebibytes| mebibytes << 20);
    let (total_bytes, free_bytes) = (bytes()?, bytes()?);
    let kind = fields.next().and_then(|kind| kind.parse::<f64>().ok());
    Some(Card { total_bytes, free_bytes, multiplies_bfloat16: kind.is_none_or(|kind| kind >= 8.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_answer_is_read_and_what_is_no_answer_is_not() {
        let card = |total: u64, free: u64, multiplies_bfloat16| {
            Some(Card { total_bytes: total << 20, free_bytes: free << 20, multiplies_bfloat16 })
        };
        assert_eq!(card_in("81559, 80506, 9.0\n"), card(81_559, 80_506, true));
        assert_eq!(card_in("15360, 15101, 7.5\n"), card(15_360, 15_101, false));
        assert_eq!(card_in("24576, 24000, [N/A]\n"), card(24_576, 24_000, true));
        assert_eq!(card_in("[N/A], [N/A], 9.0\n"), None);
        assert_eq!(card_in("24576\n"), None);
        assert_eq!(card_in(""), None);
        assert_eq!(NvidiaSmi.card("cpu"), None);
    }

    #[test]
    fn a_card_is_asked_about_by_the_drivers_name_of_it() {
        assert_eq!(in_driver(1, None), "1");
        assert_eq!(in_driver(1, Some("")), "1");
        assert_eq!(in_driver(1, Some("2,3")), "3");
        assert_eq!(in_driver(0, Some("GPU-8932f937")), "GPU-8932f937");
    }
}
