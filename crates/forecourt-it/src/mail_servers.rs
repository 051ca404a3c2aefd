//! A real mail server, as a process of node. It takes mail from one user alone.

use std::process::Child;

use serde_json::Value;
use tempfile::TempDir;

use crate::{HeldPort, deadlines::eventually, node_peers};

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
        let mut command = node_peers::command("smtp-server.mjs", "smtp-server");
        command
            .arg(port.number().to_string())
            .arg(folder.path().join("mails"))
            .args([MAIL_USER, MAIL_PASSWORD]);
        let (child, mut said) = node_peers::start(&mut command);
        node_peers::ready("the mail server", &mut said);
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
