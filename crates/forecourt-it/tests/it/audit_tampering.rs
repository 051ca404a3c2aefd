//! `forecourt audit verify` on logs that somebody tampered with who can write the database and does not have the master
//! key: each in a copy.

use forecourt_it::{
    Forecourt, TestDatabase,
    consistency::{Row, Snapshot, copied_with},
    processes::{Ended, binary, command, run},
};
use forecourt_store::Cell;
use serde_json::json;

/// What is done to the rows of a copy.
type Tampering = fn(&mut Snapshot);

/// What the command must tell, and what is done.
const WAYS: [(&str, Tampering); 14] = [
    ("was changed", |rows| replace(middle(rows), "content", "Create", "Delete")),
    ("was changed", |rows| middle(rows).set("operator_id", Cell::Text("somebody else".into()))),
    ("was changed", |rows| middle(rows).set("at", Cell::Integer(1))),
    ("was changed", |rows| middle(rows).set("hash", Cell::Text("0".repeat(64)))),
    ("were removed", |rows| {
        rows.rows_mut("audit_entries").remove(2);
    }),
    ("were removed", |rows| {
        rows.rows_mut("audit_entries").remove(0);
    }),
    ("were removed", |rows| {
        rows.rows_mut("audit_entries").pop();
    }),
    ("were moved", |rows| {
        let entries = rows.rows_mut("audit_entries");
        let (first, second) = (entries[1].number("number").unwrap(), entries[2].number("number").unwrap());
        entries[1].set("number", Cell::Integer(second));
        entries[2].set("number", Cell::Integer(first));
    }),
    ("stands before the log's start", |rows| put_in(rows, 0)),
    ("stands before the log's start", |rows| put_in(rows, -7)),
    ("stands behind the log's end", |rows| {
        let next = rows.rows("audit_entries").len() as i64 + 1;
        put_in(rows, next);
    }),
    ("the mark of the log's end was changed", |rows| {
        let head = rows.rows_mut("audit_marks").iter_mut().find(|row| row.text("name") == "head").unwrap();
        let number = head.number("number").unwrap();
        head.set("number", Cell::Integer(number - 1));
    }),
    ("the mark of the log's end is missing", |rows| rows.rows_mut("audit_marks").clear()),
    ("was emptied", |rows| {
        rows.rows_mut("audit_entries").clear();
        rows.rows_mut("audit_marks").clear();
    }),
];

/// The third entry.
fn middle(rows: &mut Snapshot) -> &mut Row {
    &mut rows.rows_mut("audit_entries")[2]
}

fn replace(row: &mut Row, column: &str, former: &str, text: &str) {
    assert!(row.text(column).contains(former), "{}", row.text(column));
    row.set(column, Cell::Text(row.text(column).replacen(former, text, 1)));
}

/// Puts a copy of the third entry in with this number.
fn put_in(rows: &mut Snapshot, number: i64) {
    let mut entry = middle(rows).clone();
    entry.set("number", Cell::Integer(number));
    rows.rows_mut("audit_entries").push(entry);
}

async fn verified(f: &Forecourt, tamper: impl FnOnce(&mut Snapshot)) -> Ended {
    let copy = TestDatabase::new();
    std::fs::copy(f.database().folder().join("master.key"), copy.folder().join("master.key")).unwrap();
    let sorted = |rows: &mut Snapshot| {
        rows.rows_mut("audit_entries").sort_by_key(|row| row.number("number"));
        tamper(rows);
    };
    copied_with(&f.database().location(), &copy.location(), sorted).await;
    let verify = command(&binary(), &["audit", "verify"], &copy);
    tokio::task::spawn_blocking(|| run(verify)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_tamper_with_the_audit_log_is_told_by_the_command() {
    let f = Forecourt::start().await;
    for name in ["one", "two", "three"] {
        f.admin().await.post("/api/roles", json!({ "name": name })).await.expect(200);
    }
    let intact = verified(&f, |rows| {
        let third = middle(rows).text("content").to_owned();
        assert!(third.contains("Create"), "{third}");
    })
    .await;
    assert_eq!(intact.status.code(), Some(0), "{}{}", intact.stdout, intact.stderr);
    for (wanted, tamper) in WAYS {
        let told = verified(&f, tamper).await;
        assert_eq!(told.status.code(), Some(1), "{wanted}: {}", told.stdout);
        assert!(told.stdout.contains(wanted), "{wanted}: {}{}", told.stdout, told.stderr);
    }
}
