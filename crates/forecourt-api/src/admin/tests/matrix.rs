//! Who may call what: every endpoint of the table, with every kind of credential.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stage::Stage;
use crate::{admin::endpoints, table::Row};

/// Who a group's admin key and an administrator without a role are to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Access {
    /// Nobody need be known.
    Open,
    /// Every known caller.
    Everyone,
    /// Administrators, each for themselves; no gateway group's key.
    Oneself,
    /// Lists of the installation: empty without a role; no key.
    List,
    /// Objects of the installation: not found without a role; no key.
    Object,
    /// Additions to the installation: forbidden without a role; no key.
    Addition,
    /// Lists of a gateway group: empty without a role; its own key.
    GroupList,
    /// Objects of a gateway group: not found without a role; its own key.
    GroupObject,
    /// Additions to a gateway group: forbidden without a role; its own key.
    GroupAddition,
}

/// The rule for each endpoint. An endpoint that is not here fails the test, as does a rule without its endpoint.
fn rule(method: &str, path: &str) -> Option<Access> {
    use Access::*;
    let noun = path.trim_start_matches("/api/").trim_start_matches("/apisix/admin/");
    let item = path.ends_with('}');
    Some(match (method, noun) {
        (_, "/healthz" | "/openapi.json" | "login" | "logout") => Open,
        (_, noun) if ["oidc/", "saml/", "ldap/", "cas/"].iter().any(|way| noun.starts_with(way)) => Open,
        (
            "GET",
            "license" | "version" | "schema/core" | "plugins/list" | "plugins/{name}" | "labels/{type}",
        ) => Everyone,
        (_, "me" | "password") => Oneself,
        (_, noun) if noun.starts_with("settings/tokens") => Oneself,
        ("PUT", "license" | "system_settings")
        | ("POST", "invites" | "gateway_groups" | "portals" | "roles" | "permission_policies") => Addition,
        ("GET", noun) if noun.starts_with("system_settings") || noun.ends_with("/scim") => Object,
        ("GET", "audit_logs/export") => Object,
        ("GET", "gateway_groups" | "forecourt/nodes" | "forecourt/instance_tokens") => GroupList,
        (_, "forecourt/nodes/{id}" | "forecourt/instance_tokens/{id}" | "forecourt/receipts/{revision}") => {
            GroupObject
        }
        ("DELETE", "gateway_groups/{id}") => Object,
        (_, noun) if noun.starts_with("gateway_groups/") => GroupObject,
        (
            "GET",
            "services" | "routes" | "ssls" | "consumers" | "global_rules" | "stream_routes"
            | "plugin_metadata",
        ) => GroupList,
        (
            "POST",
            "services" | "routes" | "ssls" | "consumers" | "global_rules" | "stream_routes"
            | "configs/validate",
        ) => GroupAddition,
        (
            "PUT",
            "services/{id}"
            | "routes/{id}"
            | "ssls/{id}"
            | "consumers/{username}"
            | "global_rules/{id}"
            | "stream_routes/{id}"
            | "plugin_metadata/{id}",
        ) => GroupAddition,
        (_, noun) if noun.starts_with("consumers/") => GroupObject,
        (_, noun) if path.starts_with("/apisix/admin/") && (noun.starts_with("services/") || item) => {
            GroupObject
        }
        ("POST", "forecourt/plans" | "dcr_providers" | "contact_points") => Addition,
        ("POST", noun) if noun.ends_with("api_products") || noun.ends_with("invites") => Addition,
        // The administrators' options are added to the installation, a portal's to the portal.
        ("POST", "login_options") => Addition,
        ("POST", noun) if noun.ends_with("login_options") => Object,
        (_, noun) if noun.starts_with("roles/") || noun.starts_with("permission_policies/") => Object,
        ("GET", noun)
            if !item && !noun.ends_with("public_access") && !noun.ends_with("{id}/subscriptions") =>
        {
            List
        }
        (_, noun) if noun.starts_with("users/") => Object,
        ("GET" | "POST" | "PUT" | "PATCH" | "DELETE", _) => Object,
        _ => return None,
    })
}

