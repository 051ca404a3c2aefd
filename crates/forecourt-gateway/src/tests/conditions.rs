//! Each variable and each check against requests, and which route is taken where conditions decide.

use std::{net::IpAddr, sync::Arc};

use forecourt_core::{
    addresses::Network,
    gateway_state::{Operand, RequestVariable, RouteCondition, RouteState, VariableCheck},
    routes::vars::Vars,
    time::Timestamp,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::Conditions;
use crate::{
    forwarded::Hop,
    heads::Head,
    route::{Linked, RoutingTable},
    tests::{
        rows::{head, put, route, service, under},
        stage::{Stage, body, echo, open_by, status},
    },
};

/// The condition that these `vars` stand for.
fn condition(vars: Value) -> RouteCondition {
    Vars::read(vars).unwrap().condition().unwrap().clone()
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs =
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    pairs.collect()
}

/// A request that says something under each variable.
struct Asked {
    query: Option<&'static str>,
    fields: Vec<(&'static str, &'static str)>,
    peer: &'static str,
    is_tls: bool,
    trusted: Vec<Network>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            query: Some("kind=new&n=10&word=a%20b+c&kind=old&empty="),
            fields: vec![
                ("x-role", "Admin, editor"),
                ("x-role", "auditor"),
                ("cookie", "sid=abc; theme=dark; sid=def"),
                ("x-level", "7.0"),
                ("x-forwarded-for", "203.0.113.7"),
                ("x-forwarded-proto", "https"),
            ],
            peer: "10.1.2.3",
            is_tls: false,
            trusted: Vec::new(),
        }
    }
}

impl Asked {
    fn meets(&self, vars: Value) -> bool {
        let peer: IpAddr = self.peer.parse().unwrap();
        let hop = Hop::new(peer, 9_080, self.is_tls, &self.trusted);
        let head = Head {
            host: "API.Example",
            path: "/shop/orders",
            query: self.query,
            method: &Method::POST,
            headers: &headers(&self.fields),
            way: Some((&hop, self.trusted.as_slice())),
        };
        Conditions::compile(&condition(vars), None).unwrap().hold(&head)
    }
}

/// The condition itself holds, and its negation does not; or the other way round where it must not hold.
fn assert_each(asked: &Asked, all: &[(Value, bool)]) {
    for (test, holds) in all {
        assert_eq!(asked.meets(json!([test])), *holds, "{test}");
        let mut negated = test.as_array().unwrap().clone();
        negated.insert(1, json!("!"));
        assert_eq!(asked.meets(json!([negated])), !*holds, "the negation of {test}");
        assert_eq!(asked.meets(json!(["!AND", test])), !*holds, "!AND {test}");
    }
}

#[test]
fn each_variable_is_what_the_request_says() {
    assert_each(
        &Asked::default(),
        &[
            (json!(["arg_kind", "==", "new"]), true),
            (json!(["arg_kind", "==", "old"]), false),
            (json!(["arg_word", "==", "a b c"]), true),
            (json!(["arg_empty", "==", ""]), true),
            (json!(["arg_Kind", "==", "new"]), false),
            (json!(["http_x_role", "==", "Admin, editor, auditor"]), true),
            (json!(["http_X_Role", "==", "Admin, editor"]), false),
            (json!(["cookie_sid", "==", "abc"]), true),
            (json!(["cookie_theme", "==", "dark"]), true),
            (json!(["uri", "==", "/shop/orders"]), true),
            (json!(["request_uri", "~~", "^/shop/orders\\?kind=new&n=10"]), true),
            (json!(["request_method", "==", "POST"]), true),
            (json!(["host", "==", "api.example"]), true),
            (json!(["host", "==", "API.Example"]), false),
            (json!(["scheme", "==", "http"]), true),
            (json!(["remote_addr", "==", "10.1.2.3"]), true),
            (json!(["query_string", "~~", "^kind=new.*empty=$"]), true),
            (json!(["args", "~~", "%20"]), true),
        ],
    );
    assert!(Asked { is_tls: true, ..Asked::default() }.meets(json!([["scheme", "==", "https"]])));
    let bare = Asked { query: None, ..Asked::default() };
    assert!(bare.meets(json!([["request_uri", "==", "/shop/orders"]])));
}

