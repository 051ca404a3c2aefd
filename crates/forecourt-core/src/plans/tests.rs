//! The rules of plans.

use super::*;
use crate::{
    gateway_state::KeyAuthMethod,
    ids::PortalId,
    products::{ProductAuth, ProductStatus, ProductType, changes::ProductInput},
};

const NOW: Timestamp = Timestamp::from_seconds(1_786_060_800);

fn product(plans: Vec<Plan>) -> Product {
    let key_auth = KeyAuthMethod { header: "apikey".into(), query: "apikey".into(), hide_credentials: false };
    let input = ProductInput {
        product_type: Some(ProductType::Gateway),
        name: Some("Orders".into()),
        auth: Some(ProductAuth { key_auth: Some(key_auth), ..ProductAuth::default() }),
        status: Some(ProductStatus::Published),
        ..ProductInput::default()
    };
    let mut product = Product::new(ProductId::known("prd_1"), PortalId::known("prt_1"), input, NOW).unwrap();
    if let Offer::Gateway(offer) = &mut product.offer {
        offer.plans = plans;
    }
    product
}

fn limit(count: u64, window_seconds: u32) -> PlanLimit {
    PlanLimit { count, window_seconds }
}

fn input(name: &str, limits: &[PlanLimit]) -> PlanInput {
    PlanInput { name: Some(name.into()), limits: Some(limits.to_vec()), ..PlanInput::default() }
}

fn made(product: &Product, name: &str) -> Plan {
    let id = PlanId::known(format!("pln_{name}"));
    Plan::create(id, product, input(name, &[limit(5, 60)]), NOW).unwrap().plan
}

/// A product with the plans Bronze, the default, and Gold.
fn two_plans() -> Product {
    let bronze = made(&product(Vec::new()), "Bronze");
    let gold = made(&product(vec![bronze.clone()]), "Gold");
    product(vec![bronze, gold])
}

#[test]
fn the_first_plan_is_the_default_whatever_it_asks_and_the_second_is_not() {
    let asked = PlanInput { is_default: Some(false), ..input("Bronze", &[]) };
    let first = Plan::create(PlanId::known("pln_1"), &product(Vec::new()), asked, NOW).unwrap();
    assert!(first.plan.is_default && first.former_default.is_none());
    let second = made(&product(vec![first.plan]), "Gold");
    assert!(!second.is_default);
}

#[test]
fn the_default_moves_to_the_plan_that_asks_for_it_and_never_vanishes() {
    let product = two_plans();
    let [bronze, gold] = product.plans() else { panic!("two") };
    let yes = PlanInput { is_default: Some(true), ..PlanInput::default() };
    let moved = gold.clone().changed(&product, yes, NOW).unwrap();
    assert!(moved.plan.is_default);
    let former = moved.former_default.unwrap();
    assert_eq!((former.id.as_str(), former.is_default), ("pln_Bronze", false));
    let no = PlanInput { is_default: Some(false), ..PlanInput::default() };
    assert_eq!(bronze.clone().changed(&product, no, NOW).unwrap_err(), PlanRefusal::DefaultStays);
    assert_eq!(bronze.check_deletable(&product, 0).unwrap_err(), PlanRefusal::DefaultStays);
    assert_eq!(gold.check_deletable(&product, 0), Ok(()));
}

#[test]
fn a_plan_in_use_stays_and_the_last_one_may_go_when_nobody_has_it() {
    let only = made(&product(Vec::new()), "Bronze");
    let product = product(vec![only.clone()]);
    let refused = only.check_deletable(&product, 2).unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#"plan "Bronze" is in use by 2 subscriptions: give them another plan first"#
    );
    assert_eq!(only.check_deletable(&product, 0), Ok(()));
}

#[test]
fn names_are_unique_within_the_product_and_a_plan_may_keep_its_own() {
    let product = two_plans();
    let refused = Plan::create(PlanId::known("pln_3"), &product, input("Gold", &[]), NOW).unwrap_err();
    assert_eq!(refused, PlanRefusal::NameTaken("Gold".into()));
    let gold = product.plans().last().unwrap().clone();
    assert!(gold.changed(&product, input("Gold", &[limit(9, 1)]), NOW).is_ok());
}

#[test]
fn limits_out_of_range_are_refused_by_their_place_and_the_largest_pass() {
    let refused = |limits: &[PlanLimit]| {
        Plan::create(PlanId::known("pln_1"), &product(Vec::new()), input("P", limits), NOW)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(&[limit(0, 60)]), "limits[0].count must be a whole number from 1 to 1000000000");
    let window = "must be a whole number from 1 to 31536000 (365 days)";
    assert_eq!(refused(&[limit(1, 60), limit(1, 0)]), format!("limits[1].window_seconds {window}"));
    assert_eq!(refused(&[limit(1, 31_536_001)]), format!("limits[0].window_seconds {window}"));
    assert!(refused(&[limit(1, 60), limit(2, 60)]).contains("the same as another"));
    assert_eq!(refused(&[1, 2, 3, 4, 5, 6].map(|w| limit(1, w))), "limits must hold at most 5 limits");
    let most = [limit(MOST_CALLS, LONGEST_WINDOW), limit(1, 1)];
    assert!(Plan::create(PlanId::known("p"), &product(Vec::new()), input("P", &most), NOW).is_ok());
}

#[test]
fn a_subscription_gets_what_it_asks_for_or_the_default_and_nothing_where_there_are_no_plans() {
    let with = two_plans();
    let name = |wanted: Option<&str>| {
        let wanted = wanted.map(PlanId::known);
        with.plan(wanted.as_ref()).map(|plan| plan.unwrap().name.clone())
    };
    assert_eq!(name(None).unwrap(), "Bronze");
    assert_eq!(name(Some("pln_Gold")).unwrap(), "Gold");
    assert!(matches!(name(Some("pln_x")), Err(PlanRefusal::Unknown { .. })));
    let without = product(Vec::new());
    assert_eq!(without.plan(None), Ok(None));
    let asked = PlanId::known("pln_Gold");
    assert_eq!(without.plan(Some(&asked)), Err(PlanRefusal::NoPlans("Orders".into())));
}

#[test]
fn an_external_product_has_no_plans() {
    let text =
        "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
    let external = ProductInput {
        product_type: Some(ProductType::External),
        name: Some("Billing".into()),
        document: Some(text.into()),
        ..ProductInput::default()
    };
    let external = Product::new(ProductId::known("p"), PortalId::known("q"), external, NOW).unwrap();
    let refused = Plan::create(PlanId::known("pln_1"), &external, input("P", &[]), NOW).unwrap_err();
    assert_eq!(refused, PlanRefusal::ExternalProduct("Billing".into()));
}

#[test]
fn gateways_hear_of_plans_in_the_products_row_and_old_rows_read_as_before() {
    let state = two_plans().gateway_state(None).unwrap();
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!(json["plans"][0]["default"], true);
    assert_eq!(
        json["plans"][1],
        serde_json::json!({
            "id": "pln_Gold", "name": "Gold", "limits": [{ "count": 5, "window_seconds": 60 }],
        })
    );
    let before = serde_json::to_value(product(Vec::new()).gateway_state(None).unwrap()).unwrap();
    assert!(before.get("plans").is_none());
    assert!(serde_json::from_value::<crate::gateway_state::ProductState>(before).unwrap().plans.is_empty());
}
