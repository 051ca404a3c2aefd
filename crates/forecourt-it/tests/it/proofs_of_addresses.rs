//! Proofs of addresses against those who register with the address of somebody else.

use forecourt_it::{Browser, Forecourt, Mail, MailSink, Page, PageForm};
use serde_json::Value;

use super::{
    notifications::{deliveries, started},
    registrations_by_mail::{
        PASSWORD, asks_for_mail, is_verified, leads_to, link, mails_links_by, opened, proves, signs_in,
        signs_up,
    },
};

const EVES: &str = "a password of somebody else";
const NEW: &str = "another good password";

async fn mailing() -> (Forecourt, MailSink) {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    (f, sink)
}

/// Registers with the address of `ada`, by another name and password.
async fn eve_registers(f: &Forecourt) -> Page {
    let browser = Browser::new();
    let form = PageForm::on(&opened(f, &browser, "/sign-up").await);
    let form =
        form.with("name", "Visit evil.example").with("email", "ada@example.com").with("password", EVES);
    browser.posts_form(&form).await
}

/// What the page says to a sign-in: its status, and its text without what differs at each look.
async fn said_to(f: &Forecourt, email: &str, password: &str) -> (u16, String) {
    let page = signs_in(f, &Browser::new(), email, password).await;
    let main = page.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    let csrf = PageForm::on(&page).field("csrf").to_owned();
    (page.status.as_u16(), main.replace(&csrf, "").replace(email, "NAME"))
}

async fn developers(f: &Forecourt) -> Value {
    let path = format!("/api/developers?portal_id={}", f.portal_id().await);
    f.admin().await.get(&path).await.expect(200)
}

async fn first(sink: &MailSink) -> Mail {
    sink.has_taken(1).await.remove(0)
}

#[tokio::test]
async fn a_registration_and_a_sign_in_after_it_do_not_tell_whether_there_was_an_account() {
    let (f, sink) = mailing().await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    leads_to(&proves(&f, &Browser::new(), &first(&sink).await, PASSWORD).await, "/sign-in");
    // One is taken, the other is not.
    for email in ["ada@example.com", "bob@example.com"] {
        let browser = Browser::new();
        let form = PageForm::on(&opened(&f, &browser, "/sign-up").await);
        let form = form.with("name", "Eve").with("email", email).with("password", EVES);
        leads_to(&browser.posts_form(&form).await, "/verify");
    }
    let (taken, fresh) =
        (said_to(&f, "ada@example.com", EVES).await, said_to(&f, "bob@example.com", EVES).await);
    assert_eq!(taken, fresh);
    assert!(taken.0 == 422 && taken.1.contains("not confirmed yet"), "{taken:?}");
    assert_eq!(said_to(&f, "nobody@example.com", EVES).await, fresh);
    // Nor does it tell how often it may be tried.
    for email in ["ada@example.com", "bob@example.com"] {
        for _ in 1..20 {
            assert_eq!(signs_in(&f, &Browser::new(), email, EVES).await.status, 422, "{email}");
        }
        assert_eq!(signs_in(&f, &Browser::new(), email, EVES).await.status, 429, "{email}");
    }
}

#[tokio::test]
async fn whoever_registered_with_anothers_address_gets_no_account_by_its_owners_proof() {
    let (f, sink) = mailing().await;
    eve_registers(&f).await;
    let eves = first(&sink).await;
    assert!(!eves.text.contains("evil.example"), "{}", eves.text);
    leads_to(&signs_up(&f, &Browser::new(), "ada@example.com").await, "/verify");
    let own = sink.has_taken(2).await.remove(1);
    assert_eq!(own.header("Subject"), "Confirm your e-mail address for the developer portal");
    assert_eq!(opened(&f, &Browser::new(), &link(&eves)).await.status, 404, "a newer registration ends it");
    let list = developers(&f).await;
    assert_eq!(list["total"], 1, "{list}");
    assert!(!list.to_string().contains("evil.example"), "{list}");
    let approvals = f.admin().await.get("/api/approvals?status=pending").await.expect(200);
    assert!(approvals["total"] == 1 && approvals["list"][0]["applicant_name"] == "Ada", "{approvals}");
    assert_eq!(proves(&f, &Browser::new(), &own, EVES).await.status, 422);
    leads_to(&proves(&f, &Browser::new(), &own, PASSWORD).await, "/sign-in");
    let (ada, eve) = (Browser::new(), Browser::new());
    signs_in(&f, &eve, "ada@example.com", EVES).await;
    assert_eq!(eve.cookie("portal_session"), None);
    signs_in(&f, &ada, "ada@example.com", PASSWORD).await;
    assert!(ada.cookie("portal_session").is_some());
}

#[tokio::test]
async fn a_link_proves_nothing_to_who_does_not_know_the_password_that_it_would_open() {
    let (f, sink) = mailing().await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    first(&sink).await;
    // Registered again after its owner: their link is void, and the new one is not theirs to use.
    eve_registers(&f).await;
    let mail = sink.has_taken(2).await.remove(1);
    let wrong = proves(&f, &Browser::new(), &mail, PASSWORD).await;
    assert!(wrong.status == 422 && wrong.text.contains("/reset"), "{wrong:?}");
    assert_eq!(is_verified(&f).await, false);
    assert_eq!(opened(&f, &Browser::new(), &link(&mail)).await.status, 200, "it works on");

    // A new password by mail is the way of its owner, whoever registers meanwhile.
    assert_eq!(asks_for_mail(&f, "/reset", "ada@example.com").await.status, 200);
    let reset = link(&sink.has_taken(3).await[2]);
    eve_registers(&f).await;
    let ada = Browser::new();
    let form = PageForm::on(&opened(&f, &ada, &reset).await);
    leads_to(&ada.posts_form(&form.with("password", NEW).with("again", NEW)).await, "/sign-in");
    signs_in(&f, &ada, "ada@example.com", NEW).await;
    assert!(ada.cookie("portal_session").is_some());
    eve_registers(&f).await;
    assert_eq!(signs_in(&f, &Browser::new(), "ada@example.com", EVES).await.status, 422);
}

#[tokio::test]
async fn an_account_that_somebody_got_into_before_mail_was_sent_is_not_registered_anew() {
    let f = started().await;
    let ada = Browser::new();
    signs_up(&f, &ada, "ada@example.com").await;
    assert!(ada.cookie("portal_session").is_some());
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    leads_to(&eve_registers(&f).await, "/verify");
    let told = first(&sink).await;
    assert_eq!(told.header("Subject"), "You have an account at the developer portal");
    assert!(!told.text.contains("?token=") && !told.text.contains("evil.example"), "{}", told.text);
    assert!(!opened(&f, &ada, "/account").await.text.contains("evil.example"));
}

#[tokio::test]
async fn of_two_who_prove_an_address_by_one_link_at_once_one_wins() {
    let (f, sink) = mailing().await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let mail = first(&sink).await;
    let (one, other) = (Browser::new(), Browser::new());
    let form = PageForm::on(&opened(&f, &one, &link(&mail)).await).with("password", PASSWORD);
    let others = PageForm::on(&opened(&f, &other, &link(&mail)).await).with("password", PASSWORD);
    let (first, second) = tokio::join!(one.posts_form(&form), other.posts_form(&others));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(is_verified(&f).await, true);
    assert_eq!(deliveries(&f, "event=email_verification_asked").await.len(), 1);
}
