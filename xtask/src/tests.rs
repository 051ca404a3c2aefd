//! The whole test run: `cargo xtask test`.
//!
//! Everything runs once on SQLite; what touches the database runs again on a PostgreSQL that lives only as long
//! as the run. Both halves always run; the exit code is that of the worse one.

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use crate::{
    assets, debian, doctor, paths,
    processes::{self, find},
    python_tools,
    servers::Postgres,
};

/// The variable in which tests look for a server; absent, they use SQLite.
const DATABASE: &str = "FORECOURT_TEST_DATABASE";

/// What both halves are made from. Choosing fewer packages would choose other features of what they share, and build
/// it all again; the half on PostgreSQL is chosen by the runner's profile instead.
/// Examples are measurements; that they compile is checked by clippy.
const ALL: [&str; 3] = ["--workspace", "--bins", "--tests"];
/// The profile of `.config/nextest.toml` that runs the crates whose tests touch the database.
const ON_POSTGRES: [&str; 5] = ["--workspace", "--bins", "--tests", "--profile", "postgres"];
/// The same for the plain runner, which knows no profiles.
const PACKAGES_ON_POSTGRES: [&str; 4] = ["--package", "forecourt-store", "--package", "forecourt-it"];

/// Runs all tests; `arguments` choose among them as the runner's own command line does.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let started = Instant::now();
    let outcome = prepare().and_then(|()| halves(arguments));
    let seconds = started.elapsed().as_secs();
    match outcome {
        Ok([0, 0]) => {
            println!("== test: passed on SQLite and on PostgreSQL after {seconds} s");
            ExitCode::SUCCESS
        }
        Ok([sqlite, postgres]) => {
            println!(
                "== test: FAILED after {seconds} s (SQLite: code {sqlite}, PostgreSQL: code {postgres})"
            );
            ExitCode::from(u8::try_from(sqlite.max(postgres)).unwrap_or(1))
        }
        Err(message) => {
            eprintln!("xtask test: {message}");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<(), String> {
    println!("== test: toolchain");
    doctor::run()?;
    assets::run()?;
    // The identity providers that stories register clients and sign in at.
    assets::install(&paths::root().join("crates/forecourt-it/peers"), "peers of the stories")?;
    // The judge of the SCIM service.
    python_tools::install(&paths::root().join("crates/forecourt-it/peers/scim/requirements.txt"), "scim")?;
    // The CAS server that stories sign in at.
    python_tools::install(&paths::root().join("crates/forecourt-it/peers/cas/requirements.txt"), "cas")?;
    // What tries every operation of the OpenAPI documents.
    let requirements = paths::root().join("crates/forecourt-it/peers/schemathesis/requirements.txt");
    python_tools::install(&requirements, "schemathesis")?;
    // Names under which Debian, Ubuntu and others install it.
    if ["chromium", "chromium-browser", "google-chrome"].into_iter().all(|name| find(name).is_none()) {
        debian::require("chromium", "chromium", "the browser test walks both sites with it")?;
    }
    debian::require("slapd", "slapd", "administrators sign in through a directory")?;
    debian::require("redis-server", "redis-server", "gateways share what they count in one")
}

/// The exit codes of the runs on SQLite and on PostgreSQL.
fn halves(arguments: &[String]) -> Result<[i32; 2], String> {
    // The stories of the process run the binary itself, which a test build alone does not make.
    println!("== test: the binary, and the tests");
    processes::run(processes::cargo().args(["build", "--locked"]).args(ALL))?;
    let runner = Runner::found();
    println!("== test: all crates, on SQLite");
    let sqlite = processes::exit_code(runner.command(&ALL, arguments).env_remove(DATABASE))?;
    println!("== test: store and stories, on PostgreSQL");
    let postgres = Postgres::start()?;
    println!("   {}", postgres.url());
    let chosen = runner.on_postgres();
    let code = processes::exit_code(runner.command(chosen, arguments).env(DATABASE, postgres.url()))?;
    Ok([sqlite, code])
}

/// What runs the tests.
#[derive(Clone, Copy)]
enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    fn found() -> Self {
        let beside_cargo = || processes::output(processes::cargo().arg("--list"));
        if find("cargo-nextest").is_some() || beside_cargo().is_ok_and(|list| list.contains(" nextest")) {
            return Self::Nextest;
        }
        println!("-- cargo-nextest is missing: using cargo test, which is slower");
        println!("   (`cargo install cargo-nextest --locked` gets it)");
        Self::Cargo
    }

    /// The tests that touch the database.
    const fn on_postgres(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => &ON_POSTGRES,
            Self::Cargo => &PACKAGES_ON_POSTGRES,
        }
    }

    /// The run of the tests of `packages` that `arguments` choose.
    fn command(self, packages: &[&str], arguments: &[String]) -> Command {
        let mut command = processes::cargo();
        match self {
            Self::Nextest => {
                command.args(["nextest", "run", "--locked"]).args(packages).args(arguments);
                // A choice may leave one half without tests; a run of everything may not.
                if !arguments.is_empty() {
                    command.arg("--no-tests=pass");
                }
            }
            Self::Cargo => {
                command.args(["test", "--locked", "--no-fail-fast"]).args(packages).args(arguments);
            }
        }
        command.current_dir(paths::root());
        command
    }
}
