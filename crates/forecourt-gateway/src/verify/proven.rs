//! What the decision cannot find out by itself, and what was found out for one request so far.
//!
//! Invariant: what is proven is about secrets alone (this password fits this stored hash), never about who may pass;
//! so it stays true when the state moves on, and is worth nothing where the state no longer holds the hash.

use std::sync::Arc;

use crate::presented::Basic;

/// A password and the hashes it might fit.
pub(crate) struct PasswordQuestion {
    /// Which step of the decision asks; the answer is kept under this name.
    pub(crate) asker: &'static str,
    /// User name and password as shown.
    pub(crate) shown: Basic,
    /// Hashes of credentials that could pass, oldest credential first. May be empty: then the answer is no, after
    /// the same work.
    pub(crate) hashes: Vec<Arc<str>>,
}

/// The outcome of a [`PasswordQuestion`].
pub(crate) struct PasswordAnswer {
    /// Who asked.
    pub(crate) asker: &'static str,
    /// The hashes that the password fits, as far as they were looked at.
    pub(crate) fitting: Arc<[Arc<str>]>,
}

/// What was found out for a request so far; it grows with each answer and ends with the request.
#[derive(Default)]
pub(crate) struct Proven {
    passwords: Vec<PasswordAnswer>,
    has_newest_keys: bool,
}

impl Proven {
    /// The hashes that the shown password fits; `None` where this step has not asked yet.
    pub(crate) fn password(&self, asker: &str) -> Option<&[Arc<str>]> {
        let answer = self.passwords.iter().find(|answer| answer.asker == asker)?;
        Some(&answer.fitting)
    }

    /// Adds an answer.
    pub(crate) fn add_password(&mut self, answer: PasswordAnswer) {
        self.passwords.push(answer);
    }

    /// Whether newer keys were waited for already.
    pub(crate) const fn has_newest_keys(&self) -> bool {
        self.has_newest_keys
    }

    /// Notes that the issuer's keys are the newest that can be had now.
    pub(crate) const fn add_newest_keys(&mut self) {
        self.has_newest_keys = true;
    }
}
