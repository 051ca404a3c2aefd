//! Python programs that judge what a story serves, in the environments that `cargo xtask test` makes.

use std::path::PathBuf;

/// The program `program` of the virtual environment `environment`, which lies in `target/python`.
///
/// # Panics
/// When it is not installed.
pub fn program(environment: &str, program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    let found = target.join("python").join(environment).join("bin").join(program);
    assert!(found.is_file(), "{} is missing: `cargo xtask test` installs it", found.display());
    found
}
