//! CPU per request of the gateway against nginx in the same run: `cargo xtask bench`.
//!
//! The method is explained in `docs/bench.md`. One core drives and answers, the other holds one proxy at work at a
//! time; all take turns, several rounds of it, and the median counts. The servers are in `benches/proxies.rs`, the
//! load and its measuring in `benches/loads.rs`.

mod loads;
mod proxies;

use loads::{Load, Measured};
use proxies::{Proxies, Which};

use crate::{debian, doctor};

const ROUNDS: usize = 3;

/// How many credentials the large installation has, each of an application of its own.
const MANY: usize = 100_000;

/// A row of the table.
struct Case {
    name: &'static str,
    proxy: Which,
    load: Load,
}

const CASES: [Case; 4] = [
    Case { name: "nginx, plain proxy", proxy: Which::Nginx, load: Load { path: "/open", credentials: 0 } },
    Case { name: "Forecourt, open route", proxy: Which::One, load: Load { path: "/open", credentials: 0 } },
    Case {
        name: "Forecourt, key-auth, 1 credential",
        proxy: Which::One,
        load: Load { path: "/keyed", credentials: 1 },
    },
    Case {
        name: "Forecourt, key-auth, 100,000 credentials",
        proxy: Which::Many,
        load: Load { path: "/keyed", credentials: MANY },
    },
];

/// Measures and prints a table in Markdown.
pub(crate) fn run() -> Result<(), String> {
    doctor::run()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return Err("two cores are needed: one for the load, one for the proxy".to_owned());
    }
    debian::require("nginx", "nginx-light", "what the gateway is compared with, and the upstream")?;
    debian::require("wrk", "wrk", "it makes the load")?;
    let proxies = Proxies::start(MANY)?;
    let mut measured: [Vec<Measured>; CASES.len()] = std::array::from_fn(|_| Vec::new());
    for round in 1..=ROUNDS {
        for (case, results) in CASES.iter().zip(&mut measured) {
            let result = loads::measure(&proxies, case.proxy, &case.load)?;
            println!("   round {round}: {:<42} {:6.1} µs", case.name, result.micros);
            results.push(result);
        }
    }
    println!("\n{}", table(&measured));
    Ok(())
}

/// The medians of all cases as a table, the first case being what the others are compared with.
fn table(measured: &[Vec<Measured>; CASES.len()]) -> String {
    let medians = measured.each_ref().map(|results| median(results));
    let base = medians.first().map_or(1.0, |median| median.micros);
    let mut out = String::from(
        "| proxy | CPU µs/request | ratio | instructions/request | requests/s |\n|---|---|---|---|---|\n",
    );
    for (case, median) in CASES.iter().zip(&medians) {
        let instructions = median.instructions.map_or("–".to_owned(), |count| format!("{count:.0}"));
        out += &format!(
            "| {} | {:.1} | {:.2} | {instructions} | {:.0} |\n",
            case.name,
            median.micros,
            median.micros / base,
            median.per_second
        );
    }
    out
}

/// The median of each figure on its own.
fn median(results: &[Measured]) -> Measured {
    let middle = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    };
    Measured {
        micros: middle(results.iter().map(|result| result.micros).collect()).unwrap_or_default(),
        instructions: middle(results.iter().filter_map(|result| result.instructions).collect()),
        per_second: middle(results.iter().map(|result| result.per_second).collect()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(micros: [f64; 3]) -> Vec<Measured> {
        micros.map(|micros| Measured { micros, instructions: None, per_second: 1000.0 }).into()
    }

    #[test]
    fn the_table_gives_each_median_as_a_ratio_to_nginx() {
        let measured =
            [[10.0, 90.0, 11.0], [22.0, 1.0, 30.0], [11.0, 11.0, 11.0], [5.5, 5.5, 5.5]].map(results);
        let table = table(&measured);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[2], "| nginx, plain proxy | 11.0 | 1.00 | – | 1000 |");
        assert_eq!(lines[3], "| Forecourt, open route | 22.0 | 2.00 | – | 1000 |");
        assert_eq!(lines[5], "| Forecourt, key-auth, 100,000 credentials | 5.5 | 0.50 | – | 1000 |");
    }
}
