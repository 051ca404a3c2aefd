//! `cors`: which origins' scripts may call, and what they may send and read (section 8 of `docs/gateway.md`).
//!
//! `*` means any but never with credentials, so both together are refused; `**` means any with credentials too.

use regex::RegexBuilder;
use serde_json::{Value, json};

use crate::{gateway_state::CorsPlugin, members::Members, text::Invalid};

const KNOWN: [&str; 8] = [
    "allow_origins",
    "allow_origins_by_regex",
    "allow_methods",
    "allow_headers",
    "expose_headers",
    "max_age",
    "allow_credential",
    "_meta",
];

/// The largest compiled pattern, bytes. Matching takes linear time whatever the pattern; this bounds its memory.
const PATTERN_SIZE: usize = 256 * 1024;
/// The longest pattern as it is written, bytes.
const PATTERN_LENGTH: usize = 4_096;
/// The most seconds that an answer to a preflight may hold.
const MAX_AGE: i64 = 31_536_000;

pub(super) fn parse(path: &str, value: &Value) -> Result<CorsPlugin, Invalid> {
    let members = Members::closed(path, value, &KNOWN)?;
    let allow_credential = members.flag("allow_credential")?;
    // What scripts may read is nothing more where credentials forbid the `*` that nobody wrote.
    let exposed = if allow_credential { "" } else { "*" };
    let plugin = CorsPlugin {
        allow_origins: origins(&members)?,
        allow_origins_by_regex: patterns(&members)?,
        allow_methods: words(&members, "allow_methods", "*")?,
        allow_headers: words(&members, "allow_headers", "*")?,
        expose_headers: words(&members, "expose_headers", exposed)?,
        max_age: members.integer("max_age", -1..=MAX_AGE)?.unwrap_or(5),
        allow_credential,
    };
    if allow_credential {
        refuse_any(&members, &plugin)?;
    }
    Ok(plugin)
}

fn refuse_any(members: &Members<'_>, plugin: &CorsPlugin) -> Result<(), Invalid> {
    let any = |text: &String| text == "*";
    let values = [
        ("allow_origins", plugin.allow_origins.iter().any(any)),
        ("allow_methods", any(&plugin.allow_methods)),
        ("allow_headers", any(&plugin.allow_headers)),
        ("expose_headers", any(&plugin.expose_headers)),
    ];
    match values.iter().find(|(_, any)| *any) {
        Some((member, _)) => {
            Err(members.invalid(member, "must not be * (which it is by default) with allow_credential"))
        }
        None => Ok(()),
    }
}

fn origins(members: &Members<'_>) -> Result<Vec<String>, Invalid> {
    let text = members.text("allow_origins")?.unwrap_or_else(|| "*".to_owned());
    if matches!(text.as_str(), "*" | "**" | "null") {
        return Ok(vec![text]);
    }
    let origins: Vec<_> = text.split(',').map(str::to_owned).collect();
    if origins.iter().all(|origin| is_origin(origin)) {
        return Ok(origins);
    }
    let problem = "must be *, **, null, or origins like https://app.example.com, separated by commas";
    Err(members.invalid("allow_origins", problem))
}

/// `SCHEME://HOST` with a port or without, as browsers send it.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let of_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let of_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'[' | b']' | b'-');
    let fits = |part: &str, rule: &dyn Fn(u8) -> bool| !part.is_empty() && part.bytes().all(rule);
    fits(scheme, &of_scheme) && fits(host, &of_host)
}

fn patterns(members: &Members<'_>) -> Result<Vec<String>, Invalid> {
    let member = "allow_origins_by_regex";
    let Some(patterns) = members.texts(member)? else { return Ok(Vec::new()) };
    if patterns.is_empty() || patterns.len() > 100 {
        return Err(members.invalid(member, "must hold 1 to 100 patterns"));
    }
    for (index, pattern) in patterns.iter().enumerate() {
        if pattern.len() > PATTERN_LENGTH {
            let problem = format!("must be at most {PATTERN_LENGTH} bytes");
            return Err(members.invalid(&format!("{member}[{index}]"), problem));
        }
        let problem = match RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build() {
            Ok(_) if !pattern.is_empty() => continue,
            Ok(_) => "must not be empty".to_owned(),
            Err(regex::Error::CompiledTooBig(_)) => "is too large a pattern".to_owned(),
            Err(_) => "is no regular expression (look-around and back-references are not served)".to_owned(),
        };
        return Err(members.invalid(&format!("{member}[{index}]"), problem));
    }
    Ok(patterns)
}

/// Words separated by commas, written into a header as they are.
fn words(members: &Members<'_>, member: &str, default: &str) -> Result<String, Invalid> {
    let text = members.text(member)?.unwrap_or_else(|| default.to_owned());
    if text.len() <= 4_096 && text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Ok(text);
    }
    let problem = "must be *, **, or names separated by commas, at most 4096 printable ASCII characters";
    Err(members.invalid(member, problem))
}

pub(super) fn schema() -> (Value, Value) {
    let words = json!({ "type": "string", "pattern": "^[ -~]*$", "maxLength": 4096, "default": "*" });
    let origin = r"[A-Za-z0-9+.-]+://[A-Za-z0-9._:\[\]-]+";
    let properties = json!({
        "allow_origins": {
            "type": "string", "pattern": format!(r"^(\*|\*\*|null|{origin}(,{origin})*)$"), "default": "*",
        },
        "allow_origins_by_regex": {
            "type": "array", "minItems": 1, "maxItems": 100,
            "items": { "type": "string", "minLength": 1, "maxLength": PATTERN_LENGTH, "format": "regex" },
        },
        "allow_methods": words, "allow_headers": words, "expose_headers": words,
        "max_age": { "type": "integer", "minimum": -1, "maximum": MAX_AGE, "default": 5 },
        "allow_credential": { "type": "boolean", "default": false },
    });
    let not_any = json!({ "not": { "const": "*" } });
    let credentials_need_names = json!({
        "if": { "required": ["allow_credential"], "properties": { "allow_credential": { "const": true } } },
        "then": {
            "required": ["allow_origins", "allow_methods", "allow_headers"],
            "properties": {
                "allow_origins": not_any, "allow_methods": not_any, "allow_headers": not_any,
                "expose_headers": not_any,
            },
        },
    });
    (properties, credentials_need_names)
}
