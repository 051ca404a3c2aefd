//! Logs: to standard error, one event a line, for people on a terminal and as JSON elsewhere (`docs/logging.md`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that chooses what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
const VARIABLE: &str = "FORECOURT_LOG";

/// Starts logging; only the first call counts. `FORECOURT_LOG` chooses what, default `info`.
///
/// # Errors
/// When the variable holds no valid filter.
#[expect(clippy::disallowed_methods, reason = "this is the crate that reads the environment")]
pub fn start(default: &str) -> Result<(), String> {
    let wanted = std::env::var(VARIABLE).ok().filter(|filter| !filter.trim().is_empty());
    let wanted = wanted.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(wanted).map_err(|error| {
        format!(
            "{VARIABLE} is {wanted:?}, which is no filter ({error}); info or forecourt_app=debug would be"
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _first = if std::io::stderr().is_terminal() {
        builder.compact().try_init().is_ok()
    } else {
        builder.json().flatten_event(true).try_init().is_ok()
    };
    Ok(())
}
