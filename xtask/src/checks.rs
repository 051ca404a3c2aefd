//! Everything that is checked without running the product: `cargo xtask check`.

use crate::{assets, dependencies, doctor, processes, tidy};

/// Runs all checks in order of their price and stops at the first that fails.
pub(crate) fn run() -> Result<(), String> {
    println!("== check: toolchain");
    doctor::run()?;
    println!("== check: formatting");
    processes::run(processes::cargo().args(["fmt", "--all", "--", "--check"]))
        .map_err(|error| format!("{error}; `make fmt` mends it"))?;
    println!("== check: tidy");
    tidy::run()?;
    // The crate of the pages embeds the built assets, so it compiles only with them.
    assets::run()?;
    println!("== check: clippy");
    processes::run(processes::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    println!("== check: dependencies");
    dependencies::run()
}
