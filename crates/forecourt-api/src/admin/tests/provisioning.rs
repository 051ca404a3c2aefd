//! SCIM: its settings, its envelope and statuses, lists, versions, and what a directory may not do, of both services. What
//! portals' own does beyond that stands in `portal_provisioning.rs`.

use axum::Router;
use forecourt_http::Context;
use serde_json::{Value, json};

use super::stage::{self, Reply, Stage};
use crate::scim;

const USERS: &str = "/Users";

/// A directory of one of the services, in which an account that it did not make is called `admin`.
pub(super) struct Directory {
    pub(super) stage: Stage,
    pub(super) token: String,
    pub(super) router: Router,
    pub(super) base: &'static str,
    pub(super) host: &'static str,
}

impl Directory {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let token = enabled(&stage, "/api/system_settings/scim").await;
        Self { token, router: stage.router.clone(), base: scim::PREFIX, host: "admin.example.com", stage }
    }

    /// That of the default portal.
    pub(super) async fn of_portal() -> Self {
        let stage = Stage::start().await;
        let portal = stage.default_portal().await;
        let invite = json!({ "username": "admin", "password": "first" });
        stage.call("POST", &format!("/api/developers/invites?portal_id={portal}"), invite).await.value();
        let token = enabled(&stage, &format!("/api/forecourt/portals/{portal}/scim")).await;
        let router = scim::site_router(Context::new(stage.app.clone(), forecourt_http::Config::default()));
        Self { token, router, base: scim::SITE_PREFIX, host: "portal.example.com", stage }
    }

    async fn both() -> [Self; 2] {
        [Self::start().await, Self::of_portal().await]
    }

    pub(super) async fn with(&self, method: &str, path: &str, header: (&str, &str), body: Value) -> Reply {
        let headers = [("authorization", self.token.as_str()), ("host", self.host), header];
        let request = stage::request(method, &format!("{}{path}", self.base), &headers, body);
        let reply = stage::send(&self.router, request).await;
        if reply.status != 204 && reply.status != 304 {
            assert_eq!(reply.headers["content-type"], "application/scim+json", "{method} {path}");
        }
        reply
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.with(method, path, ("accept", "application/scim+json"), body).await
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let reply = self.call("GET", path, Value::Null).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body
    }

    pub(super) async fn user(&self, body: Value) -> Value {
        let reply = self.call("POST", USERS, body).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        assert_eq!(reply.headers["location"], reply.body["meta"]["location"].as_str().unwrap());
        reply.body
    }

    /// The refusal's status and kind, after checking its form.
    pub(super) async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, Option<String>) {
        let reply = self.call(method, path, body).await;
        assert_eq!(reply.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{path}");
        assert_eq!(reply.body["status"], reply.status.to_string());
        assert!(reply.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        (reply.status, reply.body["scimType"].as_str().map(str::to_owned))
    }
}

/// Enables SCIM by its settings at `path`; what its directory shows.
pub(super) async fn enabled(stage: &Stage, path: &str) -> String {
    stage.call("PUT", path, json!({ "enable": true })).await.value();
    let token = stage.call("PUT", &format!("{path}/token"), Value::Null).await.value();
    format!("Bearer {}", token["token"].as_str().unwrap())
}

pub(super) fn kind(status: u16, kind: &str) -> (u16, Option<String>) {
    (status, Some(kind.to_owned()))
}

#[tokio::test]
async fn scim_is_disabled_at_first_and_its_settings_tell_the_endpoint_and_never_the_token() {
    let stage = Stage::start().await;
    let known = [("x-api-key", stage.token.as_str()), ("host", "admin.example.com")];
    let settings =
        async || stage.with_headers("GET", "/api/system_settings/scim", &known, Value::Null).await.value();
    let endpoint = "http://admin.example.com/api/scim/v2";
    assert_eq!(settings().await, json!({ "enable": false, "endpoint": endpoint }));
    for body in [json!({}), json!({ "enable": "yes" }), json!({ "enable": null })] {
        assert_eq!(stage.call("PUT", "/api/system_settings/scim", body).await.refusal().0, 400);
    }
    let token = stage.call("PUT", "/api/system_settings/scim/token", Value::Null).await.value();
    assert!(token["token"].as_str().unwrap().starts_with("a7scim-"));
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let users = async || {
        stage
            .with_headers("GET", "/api/scim/v2/Users", &[("authorization", &bearer)], Value::Null)
            .await
            .status
    };
    assert_eq!(users().await, 404);
    stage.call("PUT", "/api/system_settings/scim", json!({ "enable": true })).await.value();
    assert_eq!(users().await, 200);
    assert_eq!(settings().await, json!({ "enable": true, "endpoint": endpoint }));
    let events = stage.store.read().events_of("settings", "scim", 10).await.unwrap();
    assert_eq!(events.len(), 2);
    assert!(!format!("{events:?}").contains(token["token"].as_str().unwrap()));
}

#[tokio::test]
async fn a_user_is_found_by_name_in_any_case_and_may_change_its_own() {
    for scim in Directory::both().await {
        let made = scim.user(json!({ "userName": "Änn.Lee@example.com" })).await;
        // The name of one is part of the other's, and of what can be searched.
        scim.user(json!({ "userName": "nn.lee@example.com", "displayName": "Änn.Lee@example.com" })).await;
        let path = format!("{USERS}/{}", made["id"].as_str().unwrap());
        for name in ["Änn.Lee@example.com", "änn.lee@EXAMPLE.com"] {
            let name = name.replace('Ä', "%C3%84").replace('ä', "%C3%A4");
            let found = scim.get(&format!("{USERS}?filter=userName+eq+%22{name}%22")).await;
            assert_eq!(
                (&found["totalResults"], &found["Resources"][0]["id"]),
                (&json!(1), &made["id"]),
                "{name}"
            );
        }
        let other = json!({ "userName": "ÄNN.LEE@example.com" });
        assert_eq!(scim.refused("POST", USERS, other.clone()).await, kind(409, "uniqueness"));
        let renamed = scim.call("PUT", &path, other).await;
        assert_eq!((renamed.status, &renamed.body["userName"]), (200, &json!("ÄNN.LEE@example.com")));
        let schema = scim.get("/Schemas").await;
        let attributes = schema["Resources"][0]["attributes"].as_array().unwrap();
        let name = attributes.iter().find(|attribute| attribute["name"] == "userName").unwrap();
        assert_eq!((&name["caseExact"], &name["uniqueness"]), (&json!(false), &json!("server")));
    }
}

#[tokio::test]
async fn a_user_is_made_read_replaced_and_deleted() {
    let scim = Directory::start().await;
    let emails = json!([{ "value": "ann@example.com", "type": "work", "primary": true }]);
    let made = scim
        .user(json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann", "externalId": "e-1",
            "name": { "givenName": "Ann", "familyName": "Lee", "formatted": "Ann Lee" }, "emails": emails,
            "displayName": "Ann L.", "password": "ignored", "roles": [{ "value": "super-admin" }], "title": "Dr",
        }))
        .await;
    let id = made["id"].as_str().unwrap();
    let path = format!("{USERS}/{id}");
    let meta = &made["meta"];
    assert_eq!(
        made,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": id, "userName": "ann", "externalId": "e-1",
            "name": { "givenName": "Ann", "familyName": "Lee" }, "emails": emails, "displayName": "Ann L.", "active": true,
            "meta": { "resourceType": "User", "created": meta["created"], "lastModified": meta["created"],
                      "location": format!("http://admin.example.com/api/scim/v2{path}"), "version": meta["version"] },
        })
    );
    assert_eq!(scim.get(&path).await, made);
    let user = scim.stage.get(&format!("/api/users/{id}")).await.value();
    assert_eq!(user["email"], "ann@example.com");
    assert_eq!(
        (&user["first_name"], &user["state"], &user["roles"]),
        (&json!("Ann"), &json!("Active"), &json!([]))
    );
    // No password opens, not even an empty one or the one that was sent.
    for password in ["", "ignored"] {
        assert_eq!(scim.stage.basic("GET", "/api/me", "ann", password, Value::Null).await.status, 401);
    }
    // A PUT clears what it does not name, but leaves whether they may get in.
    let off = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    assert_eq!(scim.call("PATCH", &path, off).await.status, 200);
    let replaced = scim.call("PUT", &path, json!({ "userName": "ann2" })).await.body;
    assert_eq!((&replaced["userName"], &replaced["active"]), (&json!("ann2"), &json!(false)));
    for cleared in ["name", "emails", "externalId", "displayName"] {
        assert!(replaced.get(cleared).is_none(), "{cleared}");
    }
    assert_eq!(scim.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(scim.refused("GET", &path, Value::Null).await, (404, None));
    assert_eq!(scim.stage.get(&format!("/api/users/{id}")).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_the_words_of_scim() {
    for scim in Directory::both().await {
        let ann = scim.user(json!({ "userName": "ann" })).await;
        scim.user(json!({ "userName": "bob" })).await;
        let path = format!("{USERS}/{}", ann["id"].as_str().unwrap());
        for body in [
            json!({}),
            json!({ "userName": "" }),
            json!({ "userName": "a:b" }),
            json!({ "userName": 7 }),
            json!({ "userName": "x".repeat(129) }),
            json!({ "userName": "x", "active": "perhaps" }),
            json!({ "userName": "x", "emails": "a@example.com" }),
            json!({ "userName": "x", "emails": ["a@example.com"] }),
            json!({ "userName": "x", "name": "Ann" }),
        ] {
            assert_eq!(scim.refused("POST", USERS, body.clone()).await, kind(400, "invalidValue"), "{body}");
            assert_eq!(scim.refused("PUT", &path, body.clone()).await, kind(400, "invalidValue"), "{body}");
        }
        assert_eq!(scim.refused("POST", USERS, json!([])).await, kind(400, "invalidSyntax"));
        for taken in ["bob", "BOB"] {
            assert_eq!(
                scim.refused("POST", USERS, json!({ "userName": taken })).await,
                kind(409, "uniqueness")
            );
        }
        assert_eq!(scim.refused("PUT", &path, json!({ "userName": "bob" })).await, kind(409, "uniqueness"));
        let rename = json!({ "Operations": [{ "op": "replace", "path": "userName", "value": "bob" }] });
        assert_eq!(scim.refused("PATCH", &path, rename).await, kind(409, "uniqueness"));
        // All operations or none.
        let half = json!({ "Operations": [
        { "op": "replace", "path": "displayName", "value": "Ann" }, { "op": "remove", "path": "userName" },
    ] });
        assert_eq!(scim.refused("PATCH", &path, half).await, kind(400, "mutability"));
        assert_eq!(scim.get(&path).await, ann);
        for (method, path) in
            [("GET", "/Users/usr_none"), ("PUT", "/Users/x"), ("GET", "/Groups"), ("GET", "/Schemas/x")]
        {
            assert_eq!(scim.refused(method, path, Value::Null).await, (404, None), "{path}");
        }
        assert_eq!(scim.refused("DELETE", USERS, Value::Null).await, (405, None));
        assert_eq!(scim.refused("GET", "/Me", Value::Null).await, (501, None));
        let filtered = "/Schemas?filter=id+pr";
        assert_eq!(scim.refused("GET", filtered, Value::Null).await, (403, None));
    }
}

#[tokio::test]
async fn a_refused_call_has_done_nothing() {
    for scim in Directory::both().await {
        let count = async || scim.get(USERS).await["totalResults"].as_u64().unwrap();
        let before = count().await;
        let both = format!("{USERS}?attributes=userName&excludedAttributes=name");
        let refusal = scim.refused("POST", &both, json!({ "userName": "ann" })).await;
        assert_eq!(refusal, kind(400, "invalidValue"));
        assert_eq!(count().await, before, "what is to be shown is looked at first");

        let made = scim.user(json!({ "userName": "bob" })).await;
        let path = format!("{USERS}/{}", made["id"].as_str().unwrap());
        let preview = format!("{path}?dry_run=true");
        assert_eq!(scim.refused("DELETE", &preview, Value::Null).await, kind(400, "invalidValue"));
        let many: Vec<_> =
            (0..101).map(|number| json!({ "value": format!("{number}@example.com") })).collect();
        let patch = json!({ "Operations": [{ "op": "add", "path": "emails", "value": many }] });
        assert_eq!(scim.refused("PATCH", &path, patch).await, kind(400, "invalidValue"));
        assert_eq!(scim.get(&path).await["userName"], "bob");
        let nothing = scim.get(&format!("{USERS}?filter=userName%20eq%20%22a%5Cu0000%22")).await;
        assert_eq!(nothing["totalResults"], 0);
    }
}

#[tokio::test]
async fn lists_are_filtered_paged_and_narrowed_to_what_is_asked_for() {
    for scim in Directory::both().await {
        for number in 0..5 {
            let mail = json!([{ "value": format!("u{number}@example.com"), "type": "work" }]);
            let own = format!("E-{number}");
            scim.user(json!({ "userName": format!("u{number}"), "emails": mail, "externalId": own })).await;
        }
        let listed = async |query: &str| {
            let list = scim.get(&format!("{USERS}?{query}")).await;
            assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
            let rows = list["Resources"].as_array().unwrap();
            assert_eq!(list["itemsPerPage"], rows.len());
            let names: Vec<_> = rows.iter().map(|row| row["userName"].as_str().unwrap_or_default()).collect();
            (names.join(" "), list["totalResults"].as_u64().unwrap(), list["startIndex"].as_u64().unwrap())
        };
        assert_eq!(listed("").await, ("admin u0 u1 u2 u3 u4".into(), 6, 1));
        assert_eq!(listed("startIndex=3&count=2").await, ("u1 u2".into(), 6, 3));
        assert_eq!(listed("startIndex=-1&count=1").await, ("admin".into(), 6, 1));
        assert_eq!(listed("count=0").await, (String::new(), 6, 1));
        assert_eq!(listed("startIndex=99").await, (String::new(), 6, 99));
        assert_eq!(listed("filter=userName+eq+%22u3%22").await, ("u3".into(), 1, 1));
        assert_eq!(listed("filter=userName+eq+%22none%22").await, (String::new(), 0, 1));
        assert_eq!(listed("filter=externalId+eq+%22E-3%22").await, ("u3".into(), 1, 1));
        assert_eq!(listed("filter=externalId+eq+%22e-3%22").await, (String::new(), 0, 1), "case counts");
        assert_eq!(
            listed("filter=emails.value+sw+%22U1%22+or+userName+eq+%22u4%22").await,
            ("u1 u4".into(), 2, 1)
        );
        let row = async |query: &str| {
            let list = scim.get(&format!("{USERS}?filter=userName+eq+%22u3%22&{query}")).await;
            let row = list["Resources"][0].as_object().unwrap().clone();
            let mut names: Vec<_> = row.keys().cloned().collect();
            names.sort();
            (names.join(" "), Value::Object(row))
        };
        assert_eq!(row("attributes=userName").await.0, "id schemas userName");
        let (names, values) = row("attributes=emails.value,active").await;
        assert_eq!(names, "active emails id schemas");
        assert_eq!(values["emails"], json!([{ "value": "u3@example.com" }]));
        let (names, values) = row("excludedAttributes=meta,emails.value,id").await;
        assert_eq!(names, "active emails externalId id schemas userName");
        assert_eq!(values["emails"], json!([{ "type": "work" }]));
        for (query, wanted) in [
            ("filter=userName", "invalidFilter"),
            ("count=many", "invalidValue"),
            ("attributes=id&excludedAttributes=id", "invalidValue"),
            ("filter=%zz", "invalidSyntax"),
        ] {
            let refused = scim.refused("GET", &format!("{USERS}?{query}"), Value::Null).await;
            assert_eq!(refused, kind(400, wanted), "{query}");
        }
        let search =
            json!({ "filter": "userName sw \"u\"", "startIndex": 2, "count": 1, "attributes": ["userName"] });
        for path in ["/.search", "/Users/.search"] {
            let found = scim.call("POST", path, search.clone()).await;
            assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(5)));
            assert_eq!(found.body["Resources"][0]["userName"], "u1");
        }
    }
}

