//! The index of consumers: a function of the rows, which changes only what a change touches.

use std::sync::Arc;

use forecourt_core::{gateway_state::ConsumerState, ids::GatewayGroupId, secrets::SecretDigest};

use super::Consumers;
use crate::tests::plugin_rows::{consumer, its_key, its_password, its_token};

fn group() -> GatewayGroupId {
    GatewayGroupId::default_group()
}

fn owner(consumers: &Consumers, key: &str) -> Option<String> {
    let entry = consumers.by_key(&group(), &SecretDigest::of(key.as_bytes()))?;
    Some(entry.consumer.username.to_string())
}

fn of(rows: &[&ConsumerState]) -> Consumers {
    let mut consumers = Consumers::default();
    rows.iter().for_each(|row| consumers.replace(None, Some(row)));
    consumers
}

#[test]
fn replacing_a_consumer_takes_all_that_it_showed_before() {
    let old = consumer("ada", &[its_key("1", "a"), its_password("2", "ada", "pw"), its_token("3", "t", "s")]);
    let new = consumer("ada", &[its_key("1", "b")]);
    let mut consumers = of(&[&old]);
    assert_eq!(consumers.by_user(&group(), "ada").count(), 1);
    assert!(consumers.by_token_key(&group(), "t").is_some());
    consumers.replace(Some(&old), Some(&new));
    assert_eq!((owner(&consumers, "a"), owner(&consumers, "b")), (None, Some("ada".into())));
    assert_eq!(consumers.by_user(&group(), "ada").count(), 0);
    assert!(consumers.by_token_key(&group(), "t").is_none());
    consumers.replace(Some(&new), None);
    assert_eq!(owner(&consumers, "b"), None);
    assert!(consumers.keys.shards.iter().all(|shard| shard.is_empty()), "nothing is left behind");
}

#[test]
fn the_order_in_which_rows_came_does_not_matter_even_where_two_claim_one_key() {
    let (ada, bob) = (consumer("ada", &[its_key("1", "k")]), consumer("bob", &[its_key("2", "k")]));
    for rows in [[&ada, &bob], [&bob, &ada]] {
        let mut consumers = of(&rows);
        assert_eq!(owner(&consumers, "k"), Some("ada".into()));
        consumers.replace(Some(&ada), None);
        assert_eq!(owner(&consumers, "k"), Some("bob".into()), "the other's entry stays");
    }
}

#[test]
fn one_consumer_may_have_several_passwords_for_one_user_name() {
    let row = consumer("ada", &[its_password("1", "ada", "pw"), its_password("2", "ada", "next")]);
    assert_eq!(of(&[&row]).by_user(&group(), "ada").count(), 2);
}

#[test]
fn a_change_copies_only_the_shards_that_it_touches() {
    let rows: Vec<_> =
        (0..2_000).map(|n| consumer(&format!("c{n}"), &[its_key("1", &n.to_string())])).collect();
    let before = of(&rows.iter().collect::<Vec<_>>());
    let mut after = before.clone();
    after.replace(None, Some(&consumer("ada", &[its_key("1", "new")])));
    let shared = before.keys.shards.iter().zip(&after.keys.shards).filter(|(a, b)| Arc::ptr_eq(a, b));
    assert_eq!(shared.count(), super::SHARDS - 1);
    assert_eq!((owner(&before, "new"), owner(&after, "new")), (None, Some("ada".into())));
    assert_eq!(owner(&after, "1999"), Some("c1999".into()));
}
