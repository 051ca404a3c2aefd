//! Minutes of load while everything changes: `cargo xtask soak [MINUTES]`, 10 unless told.
//!
//! The work is done by an example of `forecourt-it` against the binary; this installs what makes the load.

use crate::{assets, debian, doctor, processes};

/// Builds and runs it; an error where a caller met one, or where memory grew.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    debian::require("nginx", "nginx-light", "it is the upstream")?;
    debian::require("wrk", "wrk", "it makes the load over HTTP/1.1")?;
    debian::require("h2load", "nghttp2-client", "it makes the load over HTTP/2")?;
    processes::run(processes::cargo().args(["build", "--locked", "--package", "forecourt"]))?;
    let run = ["run", "--locked", "--package", "forecourt-it", "--example", "soak", "--"];
    processes::run(processes::cargo().args(run).args(arguments))
}
