//! Measurements that the test harness makes against whole installations: `cargo xtask bench usage`, `… portal`,
//! `… idle`, `… revocations` and `… start`.
//!
//! Each is an example of `forecourt-it`, on SQLite, and on PostgreSQL where the variable that stories read names a
//! server. Where the installation is a process of its own, that process is optimised and what drives it is not, since
//! only the former is measured.

use std::process::Command;

use crate::{assets, doctor, paths, processes, servers::Postgres};

/// Questions about 90 days of usage, with 100 million calls unless told: builds and runs it.
pub(crate) fn usage(arguments: &[String]) -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    let run = ["run", "--release", "--locked", "--package", "forecourt-it", "--example", "usage", "--"];
    processes::run(processes::cargo().args(run).args(arguments))
}

/// A portal of 10,000 applications under 200 requests a second, for 30 seconds unless told.
pub(crate) fn portal(arguments: &[String]) -> Result<(), String> {
    against_the_binary(&["--example", "portal", "--"], arguments)
}

/// How soon the same portal is ready, and what it holds when nobody asks for anything: on SQLite, then on a PostgreSQL of
/// its own.
pub(crate) fn idle() -> Result<(), String> {
    build()?;
    let run = || example(&["--example", "portal", "--", "idle"], &[]);
    processes::run(run().env_remove(DATABASE))?;
    let postgres = Postgres::start()?;
    processes::run(run().env(DATABASE, postgres.url()))
}

/// How long three nodes serve a credential that was revoked, 1,000 times unless told.
pub(crate) fn revocations(arguments: &[String]) -> Result<(), String> {
    against_the_binary(&["--example", "storm", "--", "latency"], arguments)
}

/// How long a node with 1,000,000 credentials, unless told, takes to start.
pub(crate) fn start(arguments: &[String]) -> Result<(), String> {
    against_the_binary(&["--example", "node_start", "--"], arguments)
}

/// Names the server of the stories.
const DATABASE: &str = "FORECOURT_TEST_DATABASE";

fn against_the_binary(words: &[&str], arguments: &[String]) -> Result<(), String> {
    build()?;
    processes::run(&mut example(words, arguments))
}

fn build() -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    println!("== bench: building the binary as it is released");
    processes::run(processes::cargo().args(["build", "--release", "--locked", "--package", "forecourt"]))
}

fn example(words: &[&str], arguments: &[String]) -> Command {
    let mut command = processes::cargo();
    command.args(["run", "--locked", "--package", "forecourt-it"]).args(words).args(arguments);
    command.env("FORECOURT_BINARY", paths::target().join("release/forecourt"));
    command
}
