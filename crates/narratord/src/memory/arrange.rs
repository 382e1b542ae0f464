//! From the crews of a run and what the driver says to a seat for every worker process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use narrator_engine::{DRIVER_BYTES, Footprint};
use narrator_pool::{Card, DeviceProbe, Seat};
use serde::Serialize;

use super::divide::{Wish, divide, reserve};
use crate::error::Failure;
use crate::exit::Exit;
use crate::tool;

/// Numbers of cards mean to workers what they mean to the driver's tool.
const NUMBERED_AS_IN_DRIVER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// A crew that wants seats. They are given in the order of precedence; voices come first.
#[derive(Clone, Debug)]
pub struct Party {
    pub model: String,
    pub model_dir: PathBuf,
    /// A device for each process.
    pub devices: Vec<String>,
    /// Processes on the CPU where no card has room; none: it has to be a card.
    pub on_cpu: usize,
}

/// What was settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrangement {
    /// The seats of every party.
    pub seats: Vec<Vec<Seat>>,
    pub cards: Vec<Divided>,
}

/// What becomes of one card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divided {
    pub device: String,
    /// Absent where the driver does not say what it has, and nothing is planned.
    pub memory: Option<Memory>,
    pub shares: Vec<Share>,
    /// Models for which there was no room.
    pub turned_away: Vec<Share>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    pub card: Card,
    pub reserve_bytes: u64,
}

/// Processes of a model on a card, and bytes for each of them; of those turned away, what each would need.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Share {
    pub model: String,
    pub processes: usize,
    pub bytes: u64,
}

/// Gives every process a seat. `weigh` says what models take of a card.
pub fn arrange(
    parties: &[Party],
    probe: &dyn DeviceProbe,
    weigh: impl Fn(Card, &[&Path]) -> Result<Vec<Footprint>, Failure>,
) -> Result<Arrangement, Failure> {
    let devices = parties.iter().flat_map(|party| &party.devices).filter(|device| *device != "cpu");
    let mut budgets: BTreeMap<&str, Vec<std::vec::IntoIter<Seat>>> = BTreeMap::new();
    let mut cards = Vec::new();
    for device in devices {
        if budgets.contains_key(device.as_str()) {
            continue;
        }
        let (divided, seats) = share_out(device, parties, probe.card(device), &weigh)?;
        budgets.insert(device, seats.into_iter().map(Vec::into_iter).collect());
        cards.push(divided);
    }
    let mut all = Vec::with_capacity(parties.len());
    for (at, party) in parties.iter().enumerate() {
        let seat = |device: &String| match budgets.get_mut(device.as_str()) {
            Some(seats) => seats[at].next(),
            None => Some(Seat::on(device)),
        };
        let mut seats: Vec<Seat> = party.devices.iter().filter_map(seat).collect();
        if seats.is_empty() {
            seats.extend((0..party.on_cpu).map(|_| Seat::on("cpu")));
        }
        if seats.is_empty() && !party.devices.is_empty() {
            return Err(no_room(party, &cards));
        }
        all.push(seats);
    }
    Ok(Arrangement { seats: all, cards })
}

/// Divides one card; without a word of the driver everybody has a seat and nobody a budget.
fn share_out(
    device: &str,
    parties: &[Party],
    card: Option<Card>,
    weigh: &impl Fn(Card, &[&Path]) -> Result<Vec<Footprint>, Failure>,
) -> Result<(Divided, Vec<Vec<Seat>>), Failure> {
    let wanted = |party: &Party| party.devices.iter().filter(|wanted| *wanted == device).count();
    let (numbered, by) = NUMBERED_AS_IN_DRIVER;
    let seat = || Seat { env: vec![(numbered.into(), by.into())], ..Seat::on(device) };
    let mut divided =
        Divided { device: device.into(), memory: None, shares: Vec::new(), turned_away: Vec::new() };
    let Some(card) = card else {
        let seats = parties.iter().map(|party| vec![seat(); wanted(party)]).collect();
        return Ok((divided, seats));
    };
    let here: Vec<usize> = (0..parties.len()).filter(|at| wanted(&parties[*at]) > 0).collect();
    let folders: Vec<&Path> = here.iter().map(|at| parties[*at].model_dir.as_path()).collect();
    let wishes: Vec<Wish> = weigh(card, &folders)?
        .into_iter()
        .zip(&here)
        .map(|(footprint, at)| Wish { footprint, processes: wanted(&parties[*at]) })
        .collect();
    let reserve_bytes = reserve(card.total_bytes);
    let seated = divide(card.free_bytes.saturating_sub(reserve_bytes), &wishes);
    let mut seats = vec![Vec::new(); parties.len()];
    for ((at, wish), budgets) in here.iter().zip(&wishes).zip(seated) {
        let share = |processes, bytes| Share { model: parties[*at].model.clone(), processes, bytes };
        let first = at == &here[0];
        let needed = if first { wish.footprint.least_bytes } else { wish.footprint.good_bytes };
        match budgets.first() {
            Some(bytes) => divided.shares.push(share(budgets.len(), *bytes)),
            None => divided.turned_away.push(share(wish.processes, needed)),
        }
        seats[*at] = budgets
            .into_iter()
            .map(|bytes| {
                let mut seat = Seat { device_bytes: Some(bytes), ..seat() };
                seat.env.push(("PYTORCH_CUDA_ALLOC_CONF".into(), fence(bytes, card.total_bytes).into()));
                seat
            })
            .collect();
    }
    divided.memory = Some(Memory { card, reserve_bytes });
    Ok((divided, seats))
}

