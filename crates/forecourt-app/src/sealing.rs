//! Where kept secrets belong, and how the change feed opens them for a gateway.
//!
//! Invariant: each place has one context, so that a sealed text that was moved to another row does not open. What
//! cannot be opened is told in the log once and left out, or handed over sealed where leaving it out would send
//! requests in a weaker way; the row itself is handed over all the same, since digests count it.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use forecourt_core::{
    gateway_state::{
        CertificateState, ConsumerSecret, ConsumerState, CredentialSecret, CredentialState, Resource,
        TokenSecret, UpstreamState,
    },
    ids::{
        CertificateId, ContactPointId, CredentialId, DcrProviderId, DeliveryId, GatewayGroupId, ServiceId,
        SignInOptionId,
    },
    secrets::{KeptSecret, PlainSecret, SecretDigest},
};
use forecourt_identity::sealing::Sealer;

use crate::{App, Error, random::OsRandom};

/// The place of a certificate's keys.
pub fn of_certificate(id: &CertificateId) -> String {
    format!("certificate/{id}")
}

/// The place of the secrets of an application's credential.
pub fn of_credential(id: &CredentialId) -> String {
    format!("credential/{id}")
}

/// The place of the value of a DCR provider's header; case does not count in names.
pub fn of_dcr_header(id: &DcrProviderId, name: &str) -> String {
    format!("dcr_provider/{id}/{}", name.to_ascii_lowercase())
}

/// The place of the SMTP server's password.
pub const OF_SMTP_SERVER: &str = "smtp_server";

/// The place of what salts of user names are made with.
pub const OF_USERNAME_SALTS: &str = "lasting/username_salts";

/// The place of what the audit log is chained with.
pub const OF_AUDIT_CHAIN: &str = "lasting/audit_chain";

/// The place of what the calls of a contact point are signed with.
pub fn of_contact_point(id: &ContactPointId) -> String {
    format!("contact_point/{id}")
}

/// The place of the token in a mail that leads to a decision.
pub fn of_delivery(id: &DeliveryId) -> String {
    format!("delivery/{id}")
}

/// The place of a secret among the settings of a sign-in option.
pub fn of_sign_in_option(id: &SignInOptionId, member: &str) -> String {
    format!("sign_in_option/{id}/{member}")
}

/// The place of the token that manages an OAuth client, whether a credential still has the client or not.
pub fn of_oauth_client(provider: &DcrProviderId, client_id: &str) -> String {
    format!("oauth_client/{provider}/{client_id}")
}

/// The place of what a service's upstreams show to their nodes.
pub fn of_service(id: &ServiceId) -> String {
    format!("service/{id}")
}

/// The place of a consumer's secrets: those of its credential `id`, or those that lie in the consumer itself.
pub fn of_consumer(group: &GatewayGroupId, username: &str, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("consumer/{group}/{username}/{id}"),
        None => format!("consumer/{group}/{username}"),
    }
}

/// `secret` as it may be stored at `context`.
pub(crate) fn seal(app: &App, secret: &PlainSecret, context: &str) -> Result<KeptSecret, Error> {
    Ok(app.sealer().seal(secret, context, &mut OsRandom)?)
}

/// Has `kept`, which a write stores at `context`, be sealed under the newest data key. To be called within the write: what
/// was sealed before that had its turn may name a data key that was taken away meanwhile.
///
/// # Errors
/// Where it does not open.
pub(crate) async fn keep_up(app: &App, kept: &mut KeptSecret, context: &str) -> Result<(), Error> {
    if key_of(kept).is_some_and(|id| id != app.sealer().key_id()) {
        *kept = seal(app, &app.opened(kept, context).await?, context)?;
    }
    Ok(())
}

/// Which kept secrets would not open: each is told once, though every node asks for it again and again.
#[derive(Debug, Default)]
pub(crate) struct Unopened(Mutex<HashSet<String>>);

impl Unopened {
    /// Whether this is the first time.
    fn is_news(&self, kept: &KeptSecret, context: &str) -> bool {
        let text = match kept {
            KeptSecret::Sealed(text) | KeptSecret::Clear(text) => text,
        };
        let name = SecretDigest::of(format!("{context}\n{text}").as_bytes()).to_hex();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name)
    }
}

/// Whether `sealer` lacks the key of a secret in `resource`.
pub(crate) fn lacks_key(sealer: &Sealer, resource: &Resource) -> bool {
    secrets_of(resource).into_iter().any(|(_, kept)| lacks_key_of(sealer, kept))
}

/// Whether `sealer` lacks the key that `kept` is sealed under.
pub(crate) fn lacks_key_of(sealer: &Sealer, kept: &KeptSecret) -> bool {
    key_of(kept).is_some_and(|id| !sealer.knows(id))
}

