//! Password checks and their memory.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue};

use super::{DUMMY_HASH, PasswordHash, Passwords, groups};
use crate::{presented::Basic, tests::rows::hash, turns::Share, verify::PasswordQuestion};

fn question(name: &str, password: &str, hashes: &[Arc<str>]) -> PasswordQuestion {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::try_from(value).unwrap());
    PasswordQuestion { asker: "product", shown: Basic::read(&headers).unwrap(), hashes: hashes.to_vec() }
}

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn ask(passwords: &Passwords, name: &str, password: &str, hashes: &[Arc<str>]) -> Vec<Arc<str>> {
    passwords.answer(question(name, password, hashes), HERE).await.unwrap().fitting.to_vec()
}

#[tokio::test]
async fn the_hashes_that_fit_are_proven() {
    let passwords = Passwords::new([7; 32], 2);
    let (a, b): (Arc<str>, Arc<str>) = (hash("one", "a").into(), hash("two", "b").into());
    let both = [Arc::clone(&a), Arc::clone(&b)];
    assert_eq!(ask(&passwords, "ada", "two", &both).await, [b]);
    assert_eq!(ask(&passwords, "ada", "one", &both).await, [Arc::clone(&a)]);
    assert!(ask(&passwords, "ada", "three", &both).await.is_empty());
    assert!(ask(&passwords, "ada", "one", &["no hash".into(), "".into(), "$$$".into()]).await.is_empty());
    assert_eq!(ask(&passwords, "ada", "one", &["no hash".into(), Arc::clone(&a)]).await, [a]);
    assert!(ask(&passwords, "nobody", "one", &[]).await.is_empty());
}

#[tokio::test]
async fn the_oldest_of_several_that_fit_is_found_whatever_its_salt() {
    let passwords = Passwords::new([7; 32], 1);
    let hashes: Vec<Arc<str>> =
        [hash("no", "a"), hash("pw", "b"), hash("pw", "a")].into_iter().map(Arc::from).collect();
    assert_eq!(ask(&passwords, "ada", "pw", &hashes).await.first(), hashes.get(1));
}

#[tokio::test]
async fn two_thousand_namesakes_cost_one_hash_and_lock_nobody_out() {
    let passwords = Passwords::new([7; 32], 1);
    let hashes: Vec<Arc<str>> = (0..2_000).map(|n| hash(&format!("pw {n}"), "ada").into()).collect();
    assert_eq!(groups(&hashes).len(), 1);
    for n in [0, 7, 1_999] {
        assert_eq!(ask(&passwords, "ada", &format!("pw {n}"), &hashes).await, [Arc::clone(&hashes[n])]);
    }
    assert!(ask(&passwords, "ada", "pw", &hashes).await.is_empty());
}

#[tokio::test]
async fn namesakes_with_salts_of_their_own_all_count() {
    let passwords = Passwords::new([7; 32], 1);
    let hashes: Vec<Arc<str>> =
        (0..30).map(|n| hash(&format!("pw {n}"), &format!("salt {n}")).into()).collect();
    assert_eq!(groups(&hashes).len(), 30);
    for n in [0, 8, 29] {
        assert_eq!(ask(&passwords, "ada", &format!("pw {n}"), &hashes).await, [Arc::clone(&hashes[n])]);
    }
    let twice: Vec<_> = hashes.iter().chain(&hashes).cloned().collect();
    assert_eq!(groups(&twice).iter().map(Vec::len).collect::<Vec<_>>(), [2; 30]);
}

/// Who got which answer, in the order of the answers, where `flood` asks first, with these hashes, and one caller
/// from elsewhere asks after it.
async fn order(flood: usize, hashes: Vec<Arc<str>>) -> Vec<(&'static str, bool)> {
    let passwords = Arc::new(Passwords::new([7; 32], 1));
    let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let ask = |who: &'static str, address: [u8; 4], password: String, hashes: Vec<Arc<str>>| {
        let (passwords, done) = (Arc::clone(&passwords), done.clone());
        tokio::spawn(async move {
            let answer = passwords.answer(question("ada", &password, &hashes), address.into()).await;
            done.send((who, answer.is_ok())).unwrap();
        });
    };
    let (other, held) = ([10, 0, 0, 2], passwords.turn(Share::of(HERE)).await.unwrap());
    for n in 0..flood {
        ask("flood", [10, 0, 0, 1], format!("wrong {n}"), hashes.clone());
    }
    ask("other", other, "wrong".into(), vec![hash("pw", "salt").into()]);
    while !passwords.turns.is_awaited(Share::of(other.into())) {
        tokio::task::yield_now().await;
    }
    drop((done, held));
    let mut order = Vec::new();
    while let Some(answer) = answers.recv().await {
        order.push(answer);
    }
    order
}

