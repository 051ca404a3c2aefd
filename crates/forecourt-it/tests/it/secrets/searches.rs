//! Secrets that are known to a story, and the search for them in bytes of any kind.
//!
//! Invariant: a secret is found as it is, escaped for JSON, JSON within JSON, HTML and addresses, in hex, as a list of its
//! bytes, and within base64 of whatever it stands in. What a finding tells never holds the secret.

use std::collections::{BTreeMap, BTreeSet};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use forecourt_it::installations::text;
use rcgen::KeyPair;
use serde_json::Value;

/// Shorter ones would be found by accident.
const SHORTEST: usize = 12;
/// So much of a place is told before what was found there.
const BEFORE: usize = 80;

/// Everything that may be found nowhere.
#[derive(Default)]
pub(super) struct Secrets {
    kinds: BTreeSet<&'static str>,
    given: usize,
    needles: Vec<Needle>,
}

struct Needle {
    kind: &'static str,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Secrets {
    /// A secret of the caller's choice, with signs that every way of writing escapes in its own manner.
    pub(super) fn given(&mut self, kind: &'static str) -> String {
        let core = self.core();
        let secret = format!("W\"<&>/+%\\{core}");
        self.keep(kind, &core);
        self.keep(kind, &secret);
        secret
    }

    /// A secret of the caller's choice that may stand in an address as it is.
    pub(super) fn plain(&mut self, kind: &'static str) -> String {
        let core = self.core();
        self.keep(kind, &core);
        core
    }

    /// A master key: 64 hex digits, of which the 32 bytes are looked for too.
    pub(super) fn master_key(&mut self) -> String {
        let key: Vec<u8> = (0..32_u8).map(|byte| byte.wrapping_mul(37).wrapping_add(11)).collect();
        self.keep_bytes("security.master_key", &key);
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn core(&mut self) -> String {
        self.given += 1;
        format!("planted{:03}Secret", self.given)
    }

    /// Keeps a secret that an answer shows.
    #[track_caller]
    pub(super) fn issued(&mut self, kind: &'static str, value: &Value) -> String {
        let secret = text(value);
        self.keep(kind, &secret);
        secret
    }

    /// Keeps a secret that came from elsewhere.
    #[track_caller]
    pub(super) fn keep(&mut self, kind: &'static str, secret: &str) {
        assert!(secret.len() >= SHORTEST, "the {kind} is too short to be looked for");
        for (form, needle) in texts(secret) {
            self.add(kind, form, needle.into_bytes());
        }
        self.keep_bytes(kind, secret.as_bytes());
    }

    /// Keeps a private key, recognised by bytes that no certificate has, and gives it in PEM.
    ///
    /// They begin and end where the second line of the PEM does, or the number that is the key.
    pub(super) fn key(&mut self, kind: &'static str, pair: &KeyPair) -> String {
        // RFC 5915 §3: version 1, then an octet string of 32 bytes.
        const BEGIN: [u8; 5] = [2, 1, 1, 4, 32];
        let der = pair.serialize_der();
        let at = der.windows(BEGIN.len()).position(|part| part == BEGIN).expect("a key of P-256");
        let begin = at + BEGIN.len();
        let stretch = &der[begin.max(48)..(begin + 32).min(96)];
        assert!(stretch.len() >= SHORTEST, "{begin}");
        self.keep_bytes(kind, stretch);
        pair.serialize_pem()
    }

    fn keep_bytes(&mut self, kind: &'static str, secret: &[u8]) {
        let digits = |digit: fn(&u8) -> String| secret.iter().map(digit).collect::<String>().into_bytes();
        self.add(kind, "bytes", secret.to_vec());
        self.add(kind, "hex", digits(|byte| format!("{byte:02x}")));
        self.add(kind, "hex", digits(|byte| format!("{byte:02X}")));
        let list = format!("{secret:?}").replace(['[', ']'], "");
        self.add(kind, "list of bytes", list.replace(' ', "").into_bytes());
        self.add(kind, "list of bytes", list.into_bytes());
        for before in 0..3 {
            self.add(kind, "base64", within_base64(&STANDARD, secret, before));
            self.add(kind, "base64", within_base64(&URL_SAFE, secret, before));
        }
    }

    fn add(&mut self, kind: &'static str, form: &'static str, bytes: Vec<u8>) {
        self.kinds.insert(kind);
        if !self.needles.iter().any(|known| known.bytes == bytes) {
            self.needles.push(Needle { kind, form, bytes });
        }
    }

    /// What has been planted.
    pub(super) const fn kinds(&self) -> &BTreeSet<&'static str> {
        &self.kinds
    }

