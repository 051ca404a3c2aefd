//! Everything that is checked without running the product: `cargo xtask check`.

use crate::{assets, dependencies, deploy, doctor, processes, tidy};

/// Runs all checks in order of their price and stops at the first that fails.
pub(crate) fn run() -> Result<(), String> {
    println!("== check: toolchain");
    doctor::run()?;
    println!("== check: formatting");
    processes::run(processes::cargo().args(["fmt", "--all", "--", "--check"]))
        .map_err(|error| format!("{error}; `make fmt` mends it"))?;
    println!("== check: tidy");
    tidy::run()?;
    // Its judges come as programs, and not for every machine.
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        deploy::lint()?;
    } else {
        println!("-- deploy/ is not checked here: its tools are for Linux on x86-64");
    }
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
