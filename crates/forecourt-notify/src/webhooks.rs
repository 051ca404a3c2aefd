//! Signatures of webhooks, as Standard Webhooks says (standardwebhooks.com, "Webhook metadata" and "Signature scheme").
//!
//! Invariant: what is signed is the id, the second and the body, so that neither an old call nor another's body passes;
//! each secret that is in force signs, so that a receiver can change over without losing a call.

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_core::{secrets::PlainSecret, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a signing secret begins with.
const PREFIX: &str = "whsec_";

/// The head of a signed call, as names and values. Without secrets there is no signature in it.
pub fn head(id: &str, now: Timestamp, body: &[u8], secrets: &[PlainSecret]) -> Vec<(&'static str, String)> {
    let second = now.seconds().to_string();
    let signatures: Vec<String> =
        secrets.iter().filter_map(|secret| signature(id, &second, body, secret)).collect();
    let mut head = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", second)];
    if !signatures.is_empty() {
        head.push(("webhook-signature", signatures.join(" ")));
    }
    head
}

/// `v1,` and the code in base64; `None` where the secret is no base64.
fn signature(id: &str, second: &str, body: &[u8], secret: &PlainSecret) -> Option<String> {
    let text = secret.reveal();
    let key = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    for part in [id.as_bytes(), b".", second.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// How many seconds a receiver asks to wait from `now` on (RFC 9110 §10.2.3): a number, or a date.
pub fn retry_after(value: &str, now: Timestamp) -> Option<i64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is as long as can be asked for.
        return Some(value.parse().unwrap_or(i64::MAX));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some((date.timestamp().as_second() - now.seconds()).max(0))
}

/// What kind of body it is.
pub fn content_type(body: &str) -> &'static str {
    if serde_json::from_str::<serde_json::Value>(body).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_signed_as_the_examples_of_standard_webhooks_are() {
        // The vector of the specification's reference libraries.
        let secret = PlainSecret::presented("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let now = Timestamp::from_seconds(1_614_265_330);
        let head = head("msg_p5jXN8AQM9LWM0D4loKWxJek", now, br#"{"test": 2432232314}"#, &[secret]);
        assert_eq!(
            head,
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
                ("webhook-timestamp", "1614265330".to_owned()),
                ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
            ]
        );
    }

    #[test]
    fn each_secret_in_force_signs_and_without_one_nothing_does() {
        let secrets = ["whsec_b25l", "whsec_dHdv"].map(PlainSecret::presented);
        let signed =
            |secrets: &[PlainSecret]| head("dlv_1", Timestamp::default(), b"{}", secrets).pop().unwrap();
        let (name, both) = signed(&secrets);
        assert_eq!(name, "webhook-signature");
        let [first, second] = [&secrets[..1], &secrets[1..]].map(|one| signed(one).1);
        assert_eq!(both, format!("{first} {second}"));
        assert_ne!(first, second);
        assert_eq!(signed(&[]).0, "webhook-timestamp");
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let now = Timestamp::from_seconds(784_111_777 - 30);
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("4294967296", Some(4_294_967_296)),
            ("99999999999999999999", Some(i64::MAX)),
            ("", None),
            ("+5", None),
        ] {
            assert_eq!(retry_after(value, now), seconds, "{value}");
        }
    }

    #[test]
    fn a_body_says_whether_it_is_json() {
        assert_eq!(content_type("{}"), "application/json");
        assert_eq!(content_type("Ada asks"), "text/plain; charset=utf-8");
    }
}
