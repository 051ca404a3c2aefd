//! A node's data folder that was put back from a copy, or copied to a second process, with the real binary.

use std::{fs, path::Path};

use forecourt_it::{Developer, Forecourt, ForecourtProcess, deadlines::eventually, installations::text};
use serde_json::Value;

use crate::gateway_node::{NOWHERE, call, metric, node, sync, token};

/// Copies a folder with what is below it; locks of processes stay behind, as they do in a backup.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "coming" {
            // A batch may be delivered, and so removed, meanwhile.
            let _gone = fs::copy(entry.path(), target);
        }
    }
}

async fn counted(developer: &Developer<'_>) -> u64 {
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    let hours = developer.api.get(path).await.expect(200)["list"].as_array().unwrap().clone();
    hours.iter().map(|hour| hour["api_calls"].as_u64().unwrap()).sum()
}

async fn delivered(node: &ForecourtProcess) {
    eventually("nothing waits any more", || async {
        (metric(node, "forecourt_node_connected").await == 1.0
            && metric(node, "forecourt_node_pending_usage_batches").await == 0.0)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_put_back_loses_no_call_and_counts_none_twice() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("k").await;
    let parent = tempfile::tempdir().unwrap();
    let (folder, backup) = (parent.path().join("data"), parent.path().join("backup"));
    let token = token(&f).await;
    let edge = ForecourtProcess::start(node(&sync(&f), &token, &folder, &[]));
    assert!(edge.stop("TERM").status.success());
    // One call waits on the disk when the copy is made.
    let edge = ForecourtProcess::start(node(NOWHERE, &token, &folder, &[]));
    assert_eq!(call(&edge, &orders.path, &key).await, 200);
    assert!(edge.stop("TERM").status.success());
    copy(&folder, &backup);
    let edge = ForecourtProcess::start(node(&sync(&f), &token, &folder, &[]));
    for _ in 0..2 {
        assert_eq!(call(&edge, &orders.path, &key).await, 200);
    }
    // Before it stops: what it could not deliver by then would go with the folder.
    eventually("the first three calls are counted", || async { (counted(&ada).await >= 3).then_some(()) })
        .await;
    assert!(edge.stop("TERM").status.success());

    fs::remove_dir_all(&folder).unwrap();
    fs::rename(&backup, &folder).unwrap();
    let edge = ForecourtProcess::start(node(&sync(&f), &token, &folder, &[]));
    for _ in 0..4 {
        assert_eq!(call(&edge, &orders.path, &key).await, 200);
    }
    delivered(&edge).await;
    assert!(edge.stop("TERM").status.success());
    eventually("all seven calls are counted", || async { (counted(&ada).await >= 7).then_some(()) }).await;
    assert_eq!(counted(&ada).await, 7, "and the one that was in the copy as well, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_copies_of_a_folder_are_noticed_and_make_no_receipt_true() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    application.key("k").await;
    let parent = tempfile::tempdir().unwrap();
    let (folder, copied) = (parent.path().join("data"), parent.path().join("copy"));
    let token = token(&f).await;
    let one = ForecourtProcess::start(node(&sync(&f), &token, &folder, &[]));
    let id = text(&one.ready["node"]);
    copy(&folder, &copied);
    let two = ForecourtProcess::start(node(&sync(&f), &token, &copied, &[]));
    assert_eq!(text(&two.ready["node"]), id, "it goes by the same id");
    let shown = async || {
        f.admin().await.get(&format!("/api/forecourt/nodes/{id}")).await.expect(200)["value"].clone()
    };
    eventually("both are noticed", || async { (shown().await["duplicated"] == true).then_some(()) }).await;
    assert_eq!(shown().await["state"], "connected", "the second one holds the stream");
    let gone = application.key("gone").await;
    let path = format!("/api/applications/{}/credentials/{}", application.id, gone.id);
    let deleted = ada.api.delete(&path).await;
    let revision: i64 = deleted.header("x-forecourt-revision").unwrap().parse().unwrap();
    eventually("the second one has it", || async {
        (shown().await["revision"].as_i64() >= Some(revision)).then_some(())
    })
    .await;
    let receipt = f.admin().await.get(&format!("/api/forecourt/receipts/{revision}")).await.expect(200);
    let nodes = receipt["value"]["nodes"].as_array().unwrap().clone();
    let own: Vec<&Value> = nodes.iter().filter(|node| node["id"] == id.as_str()).collect();
    assert_eq!(
        (own.len(), &own[0]["applied"], &receipt["value"]["complete"]),
        (1, &false.into(), &false.into())
    );
    let ended = one.stop("TERM");
    assert!(ended.stderr.contains("opened another stream"), "{}", ended.stderr);
    assert!(two.stop("TERM").status.success());
}
