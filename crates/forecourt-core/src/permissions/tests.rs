//! What policies say, case by case, and against a naive reading of the same rules.

mod words;

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    ids::{GatewayGroupId, PortalId, ProductId, ServiceId},
    labels::Labels,
};

fn policy(statements: Value) -> Policy {
    PolicyDocument::new(json!({ "statement": statements })).unwrap().compile().unwrap()
}

fn statement(effect: &str, resource: &str, action: &str) -> Value {
    json!({ "effect": effect, "resources": [resource], "actions": [action] })
}

fn grant(policy: Policy) -> Grant {
    Grant { policies: vec![policy], scopes: BTreeSet::new() }
}

fn authority(statements: Value) -> Authority {
    Authority::new(vec![grant(policy(statements))], None, HashMap::new())
}

fn problem(document: Value) -> String {
    PolicyDocument::new(document).unwrap_err().to_string()
}

fn portal() -> PortalId {
    PortalId::known("prt_a")
}

fn reads_product(authority: &Authority, id: &str) -> bool {
    authority.allows(Action::GetApiProduct, Target::ApiProduct(&portal(), Some(&ProductId::known(id))))
}

#[test]
fn every_action_has_a_word_of_its_own_and_fits_a_bit() {
    let words: BTreeSet<_> = Action::ALL.iter().map(|action| action.name()).collect();
    assert_eq!(words.len(), Action::ALL.len());
    assert!(Action::ALL.len() <= 128, "{}", Action::ALL.len());
    for action in Action::ALL {
        let space = action.name().split_once(':').unwrap().0;
        let wanted = match action.namespace() {
            Namespace::Gateway => "gateway",
            Namespace::Iam => "iam",
            Namespace::Portal => "portal",
        };
        assert_eq!(space, wanted);
        assert_eq!(Action::from_name(action.name()), Some(*action));
        assert_eq!(action.reading().reading(), action.reading());
    }
}

#[test]
fn names_of_resources_are_those_of_the_interface() {
    let (group, service) = (GatewayGroupId::known("default"), ServiceId::known("svc_1"));
    let (portal, product) = (portal(), ProductId::known("prd_1"));
    for (target, arn) in [
        (Target::GatewayGroup(None), "arn:api7:gateway:gatewaygroup/*"),
        (
            Target::PublishedService(&group, Some(&service)),
            "arn:api7:gateway:gatewaygroup/default/publishedservice/svc_1",
        ),
        (Target::Consumer(&group, Some("ada")), "arn:api7:gateway:gatewaygroup/default/consumer/ada"),
        (Target::GatewaySetting, "arn:api7:gateway:gatewaysetting/*"),
        (Target::Organization, "arn:api7:iam:organization/*"),
        (Target::User(None), "arn:api7:iam:user/*"),
        (Target::ApiProduct(&portal, Some(&product)), "arn:api7:portal:portal/prt_a/apiproduct/prd_1"),
        (Target::Developer(&portal, None), "arn:api7:portal:portal/prt_a/developer/*"),
        (Target::DcrProvider(None), "arn:api7:portal:dcrprovider/*"),
    ] {
        assert_eq!(target.arn(), arn);
    }
}

#[test]
fn patterns_are_anchored_at_both_ends_and_literal_outside_of_their_brackets() {
    for (pattern, text, fits) in [
        ("arn:api7:portal:portal/prt_a/apiproduct/prd_1", "prd_1", true),
        ("arn:api7:portal:portal/prt_a/apiproduct/prd_", "prd_1", false),
        ("arn:api7:portal:portal/prt_a/apiproduct/<prd_.>", "prd_12", false),
        ("arn:api7:portal:portal/prt_a/apiproduct/<prd_[0-9]+>", "prd_12", true),
        ("portal/prt_a/apiproduct/<.*>", "prd_12", false),
        ("<.*>/apiproduct/<a|b>", "b", true),
        ("<.*>/apiproduct/<a|b>", "bb", false),
        ("arn:api7:portal:portal/prt.a/apiproduct/<.*>", "x", false),
        ("arn:api7:portal:portal/<(?P<x>prt_a)>/apiproduct/x", "x", true),
    ] {
        let who = authority(json!([statement("allow", pattern, "portal:GetAPIProduct")]));
        assert_eq!(reads_product(&who, text), fits, "{pattern} {text}");
    }
}

#[test]
fn nothing_is_allowed_by_default() {
    let nobody = Authority::default();
    for action in Action::ALL {
        assert!(!nobody.allows(*action, Target::Organization), "{}", action.name());
        assert_eq!(nobody.reach(*action), Reach::Nothing);
    }
}

#[test]
fn one_matching_deny_beats_every_allow_also_from_another_role() {
    let all = policy(json!([statement("allow", "<.*>", "<.*>")]));
    let not_orders =
        policy(json!([statement("deny", "<.*>/apiproduct/orders", "portal:<(Get|Update)APIProduct>")]));
    let who = Authority::new(vec![grant(all), grant(not_orders)], None, HashMap::new());
    assert!(!reads_product(&who, "orders"));
    assert!(reads_product(&who, "stock"));
    assert!(!who.is_unlimited());
    assert_eq!(who.reach(Action::GetApiProduct), Reach::Some);
    assert_eq!(who.reach(Action::DeleteApiProduct), Reach::Everything);
}

