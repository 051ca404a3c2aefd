//! An installation of which nobody asks anything: how soon it is ready, and what it holds in memory once it is at rest.

use std::{
    thread,
    time::{Duration, Instant},
};

use forecourt_it::{ForecourtProcess, TestDatabase};

use crate::serve;

/// How often it is started; the median of each figure counts.
const STARTS: usize = 3;
/// It is at rest when so many looks in a row found the same memory, within a hundredth.
const LOOKS: usize = 20;
/// The time between two looks: the allocator gives back what it holds after a second.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Seconds until it is ready, and resident megabytes of 1,000,000 bytes, at most.
const PROMISED: (f64, f64) = (1.0, 80.0);

/// What one start showed: seconds, and megabytes of 1,000,000 bytes.
struct Start {
    ready: f64,
    resident: f64,
    anonymous: f64,
    from_files: f64,
}

/// Starts it a few times on one core, and prints the table.
pub(crate) fn measure(database: &TestDatabase, engine: &str) {
    let starts: Vec<Start> = (0..STARTS).map(|_| start(database)).collect();
    let median = |figure: fn(&Start) -> f64| {
        let mut figures: Vec<f64> = starts.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    println!("\n| {engine}, 100,000 subscriptions, idle | measured | aim | ratio |\n|---|---|---|---|");
    let held = [
        ("ready after s", median(|start| start.ready), PROMISED.0),
        ("resident MB", median(|start| start.resident), PROMISED.1),
    ];
    for (name, figure, aim) in held {
        println!("| {name} | {figure:.2} | {aim} | {:.2} |", figure / aim);
    }
    println!("| of which anonymous (RssAnon) | {:.2} | – | – |", median(|start| start.anonymous));
    println!("| of which of files (RssFile) | {:.2} | – | – |", median(|start| start.from_files));
}

fn start(database: &TestDatabase) -> Start {
    let begun = Instant::now();
    let process = serve(database, true);
    let ready = begun.elapsed().as_secs_f64();
    rest(&process);
    let start = Start {
        ready,
        resident: megabytes(&process, "VmRSS"),
        anonymous: megabytes(&process, "RssAnon"),
        from_files: megabytes(&process, "RssFile"),
    };
    println!("   ready after {ready:.2} s, {:.2} MB resident", start.resident);
    process.stop("TERM");
    start
}

/// Waits until its memory stays as it is.
fn rest(process: &ForecourtProcess) {
    let begun = Instant::now();
    let (mut before, mut same) = (megabytes(process, "VmRSS"), 0);
    while same < LOOKS {
        assert!(begun.elapsed() < PATIENCE, "its memory does not come to rest");
        thread::sleep(LOOK_AGAIN);
        let now = megabytes(process, "VmRSS");
        if (now - before).abs() <= before / 100.0 {
            same += 1;
        } else {
            (before, same) = (now, 0);
        }
    }
}

fn megabytes(process: &ForecourtProcess, name: &str) -> f64 {
    let kilobytes = process.kilobytes(name).expect("/proc tells what a process holds");
    kilobytes as f64 * 1_024.0 / 1_000_000.0
}