/// Paths with the ids of things that exist, all of them of the gateway group `default`.
pub(super) struct Existing {
    pub(super) stage: Stage,
    portal: String,
    service: String,
    route: String,
    certificate: String,
    credential: String,
    product: String,
    plan: String,
    dcr_provider: String,
    contact_point: String,
    delivery: String,
    user: String,
    option: String,
    token: String,
    approval: String,
    subscription: String,
    application: String,
    node: String,
    instance_token: String,
    role: String,
    policy: String,
}

impl Existing {
    pub(super) async fn start() -> Self {
        let stage = Stage::start().await;
        let portal = stage.default_portal().await;
        let service = stage.service("orders").await;
        let route = json!({ "name": "r", "service_id": service, "paths": ["/"] });
        let route = stage.id_of("POST", "/apisix/admin/routes?gateway_group_id=default", route).await;
        let certificate = super::certificates::body(&["a.example"]);
        let certificate = stage.id_of("POST", super::certificates::SSLS, certificate).await;
        let ada = "/apisix/admin/consumers/ada";
        stage.call("PUT", &format!("{ada}?gateway_group_id=default"), json!({})).await.value();
        let credential = json!({ "plugins": { "key-auth": { "key": "k" } } });
        let credentials = format!("{ada}/credentials?gateway_group_id=default");
        let credential = stage.id_of("POST", &credentials, credential).await;
        for object in ["global_rules/one", "stream_routes/one", "plugin_metadata/cors"] {
            let path = format!("/apisix/admin/{object}?gateway_group_id=default");
            stage.call("PUT", &path, json!({})).await.value();
        }
        let product = stage.product(&portal, "Orders").await;
        let (_, ada) = stage.developer(&portal, "ada").await;
        let application = stage.subscribed(&ada, "mobile", &product).await;
        let (_, text) = stage.instance_token("default").await;
        let node = stage.node(&text, "one").await.to_string();
        // Another one, which does not go with the node.
        let (instance_token, _) = stage.instance_token("default").await;
        let role = stage.id_of("POST", "/api/roles", json!({ "name": "unused" })).await;
        let statement = json!([{ "effect": "allow", "resources": ["<.*>"], "actions": ["<.*>"] }]);
        let policy = json!({ "name": "unused", "policy_document": { "statement": statement } });
        let policy = stage.id_of("POST", "/api/permission_policies", policy).await;
        let plan = json!({ "api_product_id": product, "name": "Bronze", "limits": [] });
        let plan = stage.id_of("POST", "/api/forecourt/plans", plan).await;
        let provider = json!({ "name": "OpenID", "issuer": "https://id.example.com" });
        let dcr_provider = stage.id_of("POST", "/api/dcr_providers", provider).await;
        let webhook = json!({ "name": "Hook", "type": "webhook", "url": "https://hook.example.com" });
        let contact_point = stage.id_of("POST", "/api/contact_points", webhook).await;
        let delivery = super::deliveries::dead(&stage, "dlv_matrix", &contact_point).await;
        let first = async |path: &str| stage.get(path).await.list()[0]["id"].as_str().unwrap().to_owned();
        let tokens = format!("/api/portal/tokens?portal_id={portal}");
        Self {
            user: stage.get("/api/me").await.value()["id"].as_str().unwrap().to_owned(),
            option: first("/api/portal/login_options").await,
            token: stage.id_of("POST", &tokens, json!({ "name": "t" })).await,
            approval: first("/api/approvals").await,
            subscription: first("/api/subscriptions").await,
            plan,
            dcr_provider,
            contact_point,
            delivery,
            role,
            policy,
            stage,
            portal,
            service,
            route,
            certificate,
            credential,
            product,
            application,
            node,
            instance_token,
        }
    }

