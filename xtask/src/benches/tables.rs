//! The tables of a measurement, in Markdown.

use super::{
    Case,
    loads::Measured,
    proxies::{Footprint, Method, Proxy},
};

/// What a row of costs is called.
pub(super) fn name_of(case: &Case) -> String {
    let credentials = |count: usize| {
        let one = if count == 1 { "" } else { "s" };
        format!("{} credential{one}", grouped(count))
    };
    let callers = match case.load.callers {
        0 => ", open route".to_owned(),
        1 => String::new(),
        count => format!(", {} of them in turn", grouped(count)),
    };
    match case.proxy {
        Proxy::Nginx(None) => "nginx, plain proxy".to_owned(),
        Proxy::Nginx(Some(keys)) => format!("nginx, map of {}{callers}", keys_of(keys)),
        Proxy::Haproxy(None) => "HAProxy, plain proxy".to_owned(),
        Proxy::Haproxy(Some(keys)) => format!("HAProxy, map of {}{callers}", keys_of(keys)),
        Proxy::Gateway(..) | Proxy::Changing(_) if case.load.callers == 0 => {
            "Forecourt, open route".to_owned()
        }
        Proxy::Gateway(method, count) => {
            format!("Forecourt, {}, {}{callers}", method.name(), credentials(count))
        }
        Proxy::Limited(count) => format!("Forecourt, key-auth, {}, with a plan{callers}", credentials(count)),
        Proxy::Changing(count) => format!("Forecourt, changing, {}{callers}", credentials(count)),
    }
}

fn keys_of(count: usize) -> String {
    format!("{} key{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// The medians of all cases, the first case being what the others are compared with.
pub(super) fn costs(cases: &[Case], measured: &[Vec<Measured>]) -> String {
    let medians: Vec<Measured> = measured.iter().map(|results| median(results)).collect();
    let base = medians.first().map_or(1.0, |median| median.micros);
    let mut out = String::from(
        "| proxy | CPU µs/request | ratio | instructions/request | p99 ms | requests/s |\n|---|---|---|---|---|---|\n",
    );
    for (case, median) in cases.iter().zip(&medians) {
        let instructions = median.instructions.map_or("–".to_owned(), |count| format!("{count:.0}"));
        out += &format!(
            "| {} | {:.1} | {:.2} | {instructions} | {:.2} | {:.0} |\n",
            name_of(case),
            median.micros,
            median.micros / base,
            median.p99_ms,
            median.per_second
        );
    }
    out
}

/// Memory and start of each gateway.
pub(super) fn footprints(rows: &[(Method, usize, Footprint)]) -> String {
    let mut out = String::from(
        "| gateway | resident MB | bytes per credential | whole state applied in | decision p50 µs | p99 µs |\n\
         |---|---|---|---|---|---|\n",
    );
    for (method, count, footprint) in rows {
        let grown = footprint.resident.saturating_sub(footprint.resident_empty);
        out += &format!(
            "| {}, {} credentials | {} | {} | {:.2} s | {} | {} |\n",
            method.name(),
            grouped(*count),
            footprint.resident / 1_000_000,
            grown / *count as u64,
            footprint.seconds,
            micros(footprint.decision_p50),
            micros(footprint.decision_p99),
        );
    }
    out
}

/// Nanoseconds as microseconds; 0 stands for what was not measured.
fn micros(nanoseconds: f64) -> String {
    if nanoseconds == 0.0 { "–".to_owned() } else { format!("{:.2}", nanoseconds / 1_000.0) }
}

/// What callers feel while credentials change.
pub(super) fn stalls(credentials: usize, pairs: &[(Measured, Measured)]) -> String {
    let mut out = format!(
        "{} credentials, key-auth, all of them in turn over 8 connections; each pair one round:\n\n\
         | | p50 ms | p99 ms | longest ms |\n|---|---|---|---|\n",
        grouped(credentials)
    );
    for (quiet, changing) in pairs {
        for (name, measured) in [("nothing changes", quiet), ("one credential changes every ms", changing)] {
            out += &format!(
                "| {name} | {:.2} | {:.2} | {:.1} |\n",
                measured.p50_ms, measured.p99_ms, measured.longest_ms
            );
        }
    }
    out
}

/// The median of each figure on its own.
fn median(results: &[Measured]) -> Measured {
    let middle = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    };
    let of = |figure: fn(&Measured) -> f64| middle(results.iter().map(figure).collect()).unwrap_or_default();
    Measured {
        micros: of(|result| result.micros),
        instructions: middle(results.iter().filter_map(|result| result.instructions).collect()),
        per_second: of(|result| result.per_second),
        p50_ms: of(|result| result.p50_ms),
        p99_ms: of(|result| result.p99_ms),
        longest_ms: of(|result| result.longest_ms),
    }
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::loads::Load, *};

    fn results(micros: [f64; 3]) -> Vec<Measured> {
        let measured = |micros| Measured {
            micros,
            instructions: None,
            per_second: 1000.0,
            p50_ms: 0.5,
            p99_ms: 1.5,
            longest_ms: 9.0,
        };
        micros.map(measured).into()
    }

    #[test]
    fn the_table_gives_each_median_as_a_ratio_to_the_first() {
        let cases = [
            Case { proxy: Proxy::Nginx(None), load: Load::open() },
            Case { proxy: Proxy::Gateway(Method::Key, 1), load: Load::open() },
            Case { proxy: Proxy::Gateway(Method::Jwt, 100_000), load: Load::checked(100_000) },
        ];
        let measured = [[10.0, 90.0, 11.0], [22.0, 1.0, 30.0], [5.5, 5.5, 5.5]].map(results);
        let table = costs(&cases, &measured);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[2], "| nginx, plain proxy | 11.0 | 1.00 | – | 1.50 | 1000 |");
        assert_eq!(lines[3], "| Forecourt, open route | 22.0 | 2.00 | – | 1.50 | 1000 |");
        assert_eq!(
            lines[4],
            "| Forecourt, jwt-auth, 100,000 credentials, 100,000 of them in turn | 5.5 | 0.50 | – | 1.50 | 1000 |"
        );
    }

    #[test]
    fn memory_is_told_per_credential() {
        let footprint = Footprint {
            resident_empty: 5_000_000,
            resident: 25_000_000,
            seconds: 0.125,
            decision_p50: 640.0,
            decision_p99: 0.0,
        };
        let table = footprints(&[(Method::Key, 100_000, footprint)]);
        assert_eq!(
            table.lines().nth(2),
            Some("| key-auth, 100,000 credentials | 25 | 200 | 0.12 s | 0.64 | – |")
        );
    }
}
