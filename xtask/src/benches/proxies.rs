//! The servers of a measurement: an upstream and the proxies before it, each one process, pinned to a core.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{processes, servers::free_port};

/// The core of wrk and of the upstream.
pub(super) const LOAD_CORE: &str = "0";
/// The core of the proxies, of which one is at work at a time.
const PROXY_CORE: &str = "1";

/// How long a proxy may take to load its credentials and to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the upstream answers: about 100 bytes.
const ANSWER: &str = r#"
    default_type application/json;
    location / { return 200 '{"id":"ord_0198c0a5","state":"shipped","items":3,"total":"129.90","currency":"EUR","note":"at the door"}'; }
"#;

/// One of the proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// nginx as a plain proxy.
    Nginx,
    /// Forecourt with one credential.
    One,
    /// Forecourt with many.
    Many,
}

/// All servers, started; dropping them stops them.
pub(super) struct Proxies {
    folder: PathBuf,
    nginx: Server,
    one: Server,
    many: Server,
    /// Held so that it runs as long as the proxies before it.
    _upstream: Server,
}

impl Proxies {
    /// Builds the gateway as it is released and starts everything on free ports of 127.0.0.1.
    pub(super) fn start(credentials: usize) -> Result<Self, String> {
        println!("== bench: building the gateway as it is released");
        processes::run(processes::cargo().arg("build").args(EXAMPLE))?;
        let folder = std::env::temp_dir().join(format!("forecourt-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        println!("== bench: starting upstream, nginx, and two gateways");
        let upstream = nginx(&folder, "upstream", LOAD_CORE, "", ANSWER)?;
        let behind = upstream.port;
        let pool = format!(
            "upstream behind {{ server 127.0.0.1:{behind}; keepalive 64; keepalive_requests 1000000000; }}"
        );
        let forward = "location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }";
        Ok(Self {
            nginx: nginx(&folder, "proxy", PROXY_CORE, &pool, forward)?,
            one: gateway(1, behind)?,
            many: gateway(credentials, behind)?,
            _upstream: upstream,
            folder,
        })
    }

    /// Where a proxy listens, and its process.
    pub(super) fn port_and_process(&self, which: Which) -> (u16, u32) {
        let server = match which {
            Which::Nginx => &self.nginx,
            Which::One => &self.one,
            Which::Many => &self.many,
        };
        (server.port, server.process.id())
    }

    /// A folder for scratch files, removed with the servers.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

/// A process that listens on a port; dropping it stops it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts `command`, pinned to a core, and waits until it listens on `port`.
    fn start(core: &str, command: &[&str], port: u16) -> Result<Self, String> {
        let process = Command::new("taskset")
            .args(["-c", core])
            .args(command)
            .current_dir(crate::paths::root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("taskset could not be started: {error}"))?;
        // From here on every way out stops the process.
        let mut server = Self { process, port };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    #[expect(clippy::disallowed_methods, reason = "a server in another process is awaited by asking again")]
    fn wait_until_it_listens(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("a server of the measurement ended at once ({status})"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("port {} did not accept connections within {} s", self.port, PATIENCE.as_secs()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("process {} could not be stopped: {error}", self.process.id());
        }
    }
}

/// nginx as one process with one worker, its files in `folder`.
fn nginx(folder: &Path, name: &str, core: &str, outside: &str, inside: &str) -> Result<Server, String> {
    let port = free_port()?;
    let scratch = folder.join(name);
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let file = scratch.join("nginx.conf");
    fs::write(&file, nginx_settings(port, outside, inside, &scratch))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let (file, scratch) = (file.display().to_string(), scratch.display().to_string());
    Server::start(core, &["nginx", "-e", "stderr", "-p", &scratch, "-c", &file], port)
}

fn nginx_settings(port: u16, outside: &str, inside: &str, scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {scratch}/pid; error_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
         access_log off; keepalive_requests 1000000000;\n\
         client_body_temp_path {scratch}/a; proxy_temp_path {scratch}/b; fastcgi_temp_path {scratch}/c;\n\
         uwsgi_temp_path {scratch}/d; scgi_temp_path {scratch}/e;\n\
         {outside}\n\
         server {{ listen 127.0.0.1:{port}; {inside} }}\n\
         }}\n"
    )
}

/// How cargo names the gateway of the measurement.
const EXAMPLE: [&str; 6] =
    ["--release", "--locked", "--package", "forecourt-gateway", "--example", "bench_gateway"];

/// Forecourt's gateway with `credentials` keys before an upstream.
fn gateway(credentials: usize, upstream: u16) -> Result<Server, String> {
    let port = free_port()?;
    let (listen, upstream) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{upstream}"));
    let credentials = credentials.to_string();
    let cargo = processes::cargo();
    let cargo = cargo.get_program().to_string_lossy();
    // On Unix taskset becomes cargo, and `cargo run` becomes the program: the process stays the same.
    let mut command = vec![cargo.as_ref(), "run", "--quiet"];
    command.extend(EXAMPLE);
    command.extend(["--", "--listen", &listen, "--upstream", &upstream, "--credentials", &credentials]);
    Server::start(PROXY_CORE, &command, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_listens_on_loopback_alone_and_keeps_its_files_together() {
        let settings = nginx_settings(4711, "", "location / {}", Path::new("/scratch"));
        assert!(settings.contains("listen 127.0.0.1:4711;"));
        assert_eq!(settings.matches("listen ").count(), 1);
        assert!(settings.contains("pid /scratch/pid;"));
    }
}
