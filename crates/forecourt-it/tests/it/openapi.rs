//! The OpenAPI documents and their pages, on the ports of the APIs that they describe.

use forecourt_it::Forecourt;

#[tokio::test]
async fn each_api_serves_its_own_document_to_everybody() {
    let f = Forecourt::start().await;
    for (client, title, own, others) in [
        (f.guest(), "Forecourt Admin API", "/api/portals", "/api/applications"),
        (f.portal_api_guest(), "Forecourt Portal API", "/api/applications", "/api/portals"),
    ] {
        let answer = client.get("/openapi.json").await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{title}");
        let document = answer.json();
        assert_eq!((&document["openapi"], &document["info"]["title"]), (&"3.1.0".into(), &title.into()));
        assert!(document["paths"][own].is_object(), "{title} lacks {own}");
        assert!(document["paths"][others].is_null(), "{title} has {others}");
        client.post("/openapi.json", serde_json::json!({})).await.refused(405, "method not allowed");
    }
}

#[tokio::test]
async fn the_page_of_each_document_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let f = Forecourt::start().await;
    for client in [f.guest(), f.portal_api_guest()] {
        let document = client.get("/openapi.json").await.json();
        let answer = client.get("/docs").await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = answer.text();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(page.contains(&format!("id=\"{id}\"")), "the page lacks {id} of {path}");
            }
        }
        assert!(!page.contains("http://") && !page.contains("https://cdn"), "something from elsewhere");
        let style =
            page.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(client.get(style).await.status.as_u16(), 200, "{style}");
    }
}
