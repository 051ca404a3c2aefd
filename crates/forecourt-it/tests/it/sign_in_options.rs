//! Sign-in options over HTTP: what administrators set takes effect where people sign in.

use forecourt_it::{Forecourt, installations::text};
use serde_json::{Value, json};

fn ldap() -> Value {
    json!({
        "name": "Directory", "provider_type": "ldap",
        "ldap_config": {
            "host": "ldap.example.com", "port": "636", "base_dn": "dc=example", "bind_dn": "cn=admin",
            "bind_password": "planted-secret", "identifier": "uid", "use_ssl": true,
        },
    })
}

#[tokio::test]
async fn a_portal_has_options_of_its_own_under_every_path() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let portal = f.portal_id().await;
    let made = admin.post(&format!("/api/login_options?portal_id={portal}"), ldap()).await.expect(200);
    let id = text(&made["value"]["id"]);
    for path in [
        format!("/api/login_options?portal_id={portal}"),
        format!("/api/portal/login_options?portal_id={portal}"),
        format!("/api/portals/{portal}/login_options"),
    ] {
        let answer = admin.get(&path).await;
        assert!(!answer.text().contains("planted-secret"), "{answer:?}");
        let list = answer.expect(200);
        assert_eq!((&list["total"], &list["list"][0]), (&json!(2), &made["value"]), "{path}");
    }
    let items = [
        format!("/api/login_options/{id}"),
        format!("/api/portal/login_options/{id}"),
        format!("/api/portals/{portal}/login_options/{id}"),
    ];
    for path in &items {
        assert_eq!(admin.get(path).await.expect(200), made);
    }
    assert_eq!(admin.get("/api/login_options").await.expect(200)["total"], 1, "the administrators' own");
    let other = admin.post("/api/portals", json!({ "name": "other" })).await.expect(200);
    let other = text(&other["value"]["id"]);
    admin.get(&format!("/api/portals/{other}/login_options/{id}")).await.expect(404);
    admin.put(&format!("/api/login_options/{id}?portal_id={other}"), json!({})).await.expect(404);
    assert_eq!(admin.delete(&items[2]).await.expect(200), json!({ "value": { "id": id } }));
    admin.get(&items[0]).await.expect(404);
}

#[tokio::test]
async fn a_disabled_built_in_option_keeps_people_out_of_the_site_they_belong_to_alone() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let portal = f.portal_id().await;
    let options = admin.get(&format!("/api/portals/{portal}/login_options")).await.expect(200);
    let path = format!("/api/login_options/{}", text(&options["list"][0]["id"]));
    let shown = |html: String| html.contains("name=\"password\"");
    assert!(shown(f.site().get("/sign-in").await.text()), "a password is asked for");
    admin.put(&path, json!({ "disable": true })).await.expect(200);
    assert!(!shown(f.site().get("/sign-in").await.text()), "nobody signs in with a password");
    let pair = json!({ "username": "admin", "password": "wrong" });
    f.guest().post("/api/login", pair).await.refused(401, "unauthorized");
    admin.get("/api/me").await.expect(200);
    admin.put(&path, json!({ "enabled": true })).await.expect(200);
    assert!(shown(f.site().get("/sign-in").await.text()));
    admin.delete(&path).await.refused(400, "the built-in option cannot be deleted");
}

#[tokio::test]
async fn many_who_disable_options_at_once_leave_one_enabled() {
    let f = Forecourt::start().await;
    // A token: once the built-in option is disabled, a password proves nothing any more.
    let token = json!({ "name": "story", "expires_at": 0 });
    let token = f.admin().await.post("/api/settings/tokens", token).await.expect(200);
    let admin = f.guest().with_bearer(&text(&token["value"]["token"]));
    let mut paths = vec!["/api/login_options/built_in".to_owned()];
    for _ in 0..4 {
        let made = admin.post("/api/login_options", ldap()).await.expect(200);
        paths.push(format!("/api/login_options/{}", text(&made["value"]["id"])));
    }
    let calls: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let admin = admin.clone();
            tokio::spawn(async move { admin.put(&path, json!({ "disable": true })).await })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status.as_u16() == 400 {
            answer.refused(400, "last enabled login option");
            refused += 1;
        } else {
            answer.expect(200);
        }
    }
    assert_eq!(refused, 1);
    let list = admin.get("/api/login_options").await.expect(200);
    let enabled = list["list"].as_array().unwrap().iter().filter(|option| option["disable"] == false).count();
    assert_eq!(enabled, 1);
}

#[tokio::test]
async fn whoever_is_locked_out_gets_in_again_after_a_start_that_enables_passwords() {
    let mut f = Forecourt::start_with(|settings| settings.bootstrap.enable_passwords = true).await;
    let admin = f.admin().await;
    admin.post("/api/login_options", ldap()).await.expect(200);
    admin.put("/api/login_options/built_in", json!({ "disable": true })).await.expect(200);
    f.admin().await.get("/api/me").await.refused(401, "unauthorized");
    f.restart().await;
    f.admin().await.get("/api/me").await.expect(200);
    let records = f.admin().await.get("/api/login_options/built_in").await.expect(200);
    assert_eq!(records["value"]["disable"], false);
}

#[tokio::test]
async fn options_outlive_a_restart_with_their_secrets() {
    let mut f = Forecourt::start().await;
    let made = f.admin().await.post("/api/login_options", ldap()).await.expect(200);
    let path = format!("/api/login_options/{}", text(&made["value"]["id"]));
    f.restart().await;
    assert_eq!(f.admin().await.get(&path).await.expect(200), made);
    let kept = f.admin().await.put(&path, json!({ "ldap_config": { "timeout": 20 } })).await.expect(200);
    assert_eq!(kept["value"]["ldap_config"]["timeout"], 20);
}
