//! What quotas have counted, kept on disk so that a restart does not give them away again.
//!
//! Invariant: the file is replaced whole, so it is never half written. What was counted since it was last written is
//! lost with a process that is killed: that is [`INTERVAL`] at most, unless writing takes longer than a twentieth of
//! it. A file that cannot be read is put aside and said to be; calls go on.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use forecourt_gateway::{Gateway, QuotaCount};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle};

use crate::{jobs::Jobs, supervision};

/// How often counts are written, if there are new ones.
pub const INTERVAL: Duration = Duration::from_secs(3);

/// The folder below the data folder, and the file in it.
const FOLDER: &str = "limits";
const FILE: &str = "quotas.json";
const VERSION: u32 = 1;

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    quotas: Vec<QuotaCount>,
}

/// The running writer.
#[derive(Debug)]
pub struct Keeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Writer {
    gateway: Gateway,
    folder: PathBuf,
    written: u64,
    is_failing: bool,
}

/// Gives `gateway` what was kept below `data_dir`, and keeps what it counts there until [`Keeper::stop`].
pub fn start(gateway: Gateway, data_dir: &Path, jobs: Arc<Jobs>) -> Keeper {
    let folder = data_dir.join(FOLDER);
    restore(&gateway, &folder.join(FILE));
    let written = gateway.quota_changes();
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| {
        let writer = Writer { gateway: gateway.clone(), folder: folder.clone(), written, is_failing: false };
        keep(writer, jobs, stopped)
    };
    let task = supervision::start(jobs, |jobs| &jobs.quota_keeping, stopped, work);
    Keeper { stop, task }
}

async fn keep(mut writer: Writer, jobs: Arc<Jobs>, mut stopped: watch::Receiver<bool>) {
    let mut pause = INTERVAL;
    let mut is_stopping = false;
    while !is_stopping {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => is_stopping = true,
            () = tokio::time::sleep(pause) => {}
        }
        let began = Instant::now();
        // An error: it panicked, which ends this too, so that it is begun anew.
        let Ok(back) = tokio::task::spawn_blocking(move || writer.written()).await else { return };
        writer = back;
        jobs.quota_keeping.ended(&if writer.is_failing { Err(()) } else { Ok(()) });
        pause = INTERVAL.max(began.elapsed() * 20);
    }
}

impl Keeper {
    /// Writes what is left, and ends. To be called when the gateway answers no more requests.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the counts of quotas were not kept to the end by a panic");
        }
    }
}

impl Writer {
    /// This writer, after writing if there is something new.
    fn written(mut self) -> Self {
        let changes = self.gateway.quota_changes();
        if changes == self.written {
            return self;
        }
        match write(&self.folder, &self.gateway.quotas()) {
            Ok(()) => (self.written, self.is_failing) = (changes, false),
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!(
                    error.cause = %error,
                    folder = %self.folder.display(),
                    "the counts of quotas cannot be written; they would be lost in a restart"
                );
            }
            Err(_) => {}
        }
        self
    }
}

fn write(folder: &Path, quotas: &[QuotaCount]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let kept = Kept { version: VERSION, quotas: quotas.to_vec() };
    let text = serde_json::to_vec(&kept)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&text)?;
    file.as_file().sync_data()?;
    file.persist(folder.join(FILE))?;
    Ok(())
}

fn restore(gateway: &Gateway, path: &Path) {
    let problem = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => error.to_string(),
        Ok(text) => match serde_json::from_slice::<Kept>(&text) {
            Ok(kept) if kept.version == VERSION => return gateway.restore_quotas(&kept.quotas),
            Ok(kept) => format!("it is of version {}", kept.version),
            Err(error) => error.to_string(),
        },
    };
    let aside = path.with_extension("unreadable");
    let moved = fs::rename(path, &aside).is_ok();
    tracing::error!(
        problem,
        file = %path.display(),
        moved_to = %if moved { aside.display().to_string() } else { String::new() },
        "the counts of quotas cannot be read: quotas start from nothing"
    );
}
