//! Who the upstream is told is calling: the caller's own claims go, what was shown is hidden, what was found is
//! said (docs/gateway.md §5 and §9).
//!
//! Invariant: identity headers are put on last, after hop-by-hop fields are gone, and only from a [`Permit`].

use std::borrow::Cow;

use forecourt_core::ids::CredentialId;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::{
    own_fields,
    plugins::JwtPlugin,
    presented,
    route::KeyRule,
    verify::{
        ConsumerIdentity, Identity, Method, Permit,
        consumer_tokens::{TokenPlace, remove_cookie},
    },
};

const X_CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const X_CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const X_CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const IDENTITY: [HeaderName; 3] = [X_CONSUMER_USERNAME, X_CREDENTIAL_IDENTIFIER, X_CONSUMER_CUSTOM_ID];

/// What the gateway says of a request's way and name (`forwarded.rs`, `request_ids.rs`).
const WAY: [HeaderName; 5] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-request-id"),
];

/// Removes what only the gateway may say: identity headers, also in spellings that some servers take for them.
pub(crate) fn clean(headers: &mut HeaderMap) {
    // One look at each field is cheaper than a search for each of the names, and nearly all heads have none.
    if headers.keys().any(|name| IDENTITY.contains(name)) {
        for name in IDENTITY {
            headers.remove(name);
        }
    }
    while let Some(name) = headers.keys().find(|name| poses(name.as_str().as_bytes())).cloned() {
        headers.remove(name);
    }
}

/// Whether servers that make variables of fields make the one of a field that the gateway writes of this name too.
/// `X_Consumer_Username` is the same there as `X-Consumer-Username`, in CGI, WSGI and Rack; in some servers so is
/// `X.Consumer.Username`, or any other mark in place of the hyphen.
fn poses(name: &[u8]) -> bool {
    // All of them begin so, and few others have their lengths: nearly all fields are told by that.
    name.first() == Some(&b'x')
        && IDENTITY.iter().chain(&WAY).any(|own| {
            let own = own.as_str().as_bytes();
            let is_same = |(a, b): (&u8, &u8)| a == b || (*b == b'-' && !a.is_ascii_alphanumeric());
            name.len() == own.len() && name != own && name.iter().zip(own).all(is_same)
        })
}

/// Removes the credentials that succeeded where their method or plugin says so; answers the query that is left.
pub(crate) fn hide_credentials<'a>(
    permit: &Permit,
    query: Option<&'a str>,
    headers: &mut HeaderMap,
) -> Option<Cow<'a, str>> {
    let mut left = query.map(Cow::Borrowed);
    if let Some(identity) = permit.identity() {
        match identity.method {
            Method::Key => {
                if let Some(rule) = identity.product.key_auth.as_ref().filter(|rule| rule.hide_credentials) {
                    left = without_key(rule, left, headers);
                }
            }
            Method::Jwt => {
                if identity.product.jwt_auth.as_ref().is_some_and(|rule| rule.hide_credentials) {
                    headers.remove(AUTHORIZATION);
                    left = without_argument(left, presented::TOKEN_ARGUMENT);
                }
            }
            Method::Dcr => {}
            Method::Basic => {
                if identity.product.basic_auth.as_ref().is_some_and(|rule| rule.hide_credentials) {
                    headers.remove(AUTHORIZATION);
                }
            }
        }
    }
    if let Some(identity) = permit.consumer() {
        let (basic, key) = (&identity.plugins.basic_auth, &identity.plugins.key_auth);
        if basic.as_ref().is_some_and(|plugin| plugin.rule.hide_credentials) {
            headers.remove(AUTHORIZATION);
        }
        if let Some(plugin) = key.as_ref().filter(|plugin| plugin.rule.hide_credentials) {
            left = without_key(&plugin.rule, left, headers);
        }
        let token = identity.plugins.jwt_auth.as_ref().filter(|plugin| plugin.hide_credentials);
        if let Some((plugin, place)) = token.zip(identity.token_place) {
            left = without_token(plugin, place, left, headers);
        }
    }
    left
}

/// Takes a consumer's token from where it was read.
fn without_token<'a>(
    plugin: &JwtPlugin,
    place: TokenPlace,
    query: Option<Cow<'a, str>>,
    headers: &mut HeaderMap,
) -> Option<Cow<'a, str>> {
    match place {
        TokenPlace::Header => {
            if let Some(name) = &plugin.header {
                headers.remove(name);
            }
        }
        TokenPlace::Cookie => remove_cookie(headers, &plugin.cookie),
        TokenPlace::Query => return without_argument(query, &plugin.query),
    }
    query
}

/// Takes the key out of header and query, wherever it was.
fn without_key<'a>(
    rule: &KeyRule,
    query: Option<Cow<'a, str>>,
    headers: &mut HeaderMap,
) -> Option<Cow<'a, str>> {
    if let Some(name) = &rule.header {
        headers.remove(name);
    }
    without_argument(query, &rule.query)
}

fn without_argument<'a>(query: Option<Cow<'a, str>>, name: &str) -> Option<Cow<'a, str>> {
    match query? {
        Cow::Borrowed(query) => presented::without_argument(query, name),
        Cow::Owned(query) => presented::without_argument(&query, name).map(|left| left.into_owned().into()),
    }
}

/// Says who is calling: the product's application, or else the consumer; nothing where nobody is known.
pub(crate) fn add(headers: &mut HeaderMap, permit: &Permit) {
    for (name, value) in fields(permit) {
        if let Some(value) = value.and_then(own_fields::value) {
            headers.insert(name, value);
        }
    }
}

/// The same as names and values; `None`: there is to be none of that name.
pub(crate) fn fields(permit: &Permit) -> [(HeaderName, Option<Cow<'_, [u8]>>); 3] {
    let [username, credential, custom_id] = if let Some(identity) = permit.identity() {
        of_application(identity)
    } else if let Some(identity) = permit.consumer() {
        of_consumer(identity)
    } else {
        [None, None, None]
    };
    [
        (X_CONSUMER_USERNAME, username),
        (X_CREDENTIAL_IDENTIFIER, credential),
        (X_CONSUMER_CUSTOM_ID, custom_id),
    ]
}

/// The name by which the upstream is told who calls, if anybody is known.
pub(crate) fn name(permit: &Permit) -> Option<Cow<'_, str>> {
    match (permit.identity(), permit.consumer()) {
        (Some(identity), _) => Some(identity.application.id_text().into()),
        (None, Some(identity)) => Some(Cow::Borrowed(&identity.consumer.username)),
        (None, None) => None,
    }
}

fn of_application(identity: &Identity) -> [Option<Cow<'_, [u8]>>; 3] {
    let texts = [
        identity.application.id_text(),
        identity.credential.unpack(CredentialId::PREFIX),
        identity.developer_name.text(),
    ];
    texts.map(|text| Some(text.into_bytes().into()))
}

fn of_consumer(identity: &ConsumerIdentity) -> [Option<Cow<'_, [u8]>>; 3] {
    [
        Some(identity.consumer.username.as_bytes().into()),
        identity.credential.as_deref().map(|id| id.as_bytes().into()),
        identity.consumer.custom_id.as_ref().map(|id| id.as_bytes().into()),
    ]
}
