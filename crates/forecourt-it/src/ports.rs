//! Ports of 127.0.0.1 that stay one test's own, also while nobody listens there.
//!
//! A port that the system chose is free for everybody again once it is let go, and the next connection of any test may
//! get it before the server that was to have it has started. These lie outside the range from which the system
//! chooses, and a lock on a file keeps the other tests of the machine off.

use std::{
    fs::{self, File},
    net::TcpListener,
    ops::Range,
};

/// Below what systems choose from by themselves (32768 upwards on Linux, 49152 upwards elsewhere), and above the ports
/// of well-known servers and of the demo.
const CHOICE: Range<u16> = 20_000..32_000;

/// A port that no other test gets while this one is held.
#[derive(Debug)]
pub struct HeldPort {
    number: u16,
    _lock: File,
}

impl HeldPort {
    /// One on which nobody listens.
    ///
    /// # Panics
    /// When every port of the choice is taken.
    pub fn free() -> Self {
        let folder = std::env::temp_dir().join("forecourt-test-ports");
        fs::create_dir_all(&folder).unwrap();
        let span = u32::from(CHOICE.end - CHOICE.start);
        // Tests that start together begin at different places.
        let first = std::process::id().wrapping_mul(97) % span;
        let numbers = (0..span).map(|step| CHOICE.start + u16::try_from((first + step) % span).unwrap());
        let free = numbers.into_iter().find_map(|number| {
            let lock = File::create(folder.join(number.to_string())).unwrap();
            lock.try_lock().ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            Some(Self { number, _lock: lock })
        });
        free.expect("a free port of 127.0.0.1")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_held_is_given_to_nobody_else_and_answers_nobody() {
        let held: Vec<HeldPort> = (0..20).map(|_| HeldPort::free()).collect();
        let mut numbers: Vec<u16> = held.iter().map(HeldPort::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20);
        assert!(numbers.iter().all(|number| std::net::TcpStream::connect(("127.0.0.1", *number)).is_err()));
    }
}
