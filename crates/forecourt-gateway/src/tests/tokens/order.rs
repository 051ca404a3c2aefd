//! Several right credentials in one request: the method that comes first decides (docs/gateway.md §4).

use std::sync::Arc;

use forecourt_core::gateway_state::{JwtAlgorithm, Kind};
use serde_json::json;

use super::{
    bearer, granted, hs256, ours_of, outcome,
    providers::{provider, theirs_of},
};
use crate::{
    tests::rows::{batch, credential, delete, hash, jwt_of, key, put, user},
    verify::{PasswordAnswer, Proven},
};

/// What the check of a password found: the stored hashes that it fits.
fn fits(hashes: &[Arc<str>]) -> Proven {
    let mut proven = Proven::default();
    proven.add_password(PasswordAnswer { asker: "product", fitting: hashes.to_vec().into() });
    proven
}

#[test]
fn of_two_right_credentials_the_method_that_comes_first_decides() {
    let state = granted();
    state.apply(&batch(vec![
        put(2, credential("crd-key", "app", &[key("k")])),
        put(2, credential("crd-user", "app", &[user("ada", "pw")])),
    ]));
    let token = ours_of(&hs256());
    let (nothing, basic) = (Proven::default(), Some("Basic YWRhOnB3"));
    let by_query = format!("jwt={token}");

    // A password before a token.
    assert_eq!(outcome(&state, basic, Some(&by_query), &nothing), "password?");
    assert_eq!(outcome(&state, basic, Some(&by_query), &fits(&[hash("pw", "ada").into()])), "crd-user");
    assert_eq!(outcome(&state, basic, Some(&by_query), &fits(&[])), "crd-jwt", "the password was wrong");

    // A key before both.
    let with_key = format!("jwt={token}&apikey=k");
    assert_eq!(outcome(&state, basic, Some(&with_key), &nothing), "crd-key");
    let shown = format!("Bearer {token}");
    assert_eq!(outcome(&state, Some(&shown), Some("apikey=k"), &nothing), "crd-key");
    assert_eq!(outcome(&state, Some(&shown), Some("apikey=wrong"), &nothing), "crd-jwt");

    // One token that is right for both of the methods that take one.
    let signer = provider(&state);
    let both = theirs_of(&signer, json!({ "key": "j" }));
    assert_eq!(bearer(&state, &both), "crd-client");
    let same_key = jwt_of("j", JwtAlgorithm::Es256, &signer.pem());
    state.apply(&batch(vec![put(3, credential("crd-same-key", "app", &[same_key]))]));
    assert_eq!(bearer(&state, &both), "crd-same-key");
    state.apply(&batch(vec![delete(4, Kind::Credential, "crd-same-key")]));
    assert_eq!(bearer(&state, &both), "crd-client");
}
