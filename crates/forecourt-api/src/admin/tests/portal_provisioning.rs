//! SCIM of a portal's own directory: its settings, that portals do not know each other, and what becomes of people and of
//! their developers. What both services do alike stands in `provisioning.rs`.

use axum::Router;
use forecourt_app::{applications, persons};
use forecourt_core::{
    actors::{Caller, Source},
    applications::ApplicationInput,
    ids::PortalId,
    secrets::PlainSecret,
};
use forecourt_http::Context;
use serde_json::{Value, json};

use super::{
    provisioning::{Directory, enabled, kind},
    stage::{self, Reply, Stage},
};
use crate::scim;

const USERS: &str = "/Users";

fn site(stage: &Stage) -> Router {
    scim::site_router(Context::new(stage.app.clone(), forecourt_http::Config::default()))
}

/// What the site of `host` answers to who shows `token`.
async fn asked(site: &Router, host: &str, token: &str, method: &str, path: &str, body: Value) -> Reply {
    let headers = [("authorization", token), ("host", host)];
    stage::send(site, stage::request(method, &format!("/scim/v2{path}"), &headers, body)).await
}

fn off() -> Value {
    json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] })
}

fn on() -> Value {
    json!({ "Operations": [{ "op": "replace", "path": "active", "value": true }] })
}

/// The one developer that a search finds.
async fn developer(stage: &Stage, search: &str) -> Value {
    let found = stage.get(&format!("/api/developers?search={search}")).await.list();
    assert_eq!(found.len(), 1, "{search}: {found:?}");
    found[0].clone()
}

/// Somebody registers on the portal's site.
async fn registered(stage: &Stage, name: &str, email: &str) -> Result<(), forecourt_app::Error> {
    let portal = PortalId::parse(&stage.default_portal().await).unwrap();
    let caller = Caller::system(Source::Site, stage.app.new_request_id());
    let new = persons::NewPerson {
        name: name.into(),
        email: email.into(),
        password: PlainSecret::presented("correct horse battery"),
    };
    persons::sign_up(&stage.app, &caller, &portal, new, "tests").await.map(drop)
}

#[tokio::test]
async fn a_portal_s_scim_is_disabled_at_first_and_its_settings_never_tell_the_token() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (path, site) = (format!("/api/forecourt/portals/{portal}/scim"), site(&stage));
    assert_eq!(stage.get(&path).await.value(), json!({ "enable": false }));
    let named = json!({ "public_url": "https://developers.example.com/" });
    stage.call("PUT", &format!("/api/portals/{portal}"), named).await.value();
    let endpoint = "https://developers.example.com/scim/v2";
    assert_eq!(stage.get(&path).await.value(), json!({ "enable": false, "endpoint": endpoint }));
    for body in [json!({}), json!({ "enable": "yes" }), json!({ "enable": null })] {
        assert_eq!(stage.call("PUT", &path, body).await.refusal().0, 400);
    }
    let token = stage.call("PUT", &format!("{path}/token"), Value::Null).await.value();
    let token = token["token"].as_str().unwrap();
    assert!(token.starts_with("a7scim-"));
    let bearer = format!("Bearer {token}");
    let status = async |path: &str| asked(&site, "localhost", &bearer, "GET", path, Value::Null).await.status;
    for path in [USERS, "/ServiceProviderConfig", "/nothing"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
    let settings = stage.call("PUT", &path, json!({ "enable": true })).await.value();
    assert_eq!(settings, json!({ "enable": true, "endpoint": endpoint }));
    assert_eq!(status(USERS).await, 200);
    let renewed = enabled(&stage, &path).await;
    assert_eq!(status(USERS).await, 401, "the earlier token is dead");
    assert_eq!(asked(&site, "localhost", &renewed, "GET", USERS, Value::Null).await.status, 200);
    let events = stage.store.read().events_of("portal", &portal, 10).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.name.name() == "scim_token_issued").count(), 2);
    assert!(!format!("{events:?}").contains(token));
    for (method, body) in [("GET", Value::Null), ("PUT", json!({ "enable": true }))] {
        let unknown = stage.call(method, "/api/forecourt/portals/prt_unknown/scim", body).await;
        assert_eq!(unknown.refusal().0, 404, "{method}");
    }
    let token = "/api/forecourt/portals/prt_unknown/scim/token";
    assert_eq!(stage.call("PUT", token, Value::Null).await.refusal().0, 404);
}

