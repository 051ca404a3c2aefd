//! What the gateway costs, against nginx and HAProxy in the same run: `cargo xtask bench`.
//!
//! The method is explained in `docs/bench.md`. One core drives and answers, the other holds one proxy at work at a
//! time; all take turns, several rounds of it, and the median counts. The servers are in `benches/proxies.rs`, the
//! peers' settings in `benches/peers.rs`, the load and its measuring in `benches/loads.rs`, the tables in
//! `benches/tables.rs`.

mod loads;
mod peers;
mod proxies;
mod tables;

use loads::{Load, Measured};
use proxies::{Method, Proxies, Proxy};

use crate::{debian, doctor};

const ROUNDS: usize = 3;

/// How many credentials an installation has, each of an application of its own.
const SIZES: [usize; 3] = [1, 100_000, 1_000_000];

/// A row of the table of costs.
struct Case {
    proxy: Proxy,
    load: Load,
}

/// Measures and prints the tables in Markdown.
pub(crate) fn run() -> Result<(), String> {
    doctor::run()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err("two cores are needed: one for the load, one for the proxy".to_owned());
    }
    debian::require("nginx", "nginx-light", "what the gateway is compared with, and the upstream")?;
    debian::require("haproxy", "haproxy", "what the gateway is compared with")?;
    debian::require("wrk", "wrk", "it makes the load")?;
    let cases = cases();
    let mut proxies = Proxies::start()?;
    for case in &cases {
        proxies.require(case.proxy)?;
    }
    proxies.require(Proxy::Changing(QUIET.1))?;
    let costs = costs(&proxies, &cases)?;
    let stalls = stalls(&proxies)?;
    println!("\n{}", tables::costs(&cases, &costs));
    println!("\n{}", tables::footprints(&proxies.footprints()?));
    println!("\n{}", tables::stalls(QUIET.1, &stalls));
    Ok(())
}

/// Every proxy with every load that fits it; the first is what the others are compared with.
fn cases() -> Vec<Case> {
    let open = |proxy| Case { proxy, load: Load::open() };
    let checked = |proxy, callers| Case { proxy, load: Load::checked(callers) };
    let mut cases = vec![
        open(Proxy::Nginx(None)),
        checked(Proxy::Nginx(Some(1)), 1),
        checked(Proxy::Nginx(Some(100_000)), 100_000),
        open(Proxy::Haproxy(None)),
        checked(Proxy::Haproxy(Some(100_000)), 100_000),
        open(Proxy::Gateway(Method::Key, 1)),
    ];
    for method in [Method::Key, Method::Basic, Method::Jwt] {
        for size in SIZES {
            let proxy = Proxy::Gateway(method, size);
            cases.push(checked(proxy, 1));
            if size > 1 {
                cases.push(checked(proxy, size.min(method.most_callers())));
            }
        }
    }
    cases.push(checked(Proxy::Limited(100_000), 100_000));
    cases
}

fn costs(proxies: &Proxies, cases: &[Case]) -> Result<Vec<Vec<Measured>>, String> {
    let mut measured: Vec<Vec<Measured>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 1..=ROUNDS {
        for (case, results) in cases.iter().zip(&mut measured) {
            let result = loads::measure(proxies, case.proxy, &case.load)?;
            let name = tables::name_of(case);
            println!("   round {round}: {name:<62} {:6.1} µs  p99 {:6.2} ms", result.micros, result.p99_ms);
            results.push(result);
        }
    }
    Ok(measured)
}

/// The same installation left alone, and changed all the time: which method, and how many credentials.
const QUIET: (Method, usize) = (Method::Key, 1_000_000);

/// What callers feel while one of a million credentials changes every millisecond: quiet and changing, by round.
fn stalls(proxies: &Proxies) -> Result<Vec<(Measured, Measured)>, String> {
    let load = Load::unhurried(QUIET.1);
    let mut pairs = Vec::new();
    for round in 1..=ROUNDS {
        let quiet = loads::measure(proxies, Proxy::Gateway(QUIET.0, QUIET.1), &load)?;
        let changing = loads::measure(proxies, Proxy::Changing(QUIET.1), &load)?;
        println!("   round {round}: p99 quiet {:.2} ms, changing {:.2} ms", quiet.p99_ms, changing.p99_ms);
        pairs.push((quiet, changing));
    }
    Ok(pairs)
}