#[test]
fn within_a_boundary_both_must_allow_and_neither_deny() {
    let all = || vec![grant(policy(json!([statement("allow", "<.*>", "<.*>")])))];
    let within = |boundary: Value| Authority::new(all(), Some(policy(boundary)), HashMap::new());
    let reader = within(json!([statement("allow", "<.*>", "portal:Get<.*>")]));
    assert!(reads_product(&reader, "orders"));
    assert!(!reader.allows(Action::UpdateApiProduct, Target::ApiProduct(&portal(), None)));
    let denied = within(json!([
        statement("allow", "<.*>", "<.*>"),
        statement("deny", "<.*>/apiproduct/orders", "<.*>")
    ]));
    assert!(!reads_product(&denied, "orders"));
    assert!(reads_product(&denied, "stock"));
    let alone =
        Authority::new(Vec::new(), Some(policy(json!([statement("allow", "<.*>", "<.*>")]))), HashMap::new());
    assert!(!reads_product(&alone, "orders"), "a boundary gives nothing by itself");
}

#[test]
fn scopes_narrow_what_a_role_gives_in_gateways_and_nothing_else() {
    let (inside, outside) = (GatewayGroupId::known("edge"), GatewayGroupId::known("core"));
    let all = policy(json!([statement("allow", "<.*>", "<.*>")]));
    let narrowed = Grant { policies: vec![all], scopes: BTreeSet::from([inside.clone()]) };
    let who = Authority::new(vec![narrowed], None, HashMap::new());
    assert!(who.allows(Action::UpdateGatewayGroup, Target::GatewayGroup(Some(&inside))));
    assert!(who.allows(Action::GetConsumer, Target::Consumer(&inside, Some("ada"))));
    assert!(!who.allows(Action::GetConsumer, Target::Consumer(&outside, Some("ada"))));
    assert!(!who.allows(Action::CreateGatewayGroup, Target::GatewayGroup(None)));
    assert!(!who.allows(Action::GetDeploymentSetting, Target::GatewaySetting));
    assert!(reads_product(&who, "orders"));
    assert_eq!(who.reach(Action::GetConsumer), Reach::Some);
    assert!(!who.is_unlimited());
}

#[test]
fn a_label_condition_holds_for_groups_that_carry_the_label() {
    let (test, prod) = (GatewayGroupId::known("t"), GatewayGroupId::known("p"));
    let labels = |env: &str| Labels::new([("env".to_owned(), env.to_owned())].into()).unwrap();
    let labels = HashMap::from([(test.clone(), labels("test")), (prod.clone(), labels("prod"))]);
    let option = json!({ "key": "env", "operator": "exact_match", "value": "test" });
    let condition = json!({ "gateway_group_label": { "type": "MatchLabel", "options": [option] } });
    let mut allow = statement("allow", "<.*>", "gateway:<.*>");
    allow["conditions"] = condition.clone();
    let policy = policy(json!([allow]));
    assert!(policy.needs_labels());
    let who = Authority::new(vec![grant(policy)], None, labels);
    assert!(who.allows(Action::GetCertificate, Target::GatewayGroup(Some(&test))));
    assert!(!who.allows(Action::GetCertificate, Target::GatewayGroup(Some(&prod))));
    assert!(!who.allows(Action::CreateGatewayGroup, Target::GatewayGroup(None)));
    assert_eq!(who.reach(Action::GetCertificate), Reach::Some);
}

#[test]
fn an_unknown_condition_never_holds_for_allow_and_always_for_deny() {
    for condition in [
        json!({ "time_of_day": { "type": "Between" } }),
        json!({ "gateway_group_label": { "type": "Other", "options": [] } }),
        json!({ "gateway_group_label": { "type": "MatchLabel", "options": [] } }),
        json!({ "gateway_group_label": { "type": "MatchLabel", "options": [
            { "key": "a", "operator": "prefix", "value": "b" }] } }),
        json!({ "gateway_group_label": "MatchLabel" }),
    ] {
        let mut allow = statement("allow", "<.*>", "<.*>");
        allow["conditions"] = condition.clone();
        assert!(!reads_product(&authority(json!([allow])), "orders"), "{condition}");
        let mut deny = statement("deny", "<.*>", "<.*>");
        deny["conditions"] = condition.clone();
        let who = authority(json!([statement("allow", "<.*>", "<.*>"), deny]));
        assert!(!reads_product(&who, "orders"), "{condition}");
    }
}