#[test]
fn each_operator_holds_where_it_should() {
    assert_each(
        &Asked::default(),
        &[
            (json!(["arg_n", "==", 10]), true),
            (json!(["arg_n", "==", "10"]), true),
            (json!(["arg_n", "==", "10.0"]), false),
            (json!(["http_x_level", "==", 7]), true),
            (json!(["http_x_level", "==", "7"]), false),
            (json!(["arg_n", "~=", 10]), false),
            (json!(["arg_n", "~=", 11]), true),
            (json!(["arg_kind", "~=", "old"]), true),
            (json!(["arg_n", ">", 9.5]), true),
            (json!(["arg_n", ">", 10]), false),
            (json!(["arg_n", ">=", "10"]), true),
            (json!(["arg_n", "<", 10]), false),
            (json!(["arg_n", "<", 11]), true),
            (json!(["arg_n", "<=", 10]), true),
            (json!(["arg_n", "<=", 9]), false),
            (json!(["arg_kind", ">", 0]), false),
            (json!(["arg_kind", "~~", "^n.w$"]), true),
            (json!(["arg_kind", "~~", "^N"]), false),
            (json!(["arg_kind", "~*", "^N"]), true),
            (json!(["arg_kind", "in", ["old", "new"]]), true),
            (json!(["arg_kind", "in", ["old"]]), false),
            (json!(["arg_n", "in", ["x", 10]]), true),
            (json!(["http_x_role", "has", "auditor"]), true),
            (json!(["http_x_role", "has", "Admin"]), true),
            (json!(["http_x_role", "has", "admin"]), false),
            (json!(["arg_kind", "has", "old"]), true),
            (json!(["cookie_sid", "has", "def"]), true),
            (json!(["request_method", "has", "POST"]), true),
            (json!(["remote_addr", "ipmatch", "10.0.0.0/8"]), true),
            (json!(["remote_addr", "ipmatch", ["192.168.0.0/16", "10.1.2.3"]]), true),
            (json!(["remote_addr", "ipmatch", ["192.168.0.0/16", "::/0"]]), false),
            (json!(["http_x_forwarded_for", "ipmatch", "203.0.113.0/24"]), true),
            (json!(["arg_kind", "ipmatch", "0.0.0.0/0"]), false),
        ],
    );
}

#[test]
fn what_a_request_does_not_have_passes_no_check_and_each_negation_of_one() {
    let bare = Asked { query: None, fields: Vec::new(), ..Asked::default() };
    for name in ["arg_kind", "http_x_role", "cookie_sid", "args"] {
        assert_each(
            &bare,
            &[
                (json!([name, "==", ""]), false),
                (json!([name, "~=", "a"]), true),
                (json!([name, ">", 0]), false),
                (json!([name, "<", 0]), false),
                (json!([name, "~~", ".*"]), false),
                (json!([name, "in", ["", "a"]]), false),
                (json!([name, "has", ""]), false),
                (json!([name, "ipmatch", "0.0.0.0/0"]), false),
                (json!([name, "==", null]), true),
                (json!([name, "~=", null]), false),
            ],
        );
    }
    assert_each(&Asked::default(), &[(json!(["arg_empty", "==", null]), false)]);
}

#[test]
fn conditions_are_taken_together_as_they_say() {
    let (yes, no) = (json!(["arg_n", "==", 10]), json!(["arg_n", "==", 11]));
    let asked = Asked::default();
    for (vars, holds) in [
        (json!([yes, yes]), true),
        (json!([yes, no]), false),
        (json!(["AND", yes, no]), false),
        (json!(["OR", no, yes]), true),
        (json!(["OR", no, no]), false),
        (json!(["!AND", yes, no]), true),
        (json!(["!AND", yes, yes]), false),
        (json!(["!OR", no, no]), true),
        (json!(["!OR", no, yes]), false),
        (json!([yes, ["OR", no, ["!OR", no, ["AND", yes, no]]]]), true),
    ] {
        assert_eq!(asked.meets(vars.clone()), holds, "{vars}");
    }
}

#[test]
fn whom_a_caller_claims_to_be_counts_from_trusted_proxies_alone() {
    let claimed = json!([["remote_addr", "ipmatch", "203.0.113.0/24"], ["scheme", "==", "https"]]);
    assert!(!Asked::default().meets(claimed.clone()));
    let trusted = vec![Network::parse("10.0.0.0/8").unwrap()];
    assert!(Asked { trusted, ..Asked::default() }.meets(claimed));
}

#[test]
fn bytes_that_are_no_text_break_nothing() {
    let mut fields = HeaderMap::new();
    fields.insert("x-role", HeaderValue::from_bytes(b"\xff evil").unwrap());
    let head = head("h", "/x", &Method::GET, &fields);
    let holds = |vars| Conditions::compile(&condition(vars), None).unwrap().hold(&head);
    assert!(holds(json!([["http_x_role", "~~", "evil"]])), "nothing hides behind such a byte");
    assert!(holds(json!([["http_x_role", "~=", null]])));
    assert!(!holds(json!([["http_x_role", ">", 0]])));
    assert!(!holds(json!([["http_x_role", "ipmatch", "::/0"]])));
}

