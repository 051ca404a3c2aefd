//! The words of notifications: those that a rule gives, else ours.
//!
//! Mail is plain text, so nothing that people typed can become markup in it. Subjects are one line whatever names hold.

use forecourt_core::{
    notices::{Notice, NoticeEvent},
    notifications::{NotificationRule, templates},
    person_links::LinkPurpose,
};
use serde_json::json;

/// Subject and text of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Lines, each ended by `\n`.
    pub text: String,
}

/// What `rule` says in a mail of `notice`.
pub fn mail(notice: &Notice, rule: &NotificationRule) -> Words {
    let ours = to_provider(notice);
    let Some(occasion) = notice.occasion() else { return ours };
    let given = |template: &Option<templates::Template>| template.as_ref().map(|own| own.render(&occasion));
    Words {
        subject: given(&rule.subject).map_or(ours.subject, |subject| one_line(&subject)),
        text: given(&rule.content).unwrap_or(ours.text),
    }
}

/// What `rule` says to a webhook: its own words where it has some, as JSON where they are JSON, else ours.
pub fn webhook(notice: &Notice, rule: &NotificationRule) -> String {
    let own = rule.content.as_ref().zip(notice.occasion());
    match own {
        Some((template, occasion)) => {
            template.render_json(&occasion).unwrap_or_else(|| template.render(&occasion))
        }
        None => json!({
            "id": notice.approval_id,
            "event": notice.event.name(),
            "applicant": notice.applicant_name,
            "resource": notice.resource_name,
            "applied_at": templates::plain_time(notice.applied_at),
        })
        .to_string(),
    }
}

fn to_provider(notice: &Notice) -> Words {
    let (who, what) = (&notice.applicant_name, &notice.resource_name);
    let (subject, happened) = match notice.event {
        NoticeEvent::SubscriptionRequested => (
            format!("{who} asks for a subscription to {what}"),
            format!("{who} asks for a subscription to {what}. It waits for an approval."),
        ),
        NoticeEvent::SubscriptionAccepted => (
            format!("Subscription of {who} to {what} accepted"),
            format!("The subscription of {who} to {what} was accepted."),
        ),
        NoticeEvent::SubscriptionRejected => (
            format!("Subscription of {who} to {what} rejected"),
            format!("The subscription of {who} to {what} was rejected."),
        ),
        NoticeEvent::SubscriptionCancelled => (
            format!("Subscription of {who} to {what} ended"),
            format!("The subscription of {who} to {what} ended or was withdrawn."),
        ),
        NoticeEvent::RegistrationRequested => (
            format!("{who} registered and waits for an approval"),
            format!("{who} registered as a developer. The registration waits for an approval."),
        ),
        NoticeEvent::RegistrationAccepted | NoticeEvent::RegistrationRejected => {
            (format!("Registration of {who}"), format!("The registration of {who} was decided."))
        }
        NoticeEvent::VerificationAsked
        | NoticeEvent::RegistrationRepeated
        | NoticeEvent::PasswordForgotten
        | NoticeEvent::PasswordChanged => {
            (format!("Account of {who}"), format!("Something happened to the account of {who}."))
        }
    };
    let product = match notice.event.of_rules() {
        Some(_) => format!("API product: {what}\n"),
        None => String::new(),
    };
    let asked = templates::plain_time(notice.applied_at);
    let id = notice.approval_id.as_ref().map(|id| format!("Approval: {id}\n")).unwrap_or_default();
    let reason = reason(notice);
    Words {
        subject: one_line(&subject),
        text: format!("{happened}\n{reason}\nDeveloper: {who}\n{product}Asked: {asked}\n{id}"),
    }
}

/// What the developer is told; `None` where there is nothing to tell them.
pub fn developer_mail(notice: &Notice) -> Option<Words> {
    let what = &notice.resource_name;
    let (subject, happened) = match notice.event {
        NoticeEvent::SubscriptionRequested | NoticeEvent::SubscriptionCancelled => return None,
        NoticeEvent::SubscriptionAccepted => (
            format!("Your subscription to {what} was accepted"),
            format!("Your subscription to {what} was accepted. Your application can call it now."),
        ),
        NoticeEvent::SubscriptionRejected => (
            format!("Your subscription to {what} was rejected"),
            format!("Your request for a subscription to {what} was rejected."),
        ),
        NoticeEvent::RegistrationRequested => (
            "Your registration has arrived".to_owned(),
            "Your registration has arrived. You can subscribe to APIs once it is accepted.".to_owned(),
        ),
        NoticeEvent::RegistrationAccepted => (
            "Your registration was accepted".to_owned(),
            "Your registration was accepted. Sign in to subscribe to APIs.".to_owned(),
        ),
        NoticeEvent::RegistrationRejected => {
            ("Your registration was rejected".to_owned(), "Your registration was rejected.".to_owned())
        }
        NoticeEvent::VerificationAsked
        | NoticeEvent::RegistrationRepeated
        | NoticeEvent::PasswordForgotten
        | NoticeEvent::PasswordChanged => of_account(notice.event, what),
    };
    // Whoever registers names themselves, and may give the address of somebody else: until it is proved, their words are not
    // sent there in our name. Of a subscription nobody hears who did not get in.
    let greeting = match notice.event.of_rules() {
        Some(_) => format!("Hello {},", notice.applicant_name),
        None => "Hello,".to_owned(),
    };
    let text = format!("{greeting}\n\n{happened}\n{}", reason(notice));
    Some(Words { subject: one_line(&subject), text })
}