#[tokio::test]
async fn a_version_that_is_over_changes_nothing() {
    for scim in Directory::both().await {
        let ann = scim.user(json!({ "userName": "ann" })).await;
        let path = format!("{USERS}/{}", ann["id"].as_str().unwrap());
        let old = ann["meta"]["version"].as_str().unwrap();
        let unchanged = scim.with("GET", &path, ("if-none-match", old), Value::Null).await;
        assert_eq!((unchanged.status, unchanged.headers["etag"].to_str().unwrap()), (304, old));
        let renamed = scim.with("PUT", &path, ("if-match", old), json!({ "userName": "ann2" })).await;
        assert_eq!(renamed.status, 200);
        assert_ne!(renamed.headers["etag"], old);
        let patch = json!({ "Operations": [{ "op": "add", "path": "displayName", "value": "A" }] });
        for (method, body) in
            [("PUT", json!({ "userName": "ann3" })), ("PATCH", patch.clone()), ("DELETE", Value::Null)]
        {
            assert_eq!(scim.with(method, &path, ("if-match", old), body).await.status, 412, "{method}");
        }
        assert_eq!(
            scim.with("GET", &path, ("if-none-match", old), Value::Null).await.body["userName"],
            "ann2"
        );
        assert_eq!(scim.with("PATCH", &path, ("if-match", "*"), patch).await.status, 200);
    }
}

#[tokio::test]
async fn wrong_tokens_of_a_directory_are_limited_as_others_are() {
    for scim in Directory::both().await {
        let address: std::net::SocketAddr = "203.0.113.7:1".parse().unwrap();
        let guess = async || {
            let request = http::Request::get(format!("{}{USERS}", scim.base))
                .header("authorization", "Bearer a7scim-wrong")
                .extension(axum::extract::ConnectInfo(address));
            stage::send(&scim.router, request.body(axum::body::Body::empty()).unwrap()).await
        };
        for _ in 0..100 {
            assert_eq!(guess().await.status, 401);
        }
        let limited = guess().await;
        assert_eq!(limited.status, 429);
        assert!(limited.headers.contains_key("retry-after"));
    }
}
