//! What a gateway node keeps on its disk and logs.

use forecourt_it::{Client, ForecourtProcess, deadlines::eventually, installations::text};
use forecourt_wire::sync::{ACKNOWLEDGEMENTS, USAGE, WATCH};
use serde_json::json;

use super::{
    developers::Developers,
    installations::{Installation, MARK},
    places::{self, Findings},
    planting::TOKEN_SECRET_OF_CONSUMER,
};
use crate::gateway_node::{NOWHERE, node};

/// What it needs as it is to do its work (docs/nodes.md): keys of certificates, and what tokens are verified with.
const NEEDED: [&str; 4] =
    ["CertificateInput.key", "CertificateInput.keys", "tls.client_key", TOKEN_SECRET_OF_CONSUMER];

/// Nodes that nobody knows, and the token in the script that starts one.
pub(super) async fn are_asked_for_tokens(it: &mut Installation, admin: &Client, findings: &mut Findings) {
    let sync = it.client("sync");
    let mut answers = String::new();
    for path in [WATCH, ACKNOWLEDGEMENTS, USAGE] {
        let made_up = format!("a7dp-{}", it.secrets.plain("instance token"));
        for shown in [sync.with_bearer(&made_up), sync.with("authorization", &made_up)] {
            let answer = shown.post(&format!("{path}?token={made_up}"), json!({ "token": made_up })).await;
            assert_eq!(answer.status, 401, "{path}");
            answers.push_str(&answer.text());
        }
    }
    findings.look(&it.secrets, "refusals of nodes", answers.as_bytes(), "message", &[]);
    let script = admin.get("/api/gateway_groups/default/deployment/docker").await;
    assert_eq!(script.status, 200, "{script:?}");
    let script = script.text();
    let (_, token) = script.split_once("a7dp-").expect("a token in the script");
    let token: String = token.chars().take_while(char::is_ascii_alphanumeric).collect();
    it.secrets.keep("instance token of a script", &token);
}

/// A node that follows the installation, and then goes on without it, so that counted calls wait on its disk.
pub(super) async fn keep_on_disk(
    it: &Installation,
    token: &str,
    developers: &Developers,
    findings: &mut Findings,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut logs = String::new();
    for control_plane in [text(&it.process.ready["sync"]).as_str(), NOWHERE] {
        let mut command = node(control_plane, token, folder.path(), &[]);
        command.env("FORECOURT_LOG", "trace");
        let redis = it.settings.iter().find(|(name, _)| name.ends_with("REDIS__URL")).unwrap();
        command.env("FORECOURT_GATEWAY_REDIS_URL", &redis.1);
        let process = ForecourtProcess::start(command);
        let caller = process.client("gateway").with("apikey", &developers.key);
        eventually("the node lets the application through", || async {
            (caller.get(&format!("/{MARK}/a?apikey={}", developers.key)).await.status == 200).then_some(())
        })
        .await;
        let refused = caller.with("apikey", "wrong").with("authorization", "Bearer wrong");
        refused.get(&format!("/{MARK}/a")).await.expect(401);
        let metrics = process.client("status").get("/metrics").await;
        findings.look(&it.secrets, "metrics of a node", &metrics.body, "forecourt_node_connected", &[]);
        let ended = process.stop("TERM");
        assert!(ended.status.success(), "{}", ended.stderr);
        logs.push_str(&ended.stderr);
        logs.push_str(&ended.stdout);
    }
    findings.look(&it.secrets, "log of a node", logs.as_bytes(), "\"level\":\"TRACE\"", &[]);
    let files = places::files(folder.path());
    let waits = files.iter().any(|(name, bytes)| name.contains("/usage/") && !bytes.is_empty());
    assert!(waits, "counted calls wait for a control plane");
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let is_state = name.ends_with("/state");
        let kinds: Vec<_> = NEEDED.into_iter().chain(["Credential.jwt-auth.secret"]).collect();
        let except = if is_state { kinds.as_slice() } else { &[] };
        let mark = if is_state { MARK } else { "" };
        findings.look(&it.secrets, &format!("{name} of a node"), bytes, mark, except);
    }
    assert!(files.iter().any(|(name, _)| name.ends_with("/state")), "its state is kept");
}
