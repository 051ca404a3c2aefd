//! The servers of a measurement: an upstream and the proxies before it, each one process, pinned to a core.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::peers;
use crate::{processes, servers::free_port};

/// The core of wrk and of the upstream.
pub(super) const LOAD_CORE: &str = "0";
/// The core of the proxies, of which one is at work at a time.
const PROXY_CORE: &str = "1";

/// How long a proxy may take to load its credentials and to listen.
const PATIENCE: Duration = Duration::from_secs(120);

/// One of the proxies; with a number, so many credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// nginx, plain or with a map of keys.
    Nginx(Option<usize>),
    /// HAProxy, plain or with a map of keys.
    Haproxy(Option<usize>),
    /// Forecourt, whose credentials are of one kind.
    Gateway(Method, usize),
    /// Forecourt with API keys, whose calls are held to a plan that they do not reach.
    Limited(usize),
    /// Forecourt with API keys, of which one changes every millisecond.
    Changing(usize),
}

/// How callers prove themselves to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// API keys.
    Key,
    /// User name and password.
    Basic,
    /// Signed tokens.
    Jwt,
}

impl Method {
    /// As products name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key-auth",
            Self::Basic => "basic-auth",
            Self::Jwt => "jwt-auth",
        }
    }

    /// The field that carries it.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::Key => "apikey",
            Self::Basic | Self::Jwt => "authorization",
        }
    }

    /// How many callers can take turns: the first call with a password costs a slow hash, about 20 ms.
    pub(super) const fn most_callers(self) -> usize {
        match self {
            Self::Basic => 128,
            Self::Key | Self::Jwt => usize::MAX,
        }
    }
}

/// What a gateway reported after it took its whole state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    /// Resident bytes before.
    pub(super) resident_empty: u64,
    /// Resident bytes after, with what was only needed to make the state given back.
    pub(super) resident: u64,
    /// How long applying it took.
    pub(super) seconds: f64,
    /// Nanoseconds that half of the decisions take at most; 0 where a decision takes more than one look.
    pub(super) decision_p50: f64,
    /// The same for 99 of 100.
    pub(super) decision_p99: f64,
}

/// All servers, started; dropping them stops them.
pub(super) struct Proxies {
    folder: PathBuf,
    upstream: Server,
    started: Vec<(Proxy, Server)>,
}

