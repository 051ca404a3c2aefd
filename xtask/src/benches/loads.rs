//! Load by wrk, and what it costs a proxy: CPU time from `/proc`, instructions from perf where it may count.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::proxies::{self, Proxies, Which};
use crate::processes;

const WARM_UP_SECONDS: u32 = 1;
const SECONDS: u32 = 5;

/// What is asked for.
pub(super) struct Load {
    pub(super) path: &'static str,
    /// How many keys take turns; 0 sends none.
    pub(super) credentials: usize,
}

/// What a request cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// CPU time of the proxy, user and system, in microseconds.
    pub(super) micros: f64,
    /// Instructions of the proxy, user and kernel; `None` where perf may not count.
    pub(super) instructions: Option<f64>,
    pub(super) per_second: f64,
}

/// Drives `load` through one proxy.
pub(super) fn measure(proxies: &Proxies, which: Which, load: &Load) -> Result<Measured, String> {
    let (port, process) = proxies.port_and_process(which);
    let script = proxies.folder().join("keys.lua");
    fs::write(&script, script_of(load)).map_err(|error| format!("{}: {error}", script.display()))?;
    let wrk = |seconds: u32| {
        let mut words: Vec<String> =
            ["taskset", "-c", proxies::LOAD_CORE, "wrk", "-t1", "-c64"].map(str::to_owned).into();
        words.extend([format!("-d{seconds}s"), "-s".to_owned(), script.display().to_string()]);
        words.push(format!("http://127.0.0.1:{port}{}", load.path));
        words
    };
    run(&wrk(WARM_UP_SECONDS), process, None)?;
    let counts = proxies.folder().join("perf");
    let before = cpu_ticks(process)?;
    let report = run(&wrk(SECONDS), process, processes::find("perf").map(|_| counts.display().to_string()))?;
    let ticks = cpu_ticks(process)? - before;
    let requests = requests(&report)?;
    let per_tick = 1e6 / ticks_per_second()?;
    Ok(Measured {
        micros: ticks * per_tick / requests,
        instructions: instructions(&fs::read_to_string(&counts).unwrap_or_default())
            .map(|count| count / requests),
        per_second: requests / f64::from(SECONDS),
    })
}

/// What wrk says; with `counts`, perf writes the instructions of `process` during that time there.
fn run(wrk: &[String], process: u32, counts: Option<String>) -> Result<String, String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(counts) = counts {
        let pid = process.to_string();
        let perf = ["perf", "stat", "-x", ",", "-e", "instructions", "-o", &counts, "-p", &pid, "--"];
        words.extend(perf.map(str::to_owned));
    }
    words.extend_from_slice(wrk);
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("taskset", String::as_str));
    let output = command
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("the load could not be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("the load failed:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// A script for wrk that lets the keys take turns, in an order that defeats caches of neighbours.
fn script_of(load: &Load) -> String {
    if load.credentials == 0 {
        return "wrk.method = \"GET\"\n".to_owned();
    }
    if load.credentials == 1 {
        return "wrk.headers[\"apikey\"] = \"bench-key-00000000\"\n".to_owned();
    }
    format!(
        "local turn = 0\n\
         function request()\n\
         \x20 turn = (turn + 7919) % {}\n\
         \x20 return wrk.format(nil, nil, {{ [\"apikey\"] = string.format(\"bench-key-%08d\", turn) }})\n\
         end\n",
        load.credentials
    )
}

/// How many requests were answered; an answer other than 2xx or a broken connection makes the figure worthless.
fn requests(report: &str) -> Result<f64, String> {
    if report.contains("Non-2xx") || report.contains("Socket errors") {
        return Err(format!("not every request was answered with 200:\n{report}"));
    }
    let line = report.lines().find(|line| line.contains(" requests in "));
    let count = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    count
        .filter(|count| *count > 0.0)
        .ok_or_else(|| format!("wrk did not say how many requests it made:\n{report}"))
}

/// User and system time of a process, in ticks of the clock.
fn cpu_ticks(process: u32) -> Result<f64, String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))
        .map_err(|error| format!("the proxy (process {process}) is gone: {error}"))?;
    ticks_of(&stat).ok_or_else(|| format!("/proc/{process}/stat cannot be read: {stat}"))
}

/// Fields 14 and 15 (proc(5)); the name in field 2 may hold spaces and parentheses.
fn ticks_of(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some(fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?)
}

fn ticks_per_second() -> Result<f64, String> {
    let text = processes::output(Command::new("getconf").arg("CLK_TCK"))?;
    text.trim().parse().map_err(|_| format!("getconf CLK_TCK says {text:?}"))
}

/// The count in what `perf stat -x ,` wrote; none where it says `<not supported>`.
fn instructions(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_the_report_of_wrk() {
        let report = "  2 threads\n  123456 requests in 5.00s, 20.00MB read\n";
        assert_eq!(requests(report), Ok(123_456.0));
    }

    #[test]
    fn a_report_with_refusals_or_without_requests_is_an_error() {
        assert!(requests("  10 requests in 5.00s\n  Non-2xx or 3xx responses: 1\n").is_err());
        assert!(requests("  10 requests in 5.00s\n  Socket errors: connect 0, read 1\n").is_err());
        assert!(requests("  0 requests in 5.00s\n").is_err());
        assert!(requests("nothing").is_err());
    }

    #[test]
    fn cpu_time_is_read_behind_a_name_with_parentheses() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 700 33 0 0 20";
        assert_eq!(ticks_of(stat), Some(733.0));
    }

    #[test]
    fn instructions_that_could_not_be_counted_are_absent() {
        assert_eq!(instructions("# started\n\n4200,,instructions,1,100.00,,\n"), Some(4200.0));
        assert_eq!(instructions("<not supported>,,instructions,0,100.00,,\n"), None);
        assert_eq!(instructions(""), None);
    }
}
