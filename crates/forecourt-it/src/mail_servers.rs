//! A real mail server, as a process of node. It takes mail from one user alone.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{HeldPort, deadlines::eventually};

/// Who may send.
pub const MAIL_USER: &str = "portal";
/// Their password.
pub const MAIL_PASSWORD: &str = "a pässword with spaces";

/// The mail server; it ends with its owner.
#[derive(Debug)]
pub struct MailServer {
    folder: TempDir,
    port: HeldPort,
    child: Child,
}

impl MailServer {
    /// Starts one on a free port. Blocks its thread until it is ready.
    ///
    /// # Panics
    /// When its packages are not installed, or it does not start.
    pub fn start() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), HeldPort::free());
        let peers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers");
        assert!(
            peers.join("node_modules/smtp-server").is_dir(),
            "{} has no packages: `cargo xtask test` installs them, and so does `npm ci` there",
            peers.display()
        );
        let mut child = Command::new("node")
            .arg("smtp-server.mjs")
            .arg(port.number().to_string())
            .arg(folder.path().join("mails"))
            .args([MAIL_USER, MAIL_PASSWORD])
            .current_dir(&peers)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node could not be started: `cargo xtask doctor` says how to get it");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready "), "the mail server did not start: {line:?}");
        Self { folder, port, child }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Every mail that it took so far: `from`, `to` and `text`.
    pub fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("mails")).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Its mails, once there are so many.
    ///
    /// # Panics
    /// When there are not in time.
    pub async fn has_taken(&self, count: usize) -> Vec<Value> {
        let enough = || async { Some(self.mails()).filter(|mails| mails.len() >= count) };
        eventually(&format!("{count} mails arrive"), enough).await
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
