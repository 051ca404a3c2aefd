//! What of a request, an answer or a stored row must not be in the audit log, and takes its place.
//!
//! A secret is known by the name of its member, by its place in a JSON Patch or a pair of name and value, by the type
//! that it is stored as, or by its look: our own tokens, private keys, JSON Web Tokens, passwords in addresses; in
//! conditions of routes by the variable (`masking/conditions.rs`). When in doubt a value is masked: a record that tells too
//! little can be asked about, a leaked secret cannot be taken back.

mod conditions;

use serde_json::{Map, Value};

use super::LARGEST_BODY;

/// What stands for a secret.
pub const MASK: &str = "******";

/// Texts longer than this are cut, bytes.
const LONGEST_TEXT: usize = 4_096;
/// What is left of them, characters.
const LEFT: usize = 1_024;
/// What is kept of a name that somebody typed, characters.
const LONGEST_NAME: usize = 128;
/// So many levels of a body are kept: a record must read back, and its reader goes no deeper than 127.
const DEEPEST: usize = 32;
/// What stands for what is deeper.
const TOO_DEEP: &str = "… (nested too deeply)";

/// A member whose name, in lower case and without `-`, `_` and `[]`, holds one of these is a secret.
const STEMS: [&str; 12] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "privatekey",
    "apikey",
    "adminkey",
    "clientkey",
    "authorization",
    "cookie",
    "samlresponse",
    "samlrequest",
];

/// One whose whole name is one of these is a secret too.
const NAMES: [&str; 15] = [
    "key",
    "keys",
    "assertion",
    "csrf",
    "again",
    "current",
    "digest",
    "hash",
    "salt",
    "jwt",
    "passwd",
    "pwd",
    "signature",
    "relaystate",
    "nonce",
];

/// In a query, where browsers carry what a sign-in is proved with, these are too; and what a provider says of an error,
/// which may quote that.
const NAMES_IN_QUERIES: [&str; 5] = ["code", "state", "ticket", "held", "error_description"];

/// And one that ends so is none: it tells about a secret.
const TELLING: [&str; 13] = [
    "at", "id", "ids", "name", "names", "type", "method", "endpoint", "uri", "uris", "url", "lifetime",
    "count",
];

/// Members whose values are secrets as a whole, while their own members' names are not.
const HOLDERS: [&str; 3] = ["headers", "auth_headers", "req_headers"];

/// What tokens begin with that we issue.
const PREFIXES: [&str; 10] =
    ["a7ee-", "a7prt-", "a7adm-", "a7dp-", "a7scim-", "a7lnk-", "ses-", "frc_", "frs_", "whsec_"];

/// Whether a member of this name is a secret.
pub fn is_secret(name: &str) -> bool {
    let lower = name.trim_end_matches("[]").to_lowercase().replace('-', "_");
    let plain = lower.replace('_', "");
    if NAMES.contains(&plain.as_str()) {
        return true;
    }
    let tells = TELLING.iter().any(|end| lower.strip_suffix(end).is_some_and(|rest| rest.ends_with('_')));
    !tells && STEMS.iter().any(|stem| plain.contains(stem))
}

/// Whether the values in a member of this name are secrets.
fn is_holder(name: &str) -> bool {
    HOLDERS.contains(&name.to_lowercase().as_str())
}

/// `value` with its secrets masked, and without what is nested too deeply.
pub fn value(given: &Value) -> Value {
    at_depth(given, 1)
}

/// The names of `given`, a body that was refused for its form: what stands in a wrong member may be a secret, so every text
/// and number is masked. Empty texts stay.
pub fn names(given: &Value) -> Value {
    names_but(given, "")
}

