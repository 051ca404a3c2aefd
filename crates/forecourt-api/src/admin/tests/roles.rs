//! Roles, permission policies, who holds them, and what that lets them do, over the real interface.

use serde_json::{Value, json};

use super::stage::{Reply, Stage};

/// Somebody with an access token of their own.
pub(super) struct Person {
    pub(super) id: String,
    token: String,
}

impl Person {
    pub(super) async fn invited(stage: &Stage, name: &str) -> Self {
        let invite = json!({ "username": name, "password": "first" });
        let id = stage.id_of("POST", "/api/invites", invite).await;
        let change = json!({ "new_password": "second" });
        stage.basic("PUT", "/api/password", name, "first", change).await.value();
        let token = json!({ "name": "tests", "expires_at": 0 });
        let token = stage.basic("POST", "/api/settings/tokens", name, "second", token).await.value();
        Self { id, token: token["token"].as_str().unwrap().to_owned() }
    }

    /// Somebody who holds one role with these statements.
    pub(super) async fn with(stage: &Stage, name: &str, statements: Value) -> Self {
        let person = Self::invited(stage, name).await;
        let role = role(stage, name, &[&policy(stage, name, statements).await]).await;
        person.holds(stage, json!([{ "role_id": role }])).await.value();
        person
    }

    pub(super) async fn holds(&self, stage: &Stage, roles: Value) -> Reply {
        stage.call("PUT", &format!("/api/users/{}/assigned_roles", self.id), json!({ "roles": roles })).await
    }

    pub(super) async fn call(&self, stage: &Stage, method: &str, path: &str, body: Value) -> Reply {
        stage.with_headers(method, path, &[("x-api-key", &self.token)], body).await
    }

    async fn status(&self, stage: &Stage, method: &str, path: &str, body: Value) -> u16 {
        self.call(stage, method, path, body).await.status
    }
}

pub(super) async fn policy(stage: &Stage, name: &str, statements: Value) -> String {
    let body = json!({ "name": name, "policy_document": { "statement": statements } });
    stage.id_of("POST", "/api/permission_policies", body).await
}

pub(super) async fn role(stage: &Stage, name: &str, policies: &[&str]) -> String {
    let role = stage.id_of("POST", "/api/roles", json!({ "name": name })).await;
    let attach = json!({ "permission_policies": policies });
    stage.call("POST", &format!("/api/roles/{role}/attach_permission_policies"), attach).await.value();
    role
}

fn allow(resource: &str, action: &str) -> Value {
    json!({ "effect": "allow", "resources": [resource], "actions": [action] })
}

fn deny(resource: &str, action: &str) -> Value {
    json!({ "effect": "deny", "resources": [resource], "actions": [action] })
}

#[tokio::test]
async fn whoever_is_confined_to_one_portal_sees_and_changes_nothing_of_another() {
    let stage = Stage::start().await;
    let own = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let orders = stage.product(&own, "Orders").await;
    let hidden = stage.product(&other, "Hidden").await;
    let portal = format!("arn:api7:portal:portal/{own}");
    let statements = json!([allow(&portal, "portal:<.*>"), allow(&format!("{portal}/<.*>"), "portal:<.*>")]);
    let ann = Person::with(&stage, "ann", statements).await;
    let names = async |path: &str| ann.call(&stage, "GET", path, Value::Null).await.names();
    assert_eq!(names("/api/portals").await, ["default"]);
    assert_eq!(names("/api/api_products").await, ["Orders"]);
    assert_eq!(names(&format!("/api/api_products?portal_id={own}&page=1&page_size=1")).await, ["Orders"]);
    let none = ann.call(&stage, "GET", &format!("/api/api_products?portal_id={other}"), Value::Null).await;
    assert_eq!(none.body, json!({ "list": [], "total": 0 }));
    let rename = json!({ "name": "Renamed" });
    let product = |id: &str| format!("/api/api_products/{id}");
    assert_eq!(ann.status(&stage, "PUT", &product(&orders), rename.clone()).await, 200);
    assert_eq!(ann.status(&stage, "PUT", &product(&hidden), rename.clone()).await, 404);
    assert_eq!(ann.status(&stage, "DELETE", &product(&hidden), Value::Null).await, 404);
    assert_eq!(ann.status(&stage, "GET", &format!("/api/portals/{other}"), Value::Null).await, 404);
    let fresh = json!({ "type": "gateway", "name": "Fresh" });
    let create = |portal: &str| format!("/api/api_products?portal_id={portal}");
    assert_eq!(ann.status(&stage, "POST", &create(&own), fresh.clone()).await, 200);
    assert_eq!(ann.status(&stage, "POST", &create(&other), fresh).await, 403);
    assert_eq!(
        ann.status(&stage, "GET", "/apisix/admin/services?gateway_group_id=default", Value::Null).await,
        200
    );
    assert_eq!(ann.status(&stage, "POST", "/api/portals", json!({ "name": "x" })).await, 403);
}

