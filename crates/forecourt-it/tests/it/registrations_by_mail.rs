//! Registrations where mail is sent: addresses are proved by links, and those who approve are told.

use std::time::Duration;

use forecourt_it::{
    Browser, Forecourt, Mail, MailSink, MailTrouble, Page, PageForm, Webhook, installations::text,
};
use serde_json::{Value, json};

use super::notifications::{DELIVERIES, deliveries, mailing_list, mails_by, started, telling, there_are};

/// Where the portal's site is, for links in mails.
const SITE: &str = "https://apis.example.com";
pub(crate) const PASSWORD: &str = "a good long password";
/// After this another link is mailed.
pub(crate) const FRESH: Duration = Duration::from_secs(180);

/// Has mail sent by `sink`, with links to the default portal's site.
pub(crate) async fn mails_links_by(f: &Forecourt, sink: &MailSink) {
    mails_by(f, sink).await;
    let path = format!("/api/portals/{}", f.portal_id().await);
    f.admin().await.put(&path, json!({ "public_url": SITE })).await.expect(200);
}

pub(crate) async fn opened(f: &Forecourt, browser: &Browser, path: &str) -> Page {
    browser.opens(&format!("{}{path}", f.site().base())).await
}

pub(crate) async fn signs_up(f: &Forecourt, browser: &Browser, email: &str) -> Page {
    let form = PageForm::on(&opened(f, browser, "/sign-up").await);
    let form = form.with("name", "Ada").with("email", email).with("password", PASSWORD);
    browser.posts_form(&form).await
}

/// Follows the link of `mail` and types `password` there.
pub(crate) async fn proves(f: &Forecourt, browser: &Browser, mail: &Mail, password: &str) -> Page {
    let form = PageForm::on(&opened(f, browser, &link(mail)).await);
    browser.posts_form(&form.with("password", password)).await
}

pub(crate) async fn signs_in(f: &Forecourt, browser: &Browser, email: &str, password: &str) -> Page {
    let form = PageForm::on(&opened(f, browser, "/sign-in").await);
    browser.posts_form(&form.with("username", email).with("password", password)).await
}

/// Posts the form with an address on the page at `path`.
pub(crate) async fn asks_for_mail(f: &Forecourt, path: &str, email: &str) -> Page {
    let browser = Browser::new();
    let form = PageForm::on(&opened(f, &browser, path).await);
    browser.posts_form(&form.with("email", email)).await
}

/// The path that the link of a mail leads to.
#[track_caller]
pub(crate) fn link(mail: &Mail) -> String {
    let line = mail.text.lines().find(|line| line.starts_with(SITE) && line.contains("?token="));
    assert!(line.is_some(), "no link in {}", mail.text);
    line.unwrap().replace(SITE, "")
}

/// What a page says, without what differs at each look.
pub(crate) fn said(page: &Page) -> String {
    let main = page.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    let csrf = PageForm::on(page).fields.into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    main.replace(&csrf, "")
}

pub(crate) async fn is_verified(f: &Forecourt) -> Value {
    let path = format!("/api/developers?portal_id={}", f.portal_id().await);
    f.admin().await.get(&path).await.expect(200)["list"][0]["email_verified"].clone()
}

#[track_caller]
pub(crate) fn leads_to(page: &Page, path: &str) {
    assert_eq!(page.next().map(|url| url.path().to_owned()).as_deref(), Some(path), "{page:?}");
}

