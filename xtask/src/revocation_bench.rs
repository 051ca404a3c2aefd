//! How long a revoked credential is still served: `cargo xtask bench revocations [COUNT]`, 1,000 of them unless told.
//!
//! The work is done by the example `storm` of `forecourt-it` against the binary, both built for release: a control plane
//! on SQLite and three nodes, each a process of its own.

use crate::{assets, doctor, processes};

/// Builds and runs it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    processes::run(processes::cargo().args(["build", "--release", "--locked", "--package", "forecourt"]))?;
    let run =
        ["run", "--release", "--locked", "--package", "forecourt-it", "--example", "storm", "--", "latency"];
    processes::run(processes::cargo().args(run).args(arguments))
}
