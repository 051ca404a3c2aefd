//! What the binary is asked to do: `serve`, `gateway`, `demo`, `migrate`, `config`.
//!
//! Invariant: standard output carries what a command was asked to print and nothing else; `serve` and
//! `gateway` print exactly one line there, `ready {json}`. Everything else goes to standard error. A failure ends with code 1 and one sentence.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    config::Settings,
    demo,
    gateway_node::{self, GatewayOptions},
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
    /// Make the database, or bring its schema up to date, and end.
    Migrate(ConfigFile),
    /// Print the settings that are in force, with secrets masked.
    Config(ConfigFile),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// Settings in YAML; FORECOURT__… in the environment wins over it [default: none].
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
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
    let outcome = telemetry::start(default_log).and_then(|()| execute(command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tell(&format!("forecourt: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), String> {
    match command {
        Command::Config(config) => print(&settings(&config)?.masked().to_yaml().map_err(text)?),
        Command::Migrate(config) => {
            let settings = settings(&config)?;
            runtime()?.block_on(serve::open_store(&settings)).map_err(text)?;
            print(&format!("the database {} is up to date\n", location(&settings)))
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

async fn serve_until_stopped(settings: &Settings) -> Result<(), String> {
    let mut stop = StopSignal::new()?;
    let server = serve::start(settings, serve::system_clock()).await.map_err(text)?;
    announce(&server)?;
    if let Some(password) = &server.first_password {
        tell(&format!(
            "The first administrator is {:?} with the one-time password {password}",
            settings.bootstrap.admin_username
        ));
    }
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
    match settings.location() {
        forecourt_store::Location::Sqlite(path) => path.display().to_string(),
        forecourt_store::Location::Postgres(url) => crate::config::mask_password(&url),
    }
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
