//! Secrets that are planted wherever they could be, and must not come out.

use serde_json::{Value, json};

use crate::{
    audit_logs::masking::{self, MASK, is_secret},
    random::Random,
    secrets::{
        TokenKind, issue_api_key, issue_link_token, issue_signing_secret, issue_token_key, issue_token_secret,
    },
};

/// Bytes of every value, so that secrets in base64 have all its letters.
struct Counting(u8);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(37).wrapping_add(11);
            *byte = self.0;
        }
    }
}

/// Stands for a secret of no recognisable look.
const PLANTED: &str = "correct horse battery staple";

fn masked(value: &Value) -> String {
    masking::value(value).to_string()
}

#[test]
fn secrets_are_known_by_the_names_of_their_members() {
    for name in [
        "password",
        "new_password",
        "old_password",
        "bind_password",
        "client_secret",
        "secret",
        "token",
        "access_token",
        "registration_access_token",
        "management_token",
        "key",
        "keys",
        "private_key",
        "client_key",
        "api_key",
        "X-Api-Key",
        "x-api-key",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "passphrase",
        "digest",
        "password_hash",
        "hash",
        "csrf",
        "again",
        "current",
        "SAMLResponse",
        "assertion",
        "tokens[]",
    ] {
        assert!(is_secret(name), "{name}");
        let body = json!({ "outer": [{ name: PLANTED }] });
        assert!(!masked(&body).contains(PLANTED), "{name}: {}", masked(&body));
    }
}

#[test]
fn what_only_tells_about_a_secret_stays() {
    for name in [
        "name",
        "username",
        "token_name",
        "token_id",
        "token_endpoint",
        "client_secret_expires_at",
        "secret_expires_at",
        "access_token_type",
        "token_endpoint_auth_method",
        "plugins",
        "labels",
        "description",
        "status_code",
        "state",
        "keyword",
        "monkey",
        "encoding",
    ] {
        assert!(!is_secret(name), "{name}");
    }
    let body = json!({ "password_one_time": true, "password": null, "token": "" });
    assert_eq!(masking::value(&body), body, "whether one is there may be seen");
}

#[test]
fn secrets_of_plugins_credentials_certificates_and_sign_in_options_are_masked() {
    for body in [
        json!({ "plugins": { "key-auth": { "key": PLANTED } } }),
        json!({ "plugins": { "basic-auth": { "username": "ada", "password": PLANTED } } }),
        json!({ "plugins": { "jwt-auth": { "key": "ada", "secret": PLANTED } } }),
        json!({ "cert": "-----BEGIN CERTIFICATE-----", "key": PLANTED, "certs": ["x"], "keys": [PLANTED, "y"] }),
        json!({ "config": { "ldap": { "bind_password": PLANTED } } }),
        json!({ "config": { "oidc": { "client_id": "a", "client_secret": PLANTED } } }),
        json!({ "headers": { "X-Custom": PLANTED } }),
        json!({ "headers": format!("X-Custom: {PLANTED}") }),
        json!({ "type": "webhook", "url": format!("https://hooks.example.com/services/{PLANTED}") }),
        json!({ "pairs": [{ "chain": "c", "anything": { "sealed": PLANTED } }, { "clear": PLANTED }] }),
        json!([{ "op": "replace", "path": "/plugins/key-auth/key", "value": PLANTED }]),
        json!([{ "op": "add", "path": "/headers/-", "value": { "name": "x-api-key", "value": PLANTED } }]),
        json!([{ "op": "replace", "path": "/plugins/proxy-rewrite/Headers/X-Custom", "value": PLANTED }]),
        json!([{ "op": "add", "path": "/upstream/checks/active/req_headers/0", "value": PLANTED }]),
        json!([{ "op": "replace", "path": "/auth_headers", "value": { "X-Custom": PLANTED } }]),
        json!([{ "op": "replace", "path": "/url", "value": format!("https://hooks.example.com/{PLANTED}") }]),
        json!({ "checks": { "active": { "req_headers": [format!("X-Custom: {PLANTED}")] } } }),
        json!({ "lines": [format!("Authorization: Bearer {PLANTED}"), format!("x-api-key:{PLANTED}")] }),
        json!({ "value": { "token": PLANTED, "id": "atk_1" } }),
        json!({ "config": format!("{{\"client_secret\":\"{PLANTED}\"}}") }),
    ] {
        let shown = masked(&body);
        assert!(!shown.contains(PLANTED), "{shown}");
        assert!(shown.contains(MASK), "{shown}");
    }
}

