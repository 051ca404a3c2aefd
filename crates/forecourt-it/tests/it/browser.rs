//! The main job, done by hand in a browser; `scripts/walk.mjs` of the assets is the hand.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use forecourt_it::Forecourt;
use tokio::process::Command;

/// How long the whole walk may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_done_by_hand_in_a_browser() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../forecourt-web/assets");
    assert!(
        assets.join("node_modules/playwright-core").is_dir(),
        "{} has no packages: `cargo xtask assets` installs them",
        assets.display()
    );
    let forecourt = Forecourt::start().await;
    let mut walk = Command::new("node");
    walk.arg("scripts/walk.mjs")
        .current_dir(&assets)
        .env("FORECOURT_READY", serde_json::to_string(forecourt.addresses()).unwrap())
        .env("UPSTREAM", forecourt.upstream().address().to_string())
        .env("CHROMIUM", chromium())
        .env_remove("OUT")
        .env_remove("ADMIN_PASSWORD")
        .stdin(Stdio::null())
        .kill_on_drop(true);

    let walked = tokio::time::timeout(PATIENCE, walk.output()).await;

    let walked = walked.unwrap_or_else(|_| panic!("the walk took longer than {} s", PATIENCE.as_secs()));
    let walked = walked.expect("node could not be started: `cargo xtask doctor` says how to get it");
    let told =
        format!("{}{}", String::from_utf8_lossy(&walked.stdout), String::from_utf8_lossy(&walked.stderr));
    assert!(walked.status.success(), "the walk ended with {}\n{told}", walked.status);
    let arrived = forecourt.upstream().arrived();
    assert!(arrived.iter().any(|call| call.target.starts_with("/payments")), "nothing arrived\n{told}");
    assert!(
        arrived.iter().all(|call| !call.headers.contains_key("apikey")),
        "a key reached the upstream\n{told}"
    );
}

/// The browser under one of the names that distributions give it.
#[expect(
    clippy::disallowed_methods,
    reason = "the search path and the browser are what the environment says"
)]
fn chromium() -> PathBuf {
    if let Some(chosen) = std::env::var_os("CHROMIUM") {
        return chosen.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file());
    found.expect("Chromium is missing: `cargo xtask test` installs it, or CHROMIUM names one")
}
