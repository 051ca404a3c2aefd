//! What the binary is asked to do: `serve`, `gateway`, `demo`, `migrate`, `backup`, `restore`, `config`, `audit verify`,
//! `master-key`, `administrator`.
//!
//! Invariant: standard output carries what a command was asked to print and nothing else; `serve` and
//! `gateway` print exactly one line there, `ready {json}`. Everything else goes to standard error. A failure ends with code 1 and one sentence.

#[cfg(test)]
mod documentation;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use forecourt_store::Location;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    administrators,
    audit_verifying::{self, Noted},
    backups::{self, Copied},
    config::Settings,
    demo,
    gateway_node::{self, GatewayOptions},
    master_key::rotating::{self, NewKey},
    panics,
    serve::{self, Server},
    telemetry,
};

/// Forecourt: an API developer portal and its gateway in one program.
#[derive(Debug, Parser)]
#[command(name = "forecourt", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything: console, Admin API, Portal API, site, gateway.
    Serve(ConfigFile),
    /// Run a gateway on this machine that a control plane elsewhere feeds.
    Gateway(Box<GatewayOptions>),
    /// Run everything with sample data and a sample upstream, to look around.
    Demo(DemoOptions),
    /// Make the database, or bring its schema up to date, and end; with --to, copy it to another engine.
    Migrate(MigrateOptions),
    /// Write everything that the database holds to a file, while others serve from it.
    Backup(BackupOptions),
    /// Put what a backup holds into an empty database.
    Restore(RestoreOptions),
    /// Print the settings that are in force, with secrets masked.
    Config(ConfigFile),
    /// The key under which everything secret is sealed.
    #[command(subcommand)]
    MasterKey(MasterKeyCommand),
    /// The record of what was changed.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Who may open the console.
    #[command(subcommand)]
    Administrator(AdministratorCommand),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Tell whether the audit log is as it was written; ends with code 1 where it is not.
    Verify {
        #[command(flatten)]
        config: ConfigFile,
        /// An end that an earlier verification told, NUMBER:HASH, which must still be there.
        #[arg(long, value_name = "NUMBER:HASH")]
        noted: Option<Noted>,
    },
}

#[derive(Debug, Subcommand)]
enum AdministratorCommand {
    /// Give an administrator a one-time password, which is printed, while others serve; for when nobody can do it in the console.
    ResetPassword {
        #[command(flatten)]
        config: ConfigFile,
        /// The user name, exactly.
        username: String,
    },
}

#[derive(Debug, Subcommand)]
enum MasterKeyCommand {
    /// Tell which keys there are, and what is still sealed under older ones.
    Status(ConfigFile),
    /// Change the master key and seal everything anew, while others serve; run it again to go on.
    Rotate {
        #[command(flatten)]
        config: ConfigFile,
        /// The file of the new key: 64 hex digits [default: a fresh one in data_dir/master.key].
        #[arg(long, value_name = "FILE", conflicts_with = "new_key_command")]
        new_key_file: Option<PathBuf>,
        /// The program that prints the new key, and its arguments.
        #[arg(long, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
        new_key_command: Vec<String>,
    },
    /// Give a change of the master key up, while others serve: the key before it stays, and opens everything.
    Abandon {
        #[command(flatten)]
        config: ConfigFile,
        /// The id of the new master key, which will open nothing any more, eight hex digits.
        id: String,
    },
    /// Take away a master key that is not used any more, and the older data keys.
    Retire {
        #[command(flatten)]
        config: ConfigFile,
        /// The id of the old master key, eight hex digits.
        id: String,
    },
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Settings in YAML; FORECOURT__… in the environment wins over it [default: none].
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct MigrateOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// Copy everything to this empty database: postgres://USER:PASSWORD@HOST/NAME, or sqlite:PATH.
    #[arg(long, value_name = "DATABASE", env = "FORECOURT_MIGRATE_TO", hide_env_values = true)]
    to: Option<String>,
    /// Copy also while a process serves from the database; what is written meanwhile is not in the copy.
    #[arg(long, requires = "to")]
    while_serving: bool,
}

#[derive(Debug, Args)]
struct BackupOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// The file to write; one of that name is replaced once the new one is whole.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct RestoreOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// The file that `forecourt backup` wrote.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