/// The same of the body of a failed sign-in, of which the text `told` stays: what [`typed_name`] tells.
pub fn names_but(given: &Value, told: &str) -> Value {
    match given {
        Value::Object(members) => {
            let names = members.iter().map(|(name, given)| (text(name), names_but(given, told)));
            names.collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(|item| names_but(item, told)).collect(),
        Value::String(text) if text == told || text.is_empty() => given.clone(),
        Value::String(_) | Value::Number(_) => Value::String(MASK.to_owned()),
        Value::Null | Value::Bool(_) => given.clone(),
    }
}

/// What is told of a name under which somebody failed to sign in, at most 128 characters. One that no account has
/// (`is_known`) may be a password that was typed in the wrong field: of that only the first character is told.
pub fn typed_name(typed: &str, is_known: bool) -> String {
    let mut shown = typed.chars().filter(|c| !c.is_control());
    if is_known {
        return shown.take(LONGEST_NAME).collect();
    }
    shown.next().map(|first| format!("{first}{MASK}")).unwrap_or_default()
}

fn at_depth(given: &Value, depth: usize) -> Value {
    match given {
        Value::Object(_) | Value::Array(_) if depth > DEEPEST => Value::String(TOO_DEEP.to_owned()),
        Value::Object(members) => object(members, depth),
        Value::Array(items) => Value::Array(items.iter().map(|item| at_depth(item, depth + 1)).collect()),
        Value::String(given) => Value::String(nested(given)),
        Value::Null | Value::Bool(_) | Value::Number(_) => given.clone(),
    }
}

/// A text may be a line of a header, and one in a form JSON itself. One that only looks like JSON, or is large, is only
/// measured: what is in it is not known.
fn nested(given: &str) -> String {
    if is_secret_line(given) {
        return MASK.to_owned();
    }
    if !looks_like_json(given) {
        return text(given);
    }
    let read = Some(given).filter(|given| given.len() <= LARGEST_BODY);
    match read.and_then(|given| serde_json::from_str::<Value>(given).ok()) {
        Some(read) => text(&value(&read).to_string()),
        None => format!("… ({} bytes)", given.len()),
    }
}

/// `Authorization: Bearer …` and the like.
fn is_secret_line(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.split_once(':').is_some_and(|(name, value)| {
        let name = name.trim();
        !value.trim().is_empty() && name.bytes().all(fits) && is_secret(name)
    })
}

/// An address such as `[::1]` does not.
fn looks_like_json(text: &str) -> bool {
    let mut letters = text.chars().filter(|letter| !letter.is_whitespace());
    match letters.next() {
        Some('{') => true,
        Some('[') => letters.next().is_some_and(|next| matches!(next, '{' | '"' | '[' | ']')),
        _ => false,
    }
}

fn object(members: &Map<String, Value>, depth: usize) -> Value {
    if is_kept_secret(members) {
        return Value::String(MASK.to_owned());
    }
    let is_pair_of_secret = names_secret(members);
    let is_address = names_address(members);
    let masked = members.iter().map(|(name, given)| {
        let masked = match given {
            _ if conditions::are_in(members, name) => conditions::masked(given, depth + 1),
            _ if is_pair_of_secret && name == "value" => hidden(given),
            _ if is_secret(name) => hidden(given),
            Value::Object(held) if is_holder(name) => {
                Value::Object(held.iter().map(|(name, given)| (name.clone(), hidden(given))).collect())
            }
            given if is_holder(name) => hidden(given),
            Value::String(address) if name == "url" || (is_address && name == "value") => {
                Value::String(host_alone(address))
            }
            given => at_depth(given, depth + 1),
        };
        (name.clone(), masked)
    });
    Value::Object(masked.collect())
}

/// A secret that is sealed, or that was not yet: the form of `KeptSecret`.
fn is_kept_secret(members: &Map<String, Value>) -> bool {
    members.len() == 1
        && members.iter().all(|(name, held)| matches!(name.as_str(), "sealed" | "clear") && held.is_string())
}

/// Whether `value` is a secret in an operation of a JSON Patch, by any part of its path, or in a pair, by its name.
fn names_secret(members: &Map<String, Value>) -> bool {
    let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    text("path").split('/').any(|part| !part.is_empty() && (is_secret(part) || is_holder(part)))
        || ["name", "key", "header"].iter().any(|name| is_secret(text(name)))
        || conditions::is_part(members)
}

/// Whether `value` is an address that may be a secret, in an operation of a JSON Patch.
fn names_address(members: &Map<String, Value>) -> bool {
    let path = members.get("path").and_then(Value::as_str);
    path.and_then(|path| path.rsplit('/').next()).is_some_and(|last| last.eq_ignore_ascii_case("url"))
}

/// What stands for a secret; whether it is there, or switched on, may be seen.
fn hidden(given: &Value) -> Value {
    match given {
        Value::Null | Value::Bool(_) => given.clone(),
        Value::String(text) if text.is_empty() => given.clone(),
        Value::Array(items) if items.is_empty() => given.clone(),
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Value::String(MASK.to_owned())
        }
    }
}