/// Subject and words about somebody's account at `what`.
fn of_account(event: NoticeEvent, what: &str) -> (String, String) {
    match event {
        NoticeEvent::VerificationAsked => (
            format!("Confirm your e-mail address for {what}"),
            format!(
                "Somebody registered at {what} with this address. If it was you, confirm that the address is yours. You are \
                 asked for the password that you chose. If it was not you, you need do nothing."
            ),
        ),
        NoticeEvent::RegistrationRepeated => (
            format!("You have an account at {what}"),
            format!(
                "Somebody tried to register at {what} with this address, and you have an account already. Nothing was changed. \
                 If it was you, sign in, or choose a new password where you forgot it."
            ),
        ),
        NoticeEvent::PasswordForgotten => (
            format!("Choose a new password for {what}"),
            format!(
                "Somebody asked for a new password of your account at {what}. If it was not you, you need do nothing: your \
                 password stays as it is."
            ),
        ),
        // What is left is that the password was changed.
        _ => (
            "Your password was changed".to_owned(),
            format!(
                "The password of your account at {what} was changed. If it was not you, choose a new one at once, by the link \
                 for a forgotten password on the sign-in page."
            ),
        ),
    }
}

fn reason(notice: &Notice) -> String {
    let reason = notice.reason.trim();
    if reason.is_empty() { String::new() } else { format!("\nReason: {reason}\n") }
}

/// `text` with what leads to the decision.
pub fn with_link(text: &str, url: &str) -> String {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!(
        "{text}{end}\n--\nAccept or reject without signing in; this link works once, for a week, for whoever has it:\n\
         {url}\n"
    )
}

/// `text` with the link of a person's own: for `purpose`, at the site whose address is `root`, without a slash at its end.
pub fn with_own_link(text: &str, root: &str, purpose: LinkPurpose, token: &str) -> String {
    let (lead, path) = match purpose {
        LinkPurpose::Verification => ("Confirm your address; this link works once, for a day:", "verify"),
        LinkPurpose::Reset => ("Choose a new password; this link works once, for an hour:", "reset/new"),
    };
    format!("{text}\n{lead}\n{root}/{path}?token={token}\n")
}

/// What leads to the requests that wait, at the console whose address is `root`.
pub fn inbox(root: &str) -> String {
    format!("All that waits: {root}/approvals\n")
}

/// What leads into an account, at the site whose address is `root`.
pub fn ways_in(root: &str) -> String {
    format!("\nSign in: {root}/sign-in\nChoose a new password: {root}/reset\n")
}

/// The least number of a token's letters in a row that are told to nobody.
const PART: usize = 8;

