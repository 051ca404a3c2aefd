//! Every way to tamper with the log that we could think of, against the walk along it.

use serde_json::json;

use super::at;
use crate::{
    audit_logs::{
        AuditAnswer, AuditEntry, AuditOperator, AuditRecord, NumberedEntry,
        chains::{ChainKey, Finding, Link, Mark, MarkName, START, Walk},
    },
    ids::AuditRecordId,
};

fn key() -> ChainKey {
    ChainKey::new([7; 32])
}

fn link(key: &ChainKey, number: i64, previous: &str) -> Link {
    let id = AuditRecordId::known(format!("aud_{}", (number + 1) / 2));
    let entry = if number % 2 == 0 {
        AuditEntry::Answer(AuditAnswer {
            id,
            at: at(number),
            status_code: 200,
            body: Some(json!({ "number": number })),
            error_message: None,
        })
    } else {
        AuditEntry::Record(Box::new(AuditRecord {
            id,
            at: at(number),
            event_type: "UpdatePortal".into(),
            operator: AuditOperator {
                kind: "administrator".into(),
                id: "usr_1".into(),
                username: "ann".into(),
            },
            source: "api".into(),
            token_name: None,
            resource_id: format!("prt_{number}"),
            gateway_group_id: String::new(),
            ip_address: None,
            request_id: "req_1".into(),
            request: None,
            changes: Vec::new(),
            change_count: None,
            error_message: None,
        }))
    };
    let columns = entry.columns();
    let content = NumberedEntry { number, entry }.to_text().unwrap();
    let hash = key.entry_hash(previous, &content);
    Link { number, columns, content, previous: previous.to_owned(), hash }
}

/// The entries 1 to `count`, and the mark of their end.
fn log(count: i64) -> (Vec<Link>, Mark) {
    let key = key();
    let mut links: Vec<Link> = Vec::new();
    for number in 1..=count {
        let previous = links.last().map_or(START, |link| link.hash.as_str()).to_owned();
        links.push(link(&key, number, &previous));
    }
    let (number, hash) = links.last().map_or((0, START), |last| (last.number, last.hash.as_str()));
    let head = key.mark(MarkName::Head, number, hash);
    (links, head)
}

fn walked(checkpoint: Option<&Mark>, links: &[Link], head: Option<&Mark>) -> Vec<Finding> {
    let key = key();
    let mut walk = Walk::new(&key, checkpoint);
    for link in links {
        walk.step(link);
    }
    walk.end(head)
}

/// What is found in ten entries after `tamper`.
fn after(tamper: impl FnOnce(&mut Vec<Link>)) -> Vec<Finding> {
    let (mut links, head) = log(10);
    tamper(&mut links);
    walked(None, &links, Some(&head))
}

#[test]
fn an_untouched_log_and_an_empty_one_have_no_finding() {
    assert_eq!(after(|_| {}), []);
    assert_eq!(walked(None, &[], None), []);
}

#[test]
fn a_changed_field_is_found_in_its_entry_alone() {
    let found = after(|links| links[4].content = links[4].content.replace("UpdatePortal", "DeletePortal"));
    assert_eq!(found, [Finding::Changed { number: 5 }]);
}

#[test]
fn a_changed_time_is_found() {
    let found = after(|links| links[4].content = links[4].content.replace("5000000", "6000000"));
    assert_eq!(found, [Finding::Changed { number: 5 }]);
}

#[test]
fn a_changed_search_column_is_found() {
    for change in [
        (|link: &mut Link| link.columns.at += 1) as fn(&mut Link),
        |link| link.columns.operator_id = "usr_2".into(),
        |link| link.columns.event_type = String::new(),
        |link| link.columns.resource_id = String::new(),
        |link| link.columns.gateway_group_id = "grp_1".into(),
        |link| link.columns.kind = "answer".into(),
        |link| link.columns.record_id = "aud_9".into(),
    ] {
        assert_eq!(after(|links| change(&mut links[4])), [Finding::Changed { number: 5 }]);
    }
}

#[test]
fn a_changed_hash_is_found_in_its_entry_alone() {
    let found = after(|links| links[4].hash = "0".repeat(64));
    assert_eq!(found, [Finding::Changed { number: 5 }]);
    let found = after(|links| links[4].previous = "0".repeat(64));
    assert_eq!(found, [Finding::Changed { number: 5 }]);
}

#[test]
fn a_change_whose_hash_was_made_again_without_the_key_is_found() {
    let found = after(|links| {
        let other = ChainKey::new([8; 32]);
        links[4] = link(&other, 5, &links[3].hash.clone());
    });
    assert_eq!(found[0], Finding::Changed { number: 5 });
}

#[test]
fn a_replaced_answer_is_found() {
    let found = after(|links| links[5].content = links[5].content.replace("200", "500"));
    assert_eq!(found, [Finding::Changed { number: 6 }]);
}

#[test]
fn entries_removed_in_the_middle_are_named() {
    let found = after(|links| drop(links.drain(3..6)));
    assert_eq!(found, [Finding::Removed { from: 4, to: 6 }]);
}

#[test]
fn entries_removed_at_the_start_are_named() {
    let found = after(|links| drop(links.drain(..2)));
    assert_eq!(found, [Finding::Removed { from: 1, to: 2 }]);
}

