//! Limits that two gateways share in a Redis, and what happens when it is away or hangs.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    limited::{offering, plan},
    rows::put,
    stage::{PATIENCE, Stage, echo, protected_by, status},
};
use crate::{Config, SharedLimits};

/// A private Redis that keeps nothing on disk; gone with this.
struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    /// On a port that was free a moment ago; another one where somebody took it first.
    fn start() -> Self {
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut redis = Self::start_on(free);
            let deadline = Instant::now() + PATIENCE;
            while redis.server.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", free)).is_ok() {
                    return redis;
                }
                assert!(Instant::now() < deadline, "redis-server does not listen");
                std::thread::yield_now();
            }
        }
    }

    fn start_on(port: u16) -> Self {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "s3cret"])
            .args(["--port", &port.to_string()])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn();
        Self { server: server.expect("redis-server, which cargo xtask test installs"), port }
    }

    fn url(&self) -> String {
        format!("redis://:s3cret@127.0.0.1:{}/1", self.port)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.server.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _gone = self.server.wait();
    }
}

/// A node whose product allows `count` calls in ten minutes, shared at `url`.
async fn node(url: &str, timeout: Duration, count: u64) -> Stage {
    let shared_limits = Some(SharedLimits::new(url, timeout).unwrap());
    let stage = Stage::with(Config { shared_limits, ..Config::default() }, protected_by(echo().await)).await;
    stage.apply(vec![put(2, offering(&[plan("pln_b", &[(count, 600), (count * 10, 86_400)], true)]))]);
    stage
}

/// Long enough for a busy machine: what is tested here is not that Redis is fast.
const LONG: Duration = Duration::from_secs(5);

async fn until_shared(stage: &Stage, wanted: bool) {
    let deadline = Instant::now() + PATIENCE;
    while stage.gateway.limits_are_shared() != Some(wanted) {
        assert!(Instant::now() < deadline, "limits_are_shared did not become {wanted}");
        tokio::task::yield_now().await;
    }
}

async fn call(stage: &Stage) -> u16 {
    status(&stage.ask("/s/x", &["apikey: k"]).await)
}

#[tokio::test]
async fn two_nodes_give_out_exactly_the_room_of_one_plan_at_the_same_time() {
    let redis = Redis::start();
    let (one, two) = (node(&redis.url(), LONG, 30).await, node(&redis.url(), LONG, 30).await);
    until_shared(&one, true).await;
    until_shared(&two, true).await;
    let many = async |stage: &Stage| {
        let mut passed = 0;
        for _ in 0..25 {
            passed += usize::from(call(stage).await == 200);
        }
        passed
    };
    let (a, b, c, d) = tokio::join!(many(&one), many(&two), many(&one), many(&two));
    assert_eq!(a + b + c + d, 30);
    assert_eq!(one.gateway.limit_fallbacks() + two.gateway.limit_fallbacks(), 0);
}

#[tokio::test]
async fn a_redis_that_dies_fails_no_call_and_this_node_goes_on_from_where_the_count_was() {
    let redis = Redis::start();
    let stage = node(&redis.url(), LONG, 4).await;
    until_shared(&stage, true).await;
    assert_eq!([call(&stage).await, call(&stage).await], [200, 200]);
    let port = redis.port;
    drop(redis);
    let after = [call(&stage).await, call(&stage).await, call(&stage).await];
    assert_eq!(after, [200, 200, 429], "two were counted before");
    assert_eq!(stage.gateway.limit_fallbacks(), 3);
    assert_eq!(stage.gateway.limits_are_shared(), Some(false));
    let _redis = Redis::start_on(port);
    until_shared(&stage, true).await;
    assert_eq!(call(&stage).await, 200, "it has forgotten, and it is what counts again");
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_call_the_timeout_and_the_others_nothing() {
    let redis = Redis::start();
    let timeout = Duration::from_millis(500);
    let stage = node(&redis.url(), timeout, 1_000).await;
    until_shared(&stage, true).await;
    redis.signal("STOP");
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(call(&stage).await, 200);
    }
    // Probes go on beside the calls and wait for nobody.
    assert!(started.elapsed() < 10 * timeout, "{:?}", started.elapsed());
    assert_eq!(stage.gateway.limit_fallbacks(), 20);
    redis.signal("CONT");
    until_shared(&stage, true).await;
    assert_eq!(call(&stage).await, 200);
    assert_eq!(stage.gateway.limit_fallbacks(), 20);
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_no_redis_and_nobody_waits_for_it() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            kept.push(stream);
        }
    });
    let stage = node(&format!("redis://{address}"), LONG, 2).await;
    let started = Instant::now();
    assert_eq!([call(&stage).await, call(&stage).await, call(&stage).await], [200, 200, 429]);
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
    assert_eq!(stage.gateway.limits_are_shared(), Some(false));
    assert_eq!(stage.gateway.limit_fallbacks(), 3);
}

#[test]
fn an_address_is_read_whole_and_shown_without_its_password() {
    let read = |url| SharedLimits::new(url, LONG);
    let shown = format!("{:?}", read("rediss://ada:s%33cret@[::1]:7000/2").unwrap());
    assert_eq!(shown, r#"SharedLimits { host: "::1", port: 7000, .. }"#);
    assert!(read("redis://localhost").unwrap() == read("redis://localhost:6379/0").unwrap());
    for wrong in ["localhost:6379", "http://localhost", "redis://", "redis://h/x", "redis://:p@h:99999"] {
        let problem = read(wrong).unwrap_err();
        assert!(problem.starts_with("must "), "{wrong}: {problem}");
    }
}
