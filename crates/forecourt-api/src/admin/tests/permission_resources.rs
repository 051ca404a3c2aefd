//! Each endpoint with its action on exactly the resource that the contract of permissions names, and on all but that.

use serde_json::{Value, json};

use super::{
    matrix::{Existing, WITHOUT_BODY, wanted},
    permission_rows::DEMANDED,
    roles::{Person, policy, role},
    stage::{Reply, Stage},
};

/// Somebody with one role that has one policy, which the test rewrites as it goes.
struct Ann {
    person: Person,
    policy: String,
}

impl Ann {
    async fn make(stage: &Stage) -> Self {
        let nothing = json!([{ "effect": "deny", "resources": ["<.*>"], "actions": ["<.*>"] }]);
        let policy = policy(stage, "ann's", nothing).await;
        let role = role(stage, "ann's", &[&policy]).await;
        let person = Person::invited(stage, "ann").await;
        person.holds(stage, json!([{ "role_id": role }])).await.value();
        Self { person, policy }
    }

    /// Gives her nothing but these effects of actions on resources.
    async fn is_told(&self, stage: &Stage, statements: &[(&str, &str, &str)]) {
        let statement = |(effect, resource, action): &(&str, &str, &str)| json!({ "effect": effect, "resources": [resource], "actions": [action] });
        let statements: Value = statements.iter().map(statement).collect();
        let body = json!({ "name": "ann's", "policy_document": { "statement": statements } });
        stage.call("PUT", &format!("/api/permission_policies/{}", self.policy), body).await.value();
    }
}

/// The ids that resources are named by.
struct Ids {
    user: String,
    role: String,
    policy: String,
    portal: String,
    product: String,
    developer: String,
    service: String,
    dcr_provider: String,
}

impl Ids {
    async fn of(existing: &Existing) -> Self {
        let last = |path: &str| {
            let address = existing.address(path);
            address.split(['/', '?']).nth_back(1).unwrap().to_owned()
        };
        let developers = existing.stage.get("/api/developers").await.list();
        Self {
            user: last("/api/users/{id}"),
            role: last("/api/roles/{id}"),
            policy: last("/api/permission_policies/{id}"),
            portal: last("/api/portals/{id}"),
            product: last("/api/api_products/{id}"),
            developer: developers[0]["id"].as_str().unwrap().to_owned(),
            service: last("/apisix/admin/services/{id}"),
            dcr_provider: last("/api/dcr_providers/{id}"),
        }
    }

    /// What an endpoint acts on; `None` for those of which the contract names no resource. What is made is `*`.
    fn resource(&self, method: &str, path: &str) -> Option<String> {
        let aliased = path.strip_prefix("/api/portals/{portal}/");
        let noun = aliased.or(path.strip_prefix("/api/")).or(path.strip_prefix("/apisix/admin/"))?;
        let made = method == "POST" && !noun.contains('{');
        let or_new = |id: &str| if made { "*".to_owned() } else { id.to_owned() };
        let first = noun.split('/').next()?;
        let group = "gateway:gatewaygroup/default";
        let portal = format!("portal:portal/{}", self.portal);
        let resource = match (first, noun) {
            ("forecourt" | "labels" | "stream_routes", _) => return None,
            // Which service a new route is for stands in its body.
            ("routes", _) if made => return None,
            ("users", _) => format!("iam:user/{}", self.user),
            ("invites", _) => "iam:user/*".into(),
            ("roles", _) => format!("iam:role/{}", or_new(&self.role)),
            ("permission_policies", _) => format!("iam:permissionpolicy/{}", or_new(&self.policy)),
            (_, "system_settings") => "gateway:gatewaysetting/*".into(),
            ("tokens" | "portal", _) => portal,
            ("login_options" | "system_settings", _) if aliased.is_some() => portal,
            (_, "login_options/{id}") => portal,
            ("license" | "system_settings" | "contact_points" | "login_options" | "audit_logs", _) => {
                "iam:organization/*".into()
            }
            ("portals", _) => format!("portal:portal/{}", or_new(&self.portal)),
            ("api_products", _) => format!("{portal}/apiproduct/{}", or_new(&self.product)),
            ("subscriptions" | "approvals", _) => format!("{portal}/apiproduct/{}", self.product),
            ("developers", _) => format!("{portal}/developer/{}", or_new(&self.developer)),
            ("dcr_providers", _) => format!("portal:dcrprovider/{}", or_new(&self.dcr_provider)),
            ("gateway_groups", noun) if noun.contains("/services") => {
                format!("{group}/publishedservice/{}", self.service)
            }
            ("gateway_groups", _) if made => "gateway:gatewaygroup/*".into(),
            ("services" | "routes", _) => format!("{group}/publishedservice/{}", or_new(&self.service)),
            ("consumers", _) => format!("{group}/consumer/{}", or_new("ada")),
            ("gateway_groups" | "ssls" | "global_rules" | "plugin_metadata" | "configs", _) => group.into(),
            _ => panic!("no resource for {method} {path}"),
        };
        Some(format!("arn:api7:{resource}"))
    }
}

/// Whether the endpoint acts without a body, so that a call that is permitted changes something.
fn acts(method: &str, path: &str) -> bool {
    method == "DELETE" || WITHOUT_BODY.iter().any(|end| path.ends_with(end))
}

#[tokio::test]
async fn each_endpoint_asks_for_its_action_on_the_resource_that_it_acts_on() {
    let existing = Existing::start().await;
    let stage = &existing.stage;
    let (ann, ids) = (Ann::make(stage).await, Ids::of(&existing).await);
    let mut judged = 0;
    for (method, path, action) in DEMANDED {
        let Some(resource) = ids.resource(method, path) else { continue };
        let address = existing.address(path);
        let context = format!("{method} {address}: {} on {resource}", action.name());
        let body = if *method == "GET" || acts(method, path) { Value::Null } else { json!("no object") };
        let send = async || ann.person.call(stage, method, &address, body.clone()).await;
        let whole = if *method == "GET" { stage.get(&address).await.body } else { Value::Null };

        ann.is_told(stage, &[("allow", "<.*>", "<.*>"), ("deny", &resource, action.name())]).await;
        let without = send().await;
        let hidden = without.status == 200 && *method == "GET" && without.body != whole;
        assert!(
            matches!(without.status, 403 | 404) || hidden,
            "{context}: {} {}",
            without.status,
            without.body
        );
        judged += 1;
        if acts(method, path) {
            continue;
        }
        ann.is_told(stage, &[("allow", &resource, action.name())]).await;
        let with = send().await;
        assert_eq!(with.status, wanted(method, path), "{context}: {}", with.body);
        let shows = is_something(&with) || with.body == whole;
        assert!(*method != "GET" || shows, "{context}: {}", with.body);
    }
    assert!(judged > 150, "{judged}");
}

/// Whether an answer shows anything: a script, an object, or a list with rows.
fn is_something(reply: &Reply) -> bool {
    match reply.body.get("list").or(reply.body.get("value")) {
        None => !reply.text.is_empty(),
        Some(Value::Array(rows)) => !rows.is_empty(),
        Some(value) => *value != json!({}),
    }
}
