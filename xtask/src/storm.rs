//! Everything dies in turn, and nothing may be lost: `cargo xtask storm [MINUTES]` for gateways, `cargo xtask storm writes
//! [KILLS]` for what is written.
//!
//! The work is done by two examples of `forecourt-it` against the binary; this builds both, and gives them a PostgreSQL
//! that keeps what it acknowledged and comes back when it is killed. With `--sqlite` the run is on SQLite, with one control
//! plane.

use crate::{assets, doctor, processes, servers::Postgres};

/// Builds and runs one of them; an error where a promise was broken.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (example, rest) = match arguments {
        [first, rest @ ..] if first == "writes" => ("write_storm", rest),
        all => ("storm", all),
    };
    doctor::run()?;
    assets::run()?;
    processes::run(processes::cargo().args(["build", "--locked", "--package", "forecourt"]))?;
    let mut command = processes::cargo();
    command.args(["run", "--locked", "--package", "forecourt-it", "--example", example, "--"]);
    command.args(rest.iter().filter(|argument| *argument != "--sqlite"));
    if rest.iter().any(|argument| argument == "--sqlite") {
        return processes::run(&mut command);
    }
    let postgres = Postgres::start_to_be_killed()?;
    command.env("FORECOURT_TEST_DATABASE", postgres.url()).env("FORECOURT_STORM_POSTGRES", postgres.folder());
    processes::run(&mut command)
}
