//! Each endpoint with exactly the action that it demands, and with every action but that one.

use std::collections::BTreeSet;

use forecourt_core::permissions::Action;
use serde_json::{Value, json};

use super::{
    matrix::{Existing, WITHOUT_BODY, wanted},
    permission_rows::{ALSO, DEMANDED, FREE},
    stage::{Reply, Stage},
};
use crate::admin::endpoints;

/// Somebody with one role that has one policy, which the test rewrites as it goes.
struct Ann {
    token: String,
    policy: String,
}

impl Ann {
    async fn make(stage: &Stage) -> Self {
        let invite = json!({ "username": "ann", "password": "first" });
        let id = stage.id_of("POST", "/api/invites", invite).await;
        let change = json!({ "new_password": "second" });
        stage.basic("PUT", "/api/password", "ann", "first", change).await.value();
        let token = json!({ "name": "matrix", "expires_at": 0 });
        let token = stage.basic("POST", "/api/settings/tokens", "ann", "second", token).await.value();
        let policy = json!({ "name": "ann's", "policy_document": document(&[("allow", "iam:GetAudit")]) });
        let policy = stage.id_of("POST", "/api/permission_policies", policy).await;
        let role = stage.id_of("POST", "/api/roles", json!({ "name": "ann's" })).await;
        let attach = json!({ "permission_policies": [policy] });
        let path = format!("/api/roles/{role}/attach_permission_policies");
        stage.call("POST", &path, attach).await.value();
        let roles = json!({ "roles": [{ "role_id": role }] });
        stage.call("PUT", &format!("/api/users/{id}/assigned_roles"), roles).await.value();
        Self { token: token["token"].as_str().unwrap().to_owned(), policy }
    }

    async fn is_told(&self, stage: &Stage, statements: &[(&str, &str)]) {
        let body = json!({ "name": "ann's", "policy_document": document(statements) });
        let path = format!("/api/permission_policies/{}", self.policy);
        stage.call("PUT", &path, body).await.value();
    }
}

fn document(statements: &[(&str, &str)]) -> Value {
    let statement = |(effect, action): &(&str, &str)| json!({ "effect": effect, "resources": ["<.*>"], "actions": [action] });
    json!({ "statement": statements.iter().map(statement).collect::<Vec<_>>() })
}

/// Whether the endpoint acts without a body, so that a call that is permitted changes something.
fn takes_no_body(method: &str, path: &str) -> bool {
    method == "DELETE" || WITHOUT_BODY.iter().any(|end| path.ends_with(end))
}

#[test]
fn every_endpoint_stands_in_exactly_one_of_the_tables_and_every_row_has_its_endpoint() {
    let table = endpoints();
    let routed: BTreeSet<_> = table.rows().iter().map(|row| (row.method.as_str(), row.path)).collect();
    let free: BTreeSet<_> = FREE.iter().copied().collect();
    let demanded: BTreeSet<_> = DEMANDED.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(demanded.len(), DEMANDED.len(), "a row stands in the table twice");
    assert_eq!(free.intersection(&demanded).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
    let told: BTreeSet<_> = free.union(&demanded).copied().collect();
    assert_eq!(routed.difference(&told).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "without a row");
    assert_eq!(told.difference(&routed).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "without endpoint");
}

#[tokio::test]
async fn each_endpoint_demands_exactly_the_action_of_its_row() {
    let existing = Existing::start().await;
    let ann = Ann::make(&existing.stage).await;
    // What acts at once comes last, and backwards: what belongs to something goes before that does.
    let acts = |row: &&(&str, &str, Action)| takes_no_body(row.0, row.1);
    for row in DEMANDED.iter().filter(|row| !acts(row)) {
        judge(&existing, &ann, *row).await;
    }
    let mut gone = BTreeSet::new();
    for row in DEMANDED.iter().filter(acts).rev() {
        let (_, path, _) = row;
        let noun = path.rsplit('/').find(|part| !part.starts_with('{')).unwrap();
        // Nothing goes with a token that is made anew.
        if noun == "token" || gone.insert(noun) {
            judge(&existing, &ann, *row).await;
        }
    }
}

async fn judge(existing: &Existing, ann: &Ann, (method, path, action): (&str, &str, Action)) {
    let stage = &existing.stage;
    let address = existing.address(path);
    let context = format!("{method} {address} {}", action.name());
    // A body that no endpoint accepts, so that only what takes none changes anything.
    let body = if method == "GET" || takes_no_body(method, path) { Value::Null } else { json!("no object") };
    let send =
        async || stage.with_headers(method, &address, &[("x-api-key", &ann.token)], body.clone()).await;
    assert_eq!(stage.with_headers(method, &address, &[], body.clone()).await.status, 401, "{context}");

    ann.is_told(stage, &[("allow", "<.*>"), ("deny", action.name())]).await;
    let without = send().await;
    refused(&context, action, &without);

    let also = ALSO.iter().filter(|(own, known, _)| (*own, *known) == (method, path));
    let also: Vec<_> = also.flat_map(|(_, _, actions)| *actions).map(|action| action.name()).collect();
    for one in also.iter().copied() {
        ann.is_told(stage, &[("allow", "<.*>"), ("deny", one)]).await;
        // They are asked for once the body is read.
        let body = if path.ends_with("/scim") { json!({ "enable": false }) } else { body.clone() };
        let without = stage.with_headers(method, &address, &[("x-api-key", &ann.token)], body).await;
        assert_eq!(without.status, 403, "{context} without {one}");
    }
    let allowed: Vec<_> = also.into_iter().chain([action.name()]).map(|action| ("allow", action)).collect();
    ann.is_told(stage, &allowed).await;
    let with = send().await;
    if path == "/api/forecourt/dcr_removals/{id}" {
        // Nothing is left behind at a provider here: whoever may is told so, instead of that they may not.
        assert_eq!(with.status, 404, "{context}: {}", with.body);
        return;
    }
    if takes_no_body(method, path) {
        assert!(matches!(with.status, 200 | 400), "{context}: {} {}", with.status, with.body);
        return;
    }
    assert_eq!(with.status, wanted(method, path), "{context}: {}", with.body);
    if method == "GET" && path != "/api/gateway_groups/{id}/deployment/docker" {
        // Whoever may read everything sees what a super administrator does.
        let own = stage.call(method, &address, Value::Null).await;
        assert_eq!(with.body["total"], own.body["total"], "{context}");
    }
}

/// Actions that read nothing but refuse openly: there is no licence, and a configuration is only tried.
const OPENLY: [Action; 2] = [Action::UpdateLicense, Action::GetGatewayGroup];

fn refused(context: &str, action: Action, without: &Reply) {
    let empty = [json!({ "list": [], "total": 0 }), json!({ "value": {} })];
    match without.status {
        200 => assert!(empty.contains(&without.body), "{context}: {}", without.body),
        404 => assert_eq!(without.refusal().1, "resource not found", "{context}"),
        status => {
            assert_eq!(status, 403, "{context}: {}", without.body);
            assert!(action != action.reading() || OPENLY.contains(&action), "{context}");
        }
    }
    // What may be read but not changed is forbidden, and nothing else.
    if action != action.reading() {
        assert_eq!(without.status, 403, "{context}: {}", without.body);
    }
}
