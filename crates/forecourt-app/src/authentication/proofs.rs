//! What a shown password costs: a slow hash whether or not there is an account, at its turn, and none where it was right
//! before.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use forecourt_core::{actors::Caller, random::Random};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{App, Error, ErrorKind};

/// Passwords that were found right, by keyed digest, so that a repeated check costs no slow hash.
///
/// The digest covers account, password and stored hash: a changed password never finds an old entry.
pub(crate) struct VerifiedPasswords {
    key: [u8; 32],
    digests: Mutex<HashSet<[u8; 32]>>,
}

/// At most this many are remembered; then all are forgotten and proved anew.
const REMEMBERED: usize = 10_000;

impl VerifiedPasswords {
    pub(crate) fn new(random: &mut dyn Random) -> Self {
        let mut key = [0u8; 32];
        random.fill(&mut key);
        Self { key, digests: Mutex::new(HashSet::new()) }
    }

    fn digest(&self, parts: [&str; 3]) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac.finalize().into_bytes().into())
    }
}

impl App {
    /// Whether `password`, which came from `address`, is the one that `stored` was made of; see [`VerifiedPasswords`].
    pub(crate) async fn password_fits(
        &self,
        address: Option<&str>,
        account: &str,
        password: &str,
        stored: Option<&str>,
    ) -> Result<bool, Error> {
        let cache = self.verified();
        let digest = stored.and_then(|stored| cache.digest([account, password, stored]));
        let seen =
            |digest: &[u8; 32]| cache.digests.lock().unwrap_or_else(PoisonError::into_inner).contains(digest);
        if digest.as_ref().is_some_and(seen) {
            return Ok(true);
        }
        let _turn = self.limits().turn(address, self.now()).await?;
        let fits = self.passwords().verify(password, stored).await?;
        if let Some(digest) = digest.filter(|_| fits) {
            let mut digests = cache.digests.lock().unwrap_or_else(PoisonError::into_inner);
            if digests.len() >= REMEMBERED {
                digests.clear();
            }
            digests.insert(digest);
        }
        Ok(fits)
    }
}

/// Whether `password` is the one that `stored` was made of, shown once more by somebody who is signed in already.
///
/// Limited as a sign-in is: whoever took over a session guesses the password no faster than others do. `account` is
/// counted apart from sign-ins, so that neither holds up the other.
///
/// # Errors
/// `Limit` after too many wrong ones.
pub(crate) async fn proved_again(
    app: &App,
    caller: &Caller,
    account: &str,
    password: &str,
    stored: &str,
) -> Result<bool, Error> {
    let (now, address) = (app.now(), caller.address.as_deref());
    let attempt = app.limits().attempt(&format!("again:{account}"), address, now).await?;
    let fits = match verified_in_turn(app, address, password, stored).await {
        Ok(fits) => fits,
        Err(error) => {
            attempt.void();
            return Err(error);
        }
    };
    if fits {
        attempt.succeeded();
        return Ok(true);
    }
    drop(attempt);
    let refused = app.limits().failed(address, now);
    match refused.kind() {
        ErrorKind::Limit { .. } => Err(refused),
        _ => Ok(false),
    }
}

async fn verified_in_turn(
    app: &App,
    address: Option<&str>,
    password: &str,
    stored: &str,
) -> Result<bool, Error> {
    let _turn = app.limits().turn(address, app.now()).await?;
    Ok(app.passwords().verify(password, Some(stored)).await?)
}

/// The answer to a secret that is no account's password, shown by nobody who is known: `otherwise`, or a wait for an
/// address that failed too often.
pub(crate) fn failed_as(app: &App, caller: &Caller, otherwise: Error) -> Error {
    let told = app.limits().failed(caller.address.as_deref(), app.now());
    match told.kind() {
        ErrorKind::Limit { .. } => told,
        _ => otherwise,
    }
}
