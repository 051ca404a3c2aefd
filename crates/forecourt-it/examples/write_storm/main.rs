//! kill -9 in a storm of writes: `cargo xtask storm writes [--sqlite] [KILLS]`, 100 kills unless told, and
//! `cargo xtask storm writes --processes 2 [MINUTES]`, 3 unless told.
//!
//! What must hold, and what is looked at between kills and in the end (`forecourt_it::write_storms`, `…::consistency`):
//! - every acknowledged write is there, and what was deleted stays away; none is half done;
//! - every event that somebody is to be told of is told, twice only under the same id and in the same words, and nothing
//!   is told that never happened;
//! - no call through a gateway is counted twice, none that was counted is lost, and a stop loses none; how many a kill
//!   lost, those of the last moment before it, is told;
//! - everything that must be true of a database at rest is true of this one, the moment a process was killed.
//!
//! With two processes on one PostgreSQL one of them is killed every five seconds, in turn, and the writers go on with the
//! other. It ends with a report, and with an error where a promise was broken.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a run that goes wrong ends loudly, and it tells what it sees"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forecourt_it::{TestDatabase, WriteStorm, consistency::assert_none};
use tokio::time::sleep;

/// How many write at the same time.
const WRITERS: usize = 12;
/// After how many kills everything is looked at.
const LOOKS: u64 = 10;
/// How long one process serves alone on the database before it is killed, milliseconds: at most.
const LONGEST: usize = 1_500;
/// How often one of two is killed.
const PAUSE: Duration = Duration::from_secs(5);

/// What is asked on the command line.
struct Asked {
    processes: usize,
    /// Kills of one process, or minutes with two.
    length: Option<u64>,
    seed: u64,
}

impl Asked {
    fn read() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let mut asked = Self { processes: 1, length: None, seed: now };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let number =
                |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).expect("a number");
            match argument.as_str() {
                "--processes" => asked.processes = if number(arguments.next()) == 1 { 1 } else { 2 },
                "--seed" => asked.seed = number(arguments.next()),
                _ => asked.length = Some(number(Some(argument))),
            }
        }
        asked
    }
}

#[tokio::main]
async fn main() {
    let asked = Asked::read();
    let database = TestDatabase::new();
    let engine = if database.is_postgres() { "PostgreSQL" } else { "SQLite" };
    assert!(asked.processes == 1 || database.is_postgres(), "two processes need a PostgreSQL");
    println!("{} processes on {engine}, {WRITERS} writers, --seed {}", asked.processes, asked.seed);
    let mut storm = WriteStorm::start(&database, asked.processes, asked.seed).await;
    storm.write(WRITERS);
    let kills = match asked.processes {
        1 => one(&mut storm, &database, asked.length.unwrap_or(100)).await,
        _ => two(&mut storm, &database, asked.length.unwrap_or(3)).await,
    };
    let (told, violations) = storm.violations_once_told(&database).await;
    let noted = storm.noted();
    println!(
        "{kills} kills; {} writes acknowledged, {} left unknown, {} things; {} deliveries, {} of them told again",
        noted.acknowledged,
        noted.unknown,
        noted.things(),
        told.deliveries,
        told.duplicates,
    );
    let calls = told.calls;
    println!(
        "calls: {} answered, {} under way at kills; {} counted, at least {} lost in kills",
        calls.answered, calls.unanswered, calls.counted, calls.lost,
    );
    assert_none(&violations, "in the end");
    assert!(noted.strange.is_empty(), "answers that nothing explains: {:#?}", noted.strange);
    assert!(noted.acknowledged > 0 && told.deliveries > 0 && calls.counted > 0, "nothing happened");
}

/// The only process is killed so many times, at moments that the seed decides.
async fn one(storm: &mut WriteStorm, database: &TestDatabase, kills: u64) -> u64 {
    let begun = Instant::now();
    for number in 1..=kills {
        let pause = u64::try_from(storm.below(LONGEST)).expect("a pause");
        sleep(Duration::from_millis(pause)).await;
        if number % LOOKS == 0 {
            assert_none(&storm.violations(database).await, &format!("after {number} kills"));
            let acknowledged = storm.noted().acknowledged;
            let seconds = begun.elapsed().as_secs();
            println!(
                "{seconds:4} s  {number} kills, {acknowledged} writes acknowledged: everything is right"
            );
            storm.revive(database, 0).await;
            storm.write(WRITERS);
        } else {
            storm.kill(0);
            storm.revive(database, 0).await;
        }
    }
    kills
}

/// One of two is killed every five seconds, in turn.
async fn two(storm: &mut WriteStorm, database: &TestDatabase, minutes: u64) -> u64 {
    let (begun, length) = (Instant::now(), Duration::from_secs(minutes * 60));
    let mut kills = 0;
    while begun.elapsed() < length {
        sleep(PAUSE).await;
        let number = usize::try_from(kills % 2).expect("0 or 1");
        storm.kill(number);
        kills += 1;
        storm.revive(database, number).await;
        if kills % 12 == 0 {
            assert_none(&storm.violations(database).await, &format!("after {kills} kills"));
            let acknowledged = storm.noted().acknowledged;
            let seconds = begun.elapsed().as_secs();
            println!("{seconds:4} s  {kills} kills, {acknowledged} writes acknowledged: everything is right");
            for number in 0..2 {
                storm.revive(database, number).await;
            }
            storm.write(WRITERS);
        }
    }
    kills
}