#[tokio::test]
async fn a_service_that_one_may_not_see_is_not_linked_and_a_link_that_is_there_stays() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (linked, hidden) = (stage.service("linked").await, stage.service("hidden").await);
    let link = |id: &str| json!({ "gateway_group_id": "default", "service_id": id });
    let orders = stage.product(&portal, "Orders").await;
    let path = format!("/api/api_products/{orders}");
    let links = |ids: &[&str]| json!({ "linked_gateway_services": ids.iter().map(|id| link(id)).collect::<Vec<_>>() });
    stage.call("PUT", &path, links(&[&linked])).await.value();
    let ann = Person::with(&stage, "ann", json!([allow("<.*>", "portal:<.*>")])).await;
    let refused = ann.call(&stage, "PUT", &path, links(&[&linked, &hidden])).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    let unknown = ann.call(&stage, "PUT", &path, links(&[&linked, "svc_unknown"])).await;
    let differs = |text: &str| text.replace(&hidden, "?").replace("svc_unknown", "?");
    assert_eq!(differs(&refused.refusal().1), differs(&unknown.refusal().1), "nothing tells that it exists");
    ann.call(&stage, "PUT", &path, links(&[&linked])).await.value();
    ann.call(&stage, "PUT", &path, json!({ "desc": "changed" })).await.value();
}

#[tokio::test]
async fn whoever_is_confined_to_one_product_sees_that_one_its_subscriptions_and_approvals() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let orders = stage.product(&portal, "Orders").await;
    let stock = stage.product(&portal, "Stock").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "one", &orders).await;
    stage.subscribed(&ada, "two", &stock).await;
    let statements = json!([allow(&format!("<.*>/apiproduct/{orders}"), "portal:<.*>")]);
    let ann = Person::with(&stage, "ann", statements).await;
    let list = async |path: &str| ann.call(&stage, "GET", path, Value::Null).await.list();
    assert_eq!(list("/api/api_products").await.len(), 1);
    let subscriptions = list("/api/subscriptions").await;
    assert_eq!(subscriptions.len(), 1);
    assert_eq!(stage.get("/api/subscriptions").await.list().len(), 2);
    let approvals = list("/api/approvals").await;
    assert_eq!(approvals.len(), 1, "{approvals:?}");
    assert_eq!(stage.get("/api/approvals").await.list().len(), 2);
    assert_eq!(list("/api/portals").await.len(), 0);
    assert_eq!(list("/api/developers").await.len(), 0);
    let accept = format!("/api/approvals/{}/accept", approvals[0]["id"].as_str().unwrap());
    assert_eq!(ann.status(&stage, "POST", &accept, Value::Null).await, 200);
    assert_eq!(ann.status(&stage, "GET", &format!("/api/api_products/{stock}"), Value::Null).await, 404);
}

