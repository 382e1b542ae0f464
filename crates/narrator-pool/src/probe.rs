//! How much memory a device has free, asked from outside: no worker lives there to say it.

use std::fmt::Debug;
use std::process::Command;

/// Looks at devices. Called on a thread where it may block.
pub trait DeviceProbe: Debug + Send + Sync {
    /// Free memory of a device; `None` when it cannot be known, and then nothing waits for it.
    fn free_bytes(&self, device: &str) -> Option<u64>;
}

/// Asks the driver's own tool.
#[derive(Clone, Copy, Debug, Default)]
pub struct NvidiaSmi;

impl DeviceProbe for NvidiaSmi {
    fn free_bytes(&self, device: &str) -> Option<u64> {
        let index = device.strip_prefix("cuda:")?;
        let output = Command::new("nvidia-smi")
            .args(["--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", index])
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| free_mib(&String::from_utf8_lossy(&output.stdout)))?
            .map(|mib| mib << 20)
    }
}

/// One number of mebibytes on the first line.
fn free_mib(answer: &str) -> Option<u64> {
    answer.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_answer_is_read_and_what_is_no_answer_is_not() {
        assert_eq!(free_mib("80506\n"), Some(80_506));
        assert_eq!(free_mib("[N/A]\n"), None);
        assert_eq!(free_mib(""), None);
        assert_eq!(NvidiaSmi.free_bytes("cpu"), None);
    }
}
