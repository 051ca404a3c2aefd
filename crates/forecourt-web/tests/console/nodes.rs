//! Gateway nodes, their tokens, and on how many of them an act is in force.

use axum::http::StatusCode;

use crate::{browsers::between, installations::Installation};

#[tokio::test]
async fn an_act_that_takes_access_away_says_on_how_many_nodes_it_is_in_force() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let product = installation.published_product("Orders").await;
    let application = installation.subscribed("mobile", &product).await;
    let (one, two) = (installation.node("one").await, installation.node("two").await);
    let page = format!("/portals/{}/applications/{application}", installation.portal);
    browser.get(&format!("{page}/suspend")).await;
    let done = browser.post(&format!("{page}/suspend"), &[("reason", "too many calls")]).await;
    let shown = browser.get(&done.location()).await;
    assert!(shown.html.contains("mobile is suspended."), "{}", shown.html);
    // No product is linked in a group, so only a change of the product itself concerns the nodes.
    assert!(!shown.html.contains("Live on"), "{}", shown.html);

    let page = format!("/portals/{}/products/{product}", installation.portal);
    browser.get(&format!("{page}/unpublish")).await;
    let done = browser.post(&format!("{page}/unpublish"), &[("confirm", "Orders")]).await;
    installation.acknowledge_all(&one).await;
    let shown = browser.get(&done.location()).await;
    assert!(shown.html.contains("Live on 1 of 2 nodes."), "{}", shown.html);
    let receipt = shown.link_holding("/gateway/receipts/");
    let waiting = browser.get(&receipt).await;
    assert!(waiting.html.contains("Live on 1 of 2 nodes.") && waiting.html.contains("Not yet"));
    installation.acknowledge_all(&two).await;
    let complete = browser.get(&receipt).await;
    assert!(complete.html.contains("Live on 2 of 2 nodes.") && !complete.html.contains("Not yet"));
    assert_eq!(browser.get("/gateway/receipts/9999").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/gateway/receipts/x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nodes_and_their_tokens_are_listed_and_removed_with_what_that_does_said() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    assert!(browser.get("/gateway/nodes").await.html.contains("No nodes"));
    browser.get("/gateway/tokens/new").await;
    let shown = browser.post("/gateway/tokens/new", &[("group", "default")]).await;
    let token = between(&shown.html, "FORECOURT_GATEWAY_TOKEN=", "\"").to_owned();
    assert!(token.starts_with("a7dp-") && token.contains('.'), "{token}");
    let secret = token.split('.').next().unwrap();
    for name in ["one", "two"] {
        installation.node_with(&token, name).await;
    }
    let tokens = browser.get("/gateway/tokens").await;
    assert!(!tokens.html.contains(secret), "the token is shown again");
    let list = browser.get("/gateway/nodes").await;
    for text in ["one", "two", "1.0.0", "default"] {
        assert!(list.html.contains(text), "{text}: {}", list.main());
    }
    let node = browser.get("/gateway/nodes/nod_one").await;
    assert!(node.html.contains("http://one.example:9080"), "{}", node.main());
    let question = browser.get("/gateway/nodes/nod_one/remove").await;
    assert!(question.html.contains("1 other node joined with the same token"), "{}", question.main());
    let done = browser.post("/gateway/nodes/nod_one/remove", &[]).await;
    assert_eq!(done.location(), "/gateway/nodes");
    let list = browser.get("/gateway/nodes").await;
    assert!(list.html.contains("one is removed, and its token with it.") && !list.html.contains("nod_one"));
    assert!(browser.get("/gateway/tokens").await.html.contains("No tokens"));
    assert_eq!(browser.get("/gateway/nodes/nod_one").await.status, StatusCode::NOT_FOUND);

    browser.get("/gateway/tokens/new").await;
    let unknown = browser.post("/gateway/tokens/new", &[("group", "nowhere")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    browser.get("/gateway/tokens/new").await;
    browser.post("/gateway/tokens/new", &[("group", "default")]).await;
    let delete = browser.get("/gateway/tokens").await.link_holding("/delete");
    browser.get(&delete).await;
    assert_eq!(browser.post(&delete, &[]).await.location(), "/gateway/tokens");
    assert!(browser.get("/gateway/tokens").await.html.contains("No tokens"));
}
