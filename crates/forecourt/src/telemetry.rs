//! Logs: to standard error, one event a line, for people on a terminal and as JSON elsewhere (`docs/logging.md`).

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError};

/// The variable that chooses what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "FORECOURT_LOG";

/// What quotes more than may be logged, and from which level on it is heard: h2 tells of paths that it refuses, keys of
/// callers in their queries included, and sqlx of parameters of a database URL that it does not know.
const QUOTING: [&str; 2] = ["h2=error", "sqlx_postgres::options=error"];

/// Starts logging; only the first call counts. `FORECOURT_LOG` chooses what, default `info`.
///
/// # Errors
/// When the variable holds no valid filter.
#[expect(clippy::disallowed_methods, reason = "this is the crate that reads the environment")]
pub fn start(default: &str) -> Result<(), String> {
    let wanted = std::env::var(VARIABLE).ok().filter(|filter| !filter.trim().is_empty());
    let wanted = wanted.as_deref().unwrap_or(default);
    let filter = filter(wanted).map_err(|error| {
        format!(
            "{VARIABLE} is {wanted:?}, which is no filter ({error}); info or forecourt_app=debug would be"
        )
    })?;
    // What cannot be written, for a full disk or a reader that is gone, is lost. The library would complain of it on the
    // same standard error, which is a panic there.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let _first = if std::io::stderr().is_terminal() {
        builder.compact().try_init().is_ok()
    } else {
        builder.json().flatten_event(true).try_init().is_ok()
    };
    Ok(())
}

/// `wanted`, but for what [`QUOTING`] names.
fn filter(wanted: &str) -> Result<EnvFilter, ParseError> {
    let is_quoting = |part: &&str| {
        let target = part.split(['=', '[']).next().unwrap_or_default().trim();
        QUOTING.iter().any(|quoting| target.split("::").next() == quoting.split(['=', ':']).next())
    };
    let others: Vec<_> = wanted.split(',').filter(|part| !is_quoting(part)).collect();
    let mut filter = EnvFilter::try_new(others.join(","))?;
    for quoting in QUOTING {
        filter = filter.add_directive(quoting.parse()?);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quotes_callers_is_not_heard_however_much_is_asked_for() {
        for wanted in
            ["trace", "trace,h2=trace", "h2::server=trace,debug", "sqlx_postgres::options::parse=trace"]
        {
            let told = filter(wanted).unwrap().to_string();
            let directives: Vec<_> = told.split(',').collect();
            for quoting in QUOTING {
                assert!(directives.contains(&quoting), "{wanted}: {told}");
            }
            let of_h2 = directives.iter().filter(|directive| directive.starts_with("h2"));
            assert_eq!(of_h2.count(), 1, "{wanted}: {told}");
        }
        assert!(filter("forecourt_app=loud").is_err());
    }
}
