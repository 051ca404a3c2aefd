//! Consumers' secrets between the form in which they are given and answered and the form in which they are kept.
//!
//! Invariant: what is given again unchanged, in clear or as stars, keeps its sealed text and its slow hash.

use forecourt_core::{
    consumers::{
        ConsumerRefusal,
        auth::{ConsumerAuth, OpenAuth, OpenSecret, OpenVerifier},
    },
    gateway_state::TokenSecret,
    secrets::{KeptSecret, PlainSecret},
    text::Invalid,
};
use forecourt_identity::public_keys;

use crate::{App, Error, sealing};

/// Whether passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// As gateways need it.
    Done,
    /// Not at all: what comes out is never stored.
    LeftOut,
}

/// `given` as it is kept at `context`, where `known` was kept before.
pub(crate) async fn kept(
    app: &App,
    context: &str,
    given: &OpenAuth,
    known: Option<&ConsumerAuth>,
    hashing: Hashing,
) -> Result<ConsumerAuth, Error> {
    match given {
        OpenAuth::KeyAuth { key } => {
            let known = match known {
                Some(ConsumerAuth::KeyAuth { key, .. }) => Some(key),
                _ => None,
            };
            let (plain, key) = secret(app, context, key, known, "plugins.key-auth.key").await?;
            Ok(ConsumerAuth::KeyAuth { key, digest: plain.digest() })
        }
        OpenAuth::BasicAuth { username, password } => {
            basic(app, context, (username, password), known, hashing).await
        }
        OpenAuth::JwtAuth { key, algorithm, verifier: OpenVerifier::Secret(given) } => {
            let known = match known {
                Some(ConsumerAuth::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. }) => {
                    Some(secret)
                }
                _ => None,
            };
            let (_, secret) = secret(app, context, given, known, "plugins.jwt-auth.secret").await?;
            let secret = TokenSecret::Shared { algorithm: *algorithm, secret };
            Ok(ConsumerAuth::JwtAuth { key: key.clone(), secret })
        }
        OpenAuth::JwtAuth { key, algorithm, verifier: OpenVerifier::PublicKey(pem) } => {
            public_keys::check(pem, *algorithm)
                .map_err(|problem| Invalid::new("plugins.jwt-auth.public_key", problem.to_string()))?;
            let secret = TokenSecret::Public { algorithm: *algorithm, public_key: pem.clone() };
            Ok(ConsumerAuth::JwtAuth { key: key.clone(), secret })
        }
    }
}

async fn basic(
    app: &App,
    context: &str,
    (username, given): (&str, &OpenSecret),
    known: Option<&ConsumerAuth>,
    hashing: Hashing,
) -> Result<ConsumerAuth, Error> {
    let known = match known {
        Some(ConsumerAuth::BasicAuth { username, password, password_hash }) => {
            Some((username, password, password_hash))
        }
        _ => None,
    };
    let sealed = known.map(|(_, password, _)| password);
    let (plain, password) = secret(app, context, given, sealed, "plugins.basic-auth.password").await?;
    let username = username.to_owned();
    let unchanged = known.filter(|(name, sealed, _)| **name == username && **sealed == password);
    let password_hash = match (unchanged, hashing) {
        (Some((_, _, hash)), _) => hash.clone(),
        (None, Hashing::LeftOut) => String::new(),
        (None, Hashing::Done) => {
            let salt = app.sealer().salt_of(&username);
            app.passwords().hash_with_salt(plain.reveal(), salt).await?
        }
    };
    Ok(ConsumerAuth::BasicAuth { username, password, password_hash })
}

/// The secret in clear, and as it is kept: the known text where it is the same secret.
async fn secret(
    app: &App,
    context: &str,
    given: &OpenSecret,
    known: Option<&KeptSecret>,
    member: &'static str,
) -> Result<(PlainSecret, KeptSecret), Error> {
    match (given, known) {
        (OpenSecret::Masked, None) => Err(ConsumerRefusal::NothingKept(member).into()),
        (OpenSecret::Masked, Some(known)) => Ok((app.opened(known, context).await?, known.clone())),
        (OpenSecret::Clear(plain), Some(known)) => {
            let is_same = app.opened(known, context).await.is_ok_and(|same| same == *plain);
            let kept = if is_same { known.clone() } else { sealing::seal(app, plain, context)? };
            Ok((plain.clone(), kept))
        }
        (OpenSecret::Clear(plain), None) => Ok((plain.clone(), sealing::seal(app, plain, context)?)),
    }
}

/// Has `auth`, which a write stores at `context` and which was made before it, be sealed under the newest data key.
///
/// # Errors
/// Where it does not open.
pub(crate) async fn keep_up(app: &App, context: &str, auth: &mut ConsumerAuth) -> Result<(), Error> {
    let kept = match auth {
        ConsumerAuth::KeyAuth { key, .. } => key,
        ConsumerAuth::BasicAuth { password, .. } => password,
        ConsumerAuth::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. } => secret,
        ConsumerAuth::JwtAuth { secret: TokenSecret::Public { .. }, .. } => return Ok(()),
    };
    sealing::keep_up(app, kept, context).await
}

