//! What the operating system says of this process, where it says anything (proc(5)).

use std::fs;

use forecourt_core::time::Timestamp;

/// This process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    started_at: Timestamp,
}

impl Process {
    /// The process that starts now.
    pub const fn starts(now: Timestamp) -> Self {
        Self { started_at: now }
    }

    /// When it started, in seconds since the epoch.
    pub fn started_at(&self) -> f64 {
        self.started_at.micros() as f64 / 1e6
    }

    /// Memory that it holds, in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
    }

    /// Files and sockets that it has open.
    pub fn open_files(&self) -> Option<usize> {
        // The folder that is read is among them.
        fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1))
    }
}