#[test]
fn entries_removed_at_the_end_are_named() {
    let found = after(|links| links.truncate(7));
    assert_eq!(found, [Finding::Removed { from: 8, to: 10 }]);
    assert_eq!(after(Vec::clear), [Finding::Removed { from: 1, to: 10 }]);
}

#[test]
fn an_end_that_was_moved_back_with_what_was_removed_is_found() {
    let (mut links, _) = log(10);
    links.truncate(7);
    let forged = ChainKey::new([8; 32]).mark(MarkName::Head, 7, &links[6].hash);
    assert_eq!(walked(None, &links, Some(&forged)), [Finding::ForgedHead]);
    assert_eq!(walked(None, &links, None), [Finding::NoHead]);
    // Nor does the mark of another thing pass for it.
    let checkpoint = key().mark(MarkName::Checkpoint, 7, &links[6].hash);
    assert_eq!(walked(None, &links, Some(&checkpoint)), [Finding::ForgedHead]);
}

#[test]
fn an_inserted_entry_is_found_whether_it_takes_a_place_or_the_end() {
    // A copy of another entry in the place of one.
    let found = after(|links| links[4] = Link { number: 5, ..links[8].clone() });
    assert_eq!(found, [Finding::Moved { number: 5, written_as: 9 }]);
    let found = after(|links| {
        let previous = links[9].hash.clone();
        links.push(link(&ChainKey::new([8; 32]), 11, &previous));
    });
    assert_eq!(found, [Finding::Changed { number: 11 }, Finding::Behind { number: 11 }]);
}

#[test]
fn swapped_entries_are_named() {
    let found = after(|links| {
        links.swap(2, 6);
        (links[2].number, links[6].number) = (3, 7);
    });
    assert_eq!(
        found,
        [Finding::Moved { number: 3, written_as: 7 }, Finding::Moved { number: 7, written_as: 3 }]
    );
}

#[test]
fn an_entry_of_an_earlier_copy_of_the_log_does_not_fit_into_this_one() {
    // As genuine as the others, but it follows something else.
    let found = after(|links| links[4] = link(&key(), 5, &"1".repeat(64)));
    assert_eq!(found[0], Finding::Detached { number: 5 });
}

#[test]
fn a_pruned_log_fits_its_checkpoint_and_no_forged_one() {
    let (links, head) = log(10);
    let kept = &links[4..];
    let checkpoint = key().mark(MarkName::Checkpoint, 4, &links[3].hash);
    assert_eq!(walked(Some(&checkpoint), kept, Some(&head)), []);
    assert_eq!(walked(None, kept, Some(&head)), [Finding::Removed { from: 1, to: 4 }]);
    let forged = ChainKey::new([8; 32]).mark(MarkName::Checkpoint, 4, &links[3].hash);
    assert_eq!(walked(Some(&forged), kept, Some(&head)), [Finding::ForgedCheckpoint]);
    // More was removed than the checkpoint says.
    let found = walked(Some(&checkpoint), &links[6..], Some(&head));
    assert_eq!(found, [Finding::Removed { from: 5, to: 6 }]);
    // A checkpoint of ours that stands for another place.
    let later = Mark { number: 6, ..checkpoint };
    assert_eq!(walked(Some(&later), &links[6..], Some(&head)), [Finding::ForgedCheckpoint]);
    // Everything is old.
    let all = key().mark(MarkName::Checkpoint, 10, &links[9].hash);
    assert_eq!(walked(Some(&all), &[], Some(&head)), []);
}

#[test]
fn what_is_pruned_while_the_walk_goes_on_is_not_missed() {
    let (links, head) = log(10);
    let key = key();
    let mut walk = Walk::new(&key, None);
    walk.step(&links[0]);
    walk.pruned(&key.mark(MarkName::Checkpoint, 6, &links[5].hash));
    for link in &links[6..] {
        walk.step(link);
    }
    assert_eq!(walk.end(Some(&head)), []);
}

#[test]
fn what_is_pruned_after_its_page_was_read_is_known_to_be_past() {
    let (links, head) = log(10);
    let key = key();
    let mut walk = Walk::new(&key, None);
    walk.step(&links[0]);
    // The page began at the fourth entry, and then entries up to the sixth were taken away.
    let page = &links[3..];
    assert!(!walk.is_past(&page[0]));
    walk.pruned(&key.mark(MarkName::Checkpoint, 6, &links[5].hash));
    assert!(walk.is_past(&page[0]));
    let again = &links[6..];
    assert!(!walk.is_past(&again[0]));
    for link in again {
        walk.step(link);
    }
    assert_eq!(walk.end(Some(&head)), []);
}

#[test]
fn the_mac_is_hmac_sha_256() {
    // Reckoned elsewhere (openssl dgst -mac HMAC), over each part with its length before it.
    let key = ChainKey::new([0x0b; 32]);
    let reckoned = "67e39d33a28d84d47d51e29fb7a2f558564b91444d9ed32ebf40fdfcc305b583";
    assert_eq!(key.entry_hash("a", "b"), reckoned);
    assert_ne!(key.entry_hash("a", "b"), key.entry_hash("", "ab"), "parts keep their borders");
    assert_ne!(key.entry_hash("a", "b"), ChainKey::new([0x0c; 32]).entry_hash("a", "b"));
    assert_eq!(format!("{key:?}"), "******");
}
