//! What the ledger makes of answers, of lost ones, and of rows.

use super::*;

fn key(name: &str) -> Key {
    (Noun::Role, format!("{PREFIX}{name}"))
}

fn made(ledger: &mut Ledger, name: &str, desc: &str) {
    let intent = ledger.intend(vec![Step::Make(vec![key(name)])]);
    ledger.acknowledge(intent);
    ledger.has_become(key(name), "desc", desc.into());
}

fn change(name: &str, desc: &str) -> Step {
    Step::Change(key(name), "desc", Some(desc.into()))
}

/// The checks that find something in these rows, each a name with its `desc`.
fn found(ledger: &Ledger, rows: &[(&str, &str)]) -> Vec<&'static str> {
    let rows: Vec<_> =
        rows.iter().map(|(name, desc)| (key(name), Row::of_texts("roles", &[("desc", desc)]))).collect();
    let present = rows.iter().map(|(key, row)| (key.clone(), row)).collect();
    ledger.violations_of(&present).into_iter().map(|violation| violation.check).collect()
}

#[test]
fn an_answer_says_what_a_lost_one_leaves_open() {
    let mut ledger = Ledger::default();
    let made = ledger.intend(vec![Step::Make(vec![key("a")])]);
    assert_eq!(ledger.things[&key("a")], Standing::Perhaps);
    ledger.acknowledge(made);
    assert_eq!(ledger.things[&key("a")], Standing::There);
    let _lost = ledger.intend(vec![change("a", "one")]);
    assert_eq!(ledger.values[&(key("a"), "desc")], None, "nothing was known of it before");
    let changed = ledger.intend(vec![change("a", "two")]);
    ledger.acknowledge(changed);
    let _lost = ledger.intend(vec![change("a", "three")]);
    let either = BTreeSet::from(["two".to_owned(), "three".to_owned()]);
    assert_eq!(ledger.values[&(key("a"), "desc")], Some(either));
    let removed = ledger.intend(vec![Step::Remove(vec![key("a")])]);
    ledger.refuse(removed, "404".into());
    assert_eq!(ledger.things[&key("a")], Standing::There);
}

#[test]
fn between_two_moments_only_that_holds_what_both_say() {
    let mut early = Ledger::default();
    for name in ["stays", "goes"] {
        let made = early.intend(vec![Step::Make(vec![key(name)])]);
        early.acknowledge(made);
    }
    let mut late = early.clone();
    let removed = late.intend(vec![Step::Remove(vec![key("goes")])]);
    late.acknowledge(removed);
    let made = late.intend(vec![Step::Make(vec![key("comes")])]);
    late.acknowledge(made);
    let both = early.until(&late);
    let standings = ["stays", "goes", "comes"].map(|name| both.things[&key(name)]);
    assert_eq!(standings, [Standing::There, Standing::Perhaps, Standing::Perhaps]);
}

#[test]
fn a_value_that_was_another_one_meanwhile_is_not_demanded() {
    let mut early = Ledger::default();
    made(&mut early, "moves", "active");
    made(&mut early, "stays", "active");
    let mut late = early.clone();
    for desc in ["suspended", "active"] {
        let changed = late.intend(vec![change("moves", desc)]);
        late.acknowledge(changed);
    }
    assert_eq!(early.values, late.values);
    let both = early.until(&late);
    assert!(found(&both, &[("moves", "suspended"), ("stays", "active")]).is_empty());
    assert_eq!(found(&both, &[("moves", "active"), ("stays", "suspended")]), ["lost write"]);
}

#[test]
fn a_lost_answer_leaves_all_of_a_call_or_nothing() {
    let mut ledger = Ledger::default();
    made(&mut ledger, "product", "published");
    made(&mut ledger, "subscription", "");
    let step = || vec![change("product", "draft"), Step::Remove(vec![key("subscription")])];
    let lost = ledger.intend(step());
    assert!(found(&ledger, &[("product", "published"), ("subscription", "")]).is_empty(), "nothing");
    assert!(found(&ledger, &[("product", "draft")]).is_empty(), "all");
    assert_eq!(found(&ledger, &[("product", "draft"), ("subscription", "")]), ["half done"]);
    assert_eq!(found(&ledger, &[("product", "published")]), ["half done"]);
    ledger.acknowledge(lost);
    assert_eq!(found(&ledger, &[("product", "draft"), ("subscription", "")]), ["came back"]);
}

#[test]
fn a_call_that_is_under_way_at_the_second_moment_is_whole_between_both() {
    let mut early = Ledger::default();
    made(&mut early, "product", "published");
    let mut late = early.clone();
    let step = || vec![change("product", "draft"), Step::Remove(vec![key("subscription")])];
    // The subscription is younger than the first moment: that it is missing says nothing.
    made(&mut late, "subscription", "");
    let _lost = late.intend(step());
    assert!(found(&early.until(&late), &[("product", "published")]).is_empty());
    made(&mut early, "subscription", "");
    let mut late = early.clone();
    let _lost = late.intend(step());
    assert_eq!(found(&early.until(&late), &[("product", "published")]), ["half done"]);
}

#[test]
fn things_whose_end_was_refused_still_belong_together() {
    let mut ledger = Ledger::default();
    let _lost = ledger.intend(vec![Step::Make(vec![key("a"), key("b")])]);
    assert_eq!(found(&ledger, &[("a", "")]), ["half done", "half done"]);
    let refused = ledger.intend(vec![Step::Remove(vec![key("b")])]);
    assert!(found(&ledger, &[("a", "")]).is_empty(), "it may be gone");
    ledger.refuse(refused, "409".into());
    assert_eq!(found(&ledger, &[("a", "")]), ["half done"]);
}