impl Proxies {
    /// Builds the gateway as it is released and starts the upstream on a free port of 127.0.0.1.
    pub(super) fn start() -> Result<Self, String> {
        println!("== bench: building the gateway as it is released");
        processes::run(processes::cargo().arg("build").args(EXAMPLE))?;
        let folder = std::env::temp_dir().join(format!("forecourt-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let upstream = nginx(&folder, "upstream", LOAD_CORE, "", peers::ANSWER)?;
        println!("== bench: starting the proxies");
        Ok(Self { upstream, started: Vec::new(), folder })
    }

    /// Starts a proxy that is not running yet.
    pub(super) fn require(&mut self, proxy: Proxy) -> Result<(), String> {
        if self.started.iter().any(|(started, _)| *started == proxy) {
            return Ok(());
        }
        let behind = self.upstream.port;
        let server = match proxy {
            Proxy::Nginx(keys) => {
                let (outside, inside) = peers::nginx_proxy(&self.folder, behind, keys)?;
                nginx(&self.folder, &format!("nginx-{keys:?}"), PROXY_CORE, &outside, &inside)?
            }
            Proxy::Haproxy(keys) => {
                let port = free_port()?;
                let file = self.folder.join(format!("haproxy-{keys:?}.cfg"));
                let settings = peers::haproxy(&self.folder, port, behind, keys)?;
                fs::write(&file, settings).map_err(|error| format!("{}: {error}", file.display()))?;
                Server::start(PROXY_CORE, &["haproxy", "-db", "-f", &file.display().to_string()], port)?
            }
            Proxy::Gateway(..) | Proxy::Limited(_) | Proxy::Changing(_) => self.gateway(proxy)?,
        };
        self.started.push((proxy, server));
        Ok(())
    }

    /// Where a proxy listens, and its process.
    pub(super) fn port_and_process(&self, proxy: Proxy) -> Result<(u16, u32), String> {
        let server = self.started.iter().find(|(started, _)| *started == proxy);
        let (_, server) = server.ok_or_else(|| format!("{proxy:?} was not started"))?;
        Ok((server.port, server.process.id()))
    }

    /// A folder for scratch files, removed with the servers.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file in which a gateway wrote the header values of its callers, one in a line.
    pub(super) fn callers(&self, method: Method, credentials: usize) -> PathBuf {
        self.folder.join(format!("callers-{}-{credentials}", method.name()))
    }

    /// What each gateway with many credentials reported.
    pub(super) fn footprints(&self) -> Result<Vec<(Method, usize, Footprint)>, String> {
        let gateways = self.started.iter().filter_map(|(proxy, _)| match proxy {
            Proxy::Gateway(method, count) if *count > 1 => Some((*method, *count)),
            _ => None,
        });
        gateways
            .map(|(method, count)| {
                let file = self.report(method, count);
                let text =
                    fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                let footprint =
                    footprint_of(&text).ok_or_else(|| format!("{} says {text:?}", file.display()))?;
                Ok((method, count, footprint))
            })
            .collect()
    }

    fn report(&self, method: Method, credentials: usize) -> PathBuf {
        self.folder.join(format!("report-{}-{credentials}", method.name()))
    }

    /// Forecourt's gateway before the upstream.
    fn gateway(&self, proxy: Proxy) -> Result<Server, String> {
        let (method, count) = match proxy {
            Proxy::Gateway(method, count) => (method, count),
            Proxy::Limited(count) | Proxy::Changing(count) => (Method::Key, count),
            _ => return Err(format!("{proxy:?} is no gateway")),
        };
        let port = free_port()?;
        let (listen, upstream) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", self.upstream.port));
        let credentials = count.to_string();
        let cargo = processes::cargo();
        let cargo = cargo.get_program().to_string_lossy();
        // On Unix taskset becomes cargo, and `cargo run` becomes the program: the process stays the same.
        let mut command = vec![cargo.as_ref(), "run", "--quiet"];
        command.extend(EXAMPLE);
        command.extend(["--", "--listen", &listen, "--upstream", &upstream]);
        command.extend(["--method", method.name(), "--credentials", &credentials]);
        let (callers, report) = (self.callers(method, count), self.report(method, count));
        let (callers, report) = (callers.display().to_string(), report.display().to_string());
        match proxy {
            Proxy::Changing(_) => command.push("--changing"),
            // Its callers and its report are those of the same without a plan.
            Proxy::Limited(_) => command.push("--limited"),
            _ => command.extend(["--callers", &callers, "--report", &report]),
        }
        Server::start(PROXY_CORE, &command, port)
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

/// Five numbers: resident bytes before and after, seconds, and nanoseconds of decisions.
fn footprint_of(text: &str) -> Option<Footprint> {
    let mut numbers = text.split_whitespace();
    Some(Footprint {
        resident_empty: numbers.next()?.parse().ok()?,
        resident: numbers.next()?.parse().ok()?,
        seconds: numbers.next()?.parse().ok()?,
        decision_p50: numbers.next()?.parse().ok()?,
        decision_p99: numbers.next()?.parse().ok()?,
    })
}

/// A process that listens on a port; dropping it stops it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts `command`, pinned to a core, and waits until it listens on `port`.
    fn start(core: &str, command: &[&str], port: u16) -> Result<Self, String> {
        let mut taskset = Command::new("taskset");
        processes::without_own_settings(&mut taskset);
        let process = taskset
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
    fs::write(&file, peers::nginx(port, outside, inside, &scratch))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let (file, scratch) = (file.display().to_string(), scratch.display().to_string());
    Server::start(core, &["nginx", "-e", "stderr", "-p", &scratch, "-c", &file], port)
}

/// How cargo names the gateway of the measurement.
const EXAMPLE: [&str; 6] =
    ["--release", "--locked", "--package", "forecourt-gateway", "--example", "bench_gateway"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_five_numbers() {
        let footprint = footprint_of("100 350 0.25 700 1500\n").unwrap();
        assert_eq!((footprint.resident_empty, footprint.resident), (100, 350));
        assert!(footprint_of("100 350 0.25 700").is_none());
    }
}