    /// A sentence for each secret of another kind than `except` that is in `place`, once a kind.
    pub(super) fn found_in(&self, place: &[u8], except: &[&str]) -> Vec<String> {
        let mut begins = vec![false; 1 << 16];
        let mut by_begin: BTreeMap<[u8; 4], Vec<&Needle>> = BTreeMap::new();
        for needle in self.needles.iter().filter(|needle| !except.contains(&needle.kind)) {
            let begin = [needle.bytes[0], needle.bytes[1], needle.bytes[2], needle.bytes[3]];
            begins[pair(&begin)] = true;
            by_begin.entry(begin).or_default().push(needle);
        }
        let mut found: BTreeMap<&str, String> = BTreeMap::new();
        for (at, window) in place.windows(4).enumerate() {
            if !begins[pair(window)] {
                continue;
            }
            let begin = [window[0], window[1], window[2], window[3]];
            for needle in by_begin.get(&begin).into_iter().flatten() {
                if place[at..].starts_with(&needle.bytes) {
                    let before = String::from_utf8_lossy(&place[at.saturating_sub(BEFORE)..at]);
                    let told = format!("{} ({}) after {before:?}", needle.kind, needle.form);
                    found.entry(needle.kind).or_insert(told);
                }
            }
        }
        found.into_values().collect()
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// The ways in which a text is written within another.
fn texts(secret: &str) -> [(&'static str, String); 4] {
    let in_json = |text: &str| {
        let quoted = Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let in_page = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let in_page = in_page.replace('"', "&quot;").replace('\'', "&#x27;");
    let in_address = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [
        ("JSON", in_json(secret)),
        ("JSON within JSON", in_json(&in_json(secret))),
        ("HTML", in_page),
        ("percent-encoded", in_address),
    ]
}

/// What of the base64 of a text is the same whatever follows, and whichever `before` bytes (0 to 2) come first.
fn within_base64(engine: &impl Engine, secret: &[u8], before: usize) -> Vec<u8> {
    let mut whole = vec![0; before];
    whole.extend(secret);
    let encoded = engine.encode(&whole);
    let sure = whole.len() * 8 / 6;
    let begin = [0, 2, 3][before];
    encoded.as_bytes()[begin..sure].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_way_of_writing_and_never_repeated() {
        let mut secrets = Secrets::default();
        let secret = secrets.given("password");
        let quoted = serde_json::json!({ "a": secret }).to_string();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut places = vec![
            format!("before {secret} after"),
            quoted.clone(),
            serde_json::json!({ "body": quoted }).to_string(),
            format!("/path?a={encoded}&b"),
            hex.clone(),
            hex.to_uppercase(),
            format!("a,\"{}\",b", secret.replace('"', "\"\"")),
            format!("{secret:?}"),
            format!("{:?}", String::from_utf8([secret.as_bytes(), &[0xff]].concat())),
            serde_json::json!(secret.as_bytes()).to_string(),
        ];
        for before in ["", "a", "ab", "user:", "longer than that:"] {
            places.push(STANDARD.encode(format!("{before}{secret} and more")));
            places.push(URL_SAFE.encode(format!("{before}{secret}")));
        }
        for place in places {
            let found = secrets.found_in(place.as_bytes(), &[]);
            assert_eq!(found.len(), 1, "{place}");
            assert!(found[0].starts_with("password ("), "{found:?}");
            assert!(!found[0].contains("Secret"), "{found:?}");
            assert!(secrets.found_in(place.as_bytes(), &["password"]).is_empty(), "it was excepted");
        }
        assert!(secrets.found_in(b"planted002Secret and a long text without any secret", &[]).is_empty());
    }

    #[test]
    fn each_form_of_an_issued_secret_is_a_needle_of_its_own() {
        let mut secrets = Secrets::default();
        secrets.issued("secret", &Value::from("whsec_ab/cd+efgh\"ijklm="));
        for (place, form) in [
            ("x whsec_ab/cd+efgh\"ijklm=", "bytes"),
            ("x whsec_ab/cd+efgh\\\"ijklm=", "JSON"),
            ("x whsec_ab/cd+efgh\\\\\\\"ijklm=", "JSON within JSON"),
            ("x whsec_ab/cd+efgh&quot;ijklm=", "HTML"),
            ("x whsec_ab%2Fcd%2Befgh%22ijklm%3D", "percent-encoded"),
        ] {
            let found = secrets.found_in(place.as_bytes(), &[]);
            assert_eq!(found, [format!("secret ({form}) after \"x \"")], "{place}");
        }
    }

    #[test]
    fn a_key_is_found_in_pem_in_der_and_in_json_and_its_certificate_is_not_it() {
        let mut secrets = Secrets::default();
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let pem = secrets.key("key", &made.signing_key);
        let der = made.signing_key.serialize_der();
        let windows = pem.replace('\n', "\r\n");
        for place in [pem.as_bytes(), &der, serde_json::json!(pem).to_string().as_bytes(), windows.as_bytes()]
        {
            assert_eq!(secrets.found_in(place, &[]).len(), 1);
        }
        for place in [made.cert.pem().as_bytes(), made.cert.der()] {
            assert!(secrets.found_in(place, &[]).is_empty(), "everybody sees a certificate");
        }
    }
}
