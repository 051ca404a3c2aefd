//! Consumers' authentication and restriction, line by line of docs/gateway.md §7.

use forecourt_core::{
    gateway_state::{AllowedMethods, Kind, PluginsState, RestrictionType},
    ids::{CredentialId, GatewayGroupId},
    time::Timestamp,
};
use forecourt_wire::changes::Change;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{
    plugins::over,
    state::State,
    tests::{
        plugin_rows::{
            basic_auth, consumer, global_rule, guarded, its_key, its_password, key_auth, names, restriction,
            with_restriction,
        },
        rows::{
            application, batch, credential, delete, grant, hash, head, key, product, put, route, service,
            user,
        },
    },
    verify::{PasswordAnswer, PasswordQuestion, Proven, Request, Verdict, verify},
};

pub(crate) const ADA: (&str, &str) = ("authorization", "Basic YWRhOnB3"); // ada:pw
const EVE: (&str, &str) = ("authorization", "Basic ZXZlOnB3"); // eve:pw

pub(crate) const NOW: i64 = 1_000_000;

/// Service `s` with route `r`, whose plugins are these; consumers `ada` (key `k-ada`, password `pw`) and `eve`
/// (key `k-eve`).
fn guarded_by(plugins: PluginsState) -> State {
    let state = State::empty([3, 5]);
    state.apply(&batch(vec![
        put(1, service("s")),
        put(1, guarded(plugins)),
        put(1, consumer("ada", &[its_key("c-key", "k-ada"), its_password("c-user", "ada", "pw")])),
        put(1, consumer("eve", &[its_key("c-eve", "k-eve"), its_password("c-eve-user", "eve", "pw")])),
    ]));
    state
}

fn after(state: State, change: Change) -> State {
    state.apply(&batch(vec![change]));
    state
}

