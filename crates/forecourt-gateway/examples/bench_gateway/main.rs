//! The gateway as `make bench` measures it: one worker, an open service under `/open`, and one under `/checked` whose
//! product asks for credentials of one kind.
//!
//! `bench_gateway --listen ADDRESS --upstream HOST:PORT --method key-auth --credentials N`: each of the N credentials
//! belongs to an application of its own that is subscribed. `--callers FILE` writes what the callers show, one in a
//! line; `--report FILE` writes resident bytes before and after, how long the
//! state took, and nanoseconds per decision (half, and 99 of 100); `--changing` changes
//! one further credential every millisecond; `--limited` holds every call to a plan of two limits. The rows are in `rows.rs`, the method in `docs/bench.md`.

mod rows;

use std::{
    env,
    error::Error,
    fs,
    io::{BufWriter, Write},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use forecourt_core::time::Timestamp;
use forecourt_gateway::{Clock, Config, Gateway};
use forecourt_wire::{changes::ChangeBatch, usage::MOST_COUNTS};
use http::Request;
use mimalloc::MiMalloc;
use rows::Installation;
use tokio::{net::TcpListener, runtime::Builder};

/// The allocator of the binary, or another program would be measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Rows per batch: a node takes a large state in pieces too, and the pieces are not what is measured.
const APPLICATIONS_PER_BATCH: usize = 10_000;
/// How many credentials take turns at being changed.
const CHANGED: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let listen = argument("--listen").ok_or("--listen is required")?;
    let upstream = argument("--upstream").ok_or("--upstream is required")?;
    let credentials: usize = argument("--credentials").ok_or("--credentials is required")?.parse()?;
    let method = argument("--method").ok_or("--method is required")?;
    let clock = clock();
    let mut installation = Installation::new(&method, &upstream, clock())?;
    if env::args().any(|argument| argument == "--limited") {
        installation = installation.limited();
    }

    let gateway = Gateway::new(Config::default(), clock)?;
    gateway.apply(&installation.services());
    let resident_empty = resident()?;
    let mut seconds = 0.0;
    let mut revision = 1;
    for first in (0..credentials).step_by(APPLICATIONS_PER_BATCH) {
        revision += 1;
        let last = credentials.min(first + APPLICATIONS_PER_BATCH);
        let batch = installation.applications(first..last, revision);
        let started = Instant::now();
        gateway.apply(&batch);
        seconds += started.elapsed().as_secs_f64();
    }
    if let Some(file) = argument("--callers") {
        let mut lines = BufWriter::new(fs::File::create(file)?);
        for number in 0..credentials {
            writeln!(lines, "{}", installation.shown(number))?;
        }
        lines.flush()?;
    }
    if let Some(file) = argument("--report") {
        let resident = resident()?;
        let (half, most) = decisions(&gateway, &installation, &method, credentials)?;
        fs::write(file, format!("{resident_empty} {resident} {seconds} {half} {most}\n"))?;
    }
    if env::args().any(|argument| argument == "--changing") {
        let gateway = gateway.clone();
        thread::spawn(move || change(&gateway, &installation, credentials, revision));
    }
    let counting = gateway.clone();
    thread::spawn(move || take_counts(&counting));
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(&listen).await?;
        // On a worker, as in the binary, and not on the thread that waits.
        tokio::spawn(async move { gateway.serve(listener, std::future::pending()).await }).await?;
        Ok(())
    })
}

/// Takes what was counted once a second, as a node does; here it goes nowhere.
#[expect(clippy::disallowed_methods, reason = "it sleeps on a thread of its own")]
fn take_counts(gateway: &Gateway) -> ! {
    loop {
        thread::sleep(Duration::from_secs(1));
        // A whole piece means that more may be left; there is always something new under load.
        while gateway.take_usage().len() >= MOST_COUNTS {}
    }
}

fn argument(name: &str) -> Option<String> {
    env::args().skip_while(|argument| argument != name).nth(1)
}

/// How many decisions are timed, and of how many callers.
const DECISIONS: usize = 200_000;
const CALLERS: usize = 20_000;

/// Nanoseconds that half of the decisions take at most, and 99 of 100; (0, 0) where the first look decides nothing.
#[expect(clippy::indexing_slicing, reason = "the list has that many")]
fn decisions(
    gateway: &Gateway,
    installation: &Installation,
    method: &str,
    credentials: usize,
) -> Result<(u128, u128), Box<dyn Error>> {
    let header = if method == "key-auth" { "apikey" } else { "authorization" };
    let heads = (0..CALLERS.min(credentials)).map(|turn| {
        // Far from each other, so that no cache holds two neighbours.
        let number = turn * 7_919 % credentials;
        let head =
            Request::get("/checked").header("host", "bench").header(header, installation.shown(number));
        head.body(())
    });
    let heads = heads.collect::<Result<Vec<_>, _>>()?;
    let passing = heads.iter().filter(|head| gateway.would_pass(head)).count();
    if passing < heads.len() {
        return Ok((0, 0));
    }
    let mut times: Vec<u128> = (0..DECISIONS)
        .map(|turn| {
            let head = &heads[turn % heads.len()];
            let started = Instant::now();
            let passes = gateway.would_pass(head);
            let time = started.elapsed().as_nanos();
            assert!(passes, "it passed before");
            time
        })
        .collect();
    times.sort_unstable();
    Ok((times[DECISIONS / 2], times[DECISIONS / 100 * 99]))
}

/// Makes and removes credentials beyond the callers' own, one every millisecond.
#[expect(clippy::disallowed_methods, reason = "a pace is what is asked for")]
fn change(gateway: &Gateway, installation: &Installation, first: usize, mut revision: i64) {
    loop {
        for number in first..first + CHANGED {
            for there in [true, false] {
                revision += 1;
                let mut batch: ChangeBatch = installation.applications(number..number + 1, revision);
                if !there {
                    for change in &mut batch.changes {
                        change.resource = None;
                    }
                }
                gateway.apply(&batch);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a gateway that runs by itself brings the clock of the machine"
)]
fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

/// The resident memory of this process in bytes (proc(5), `statm`).
fn resident() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split_whitespace().nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * 4_096)
}
