//! Questions about 90 days of usage: `cargo xtask bench usage [MILLIONS]`, with 100 million calls unless told.
//!
//! The work is done by an example of `forecourt-it`, on SQLite, and on PostgreSQL where the variable that stories read
//! names a server.

use crate::{assets, doctor, processes};

/// Builds and runs it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    let run = ["run", "--release", "--locked", "--package", "forecourt-it", "--example", "usage", "--"];
    processes::run(processes::cargo().args(run).args(arguments))
}