#[tokio::test]
async fn a_portal_s_directory_neither_sees_nor_changes_anything_of_another() {
    let stage = Stage::start().await;
    let mut tokens = Vec::new();
    for (name, domain) in [("one", "one.example"), ("two", "two.example")] {
        let portal = stage.id_of("POST", "/api/portals", json!({ "name": name, "domain": domain })).await;
        tokens.push(enabled(&stage, &format!("/api/forecourt/portals/{portal}/scim")).await);
    }
    let administrators = enabled(&stage, "/api/system_settings/scim").await;
    let site = site(&stage);
    let one =
        async |method, path: &str, body| asked(&site, "one.example", &tokens[0], method, path, body).await;
    let two =
        async |method, path: &str, body| asked(&site, "two.example", &tokens[1], method, path, body).await;
    let ann = json!({ "userName": "ann", "emails": [{ "value": "ann@example.com" }] });
    let made = one("POST", USERS, ann.clone()).await.body;
    let foreign = format!("{USERS}/{}", made["id"].as_str().unwrap());
    let unknown = format!("{USERS}/per_00000000000000000000000000000000");
    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", json!({ "userName": "eve" })),
        ("PATCH", off()),
        ("DELETE", Value::Null),
    ] {
        let (foreign, unknown) =
            (two(method, &foreign, body.clone()).await, two(method, &unknown, body).await);
        assert_eq!((foreign.status, &foreign.text), (404, &unknown.text), "{method}");
        assert_eq!(foreign.status, unknown.status, "{method}");
    }
    for query in ["", "?filter=userName+eq+%22ann%22", "?filter=emails+co+%22ann%22", "?filter=id+pr"] {
        let found = two("GET", &format!("{USERS}{query}"), Value::Null).await.body;
        assert_eq!(found["totalResults"], 0, "{query}");
    }
    // The name and the address are free there.
    let own = two("POST", USERS, ann).await;
    assert_eq!(own.status, 201, "{}", own.body);
    assert_eq!(one("GET", USERS, Value::Null).await.body["totalResults"], 1);
    assert_eq!(one("GET", &foreign, Value::Null).await.body, made);
    // No token opens another door, whichever host is named.
    for (host, token) in [
        ("two.example", &tokens[0]),
        ("one.example", &tokens[1]),
        ("one.example", &administrators),
        ("elsewhere.example", &tokens[0]),
    ] {
        let status = asked(&site, host, token, "GET", USERS, Value::Null).await.status;
        assert!(matches!(status, 401 | 404), "{host}: {status}");
    }
    let at_console = [("authorization", tokens[0].as_str())];
    for path in ["/api/scim/v2/Users", "/api/me"] {
        assert_eq!(stage.with_headers("GET", path, &at_console, Value::Null).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn whom_a_portal_s_directory_makes_is_an_active_developer_under_the_names_that_it_gives() {
    let scim = Directory::of_portal().await;
    let ann = json!({
        "userName": "Ann", "displayName": "Ann L.", "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "Ann@Example.com", "primary": true }], "externalId": "e-1",
        "password": "ignored", "roles": [{ "value": "super-admin" }], "groups": [{ "value": "x" }],
    });
    let made = scim.user(ann).await;
    assert_eq!(made["meta"]["location"], format!("http://portal.example.com/scim/v2{USERS}/{}", id(&made)));
    for ignored in ["password", "roles", "groups"] {
        assert!(made.get(ignored).is_none(), "{ignored}");
    }
    assert_eq!(made["emails"], json!([{ "value": "Ann@Example.com", "primary": true }]));
    let seen = developer(&scim.stage, "ann%20l.").await;
    let of = |member: &str| seen[member].as_str().unwrap_or_default().to_owned();
    assert_eq!((of("name"), of("username")), ("Ann L.".into(), "Ann".into()));
    assert_eq!((of("email"), of("state")), ("ann@example.com".into(), "Active".into()));
    assert_eq!(of("provider"), "built_in");
    assert!(seen.get("on_hold").is_none());
    let path = format!("{USERS}/{}", id(&made));
    let renamed = scim.call("PUT", &path, json!({ "userName": "annie" })).await;
    assert_eq!((renamed.status, &renamed.body["active"]), (200, &json!(true)));
    let seen = developer(&scim.stage, "annie").await;
    assert_eq!((&seen["name"], &seen["username"]), (&json!("annie"), &json!("annie")));
    assert!(seen.get("email").is_none());
    assert!(scim.stage.get("/api/developers?search=ann%20l.").await.list().is_empty());
    for kind in ["/ResourceTypes/User", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"] {
        let about = scim.get(kind).await;
        assert_eq!(about["description"], "A developer who signs in to the portal's site");
    }
    // No groups are served, and the service says so.
    assert_eq!(scim.get("/ResourceTypes").await["totalResults"], 1);
    assert_eq!(scim.refused("GET", "/Groups", Value::Null).await, (404, None));
}

fn id(user: &Value) -> &str {
    user["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_name_or_an_address_by_which_somebody_else_signs_in_is_taken() {
    let scim = Directory::of_portal().await;
    registered(&scim.stage, "Bob", "bob@example.com").await.unwrap();
    let mail = |value: &str| json!({ "userName": "ann", "emails": [{ "value": value }] });
    for body in [
        json!({ "userName": "Admin" }),
        json!({ "userName": "BOB@example.com" }),
        mail("bob@Example.com"),
        mail("admin"),
    ] {
        let status = scim.call("POST", USERS, body.clone()).await;
        // `admin` has not the form of an address, so nobody signs in with it as one.
        let wanted = if body == mail("admin") { 201 } else { 409 };
        assert_eq!(status.status, wanted, "{body}: {}", status.body);
    }
    let path = format!(
        "{USERS}/{}",
        id(&scim.get(&format!("{USERS}?filter=userName+eq+%22ann%22")).await["Resources"][0])
    );
    assert_eq!(scim.refused("PUT", &path, mail("bob@example.com")).await, kind(409, "uniqueness"));
    let given = scim.call("PUT", &path, json!({ "userName": "ann@example.com" })).await;
    assert_eq!(given.status, 200, "{}", given.body);
    let refused = registered(&scim.stage, "Ann", "Ann@example.com").await.unwrap_err();
    assert_eq!(refused.code(), "email_taken", "a user name that a directory gave");
}

#[tokio::test]
async fn of_people_whom_it_did_not_make_a_portal_s_directory_changes_nothing() {
    let scim = Directory::of_portal().await;
    registered(&scim.stage, "Bob", "bob@example.com").await.unwrap();
    let list = scim.get(USERS).await;
    let rows = list["Resources"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["userName"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "bob@example.com"]);
    assert_eq!(rows[1]["displayName"], "Bob");
    for row in rows {
        let path = format!("{USERS}/{}", id(row));
        assert_eq!(scim.refused("PUT", &path, json!({ "userName": "eve" })).await, (403, None));
        assert_eq!(scim.refused("PATCH", &path, off()).await, (403, None));
        assert_eq!(scim.refused("DELETE", &path, Value::Null).await, (403, None));
        assert_eq!(&scim.get(&path).await, row);
    }
}

#[tokio::test]
async fn a_developer_is_on_hold_while_its_person_is_inactive_and_goes_with_them() {
    let scim = Directory::of_portal().await;
    let before = scim.user(json!({ "userName": "eve", "active": false })).await;
    assert_eq!(developer(&scim.stage, "eve").await["on_hold"], true, "made inactive");
    let ann = scim.user(json!({ "userName": "ann" })).await;
    let path = format!("{USERS}/{}", id(&ann));
    let found = developer(&scim.stage, "ann").await;
    let named = found["developer_id"].as_str().unwrap();
    let portal = PortalId::parse(found["portal_id"].as_str().unwrap()).unwrap();
    let acting = async || {
        let app = &scim.stage.app;
        let developer = forecourt_app::authentication::developer_named(app, &portal, named).await?;
        let caller = Caller::system(Source::PortalApi, app.new_request_id());
        let caller = caller.acting_as(forecourt_app::authentication::acting(&developer, None));
        let input = ApplicationInput { name: Some("mobile".into()), ..ApplicationInput::default() };
        applications::create(app, &caller, input, &[]).await
    };
    let application = acting().await.unwrap();
    assert_eq!(scim.call("PATCH", &path, off()).await.body["active"], false);
    assert_eq!(developer(&scim.stage, "ann").await["on_hold"], true);
    assert_eq!(acting().await.unwrap_err().to_string(), "developer is not active");
    // A second time changes nothing, and a PUT without `active` neither.
    assert_eq!(scim.call("PATCH", &path, off()).await.status, 200);
    assert_eq!(scim.call("PUT", &path, json!({ "userName": "ann" })).await.body["active"], false);
    let told = scim.stage.store.read().events_of("developer", found["id"].as_str().unwrap(), 10).await;
    let told: Vec<_> = told.unwrap().iter().map(|event| event.name.name()).collect();
    assert_eq!(told, ["developer_held", "developer_created"]);
    assert_eq!(scim.call("PATCH", &path, on()).await.body["active"], true);
    assert!(developer(&scim.stage, "ann").await.get("on_hold").is_none());
    let kept = format!("/api/forecourt/applications/{}", application.id);
    assert_eq!(scim.stage.get(&kept).await.value()["name"], "mobile", "held, and not lost");

    assert_eq!(scim.call("DELETE", &path, Value::Null).await.status, 204);
    assert!(scim.stage.get("/api/developers?search=ann").await.list().is_empty());
    assert_eq!(scim.stage.get(&kept).await.refusal().0, 404);
    assert_eq!(scim.refused("GET", &path, Value::Null).await, (404, None));
    assert_eq!(scim.refused("DELETE", &path, Value::Null).await, (404, None));
    let again = scim.user(json!({ "userName": "ann" })).await;
    assert_ne!(again["id"], ann["id"], "the name is free, and its new holder inherits nothing");
    assert_eq!(scim.get(&format!("{USERS}/{}", id(&before))).await, before);
}

#[tokio::test]
async fn a_one_time_password_is_given_to_a_developer_as_whom_one_person_signs_in() {
    let scim = Directory::of_portal().await;
    scim.user(json!({ "userName": "ann" })).await;
    let found = developer(&scim.stage, "ann").await;
    let portal = found["portal_id"].as_str().unwrap();
    let path = |id: &str| format!("/api/forecourt/developers/{id}/password_reset");
    let own = path(found["developer_id"].as_str().unwrap());
    for body in [json!({}), json!({ "password": "" }), json!({ "password": "x".repeat(129) })] {
        assert_eq!(scim.stage.call("PUT", &own, body.clone()).await.refusal().0, 400, "{body}");
    }
    let reset = scim.stage.call("PUT", &own, json!({ "password": "first" })).await.value();
    assert_eq!(reset["developer_id"], found["developer_id"]);
    let caller = Caller::system(Source::Site, scim.stage.app.new_request_id());
    let portal_id = PortalId::parse(portal).unwrap();
    let sign_in = async |password| {
        persons::sign_in(&scim.stage.app, &caller, &portal_id, "ann", password, "tests").await
    };
    let token = sign_in("first").await.unwrap().token;
    let known = persons::by_session(&scim.stage.app, &portal_id, token.reveal()).await.unwrap().unwrap();
    assert!(known.must_change_password());
    assert!(sign_in("").await.is_err() && sign_in("ann").await.is_err());
    // A front end's developer has nobody who signs in.
    scim.stage.developer(portal, "front").await;
    assert_eq!(scim.stage.call("PUT", &path("front"), json!({ "password": "x" })).await.refusal().0, 400);
    assert_eq!(scim.stage.call("PUT", &path("nobody"), json!({ "password": "x" })).await.refusal().0, 404);
}
