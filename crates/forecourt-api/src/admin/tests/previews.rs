//! What a wish for a preview may not overtake: who calls, and whether there is such a call at all.

use serde_json::{Value, json};

use super::{matrix::Existing, stage::Stage};
use crate::{admin::endpoints, openapi::operations::Access, previews};

#[tokio::test]
async fn a_preview_that_there_is_not_is_refused_only_to_whoever_proved_who_they_are() {
    let existing = Existing::start().await;
    let mut seen = 0;
    for row in endpoints().rows().iter().filter(|row| row.method != "GET") {
        let method = row.method.as_str();
        let send = async |query: &str, headers: &[(&str, &str)]| {
            let address = existing.address(row.path);
            let address = format!("{address}{}{query}", if address.contains('?') { '&' } else { '?' });
            existing.stage.with_headers(method, &address, headers, json!("no object")).await.refusal().0
        };
        let known = [("x-api-key", existing.stage.token.as_str())];
        let unknown = if row.operation.access == Access::Open { 400 } else { 401 };
        for query in ["dry_run=perhaps", "broken=%"] {
            assert_eq!(send(query, &[]).await, unknown, "{method} {} {query}", row.path);
            assert_eq!(send(query, &known).await, 400, "{method} {} {query}", row.path);
            seen += 1;
        }
        if !previews::is_previewed(&row.method, row.path) {
            assert_eq!(send("dry_run=true", &[]).await, unknown, "{method} {}", row.path);
            assert_eq!(send("dry_run=true", &known).await, 400, "{method} {}", row.path);
        }
    }
    assert!(seen > 100, "{seen}");
}

#[tokio::test]
async fn a_wrong_method_stays_one_and_a_one_time_password_is_changed_first() {
    let stage = Stage::fresh().await;
    let cookie = stage.sign_in("admin", "admin").await;
    let send = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        stage.with_headers(method, path, headers, Value::Null).await.refusal()
    };
    for query in ["dry_run=perhaps", "dry_run=true", "broken=%"] {
        assert_eq!(send("DELETE", &format!("/api/portals?{query}"), &[]).await.0, 405, "{query}");
        let headers = [("cookie", cookie.as_str())];
        let refused = send("POST", &format!("/api/portals?{query}"), &headers).await;
        assert_eq!(refused, (403, "password change required".into()), "{query}");
    }
}
