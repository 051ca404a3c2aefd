//! A mail as it travels (RFC 5322): headers, and a text in whatever encoding passes everywhere.

use std::time::{Duration, SystemTime};

use forecourt_core::{deliveries::Failure, time::Timestamp};
use lettre::{
    Address,
    message::{
        Mailbox, Message, SinglePart,
        header::{Header, HeaderName, HeaderValue},
    },
};

/// A mail.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// What the sender is called; empty: by their address alone.
    pub sender_name: &'a str,
    /// Whom it is from.
    pub sender: &'a str,
    /// The one whom it is to.
    pub recipient: &'a str,
    /// Its subject, one line.
    pub subject: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What tells it from all others: the left half of its `Message-ID`.
    pub id: &'a str,
    /// When it was written.
    pub at: Timestamp,
}

/// Tells other machines not to answer (RFC 3834 §5).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The mail in bytes, its lines ended by CRLF.
///
/// # Errors
/// Says which address is none; that is for good where it is the recipient's, and may be mended where it is the sender's.
pub fn written(mail: &Mail<'_>) -> Result<Vec<u8>, Failure> {
    let sender_name = Some(mail.sender_name.to_owned()).filter(|name| !name.is_empty());
    let sender = Mailbox::new(
        sender_name,
        address("sender", mail.sender).map_err(|failure| Failure::later(failure.text))?,
    );
    let domain = sender.email.domain().to_owned();
    let seconds = u64::try_from(mail.at.seconds()).unwrap_or(0);
    let message = Message::builder()
        .from(sender)
        .to(Mailbox::new(None, address("recipient", mail.recipient)?))
        .subject(mail.subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{}@{domain}>", mail.id)))
        .header(AutoSubmitted)
        .singlepart(SinglePart::plain(mail.text.to_owned()))
        .map_err(|error| Failure::never(format!("the mail cannot be written: {error}")))?;
    Ok(message.formatted())
}

fn address(whose: &str, text: &str) -> Result<Address, Failure> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Failure::never(format!("the {whose}'s address cannot be mailed to: {problem}"))
    };
    // Whatever could end a command of SMTP.
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>')) {
        return Err(wrong(&"it holds what no address holds"));
    }
    text.parse::<Address>().map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(mail: &Mail<'_>) -> String {
        String::from_utf8(written(mail).unwrap()).unwrap()
    }

    const MAIL: Mail<'_> = Mail {
        sender_name: "Nordwind, APIs",
        sender: "apis@nordwind.example",
        recipient: "ops@example.com",
        subject: "Ada asks",
        text: "Hello\n.\nBye\n",
        id: "dlv_1",
        at: Timestamp::from_seconds(1_786_093_200),
    };

    #[test]
    fn a_mail_names_its_delivery_and_says_that_a_machine_wrote_it() {
        let text = text_of(&MAIL);
        for line in [
            "From: =?utf-8?b?Tm9yZHdpbmQsIEFQSXM=?= <apis@nordwind.example>\r\n",
            "To: ops@example.com\r\n",
            "Subject: Ada asks\r\n",
            "Date: Fri, 07 Aug 2026 09:00:00 +0000\r\n",
            "Message-ID: <dlv_1@nordwind.example>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
        assert!(text.trim_end().ends_with("\r\n\r\nHello\r\n.\r\nBye"), "{text:?}");
    }

    #[test]
    fn letters_beyond_ascii_travel_encoded() {
        let text = text_of(&Mail { subject: "Änderung für Øyvind", text: "Grüße\n", ..MAIL });
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("Subject: =?utf-8?b?"), "{text}");
    }

    #[test]
    fn what_is_no_address_is_refused_for_good() {
        for recipient in ["", "ops", "ops@example.com>\r\nRCPT TO:<all@example.com", "a b@example.com"] {
            let refused = written(&Mail { recipient, ..MAIL }).unwrap_err();
            assert_eq!(refused.outlook, forecourt_core::deliveries::Outlook::Never, "{recipient:?}");
        }
    }

    #[test]
    fn a_wrong_sender_may_be_mended_and_a_wrong_recipient_is_for_good() {
        use forecourt_core::deliveries::Outlook;
        let wrong = "a..b@example.com";
        assert_eq!(written(&Mail { sender: wrong, ..MAIL }).unwrap_err().outlook, Outlook::Later(None));
        assert_eq!(written(&Mail { recipient: wrong, ..MAIL }).unwrap_err().outlook, Outlook::Never);
    }
}