/// A route with this condition, as bodies hold it.
fn route_that_compares(condition: Value) -> Value {
    json!({ "name": "Orders", "vars": [condition] })
}

#[test]
fn what_headers_and_arguments_with_the_names_of_secrets_are_compared_with_is_masked() {
    for variable in ["http_x_key", "http_x_api_key", "http_X-Api-Key", "http_cookie", "arg_token", "arg_key"]
    {
        for (test, kept) in [
            (json!([variable, "==", PLANTED]), json!([variable, "==", MASK])),
            (json!([variable, "!", "~~", PLANTED]), json!([variable, "!", "~~", MASK])),
            (json!([variable, "in", [PLANTED, "b"]]), json!([variable, "in", MASK])),
            (json!([variable, ">", 7]), json!([variable, ">", MASK])),
            (json!([variable, "==", null]), json!([variable, "==", null])),
            // Refused, perhaps for another reason than its form.
            (json!([variable, PLANTED, PLANTED]), json!([variable, MASK, MASK])),
        ] {
            assert_eq!(masking::value(&route_that_compares(test)), route_that_compares(kept));
        }
    }
}

#[test]
fn whatever_the_authorization_header_and_cookies_are_compared_with_is_masked() {
    for variable in ["http_authorization", "http_authorization_2", "cookie_theme", "cookie_a"] {
        let test = json!(["OR", ["uri", "==", "/a"], ["!AND", [variable, "==", PLANTED]]]);
        let kept = json!(["OR", ["uri", "==", "/a"], ["!AND", [variable, "==", MASK]]]);
        assert_eq!(masking::value(&json!({ "vars": test })), json!({ "vars": kept }));
    }
}

#[test]
fn what_else_routes_compare_stays() {
    for test in [
        json!(["arg_version", "==", "2"]),
        json!(["http_x_tenant", "!", "in", ["a", "b"]]),
        json!(["arg_token_type", "==", "bearer"]),
        json!(["uri", "~~", "^/[a-z]+$"]),
        json!(["remote_addr", "ipmatch", ["10.0.0.0/8"]]),
    ] {
        let route = route_that_compares(test);
        assert_eq!(masking::value(&route), route);
    }
}

#[test]
fn conditions_in_forms_and_json_patches_are_masked_as_those_in_bodies_are() {
    let typed = |conditions: &Value| json!({ "name": "Orders", "vars": conditions.to_string() });
    let given = json!([["uri", "==", "/a"], ["http_x_key", "==", PLANTED]]);
    let kept = json!([["uri", "==", "/a"], ["http_x_key", "==", MASK]]);
    assert_eq!(masking::value(&typed(&given)), typed(&kept));
    assert_eq!(masking::value(&json!({ "vars": " " })), json!({ "vars": "" }));
    let unended = json!({ "vars": format!("[[\"http_x_key\",\"==\",\"{PLANTED}\"]") });
    assert_eq!(masking::value(&unended), json!({ "vars": MASK }));
    let operation = |path: &str, value: &Value| json!([{ "op": "add", "path": path, "value": value }]);
    assert_eq!(masking::value(&operation("/vars", &given)), operation("/vars", &kept));
    for (path, part) in [
        ("/vars/1/2", json!(PLANTED)),
        ("/vars/-", json!(["http_x_key", "==", PLANTED])),
        ("/routes/0/vars/0", json!([PLANTED])),
    ] {
        assert_eq!(masking::value(&operation(path, &part)), operation(path, &json!(MASK)), "{path}");
    }
}

#[test]
fn conditions_that_are_nested_too_deeply_are_left_out() {
    let mut condition = json!(["http_x_key", "==", PLANTED]);
    for _ in 0..60 {
        condition = json!(["AND", condition]);
    }
    let shown = masked(&json!({ "vars": condition }));
    assert!(shown.contains("nested too deeply") && !shown.contains(PLANTED), "{shown}");
}

