//! Roles and permission policies as they are told, changed and listed, and what nobody needs a role for.

use serde_json::{Value, json};

use super::{
    roles::{Person, policy, role},
    stage::Stage,
};

fn allow(resource: &str, action: &str) -> Value {
    json!([{ "effect": "allow", "resources": [resource], "actions": [action] }])
}

async fn ids(stage: &Stage, path: &str) -> Vec<String> {
    stage.get(path).await.list().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_role_is_told_whole_changed_listed_and_deleted() {
    let stage = Stage::start().await;
    let given = json!({ "name": "Readers", "desc": "50% of us", "labels": { "team": "shop" } });
    let made = stage.call("POST", "/api/roles", given).await.value();
    let (id, at) = (made["id"].as_str().unwrap().to_owned(), made["created_at"].clone());
    assert!(at.is_i64(), "{at}");
    let wanted = json!({
        "id": id, "name": "Readers", "desc": "50% of us", "labels": { "team": "shop" }, "org_id": "default",
        "type": "custom", "scope_type": "gateway_group", "permissions": [], "created_at": at, "updated_at": at,
    });
    assert_eq!(made, wanted);
    let path = format!("/api/roles/{id}");
    assert_eq!(stage.get(&path).await.value(), wanted);
    for query in
        ["", "?search=READ", "?search=0%25", "?search=shop", "?labels[team]=shop", "?page=1&page_size=1"]
    {
        assert_eq!(stage.get(&format!("/api/roles{query}")).await.list()[0], wanted, "{query}");
    }
    assert_eq!(ids(&stage, "/api/roles?direction=asc").await, ["super-admin".to_owned(), id.clone()]);
    assert_eq!(stage.get("/api/roles?search=nobody").await.body, json!({ "list": [], "total": 0 }));

    stage.later(10);
    let put = json!({ "name": "Writers", "desc": "", "labels": {} });
    let put = stage.call("PUT", &path, put).await.value();
    assert_eq!((&put["name"], put.get("desc"), &put["labels"]), (&json!("Writers"), None, &json!({})));
    assert!(put["updated_at"].as_i64() > put["created_at"].as_i64() && put["created_at"] == at, "{put}");
    for (body, problem) in [
        (json!({}), "name is required"),
        (json!({ "desc": "x" }), "name is required"),
        (json!({ "name": " " }), "name is required"),
        (json!({ "name": "x".repeat(101) }), "name must be 1 to 100 characters"),
        (json!({ "name": "x", "labels": ["a"] }), "labels must be"),
        (json!({ "name": "x", "desc": "x".repeat(65_537) }), "desc must be at most 65536 characters"),
    ] {
        for (method, path) in [("POST", "/api/roles"), ("PUT", path.as_str())] {
            let (status, message) = stage.call(method, path, body.clone()).await.refusal();
            assert!(status == 400 && message.starts_with(problem), "{method} {body}: {message}");
        }
    }
    assert_eq!(stage.get(&path).await.value(), put);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    assert_eq!(ids(&stage, "/api/roles").await, ["super-admin"]);
}

#[tokio::test]
async fn policies_are_attached_in_their_order_once_each_and_detached() {
    let stage = Stage::start().await;
    let (reads, writes) = (
        policy(&stage, "reads", allow("<.*>", "portal:Get<.*>")).await,
        policy(&stage, "writes", allow("<.*>", "<.*>")).await,
    );
    let own = role(&stage, "own", &[&writes]).await;
    let act = async |verb: &str, role: &str, policies: Value| {
        let body = json!({ "permission_policies": policies });
        stage.call("POST", &format!("/api/roles/{role}/{verb}_permission_policies"), body).await
    };
    let attached = act("attach", &own, json!([reads, writes, reads])).await.value();
    assert_eq!(attached["permissions"], json!([writes, reads]));
    let list = stage.get(&format!("/api/roles/{own}/permission_policies")).await;
    assert_eq!((list.names(), &list.body["total"]), (vec!["writes".into(), "reads".into()], &json!(2)));
    assert_eq!(list.list()[1], stage.get(&format!("/api/permission_policies/{reads}")).await.value());
    for path in [&writes, &reads] {
        let refused =
            stage.call("DELETE", &format!("/api/permission_policies/{path}"), Value::Null).await.refusal();
        assert!(refused.0 == 400 && refused.1.contains("attached to the role \"own\""), "{refused:?}");
    }
    for (role, policies, status) in [
        (own.as_str(), Value::Null, 400),
        (&own, json!("x"), 400),
        (&own, json!([1]), 400),
        (&own, json!(["pol_unknown"]), 400),
        (&own, json!(["no id"]), 400),
        ("super-admin", json!([reads]), 400),
        ("rol_unknown", json!([reads]), 404),
    ] {
        for verb in ["attach", "detach"] {
            let refused = act(verb, role, policies.clone()).await.refusal();
            assert_eq!(refused.0, status, "{verb} {role} {policies}: {}", refused.1);
        }
    }
    assert_eq!(act("detach", &own, json!([writes])).await.value()["permissions"], json!([reads]));
    stage.call("DELETE", &format!("/api/permission_policies/{writes}"), Value::Null).await.value();
    assert_eq!(ids(&stage, &format!("/api/roles/{own}/permission_policies")).await, [reads]);
    assert_eq!(stage.get("/api/roles/rol_unknown/permission_policies").await.refusal().0, 404);
}

#[tokio::test]
async fn a_policy_is_told_whole_changed_listed_and_deleted() {
    let stage = Stage::start().await;
    let document = json!({ "statement": [
        { "effect": "allow", "resources": ["arn:api7:portal:portal/<.*>"], "actions": ["portal:Get<.*>"] },
        { "effect": "deny", "resources": ["<.*>"], "actions": ["portal:DeleteAPIProduct"],
          "conditions": { "of_next_year": { "type": "New" } } },
    ] });
    let given = json!({ "name": "orders-team", "desc": "Orders team", "labels": { "a": "b" }, "policy_document": document });
    let made = stage.call("POST", "/api/permission_policies", given).await;
    assert!(made.body.get("warning_msg").is_none(), "{}", made.body);
    let made = made.value();
    let (id, at) = (made["id"].as_str().unwrap().to_owned(), made["created_at"].clone());
    let wanted = json!({
        "id": id, "name": "orders-team", "desc": "Orders team", "labels": { "a": "b" }, "org_id": "default",
        "type": "custom", "policy_document": document, "created_at": at, "updated_at": at,
    });
    assert_eq!(made, wanted);
    let path = format!("/api/permission_policies/{id}");
    assert_eq!(stage.get(&path).await.value(), wanted);
    for query in ["", "?search=ORDERS-", "?search=team", "?labels[a]=b", "?page=1&page_size=1"] {
        let list = stage.get(&format!("/api/permission_policies{query}")).await.list();
        assert_eq!(list[0], wanted, "{query}");
    }
    let built_in = stage.get("/api/permission_policies/super-admin-permission-policy").await.value();
    let everything = json!({ "statement": allow("<.*>", "<.*>") });
    assert_eq!((&built_in["type"], &built_in["policy_document"]), (&json!("built_in"), &everything));
    assert_eq!(
        ids(&stage, "/api/permission_policies?direction=asc").await,
        ["super-admin-permission-policy".to_owned(), id.clone()]
    );

    let other = json!({ "statement": allow("<.*>", "iam:Get<.*>") });
    let put = stage.call("PUT", &path, json!({ "name": "other", "policy_document": other })).await.value();
    assert_eq!((&put["name"], &put["policy_document"]), (&json!("other"), &other));
    let wrong = json!({ "name": "other", "policy_document": { "statement": [] } });
    assert_eq!(stage.call("PUT", &path, wrong).await.refusal().0, 400);
    assert_eq!(stage.get(&path).await.value(), put);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
}

#[tokio::test]
async fn oneself_ones_password_and_ones_own_tokens_need_no_permission() {
    let stage = Stage::start().await;
    let ann = Person::invited(&stage, "ann").await;
    let call =
        async |method: &str, path: &str, body: Value| ann.call(&stage, method, path, body).await.value();
    assert_eq!(call("GET", "/api/me", Value::Null).await["roles"], json!([]));
    let named = call("PUT", "/api/me", json!({ "first_name": "Ann", "last_name": "Lee" })).await;
    assert_eq!(named["last_name"], "Lee");
    let token = json!({ "name": "second", "expires_at": 0 });
    let token = format!(
        "/api/settings/tokens/{}",
        call("POST", "/api/settings/tokens", token).await["id"].as_str().unwrap()
    );
    call("GET", &token, Value::Null).await;
    call("PUT", &format!("{token}/regenerate"), json!({ "expires_at": 0 })).await;
    call("DELETE", &token, Value::Null).await;
    let change = json!({ "new_password": "third", "old_password": "second" });
    stage.basic("PUT", "/api/password", "ann", "second", change).await.value();
    assert_eq!(stage.basic("GET", "/api/me", "ann", "third", Value::Null).await.status, 200);
}

#[tokio::test]
async fn what_is_only_being_made_is_called_by_a_star_in_the_last_place() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let within = |noun: &str| format!("arn:api7:portal:portal/{portal}/{noun}");
    let product = json!({ "type": "gateway", "name": "Fresh" });
    let products = format!("/api/api_products?portal_id={portal}");
    for (n, (resource, action, path, body, status)) in [
        (
            "arn:api7:portal:portal/*".to_owned(),
            "portal:CreatePortal",
            "/api/portals",
            json!({ "name": "a" }),
            200,
        ),
        (
            format!("arn:api7:portal:portal/{portal}"),
            "portal:CreatePortal",
            "/api/portals",
            json!({ "name": "b" }),
            403,
        ),
        (within("apiproduct/*"), "portal:CreateAPIProduct", products.as_str(), product.clone(), 200),
        (within("apiproduct/prd_1"), "portal:CreateAPIProduct", products.as_str(), product.clone(), 403),
        (
            "arn:api7:portal:portal/prt_1/apiproduct/*".into(),
            "portal:CreateAPIProduct",
            products.as_str(),
            product,
            403,
        ),
        ("arn:api7:iam:role/*".into(), "iam:CreateCustomRole", "/api/roles", json!({ "name": "r" }), 200),
        ("arn:api7:iam:role/r".into(), "iam:CreateCustomRole", "/api/roles", json!({ "name": "r" }), 403),
        (
            "arn:api7:gateway:gatewaygroup/default/consumer/*".into(),
            "gateway:CreateConsumer",
            "/apisix/admin/consumers?gateway_group_id=default",
            json!({ "username": "ada" }),
            200,
        ),
        (
            "arn:api7:gateway:gatewaygroup/default/consumer/eve".into(),
            "gateway:CreateConsumer",
            "/apisix/admin/consumers?gateway_group_id=default",
            json!({ "username": "eve" }),
            403,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let somebody = Person::with(&stage, &format!("person-{n}"), allow(&resource, action)).await;
        let answer = somebody.call(&stage, "POST", path, body).await;
        assert_eq!(answer.status, status, "{action} on {resource}: {}", answer.body);
    }
}
