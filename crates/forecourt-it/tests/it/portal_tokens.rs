//! Portal tokens over both APIs: what is told of them, and whom their end shuts out.

use forecourt_it::{Forecourt, installations::text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_portal_token_tells_when_it_was_used_and_speaks_for_its_portal_until_it_is_deleted() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let other =
        text(&admin.post("/api/portals", json!({ "name": "other" })).await.expect(200)["value"]["id"]);
    let tokens = format!("/api/portals/{other}/tokens");
    let made = admin.post(&tokens, json!({ "name": "site" })).await.expect(200)["value"].clone();
    let secret = text(&made["token"]);
    let body = secret.strip_prefix("a7prt-").expect("the prefix of portal tokens");
    assert!(body.len() >= 40 && body.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{secret}");
    let path = format!("/api/portal/tokens/{}", text(&made["id"]));
    let read = async || admin.get(&path).await.expect(200)["value"].clone();
    assert_eq!(read().await.get("last_used_at"), None);

    let front_end = f.portal_api_guest().with_bearer(&secret);
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let listed = admin.get(&format!("/api/developers?portal_id={other}")).await.expect(200);
    assert_eq!((&listed["total"], &listed["list"][0]["developer_id"]), (&json!(1), &json!("ada")));
    let used = read().await;
    assert!(used["last_used_at"].as_i64().unwrap() >= used["created_at"].as_i64().unwrap(), "{used}");
    for list in
        [tokens.clone(), "/api/portal/tokens".to_owned(), format!("/api/portal/tokens?portal_id={other}")]
    {
        let answer = admin.get(&list).await;
        assert!(!answer.text().contains(&secret), "{answer:?}");
        let rows = answer.expect(200)["list"].as_array().unwrap().clone();
        assert!(rows.contains(&used), "{list}: {rows:?}");
    }
    // Renaming changes the name alone.
    let renamed = admin.put(&path, json!({ "name": "front" })).await.expect(200)["value"].clone();
    assert_eq!((&renamed["name"], renamed.get("token")), (&json!("front"), None::<&Value>));
    front_end.get("/api/developers").await.expect(200);
    admin.delete(&path).await.expect(200);
    front_end.get("/api/developers").await.refused(401, "unauthorized");
    admin.get(&path).await.refused(404, "resource not found");
}
