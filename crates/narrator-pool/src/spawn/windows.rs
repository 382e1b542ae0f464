//! A job a child, killed when its handle closes: by us, or by the system when we are gone.
//!
//! Between the child's birth and its assignment lies a moment in which it could start a process outside
//! the job. A worker starts none before it has its invitation's answer.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

use win32job::{ExtendedLimitInfo, Job};

#[derive(Debug)]
pub(super) struct Group {
    job: Mutex<Option<Job>>,
}

pub(super) fn prepare(_command: &mut Command) {}

impl Group {
    pub fn lead(child: &Child) -> io::Result<Self> {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&limits).map_err(io::Error::other)?;
        job.assign_process(child.as_raw_handle() as isize).map_err(io::Error::other)?;
        Ok(Self { job: Mutex::new(Some(job)) })
    }

    /// There is no signal that leaves a stack trace here.
    pub fn abort(&self) {}

    pub fn kill(&self) {
        drop(self.job.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let status = child.wait();
        self.kill();
        status
    }
}

/// `exit code 1`, or the status that Windows ends a faulty process with.
pub(super) fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) if code < 0 => format!("status {code:#010x}"),
        Some(code) => format!("exit code {code}"),
        None => "an unknown status".to_owned(),
    }
}
