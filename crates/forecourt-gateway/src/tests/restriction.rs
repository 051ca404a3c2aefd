//! The lists of consumer-restriction against each other (docs/gateway.md §7).

use forecourt_core::gateway_state::{AllowedMethods, ConsumerRestriction, RestrictionType};
use http::Method;

use super::{Restriction, Subject};
use crate::tests::plugin_rows::{names, restriction};

fn check(row: &ConsumerRestriction, name: &str, method: &Method) -> Option<(u16, String)> {
    let subject = Subject { name, service: "srv", route: "rte", method };
    let refusal = Restriction::compile(row).check(Some(&subject)).err()?;
    let answer = refusal.response(|body| body);
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    Some((answer.status().as_u16(), body["message"].as_str().unwrap().to_owned()))
}

fn passes(row: &ConsumerRestriction, name: &str, method: &Method) -> bool {
    check(row, name, method).is_none()
}

#[test]
fn each_list_alone() {
    let whitelist = ConsumerRestriction { whitelist: Some(names(&["ada", "bob"])), ..restriction() };
    assert!(passes(&whitelist, "ada", &Method::GET) && !passes(&whitelist, "eve", &Method::GET));
    let blacklist = ConsumerRestriction { blacklist: Some(names(&["eve"])), ..restriction() };
    assert!(passes(&blacklist, "ada", &Method::GET) && !passes(&blacklist, "eve", &Method::GET));
    let nobody = ConsumerRestriction { whitelist: Some(Vec::new()), ..restriction() };
    assert!(!passes(&nobody, "ada", &Method::GET), "an empty list of those who pass lets nobody pass");
}

#[test]
fn the_blacklist_is_looked_at_first() {
    let both = ConsumerRestriction {
        whitelist: Some(names(&["ada", "eve"])),
        blacklist: Some(names(&["eve"])),
        ..restriction()
    };
    assert!(passes(&both, "ada", &Method::GET) && !passes(&both, "eve", &Method::GET));
}

#[test]
fn methods_do_not_bind_whom_the_whitelist_names_or_whom_they_do_not_mention() {
    let allowed = vec![
        AllowedMethods { user: "ada".into(), methods: names(&["GET", "HEAD"]) },
        AllowedMethods { user: "ada".into(), methods: names(&["PATCH"]) },
        AllowedMethods { user: "eve".into(), methods: Vec::new() },
    ];
    let by_method = ConsumerRestriction { allowed_by_methods: allowed.clone(), ..restriction() };
    assert!(passes(&by_method, "ada", &Method::GET) && passes(&by_method, "ada", &Method::PATCH));
    assert!(!passes(&by_method, "ada", &Method::POST) && !passes(&by_method, "eve", &Method::GET));
    assert!(passes(&by_method, "bob", &Method::DELETE));
    let whitelisted = ConsumerRestriction {
        whitelist: Some(names(&["eve"])),
        allowed_by_methods: allowed.clone(),
        ..restriction()
    };
    assert!(passes(&whitelisted, "eve", &Method::DELETE));
    assert!(!passes(&whitelisted, "ada", &Method::GET), "allowed methods do not stand in for the whitelist");
    let blacklisted = ConsumerRestriction {
        blacklist: Some(names(&["ada"])),
        allowed_by_methods: allowed,
        ..restriction()
    };
    assert!(!passes(&blacklisted, "ada", &Method::GET));
}

#[test]
fn lists_may_name_services_or_routes_instead() {
    for (by, name) in [(RestrictionType::ServiceId, "srv"), (RestrictionType::RouteId, "rte")] {
        let listed = ConsumerRestriction { by, whitelist: Some(names(&[name])), ..restriction() };
        assert!(passes(&listed, "anybody", &Method::GET));
        let forbidden = ConsumerRestriction { by, blacklist: Some(names(&[name])), ..restriction() };
        let message = format!("The {} is forbidden.", by.name());
        assert_eq!(check(&forbidden, "anybody", &Method::GET), Some((403, message)));
        let unknown = Restriction::compile(&listed).check(None).unwrap_err().response(|body| body);
        assert_eq!(unknown.status(), 401);
        let message = format!("please check the {} for this request", by.name());
        assert!(String::from_utf8_lossy(unknown.body()).contains(&message));
    }
}

#[test]
fn status_and_message_of_a_refusal_are_configured() {
    let own = |rejected_code, message: Option<&str>| {
        let row = ConsumerRestriction {
            blacklist: Some(names(&["eve"])),
            rejected_code,
            rejected_msg: message.map(Into::into),
            ..restriction()
        };
        check(&row, "eve", &Method::GET).unwrap()
    };
    let usual = "The consumer_name is forbidden.".to_owned();
    assert_eq!(own(403, None), (403, usual.clone()));
    assert_eq!(own(429, Some("a \"quoted\" word")), (429, "a \"quoted\" word".into()));
    assert_eq!(own(200, None), (200, usual.clone()));
    for impossible in [100, 101, 199, 204, 205, 304, 600, 999] {
        assert_eq!(own(impossible, None), (403, usual.clone()), "{impossible} cannot carry a message");
    }
}
