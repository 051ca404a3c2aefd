//! Password checks and their memory.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::{DUMMY_HASH, PasswordHash, Passwords};
use crate::{presented::Basic, tests::rows::hash, verify::PasswordQuestion};

fn question(name: &str, password: &str, hashes: &[Arc<str>]) -> PasswordQuestion {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::try_from(value).unwrap());
    PasswordQuestion { shown: Basic::read(&headers).unwrap(), hashes: hashes.to_vec() }
}

async fn ask(passwords: &Passwords, name: &str, password: &str, hashes: &[Arc<str>]) -> Option<Arc<str>> {
    passwords.answer(question(name, password, hashes)).await.unwrap().0
}

#[tokio::test]
async fn the_first_hash_that_fits_is_proven() {
    let passwords = Passwords::new([7; 32], 2);
    let (a, b): (Arc<str>, Arc<str>) = (hash("one", "a").into(), hash("two", "b").into());
    let both = [Arc::clone(&a), Arc::clone(&b)];
    assert_eq!(ask(&passwords, "ada", "two", &both).await, Some(b));
    assert_eq!(ask(&passwords, "ada", "one", &both).await, Some(a));
    assert_eq!(ask(&passwords, "ada", "three", &both).await, None);
    assert_eq!(ask(&passwords, "ada", "one", &["no hash".into()]).await, None);
    assert_eq!(ask(&passwords, "nobody", "one", &[]).await, None);
}

#[tokio::test]
async fn a_fit_is_remembered_for_exactly_that_name_password_and_hash() {
    let passwords = Passwords::new([7; 32], 1);
    let old: Arc<str> = hash("pw", "a").into();
    assert!(ask(&passwords, "ada", "pw", &[Arc::clone(&old)]).await.is_some());
    let mark =
        |name: &str, password: &str, hash: &str| passwords.mark(&question(name, password, &[]).shown, hash);
    assert!(passwords.remembered(&mark("ada", "pw", &old)));
    assert!(!passwords.remembered(&mark("ada", "pw2", &old)));
    assert!(!passwords.remembered(&mark("adap", "w", &old)), "parts do not run together");
    assert!(!passwords.remembered(&mark("ada", "pw", &hash("pw", "b"))), "a changed row is not satisfied");
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let passwords = Passwords::new([7; 32], 1);
    let hash: Arc<str> = hash("pw", "a").into();
    assert!(ask(&passwords, "ada", "no", &[Arc::clone(&hash)]).await.is_none());
    let fitted = passwords.fitted.lock().unwrap();
    assert!(fitted.newer.is_empty() && fitted.older.is_empty());
}

#[test]
fn the_memory_is_bounded_and_keeps_what_is_used() {
    let passwords = Passwords::new([7; 32], 1);
    let mark = |n: u64| {
        let mut mark = [0; 32];
        mark[..8].copy_from_slice(&n.to_le_bytes());
        mark
    };
    for n in 0..100_000 {
        passwords.remember(mark(n));
        assert!(passwords.remembered(&mark(0)), "in use at {n}");
    }
    let fitted = passwords.fitted.lock().unwrap();
    assert!(fitted.newer.len() + fitted.older.len() <= 2 * super::GENERATION);
    assert!(!fitted.newer.contains(&mark(1)) && !fitted.older.contains(&mark(1)));
}

#[test]
fn the_dummy_hash_can_be_computed() {
    let parsed = PasswordHash::new(DUMMY_HASH).unwrap();
    assert!(parsed.salt.is_some() && parsed.hash.is_some());
}
