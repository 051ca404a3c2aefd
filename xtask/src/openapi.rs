//! `cargo xtask openapi`: writes the OpenAPI documents that the code describes into `docs/openapi`.
//!
//! The test that compares them writes them where it is asked to: there is one program that knows how they are made.

use crate::processes;

/// Asks the test to write instead of to compare.
const RENEW: &str = "FORECOURT_RENEW_OPENAPI";

/// Renews both documents.
pub(crate) fn run() -> Result<(), String> {
    let test = [
        "test",
        "--locked",
        // All packages, so that what they share is built as for the other tests.
        "--workspace",
        "--lib",
        "the_documents_are_those_of_the_repository",
    ];
    processes::run(processes::cargo().args(test).env(RENEW, "yes"))?;
    println!("== openapi: docs/openapi/admin.json and docs/openapi/portal.json are as the code says");
    Ok(())
}
