//! A new password for a forgotten one, by a link in a mail.

use std::time::Duration;

use forecourt_it::{Browser, Forecourt, MailSink, Page, PageForm};
use forecourt_store::Store;

use super::{
    notifications::{deliveries, started},
    registrations_by_mail::{
        FRESH, PASSWORD, asks_for_mail, is_verified, link, mails_links_by, opened, signs_in, signs_up,
    },
    store::location,
};

const NEW: &str = "another good password";

/// Somebody who registered before mail was sent, and is signed in.
async fn registered() -> (Forecourt, MailSink, Browser) {
    let f = started().await;
    let ada = Browser::new();
    signs_up(&f, &ada, "ada@example.com").await;
    assert!(ada.cookie("portal_session").is_some());
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    (f, sink, ada)
}

/// Asks for a link: the path of the newest of the mails, which are so many then.
async fn asks(f: &Forecourt, sink: &MailSink, mails: usize) -> String {
    assert_eq!(asks_for_mail(f, "/reset", "Ada@example.com").await.status, 200);
    let mail = sink.has_taken(mails).await.remove(mails - 1);
    assert_eq!(mail.header("Subject"), "Choose a new password for the developer portal");
    link(&mail)
}

async fn form_at(f: &Forecourt, browser: &Browser, link: &str) -> PageForm {
    PageForm::on(&opened(f, browser, link).await)
}

async fn chooses(browser: &Browser, form: &PageForm, password: &str) -> Page {
    browser.posts_form(&form.with("password", password).with("again", password)).await
}

#[tokio::test]
async fn who_has_the_mail_chooses_a_password_once_and_every_session_ends() {
    let (f, sink, ada) = registered().await;
    let link = asks(&f, &sink, 1).await;
    for _ in 0..3 {
        assert_eq!(opened(&f, &Browser::new(), &link).await.status, 200, "looking uses nothing up");
    }
    let browser = Browser::new();
    let form = form_at(&f, &browser, &link).await;
    let short = chooses(&browser, &form, "short").await;
    assert!(short.status == 422 && short.text.contains("at least 8 characters"), "{short:?}");
    let differs = browser.posts_form(&form.with("password", NEW).with("again", PASSWORD)).await;
    assert!(differs.status == 422 && differs.text.contains("differ"), "{differs:?}");
    let done = chooses(&browser, &form, NEW).await;
    assert_eq!(done.next().unwrap().path(), "/sign-in");
    assert_eq!(chooses(&browser, &form, "a third good password").await.status, 404, "a link works once");
    assert_eq!(opened(&f, &browser, &link).await.status, 404);

    let changed = sink.has_taken(2).await.remove(1);
    assert_eq!(changed.header("Subject"), "Your password was changed");
    assert!(!changed.text.contains("?token="), "{}", changed.text);
    assert_eq!(opened(&f, &ada, "/account").await.next().unwrap().path(), "/sign-in", "the session ended");
    assert_eq!(signs_in(&f, &Browser::new(), "ada@example.com", PASSWORD).await.status, 422);
    assert_eq!(is_verified(&f).await, true, "whoever has the mail has the address");
    let again = Browser::new();
    signs_in(&f, &again, "ada@example.com", NEW).await;
    assert!(again.cookie("portal_session").is_some());
}

#[tokio::test]
async fn an_unknown_address_is_answered_the_same_and_is_mailed_nothing() {
    let (f, sink, _ada) = registered().await;
    let unknown = asks_for_mail(&f, "/reset", "nobody@example.com").await;
    let known = asks_for_mail(&f, "/reset", "ada@example.com").await;
    let told =
        |page: &Page| page.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap().to_owned();
    assert_eq!((unknown.status, told(&unknown)), (known.status, told(&known)));
    assert_eq!(sink.has_taken(1).await[0].to, "ada@example.com");
    let sent = deliveries(&f, "event=password_forgotten").await;
    assert_eq!(sent.len(), 1, "{sent:?}");
}

#[tokio::test]
async fn a_link_ends_with_its_hour_with_the_use_of_another_and_with_another_password() {
    let (f, sink, ada) = registered().await;
    let first = asks(&f, &sink, 1).await;
    f.advance(FRESH);
    let second = asks(&f, &sink, 2).await;
    for link in [&first, &second] {
        assert_eq!(opened(&f, &Browser::new(), link).await.status, 200, "a newer one ends none");
    }
    f.advance(Duration::from_secs(3_420));
    assert_eq!(opened(&f, &Browser::new(), &first).await.status, 404, "it is too old");
    let browser = Browser::new();
    let third = asks(&f, &sink, 3).await;
    let form = form_at(&f, &browser, &second).await;
    assert_eq!(chooses(&browser, &form, NEW).await.status, 303);
    assert_eq!(opened(&f, &Browser::new(), &third).await.status, 404, "another was used");
    sink.has_taken(4).await;
    signs_in(&f, &ada, "ada@example.com", NEW).await;
    let fourth = asks(&f, &sink, 5).await;
    let page = opened(&f, &ada, "/account/password").await;
    let mut form = PageForm::on(&page);
    // The frame has a form too; its token is the same.
    form.action = page.url.clone();
    let form = form.with("current", NEW).with("password", PASSWORD).with("again", PASSWORD);
    assert_eq!(ada.posts_form(&form).await.status, 303);
    assert_eq!(opened(&f, &Browser::new(), &fourth).await.status, 404, "the password was changed");
}