#[tokio::test]
async fn a_read_only_auditor_reads_everything_and_changes_nothing() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let orders = stage.product(&portal, "Orders").await;
    stage
        .call(
            "PUT",
            "/apisix/admin/consumers/ada?gateway_group_id=default",
            json!({ "plugins": { "key-auth": { "key": "open" } } }),
        )
        .await
        .value();
    let ann = Person::with(&stage, "ann", json!([allow("<.*>", "<[a-z]+>:Get<.*>")])).await;
    for path in ["/api/users", "/api/roles", "/api/permission_policies", "/api/portals", "/api/api_products"]
    {
        let seen = ann.call(&stage, "GET", path, Value::Null).await;
        assert_eq!(seen.list().len(), stage.get(path).await.list().len(), "{path}");
    }
    let consumer = "/apisix/admin/consumers/ada?gateway_group_id=default";
    let shown = ann.call(&stage, "GET", consumer, Value::Null).await.value();
    assert_eq!(shown["plugins"]["key-auth"]["key"], "******");
    assert_eq!(stage.get(consumer).await.value()["plugins"]["key-auth"]["key"], "open");
    let product = format!("/api/api_products/{orders}");
    assert_eq!(ann.call(&stage, "PUT", &product, json!({ "name": "x" })).await.refusal().0, 403);
    assert_eq!(ann.status(&stage, "DELETE", &product, Value::Null).await, 403);
    assert_eq!(ann.status(&stage, "POST", "/api/invites", json!({})).await, 403);
    // Making an admin key is called getting it.
    assert_eq!(ann.status(&stage, "PUT", "/api/gateway_groups/default", json!({})).await, 403);
}

#[tokio::test]
async fn a_deny_of_one_role_beats_what_another_allows_and_a_change_counts_at_once() {
    let stage = Stage::start().await;
    let ann = Person::invited(&stage, "ann").await;
    let all = policy(&stage, "all", json!([allow("<.*>", "<.*>")])).await;
    let not = policy(&stage, "not", json!([deny("<.*>", "portal:CreatePortal")])).await;
    let (all, not) = (role(&stage, "all", &[&all]).await, role(&stage, "not", &[&not]).await);
    let create = async |name: &str| ann.status(&stage, "POST", "/api/portals", json!({ "name": name })).await;
    assert_eq!(create("a").await, 403);
    ann.holds(&stage, json!([{ "role_id": all }])).await.value();
    assert_eq!(create("b").await, 200);
    ann.holds(&stage, json!([{ "role_id": all }, { "role_id": not }])).await.value();
    assert_eq!(create("c").await, 403);
    let roles = ann.call(&stage, "GET", "/api/me", Value::Null).await.value()["roles"].clone();
    assert_eq!(roles[1]["name"], "not");
    let detach = json!({ "permission_policies": roles[1]["permissions"] });
    stage.call("POST", &format!("/api/roles/{not}/detach_permission_policies"), detach).await.value();
    assert_eq!(create("d").await, 200);
    ann.holds(&stage, json!([])).await.value();
    assert_eq!(create("e").await, 403);
}

#[tokio::test]
async fn a_boundary_takes_away_what_it_does_not_allow_and_clearing_it_gives_it_back() {
    let stage = Stage::start().await;
    let ann = Person::invited(&stage, "ann").await;
    ann.holds(&stage, json!([{ "role_id": "super-admin" }])).await.value();
    let reads = policy(&stage, "reads", json!([allow("<.*>", "<[a-z]+>:Get<.*>")])).await;
    let path = format!("/api/users/{}/permission_boundary", ann.id);
    let bounded = stage.call("PUT", &path, json!({ "permission_policy_id": reads })).await.value();
    assert_eq!(bounded["permission_boundary"], json!(reads));
    assert_eq!(ann.status(&stage, "GET", "/api/users", Value::Null).await, 200);
    let create = async |name: &str| ann.status(&stage, "POST", "/api/portals", json!({ "name": name })).await;
    assert_eq!(create("a").await, 403);
    let in_use = stage.call("DELETE", &format!("/api/permission_policies/{reads}"), Value::Null).await;
    assert_eq!(in_use.refusal().0, 400);
    stage.call("PUT", &path, json!({})).await.value();
    assert_eq!(create("b").await, 200);
    let unknown = stage.call("PUT", &path, json!({ "permission_policy_id": "pol_0" })).await;
    assert_eq!(unknown.refusal().0, 400);
}

