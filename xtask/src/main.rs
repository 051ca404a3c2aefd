//! The repository's chores: `cargo xtask COMMAND`.
//!
//! Nothing here is needed to run Forecourt, and nothing here depends on its crates, so that it builds in
//! seconds. Start with [`tidy`] for the rules of the code and [`tests`] for how the tests are run.

#![expect(clippy::print_stdout, reason = "telling the developer what happens is the purpose of this program")]

mod assets;
mod benches;
mod checks;
mod debian;
mod dependencies;
mod deploy;
mod doctor;
mod licences;
mod openapi;
mod paths;
mod processes;
mod python_tools;
mod screenshots;
mod servers;
mod soak;
mod storm;
mod story_benches;
mod tests;
mod tidy;
mod toml;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  doctor              check the toolchain and say how to get what is missing
  assets              build the pages' style sheets and scripts, if their sources changed
  test [ARGUMENTS]    every test on SQLite, then store and stories on a private PostgreSQL;
                      arguments go to cargo nextest (or cargo test)
  openapi             renews docs/openapi from the code
  check               formatting, clippy, tidy, deploy, dependencies
  tidy                the rules of ARCHITECTURE.md that a program can check
  deny                banned, unlicensed and foreign dependencies
  deploy [--run]      whether image, units, compose file and chart in deploy/ are sound; --run also builds the last
                      stage of the image and runs it and the compose file with podman (--stand-ins: base images
                      made by debootstrap, where no registry is reached)
  screenshots         pictures of every page: the main job, the demo, every sample; into screenshots/
  bench               what the gateway costs, against nginx and HAProxy in the same run; then bench idle
  bench usage [MILLIONS]
                      how fast 90 days of usage are told, of 100 million calls unless told
  bench portal [SECONDS]
                      how fast APIs and pages answer with 10,000 applications, at 200 requests a second
  bench idle          how soon 100,000 subscriptions are ready, and what memory they take when idle
  bench revocations [COUNT]
                      how long three nodes serve a credential that was revoked, 1,000 times unless told
  bench start [CREDENTIALS]
                      how long a node with a million credentials takes to start
  soak [MINUTES]      load while routes, certificates and credentials change; 10 minutes unless told
  storm [--sqlite] [MINUTES]
                      three nodes under load while control planes, nodes, PostgreSQL and connections die;
                      5 minutes unless told
  storm writes [--sqlite] [--processes 2] [KILLS or MINUTES]
                      kill -9 in a storm of writes, 100 times unless told; with two processes on one PostgreSQL one
                      of them every 5 seconds, for 3 minutes unless told";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "doctor" => doctor::run(),
        "assets" => assets::run(),
        "test" => return tests::run(&rest),
        "openapi" => openapi::run(),
        "check" => checks::run(),
        "tidy" => tidy::run(),
        "deny" => dependencies::run(),
        "deploy" => deploy::run(&rest),
        "screenshots" => screenshots::run(),
        "bench" => match rest.split_first() {
            None => benches::run().and_then(|()| story_benches::idle()),
            Some((word, _)) if word == "idle" => story_benches::idle(),
            Some((word, rest)) if word == "usage" => story_benches::usage(rest),
            Some((word, rest)) if word == "portal" => story_benches::portal(rest),
            Some((word, rest)) if word == "revocations" => story_benches::revocations(rest),
            Some((word, rest)) if word == "start" => story_benches::start(rest),
            Some((word, _)) => Err(format!(
                "there is no bench {word:?}; there are usage, portal, idle, revocations and start, and the gateway's without one"
            )),
        },
        "soak" => soak::run(&rest),
        "storm" => storm::run(&rest),
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        unknown => Err(format!("there is no command {unknown:?}\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {command}: {message}");
            ExitCode::FAILURE
        }
    }
}
