//! Developers, subscriptions and approvals as lists, and what the calls that name one of them take.

use forecourt_app::{
    authentication,
    persons::{self, NewPerson},
};
use forecourt_core::{actors::Caller, ids::PortalId, secrets::PlainSecret};
use serde_json::{Value, json};

use super::stage::{Reply, Stage};

/// Registers somebody on the portal's own site; they wait for an approval.
async fn sign_up(stage: &Stage, caller: &Caller, portal: &str, name: &str) {
    let new = NewPerson {
        name: name.into(),
        email: format!("{}@mail.example", name.to_lowercase()),
        password: PlainSecret::presented("correct horse battery staple"),
    };
    let portal = PortalId::parse(portal).unwrap();
    persons::sign_up(&stage.app, caller, &portal, new, "").await.unwrap();
}

fn column(reply: &Reply, member: &str) -> String {
    let rows = reply.list();
    rows.iter().map(|row| row[member].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn developers(stage: &Stage, query: &str) -> String {
    column(&stage.get(&format!("/api/developers?{query}")).await, "name")
}

#[tokio::test]
async fn developers_are_found_by_each_of_their_names_and_filtered_by_state() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (_, front_end) = stage.developer(&portal, "org-One").await;
    let invite = json!({ "username": "bea.login", "password": "first", "name": "Beatrice" });
    let invited = format!("/api/developers/invites?portal_id={portal}");
    let bea = stage.call("POST", &invited, invite).await.value();
    sign_up(&stage, &front_end, &portal, "Wanda").await;
    let issued = bea["developer_id"].as_str().unwrap();
    for (query, names) in [
        ("order_by=created_at&direction=asc", "org-One Beatrice Wanda"),
        ("order_by=created_at", "Wanda Beatrice org-One"),
        ("search=ORG-o", "org-One"),
        ("search=BEA.LOG", "Beatrice"),
        ("search=beatrice", "Beatrice"),
        ("search=wanda%40MAIL", "Wanda"),
        (&format!("search={issued}"), "Beatrice"),
        ("search=%25", ""),
        ("state=Pending", "Wanda"),
        ("state=Active&order_by=created_at", "Beatrice org-One"),
        ("state=&search=&order_by=created_at&page=2&page_size=2", "org-One"),
    ] {
        assert_eq!(developers(&stage, query).await, names, "{query}");
    }
    for query in ["state=pending", "order_by=name", "order_by=updated_at", "direction=up", "page=x"] {
        assert_eq!(stage.get(&format!("/api/developers?{query}")).await.refusal().0, 400, "{query}");
    }
    let wanda = stage.get("/api/developers?state=Pending").await.list().remove(0);
    assert_eq!((&wanda["provider"], &wanda["email"]), (&json!("built_in"), &json!("wanda@mail.example")));
}

#[tokio::test]
async fn whoever_acted_last_is_first_and_who_never_did_stands_where_they_were_made() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    for name in ["ada", "bob", "cy"] {
        stage.developer(&portal, name).await;
        stage.later(100);
    }
    authentication::developer_named(&stage.app, &PortalId::parse(&portal).unwrap(), "ada").await.unwrap();
    assert_eq!(developers(&stage, "").await, "ada cy bob");
    assert_eq!(developers(&stage, "order_by=last_active_at&direction=asc").await, "bob cy ada");
    assert_eq!(developers(&stage, "order_by=created_at").await, "cy bob ada");
    let ada = stage.get("/api/developers/ada").await.value();
    assert!(ada["last_active_at"].as_str().unwrap() > ada["created_at"].as_str().unwrap());
}

#[tokio::test]
async fn a_developer_is_looked_for_by_public_id_before_the_internal_one() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (ada, _) = stage.developer(&portal, "ada").await;
    let (decoy, _) = stage.developer(&portal, ada.id.as_str()).await;
    let path = format!("/api/developers/{}", ada.id);
    assert_eq!(stage.get(&path).await.value()["id"], json!(decoy.id));
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": decoy.id }));
    assert_eq!(stage.get(&path).await.value()["developer_id"], "ada");
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": ada.id }));
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
    // One that several portals have is deleted in none of them until the portal is named.
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    stage.developer(&portal, "eve").await;
    stage.developer(&other, "eve").await;
    let ambiguous = stage.call("DELETE", "/api/developers/eve", Value::Null).await.refusal();
    let words = "developer_id \"eve\" exists in several portals; name one with portal_id";
    assert_eq!(ambiguous, (400, words.into()));
    let named = format!("/api/portals/{other}/developers/eve");
    assert_eq!(stage.call("DELETE", &named, Value::Null).await.status, 200);
    assert_eq!(stage.get("/api/developers/eve").await.value()["portal_id"], json!(portal));
    assert_eq!(stage.get(&named).await.refusal().0, 404);
}

