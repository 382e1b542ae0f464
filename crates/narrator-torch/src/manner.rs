//! How a model is to be run: where, in what precision, with how many threads.

use std::fmt;
use std::str::FromStr;

/// Where a model runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Device {
    #[default]
    Cpu,
    /// A CUDA device by its number.
    Cuda(u16),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(index)) => Ok(Self::Cuda(index)),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            _ => Err(format!("`{text}` is not a device: give `cpu`, or `cuda:0` and so on")),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl Device {
    pub(crate) fn tch(self) -> tch::Device {
        match self {
            Self::Cpu => tch::Device::Cpu,
            Self::Cuda(index) => tch::Device::Cuda(usize::from(index)),
        }
    }
}

/// Numbers that the weights are held in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// What the engine itself finds best on the device.
    #[default]
    Auto,
    Float32,
    BFloat16,
}

/// How to load a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadOptions {
    pub device: Device,
    pub precision: Precision,
    /// Threads that libtorch uses in this process, set once at the first load; absent: the engine's choice.
    pub threads: Option<u16>,
    /// Memory of a GPU that this process may take, its driver's part included; absent: all that is free.
    pub device_bytes: Option<u64>,
}

/// Sets libtorch's thread count for this process. With several worker processes on one machine, threads of
/// their own make all of them slower, hence one thread unless an engine or a setting says otherwise.
pub fn set_threads(threads: u16) {
    tch::set_num_threads(i32::from(threads.max(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(wrong.parse::<Device>().is_err(), "{wrong}");
        }
    }
}