    pub(super) fn address(&self, path: &str) -> String {
        let id = |noun: &str| match noun {
            "portals" => &self.portal,
            "users" => &self.user,
            "tokens" => &self.token,
            "login_options" => &self.option,
            "api_products" => &self.product,
            "plans" => &self.plan,
            "dcr_providers" => &self.dcr_provider,
            "contact_points" => &self.contact_point,
            "deliveries" => &self.delivery,
            "roles" => &self.role,
            "permission_policies" => &self.policy,
            "subscriptions" => &self.subscription,
            "approvals" => &self.approval,
            "applications" => &self.application,
            "nodes" => &self.node,
            "instance_tokens" => &self.instance_token,
            "routes" => &self.route,
            "ssls" => &self.certificate,
            "credentials" => &self.credential,
            "services" | "upstreams" => &self.service,
            _ => "",
        };
        let mut noun = "";
        let mut address = String::new();
        for part in path.split('/').skip(1) {
            address.push('/');
            address.push_str(match (part, noun) {
                ("{portal}", _) => &self.portal,
                ("{service}", _) => &self.service,
                ("{type}", _) => "portal",
                ("{name}", _) => "cors",
                ("{username}", _) => "ada",
                // The first revision made the service, which is of the group default.
                ("{revision}", _) => "1",
                ("{id}", "developers") => "ada",
                ("{id}", "global_rules" | "stream_routes") => "one",
                ("{id}", "plugin_metadata") => "cors",
                ("{id}", "dcr_removals") => "rmv_unknown",
                ("{id}", "gateway_groups") => "default",
                ("{id}", noun) => id(noun),
                (part, _) => part,
            });
            noun = part;
        }
        let group = path.starts_with("/apisix/admin/").then_some("gateway_group_id=default");
        let portal =
            (path.starts_with("/api/") && !path.contains("{portal}") && path != "/api/login_options")
                .then(|| format!("portal_id={}", self.portal));
        let span = match path {
            _ if path.ends_with("/usage") => "&start_at=1&end_at=2",
            "/api/audit_logs/export" => "&format=json",
            _ => "",
        };
        format!("{address}?{}{span}", group.map(str::to_owned).or(portal).unwrap_or_default())
    }
}

/// How paths end, beside those of deletions, whose endpoints act without a body.
pub(super) const WITHOUT_BODY: [&str; 5] =
    ["_key", "instance_token", "scim/token", "signing_secret", "{id}/resend"];

/// One credential of each kind.
struct Credentials {
    super_admin: String,
    without_role: String,
    own_group: String,
    other_group: String,
    /// The cookie of somebody whose one-time password is still in force.
    one_time: String,
}

impl Credentials {
    async fn make(stage: &Stage) -> Self {
        for name in ["ann", "eve"] {
            let invite = json!({ "username": name, "password": "first" });
            stage.call("POST", "/api/invites", invite).await.value();
        }
        let change = json!({ "new_password": "second" });
        stage.basic("PUT", "/api/password", "ann", "first", change).await.value();
        let token = json!({ "name": "matrix", "expires_at": 0 });
        let token = stage.basic("POST", "/api/settings/tokens", "ann", "second", token).await.value();
        let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
        let key_of = async |group: &str| {
            let path = format!("/api/gateway_groups/{group}/admin_key");
            let key = stage.call("PUT", &path, Value::Null).await.value();
            key["key"].as_str().unwrap().to_owned()
        };
        Self {
            super_admin: stage.token.clone(),
            without_role: token["token"].as_str().unwrap().to_owned(),
            own_group: key_of("default").await,
            other_group: key_of(&edge).await,
            one_time: stage.sign_in("eve", "first").await,
        }
    }
}

#[tokio::test]
async fn every_endpoint_answers_every_kind_of_caller_as_its_rule_says() {
    let existing = Existing::start().await;
    let credentials = Credentials::make(&existing.stage).await;
    let table = endpoints();
    let mut seen = BTreeSet::new();
    for Row { method, path, .. } in table.rows() {
        assert!(seen.insert((method.as_str(), *path)), "{method} {path} stands in the table twice");
        let rule = rule(method.as_str(), path).unwrap_or_else(|| panic!("no rule for {method} {path}"));
        if rule != Access::Open {
            judge(&existing, &credentials, rule, method.as_str(), path).await;
        }
    }
    assert!(seen.len() > 90, "{}", seen.len());
}

