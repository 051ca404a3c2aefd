//! CPU per request of the gateway against nginx in the same run: `cargo xtask bench`.

/// Measures and prints.
pub(crate) fn run() -> Result<(), String> {
    Err("not measured yet".to_owned())
}