/// What a mail server `said`, without the token of a link, which it may quote: whole, cut, or in parts.
pub fn without_token(said: &str, token: &str) -> String {
    let parts: Vec<&[u8]> = token.as_bytes().windows(PART).collect();
    let mut hidden = vec![false; said.len()];
    for (at, part) in said.as_bytes().windows(PART).enumerate() {
        if parts.contains(&part) {
            hidden.iter_mut().skip(at).take(PART).for_each(|hidden| *hidden = true);
        }
    }
    let mut told = String::with_capacity(said.len());
    let mut was_hidden = false;
    for (at, letter) in said.char_indices() {
        let is_hidden = hidden.get(at).copied().unwrap_or_default();
        match (is_hidden, was_hidden) {
            (false, _) => told.push(letter),
            (true, false) => told.push_str("******"),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    told
}

/// Whatever would end or fold a header becomes a space.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use forecourt_core::{
        contact_points::ContactType,
        ids::{ApprovalId, EventId, PortalId},
        notifications::{NotificationEvent, templates::Template},
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn no_part_of_a_token_is_quoted() {
        let token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456";
        let url = format!("550 no links: https://admin.example.com/approvals/links/{token} é");
        let hidden = "550 no links: https://admin.example.com/approvals/links/****** é";
        assert_eq!(without_token(&url, token), hidden);
        let cut = "550 …/links/abcdefghijklmnopqrstuvwxyzA= BCDEFGHIJ0123456, /links/abcdefghijk";
        assert_eq!(without_token(cut, token), "550 …/links/******= ******, /links/******");
        assert_eq!(without_token("550 no such mailbox", token), "550 no such mailbox");
    }

    fn notice(event: NoticeEvent) -> Notice {
        Notice {
            event_id: EventId::known("evt_1"),
            event,
            portal_id: PortalId::known("prt_1"),
            approval_id: Some(ApprovalId::known("apv_1")),
            applicant_name: "Ada".into(),
            resource_name: "Orders".into(),
            applied_at: Timestamp::from_seconds(1_785_826_800),
            reason: String::new(),
            rules: Vec::new(),
            developer_address: None,
            person_id: None,
            at: Timestamp::default(),
        }
    }

    fn rule(subject: Option<&str>, content: Option<&str>) -> NotificationRule {
        let template = |text: &str| Template::parse("content", text).unwrap();
        NotificationRule {
            event: NotificationEvent::Created,
            contact_type: ContactType::Email,
            contact_point_ids: Vec::new(),
            subject: subject.map(template),
            content: content.map(template),
        }
    }

    #[test]
    fn a_webhook_without_words_of_its_own_gets_five_members() {
        let body = webhook(&notice(NoticeEvent::SubscriptionRequested), &rule(None, None));
        assert_eq!(
            body,
            r#"{"id":"apv_1","event":"subscription_approval_created","applicant":"Ada","resource":"Orders","applied_at":"2026-08-04T07:00:00.000Z"}"#
        );
    }

    #[test]
    fn words_of_a_rule_stand_instead_of_ours() {
        let notice = notice(NoticeEvent::SubscriptionRequested);
        let own = rule(Some("{{.ResourceName}}?"), Some("{\"text\": \"{{.ApplicantName}}\"}"));
        let words = mail(&notice, &own);
        assert_eq!((words.subject.as_str(), words.text.as_str()), ("Orders?", "{\"text\": \"Ada\"}"));
        assert_eq!(webhook(&notice, &own), "{\"text\": \"Ada\"}");
        let subject_alone = mail(&notice, &rule(Some("Hm"), None));
        assert!(subject_alone.text.contains("Ada asks for a subscription to Orders"), "{subject_alone:?}");
        let plain = rule(None, Some("{{.ApplicantName}} asks"));
        assert_eq!(webhook(&notice, &plain), "Ada asks");
    }

    #[test]
    fn a_name_with_a_line_break_adds_no_header() {
        let hostile = Notice {
            applicant_name: "Ada\r\nBcc: all@example.com".into(),
            ..notice(NoticeEvent::SubscriptionRequested)
        };
        for words in
            [mail(&hostile, &rule(None, None)), mail(&hostile, &rule(Some("{{.ApplicantName}}"), None))]
        {
            assert!(!words.subject.contains(['\r', '\n']), "{}", words.subject);
        }
    }

    #[test]
    fn a_developer_hears_of_decisions_with_their_reason() {
        for event in NoticeEvent::ALL {
            let told = developer_mail(&notice(*event)).is_some();
            assert_eq!(told, event.is_for_developers(), "{}", event.name());
        }
        let rejected = Notice { reason: "No contract.".into(), ..notice(NoticeEvent::SubscriptionRejected) };
        let words = developer_mail(&rejected).unwrap();
        assert!(words.text.contains("Hello Ada") && words.text.contains("Reason: No contract."), "{words:?}");
    }

    #[test]
    fn no_name_that_somebody_registered_with_is_mailed_to_an_address_that_nobody_proved() {
        for event in NoticeEvent::ALL.iter().filter(|event| event.of_rules().is_none()) {
            let hostile = Notice { applicant_name: "Your prize: evil.example".into(), ..notice(*event) };
            let Some(words) = developer_mail(&hostile) else { panic!("{} is told to nobody", event.name()) };
            assert!(words.text.starts_with("Hello,\n"), "{}: {words:?}", event.name());
            assert!(!format!("{words:?}").contains("evil.example"), "{}: {words:?}", event.name());
        }
    }

    #[test]
    fn approvers_hear_of_a_registration_without_a_product() {
        let waits = Notice { resource_name: "Ada".into(), ..notice(NoticeEvent::RegistrationRequested) };
        let words = mail(&waits, &rule(Some("{{.ResourceName}}?"), None));
        assert_eq!(words.subject, "Ada registered and waits for an approval");
        assert!(!words.text.contains("API product") && words.text.contains("Approval: apv_1"), "{words:?}");
        assert!(webhook(&waits, &rule(None, None)).contains(r#""event":"developer_registration_created""#));
    }

    #[test]
    fn a_link_of_a_persons_own_leads_to_the_page_of_its_purpose() {
        let at = |purpose| with_own_link("Words\n", "https://apis.example", purpose, "t");
        assert!(at(LinkPurpose::Verification).ends_with("\nhttps://apis.example/verify?token=t\n"));
        assert!(at(LinkPurpose::Reset).ends_with("\nhttps://apis.example/reset/new?token=t\n"));
    }

    #[test]
    fn a_link_stands_below_the_words() {
        let text = with_link("Words", "https://admin.example.com/approvals/links/t");
        assert!(text.starts_with("Words\n\n--\n") && text.ends_with("/approvals/links/t\n"), "{text}");
    }
}
