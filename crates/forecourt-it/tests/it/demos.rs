//! `forecourt demo`: what it promises on the screen is true.

use forecourt_it::{
    Client, ForecourtProcess, TestDatabase,
    processes::{binary, command},
};

/// The words of the one line of `guide` that starts with `curl` and goes to `address`.
fn curl<'a>(guide: &'a str, address: &str) -> (&'a str, &'a str, &'a str) {
    let line =
        guide.lines().find(|line| line.trim().starts_with("curl ") && line.contains(address)).expect(guide);
    let (_, rest) = line.split_once("-H '").unwrap();
    let (header, url) = rest.split_once("' ").unwrap();
    let (name, value) = header.split_once(": ").unwrap();
    (name, value, url.trim())
}

#[tokio::test]
async fn the_curl_lines_and_the_sign_in_of_the_demo_work() {
    let database = TestDatabase::new();
    let folder = database.folder().join("demo");
    let start = || {
        let folder = folder.display().to_string();
        ForecourtProcess::start(command(&binary(), &["demo", "--data-dir", &folder], &database))
    };
    let process = start();
    let (gateway, portal_api) = (process.client("gateway"), process.client("portal_api"));
    process.client("admin").with_basic("admin", "demo-admin-password").get("/api/me").await.expect(200);
    let pending = process
        .client("admin")
        .with_basic("admin", "demo-admin-password")
        .get("/api/approvals?status=pending")
        .await
        .expect(200);
    assert_eq!(pending["total"], 2, "one registration and one subscription wait: {pending}");
    // Only the end of standard error is the end of the guide, so the process ends before it is read.
    let guide = process.stop("TERM").stderr;

    let again = start();
    let (name, key, url) = curl(&guide, gateway.base());
    let path = url.strip_prefix(gateway.base()).unwrap();
    let answer = again.client("gateway").with(name, key).get(path).await;
    assert_eq!(answer.expect(200)[0]["sku"], "mug-blue");
    again.client("gateway").get(path).await.expect(401);

    let (name, token, url) = curl(&guide, portal_api.base());
    let path = url.strip_prefix(portal_api.base()).unwrap();
    let products: Client = again.client("portal_api").with(name, token);
    assert_eq!(products.get(path).await.expect(200)["total"], 3, "a draft is not shown");
    assert_eq!(again.stop("TERM").status.code(), Some(0));
}
