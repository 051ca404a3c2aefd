//! Filters and patches by themselves; what they do over HTTP stands in `admin/tests/provisioning.rs`, and the judge's
//! verdict in a story.

use serde_json::{Map, Value, json};

use super::{filters, patches};

fn ann() -> Value {
    json!({
        "id": "usr_1",
        "userName": "Ann",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [
            { "value": "ann@example.com", "type": "work", "primary": true },
            { "value": "lee@home.example", "type": "home" },
        ],
        "active": true,
        "meta": { "created": "2026-08-07T09:00:00.000Z" },
    })
}

#[test]
fn filters_mean_what_the_standard_says() {
    for (filter, passes) in [
        (r#"userName eq "Ann""#, true),
        // Case makes no difference (RFC 7643 §4.1.1), and none to words of the grammar.
        (r#"userName eq "aNN""#, true),
        (r#"userName ne "ann""#, false),
        (r#"USERNAME EQ "Ann""#, true),
        (r#"name.familyName eq "LEE""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:name.familyName sw "l""#, true),
        (r#"userName ne "Bob""#, true),
        (r#"userName co "nn" and name.givenName ew "n""#, true),
        (r#"userName eq "Bob" or active eq true"#, true),
        (r#"userName eq "Bob" or active eq false and userName pr"#, false),
        (r#"not (active eq true)"#, false),
        (r#"(active eq false or userName pr) and not (displayName pr)"#, true),
        (r#"emails eq "lee@home.example""#, true),
        (r#"emails.type eq "home""#, true),
        (r#"emails[type eq "home" and value co "@example.com"]"#, false),
        (r#"emails[type eq "work" and value co "@example.com"]"#, true),
        (r#"meta.created gt "2026-08-01T00:00:00Z""#, true),
        (r#"meta.created le "2026-08-01T00:00:00Z""#, false),
        (r#"userName ge "Ann" and userName lt "B""#, true),
        (r#"active gt true"#, false),
        // What is not declared is what nobody has.
        (r#"title pr"#, false),
        (r#"title ne "x""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x""#, false),
        (r#"userName eq "a \" and \\ b""#, false),
    ] {
        let parsed = filters::parse(filter).unwrap_or_else(|problem| panic!("{filter}: {problem}"));
        assert_eq!(parsed.passes(&ann()), passes, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_told_where_it_breaks() {
    for (filter, problem) in [
        ("userName", "eq, ne, co, sw, ew, gt, ge, lt, le or pr must stand where the end does"),
        ("userName eq", "a JSON text"),
        ("userName eq Ann", "where \"Ann\" does"),
        ("userName eq \"Ann", "a JSON text"),
        ("userName is \"Ann\"", "where \"is"),
        ("userName pr and", "an attribute must stand"),
        ("userName pr title pr", "and, or, or the end"),
        ("(userName pr", ") must stand where the end does"),
        ("emails[type pr", "] must stand"),
        ("not userName pr", "( after not"),
        ("userName eq []", "a JSON text"),
        ("ä pr", "an attribute"),
        ("", "an attribute"),
    ] {
        let told = filters::parse(filter).expect_err(filter);
        assert!(told.contains(problem), "{filter}: {told}");
    }
    let deep = format!("{}userName pr{}", "(".repeat(40), ")".repeat(40));
    assert!(filters::parse(&deep).unwrap_err().contains("deep"));
    assert!(
        filters::parse(&format!("userName eq \"{}\"", "x".repeat(10_000))).unwrap_err().contains("bytes")
    );
}

fn patched(operations: Value) -> Result<Map<String, Value>, Option<&'static str>> {
    let user = ann().as_object().unwrap().clone();
    patches::patched(user, &json!({ "Operations": operations })).map_err(|refusal| refusal.kind())
}

#[test]
fn patches_do_what_the_standard_says() {
    let emails = ann()["emails"].clone();
    let (work, home) = (emails[0].clone(), emails[1].clone());
    let new = json!({ "value": "new@example.com", "primary": true });
    let mut demoted = work.clone();
    demoted["primary"] = json!(false);
    for (operation, attribute, wanted) in [
        (json!({ "op": "replace", "path": "userName", "value": "bob" }), "userName", json!("bob")),
        (json!({ "op": "Replace", "path": "USERNAME", "value": "bob" }), "userName", json!("bob")),
        (json!({ "op": "replace", "value": { "username": "bob" } }), "userName", json!("bob")),
        (
            json!({ "op": "add", "path": "name", "value": { "GIVENNAME": "Bo" } }),
            "name",
            json!({ "givenName": "Bo", "familyName": "Lee" }),
        ),
        (
            json!({ "op": "replace", "value": { "name.givenName": "Bo" } }),
            "name",
            json!({ "givenName": "Bo", "familyName": "Lee" }),
        ),
        (json!({ "op": "remove", "path": "name.givenName" }), "name", json!({ "familyName": "Lee" })),
        (json!({ "op": "remove", "path": "name" }), "name", Value::Null),
        (json!({ "op": "replace", "path": "name", "value": null }), "name", Value::Null),
        (json!({ "op": "remove", "path": "emails" }), "emails", Value::Null),
        (json!({ "op": "add", "path": "emails", "value": [new] }), "emails", json!([demoted, home, new])),
        (json!({ "op": "add", "path": "emails", "value": home }), "emails", json!([work, home])),
        (json!({ "op": "replace", "path": "emails", "value": [new] }), "emails", json!([new])),
        (json!({ "op": "remove", "path": r#"emails[type eq "work"]"# }), "emails", json!([home])),
        (
            json!({ "op": "replace", "path": r#"emails[type eq "home"].value"#, "value": "x@example.com" }),
            "emails",
            json!([work, { "value": "x@example.com", "type": "home" }]),
        ),
        (
            json!({ "op": "replace", "path": r#"emails[type eq "home"].primary"#, "value": true }),
            "emails",
            json!([demoted, { "value": "lee@home.example", "type": "home", "primary": true }]),
        ),
        (
            json!({ "op": "add", "path": r#"emails[type eq "other"].value"#, "value": "x@example.com" }),
            "emails",
            json!([work, home, { "type": "other", "value": "x@example.com" }]),
        ),
        (json!({ "op": "remove", "path": "emails.type" }), "emails", {
            json!([{ "value": "ann@example.com", "primary": true }, { "value": "lee@home.example" }])
        }),
        // What is not kept is passed over, as it is in a body.
        (json!({ "op": "add", "path": "title", "value": "Dr" }), "title", Value::Null),
        (
            json!({ "op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                    "value": "x" }),
            "userName",
            json!("Ann"),
        ),
    ] {
        let user = patched(json!([operation])).unwrap_or_else(|kind| panic!("{operation}: {kind:?}"));
        assert_eq!(user.get(attribute).cloned().unwrap_or_default(), wanted, "{operation}");
    }
}

#[test]
fn patches_that_cannot_be_carried_out_are_told_by_their_kind() {
    for (operation, kind) in [
        (json!({ "op": "move", "path": "userName", "value": "x" }), "invalidSyntax"),
        (json!({ "op": "add", "path": "userName" }), "invalidValue"),
        (json!({ "op": "add", "value": "x" }), "invalidValue"),
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "replace", "path": "userName[", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": 1, "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": r#"name[givenName eq "Ann"]"#, "value": {} }), "invalidPath"),
        (json!({ "op": "replace", "path": "id", "value": "usr_2" }), "mutability"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "remove", "path": "active" }), "mutability"),
        (json!({ "op": "replace", "path": r#"emails[type eq "other"]"#, "value": {} }), "noTarget"),
        (json!({ "op": "remove", "path": r#"emails[type eq "other"]"# }), "noTarget"),
    ] {
        assert_eq!(patched(json!([operation])), Err(Some(kind)), "{operation}");
    }
    for body in [json!([]), json!({}), json!({ "Operations": [] }), json!({ "Operations": {} })] {
        assert!(patches::patched(Map::new(), &body).is_err(), "{body}");
    }
}