/// Asks until there is no question left; each is answered truthfully by the passwords of these tests.
fn verdict(state: &State, method: &Method, fields: &[(&'static str, &str)], query: Option<&str>) -> Verdict {
    let headers: HeaderMap = fields
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let now = Timestamp::from_seconds(NOW);
    let request = Request { method, headers: &headers, query, now };
    let mut proven = Proven::default();
    loop {
        let verdict = state.consistently(|table| {
            let route = table.find(&head("any", "/x", method, &headers)).unwrap();
            verify(state, table, route, &request, &proven)
        });
        match verdict {
            Verdict::NeedsPasswordCheck(question) => proven.add_password(answer(question)),
            decided => return decided,
        }
    }
}

fn answer(question: PasswordQuestion) -> PasswordAnswer {
    let salts = ["c-user/ada", "c-eve-user/eve", "ada"];
    let known = salts.map(|salt| hash(question.shown.password(), salt));
    let fitting = question.hashes.into_iter().filter(|asked| known.contains(&asked.to_string())).collect();
    PasswordAnswer { asker: question.asker, fitting }
}

/// `APPLICATION's credential+CONSUMER/CREDENTIAL`, `open`, or status, message and challenges of the refusal.
fn says(verdict: Verdict) -> String {
    match verdict {
        Verdict::Permit(permit) => {
            let application =
                permit.identity().map(|identity| identity.credential.unpack(CredentialId::PREFIX));
            let consumer = permit.consumer().map(|identity| {
                format!("{}/{}", identity.consumer.username, identity.credential.as_deref().unwrap_or("-"))
            });
            let found: Vec<_> = [application, consumer].into_iter().flatten().collect();
            if found.is_empty() { "open".into() } else { found.join("+") }
        }
        Verdict::Reject(reject) => {
            let answer = reject.response(|body| body);
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            let mut said = format!("{} {}", answer.status().as_u16(), body["message"].as_str().unwrap());
            for challenge in answer.headers().get_all("www-authenticate") {
                said += &format!("; {}", challenge.to_str().unwrap());
            }
            said
        }
        _ => "a question".into(),
    }
}

pub(crate) fn asked(state: &State, fields: &[(&'static str, &str)], query: Option<&str>) -> String {
    says(verdict(state, &Method::GET, fields, query))
}

#[test]
fn basic_auth_says_what_is_wrong_with_the_authorization() {
    let state = guarded_by(basic_auth());
    let basic = r#"; Basic realm="basic""#;
    for (fields, expected) in [
        (&[][..], format!("401 Missing authorization in request{basic}")),
        (&[("authorization", "")], format!("401 Missing authorization in request{basic}")),
        (&[("apikey", "k-ada")], format!("401 Missing authorization in request{basic}")),
        (&[("authorization", "Bearer x")], format!("401 Invalid authorization in request{basic}")),
        (&[("authorization", "Basic !!!")], format!("401 Invalid authorization in request{basic}")),
        (&[("authorization", "Basic YWRh")], format!("401 Invalid authorization in request{basic}")),
        (&[("authorization", "Basic bm9ib2R5OnB3")], format!("401 Invalid user authorization{basic}")),
        (&[("authorization", "Basic YWRhOndyb25n")], format!("401 Invalid user authorization{basic}")),
        (&[ADA], "ada/c-user".to_owned()),
    ] {
        assert_eq!(asked(&state, fields, None), expected, "{fields:?}");
    }
}

#[test]
fn key_auth_says_what_is_wrong_with_the_key_and_the_header_wins_over_the_query() {
    let state = guarded_by(key_auth());
    let missing = r#"401 Missing API key in request; apikey realm="key""#;
    let invalid = r#"401 Invalid API key in request; apikey realm="key""#;
    for (fields, query, expected) in [
        (&[][..], None, missing),
        (&[("apikey", "")], None, missing),
        (&[ADA], None, missing),
        (&[("apikey", "wrong")], None, invalid),
        (&[("apikey", "wrong")], Some("apikey=k-ada"), invalid),
        (&[], Some("APIKEY=k-ada"), missing),
        (&[("apikey", "k-ada")], None, "ada/c-key"),
        (&[("apikey", "")], Some("apikey=k-ada"), "ada/c-key"),
        (&[], Some("a=1&apikey=k%2Dada"), "ada/c-key"),
    ] {
        assert_eq!(asked(&state, fields, query), expected, "{fields:?} {query:?}");
    }
}

#[test]
fn the_configured_header_query_and_realm_are_used() {
    let mut plugins = over(&key_auth(), &basic_auth());
    let key = plugins.key_auth.as_mut().unwrap();
    (key.header, key.query, key.realm) = ("X-Key".into(), "k".into(), "my \"keys\"".into());
    plugins.basic_auth.as_mut().unwrap().realm = "staff".into();
    let state = guarded_by(plugins);
    let missing = r#"401 Missing API key in request; apikey realm="my \"keys\"""#;
    assert_eq!(asked(&state, &[ADA, ("apikey", "k-ada")], Some("apikey=k-ada")), missing);
    assert_eq!(asked(&state, &[ADA, ("x-key", "k-ada")], None), "ada/c-user");
    assert_eq!(asked(&state, &[ADA], Some("k=k-ada")), "ada/c-user");
    assert_eq!(asked(&state, &[], None), r#"401 Missing authorization in request; Basic realm="staff""#);
}

#[test]
fn two_plugins_must_both_pass_and_name_one_consumer() {
    let state = guarded_by(over(&key_auth(), &basic_auth()));
    let (ada, eve) = (("apikey", "k-ada"), ("apikey", "k-eve"));
    assert_eq!(asked(&state, &[ADA, ada], None), "ada/c-user");
    assert_eq!(
        asked(&state, &[ADA, eve], None),
        r#"401 Invalid user authorization; Basic realm="basic"; apikey realm="key""#
    );
    assert_eq!(asked(&state, &[ADA], None), r#"401 Missing API key in request; apikey realm="key""#);
    assert_eq!(asked(&state, &[ada], None), r#"401 Missing authorization in request; Basic realm="basic""#);
}

#[test]
fn only_consumers_of_the_services_own_group_count() {
    let mut stranger =
        consumer("stranger", &[its_key("c", "k-stranger"), its_password("c-user", "ada", "other")]);
    stranger.gateway_group_id = GatewayGroupId::known("elsewhere");
    let state = after(guarded_by(key_auth()), put(2, stranger.clone()));
    assert!(asked(&state, &[("apikey", "k-stranger")], None).starts_with("401 Invalid API key"));
    let state = after(guarded_by(basic_auth()), put(2, stranger));
    assert_eq!(asked(&state, &[ADA], None), "ada/c-user", "a namesake of another group is somebody else");
}

#[test]
fn a_credential_that_lies_in_the_consumer_itself_has_no_id() {
    let state = after(guarded_by(key_auth()), put(2, consumer("bob", &[its_key("", "k-bob")])));
    assert_eq!(asked(&state, &[("apikey", "k-bob")], None), "bob/-");
}

#[test]
fn a_user_name_without_any_consumer_costs_a_password_check_too() {
    let state = guarded_by(basic_auth());
    let headers: HeaderMap =
        [(HeaderName::from_static("authorization"), HeaderValue::from_static("Basic bm9ib2R5OnB3"))]
            .into_iter()
            .collect();
    state.consistently(|table| {
        let route = table.find(&head("any", "/x", &Method::GET, &headers)).unwrap();
        let now = Timestamp::from_seconds(NOW);
        let request = Request { method: &Method::GET, headers: &headers, query: None, now };
        let verdict = verify(&state, table, route, &request, &Proven::default());
        assert!(matches!(verdict, Verdict::NeedsPasswordCheck(question) if question.hashes.is_empty()));
    });
}

#[test]
fn a_changed_or_deleted_consumer_is_refused_at_once() {
    let state = guarded_by(key_auth());
    let state = after(state, put(2, consumer("ada", &[its_key("c-key", "new")])));
    assert!(asked(&state, &[("apikey", "k-ada")], None).starts_with("401"));
    assert_eq!(asked(&state, &[("apikey", "new")], None), "ada/c-key");
    let state = after(state, delete(3, Kind::Consumer, "default/ada"));
    assert!(asked(&state, &[("apikey", "new")], None).starts_with("401"));
    assert_eq!(asked(&state, &[("apikey", "k-eve")], None), "eve/c-eve");
}

#[test]
fn the_plugin_of_the_route_replaces_that_of_the_service_and_that_of_a_global_rule() {
    let named = |header: &str| {
        let mut plugins = key_auth();
        plugins.key_auth.as_mut().unwrap().header = header.into();
        plugins
    };
    let mut with_own = service("s");
    with_own.plugins = named("of-service");
    let state = guarded_by(named("of-route"));
    state.apply(&batch(vec![put(2, with_own), put(2, global_rule("1", named("of-rule")))]));
    let reads = |state: &State, header: &'static str| asked(state, &[(header, "k-ada")], None) == "ada/c-key";
    assert!(reads(&state, "of-route") && !reads(&state, "of-service") && !reads(&state, "of-rule"));
    state.apply(&batch(vec![put(3, route("r", "s", "/*"))]));
    assert!(reads(&state, "of-service") && !reads(&state, "of-route") && !reads(&state, "of-rule"));
    state.apply(&batch(vec![put(4, service("s"))]));
    assert!(reads(&state, "of-rule"));
    state.apply(&batch(vec![put(5, global_rule("2", named("of-later-rule")))]));
    assert!(
        reads(&state, "of-later-rule") && !reads(&state, "of-rule"),
        "rules count in the order of their ids"
    );
    let mut elsewhere = global_rule("3", named("of-other-group"));
    elsewhere.gateway_group_id = GatewayGroupId::known("elsewhere");
    state.apply(&batch(vec![put(6, elsewhere), delete(6, Kind::GlobalRule, "default/2")]));
    assert!(reads(&state, "of-rule"), "another group's rules are for its own services");
    state.apply(&batch(vec![delete(7, Kind::GlobalRule, "default/1")]));
    assert_eq!(asked(&state, &[], None), "open");
}

#[test]
fn different_plugins_of_rule_service_and_route_add_up() {
    let mut with_basic = service("s");
    with_basic.plugins = basic_auth();
    let state = guarded_by(key_auth());
    let mut only_eve = restriction();
    only_eve.whitelist = Some(names(&["eve"]));
    state.apply(&batch(vec![put(2, with_basic), put(2, global_rule("1", with_restriction(only_eve)))]));
    assert!(asked(&state, &[("apikey", "k-eve")], None).starts_with("401 Missing authorization"));
    assert_eq!(asked(&state, &[EVE, ("apikey", "k-eve")], None), "eve/c-eve-user");
    assert_eq!(asked(&state, &[ADA, ("apikey", "k-ada")], None), "403 The consumer_name is forbidden.");
}

#[test]
fn a_restriction_lets_nobody_pass_who_is_not_known() {
    let mut all_but_eve = restriction();
    all_but_eve.blacklist = Some(names(&["eve"]));
    let state = guarded_by(with_restriction(all_but_eve));
    let refused = "401 The request is rejected, please check the consumer_name for this request";
    assert_eq!(asked(&state, &[("apikey", "k-ada")], None), refused);
}

#[test]
fn a_restriction_knows_consumers_by_their_names_and_comes_after_authentication() {
    let mut only_ada = restriction();
    only_ada.whitelist = Some(names(&["ada"]));
    let state = guarded_by(over(&key_auth(), &with_restriction(only_ada)));
    assert_eq!(asked(&state, &[("apikey", "k-ada")], None), "ada/c-key");
    assert_eq!(asked(&state, &[("apikey", "k-eve")], None), "403 The consumer_name is forbidden.");
    assert!(asked(&state, &[], None).starts_with("401 Missing API key"));
}

#[test]
fn a_consumers_own_restriction_takes_the_place_of_the_routes() {
    let mut only_ada = restriction();
    only_ada.whitelist = Some(names(&["ada"]));
    let plugins = over(&key_auth(), &with_restriction(only_ada));
    let mut eve = consumer("eve", &[its_key("c-eve", "k-eve")]);
    let mut own = restriction();
    own.by = RestrictionType::RouteId;
    own.whitelist = Some(names(&["r"]));
    eve.restriction = Some(own.clone());
    let state = after(guarded_by(plugins), put(2, eve.clone()));
    assert_eq!(asked(&state, &[("apikey", "k-eve")], None), "eve/c-eve");
    own.whitelist = Some(names(&["other-route"]));
    eve.restriction = Some(own);
    let state = after(state, put(3, eve.clone()));
    assert_eq!(asked(&state, &[("apikey", "k-eve")], None), "403 The route_id is forbidden.");
    let state = after(guarded_by(key_auth()), put(4, eve));
    assert_eq!(asked(&state, &[("apikey", "k-eve")], None), "403 The route_id is forbidden.");
    assert_eq!(asked(&state, &[("apikey", "k-ada")], None), "ada/c-key", "it is hers alone");
}

#[test]
fn methods_are_allowed_by_consumer() {
    let mut readers = restriction();
    readers.allowed_by_methods = vec![AllowedMethods { user: "ada".into(), methods: names(&["GET"]) }];
    let state = guarded_by(over(&key_auth(), &with_restriction(readers)));
    let by = |key: &str, method: &Method| says(verdict(&state, method, &[("apikey", key)], None));
    assert_eq!(by("k-ada", &Method::GET), "ada/c-key");
    assert_eq!(by("k-ada", &Method::POST), "403 The consumer_name is forbidden.");
    assert_eq!(by("k-eve", &Method::POST), "eve/c-eve", "who is not mentioned is not bound");
}

/// Rows that make service `s` belong to product `prd`; application `app` holds `k-app` and password `ada`/`pw`.
fn linked() -> Vec<Change> {
    vec![
        put(2, product("prd", &["s"])),
        put(2, application("app")),
        put(2, credential("crd", "app", &[key("k-app")])),
        put(2, credential("crd-user", "app", &[user("ada", "pw")])),
        put(2, grant("app", "prd")),
    ]
}

#[test]
fn a_mixture_demands_the_developers_credential_first_and_the_consumers_too() {
    let state = guarded_by(basic_auth());
    state.apply(&batch(linked()));
    let product = r#"401 Authorization Failed; apikey realm="key"; Basic realm="basic""#;
    assert_eq!(asked(&state, &[], None), product);
    assert_eq!(asked(&state, &[EVE], None), product, "a consumer opens no product");
    assert!(asked(&state, &[("apikey", "k-app")], None).starts_with("401 Missing authorization"));
    assert_eq!(asked(&state, &[("apikey", "k-app"), EVE], None), "crd+eve/c-eve-user");
    assert_eq!(
        asked(&state, &[ADA], None),
        "crd-user+ada/c-user",
        "one password for both is asked about twice"
    );
    let stranger = ("authorization", "Basic YWRhOndyb25n");
    assert!(asked(&state, &[("apikey", "k-app"), stranger], None).starts_with("401 Invalid user"));
}

#[test]
fn a_developers_credential_is_never_a_consumers() {
    let state = guarded_by(key_auth());
    state.apply(&batch(linked()));
    assert_eq!(
        asked(&state, &[("apikey", "k-app")], None),
        r#"401 Invalid API key in request; apikey realm="key""#
    );
    state.apply(&batch(vec![delete(3, Kind::Product, "prd")]));
    assert!(asked(&state, &[("apikey", "k-app")], None).starts_with("401 Invalid API key"));
    assert_eq!(asked(&state, &[("apikey", "k-ada")], None), "ada/c-key");
}

#[test]
fn a_restriction_without_consumers_knows_applications_by_their_ids() {
    let mut only = restriction();
    only.whitelist = Some(names(&["app"]));
    let state = guarded_by(with_restriction(only.clone()));
    state.apply(&batch(linked()));
    assert_eq!(asked(&state, &[("apikey", "k-app")], None), "crd");
    only.whitelist = Some(names(&["other"]));
    let state = after(state, put(3, guarded(with_restriction(only))));
    assert_eq!(asked(&state, &[("apikey", "k-app")], None), "403 The consumer_name is forbidden.");
    assert!(asked(&state, &[], None).starts_with("401 Authorization Failed"), "the product comes first");
}
