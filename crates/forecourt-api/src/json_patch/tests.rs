//! Tests of patches: the examples of RFC 6902 and RFC 7396 that bite, and our own limits.

use serde_json::{Value, json};

use super::*;

const MEMBERS: Members = Members { optional: &["/desc"], read_only: &["id"] };

fn patched(target: Value, patch: Value) -> Result<Value, String> {
    let Value::Object(target) = target else { panic!("an object") };
    apply(&target, &patch, &MEMBERS).map(Value::Object).map_err(|problem| format!("{problem:?}"))
}

fn ok(target: Value, patch: Value) -> Value {
    patched(target, patch).unwrap()
}

#[test]
fn operations_follow_each_other() {
    let target = json!({ "labels": { "a/b": "1", "c~d": "2" }, "hosts": ["x", "z"] });
    let patch = json!([
        { "op": "test", "path": "/labels/a~1b", "value": "1" },
        { "op": "move", "from": "/labels/c~0d", "path": "/labels/e" },
        { "op": "add", "path": "/hosts/1", "value": "y" },
        { "op": "add", "path": "/hosts/-", "value": "end" },
        { "op": "remove", "path": "/hosts/0" },
        { "op": "copy", "from": "/hosts/0", "path": "/first" },
        { "op": "replace", "path": "/labels/a~1b", "value": "3" },
    ]);
    let wanted = json!({ "labels": { "a/b": "3", "e": "2" }, "hosts": ["y", "z", "end"], "first": "y" });
    assert_eq!(ok(target, patch), wanted);
}

#[test]
fn numbers_are_equal_by_value_and_members_in_any_order() {
    let target = json!({ "n": 10, "o": { "a": 1, "b": [2.0] } });
    let test = json!([
        { "op": "test", "path": "/n", "value": 10.0 },
        { "op": "test", "path": "/o", "value": { "b": [2], "a": 1.0 } },
    ]);
    assert!(patched(target.clone(), test).is_ok());
    for other in [json!(11), json!("10")] {
        assert!(patched(target.clone(), json!([{ "op": "test", "path": "/n", "value": other }])).is_err());
    }
}

#[test]
fn replacing_adds_a_member_that_is_known_to_be_absent_and_no_other() {
    let replace = |path: &str| json!([{ "op": "replace", "path": path, "value": "x" }]);
    assert_eq!(ok(json!({}), replace("/desc")), json!({ "desc": "x" }));
    assert!(patched(json!({}), replace("/nonsense")).is_err());
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let copies = |count: usize| {
        let mut patch = vec![json!({ "op": "add", "path": "/x", "value": ["y".repeat(1_000)] })];
        patch.resize(count + 1, json!({ "op": "copy", "from": "/x", "path": "/x/-" }));
        patched(json!({}), Value::Array(patch))
    };
    assert!(copies(8).is_ok());
    for count in [26, 900] {
        assert!(
            copies(count).unwrap_err().contains("the copies of a patch add up to 1 MiB at most"),
            "{count}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_its_place() {
    let target = json!({ "id": "1", "a": [1], "o": {} });
    for (operation, problem) in [
        (json!({ "op": "remove", "path": "/x" }), "does not exist"),
        (json!({ "op": "remove", "path": "" }), "cannot be removed"),
        (json!({ "op": "add", "path": "/a/2", "value": 1 }), "no place in an array of 1"),
        (json!({ "op": "add", "path": "/a/01", "value": 1 }), "no place in an array of 1"),
        (json!({ "op": "add", "path": "/x/y", "value": 1 }), "no object or array"),
        (json!({ "op": "add", "path": "a", "value": 1 }), "no JSON Pointer"),
        (json!({ "op": "add", "path": "/~2", "value": 1 }), "followed by 0 or 1"),
        (json!({ "op": "add", "path": "/b" }), "value is required"),
        (json!({ "op": "move", "from": "/o", "path": "/o/p" }), "into itself"),
        (json!({ "op": "copy", "from": "/x", "path": "/b" }), "does not exist"),
        (json!({ "op": "merge", "path": "/b" }), "op must be"),
        (json!({ "path": "/b" }), "op is required"),
        (json!(1), "op is required"),
    ] {
        let patch = json!([{ "op": "test", "path": "/id", "value": "1" }, operation]);
        let refused = patched(target.clone(), patch).unwrap_err();
        assert!(refused.contains("operation 1: ") && refused.contains(problem), "{operation}: {refused}");
    }
}

#[test]
fn read_only_members_stay() {
    for patch in [
        json!([{ "op": "replace", "path": "/id", "value": "2" }]),
        json!([{ "op": "remove", "path": "/id" }]),
        json!([{ "op": "add", "path": "", "value": {} }]),
        json!({ "id": null }),
        json!({ "id": "2" }),
    ] {
        assert!(
            patched(json!({ "id": "1" }), patch.clone()).unwrap_err().contains("id cannot be changed"),
            "{patch}"
        );
    }
    assert!(patched(json!({ "id": "1" }), json!({ "id": "1" })).is_ok());
}

#[test]
fn an_object_merges_and_null_removes() {
    let target = json!({ "desc": "x", "labels": { "a": "1", "b": "2" }, "hosts": ["x"] });
    let patch =
        json!({ "desc": null, "labels": { "a": null, "c": { "d": null, "e": "3" } }, "hosts": ["y"] });
    assert_eq!(ok(target, patch), json!({ "labels": { "b": "2", "c": { "e": "3" } }, "hosts": ["y"] }));
}

#[test]
fn a_patch_is_an_array_or_an_object_of_bounded_size() {
    assert!(patched(json!({}), json!("x")).is_err());
    let many = vec![json!({ "op": "add", "path": "/a", "value": 1 }); 1_001];
    assert!(patched(json!({}), Value::Array(many)).unwrap_err().contains("at most 1000"));
    let deep = "/x".repeat(65);
    assert!(
        patched(json!({}), json!([{ "op": "remove", "path": deep }])).unwrap_err().contains("at most 64")
    );
    assert!(patched(json!({}), json!([{ "op": "add", "path": "", "value": 1 }])).is_err());
}

#[test]
fn only_what_changed_is_said_and_what_was_removed_is_cleared() {
    let (Value::Object(before), Value::Object(after)) =
        (json!({ "name": "a", "desc": "x", "status": "draft" }), json!({ "name": "b", "status": "draft" }))
    else {
        panic!("objects");
    };
    let said = changes(&before, after, &[("desc", json!(""))]).unwrap();
    assert_eq!(
        (said.text("name").unwrap(), said.text("desc").unwrap()),
        (Some("b".into()), Some(String::new()))
    );
    assert!(!said.has("status"));
    let refused = changes(&before, Map::new(), &[("desc", json!(""))]).unwrap_err();
    assert!(format!("{refused:?}").contains("can be replaced but not removed"));
}