/// `kept` as it is answered: secrets in clear where `reveals`, else masked. One that does not open is masked too.
pub(crate) async fn open(app: &App, context: &str, kept: &ConsumerAuth, reveals: bool) -> OpenAuth {
    match kept {
        ConsumerAuth::KeyAuth { key, .. } => {
            OpenAuth::KeyAuth { key: shown(app, context, key, reveals).await }
        }
        ConsumerAuth::BasicAuth { username, password, .. } => {
            let password = shown(app, context, password, reveals).await;
            OpenAuth::BasicAuth { username: username.clone(), password }
        }
        ConsumerAuth::JwtAuth { key, secret } => {
            let (algorithm, verifier) = match secret {
                TokenSecret::Shared { algorithm, secret } => {
                    (*algorithm, OpenVerifier::Secret(shown(app, context, secret, reveals).await))
                }
                TokenSecret::Public { algorithm, public_key } => {
                    (*algorithm, OpenVerifier::PublicKey(public_key.clone()))
                }
            };
            OpenAuth::JwtAuth { key: key.clone(), algorithm, verifier }
        }
    }
}

async fn shown(app: &App, context: &str, kept: &KeptSecret, reveals: bool) -> OpenSecret {
    if !reveals {
        return OpenSecret::Masked;
    }
    match app.opened(kept, context).await {
        Ok(secret) => OpenSecret::Clear(secret),
        Err(error) => {
            tracing::error!(secret.place = context, error.cause = %error, "a kept secret cannot be shown");
            OpenSecret::Masked
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use forecourt_core::{gateway_state::JwtAlgorithm, secrets::SecretDigest, time::Timestamp};
    use forecourt_identity::sealing::DataKey;
    use forecourt_store::{Location, Store};
    use tempfile::TempDir;

    use super::*;
    use crate::{Config, random::OsRandom};

    async fn app() -> (App, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("forecourt.db"))).await.unwrap();
        (App::open(store, &Config::default(), Arc::new(Timestamp::default)).await.unwrap(), folder)
    }

    #[tokio::test]
    async fn what_was_sealed_before_its_write_is_sealed_anew_where_there_is_a_newer_data_key() {
        let (app, _folder) = app().await;
        let kept = sealing::seal(&app, &PlainSecret::presented("hunter2"), "here").unwrap();
        let secret = TokenSecret::Shared { algorithm: JwtAlgorithm::Hs256, secret: kept.clone() };
        let all = [
            ConsumerAuth::KeyAuth { key: kept.clone(), digest: SecretDigest::of(b"hunter2") },
            ConsumerAuth::BasicAuth {
                username: "ada".into(),
                password: kept.clone(),
                password_hash: String::new(),
            },
            ConsumerAuth::JwtAuth { key: "ada".into(), secret },
        ];
        for auth in &all {
            let mut same = auth.clone();
            keep_up(&app, "here", &mut same).await.unwrap();
            assert_eq!(same, *auth, "it is under the newest");
        }
        app.sealer().learn(1_000, [DataKey::issue(&mut OsRandom)]);
        let newest = format!("v1.{}.", app.sealer().key_id());
        for mut auth in all {
            keep_up(&app, "here", &mut auth).await.unwrap();
            let (ConsumerAuth::KeyAuth { key: kept, .. }
            | ConsumerAuth::BasicAuth { password: kept, .. }
            | ConsumerAuth::JwtAuth { secret: TokenSecret::Shared { secret: kept, .. }, .. }) = &auth
            else {
                panic!("a sealed secret")
            };
            assert!(matches!(kept, KeptSecret::Sealed(text) if text.starts_with(&newest)));
            assert_eq!(app.opened(kept, "here").await.unwrap().reveal(), "hunter2");
        }
    }

    #[tokio::test]
    async fn only_those_who_may_change_a_consumer_see_its_secrets() {
        let (app, _folder) = app().await;
        let key = sealing::seal(&app, &PlainSecret::presented("hunter2"), "here").unwrap();
        let kept = ConsumerAuth::KeyAuth { key, digest: SecretDigest::of(b"hunter2") };
        let key = async |place: &str, reveals: bool| match open(&app, place, &kept, reveals).await {
            OpenAuth::KeyAuth { key } => key.reveal().to_owned(),
            _ => panic!("a key"),
        };
        assert_eq!(key("here", true).await, "hunter2");
        assert_eq!(key("here", false).await, "******");
        assert_eq!(
            key("elsewhere", true).await,
            "******",
            "what does not open is not shown, and breaks nothing"
        );
    }
}
