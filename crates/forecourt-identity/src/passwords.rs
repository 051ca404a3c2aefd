//! Passwords: argon2id with the crate's default cost (19 MiB, two passes; OWASP's first choice), off the async
//! threads and only so many at once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

/// How many passwords may wait to be hashed: what some seconds of work are worth waiting for.
pub const WAITING: usize = 512;

/// Argon2id with the cost of [`hash`], which no password fits. It is written down and not computed: that would take 19 MiB
/// at every start, of which the allocator gives back nothing for a while.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZWNvdXJ0LWRlY295LTAx$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords. Cheap to clone; all clones share one limit.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash function refused.
    #[error("password hashing failed: {0}")]
    Hash(String),
    /// Too many wait for their turn; nothing was hashed.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The worker ended before it was done.
    #[error("password hashing was interrupted")]
    Interrupted,
}

impl Passwords {
    /// At most `at_once` hashes are computed at the same time, and [`WAITING`] wait for their turn.
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + WAITING)),
            computed: Arc::default(),
        }
    }

    /// The stored form of `password`: a PHC string with a fresh salt.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.run(move || hash(&password)).await?
    }

    /// The stored form of `password` with this salt: for credentials, whose user name chooses it
    /// ([`crate::sealing::Sealer::salt_of`]).
    pub async fn hash_with_salt(&self, password: &str, salt: [u8; 16]) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.run(move || hash_with_salt(&password, &salt)).await?
    }

    /// Whether `password` is the one that `stored` was made of. `None` takes as long and is never right, so that
    /// an unknown account cannot be told from a wrong password.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, PasswordError> {
        let known = stored.is_some();
        let (password, stored) = (password.to_owned(), stored.unwrap_or(DECOY).to_owned());
        let fits = self.run(move || verify(&password, &stored)).await?;
        Ok(fits && known)
    }

    /// How many slow hashes were begun so far, to store passwords and to check them.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.places.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|_| PasswordError::Interrupted)?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Interrupted)
    }
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

fn hash_with_salt(password: &str, salt: &[u8; 16]) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Hash(error.to_string()))
}

fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let passwords = Passwords::new(2);
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify("correct horse", Some(&stored)).await.unwrap());
        assert!(!passwords.verify("wrong horse", Some(&stored)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("x", Some("no hash")).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_account_costs_as_many_slow_hashes_as_a_wrong_password() {
        let passwords = Passwords::new(1);
        let stored = passwords.hash("correct horse").await.unwrap();
        assert_eq!(passwords.computed(), 1);
        passwords.verify("wrong horse", Some(&stored)).await.unwrap();
        assert_eq!(passwords.computed(), 2);
        passwords.verify("wrong horse", None).await.unwrap();
        assert_eq!(passwords.computed(), 3);
        let cost = |stored: &str| stored.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(DECOY), cost(&stored), "and each costs the same");
    }

    #[tokio::test]
    async fn a_crowd_beyond_what_may_wait_is_turned_away_unhashed() {
        let passwords = Passwords::new(1);
        let busy: Vec<_> = (0..=WAITING).map(|_| passwords.places.try_acquire().unwrap()).collect();
        assert!(matches!(passwords.verify("x", None).await, Err(PasswordError::Busy)));
        drop(busy);
        assert!(!passwords.verify("x", None).await.unwrap());
    }

    #[tokio::test]
    async fn equal_salts_need_one_hash_and_other_passwords_still_differ() {
        let passwords = Passwords::new(2);
        let stored = passwords.hash_with_salt("correct horse", [7; 16]).await.unwrap();
        assert_eq!(stored, passwords.hash_with_salt("correct horse", [7; 16]).await.unwrap());
        assert_ne!(stored, passwords.hash_with_salt("correct horse", [8; 16]).await.unwrap());
        assert_ne!(stored, passwords.hash_with_salt("wrong horse", [7; 16]).await.unwrap());
        assert!(passwords.verify("correct horse", Some(&stored)).await.unwrap());
        assert!(!passwords.verify("wrong horse", Some(&stored)).await.unwrap());
        let random = passwords.hash("correct horse").await.unwrap();
        let parameters = |stored: &str| stored.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(&stored), parameters(&random), "the same cost either way");
    }

    #[tokio::test]
    async fn the_decoy_costs_what_a_stored_password_costs() {
        let stored = Passwords::new(1).hash("correct horse").await.unwrap();
        let (stored, decoy) = (PasswordHash::new(&stored).unwrap(), PasswordHash::new(DECOY).unwrap());
        assert_eq!(decoy.algorithm, stored.algorithm);
        assert_eq!(decoy.version, stored.version);
        assert_eq!(decoy.params, stored.params);
        let length = |hash: &PasswordHash| hash.hash.as_ref().map(|hash| hash.as_bytes().len());
        assert_eq!(length(&decoy), length(&stored), "as much is computed and compared");
    }
}
