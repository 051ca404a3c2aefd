//! How products are made, published and changed.

use super::*;
use crate::gateway_state::BasicAuthMethod;

fn basic() -> Option<ProductAuth> {
    Some(ProductAuth { basic_auth: Some(BasicAuthMethod { hide_credentials: false }), ..Default::default() })
}

fn gateway(input: ProductInput) -> Result<Product, ProductRefusal> {
    let input =
        ProductInput { product_type: Some(ProductType::Gateway), name: Some("Orders".into()), ..input };
    Product::new(ProductId::known("prd_1"), PortalId::known("prt_1"), input, Timestamp::default())
}

fn status(status: ProductStatus) -> ProductInput {
    ProductInput { status: Some(status), ..Default::default() }
}

#[test]
fn a_gateway_product_without_a_method_cannot_be_published() {
    let draft = gateway(ProductInput::default()).unwrap();
    let refused = draft.changed(status(ProductStatus::Published), Timestamp::default()).unwrap_err();
    assert_eq!(refused, ProductRefusal::NoAuth);
}

#[test]
fn auth_is_locked_while_published_but_may_change_together_with_unpublishing() {
    let input = ProductInput { auth: basic(), ..status(ProductStatus::Published) };
    let live = gateway(input).unwrap();
    let other = ProductInput { auth: Some(ProductAuth::default()), ..Default::default() };
    assert_eq!(
        live.clone().changed(other.clone(), Timestamp::default()).unwrap_err(),
        ProductRefusal::AuthLocked
    );
    let same = ProductInput { auth: basic(), ..Default::default() };
    assert!(live.clone().changed(same, Timestamp::default()).is_ok());
    let both = ProductInput { status: Some(ProductStatus::Draft), ..other };
    assert!(live.changed(both, Timestamp::default()).unwrap().unpublished);
}

#[test]
fn an_external_product_takes_its_servers_from_its_own_text_and_refuses_auth() {
    let text =
        "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
    let input = ProductInput {
        product_type: Some(ProductType::External),
        name: Some("Billing".into()),
        document: Some(text.into()),
        ..Default::default()
    };
    let new = |input| Product::new(ProductId::known("p"), PortalId::known("q"), input, Timestamp::default());
    let Offer::External(offer) = new(input.clone()).unwrap().offer else { panic!("external") };
    assert_eq!(offer.server_urls, ["https://a.example"]);
    let refused = new(ProductInput { auth: basic(), ..input }).unwrap_err();
    assert!(refused.to_string().starts_with("auth is a member of gateway products only"), "{refused}");
}