#[test]
fn a_document_that_is_not_understood_is_refused_with_what_is_wrong() {
    let with = |member: &str, value: Value| {
        let mut wrong = statement("allow", "<.*>", "<.*>");
        wrong[member] = value;
        problem(json!({ "statement": [wrong] }))
    };
    assert_eq!(with("effect", json!("permit")), "policy_document.statement[0].effect must be allow or deny");
    assert!(with("principal", json!("x")).contains("statement[0].principal is unknown"));
    assert!(with("resources", json!([])).contains("resources is required"));
    assert!(with("actions", json!([1])).contains("actions[0] must be a string"));
    assert!(with("conditions", json!([])).contains("conditions must be an object"));
    assert!(with("resources", json!(["a<b"])).contains("has a < without its >"));
    assert!(with("resources", json!(["a>b"])).contains("has a > without its <"));
    assert!(with("resources", json!(["<(>"])).contains("cannot be used"));
    assert!(with("resources", json!(["<a)|(b>"])).contains("cannot be used"), "no way out of the group");
    assert!(with("actions", json!([r"<(?=a)>"])).contains("cannot be used"), "no look-around");
    assert!(with("resources", json!(["<((a{100}){100}){100}>"])).contains("too large"));
    assert!(problem(json!({ "statement": [] })).contains("policy_document.statement is required"));
    assert!(problem(json!({ "version": 1, "statement": [] })).contains("policy_document.version is unknown"));
    assert!(problem(json!([])).contains("policy_document must be an object"));
}

#[test]
fn an_expression_that_others_take_for_ever_with_is_decided_at_once() {
    let who = authority(json!([statement("allow", "<(a+)+>x", "<.*>")]));
    let long = ProductId::known("a".repeat(200));
    let started = std::time::Instant::now();
    assert!(!who.allows(Action::GetApiProduct, Target::ApiProduct(&portal(), Some(&long))));
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn actions_that_do_not_exist_are_told() {
    let document = json!({ "statement": [
        { "effect": "deny", "resources": ["<.*>"], "actions": ["portal:DeleteProduct", "portal:Get<.*>"] }] });
    assert_eq!(PolicyDocument::new(document).unwrap().idle_actions(), ["portal:DeleteProduct"]);
}

#[test]
fn the_built_in_policy_allows_everything() {
    let document = serde_json::from_str(policies::SUPER_ADMIN_DOCUMENT).unwrap();
    let policy = PolicyDocument::new(document).unwrap().compile().unwrap();
    assert!(Authority::new(vec![grant(policy)], None, HashMap::new()).is_unlimited());
}

const RESOURCES: [&str; 4] =
    ["<.*>", "arn:api7:portal:portal/p0/<.*>", "arn:api7:portal:portal/p1/apiproduct/<a|b>", "<.*>/c"];
const ACTIONS: [&str; 4] = ["<.*>", "portal:<.*>", "portal:GetAPIProduct", "portal:<(Delete|Update).*>"];

/// Whether a pattern fits, said of these few by hand.
fn fits_resource(pattern: usize, portal: usize, product: &str) -> bool {
    match pattern {
        0 => true,
        1 => portal == 0,
        2 => portal == 1 && (product == "a" || product == "b"),
        _ => product == "c",
    }
}

fn fits_action(pattern: usize, action: Action) -> bool {
    match pattern {
        0 | 1 => true,
        2 => action == Action::GetApiProduct,
        _ => matches!(action, Action::DeleteApiProduct | Action::UpdateApiProduct),
    }
}

type Plain = Vec<(bool, usize, usize)>;

fn plain() -> impl Strategy<Value = Plain> {
    prop::collection::vec((any::<bool>(), 0..4_usize, 0..4_usize), 1..4)
}

fn compiled(plain: &Plain) -> Policy {
    let named = |(deny, resource, action): &(bool, usize, usize)| {
        statement(if *deny { "deny" } else { "allow" }, RESOURCES[*resource], ACTIONS[*action])
    };
    policy(plain.iter().map(named).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decisions_are_those_of_a_naive_reading(
        roles in prop::collection::vec(plain(), 0..3),
        boundary in prop::option::of(plain()),
    ) {
        let grants = roles.iter().map(|role| grant(compiled(role))).collect();
        let who = Authority::new(grants, boundary.as_ref().map(compiled), HashMap::new());
        for action in [Action::GetApiProduct, Action::UpdateApiProduct, Action::DeleteApiProduct] {
            let mut allowed_everywhere = true;
            let mut allowed_somewhere = false;
            for (portal, product) in [(0, "a"), (0, "c"), (1, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "d")] {
                let said = |plain: &Plain, deny: bool| {
                    plain.iter().any(|(denies, resource, named)| {
                        *denies == deny && fits_action(*named, action) && fits_resource(*resource, portal, product)
                    })
                };
                let naive = roles.iter().any(|role| said(role, false))
                    && !roles.iter().chain(&boundary).any(|policy| said(policy, true))
                    && boundary.as_ref().is_none_or(|boundary| said(boundary, false));
                let portal = PortalId::known(format!("p{portal}"));
                let product = ProductId::known(product);
                let decided = who.allows(action, Target::ApiProduct(&portal, Some(&product)));
                prop_assert_eq!(decided, naive, "{} {} {}", action.name(), portal, product);
                allowed_everywhere &= naive;
                allowed_somewhere |= naive;
            }
            match who.reach(action) {
                Reach::Everything => prop_assert!(allowed_everywhere),
                Reach::Nothing => prop_assert!(!allowed_somewhere),
                Reach::Some => {}
            }
        }
    }
}