async fn judge(existing: &Existing, credentials: &Credentials, rule: Access, method: &str, path: &str) {
    let address = existing.address(path);
    let context = format!("{method} {address}");
    // A body that no endpoint accepts: nothing changes, and whoever may call is told 400 or sees the object.
    let body = if method == "GET" { Value::Null } else { json!("no object") };
    let send = async |headers: &[(&str, &str)]| {
        existing.stage.with_headers(method, &address, headers, body.clone()).await
    };
    assert_eq!(send(&[]).await.refusal(), (401, "unauthorized".into()), "{context}");
    assert_eq!(send(&[("x-api-key", "a7prt-x")]).await.status, 401, "{context}");
    if path != "/api/password" {
        let refused = send(&[("cookie", &credentials.one_time)]).await.refusal();
        assert_eq!(refused, (403, "password change required".into()), "{context}");
    }
    let other = send(&[("x-api-key", &credentials.other_group)]).await;
    expect_refused(rule, &other, &send(&[("x-api-key", &credentials.without_role)]).await, &context);
    let takes_no_body = method == "DELETE" || WITHOUT_BODY.iter().any(|end| path.ends_with(end));
    let by_key = if takes_no_body && rule == Access::GroupObject {
        None
    } else {
        Some(send(&[("x-api-key", &credentials.own_group)]).await.status)
    };
    if takes_no_body {
        // It would succeed for those who may: only those who may not are asked.
        assert!(by_key.is_none_or(|status| status == 403), "{context}: the key of the group default");
        return;
    }
    let admin = send(&[("x-api-key", &credentials.super_admin)]).await.status;
    assert_eq!(admin, wanted(method, path), "{context}: a super administrator");
    match rule {
        Access::GroupList | Access::GroupObject | Access::GroupAddition => {
            assert_eq!(by_key, Some(admin), "{context}: the key of the group default");
        }
        Access::Everyone => {
            assert!(other.status == admin || other.status == 403, "{context}: {}", other.status)
        }
        _ => assert_eq!(by_key, Some(403), "{context}: the key of the group default"),
    }
}

/// What a super administrator is answered, whose body is always wrong.
pub(super) fn wanted(method: &str, path: &str) -> u16 {
    if path.contains("settings/tokens/{id}") {
        return 404;
    }
    if method == "GET" && !path.ends_with("check_name") { 200 } else { 400 }
}

/// What the key of another group, and an administrator without a role, are answered.
fn expect_refused(rule: Access, key: &super::stage::Reply, ann: &super::stage::Reply, context: &str) {
    let empty = json!({ "list": [], "total": 0 });
    match rule {
        Access::Open | Access::Everyone => {}
        Access::Oneself => assert_eq!(key.refusal().0, 403, "{context}: another group's key"),
        Access::List => {
            assert_eq!(key.refusal().0, 403, "{context}: another group's key");
            assert_eq!((ann.status, &ann.body), (200, &empty), "{context}: without a role");
        }
        Access::Object | Access::GroupObject => {
            assert_eq!(key.refusal().0, 403, "{context}: another group's key");
            assert_eq!(ann.refusal().0, 404, "{context}: without a role");
        }
        Access::Addition | Access::GroupAddition => {
            assert_eq!(key.refusal().0, 403, "{context}: another group's key");
            assert_eq!(ann.refusal().0, 403, "{context}: without a role");
        }
        Access::GroupList => {
            // The list of groups shows each key its own group; a list inside another group is closed to it.
            assert!(
                key.status == 403 || key.status == 200 && (key.names() == ["edge"] || key.body == empty),
                "{context}: {}",
                key.body
            );
            let empty = if context.contains("plugin_metadata") { json!({ "value": {} }) } else { empty };
            assert_eq!((ann.status, &ann.body), (200, &empty), "{context}: without a role");
        }
    }
}
