//! The script that starts a gateway node.

use std::{
    io::Write,
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::stage::{SYNC_URL, Stage};

const PATH: &str = "/api/gateway_groups/default/deployment/docker";

async fn script(stage: &Stage, query: &str) -> String {
    let reply = stage.get(&format!("{PATH}?{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    reply.text
}

/// Runs a script with a program in the place of forecourt.
fn run(script: &str, arguments: &[&str], program: &str) -> Output {
    let state = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(arguments).env("FORECOURT_BIN", program).env("FORECOURT_STATE_DIR", state.path());
    shell.env("FORECOURT_LISTEN_HOST", "127.0.0.1");
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut shell = shell.unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    shell.wait_with_output().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_script_carries_a_fresh_token_and_what_was_asked_for_and_is_one_that_a_shell_can_read() {
    let stage = Stage::start().await;
    let query = "name=edge-1&http_port=19080&https_port=19443&image=registry.example/forecourt:2&gateway_group_id=default&extra_args[]=--memory&extra_args[]=1g%20%27%24(id)%27";
    let (first, second) = (script(&stage, query).await, script(&stage, query).await);
    for wanted in [
        "\nname='edge-1'\n",
        "\ngroup='default'\n",
        "\nhttp_port=19080\n",
        "\nhttps_port=19443\n",
        "\nhttps_asked=yes\n",
        "\nimage='registry.example/forecourt:2'\n",
        "\nset -- '--memory' '1g '\\''$(id)'\\'''\n",
    ] {
        assert!(first.contains(wanted), "{wanted}\n{first}");
    }
    assert!(first.contains(&format!("\ncontrol_plane='{SYNC_URL}'\n")), "{first}");
    let token = |script: &str| script.lines().find(|line| line.starts_with("token=")).unwrap().to_owned();
    assert!(token(&first).starts_with("token='a7dp-"));
    assert_ne!(token(&first), token(&second));
    assert_eq!(stage.get("/api/forecourt/instance_tokens").await.list().len(), 2);
    let checked = run(&first, &["-n"], "true");
    assert!(checked.status.success(), "{checked:?}");
    let plain = script(&stage, "").await;
    assert!(plain.contains("\nhttps_asked=no\n") && plain.contains("\nset --\n"), "{plain}");
    let elsewhere = script(&stage, "dp_manager_address=cp.example:1,https://b.example").await;
    assert!(elsewhere.contains("control_plane='https://cp.example:1,https://b.example:7943'"), "{elsewhere}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_a_token_is_made() {
    let stage = Stage::start().await;
    for query in [
        "name=a%20b",
        "name=%24(reboot)",
        "name=a%27b",
        "name=a%0Ab",
        "name=%C3%A4",
        "http_port=x",
        "http_port=0",
        "http_port=65536",
        "http_port=%2B80",
        "http_port=80%3Breboot",
        "https_port=-1",
        "http_port=9443",
        "dp_manager_address=http://cp",
        "dp_manager_address=%60id%60",
        "dp_manager_address=cp:1%27%3Bid%3B%27",
        "image=x%3Breboot",
        "image=--privileged",
        "extra_args[]=a%0Ab",
    ] {
        let refusal = stage.get(&format!("{PATH}?{query}")).await.refusal();
        assert_eq!(refusal.0, 400, "{query}: {}", refusal.1);
    }
    assert_eq!(stage.get(&format!("{PATH}?gateway_group_id=other")).await.refusal().0, 404);
    assert_eq!(stage.get("/api/gateway_groups/x/deployment/docker").await.refusal().0, 404);
    assert_eq!(stage.get("/api/forecourt/instance_tokens").await.list(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_process_that_listens_for_no_nodes_asks_for_the_address_of_one_that_does() {
    let stage = Stage::with(forecourt_http::Config::default()).await;
    let change = serde_json::json!({ "new_password": "changed" });
    stage.basic("PUT", "/api/password", "admin", "admin", change).await.value();
    let ask = async |query: &str| {
        stage.basic("GET", &format!("{PATH}{query}"), "admin", "changed", Value::Null).await
    };
    let refusal = ask("").await.refusal();
    assert!(refusal.0 == 400 && refusal.1.contains("dp_manager_address is required"), "{refusal:?}");
    assert_eq!(ask("?dp_manager_address=cp.example").await.status, 200);
    let set = serde_json::json!({ "dp_manager_address": ["https://cp.example:7943"] });
    stage.basic("PUT", "/api/system_settings", "admin", "changed", set).await.value();
    assert!(ask("").await.text.contains("control_plane='https://cp.example:7943'"));
}

#[tokio::test]
async fn a_port_that_something_else_holds_makes_the_script_fail_with_a_message() {
    let stage = Stage::start().await;
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    let free = free_port();
    for query in
        [format!("http_port={taken}&https_port={free}"), format!("http_port={free}&https_port={taken}")]
    {
        let told = run(&script(&stage, &query).await, &[], "true");
        let message = String::from_utf8_lossy(&told.stderr);
        assert!(!told.status.success(), "{query}: {told:?}");
        assert!(message.contains(&format!("port {taken} is in use by another program")), "{message}");
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_start_makes_the_script_fail_with_its_own_words() {
    let stage = Stage::start().await;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("forecourt");
    std::fs::write(&program, "#!/bin/sh\necho \"refused: $*\" >&2\nexit 3\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let query = format!("name=one&http_port={}&https_port={}", free_port(), free_port());
    let script = script(&stage, &query).await;
    let told = run(&script, &[], program.to_str().unwrap());
    let message = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success(), "{told:?}");
    assert!(message.contains("the gateway one ended"), "{message}");
    assert!(message.contains("refused: gateway --control-plane https://127.0.0.1:7943"), "{message}");
    assert!(!message.contains("a7dp-"), "the token stands in no command line: {message}");
}