#[tokio::test]
async fn scopes_narrow_a_role_to_some_gateway_groups_and_labels_a_policy() {
    let stage = Stage::start().await;
    let edge = json!({ "name": "edge", "labels": { "env": "test" } });
    let edge = stage.id_of("POST", "/api/gateway_groups", edge).await;
    let ann = Person::invited(&stage, "ann").await;
    ann.holds(&stage, json!([{ "role_id": "super-admin", "scopes": [edge] }])).await.value();
    let groups =
        async |who: &Person| who.call(&stage, "GET", "/api/gateway_groups", Value::Null).await.names();
    assert_eq!(groups(&ann).await, ["edge"]);
    let services = |group: &str| format!("/apisix/admin/services?gateway_group_id={group}");
    let service =
        json!({ "name": "s", "upstream": { "nodes": [{ "host": "127.0.0.1", "port": 1, "weight": 1 }] } });
    assert_eq!(ann.status(&stage, "POST", &services(&edge), service.clone()).await, 200);
    assert_eq!(ann.status(&stage, "POST", &services("default"), service).await, 403);
    assert_eq!(ann.status(&stage, "GET", "/api/portals", Value::Null).await, 200);

    let mut statement = allow("<.*>", "gateway:<.*>");
    let option = json!({ "key": "env", "operator": "exact_match", "value": "test" });
    statement["conditions"] = json!({ "gateway_group_label": { "type": "MatchLabel", "options": [option] } });
    let eve = Person::with(&stage, "eve", json!([statement])).await;
    assert_eq!(groups(&eve).await, ["edge"]);
    let relabelled = json!({ "labels": { "env": "prod" } });
    stage.call("PUT", &format!("/api/gateway_groups/{edge}"), relabelled).await.value();
    assert_eq!(groups(&eve).await, Vec::<String>::new(), "a change of labels counts at once");
    let unknown = ann.holds(&stage, json!([{ "role_id": "super-admin", "scopes": ["grp_0"] }])).await;
    assert_eq!(unknown.refusal().0, 400);
}

#[tokio::test]
async fn what_is_built_in_or_in_use_stays_and_the_first_administrator_keeps_the_role() {
    let stage = Stage::start().await;
    let refused = async |method: &str, path: &str, body: Value| {
        let (status, message) = stage.call(method, path, body).await.refusal();
        assert_eq!(status, 400, "{method} {path}: {message}");
        message
    };
    let built_in = stage.get("/api/roles/super-admin").await.value();
    assert_eq!(built_in["type"], "built_in");
    assert_eq!(built_in["permissions"], json!(["super-admin-permission-policy"]));
    assert_eq!(built_in["created_at"], json!(super::stage::START));
    let name = json!({ "name": "x" });
    refused("PUT", "/api/roles/super-admin", name.clone()).await;
    refused("DELETE", "/api/roles/super-admin", Value::Null).await;
    let none = json!({ "permission_policies": [] });
    refused("POST", "/api/roles/super-admin/attach_permission_policies", none).await;
    refused("PUT", "/api/permission_policies/super-admin-permission-policy", name).await;
    refused("DELETE", "/api/permission_policies/super-admin-permission-policy", Value::Null).await;
    let policy = policy(&stage, "used", json!([allow("<.*>", "<.*>")])).await;
    let used = role(&stage, "used", &[&policy]).await;
    let ann = Person::invited(&stage, "ann").await;
    ann.holds(&stage, json!([{ "role_id": used }])).await.value();
    refused("DELETE", &format!("/api/permission_policies/{policy}"), Value::Null).await;
    refused("DELETE", &format!("/api/roles/{used}"), Value::Null).await;
    let admin = stage.get("/api/me").await.value()["id"].as_str().unwrap().to_owned();
    let roles = format!("/api/users/{admin}/assigned_roles");
    for taken in [
        json!([]),
        json!([{ "role_id": used }]),
        json!([{ "role_id": "super-admin", "scopes": ["default"] }]),
    ] {
        refused("PUT", &roles, json!({ "roles": taken })).await;
    }
    let both = json!({ "roles": [{ "role_id": "super-admin" }, { "role_id": used }] });
    stage.call("PUT", &roles, both).await.value();
    let boundary = json!({ "permission_policy_id": policy });
    refused("PUT", &format!("/api/users/{admin}/permission_boundary"), boundary).await;
    // One's own last role is nobody else's business.
    ann.holds(&stage, json!([{ "role_id": used }, { "role_id": used }])).await.refusal();
    let own = format!("/api/users/{}/assigned_roles", ann.id);
    assert_eq!(ann.status(&stage, "PUT", &own, json!({ "roles": [] })).await, 200);
    assert_eq!(ann.status(&stage, "PUT", &own, json!({ "roles": [] })).await, 404);
}

