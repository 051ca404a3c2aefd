//! How long a revoked credential is still served: `storm latency [REVOCATIONS]`, as `cargo xtask bench revocations`
//! runs it.
//!
//! Three nodes are called without pause, one call after the other on a connection each, while credentials are revoked
//! one by one. For each revocation the time from the answer of the revoking call to the beginning of the last call
//! that any node let pass is taken (0 where none passed after the answer), and the time to its complete receipt.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use forecourt_it::{Client, installations::text};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::cluster::{Cluster, PATIENCE, locked};

/// What a caller of one node sees of one credential.
#[derive(Default)]
struct Seen {
    last_passed: Mutex<Option<Instant>>,
    refused: AtomicBool,
    stop: AtomicBool,
}

/// Revokes `count` credentials and prints the table.
pub(crate) async fn measure(cluster: &Cluster, count: usize) {
    let application = cluster.application("revoked").await;
    let credentials = format!("/api/applications/{application}/credentials");
    let owner = &cluster.owners()[0];
    let admin = &cluster.admins()[0];
    let (mut passed_for, mut receipt_after) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let made = owner.post(&credentials, json!({ "type": "key-auth", "name": "k" })).await.expect(201);
        let (id, key) = (text(&made["id"]), text(&made["key-auth"]["key"]));
        let callers: Vec<_> = cluster
            .nodes
            .iter()
            .map(|node| {
                let address = node.base.trim_start_matches("http://").parse().expect("an address");
                let seen = Arc::new(Seen::default());
                (Arc::clone(&seen), tokio::spawn(call(address, key.clone(), seen)))
            })
            .collect();
        let begun = Instant::now();
        while callers.iter().any(|(seen, _)| locked(&seen.last_passed).is_none()) {
            assert!(begun.elapsed() < PATIENCE, "a node does not know the credential {id}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (seen, _) in &callers {
            seen.refused.store(false, Ordering::SeqCst);
        }
        let deleted = owner.delete(&format!("{credentials}/{id}")).await;
        let answered = Instant::now();
        deleted.empty(204);
        let revision = text_of(&deleted.headers["x-forecourt-revision"]);
        receipt_after.push(complete(admin, &revision, answered).await);
        while callers.iter().any(|(seen, _)| !seen.refused.load(Ordering::SeqCst)) {
            assert!(answered.elapsed() < PATIENCE, "a node still serves {id}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut last = Duration::ZERO;
        for (seen, task) in callers {
            seen.stop.store(true, Ordering::SeqCst);
            task.await.expect("a caller");
            if let Some(at) = *locked(&seen.last_passed) {
                last = last.max(at.saturating_duration_since(answered));
            }
        }
        passed_for.push(last);
        if number % 100 == 0 {
            println!("   {number} revocations");
        }
    }
    println!("| from the answer of the revocation to | p50 | p99 | most |");
    println!("|---|---|---|---|");
    println!("| the last call that any of {} nodes let pass | {} |", cluster.nodes.len(), row(passed_for));
    println!("| the receipt of all nodes, as read over the Admin API | {} |", row(receipt_after));
}

/// Calls without pause; what passed last, and whether anything was refused after that.
async fn call(address: SocketAddr, key: String, seen: Arc<Seen>) {
    let request = format!("GET /call HTTP/1.1\r\nhost: storm\r\napikey: {key}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.expect("a node");
    stream.set_nodelay(true).expect("a socket");
    let mut buffer = Vec::new();
    while !seen.stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("a request");
        match answer(&mut stream, &mut buffer).await {
            200 => *locked(&seen.last_passed) = Some(begun),
            401 if locked(&seen.last_passed).is_some() => seen.refused.store(true, Ordering::SeqCst),
            401 => {}
            status => panic!("a node answered {status}"),
        }
    }
}

/// The status of one answer, read to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.expect("a length").trim().parse().expect("a number");
            if buffer.len() >= end + 4 + length {
                return head.split(' ').nth(1).expect("a status").parse().expect("a number");
            }
        }
        assert!(stream.read_buf(buffer).await.expect("an answer") > 0, "a node closed the connection");
    }
}

/// How long it took until all nodes had the revision.
async fn complete(admin: &Client, revision: &str, answered: Instant) -> Duration {
    loop {
        let receipt = admin.get(&format!("/api/forecourt/receipts/{revision}")).await.expect(200);
        if receipt["value"]["complete"] == true {
            return answered.elapsed();
        }
        assert!(answered.elapsed() < PATIENCE, "no receipt of all nodes: {receipt}");
    }
}

fn text_of(value: &http::HeaderValue) -> String {
    value.to_str().expect("text").to_owned()
}

/// p50, p99 and the most, as cells.
fn row(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: f64| {
        let place = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len()) - 1;
        format!("{:.1} ms", times[place].as_secs_f64() * 1_000.0)
    };
    format!("{} | {} | {}", at(0.50), at(0.99), at(1.0))
}
