//! A private PostgreSQL for one test run: its own folder, its own port on 127.0.0.1, gone afterwards.
//!
//! The server is the child of a small shell whose standard input is a pipe from here. When this process ends,
//! in whatever way (a failure, SIGTERM, even SIGKILL), the pipe closes and the shell stops the server and
//! removes its folder. Nothing has to be cleaned up by hand and no signal has to be caught.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    debian,
    processes::{self, find},
};

/// Runs until its standard input closes; the log is kept only while the server runs.
const WATCH: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -h 127.0.0.1 -p "$3" \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=300 \
    >"$2/log" 2>&1 </dev/null &
server=$!
trap '' HUP INT TERM
read -r _
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// The same for a server that is killed on purpose: it keeps what it acknowledged, and is started again when it dies.
const WATCH_AND_REVIVE: &str = r#"
revive() {
    while [ ! -e "$2/stop" ]; do
        "$1/postgres" -D "$2/data" -k "$2" -h 127.0.0.1 -p "$3" -c max_connections=300 >>"$2/log" 2>&1 </dev/null
    done
}
revive "$1" "$2" "$3" &
server=$!
trap '' HUP INT TERM
read -r _
touch "$2/stop"
kill -INT "$(head -n 1 "$2/data/postmaster.pid")"
wait "$server"
rm -rf "$2"
"#;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running PostgreSQL; dropping it stops the server and waits until it is gone.
pub(crate) struct Postgres {
    watch: Child,
    port: u16,
    folder: PathBuf,
}

impl Postgres {
    /// Finds or installs PostgreSQL, makes an empty cluster and starts it.
    pub(crate) fn start() -> Result<Self, String> {
        Self::start_with(WATCH)
    }

    /// The same, on a disk that it waits for, and started again whenever it dies.
    pub(crate) fn start_to_be_killed() -> Result<Self, String> {
        Self::start_with(WATCH_AND_REVIVE)
    }

    fn start_with(watch: &str) -> Result<Self, String> {
        let binaries = binaries()?;
        let account = account()?;
        let folder = private_folder(account)?;
        let started = initialise(&binaries, &folder, account)
            .and_then(|()| Self::launch(watch, &binaries, &folder, account));
        if started.is_err() {
            // Already failing: the error that led here says more than one about the folder.
            drop(fs::remove_dir_all(&folder));
        }
        started
    }

    /// Where tests find it; they make a database each.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where its files are: the log, and under `data` its process id.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn launch(watch: &str, binaries: &Path, folder: &Path, account: Option<Account>) -> Result<Self, String> {
        let port = free_port()?;
        let watch = as_account(&mut Command::new("sh"), account)
            .args(["-c", watch, "sh"])
            .args([binaries, folder])
            .arg(port.to_string())
            .current_dir(folder)
            // Its own process group: an interrupt at the terminal must not reach the server before the tests end.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("sh could not be started: {error}"))?;
        let mut server = Self { watch, port, folder: folder.to_owned() };
        server.wait_until_ready(folder)?;
        Ok(server)
    }

    #[expect(clippy::disallowed_methods, reason = "a server in another process is awaited by asking again")]
    fn wait_until_ready(&mut self, folder: &Path) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            if log.contains("ready to accept connections")
                && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            {
                return Ok(());
            }
            if log.contains("FATAL") {
                return Err(format!("PostgreSQL did not start:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL was not ready within {} s:\n{log}", PATIENCE.as_secs()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        if let Err(error) = self.watch.wait() {
            eprintln!("PostgreSQL on port {} could not be awaited: {error}", self.port);
        }
    }
}

/// A user to run the server as; PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    user: u32,
    group: u32,
}

/// The account for the server when we are root, `None` when we are not and stay who we are.
fn account() -> Result<Option<Account>, String> {
    if !debian::is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    ["postgres", "nobody"].into_iter().find_map(|name| account_of(&users, name)).map(Some).ok_or_else(|| {
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody".to_owned()
    })
}

fn account_of(users: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Account { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

fn as_account(command: &mut Command, account: Option<Account>) -> &mut Command {
    match account {
        Some(Account { user, group }) => command.uid(user).gid(group),
        None => command,
    }
}

/// The folder that holds `postgres` and `initdb`, of the newest version that is installed.
fn binaries() -> Result<PathBuf, String> {
    if let Some(folder) = installed() {
        return Ok(folder);
    }
    println!("-- PostgreSQL is missing (half of the tests run on it)");
    if debian::is_root() && find("apt-get").is_some() {
        // Without this Debian would start a cluster of its own.
        let settings = Path::new("/etc/postgresql-common/createcluster.conf");
        if !settings.exists() {
            fs::create_dir_all("/etc/postgresql-common")
                .and_then(|()| fs::write(settings, "create_main_cluster = false\n"))
                .map_err(|error| format!("{}: {error}", settings.display()))?;
        }
    }
    debian::install("postgresql")?;
    installed().ok_or_else(|| {
        "postgresql is installed, but its programs are not under /usr/lib/postgresql".to_owned()
    })
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("postgres").is_file() && folder.join("initdb").is_file())
        .collect();
    folders.sort();
    let on_path = || find("postgres").filter(|_| find("initdb").is_some())?.parent().map(Path::to_path_buf);
    folders.pop().map(|(_, folder)| folder).or_else(on_path)
}

fn private_folder(account: Option<Account>) -> Result<PathBuf, String> {
    let folder = std::env::temp_dir().join(format!("forecourt-postgres-{}", std::process::id()));
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir(&folder).map_err(problem)?;
    if let Some(Account { user, group }) = account {
        chown(&folder, Some(user), Some(group)).map_err(problem)?;
    }
    Ok(folder)
}

fn initialise(binaries: &Path, folder: &Path, account: Option<Account>) -> Result<(), String> {
    let mut command = Command::new(binaries.join("initdb"));
    command
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(folder.join("data"))
        .current_dir(folder);
    processes::output(as_account(&mut command, account)).map(drop)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_by_its_whole_name() {
        let users = "postgres2:x:1:2::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(account_of(users, "postgres"), Some(Account { user: 101, group: 104 }));
        assert_eq!(account_of(users, "nobody"), None);
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}
