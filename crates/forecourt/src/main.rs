//! The binary: everything is in the library, so that stories can run it in their own process.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forecourt::command_line::run()
}
