//! What is counted, by whom, when, and that nothing is lost or doubled on the way.

use std::time::Duration;

use forecourt_core::{
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use forecourt_wire::usage::{MOST_COUNTS, UsageCount};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    rows::{application, credential, grant, key, put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, protected_by, read_to_end, read_until, status},
};
use crate::Config;

/// `(credential, route, class, minute, calls)`, sorted.
fn sums(counts: &[UsageCount]) -> Vec<(String, String, u8, i64, u64)> {
    let mut sums: Vec<_> = counts
        .iter()
        .map(|count| {
            assert_eq!((count.product_id.as_str(), count.application_id.as_str()), ("prd", "app"));
            assert_eq!(count.last_used_from, "127.0.0.1");
            assert_eq!(count.totals.times.sketch.count(), count.totals.calls);
            let (credential, route) = (count.credential_id.to_string(), count.route_id.to_string());
            let class = count.status_class.number();
            (credential, route, class, count.minute.seconds(), count.totals.calls)
        })
        .collect();
    sums.sort();
    sums
}

/// The one count that there is.
fn only(stage: &Stage) -> (StatusClass, Totals) {
    let counts = stage.gateway.take_usage();
    let [count] = &counts[..] else { panic!("one count expected: {counts:?}") };
    assert!(stage.gateway.take_usage().is_empty(), "a count is given once");
    (count.status_class, count.totals.clone())
}

/// The one count, as soon as it is there: the gateway hears of a caller's end in its own time.
async fn soon(stage: &Stage) -> (StatusClass, Totals) {
    let waited = timeout(PATIENCE, async {
        loop {
            match stage.gateway.take_usage().pop() {
                Some(count) => return (count.status_class, count.totals),
                None => tokio::task::yield_now().await,
            }
        }
    });
    waited.await.unwrap()
}

/// A protected service before an upstream that answers with these bytes and reads on.
async fn answering(answer: &'static [u8]) -> Stage {
    let port = acting(move |mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(answer).await.unwrap();
    });
    Stage::with(Config::default(), protected_by(port.await)).await
}

#[tokio::test]
async fn each_request_that_passes_counts_once_for_its_credential_route_and_minute() {
    let stage = Stage::protected().await;
    stage.apply(vec![put(2, route("r-more", "s", "/more/*"))]);
    stage.set_clock(3_600 * 10 + 65);
    for fields in
        [&["apikey: k"][..], &["apikey: k"], &["Authorization: Basic YWRhOnB3"], &["apikey: wrong"], &[]]
    {
        stage.ask("/s/x", fields).await;
    }
    stage.ask("/open/x", &["apikey: k"]).await;
    stage.ask("/more/x", &["apikey: k"]).await;
    stage.set_clock(3_600 * 10 + 119);
    stage.ask("/s/x", &["apikey: k"]).await;
    stage.set_clock(3_600 * 10 + 120);
    stage.ask("/s/x", &["apikey: k"]).await;
    let counts = stage.gateway.take_usage();
    let expected = [
        ("crd-key", "r-more", 2, 36_060, 1),
        ("crd-key", "r-s", 2, 36_060, 3),
        ("crd-key", "r-s", 2, 36_120, 1),
        ("crd-user", "r-s", 2, 36_060, 1),
    ];
    let told = |(id, route, class, minute, calls): (&str, &str, u8, i64, u64)| {
        (id.to_owned(), route.to_owned(), class, minute, calls)
    };
    assert_eq!(sums(&counts), expected.map(told));
    let first = counts.iter().find(|count| count.totals.calls == 3).unwrap();
    assert_eq!(first.last_used_at, Timestamp::from_seconds(36_119));
    assert!(stage.gateway.take_usage().is_empty());
}

#[tokio::test]
async fn a_route_that_was_compiled_anew_is_counted_with_itself() {
    let stage = Stage::protected().await;
    stage.ask("/s/x", &["apikey: k"]).await;
    stage.apply(vec![put(2, route("r-other", "open", "/other/*"))]);
    stage.ask("/s/x", &["apikey: k"]).await;
    assert_eq!(only(&stage).1.calls, 2);
}

#[tokio::test]
async fn the_kind_of_answer_counts_whoever_gave_it() {
    for (answer, class, errors) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], "2xx", 0),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "3xx", 0),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "4xx", 0),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", "5xx", 1),
        (b"nonsense\r\n\r\n", "5xx", 1),
    ] {
        let stage = answering(answer).await;
        stage.ask("/s/x", &["apikey: k"]).await;
        let (told, totals) = only(&stage);
        assert_eq!((told.name(), totals.calls, totals.errors), (class, 1, errors), "{}", answer.len());
    }
    // No node at all: the gateway answers 503 by itself.
    let stage = Stage::protected().await;
    let mut broken = service("s");
    broken.upstream = Some(upstream(1));
    broken.upstream.as_mut().unwrap().nodes[0].weight = 0;
    stage.apply(vec![put(2, broken)]);
    let answer = stage.ask("/s/x", &["apikey: k"]).await;
    let (class, totals) = only(&stage);
    assert_eq!((class.name(), totals.errors), ("5xx", 1));
    assert_eq!(totals.bytes_out, body(&answer).len() as u64);
}