/// The id of the data key that `kept` is sealed under; `None`: it is clear.
fn key_of(kept: &KeptSecret) -> Option<&str> {
    match kept {
        KeptSecret::Sealed(text) => text.split('.').nth(1),
        KeptSecret::Clear(_) => None,
    }
}

fn shared(secret: &TokenSecret) -> Option<&KeptSecret> {
    match secret {
        TokenSecret::Shared { secret, .. } => Some(secret),
        TokenSecret::Public { .. } => None,
    }
}

/// The secrets in `resource`, each with its place.
pub fn secrets_of(resource: &Resource) -> Vec<(String, &KeptSecret)> {
    match resource {
        Resource::Certificate(certificate) => {
            certificate.pairs.iter().map(|pair| (of_certificate(&certificate.id), &pair.key)).collect()
        }
        Resource::Consumer(consumer) => {
            let ConsumerState { gateway_group_id, username, credentials, .. } = &**consumer;
            let secrets = credentials.iter().filter_map(|credential| match &credential.secret {
                ConsumerSecret::JwtAuth { secret, .. } => {
                    Some((of_consumer(gateway_group_id, username, credential.id.as_deref()), shared(secret)?))
                }
                ConsumerSecret::KeyAuth { .. } | ConsumerSecret::BasicAuth { .. } => None,
            });
            secrets.collect()
        }
        Resource::Credential(credential) => {
            let secrets = credential.versions.iter().filter_map(|version| match &version.secret {
                CredentialSecret::JwtAuth { secret, .. } => {
                    Some((of_credential(&credential.id), shared(secret)?))
                }
                CredentialSecret::KeyAuth { .. }
                | CredentialSecret::BasicAuth { .. }
                | CredentialSecret::Oauth { .. } => None,
            });
            secrets.collect()
        }
        Resource::Service(service) => {
            let upstreams = service.upstream.iter().chain(service.upstreams.values());
            let keys = upstreams.filter_map(|upstream| upstream.tls.client_key.as_ref());
            keys.map(|key| (of_service(&service.id), key)).collect()
        }
        Resource::Route(_)
        | Resource::GlobalRule(_)
        | Resource::Product(_)
        | Resource::Application(_)
        | Resource::Grant(_) => Vec::new(),
    }
}

/// What opens secrets, and what is known not to open.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'a> {
    pub(crate) sealer: &'a Sealer,
    pub(crate) unopened: &'a Unopened,
}

/// `resource` with its secrets in clear, as a gateway needs them. A part whose secret cannot be opened is left out; a
/// certificate may have no pair left then, and a gateway serves nobody with it.
pub(crate) fn opened(opener: Opener<'_>, resource: Resource) -> Resource {
    match resource {
        Resource::Certificate(certificate) => {
            Resource::Certificate(Box::new(certificate_opened(opener, *certificate)))
        }
        Resource::Consumer(consumer) => Resource::Consumer(Box::new(consumer_opened(opener, *consumer))),
        Resource::Credential(credential) => Resource::Credential(credential_opened(opener, credential)),
        Resource::Service(mut service) => {
            let context = of_service(&service.id);
            for upstream in service.upstream.iter_mut().chain(service.upstreams.values_mut()) {
                open_client_key(opener, upstream, &context);
            }
            Resource::Service(service)
        }
        Resource::Route(_)
        | Resource::GlobalRule(_)
        | Resource::Product(_)
        | Resource::Application(_)
        | Resource::Grant(_) => resource,
    }
}

/// Whether `kept` is clear now.
fn open(opener: Opener<'_>, kept: &mut KeptSecret, context: &str) -> bool {
    match opener.sealer.open(kept, context) {
        Ok(secret) => {
            *kept = KeptSecret::Clear(secret.reveal().to_owned());
            true
        }
        Err(error) => {
            if opener.unopened.is_news(kept, context) {
                tracing::error!(
                    secret.place = context,
                    error.cause = %error,
                    "a kept secret cannot be opened and is not handed to gateways; write it anew, or start with the \
                     master key that it was sealed under"
                );
            }
            false
        }
    }
}

fn certificate_opened(opener: Opener<'_>, mut certificate: CertificateState) -> CertificateState {
    let context = of_certificate(&certificate.id);
    certificate.pairs.retain_mut(|pair| open(opener, &mut pair.key, &context));
    certificate
}

fn consumer_opened(opener: Opener<'_>, mut consumer: ConsumerState) -> ConsumerState {
    let ConsumerState { gateway_group_id, username, credentials, .. } = &mut consumer;
    credentials.retain_mut(|credential| match &mut credential.secret {
        ConsumerSecret::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. } => {
            let context = of_consumer(gateway_group_id, username, credential.id.as_deref());
            open(opener, secret, &context)
        }
        ConsumerSecret::JwtAuth { .. }
        | ConsumerSecret::KeyAuth { .. }
        | ConsumerSecret::BasicAuth { .. } => true,
    });
    consumer
}

