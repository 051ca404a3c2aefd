//! A real CAS server, as a process of Python.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::python_tools;

/// The server; it ends with its owner. Its one person is `ada` with the password `ada`, see `peers/cas/server.py`.
#[derive(Debug)]
pub struct CasServer {
    _folder: TempDir,
    port: u16,
    child: Child,
}

impl CasServer {
    /// Starts one on a free port. Blocks its thread until it is ready.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers/cas/server.py");
        let mut child = Command::new(python_tools::program("cas", "python"))
            .arg(script)
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the CAS server did not start: {line:?}"));
        Self { _folder: folder, port, child }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cas", self.port)
    }

    /// Ends the process; the port answers nobody then.
    pub fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

impl Drop for CasServer {
    fn drop(&mut self) {
        self.stop();
    }
}