#[tokio::test]
async fn an_invitation_may_carry_a_name_and_needs_a_user_name_that_is_free_in_its_portal() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let path = format!("/api/portals/{portal}/developers/invites");
    let body = |more: Value| {
        let mut body = json!({ "username": "ada", "password": "first" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, problem) in [
        (json!({ "username": null }), "username is required"),
        (json!({ "password": "" }), "password is required"),
        (json!({ "username": "x".repeat(129) }), "username must be at most 128 characters"),
        (json!({ "password": "x".repeat(129) }), "password must be at most 128 characters"),
        (json!({ "name": "x".repeat(101) }), "name must be 1 to 100 characters"),
        (json!({ "name": 7 }), "name must be a string"),
    ] {
        let refused = stage.call("POST", &path, body(more.clone())).await.refusal();
        assert_eq!(refused, (400, problem.into()), "{more}");
    }
    let long = json!({ "username": "u".repeat(128), "name": "Countess" });
    assert_eq!(stage.call("POST", &path, body(long)).await.value()["name"], "Countess");
    let unnamed = stage.call("POST", &path, body(json!({ "username": "v".repeat(128) }))).await.value();
    assert_eq!(unnamed["name"], "v".repeat(128), "the name is the user name where none is given");
    stage.call("POST", &path, body(json!({}))).await.value();
    let taken = stage.call("POST", &path, body(json!({ "name": "Another" }))).await.refusal();
    assert!(taken.0 == 400 && taken.1.contains("\"ada\""), "{}", taken.1);
    let elsewhere = format!("/api/developers/invites?portal_id={other}");
    let invited = stage.call("POST", &elsewhere, body(json!({}))).await.value();
    assert_eq!((&invited["portal_id"], &invited["state"]), (&json!(other), &json!("Active")));
    assert_eq!(invited.get("last_active_at"), None);
}

/// Subscriptions in force of bob and ada to products of their own in `portal`, and one of cy that waits in `other`; gives
/// the id of bob's product.
async fn three_subscriptions(stage: &Stage, portal: &str, other: &str) -> String {
    let (orders, bills) = (stage.product(portal, "Orders").await, stage.product(portal, "Bills").await);
    let foreign = stage.product(other, "Foreign").await;
    for (portal, developer, application, product) in [
        (portal, "bob", "Mobile", &orders),
        (portal, "ada", "Batch", &bills),
        (other, "cy", "Remote", &foreign),
    ] {
        let (_, caller) = stage.developer(portal, developer).await;
        stage.subscribed(&caller, application, product).await;
    }
    for approval in stage.get("/api/approvals?direction=asc").await.list() {
        if approval["applicant_id"] != "cy" {
            let path = format!("/api/approvals/{}/accept", approval["id"].as_str().unwrap());
            stage.call("POST", &path, Value::Null).await.value();
        }
    }
    orders
}

#[tokio::test]
async fn subscriptions_are_found_by_three_names_and_sorted_by_time_or_by_developer() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let orders = three_subscriptions(&stage, &portal, &other).await;
    let list =
        async |query: &str| column(&stage.get(&format!("/api/subscriptions?{query}")).await, "developer_id");
    for (query, developers) in [
        ("order_by=developer_name&direction=asc", "ada bob cy"),
        ("order_by=developer_name", "cy bob ada"),
        ("status=subscribed", "ada bob"),
        ("status=subscribed&direction=asc", "bob ada"),
        ("status=subscribed&order_by=subscribed_at", "ada bob"),
        ("status=wait_for_approval", "cy"),
        (
            "status[]=subscribed&status[]=wait_for_approval&order_by=developer_name&direction=asc",
            "ada bob cy",
        ),
        ("status=unsubscribed", ""),
        ("search=ADA", "ada"),
        ("search=mobILE", "bob"),
        ("search=foreign", "cy"),
        ("search=%25", ""),
        (&format!("portal_id={other}"), "cy"),
        (&format!("portal_id={portal}&api_product_id={orders}"), "bob"),
        ("developer_id=ada&page=1&page_size=5", "ada"),
        ("page=2&page_size=2&order_by=developer_name&direction=asc", "cy"),
    ] {
        assert_eq!(list(query).await, developers, "{query}");
    }
    for query in ["status=x", "order_by=created_at", "direction=up", "page=0"] {
        assert_eq!(stage.get(&format!("/api/subscriptions?{query}")).await.refusal().0, 400, "{query}");
    }
    let alias = |portal: &str| format!("/api/portals/{portal}/api_products/{orders}/subscriptions");
    assert_eq!(column(&stage.get(&alias(&portal)).await, "developer_id"), "bob");
    assert_eq!(stage.get(&alias(&other)).await.refusal().0, 404, "the product is in another portal");
}