/// `given` with what looks like a secret masked, without NUL, and cut where it is long.
pub fn text(given: &str) -> String {
    // A secret that begins in what is left of a long text ends in what is looked at.
    let looked_at = given.get(..given.floor_char_boundary(LONGEST_TEXT)).unwrap_or(given);
    if looks_secret(looked_at) {
        return MASK.to_owned();
    }
    // PostgreSQL has no text with NUL.
    let shown = without_user_information(looked_at).replace('\0', "\u{fffd}");
    if looked_at.len() == given.len() {
        return shown;
    }
    let left: String = shown.chars().take(LEFT).collect();
    format!("{left}… ({} bytes)", given.len())
}

fn looks_secret(text: &str) -> bool {
    let is_token = |prefix: &&str| {
        text.match_indices(*prefix).any(|(at, found)| {
            let rest = text.get(at + found.len()..).unwrap_or_default();
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
            rest.bytes().take_while(fits).count() >= 20
        })
    };
    let is_scheme = |scheme: &str| {
        let begins = text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        begins && text.len() > scheme.len() + 7 && !text.get(scheme.len()..).unwrap_or_default().contains(' ')
    };
    PREFIXES.iter().any(is_token)
        || text.contains("PRIVATE KEY-----")
        || is_web_token(text)
        || is_link_token(text)
        || is_scheme("Bearer ")
        || is_scheme("Basic ")
}

/// The form of what links in mails carry: letters of both cases and digits, and nothing else. No id and no digest of ours is
/// written so.
fn is_link_token(text: &str) -> bool {
    let has = |fits: fn(&u8) -> bool| text.bytes().any(|byte| fits(&byte));
    text.len() >= 40
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// The form of RFC 7519: three parts, of which the first begins with `{"`.
fn is_web_token(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | '=' | '&')).any(|word| {
        word.starts_with("eyJ") && word.len() > 40 && word.bytes().filter(|byte| *byte == b'.').count() >= 2
    })
}

/// The same with no user and password in addresses.
fn without_user_information(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace());
        let (authority, path) = after.split_at(end.unwrap_or(after.len()));
        shown.push_str(before);
        shown.push_str("://");
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                shown.push_str(MASK);
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = path;
    }
    shown.push_str(rest);
    shown
}

/// The host of an address that may be a secret as a whole, such as a webhook's.
fn host_alone(address: &str) -> String {
    let shown = without_user_information(address);
    let Some((scheme, rest)) = shown.split_once("://") else { return text(&shown) };
    match rest.split_once(['/', '?', '#']) {
        Some((host, path)) if !path.is_empty() => format!("{scheme}://{host}/{MASK}"),
        _ => shown,
    }
}

/// A path with its query, in which what could be a secret is masked.
pub fn uri(given: &str) -> String {
    let (path, query) = given.split_once('?').map_or((given, None), |(path, query)| (path, Some(query)));
    // Of our secrets only those that webhooks are signed with may hold a slash.
    let is_cut = decoded(path).split_once("whsec_").is_some_and(|(_, rest)| rest.len() >= 20);
    let parts: Vec<String> = path.split('/').map(encoded).collect();
    let path = if is_cut { format!("/{MASK}") } else { parts.join("/") };
    let Some(query) = query else { return path };
    let is_masked = |name: &str| is_secret(name) || NAMES_IN_QUERIES.contains(&name);
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, "")) => format!("{}=", encoded(name)),
        Some((name, _)) if is_masked(&decoded(name)) => format!("{name}={MASK}"),
        Some((name, value)) => format!("{}={}", encoded(name), encoded(value)),
        None => encoded(pair),
    };
    let pairs: Vec<String> = query.split('&').map(pair).collect();
    format!("{path}?{}", pairs.join("&"))
}

/// A part of an address: what it stands for may be a secret where it does not look like one.
fn encoded(part: &str) -> String {
    if looks_secret(&decoded(part)) { MASK.to_owned() } else { text(part) }
}

/// `part` without percent-encoding (RFC 3986 §2.1).
fn decoded(part: &str) -> String {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let mut byte = [0u8];
        match piece.split_at_checked(2) {
            Some((digits, rest)) if hex::decode_to_slice(digits, &mut byte).is_ok() => {
                bytes.extend(byte);
                bytes.extend(rest.as_bytes());
            }
            _ => {
                bytes.push(b'%');
                bytes.extend(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
