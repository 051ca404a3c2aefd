//! Texts that people write, checked once at the edge.

use std::fmt;

/// A member that breaks a rule: which one, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The member as the caller wrote it, `auth.key-auth.header`; empty for the whole body.
    pub field: String,
    /// What is wrong or would be right, to be read after the field: `is required`.
    pub problem: String,
}

impl Invalid {
    /// A broken rule of `field`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{} {}", self.field, self.problem)
        }
    }
}

impl std::error::Error for Invalid {}

/// Whether `text` holds a control character (line breaks included).
pub fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// A name as given: 1 to `most` characters, not only white space, without control characters.
pub fn name(field: &str, text: &str, most: usize) -> Result<String, Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new(field, "is required"));
    }
    if text.chars().count() > most {
        return Err(Invalid::new(field, format!("must be 1 to {most} characters")));
    }
    if has_control(text) {
        return Err(Invalid::new(field, "must not hold control characters"));
    }
    Ok(text.to_owned())
}

/// A free text as given: at most `most` characters, no NUL (which PostgreSQL cannot store).
pub fn free(field: &str, text: &str, most: usize) -> Result<String, Invalid> {
    if text.chars().count() > most {
        return Err(Invalid::new(field, format!("must be at most {most} characters")));
    }
    if text.contains('\0') {
        return Err(Invalid::new(field, "must not hold NUL characters"));
    }
    Ok(text.to_owned())
}

/// What somebody else said, as it is kept: its first `most` characters, control characters as spaces. PostgreSQL cannot
/// store NUL, and a refusal that cannot be stored would be asked for again for ever.
pub fn quoted(said: &str, most: usize) -> String {
    said.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An address that our own calls can be sent to, as given: `http` or `https`, a host, perhaps a port and a path; neither
/// user name nor query nor fragment; at most 2048 characters.
pub fn web_address(field: &str, text: &str) -> Result<String, Invalid> {
    let parsed = url::Url::parse(text).ok().filter(|_| text.len() <= WEB_ADDRESS && !has_control(text));
    let fits = parsed.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    // What a reader of addresses forgives (white space, backslashes, a missing slash) is a mistake here.
    let is_plain = text.contains("://") && !text.contains([' ', '\\', '@']);
    if fits && is_plain {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        field,
        "must be an http or https address without user name, query and fragment, such as https://id.example.com",
    ))
}

/// As [`web_address`], for a page or a document that may have a query.
pub fn web_link(field: &str, text: &str) -> Result<String, Invalid> {
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    let fits = !query.contains(['#', ' ', '\\']) && !has_control(query) && text.len() <= WEB_ADDRESS;
    if fits && web_address(field, address).is_ok() {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(
        field,
        "must be an http or https address without user name and fragment, such as https://id.example.com/metadata",
    ))
}

/// An image as given: empty, base64, or a `data:image/…` URL; at most 2 MiB.
pub fn image(field: &str, text: &str) -> Result<String, Invalid> {
    let base64 =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_' | b'\r' | b'\n');
    let fits = match text.strip_prefix("data:image/") {
        Some(rest) => rest.contains(',') && !has_control(rest),
        None => text.bytes().all(base64),
    };
    if fits && text.len() <= 2 * 1024 * 1024 {
        return Ok(text.to_owned());
    }
    Err(Invalid::new(field, "must be base64 or a data:image/… URL of at most 2 MiB"))
}

/// The longest name of a portal object.
pub const NAME: usize = 100;
/// The longest name of a gateway object or gateway group.
pub const GATEWAY_NAME: usize = 1_024;
/// The longest address of a server.
const WEB_ADDRESS: usize = 2_048;
/// The longest description.
pub const DESC: usize = 65_536;