/// Holds libtorch's allocator to the budget, whatever the rows turn out to take: memory then runs out in the
/// process that took too much, which halves its rows, and not in its neighbour. The driver's part is outside of
/// what the allocator counts.
fn fence(bytes: u64, total_bytes: u64) -> String {
    let ten_thousandths = bytes.saturating_sub(DRIVER_BYTES).saturating_mul(10_000) / total_bytes.max(1);
    format!("per_process_memory_fraction:{:.4}", ten_thousandths.clamp(1, 10_000) as f64 / 10_000.0)
}

fn no_room(party: &Party, cards: &[Divided]) -> Failure {
    let short: Vec<String> = cards
        .iter()
        .filter_map(|card| {
            let share = card.turned_away.iter().find(|share| share.model == party.model)?;
            let memory = card.memory?;
            Some(format!(
                "{} needs {} GB of {} at least, of which {} of {} GB are free and {} GB are left alone",
                share.model,
                gigabytes(share.bytes),
                card.device,
                gigabytes(memory.card.free_bytes),
                gigabytes(memory.card.total_bytes),
                gigabytes(memory.reserve_bytes)
            ))
        })
        .collect();
    Failure::new(Exit::Missing, format!("the voice does not fit: {}", short.join("; "))).hint(
        "end what else uses the card (`nvidia-smi` lists it), choose a smaller model with --model, or speak on the \
         CPU with --device cpu",
    )
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e9)
}

impl Divided {
    /// The plan in a line.
    pub fn line(&self) -> String {
        let Some(memory) = self.memory else {
            return format!(
                "{}: the driver's tool does not say how much memory it has; everybody there takes what is free.",
                self.device
            );
        };
        let given = self.shares.iter().map(|share| {
            let times = if share.processes > 1 { format!("{} × ", share.processes) } else { String::new() };
            format!("{times}{} GB for {}", gigabytes(share.bytes), share.model)
        });
        let mut line = format!(
            "{}: {} of {} GB free, {}",
            self.device,
            gigabytes(memory.card.free_bytes),
            gigabytes(memory.card.total_bytes),
            given.collect::<Vec<_>>().join(", ")
        );
        for share in &self.turned_away {
            line.push_str(&format!("; no room for {} ({} GB)", share.model, gigabytes(share.bytes)));
        }
        line.push('.');
        line
    }
}

