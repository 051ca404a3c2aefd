//! Load by wrk, and what it costs a proxy: CPU time from `/proc`, instructions from perf where it may count.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::{
    peers,
    proxies::{self, Method, Proxies, Proxy},
};
use crate::processes;

const SECONDS: u32 = 5;

/// What is asked for.
pub(super) struct Load {
    /// How many callers take turns; 0: nobody proves anything, on the open route.
    pub(super) callers: usize,
    connections: u32,
}

/// What a request cost, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// CPU time of the proxy, user and system, in microseconds.
    pub(super) micros: f64,
    /// Instructions of the proxy, user and kernel; `None` where perf may not count.
    pub(super) instructions: Option<f64>,
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) longest_ms: f64,
}

impl Load {
    /// The open route.
    pub(super) const fn open() -> Self {
        Self { callers: 0, connections: 64 }
    }

    /// The route that asks for a credential, by so many callers in turn.
    pub(super) const fn checked(callers: usize) -> Self {
        Self { callers, connections: 64 }
    }

    /// The same over few connections, so that a pause shows as a delay and not as a shorter queue.
    pub(super) const fn unhurried(callers: usize) -> Self {
        Self { callers, connections: 8 }
    }

    /// Long enough that each password was shown once: the first time costs a slow hash.
    const fn warm_up_seconds(&self, method: Method) -> u32 {
        match method {
            Method::Basic if self.callers > 1 => 8,
            _ => 1,
        }
    }
}

/// Drives `load` through one proxy.
pub(super) fn measure(proxies: &Proxies, proxy: Proxy, load: &Load) -> Result<Measured, String> {
    let (port, process) = proxies.port_and_process(proxy)?;
    let script = proxies.folder().join("callers.lua");
    let (method, text) = script_of(proxies, proxy, load)?;
    fs::write(&script, text).map_err(|error| format!("{}: {error}", script.display()))?;
    let path = if load.callers == 0 { "/open" } else { "/checked" };
    let wrk = |seconds: u32| {
        let mut words: Vec<String> =
            ["taskset", "-c", proxies::LOAD_CORE, "wrk", "-t1", "--latency"].map(str::to_owned).into();
        words.push(format!("-c{}", load.connections));
        words.extend([format!("-d{seconds}s"), "-s".to_owned(), script.display().to_string()]);
        words.push(format!("http://127.0.0.1:{port}{path}"));
        words
    };
    run(&wrk(load.warm_up_seconds(method)), process, None)?;
    let counts = proxies.folder().join("perf");
    let before = cpu_ticks(process)?;
    let report = run(&wrk(SECONDS), process, processes::find("perf").map(|_| counts.display().to_string()))?;
    let ticks = cpu_ticks(process)? - before;
    let requests = requests(&report)?;
    let per_tick = 1e6 / ticks_per_second()?;
    let latency = |name: &str| {
        latency_ms(&report, name).ok_or_else(|| format!("wrk did not say its {name} latency:\n{report}"))
    };
    Ok(Measured {
        micros: ticks * per_tick / requests,
        instructions: instructions(&fs::read_to_string(&counts).unwrap_or_default())
            .map(|count| count / requests),
        per_second: requests / f64::from(SECONDS),
        p50_ms: latency("50%")?,
        p99_ms: latency("99%")?,
        longest_ms: longest_ms(&report).ok_or_else(|| format!("wrk told no longest time:\n{report}"))?,
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

/// A script for wrk that lets the callers take turns, in an order that defeats caches of neighbours, and how they
/// prove themselves. Keys are made up from their number: a million texts kept by the script would show as pauses of its
/// own.
fn script_of(proxies: &Proxies, proxy: Proxy, load: &Load) -> Result<(Method, String), String> {
    let (method, file) = match proxy {
        Proxy::Gateway(method @ (Method::Basic | Method::Jwt), count) => {
            (method, Some(proxies.callers(method, count)))
        }
        Proxy::Gateway(Method::Key, _)
        | Proxy::Nginx(_)
        | Proxy::Haproxy(_)
        | Proxy::Limited(_)
        | Proxy::Changing(_) => (Method::Key, None),
    };
    let header = method.header();
    let text = match (load.callers, file) {
        (0, _) => "wrk.method = \"GET\"\n".to_owned(),
        (1, None) => format!("wrk.headers[\"{header}\"] = \"{}\"\n", peers::key(0)),
        (1, Some(file)) => {
            format!("wrk.headers[\"{header}\"] = io.lines(\"{}\")()\n", file.display())
        }
        (callers, None) => format!(
            "local turn = 0\n\
             function request()\n\
             \x20 turn = (turn + 7919) % {callers}\n\
             \x20 return wrk.format(nil, nil, {{ [\"{header}\"] = string.format(\"bench-key-%08d\", turn) }})\n\
             end\n"
        ),
        (callers, Some(file)) => format!(
            "local values = {{}}\n\
             for line in io.lines(\"{}\") do\n\
             \x20 values[#values + 1] = line\n\
             \x20 if #values == {callers} then break end\n\
             end\n\
             local turn = 0\n\
             function request()\n\
             \x20 turn = (turn + 7919) % #values\n\
             \x20 return wrk.format(nil, nil, {{ [\"{header}\"] = values[turn + 1] }})\n\
             end\n",
            file.display()
        ),
    };
    Ok((method, text))
}

/// A line such as `     99%    1.23ms` of the latency distribution, in milliseconds.
fn latency_ms(report: &str, percentile: &str) -> Option<f64> {
    let mut lines = report.lines().skip_while(|line| !line.contains("Latency Distribution"));
    let line = lines.find(|line| line.trim_start().starts_with(percentile))?;
    milliseconds(line.split_whitespace().nth(1)?)
}

/// The third figure of `    Latency   610.02us  123.00us  9.87ms   89.04%`.
fn longest_ms(report: &str) -> Option<f64> {
    let line = report.lines().find(|line| line.trim_start().starts_with("Latency  "))?;
    milliseconds(line.split_whitespace().nth(3)?)
}

/// A time as wrk writes it.
fn milliseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
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
    fn times_are_read_in_every_unit_that_wrk_uses() {
        let report = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
            Latency   610.02us  123.00us   9.87ms   89.04%\n  Latency Distribution\n     50%  610.00us\n     99%    1.50s\n";
        assert_eq!(latency_ms(report, "50%"), Some(0.61));
        assert_eq!(latency_ms(report, "99%"), Some(1500.0));
        assert_eq!(longest_ms(report), Some(9.87));
        assert_eq!(latency_ms("nothing", "50%"), None);
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