#[tokio::test]
async fn bad_documents_and_unknown_ids_are_told_apart_and_nothing_is_kept() {
    let stage = Stage::start().await;
    let create = async |document: Value| {
        let body = json!({ "name": "p", "policy_document": document });
        stage.call("POST", "/api/permission_policies", body).await
    };
    for (document, told) in [
        (json!({ "statement": [allow("<((a{100}){100}){100}>", "<.*>")] }), "too large"),
        (json!({ "statement": [allow("a<b", "<.*>")] }), "without its >"),
        (json!({ "statement": [allow("<(>", "<.*>")] }), "cannot be used"),
        (json!({ "statement": [] }), "is required"),
        (json!("x"), "must be an object"),
    ] {
        let (status, message) = create(document).await.refusal();
        assert_eq!(status, 400);
        assert!(message.contains(told), "{message}");
    }
    assert_eq!(stage.call("POST", "/api/permission_policies", json!({ "name": "p" })).await.refusal().0, 400);
    assert_eq!(stage.get("/api/permission_policies").await.list().len(), 1);
    let warned = create(json!({ "statement": [deny("<.*>", "portal:DeleteProduct")] })).await;
    assert!(warned.body["warning_msg"].as_str().unwrap().contains("portal:DeleteProduct"));
    let role = stage.id_of("POST", "/api/roles", json!({ "name": "r", "labels": { "team": "a" } })).await;
    let attach = format!("/api/roles/{role}/attach_permission_policies");
    let unknown = json!({ "permission_policies": ["super-admin-permission-policy", "pol_0"] });
    assert_eq!(stage.call("POST", &attach, unknown).await.refusal().0, 400);
    let policies = format!("/api/roles/{role}/permission_policies");
    assert_eq!(stage.get(&policies).await.list().len(), 0, "all or nothing");
    assert_eq!(stage.get("/api/labels/role").await.value(), json!({ "team": ["a"] }));
    for path in ["/api/roles/rol_0", "/api/permission_policies/pol_0"] {
        assert_eq!(stage.get(path).await.refusal().0, 404);
        assert_eq!(stage.call("DELETE", path, Value::Null).await.refusal().0, 404);
    }
    let ann = Person::invited(&stage, "ann").await;
    assert_eq!(ann.holds(&stage, json!([{ "role_id": "rol_0" }])).await.refusal().0, 400);
    let found = stage.get("/api/users?roles=super-admin").await;
    assert_eq!(found.list().len(), 1);
    assert_eq!(stage.get(&format!("/api/users?roles={role}")).await.list().len(), 0);
}

#[tokio::test]
async fn of_a_role_given_and_deleted_at_the_same_time_exactly_one_happens() {
    let stage = Stage::start().await;
    let ann = Person::invited(&stage, "ann").await;
    for n in 0..10 {
        let role = stage.id_of("POST", "/api/roles", json!({ "name": format!("r{n}") })).await;
        let path = format!("/api/roles/{role}");
        let (given, gone) = tokio::join!(
            ann.holds(&stage, json!([{ "role_id": role }])),
            stage.call("DELETE", &path, Value::Null)
        );
        assert_eq!([given.status, gone.status].iter().filter(|status| **status == 200).count(), 1);
        ann.holds(&stage, json!([])).await.value();
    }
}