fn credential_opened(opener: Opener<'_>, mut credential: CredentialState) -> CredentialState {
    let context = of_credential(&credential.id);
    credential.versions.retain_mut(|version| match &mut version.secret {
        CredentialSecret::JwtAuth { secret: TokenSecret::Shared { secret, .. }, .. } => {
            open(opener, secret, &context)
        }
        CredentialSecret::JwtAuth { .. }
        | CredentialSecret::KeyAuth { .. }
        | CredentialSecret::BasicAuth { .. }
        | CredentialSecret::Oauth { .. } => true,
    });
    credential
}

/// A key that does not open stays sealed: the gateway refuses the upstream's requests then, and does not send them
/// without the certificate.
fn open_client_key(opener: Opener<'_>, upstream: &mut UpstreamState, context: &str) {
    if let Some(key) = &mut upstream.tls.client_key {
        open(opener, key, context);
    }
}

#[cfg(test)]
mod tests {
    use forecourt_core::{gateway_state::CertificatePair, time::Timestamp};
    use forecourt_identity::sealing::MasterKey;

    use super::*;

    fn certificate(id: &str, keys: Vec<KeptSecret>) -> Resource {
        let pair = |key| CertificatePair { chain: "chain".into(), key };
        Resource::Certificate(Box::new(CertificateState {
            id: CertificateId::known(id),
            gateway_group_id: GatewayGroupId::default_group(),
            enabled: true,
            snis: vec!["a.example".into()],
            pairs: keys.into_iter().map(pair).collect(),
            client_ca: None,
            client_depth: None,
            created_at: Timestamp::default(),
        }))
    }

    #[test]
    fn a_gateway_gets_keys_in_clear_and_goes_without_those_that_do_not_open() {
        let sealer = Sealer::new(&MasterKey::issue(&mut OsRandom));
        let opener = Opener { sealer: &sealer, unopened: &Unopened::default() };
        let other = Sealer::new(&MasterKey::issue(&mut OsRandom));
        let key = PlainSecret::presented("key");
        let own = sealer.seal(&key, "certificate/ssl_1", &mut OsRandom).unwrap();
        let strange = other.seal(&key, "certificate/ssl_1", &mut OsRandom).unwrap();
        let opened_of = |id: &str, keys: &[&KeptSecret]| {
            opened(opener, certificate(id, keys.iter().copied().cloned().collect()))
        };
        let clear = certificate("ssl_1", vec![KeptSecret::Clear("key".into())]);
        assert_eq!(opened_of("ssl_1", &[&own]), clear);
        assert_eq!(opened_of("ssl_1", &[&strange, &own]), clear, "the rest goes on");
        // The row is counted by digests, so it is handed over, with nothing that a caller could be shown.
        assert_eq!(opened_of("ssl_1", &[&strange]), certificate("ssl_1", Vec::new()));
        let moved = opened_of("ssl_2", &[&own]);
        assert_eq!(moved, certificate("ssl_2", Vec::new()), "a key that was moved to another row");
    }

    #[test]
    fn a_secret_that_does_not_open_is_told_once() {
        let unopened = Unopened::default();
        let (one, two) = (KeptSecret::Sealed("one".into()), KeptSecret::Sealed("two".into()));
        assert!(unopened.is_news(&one, "certificate/ssl_1"));
        assert!(!unopened.is_news(&one, "certificate/ssl_1"));
        assert!(unopened.is_news(&two, "certificate/ssl_1"), "another secret in the same place");
        assert!(unopened.is_news(&one, "certificate/ssl_2"));
    }

    #[test]
    fn an_upstream_whose_key_does_not_open_keeps_its_certificate_so_that_nothing_is_sent_without_it() {
        let sealer = Sealer::new(&MasterKey::issue(&mut OsRandom));
        let opener = Opener { sealer: &sealer, unopened: &Unopened::default() };
        let sealed = sealer.seal(&PlainSecret::presented("key"), "service/s", &mut OsRandom).unwrap();
        let mut upstream: UpstreamState = serde_json::from_value(serde_json::json!({
            "scheme": "https", "nodes": [], "host": "pass",
            "connect_timeout_ms": 1, "send_timeout_ms": 1, "read_timeout_ms": 1,
        }))
        .unwrap();
        upstream.tls.client_chain = Some("chain".into());
        upstream.tls.client_key = Some(sealed.clone());
        let opened_at = |context: &str| {
            let mut upstream = upstream.clone();
            open_client_key(opener, &mut upstream, context);
            (upstream.tls.client_chain, upstream.tls.client_key)
        };
        let chain = Some("chain".to_owned());
        assert_eq!(opened_at("service/s"), (chain.clone(), Some(KeptSecret::Clear("key".into()))));
        assert_eq!(opened_at("service/t"), (chain, Some(sealed)));
    }
}
