//! Anything at all as a request, over the wire, from its first byte to the decision and what is sent on
//! (docs/gateway.md §1 and §6). Nothing panics, and what is forwarded is what was matched.
//!
//! A few hundred cases by default; `PROPTEST_CASES=1000000 cargo nextest run -p forecourt-gateway fuzz` runs longer.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use http::Uri;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};
use tokio::{io::AsyncWriteExt, runtime::Runtime};

use super::stage::{Stage, body, echo, protected_by, read_to_end, status};
use crate::{Config, paths};

/// A gateway on this thread alone, and whether anything on this thread has panicked.
struct Arena {
    runtime: Runtime,
    stage: Stage,
    has_panicked: Arc<AtomicBool>,
}

impl Arena {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stage =
            runtime.block_on(async { Stage::with(Config::default(), protected_by(echo().await)).await });
        let has_panicked = Arc::new(AtomicBool::new(false));
        let (seen, own, earlier) = (Arc::clone(&has_panicked), thread::current().id(), panic::take_hook());
        panic::set_hook(Box::new(move |panic| {
            // A panic within a task would otherwise be seen by nobody.
            if thread::current().id() == own {
                seen.store(true, Ordering::SeqCst);
            }
            earlier(panic);
        }));
        Self { runtime, stage, has_panicked }
    }

    fn run<S: Strategy>(&self, strategy: S, case: impl Fn(&Stage, &S::Value) -> Result<(), TestCaseError>)
    where
        S::Value: Clone,
    {
        let mut runner = TestRunner::new(Cases { failure_persistence: None, ..Cases::default() });
        let outcome = runner.run(&strategy, |value| {
            case(&self.stage, &value)?;
            prop_assert!(!self.has_panicked.load(Ordering::SeqCst), "a task panicked");
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    }

    /// Everything that the gateway answers to these bytes.
    fn answer(&self, bytes: &[u8]) -> String {
        self.runtime.block_on(async {
            let mut stream = self.stage.connect().await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            read_to_end(&mut stream).await
        })
    }
}

fn one_of(texts: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    prop::sample::select(texts.to_vec()).prop_map(str::to_owned)
}

/// A request that may well be sound: known pieces in their places.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = one_of(&[
        "GET", "GET", "GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT", "get", "X-Y", "",
    ]);
    let start =
        one_of(&["/open/", "/open/", "/s/", "/", "*", "http://a/open/", "http://u@a/", "//", "a:80", ""]);
    let rest = one_of(&[
        "x", "..", "%2e%2E/", "%2f", "//", "%", "%zz", "?", "#", "\\", "apikey=k", "&", "\u{e4}", "~",
    ]);
    let version = one_of(&[
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/2.0",
        "",
    ]);
    let field = one_of(&[
        "Content-Length: 3",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "apikey: k",
        "apikey:",
        "Authorization: Basic YWRhOnB3",
        "Authorization: Basic =",
        "Connection: close",
        "Connection: upgrade, apikey",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "Host: b",
        "TE: trailers",
        "X-Forwarded-For: x, 1.2.3.4",
        "Forwarded: for=\"",
        "X-Request-Id: ",
        "X_Consumer_Username: a",
        "Cookie: a=b",
        "\u{e4}: \u{e4}",
        "a : b",
        " folded",
        ":",
        "",
    ]);
    let fields = (
        one_of(&["Host: a\r\n", "Host: a\r\n", "Host: a\r\n", "Host: [::1]:9\r\n", "Host:\r\n", ""]),
        vec(field, 0..3),
    );
    let content = one_of(&["", "", "abc", "3\r\nabc\r\n0\r\n\r\n", "0\r\nt: u\r\n\r\n", "3;x\r\nab"]);
    (method, start, vec(rest, 0..4), version, fields, content).prop_map(
        |(method, start, rest, version, (host, fields), content)| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            format!("{method} {start}{}{version}\r\n{host}{fields}\r\n{content}", rest.concat()).into_bytes()
        },
    )
}