#[tokio::test]
async fn three_hundred_wrong_passwords_from_one_address_hardly_delay_another() {
    let order = order(300, vec![hash("pw", "salt").into()]).await;
    assert_eq!(order.len(), 301);
    let refused = order.iter().filter(|(_, answered)| !answered).count();
    assert_eq!(refused, 300 - 64, "what an address may have waiting is bounded");
    let answered: Vec<_> = order.iter().filter(|(_, answered)| *answered).map(|(who, _)| *who).collect();
    let place = answered.iter().position(|who| *who == "other").unwrap();
    // It has the second turn (`turns.rs`); tasks may tell of theirs a little out of order. In one queue it would be 64.
    assert!(place < 16, "the other is answered after {place} of the flood");
}

#[tokio::test]
async fn one_question_that_needs_many_hashes_delays_another_by_one_of_them() {
    let many = (0..100).map(|n| hash("pw", &format!("salt {n}")).into()).collect();
    let order = order(1, many).await;
    assert_eq!(order, [("other", true), ("flood", true)]);
}

#[test]
fn hashes_of_other_parameters_or_lengths_are_computed_apart() {
    let base = hash("pw", "ada");
    let (settings, output) = base.rsplit_once('$').unwrap();
    let shorter = format!("{settings}${}", &output[..22]);
    let costlier = base.replace("t=1", "t=2");
    assert_ne!(base, costlier);
    let hashes: Vec<Arc<str>> = [base, shorter, costlier].into_iter().map(Arc::from).collect();
    assert_eq!(groups(&hashes).len(), 3);
}

#[tokio::test]
async fn a_password_beyond_the_limit_fits_nothing() {
    let passwords = Passwords::new([7; 32], 1);
    for (length, fits) in [(1_024, true), (1_025, false), (64 << 10, false)] {
        let password = "x".repeat(length);
        let right: Arc<str> = hash(&password, "ada").into();
        assert_eq!(!ask(&passwords, "ada", &password, &[right]).await.is_empty(), fits, "{length}");
    }
}

#[tokio::test]
async fn a_fit_is_remembered_for_exactly_that_name_password_and_hashes() {
    let passwords = Passwords::new([7; 32], 1);
    let old: Arc<str> = hash("pw", "a").into();
    let new: Arc<str> = hash("pw", "b").into();
    assert!(!ask(&passwords, "ada", "pw", &[Arc::clone(&old)]).await.is_empty());
    let is_remembered = |name: &str, password: &str, hashes: &[Arc<str>]| {
        passwords.fitted.recall(&passwords.mark(&question(name, password, &[]).shown, hashes)).is_some()
    };
    let only_old = std::slice::from_ref(&old);
    assert!(is_remembered("ada", "pw", only_old));
    assert!(!is_remembered("ada", "pw2", only_old));
    assert!(!is_remembered("adap", "w", only_old), "parts do not run together");
    assert!(!is_remembered("ada", "pw", std::slice::from_ref(&new)), "a changed row is not satisfied");
    assert!(!is_remembered("ada", "pw", &[new, Arc::clone(&old)]), "an older namesake is looked at");
    assert!(!is_remembered("ada", "pw", &[]));
}

#[tokio::test]
async fn an_unknown_name_costs_as_many_hashes_as_a_wrong_password() {
    let passwords = Passwords::new([7; 32], 1);
    let known: [Arc<str>; 1] = [hash("pw", "a").into()];
    for (number, (name, hashes)) in
        [("ada", known.as_slice()), ("nobody", &[]), ("ada", &known)].iter().enumerate()
    {
        assert!(ask(&passwords, name, "wrong", hashes).await.is_empty());
        assert_eq!(passwords.computed(), number as u64 + 1, "{name}");
    }
    let long = "x".repeat(super::LONGEST_PASSWORD + 1);
    ask(&passwords, "ada", &long, &known).await;
    assert_eq!(passwords.computed(), 4, "also where it is too long to be looked at");
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let passwords = Passwords::new([7; 32], 1);
    let hash: Arc<str> = hash("pw", "a").into();
    assert!(ask(&passwords, "ada", "no", &[Arc::clone(&hash)]).await.is_empty());
    assert_eq!(passwords.fitted.len(), 0);
}

#[test]
fn the_dummy_hash_can_be_computed() {
    let parsed = PasswordHash::new(DUMMY_HASH).unwrap();
    assert!(parsed.salt.is_some() && parsed.hash.is_some());
}
