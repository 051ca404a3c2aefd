//! Three nodes under load while everything dies in turn: `cargo xtask storm [MINUTES]`, 5 unless told.
//!
//! The work is done by an example of `forecourt-it` against the binary; this builds both, and gives them a PostgreSQL
//! that keeps what it acknowledged and comes back when it is killed. With `--sqlite` before the minutes the run is on
//! SQLite, with one control plane.

use crate::{assets, doctor, processes, servers::Postgres};

/// Builds and runs it; an error where a promise was broken.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    processes::run(processes::cargo().args(["build", "--locked", "--package", "forecourt"]))?;
    let (is_sqlite, rest) = match arguments {
        [first, rest @ ..] if first == "--sqlite" => (true, rest),
        all => (false, all),
    };
    let mut command = processes::cargo();
    command.args(["run", "--locked", "--package", "forecourt-it", "--example", "storm", "--"]).args(rest);
    if is_sqlite {
        return processes::run(&mut command);
    }
    let postgres = Postgres::start_to_be_killed()?;
    command.env("FORECOURT_TEST_DATABASE", postgres.url()).env("FORECOURT_STORM_POSTGRES", postgres.folder());
    processes::run(&mut command)
}