#[tokio::test]
async fn whoever_asks_for_resets_in_anothers_place_neither_ends_their_link_nor_keeps_them_from_one() {
    let (f, sink, _ada) = registered().await;
    let link = asks(&f, &sink, 1).await;
    for _ in 0..12 {
        assert_eq!(asks_for_mail(&f, "/reset", "ada@example.com").await.status, 200);
    }
    assert_eq!(asks_for_mail(&f, "/verify", "ada@example.com").await.status, 200);
    // It was asked for last and is told last: nothing came of what was asked for before.
    let mails = sink.has_taken(2).await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[1].header("Subject"), "Confirm your e-mail address for the developer portal");
    assert_eq!(deliveries(&f, "event=password_forgotten").await.len(), 1);
    let browser = Browser::new();
    let form = form_at(&f, &browser, &link).await;
    assert_eq!(chooses(&browser, &form, NEW).await.status, 303);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_wins() {
    let (f, sink, _ada) = registered().await;
    let link = asks(&f, &sink, 1).await;
    let (one, other) = (Browser::new(), Browser::new());
    let (first, second) = (form_at(&f, &one, &link).await, form_at(&f, &other, &link).await);
    let (first, second) =
        tokio::join!(chooses(&one, &first, NEW), chooses(&other, &second, "a third good password"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    assert_eq!(sink.has_taken(2).await[1].header("Subject"), "Your password was changed");
    assert_eq!(deliveries(&f, "event=password_changed").await.len(), 1);
}

#[tokio::test]
async fn a_link_that_was_never_issued_says_nothing() {
    let (f, _sink, _ada) = registered().await;
    for wrong in ["", "x", "%00", "a7lnk-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let page = opened(&f, &Browser::new(), &format!("/reset/new?token={wrong}")).await;
        assert!(page.status == 404 && page.text.contains("This link does not work"), "{wrong}: {page:?}");
    }
}

#[tokio::test]
async fn a_page_whose_address_is_a_secret_tells_it_to_nobody_and_is_kept_by_nobody() {
    let (f, sink, _ada) = registered().await;
    let own = asks(&f, &sink, 1).await;
    let links = [own.as_str(), "/reset/new?token=made-up", "/verify?token=made-up"];
    for link in links {
        let page = opened(&f, &Browser::new(), link).await;
        assert_eq!(page.headers["referrer-policy"], "no-referrer", "{link}");
        assert_eq!(page.headers["cache-control"], "no-store", "{link}");
    }
    let approval = f.guest().get("/approvals/links/made-up").await;
    assert_eq!(approval.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(approval.header("cache-control"), Some("no-store"));
    // Without a token an address is no secret.
    for path in ["/reset", "/sign-in"] {
        assert_eq!(
            opened(&f, &Browser::new(), path).await.headers["referrer-policy"],
            "same-origin",
            "{path}"
        );
    }
    let browser = Browser::new();
    let form = form_at(&f, &browser, &own).await;
    assert_eq!(chooses(&browser, &form, NEW).await.status, 303);
}

#[tokio::test]
async fn whoever_tries_tokens_waits_after_a_hundred_and_a_link_still_works() {
    let (f, sink, _ada) = registered().await;
    let own = asks(&f, &sink, 1).await;
    let mut last = 0;
    for n in 0..102 {
        let path = if n % 2 == 0 { "/reset/new" } else { "/verify" };
        let page = f.site().get(&format!("{path}?token=made-up-{n}")).await;
        last = page.status.into();
        assert!(last == 404 || (last == 429 && n >= 99), "{n}: {page:?}");
    }
    assert_eq!(last, 429);
    assert_eq!(opened(&f, &Browser::new(), &own).await.status, 200, "whoever has a link has not failed");
}

#[tokio::test]
async fn sessions_that_ended_are_gone_once_somebody_registers_or_signs_in() {
    let f = started().await;
    let store = Store::open(&location(f.database())).await.unwrap();
    let left = async || {
        let tx = store.begin().await.unwrap();
        tx.delete_ended_sessions(f.app().now()).await.unwrap()
    };
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    f.advance(Duration::from_hours(24 * 400));
    assert_eq!(left().await, 1, "it has ended, and is there");
    signs_up(&f, &Browser::new(), "bob@example.com").await;
    assert_eq!(left().await, 0);
    let browser = Browser::new();
    signs_in(&f, &browser, "ada@example.com", PASSWORD).await;
    assert!(browser.cookie("portal_session").is_some());
    assert_eq!(left().await, 0);
}