#[tokio::test]
async fn who_registers_signs_in_once_the_address_is_proved() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    let ada = Browser::new();
    leads_to(&signs_up(&f, &ada, "ada@example.com").await, "/verify");
    assert_eq!(ada.cookie("portal_session"), None);
    let first = sink.has_taken(1).await.remove(0);
    assert_eq!(first.to, "ada@example.com");
    assert_eq!(first.header("Subject"), "Confirm your e-mail address for the developer portal");

    // The right password is not enough, and has another mail sent, if not at once. Both links work.
    assert_eq!(signs_in(&f, &ada, "ada@example.com", PASSWORD).await.status, 422);
    f.advance(FRESH);
    assert_eq!(signs_in(&f, &ada, "ada@example.com", PASSWORD).await.status, 422);
    assert_eq!(ada.cookie("portal_session"), None);
    let mails = sink.has_taken(2).await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    let second = mails[1].clone();
    assert_eq!(opened(&f, &ada, &link(&first)).await.status, 200);

    // Looking proves nothing, however often programs look.
    for _ in 0..3 {
        let page = opened(&f, &Browser::new(), &link(&second)).await;
        assert!(page.status == 200 && page.text.contains("ada@example.com"), "{page:?}");
    }
    assert_eq!(is_verified(&f).await, false);
    let form = PageForm::on(&opened(&f, &ada, &link(&second)).await).with("password", PASSWORD);
    assert_eq!(ada.posts_form(&form.with("csrf", "0")).await.status, 403);
    assert_eq!(is_verified(&f).await, false);
    leads_to(&ada.posts_form(&form).await, "/sign-in");
    assert_eq!(is_verified(&f).await, true);
    assert_eq!(ada.posts_form(&form).await.status, 404, "a link works once");
    assert_eq!(opened(&f, &ada, &link(&first)).await.status, 404, "and ends the others");
    signs_in(&f, &ada, "ada@example.com", PASSWORD).await;
    assert!(ada.cookie("portal_session").is_some());
    assert!(opened(&f, &ada, "/account").await.text.contains("Confirmed"));
}

#[tokio::test]
async fn an_address_that_is_known_is_answered_the_same_and_its_owner_alone_is_told() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    let (one, other) = (Browser::new(), Browser::new());
    let fresh = signs_up(&f, &one, "ada@example.com").await;
    let ada = Browser::new();
    leads_to(&proves(&f, &ada, &sink.has_taken(1).await[0], PASSWORD).await, "/sign-in");
    let known = signs_up(&f, &other, "ADA@example.com").await;
    assert_eq!((fresh.status, fresh.next(), &fresh.text), (known.status, known.next(), &known.text));
    assert_eq!(one.cookie_names(), other.cookie_names());
    let told = sink.has_taken(2).await.remove(1);
    assert_eq!(told.to, "ada@example.com");
    assert_eq!(told.header("Subject"), "You have an account at the developer portal");
    assert!(told.text.contains(&format!("{SITE}/reset")) && !told.text.contains("?token="), "{}", told.text);
    let path = format!("/api/developers?portal_id={}", f.portal_id().await);
    assert_eq!(f.admin().await.get(&path).await.expect(200)["total"], 1);
}

#[tokio::test]
async fn an_unknown_address_is_answered_the_same_and_is_mailed_nothing() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    sink.has_taken(1).await;
    f.advance(FRESH);
    let unknown = asks_for_mail(&f, "/verify", "nobody@example.com").await;
    let known = asks_for_mail(&f, "/verify", "ada@example.com").await;
    assert_eq!((unknown.status, said(&unknown)), (known.status, said(&known)));
    // What was asked for first is told first.
    let mails = sink.has_taken(2).await;
    assert!(mails.iter().all(|mail| mail.to == "ada@example.com"), "{mails:?}");
    assert_eq!(deliveries(&f, "").await.len(), 2);
    let wrong = asks_for_mail(&f, "/verify", "nobody").await;
    assert!(wrong.status == 422 && wrong.text.contains("must be an e-mail address"), "{wrong:?}");
}

#[tokio::test]
async fn who_asks_for_too_many_mails_is_told_to_wait_whether_the_address_is_known_or_not() {
    let f = Forecourt::start_with(|settings| settings.security.failed_sign_ins.per_address = 7).await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    for path in ["/verify", "/reset"] {
        for _ in 0..7 {
            assert_eq!(asks_for_mail(&f, path, "nobody@example.com").await.status, 200);
        }
        let refused = asks_for_mail(&f, path, "nobody@example.com").await;
        assert!(refused.status == 429 && refused.headers.contains_key("retry-after"), "{refused:?}");
        f.advance(Duration::from_secs(301));
    }
    assert_eq!(asks_for_mail(&f, "/reset", "nobody@example.com").await.status, 200);
}

