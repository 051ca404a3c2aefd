//! Requests that [schemathesis](https://schemathesis.readthedocs.io) makes from OpenAPI documents, sound ones and
//! others: the answers must be what the documents say.
//!
//! `peers/schemathesis/run.py` says what is checked, what is left out, and why.

use std::{path::Path, time::Duration};

use forecourt_it::{Forecourt, installations::ADMIN_PASSWORD, python_tools};
use tempfile::TempDir;
use tokio::process::Command;

/// How long a run may take on a busy machine; it takes a small part of it.
const PATIENCE: Duration = Duration::from_secs(300);

/// An installation where failed token checks, of which a run makes hundreds, are all answered plainly.
async fn installation() -> Forecourt {
    Forecourt::start_with(|settings| {
        settings.security.failed_sign_ins.per_account = 1_000_000;
        settings.security.failed_sign_ins.per_address = 1_000_000;
    })
    .await
}

/// Runs `run.py` with what it is told; its code must be 0.
async fn run(f: &Forecourt, name: &str, rest: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/schemathesis/run.py");
    let mut command = Command::new(python_tools::program("schemathesis", "python"));
    command.arg(script).arg(name).arg(f.guest().base()).arg(f.portal_api_guest().base()).args(rest);
    command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("a run that ends in time").unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{told}\n{complained}", output.status);
}

/// Tries every operation of the document `name`.
async fn try_every_operation(name: &str) {
    let f = installation().await;
    f.admin().await.get("/api/me").await.expect(200);
    let folder = TempDir::new().unwrap();
    run(&f, name, &[ADMIN_PASSWORD, &folder.path().display().to_string()]).await;
}

#[tokio::test]
async fn both_documents_are_valid_openapi() {
    let f = installation().await;
    run(&f, "validate", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_api_answers_made_up_requests_as_its_document_says() {
    try_every_operation("admin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_portal_api_answers_made_up_requests_as_its_document_says() {
    try_every_operation("portal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_portal_api_answers_made_up_requests_as_the_published_document_says() {
    try_every_operation("published").await;
}