fn conditional(id: &str, path: &str, age: i64, vars: Option<Value>) -> RouteState {
    let row = RouteState { created_at: Timestamp::from_seconds(age), ..route(id, id, path) };
    match vars {
        Some(vars) => under(condition(vars), row),
        None => row,
    }
}

fn table(routes: &[RouteState], previous: &RoutingTable) -> RoutingTable {
    let services: Vec<_> = routes.iter().map(|row| service(row.service_id.as_str())).collect();
    RoutingTable::build(services.iter(), routes.iter(), &Linked::default(), previous)
}

fn taken(table: &RoutingTable, path: &str, query: &'static str) -> Option<String> {
    let fields = HeaderMap::new();
    let head = Head { query: Some(query), ..head("any", path, &Method::GET, &fields) };
    table.find(&head).map(|route| route.id.to_string())
}

#[test]
fn a_route_whose_conditions_fail_leaves_the_request_to_the_next_one() {
    let is = |value: &str| Some(json!([["arg_v", "==", value]]));
    let rows = [
        conditional("one", "/a", 1, is("1")),
        conditional("two", "/a", 2, is("2")),
        conditional("plain", "/a", 3, None),
        conditional("prefix", "/a*", 1, is("3")),
        conditional("any", "/*", 1, None),
        conditional("alone", "/b", 1, is("1")),
    ];
    let table = table(&rows, &RoutingTable::default());
    for (path, query, wanted) in [
        ("/a", "v=1", "one"),
        ("/a", "v=2", "two"),
        ("/a", "v=3", "plain"),
        ("/a/x", "v=3", "prefix"),
        ("/a/x", "v=4", "any"),
        ("/b", "v=1", "alone"),
        ("/b", "v=2", "any"),
    ] {
        assert_eq!(taken(&table, path, query).as_deref(), Some(wanted), "{path}?{query}");
    }
}

#[test]
fn a_row_that_nobody_could_have_made_leads_nowhere() {
    let pattern = VariableCheck::Matches { pattern: "(".into(), ignore_case: false };
    let range = VariableCheck::InNetworks(vec!["everywhere".into()]);
    for (variable, check) in [
        (RequestVariable::Path, pattern),
        (RequestVariable::Address, range),
        (RequestVariable::Header("a b".into()), VariableCheck::Equals(Operand::Text("x".into()))),
    ] {
        let test = RouteCondition::Test { variable, check };
        // A negation must not turn what cannot be read into what always holds.
        let row = under(RouteCondition::Not(Box::new(test)), route("r", "r", "/a"));
        assert_eq!(taken(&table(&[row], &RoutingTable::default()), "/a", ""), None);
    }
}

#[test]
fn a_gateway_that_knows_no_conditions_finds_no_path_in_the_row() {
    let row = conditional("r", "/a", 1, Some(json!([["arg_v", "==", "1"]])));
    let mut sent = serde_json::to_value(&row).unwrap();
    sent.as_object_mut().unwrap().shift_remove("conditional").unwrap();
    let known: RouteState = serde_json::from_value(sent).unwrap();
    assert_eq!(taken(&table(&[known], &RoutingTable::default()), "/a", "v=1"), None);
    let plain = serde_json::to_value(route("r", "r", "/a")).unwrap();
    assert!(plain.get("conditional").is_none(), "and a route without any is told as ever");
}

#[test]
fn what_did_not_change_is_not_compiled_again() {
    let row = |pattern: &str| conditional("r", "/a", 1, Some(json!([["uri", "~~", pattern]])));
    let compiled = |table: &RoutingTable| {
        let fields = HeaderMap::new();
        let route = Arc::clone(table.find(&head("any", "/a", &Method::GET, &fields)).unwrap());
        route.conditions.clone().unwrap()
    };
    let first = table(&[row("a")], &RoutingTable::default());
    let second = table(&[row("a")], &first);
    assert!(Arc::ptr_eq(&compiled(&first), &compiled(&second)));
    let third = table(&[row("/a")], &second);
    assert!(!Arc::ptr_eq(&compiled(&second), &compiled(&third)));
}

#[tokio::test]
async fn requests_are_told_apart_over_real_connections() {
    let mut changes = open_by(echo().await);
    let secret = json!([["http_x_role", "has", "admin"], ["remote_addr", "ipmatch", "127.0.0.0/8"]]);
    changes.push(put(1, under(condition(secret), route("r-hidden", "open", "/hidden"))));
    let stage = Stage::with(crate::Config::default(), changes).await;
    let answer = stage.ask("/hidden", &["X-Role: editor, admin"]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(body(&answer).starts_with("GET /hidden"), "{answer}");
    assert_eq!(status(&stage.ask("/hidden", &[]).await), 404);
    for field in ["X-Role: administrator", "X-Roles: admin"] {
        assert_eq!(status(&stage.ask("/hidden", &[field]).await), 404, "{field}");
    }
}
