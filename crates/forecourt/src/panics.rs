//! What is told of a panic: where it was and, where those are words of the program alone, what it said.
//!
//! Invariant: no data. A message that is put together when it happens may quote what somebody sent: that of `unwrap` and
//! `expect` quotes the error, and that of a text which is cut within a character quotes the text.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    io::Write,
    panic::{PanicHookInfo, set_hook},
};

/// What stands for a message that may hold data.
const UNTOLD: &str = "(not told: it may hold data)";

/// Has every panic of this process told so from now on: as an error in the log, with the stack where `RUST_BACKTRACE` asks
/// for it. Where errors of this crate are not logged, as a line of standard error.
pub(crate) fn tell_without_data() {
    set_hook(Box::new(tell));
}

fn tell(told: &PanicHookInfo<'_>) {
    let place = told.location().map(ToString::to_string).unwrap_or_default();
    let message = words(told.payload());
    if tracing::enabled!(tracing::Level::ERROR) {
        let stack = Backtrace::capture();
        let stack = Some(&stack).filter(|stack| stack.status() == BacktraceStatus::Captured);
        let stack = stack.map(ToString::to_string);
        tracing::error!(panic.place = place, panic.message = message, panic.stack = stack, "panicked");
    } else {
        let _written = writeln!(std::io::stderr(), "forecourt: panicked at {place}: {message}");
    }
}

/// The message of a panic where it stands in the program as it is.
fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(UNTOLD)
}

#[cfg(test)]
mod tests {
    use std::{
        hint::black_box,
        panic::{UnwindSafe, catch_unwind, panic_any},
    };

    use super::*;

    /// What is told of the panic of `work`. Hooks are of the whole process, so that of this test's is left as it is.
    fn told(work: impl FnOnce() + UnwindSafe) -> &'static str {
        words(catch_unwind(work).unwrap_err().as_ref())
    }

    #[test]
    fn words_of_the_program_are_told_and_what_a_message_quotes_is_not() {
        assert_eq!(told(|| panic!("a promise of the program")), "a promise of the program");
        assert_eq!(told(|| panic!("refused: {}", black_box("a secret"))), UNTOLD);
        assert_eq!(told(|| black_box(Err::<(), _>("a secret")).unwrap()), UNTOLD);
        assert_eq!(told(|| drop(black_box("é is a secret")[1..].to_owned())), UNTOLD);
        assert_eq!(told(|| panic_any(7)), UNTOLD);
    }
}