#[derive(Debug, Args)]
struct DemoOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// Keep the data in this folder [default: a temporary one, gone at the end].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let command = CommandLine::parse().command;
    let default_log = if matches!(command, Command::Demo(_)) { "warn" } else { "info" };
    keep_memory_off_disks();
    panics::tell_without_data();
    let outcome = telemetry::start(default_log).and_then(|()| execute(command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tell(&format!("forecourt: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// No image of this process is written where it crashes: keys are in it.
fn keep_memory_off_disks() {
    let found = getrlimit(Resource::Core);
    if found.current == Some(0) {
        // A sandbox that sets it may not let it be set again.
        return;
    }
    let allowed = Rlimit { current: Some(0), ..found };
    if let Err(error) = setrlimit(Resource::Core, allowed) {
        tell(&format!(
            "forecourt: a crash could leave an image of the memory, keys included, on a disk: {error}"
        ));
    }
}

fn execute(command: Command) -> Result<(), String> {
    match command {
        Command::Config(config) => print(&settings(&config)?.masked().to_yaml().map_err(text)?),
        Command::Migrate(options) => migrate(&options),
        Command::Backup(options) => {
            let settings = settings(&options.config)?;
            let now = serve::system_clock()();
            let done = runtime()?.block_on(backups::backup(&settings, &options.to, now)).map_err(text)?;
            let told = counted(done);
            print(&format!("{told} of {} are in {}\n", location(&settings), options.to.display()))
        }
        Command::Restore(options) => {
            let settings = settings(&options.config)?;
            let done = runtime()?.block_on(backups::restore(&settings, &options.from)).map_err(text)?;
            let told = counted(done);
            print(&format!("{told} of {} are in {}\n", options.from.display(), location(&settings)))
        }
        Command::Audit(AuditCommand::Verify { config, noted }) => {
            let settings = settings(&config)?;
            let mut lines = Vec::new();
            let outcome = runtime()?.block_on(audit_verifying::verify(&settings, noted.as_ref(), |line| {
                lines.push(print(&format!("{line}\n")));
            }));
            lines.into_iter().collect::<Result<(), _>>()?;
            print(&outcome?)
        }
        Command::Administrator(AdministratorCommand::ResetPassword { config, username }) => {
            print(&runtime()?.block_on(administrators::reset_password(&settings(&config)?, &username))?)
        }
        Command::MasterKey(command) => {
            let told = match &command {
                MasterKeyCommand::Status(config) => runtime()?.block_on(rotating::status(&settings(config)?)),
                MasterKeyCommand::Rotate { config, new_key_file, new_key_command } => {
                    own_option(new_key_command)?;
                    let new = NewKey::of(new_key_file.as_deref(), new_key_command);
                    runtime()?.block_on(rotating::rotate(&settings(config)?, &new))
                }
                MasterKeyCommand::Abandon { config, id } => {
                    runtime()?.block_on(rotating::abandon(&settings(config)?, id))
                }
                MasterKeyCommand::Retire { config, id } => {
                    runtime()?.block_on(rotating::retire(&settings(config)?, id))
                }
            };
            print(&told?)
        }
        Command::Serve(config) => {
            let settings = settings(&config)?;
            runtime()?.block_on(serve_until_stopped(&settings))
        }
        Command::Gateway(options) => runtime()?.block_on(follow_until_stopped(*options)),
        Command::Demo(options) => {
            let settings = settings(&options.config)?;
            runtime()?.block_on(demo_until_stopped(settings, options.data_dir.as_deref()))
        }
    }
}

/// Refuses what follows `--new-key-command` and is meant for this program: all of it goes to the other one.
fn own_option(new_key_command: &[String]) -> Result<(), String> {
    let is_ours = |argument: &String| argument == "--config" || argument.starts_with("--config=");
    match new_key_command.iter().any(is_ours) {
        true => Err("--new-key-command takes all that follows it: put --config before it".into()),
        false => Ok(()),
    }
}

fn migrate(options: &MigrateOptions) -> Result<(), String> {
    let settings = settings(&options.config)?;
    let Some(to) = &options.to else {
        runtime()?.block_on(serve::open_store(&settings)).map_err(text)?;
        return print(&format!("the database {} is up to date\n", location(&settings)));
    };
    let target = target(to)?;
    let done = runtime()?.block_on(backups::copy(&settings, &target, options.while_serving)).map_err(text)?;
    print(&format!(
        "{} of {} are in {}, each compared; keep the master key, and set database.url\n",
        counted(done),
        location(&settings),
        backups::shown(&target)
    ))
}

/// The database that `--to` names.
fn target(to: &str) -> Result<Location, String> {
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| to.starts_with(scheme));
    match to.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        Some(path) => Ok(Location::Sqlite(path.into())),
        None if is_postgres => Ok(Location::Postgres(to.to_owned())),
        None => Err("--to must be postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH".into()),
    }
}

fn counted(copied: Copied) -> String {
    format!("{} rows in {} tables", copied.rows, copied.tables)
}

async fn serve_until_stopped(settings: &Settings) -> Result<(), String> {
    let mut stop = StopSignal::new()?;
    let tell_password = |password: &str| {
        let name = &settings.bootstrap.admin_username;
        tell(&format!("The first administrator is {name:?} with the one-time password {password}"));
    };
    let server = serve::start_telling(settings, serve::system_clock(), tell_password).await.map_err(text)?;
    announce(&server)?;
    tracing::info!(version = serve::VERSION, "ready");
    stop.wait().await;
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn follow_until_stopped(options: GatewayOptions) -> Result<(), String> {
    let mut stop = StopSignal::new()?;
    let mut node = gateway_node::start(options).await?;
    let ready = tokio::select! {
        ready = node.open() => Some(ready?),
        () = stop.wait() => None,
    };
    if let Some(ready) = ready {
        print(&format!("ready {ready}\n"))?;
        tracing::info!(version = serve::VERSION, "ready");
        stop.wait().await;
    }
    tracing::info!("stopping");
    node.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn demo_until_stopped(settings: Settings, data_dir: Option<&Path>) -> Result<(), String> {
    let mut stop = StopSignal::new()?;
    let demo = demo::start(settings, data_dir).await?;
    announce(&demo.server)?;
    tell(&demo.guide);
    stop.wait().await;
    demo.stop().await;
    Ok(())
}

/// Prints the one line that scripts wait for.
fn announce(server: &Server) -> Result<(), String> {
    let addresses = serde_json::to_string(&server.addresses).map_err(text)?;
    print(&format!("ready {addresses}\n"))
}

/// SIGTERM or SIGINT, heard from the moment that this is made.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be heard: {error}"));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn settings(config: &ConfigFile) -> Result<Settings, String> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings::load(config.file.as_deref(), environment).map_err(text)
}

fn location(settings: &Settings) -> String {
    backups::shown(&settings.location())
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime could be started: {error}"))
}

fn print(output: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| format!("standard output cannot be written: {error}"))
}

/// To people, on standard error; where that is closed nobody listens.
fn tell(message: &str) {
    let _written = writeln!(std::io::stderr(), "{message}");
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