#[tokio::test]
async fn a_link_is_too_old_after_a_day_and_is_none_at_another_portal() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    let other = json!({ "name": "Other", "domain": "localhost" });
    f.admin().await.post("/api/portals", other).await.expect(200);
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let link = link(&sink.has_taken(1).await[0]);
    let elsewhere = format!("{}{link}", f.site().base().replace("127.0.0.1", "localhost"));
    assert_eq!(Browser::new().opens(&elsewhere).await.status, 404);
    let browser = Browser::new();
    let form = PageForm::on(&opened(&f, &browser, &link).await);
    f.advance(Duration::from_secs(86_400));
    assert_eq!(opened(&f, &browser, &link).await.status, 404);
    assert_eq!(browser.posts_form(&form).await.status, 404);
    assert_eq!(is_verified(&f).await, false);
}

#[tokio::test]
async fn what_a_mail_server_quotes_of_a_persons_link_is_written_down_nowhere() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    sink.has(MailTrouble::QuotesLinks);
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let dead = there_are(&f, 1, "state=dead").await.remove(0);
    let whole = f.admin().await.get(&format!("{DELIVERIES}/{}", text(&dead["id"]))).await.expect(200);
    for told in [&dead["last_error"], &whole["value"]["log"][0]["error"]] {
        assert!(text(told).ends_with(&format!("{SITE}/verify?token=******")), "{told}");
    }
    assert!(!text(&whole["value"]["content"]).contains("?token="), "{whole}");
}

#[tokio::test]
async fn without_a_mail_server_who_registers_is_signed_in_and_nothing_is_offered_by_mail() {
    let f = started().await;
    let ada = Browser::new();
    leads_to(&signs_up(&f, &ada, "ada@example.com").await, "/sign-in/pending");
    assert!(ada.cookie("portal_session").is_some());
    for path in ["/verify", "/reset", "/reset/new?token=x"] {
        assert_eq!(opened(&f, &Browser::new(), path).await.status, 404, "{path}");
    }
    assert!(!opened(&f, &Browser::new(), "/sign-in").await.text.contains("/reset"));
}

#[tokio::test]
async fn who_is_told_of_requests_is_told_of_registrations_and_decides_them_by_the_link() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let mails = sink.has_taken(2).await;
    let told = mails.iter().find(|mail| mail.to == "ops@example.com").unwrap();
    assert_eq!(told.header("Subject"), "Ada registered and waits for an approval");
    assert!(told.text.contains("https://admin.example.com/approvals\n"), "{}", told.text);
    let begin = "https://admin.example.com/approvals/links/";
    let line = told.text.lines().find(|line| line.starts_with(begin)).expect(&told.text);
    let url = format!("{}{}", f.guest().base(), line.replace("https://admin.example.com", ""));
    let browser = Browser::new();
    let page = browser.opens(&url).await;
    assert!(page.text.contains("Ada") && page.text.contains("An account as a developer"), "{page:?}");
    let form = PageForm::on(&page);
    // Taken off the list, its holder decides nothing.
    let rule = json!({
        "event": "subscription_approval_created", "type": "email", "contact_point_ids": [list],
    });
    product.update(json!({ "notifications": [] })).await.expect(200);
    assert_eq!(browser.posts_form(&form.with("verdict", "accept")).await.status, 404);
    product.update(json!({ "notifications": [rule] })).await.expect(200);
    assert_eq!(browser.posts_form(&form.with("verdict", "accept")).await.status, 200);
    assert_eq!(browser.posts_form(&form.with("verdict", "reject")).await.status, 409);
    let approval = f.admin().await.get("/api/approvals").await.expect(200)["list"][0].clone();
    assert_eq!(
        (&approval["result"], &approval["operator_name"]),
        (&json!("accepted"), &json!("ops@example.com"))
    );
}

#[tokio::test]
async fn a_webhook_is_told_of_a_registration_that_waits() {
    let f = started().await;
    let hook = Webhook::start().await;
    let point = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", point).await.expect(200);
    telling(&f, "webhook", &[&text(&made["value"]["id"])]).await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let call = hook.has_heard(1).await.remove(0);
    let told: Value = serde_json::from_slice(&call.body).unwrap();
    let pending = f.admin().await.get("/api/approvals?status=pending").await.expect(200)["list"][0].clone();
    assert_eq!(
        told,
        json!({
            "id": pending["id"], "event": "developer_registration_created", "applicant": "Ada", "resource": "Ada",
            "applied_at": pending["applied_at"],
        })
    );
}
