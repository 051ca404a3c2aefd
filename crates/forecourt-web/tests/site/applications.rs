//! The form of an application: what was typed stays, and what is wrong is told beside its field.

use axum::http::StatusCode;

use super::{
    application,
    harness::{Answer, Site},
};

/// Whether a page shows `text`, which the page escapes.
fn shows(page: &Answer, text: &str) -> bool {
    page.text.replace("&#x2f;", "/").contains(text)
}

#[tokio::test]
async fn callback_urls_and_attributes_are_written_one_a_line_and_come_back_to_be_edited() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let wrong = [
        ("name", "Shop"),
        ("callback_urls", "https://shop.example/cb\n/relative"),
        ("attributes", "team: a"),
    ];
    let refused = ada.submit("/applications/new", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.holds("id=\"callback_urls-error\"") && refused.holds("absolute URI"), "{}", refused.text);
    assert!(shows(&refused, "/relative") && refused.holds("team: a"), "what was typed stays");
    let refused = ada.submit("/applications/new", &[("name", "Shop"), ("attributes", "nonsense")]).await;
    assert!(refused.holds("id=\"attributes-error\"") && refused.holds("“nonsense” is no attribute"));

    let fields = [
        ("name", "Shop"),
        ("callback_urls", " https://shop.example/cb \r\n\r\nshop.app:/cb"),
        ("attributes", "cost center: HQ 4711\r\nowner: Zoë: shop"),
    ];
    let path = application(&mut ada, &fields).await;
    let page = ada.get(&path).await;
    for shown in ["https://shop.example/cb", "shop.app:/cb", "cost center", "HQ 4711", "Zoë: shop"] {
        assert!(shows(&page, shown), "{shown}: {}", page.text);
    }
    let edit = format!("{path}/edit");
    let form = ada.get(&edit).await;
    assert!(shows(&form, "https://shop.example/cb\nshop.app:/cb</textarea>"), "{}", form.text);
    assert!(shows(&form, "cost center: HQ 4711\nowner: Zoë: shop</textarea>"), "{}", form.text);
    let saved = ada.submit(&edit, &[("name", "Shop"), ("attributes", "owner: Bob")]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    let page = ada.get(&path).await;
    assert!(page.holds("Bob") && !page.holds("shop.app:/cb") && !page.holds("HQ 4711"), "{}", page.text);
}