#[tokio::test]
async fn a_subscription_in_force_ends_and_its_approval_stays_as_it_was() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let orders = three_subscriptions(&stage, &portal, &other).await;
    let bob = stage.get("/api/subscriptions?developer_id=bob").await.list().remove(0);
    let whole = json!({
        "id": bob["id"], "portal_id": portal, "developer_id": "bob", "developer_name": "bob",
        "application_id": bob["application_id"], "application_name": "Mobile", "api_product_id": orders,
        "api_product_name": "Orders", "status": "subscribed", "subscribed_at": bob["subscribed_at"],
    });
    assert_eq!(bob, whole);
    assert!(bob["subscribed_at"].as_str().unwrap().ends_with('Z'), "{bob}");
    let gone = stage
        .call("DELETE", &format!("/api/subscriptions/{}", bob["id"].as_str().unwrap()), Value::Null)
        .await;
    assert!(gone.headers.contains_key("x-forecourt-revision"));
    assert_eq!(gone.value(), json!({ "id": bob["id"] }));
    let kept = stage.get("/api/approvals?applicant_name=bob").await.list();
    assert_eq!(kept[0]["result"], "accepted");
}

#[tokio::test]
async fn an_administrator_decides_in_their_own_name_whatever_metadata_says() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    let product = stage.product(&portal, "Orders").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "one", &product).await;
    stage.subscribed(&ada, "two", &product).await;
    sign_up(&stage, &ada, &other, "Wanda").await;
    let admin = stage.get("/api/me").await.value();
    assert_eq!(stage.get("/api/approvals").await.list().len(), 3);
    for path in [format!("/api/approvals?portal_id={other}"), format!("/api/portals/{other}/approvals")] {
        let rows = stage.get(&path).await.list();
        assert_eq!(
            (rows.len(), &rows[0]["portal_id"], &rows[0]["portal_name"]),
            (1, &json!(other), &json!("other"))
        );
        assert_eq!(
            (&rows[0]["event"], &rows[0]["resource_type"]),
            (&json!("developer_registration"), &json!("developer"))
        );
    }
    let pending = stage.get(&format!("/api/approvals?portal_id={portal}&direction=asc")).await.list();
    for (approval, verb, result, body) in [
        (
            &pending[0],
            "accept",
            "accepted",
            json!({ "metadata": "{\"by\":\"x\"}", "operator_id": "x", "operator_name": "x" }),
        ),
        (&pending[1], "reject", "rejected", json!({ "metadata": { "not": "text" } })),
    ] {
        let path = format!("/api/approvals/{}", approval["id"].as_str().unwrap());
        let decided = stage.call("POST", &format!("{path}/{verb}"), body).await.value();
        assert_eq!((&decided["result"], decided.get("metadata")), (&json!(result), None), "{verb}");
        assert_eq!(
            (&decided["operator_id"], &decided["operator_name"]),
            (&admin["id"], &json!("admin")),
            "{verb}"
        );
        for time in ["applied_at", "operated_at", "created_at", "updated_at"] {
            let text = decided[time].as_str().unwrap();
            assert!(text.len() == 24 && text.ends_with('Z'), "{time} {text}");
        }
        let other_verb = if verb == "accept" { "reject" } else { "accept" };
        let again = stage.call("POST", &format!("{path}/{other_verb}"), Value::Null).await.refusal();
        assert_eq!(again, (400, "the approval is already finished".into()), "{verb}");
    }
    for verb in ["accept", "reject"] {
        let unknown = stage.call("POST", &format!("/api/approvals/apv_unknown/{verb}"), json!({})).await;
        assert_eq!(unknown.refusal(), (404, "resource not found".into()), "{verb}");
    }
    assert_eq!(stage.get("/api/approvals/apv_unknown").await.refusal().0, 404);
}

#[tokio::test]
async fn a_registration_that_is_accepted_makes_its_developer_active_and_a_rejected_one_takes_it_away() {
    let stage = Stage::start().await;
    let (_, ada) = stage.developer(&stage.default_portal().await, "ada").await;
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    sign_up(&stage, &ada, &other, "Wanda").await;
    let wanda = stage.get(&format!("/api/portals/{other}/approvals")).await.list().remove(0);
    let accept = format!("/api/approvals/{}/accept", wanda["id"].as_str().unwrap());
    stage.call("POST", &accept, json!({})).await.value();
    assert_eq!(stage.get(&format!("/api/developers?portal_id={other}")).await.list()[0]["state"], "Active");
    sign_up(&stage, &ada, &other, "Xaver").await;
    let xaver = stage.get("/api/approvals?applicant_name=xaver").await.list().remove(0);
    let reject = format!("/api/approvals/{}/reject", xaver["id"].as_str().unwrap());
    stage.call("POST", &reject, json!({})).await.value();
    assert_eq!(stage.get(&format!("/api/developers?portal_id={other}")).await.list().len(), 1);
}
