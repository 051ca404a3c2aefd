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
    // `X_Consumer_Username` becomes the same variable as `X-Consumer-Username` in CGI, WSGI and Rack; so do the
    // names of what the gateway says about the way of a request.
    let poses = |name: &HeaderName| {
        let same = |a: u8, b: u8| a == b || (a == b'_' && b == b'-');
        name.as_str().contains('_')
            && IDENTITY.iter().chain(&WAY).any(|identity| {
                let (name, identity) = (name.as_str().as_bytes(), identity.as_str().as_bytes());
                name.len() == identity.len() && name.iter().zip(identity).all(|(a, b)| same(*a, *b))
            })
    };
    while let Some(name) = headers.keys().find(|name| poses(name)).cloned() {
        headers.remove(name);
    }
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