#[test]
fn secrets_are_known_by_their_look_wherever_they_stand() {
    let random = "0123456789abcdefABCDEF0123456789abcdefABCDE";
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    for secret in [
        format!("a7ee-{random}"),
        format!("a7prt-{random}"),
        format!("a7adm-{random}"),
        format!("a7dp-{random}"),
        format!("a7scim-{random}"),
        format!("ses-{random}"),
        format!("frc_{random}"),
        format!("frs_{random}"),
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD/jYmvI6/x2s=".to_owned(),
        format!("{header}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
        "-----BEGIN EC PRIVATE KEY-----\nMHc".to_owned(),
        "Bearer abcdefgh12345678".to_owned(),
        "Basic YWRhOmh1bnRlcjI=".to_owned(),
    ] {
        for text in [secret.clone(), format!("it is {secret} indeed")] {
            // A scheme with its credentials is a whole header; within a sentence it is words.
            if text != secret && (secret.starts_with("Bearer ") || secret.starts_with("Basic ")) {
                continue;
            }
            assert_eq!(masking::value(&json!({ "desc": text })), json!({ "desc": MASK }), "{text}");
        }
    }
    assert_eq!(masking::text("Basic plan"), "Basic plan");
    assert_eq!(masking::text("a token of kind a7ee-"), "a token of kind a7ee-");
}

#[test]
fn a_token_of_every_issuer_is_known_by_its_look_in_texts_and_addresses() {
    let kinds = [
        TokenKind::Administrator,
        TokenKind::Portal,
        TokenKind::GatewayGroup,
        TokenKind::GatewayInstance,
        TokenKind::Directory,
        TokenKind::Session,
    ];
    for seed in 0..=u8::MAX {
        let random = &mut Counting(seed);
        let mut issued: Vec<_> = kinds.iter().map(|kind| kind.issue(random)).collect();
        issued.extend([
            issue_api_key(random),
            issue_token_secret(random),
            issue_signing_secret(random),
            issue_link_token(random),
        ]);
        for token in issued {
            let token = token.reveal();
            assert_eq!(masking::text(token), MASK, "{token}");
            assert_eq!(masking::text(&format!("see https://a.example/{token}?b")), MASK, "{token}");
            let encoded = token.replace('-', "%2D").replace('_', "%5f").replace('/', "%2F");
            for part in [token, encoded.as_str()] {
                for uri in [format!("/a/{part}"), format!("/a/{part}/b?c=d"), format!("/a?b={part}")] {
                    let shown = masking::uri(&uri);
                    let told = |piece: &str| piece.len() > 5 && shown.contains(piece);
                    assert!(!token.split('/').any(told) && shown.contains(MASK), "{uri}: {shown}");
                }
            }
        }
    }
    // No secret: it stands in every token.
    let key = issue_token_key(&mut Counting(1));
    assert_eq!(masking::text(&key), key);
}

#[test]
fn a_line_is_a_secret_where_it_names_one() {
    for line in ["X-Custom: a", "https://a.example", "a password: none", "token_id: 7", "Cookie:", "key"] {
        assert_eq!(masking::value(&json!([line])), json!([line]));
    }
    for line in ["Authorization: a", "set-cookie:a=b", " X-Api-Key : a"] {
        assert_eq!(masking::value(&json!([line])), json!([MASK]), "{line}");
    }
}

#[test]
fn no_text_holds_nul() {
    assert_eq!(masking::text("a\0b"), "a\u{fffd}b");
    assert!(!masking::value(&json!({ "name": "a\0b" }))["name"].as_str().unwrap().contains('\0'));
}

#[test]
fn what_is_nested_too_deeply_is_left_out() {
    let nested = |levels: usize| {
        let mut body = json!("x");
        for level in 0..levels {
            body = if level % 2 == 0 { json!({ "a": body }) } else { json!([body]) };
        }
        body
    };
    assert_eq!(masking::value(&nested(32)), nested(32));
    let shown = masked(&nested(33));
    assert!(shown.contains("nested too deeply") && !shown.contains('x'), "{shown}");
    // As deep as bodies are read.
    assert_eq!(masked(&nested(126)).matches('[').count(), 16);
}

#[test]
fn an_address_loses_its_user_and_password_and_a_query_its_secrets() {
    assert_eq!(
        masking::text("see https://ada:hunter2@id.example.com/a"),
        "see https://******@id.example.com/a"
    );
    assert_eq!(masking::text("https://id.example.com/a@b"), "https://id.example.com/a@b");
    let of = masking::uri;
    assert_eq!(of("/api/portals?page=2&search=a%20b"), "/api/portals?page=2&search=a%20b");
    assert_eq!(
        of("/api/oidc/callback?code=abc&state=def&iss=x"),
        "/api/oidc/callback?code=******&state=******&iss=x"
    );
    assert_eq!(
        of("/api/oidc/callback?error=access_denied&error_description=a+b"),
        "/api/oidc/callback?error=access_denied&error_description=******"
    );
    assert_eq!(
        of("/api/saml/sio_1/finish?state=abc&held=def"),
        "/api/saml/sio_1/finish?state=******&held=******"
    );
    assert_eq!(of("/x?api_key=abc&token=&flag"), "/x?api_key=******&token=&flag");
    assert_eq!(of("/x?api%5Fkey=abc&%ff=%"), "/x?api%5Fkey=******&%ff=%");
    assert_eq!(of("/x?search=frc_0123456789abcdefABCDEF0123456789abcdef"), "/x?search=******");
    assert_eq!(of("/approvals/links/0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3a4b"), "/approvals/links/******");
    let id = "/api/portals/prt_0198c0a4000f7f31b2c95e0d4a6f1234/x";
    assert_eq!(of(id), id);
    assert_eq!(of("/keys/frc_0123456789abcdefABCDEF0123456789abcdef/x"), "/keys/******/x");
}

#[test]
fn a_long_text_is_cut() {
    let shown = masking::text(&"é".repeat(4_000));
    assert!(shown.chars().count() < 1_100 && shown.ends_with("… (8000 bytes)"), "{}", shown.len());
    let document = json!({ "oas": format!("{{\"servers\": \"{}\"", "https://a@b ".repeat(100_000)) });
    assert!(masked(&document).len() < 100, "a large text that could hold anything is only measured");
    assert_eq!(masking::value(&json!({ "host": "[::1]:80" })), json!({ "host": "[::1]:80" }));
    assert!(!masked(&json!({ "config": "{\"secret\": \"unended" })).contains("unended"));
    let many = "https://ada:hunter2@b ".repeat(100_000);
    assert!(!masking::text(&many).contains("hunter2"));
}

#[test]
fn of_a_body_that_was_refused_for_its_form_only_names_are_kept() {
    let body = json!({ "plugins": [{ "value": "hunter2" }], "upstream": "hunter2", "weight": 7, "on": true, "name": "" });
    let kept =
        json!({ "plugins": [{ "value": MASK }], "upstream": MASK, "weight": MASK, "on": true, "name": "" });
    assert_eq!(masking::names(&body), kept);
}

#[test]
fn a_name_that_no_account_has_may_be_a_password_and_is_told_by_its_first_letter() {
    assert_eq!(masking::typed_name("ada@example.com", true), "ada@example.com");
    assert_eq!(masking::typed_name(&"é".repeat(200), true), "é".repeat(128));
    assert_eq!(masking::typed_name("a\nb\0", true), "ab");
    assert_eq!(masking::typed_name(PLANTED, false), "c******");
    assert_eq!(masking::typed_name("\0épée", false), "é******");
    assert_eq!(masking::typed_name("", false), "");
}

#[test]
fn of_the_body_of_a_failed_sign_in_only_the_name_that_is_told_stays() {
    let body = |name: &str| json!({ "username": name, "password": MASK, "next": "", "csrf": MASK });
    assert_eq!(masking::names_but(&body("ada"), "ada"), body("ada"));
    assert_eq!(masking::names_but(&body(PLANTED), "c******"), body(MASK));
}