/// The same with a few bytes put in, taken out or changed.
fn disturbed() -> impl Strategy<Value = Vec<u8>> {
    let disturbance = (any::<prop::sample::Index>(), 0..3u8, any::<u8>());
    (vec(request(), 1..3), vec(disturbance, 0..3)).prop_map(|(requests, disturbances)| {
        let mut bytes = requests.concat();
        for (place, kind, byte) in disturbances {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes.insert(place, byte),
                1 => drop(bytes.remove(place)),
                _ => bytes[place] = byte,
            }
        }
        bytes
    })
}

#[test]
fn no_bytes_make_the_gateway_panic_or_answer_something_else_than_http() {
    let arena = Arena::new();
    let bytes = prop_oneof![4 => request(), 4 => disturbed(), 1 => vec(any::<u8>(), 0..300)];
    arena.run(bytes, |_, bytes| {
        let answer = arena.answer(bytes);
        let is_http2 = bytes.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        prop_assert!(answer.is_empty() || is_http2 || answer.starts_with("HTTP/1."), "{answer:?}");
        Ok(())
    });
}

#[test]
fn no_frames_make_the_gateway_panic() {
    let arena = Arena::new();
    let heads = [
        &b"\x82\x86\x84\x41\x01a"[..],
        b"\x83\x86\x44\x07/open/x\x41\x01a",
        b"\x82\x87\x44\x02/s\x40\x06apikey\x01k",
    ];
    let payload =
        prop_oneof![prop::sample::select(heads.map(<[u8]>::to_vec).to_vec()), vec(any::<u8>(), 0..12),];
    let kind = prop_oneof![0u8..10, any::<u8>()];
    let frame = (kind, any::<u8>(), 0u8..8, payload).prop_map(|(kind, flags, stream, payload)| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], &payload].concat()
    });
    arena.run(vec(frame, 0..12), |_, frames| {
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        arena.answer(&[&hello[..], &frames.concat()].concat());
        Ok(())
    });
    let sound = arena.answer(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(sound.is_empty() || status(&sound) == 404, "{sound}");
}

#[test]
fn what_is_sent_on_is_what_was_matched() {
    let arena = Arena::new();
    let segment = prop::sample::select(vec![
        "a", ".", "..", "...", "%2e", "%2E%2e", "%2f", "%2F..", "%5c", "%61", "%7E", "%00", "%25", "%252e",
        "", ";", "a;b=c", "~", "+", "%20", "s", "open", "'", "*", "@", ":", "%", "%4", "%c3%a4",
    ]);
    let query = prop::option::of("[a-z%/?=&.;+]{0,12}");
    let target = (vec(segment, 0..8), query)
        .prop_map(|(segments, query)| (format!("/open/{}", segments.join("/")), query));
    arena.run(target, |_, (path, query)| {
        let target = query.as_ref().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = arena.runtime.block_on(arena.stage.exchange(&request));
        let normal = paths::normalise(path);
        let Some(normal) = normal else {
            prop_assert_eq!(status(&answer), 400);
            return Ok(());
        };
        prop_assert_eq!(&paths::normalise(&normal).unwrap(), &normal, "normal paths are normal");
        prop_assert!(normal.split('/').all(|segment| !matches!(segment, "." | "..")), "{}", normal);
        prop_assert!(!normal.contains("//") && !normal.to_ascii_lowercase().contains("%2e"), "{}", normal);
        if !normal.starts_with("/open/") {
            prop_assert!(matches!(status(&answer), 401 | 404), "{} -> {}", normal, answer);
            return Ok(());
        }
        prop_assert_eq!(status(&answer), 200, "{} -> {}", target, &answer);
        let line = body(&answer).lines().next().unwrap();
        let sent_on = query.as_ref().map_or_else(|| normal.to_string(), |query| format!("{normal}?{query}"));
        prop_assert_eq!(line, format!("GET {sent_on}"));
        prop_assert!(sent_on.parse::<Uri>().is_ok());
        Ok(())
    });
}