/// Asks the worker program what models take of a card.
pub fn weighed_by(program: &Path) -> impl Fn(Card, &[&Path]) -> Result<Vec<Footprint>, Failure> {
    move |card, models| {
        let mut arguments: Vec<std::ffi::OsString> = vec!["weigh".into()];
        arguments.push(format!("--card-bytes={}", card.total_bytes).into());
        if !card.multiplies_bfloat16 {
            arguments.push("--no-bfloat16".into());
        }
        arguments.push("--".into());
        arguments.extend(models.iter().map(|model| model.as_os_str().to_owned()));
        let said = tool::worker(program, &arguments, "weighing the models")?;
        let read = |line: &str| serde_json::from_str::<Footprint>(line);
        match said.lines().map(read).collect::<Result<Vec<_>, _>>() {
            Ok(footprints) if footprints.len() == models.len() => Ok(footprints),
            _ => Err(Failure::new(
                Exit::Missing,
                format!("{} does not say what models take", program.display()),
            )
            .hint("it is of another build: `narratord doctor` says which")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// Cards by their names.
    #[derive(Debug)]
    struct Machine(&'static [(&'static str, u64, u64)]);

    impl DeviceProbe for Machine {
        fn card(&self, device: &str) -> Option<Card> {
            let (_, total, free) = self.0.iter().find(|(name, ..)| *name == device)?;
            Some(Card { total_bytes: total * GIB, free_bytes: free * GIB, multiplies_bfloat16: true })
        }
    }

    fn party(model: &str, devices: &[&str], on_cpu: usize) -> Party {
        let devices = devices.iter().map(ToString::to_string).collect();
        Party { model: model.into(), model_dir: model.into(), devices, on_cpu }
    }

    /// In gigabytes, by the folder's name.
    #[expect(clippy::unnecessary_wraps, reason = "it stands for a worker that may fail")]
    fn weigh(_: Card, models: &[&Path]) -> Result<Vec<Footprint>, Failure> {
        let of = |model: &&Path| {
            let (least, good, most) = if model.ends_with("voice") { (5, 7, 54) } else { (2, 3, 4) };
            Footprint { least_bytes: least * GIB, good_bytes: good * GIB, most_bytes: most * GIB }
        };
        Ok(models.iter().map(of).collect())
    }

    fn seats(found: &Arrangement) -> Vec<Vec<(&str, Option<u64>)>> {
        fn of(seat: &Seat) -> (&str, Option<u64>) {
            (&seat.device, seat.device_bytes.map(|bytes| bytes / GIB))
        }
        found.seats.iter().map(|seats| seats.iter().map(of).collect()).collect()
    }

    #[test]
    fn on_a_cpu_nothing_changes() {
        let parties = [party("voice", &["cpu", "cpu"], 0), party("ear", &["cpu"], 3)];
        let never = |_: Card, _: &[&Path]| -> Result<Vec<Footprint>, Failure> { panic!("nothing to weigh") };
        let found = arrange(&parties, &Machine(&[]), never).expect("arranged");
        assert_eq!(seats(&found), [vec![("cpu", None), ("cpu", None)], vec![("cpu", None)]]);
        assert!(found.seats.iter().flatten().all(|seat| seat.env.is_empty()) && found.cards.is_empty());
    }

    #[test]
    fn both_on_one_card_have_their_budgets() {
        let parties =
            [party("voice", &["cuda:0"], 0), party("ear", &["cpu"], 2), party("large ear", &["cuda:0"], 1)];
        let found = arrange(&parties, &Machine(&[("cuda:0", 24, 22)]), weigh).expect("arranged");
        // 22 less a twentieth of 24 are 20.8.
        assert_eq!(
            seats(&found),
            [vec![("cuda:0", Some(17))], vec![("cpu", None)], vec![("cuda:0", Some(3))]]
        );
        let env: Vec<_> = found.seats[2][0].env.iter().map(|(_, value)| value.to_str()).collect();
        assert_eq!(env, [Some("PCI_BUS_ID"), Some("per_process_memory_fraction:0.1041")]);
        assert_eq!(
            found.cards[0].line(),
            "cuda:0: 23.6 of 25.8 GB free, 19.1 GB for voice, 3.2 GB for large ear."
        );
    }

    #[test]
    fn a_recogniser_without_room_listens_on_the_cpu() {
        let parties = [party("voice", &["cuda:0"], 0), party("ear", &["cuda:0"], 2)];
        let found = arrange(&parties, &Machine(&[("cuda:0", 8, 8)]), weigh).expect("arranged");
        assert_eq!(seats(&found), [vec![("cuda:0", Some(7))], vec![("cpu", None), ("cpu", None)]]);
        assert_eq!(
            found.cards[0].line(),
            "cuda:0: 8.6 of 8.6 GB free, 8.1 GB for voice; no room for ear (3.2 GB)."
        );
    }

    #[test]
    fn a_voice_without_room_is_told_with_the_figures() {
        let parties = [party("voice", &["cuda:0"], 0), party("ear", &["cuda:0"], 2)];
        let failure = arrange(&parties, &Machine(&[("cuda:0", 8, 4)]), weigh).expect_err("no room");
        assert_eq!(failure.exit, Exit::Missing);
        assert_eq!(
            failure.message,
            "the voice does not fit: voice needs 5.4 GB of cuda:0 at least, of which 4.3 of 8.6 GB are free and \
             0.5 GB are left alone"
        );
        assert!(failure.hint.expect("a hint").contains("--device cpu"));
    }

    #[test]
    fn cards_are_divided_each_for_itself_and_the_voice_speaks_where_it_fits() {
        let parties = [party("voice", &["cuda:0", "cuda:1"], 0), party("ear", &["cuda:1"], 1)];
        let machine = Machine(&[("cuda:0", 4, 4), ("cuda:1", 24, 24)]);
        let found = arrange(&parties, &machine, weigh).expect("arranged");
        assert_eq!(seats(&found), [vec![("cuda:1", Some(19))], vec![("cuda:1", Some(3))]]);
    }

    #[test]
    fn a_card_of_which_nothing_is_known_is_nobodys() {
        let parties = [party("voice", &["cuda:0"], 0), party("ear", &["cuda:0"], 1)];
        let found = arrange(&parties, &Machine(&[]), weigh).expect("arranged");
        assert_eq!(seats(&found), [[("cuda:0", None)], [("cuda:0", None)]]);
        assert!(found.cards[0].line().contains("does not say"));
    }
}