#[tokio::test]
async fn bodies_are_measured_in_both_directions_and_times_lie_in_order() {
    let stage = Stage::protected().await;
    let head = "POST /s/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\napikey: k\r\n";
    let whole = stage.exchange(format!("{head}Content-Length: 5\r\n\r\nhello")).await;
    let chunked = stage
        .exchange(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
        .await;
    assert_eq!((status(&whole), status(&chunked)), (200, 200));
    let (_, totals) = only(&stage);
    assert_eq!((totals.calls, totals.bytes_in), (2, 10));
    let length = |answer: &str| {
        let (_, rest) = answer.split_once("content-length: ").unwrap();
        rest.split_once("\r\n").unwrap().0.parse::<u64>().unwrap()
    };
    assert_eq!(totals.bytes_out, length(&whole) + length(&chunked));
    let times = &totals.times;
    assert!(0 < times.min && times.min <= times.max && times.max <= times.sum, "{times:?}");
}

#[tokio::test]
async fn a_stream_counts_when_it_ends_with_all_of_its_time_and_bytes() {
    let (go, gone) = watch::channel(false);
    let port = acting(move |mut stream: TcpStream| {
        let mut gone = gone.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none").await.unwrap();
            gone.wait_for(|go| *go).await.unwrap();
            stream.write_all(b"two").await.unwrap();
        }
    });
    let stage = Stage::with(Config::default(), protected_by(port.await)).await;
    stage.set_clock(60);
    let mut caller = stage.connect().await;
    let ask = b"GET /s/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\napikey: k\r\n\r\n";
    caller.write_all(ask).await.unwrap();
    read_until(&mut caller, "one").await;
    assert!(stage.gateway.take_usage().is_empty(), "it has not ended");
    stage.set_clock(120);
    go.send_replace(true);
    assert!(read_to_end(&mut caller).await.ends_with("two"));
    let counts = stage.gateway.take_usage();
    assert_eq!(sums(&counts), [("crd-key".to_owned(), "r-s".to_owned(), 2, 120, 1)]);
    assert_eq!(counts[0].totals.bytes_out, 6);
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_once_with_what_came() {
    let stage = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    stage.ask("/s/x", &["apikey: k"]).await;
    let (class, totals) = soon(&stage).await;
    assert_eq!((class.name(), totals.calls, totals.bytes_out), ("2xx", 1, 4));
}

#[tokio::test]
async fn a_caller_who_goes_away_before_the_answer_counts_once_as_its_own_failure() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let port = acting(move |mut stream: TcpStream| {
        let arrived = arrived.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            arrived.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    let stage = Stage::with(Config::default(), protected_by(port.await)).await;
    let mut caller = stage.connect().await;
    caller.write_all(b"GET /s/x HTTP/1.1\r\nHost: a\r\napikey: k\r\n\r\n").await.unwrap();
    timeout(PATIENCE, arrivals.recv()).await.unwrap();
    assert!(stage.gateway.take_usage().is_empty());
    drop(caller);
    let (class, totals) = soon(&stage).await;
    assert_eq!((class.name(), totals.calls, totals.errors, totals.bytes_out), ("4xx", 1, 0, 0));
}

#[tokio::test]
async fn a_websocket_counts_at_its_end_with_its_bytes_and_the_time_to_its_beginning() {
    let port = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
        stream.write_all(answer).await.unwrap();
        read_until(&mut stream, "ping").await;
        stream.write_all(b"pong!").await.unwrap();
        std::future::pending::<()>().await;
    });
    let config = Config { drain_timeout: Duration::from_millis(50), ..Config::default() };
    let mut stage = Stage::with(config, protected_by(port.await)).await;
    let mut caller = stage.connect().await;
    let ask =
        "GET /s/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\napikey: k\r\n\r\n";
    caller.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut caller, "hello").await;
    caller.write_all(b"ping").await.unwrap();
    read_until(&mut caller, "pong!").await;
    assert!(stage.gateway.take_usage().is_empty());
    // It is cut by the shutdown, after which nothing is left to count.
    stage.stop.take();
    timeout(PATIENCE, &mut stage.serving).await.unwrap().unwrap();
    let (class, totals) = only(&stage);
    assert_eq!((class.name(), totals.calls), ("1xx", 1));
    assert_eq!((totals.bytes_in, totals.bytes_out), (4, 10));
}

#[tokio::test]
async fn counts_are_given_out_in_pieces_and_none_twice() {
    let stage = Stage::protected().await;
    let credentials = MOST_COUNTS + 1;
    let rows = (0..credentials).flat_map(|number| {
        let (app, key_text) = (format!("app-{number}"), format!("key-{number}"));
        let crd = format!("crd-{number}");
        [
            put(2, application(&app)),
            put(2, credential(&crd, &app, &[key(&key_text)])),
            put(2, grant(&app, "prd")),
        ]
    });
    stage.apply(rows.collect());
    let mut caller = stage.connect().await;
    for number in 0..credentials {
        let ask = format!("HEAD /s/x HTTP/1.1\r\nHost: a\r\napikey: key-{number}\r\n\r\n");
        caller.write_all(ask.as_bytes()).await.unwrap();
        read_until(&mut caller, "\r\n\r\n").await;
    }
    let pieces = [stage.gateway.take_usage(), stage.gateway.take_usage(), stage.gateway.take_usage()];
    assert_eq!(pieces.each_ref().map(Vec::len), [MOST_COUNTS, 1, 0]);
    let applications: std::collections::BTreeSet<_> =
        pieces.iter().flatten().map(|count| count.application_id.clone()).collect();
    assert_eq!(applications.len(), credentials);
}
