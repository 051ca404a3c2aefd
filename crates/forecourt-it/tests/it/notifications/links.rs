//! Links in mails, with which whoever has the mail decides once, without signing in.

use std::time::Duration;

use forecourt_it::{Browser, Forecourt, Mail, MailSink, MailTrouble, Page, PageForm, installations::text};
use serde_json::json;

use super::{DELIVERIES, asks, decide, mailing_list, mails_by, started, telling, there_are};

const BEGIN: &str = "https://admin.example.com/approvals/links/";

/// The path that the link of a mail leads to at the console.
fn link(mail: &Mail) -> String {
    let line = mail.text.lines().find(|line| line.starts_with(BEGIN));
    line.expect(&mail.text).replace("https://admin.example.com", "")
}

async fn opened(f: &Forecourt, browser: &Browser, link: &str) -> Page {
    browser.opens(&format!("{}{link}", f.guest().base())).await
}

/// A Forecourt in which somebody asks, and the mails that tell two approvers.
async fn asked() -> (Forecourt, MailSink, Vec<Mail>) {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ann@example.com", "bob@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    asks(&f, &product).await;
    let mut mails = sink.has_taken(2).await;
    mails.sort_by(|one, other| one.to.cmp(&other.to));
    (f, sink, mails)
}

async fn status_of_approval(f: &Forecourt) -> serde_json::Value {
    f.admin().await.get("/api/approvals").await.expect(200)["list"][0].clone()
}

#[tokio::test]
async fn a_link_shows_what_it_decides_and_decides_once() {
    let (f, _sink, mails) = asked().await;
    let (own, others) = (link(&mails[0]), link(&mails[1]));
    assert_ne!(own, others, "each recipient has a link of their own");
    let browser = Browser::new();
    // Looking changes nothing, however often programs look.
    for _ in 0..3 {
        let page = opened(&f, &browser, &own).await;
        assert!(page.status == 200 && page.text.contains("Orders") && page.text.contains("ada"), "{page:?}");
    }
    assert_eq!(status_of_approval(&f).await["status"], "pending");
    let form = PageForm::on(&opened(&f, &browser, &own).await);
    let stale = form.with("csrf", "0").with("verdict", "accept");
    assert_eq!(browser.posts_form(&stale).await.status, 403, "a form from elsewhere decides nothing");
    assert_eq!(browser.posts_form(&form.with("verdict", "perhaps")).await.status, 200);
    assert_eq!(status_of_approval(&f).await["status"], "pending");
    let done = browser.posts_form(&form.with("verdict", "accept")).await;
    assert!(done.status == 200 && done.text.contains("You accepted the request"), "{done:?}");
    let approval = status_of_approval(&f).await;
    assert_eq!((&approval["status"], &approval["result"]), (&json!("finished"), &json!("accepted")));
    assert_eq!(approval["operator_name"], "ann@example.com", "{approval}");

    let used = opened(&f, &browser, &own).await;
    assert!(used.text.contains("used already") && !used.text.contains("<form"), "{used:?}");
    let again = browser.posts_form(&form.with("verdict", "reject")).await;
    assert!(again.status == 409 && again.text.contains("used already"), "{again:?}");
    let late = opened(&f, &Browser::new(), &others).await;
    assert!(late.text.contains("already decided"), "{late:?}");
}

#[tokio::test]
async fn a_link_rejects_with_a_reason() {
    let (f, sink, mails) = asked().await;
    let browser = Browser::new();
    let form = PageForm::on(&opened(&f, &browser, &link(&mails[1])).await);
    let form = form.with("verdict", "reject").with("reason", "No contract.");
    assert!(browser.posts_form(&form).await.text.contains("You rejected the request"));
    let approval = status_of_approval(&f).await;
    assert_eq!(
        (&approval["result"], &approval["operator_name"]),
        (&json!("rejected"), &json!("bob@example.com"))
    );
    let told = sink.has_taken(4).await;
    assert!(told[2].text.contains("Reason: No contract."), "{}", told[2].text);
    assert!(told.iter().skip(2).all(|mail| !mail.text.contains(BEGIN)), "what is decided needs no link");
}

#[tokio::test]
async fn a_link_is_too_old_after_a_week_and_one_that_is_none_leads_nowhere() {
    let (f, _sink, mails) = asked().await;
    let browser = Browser::new();
    let own = link(&mails[0]);
    let form = PageForm::on(&opened(&f, &browser, &own).await);
    f.advance(Duration::from_secs(7 * 86_400));
    let old = opened(&f, &browser, &own).await;
    assert!(old.text.contains("older than a week"), "{old:?}");
    assert_eq!(browser.posts_form(&form.with("verdict", "accept")).await.status, 409);
    assert_eq!(status_of_approval(&f).await["status"], "pending");
    let mut pages = Vec::new();
    for wrong in ["x", &"A".repeat(43), "%00", "..%2f.."] {
        let page = opened(&f, &Browser::new(), &format!("/approvals/links/{wrong}")).await;
        assert_eq!(page.status, 404, "{wrong}: {page:?}");
        pages.push(page.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap().to_owned());
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "they differ: {pages:?}");
    assert!(pages[0].contains("leads nowhere"));
}

#[tokio::test]
async fn a_link_that_was_mailed_decides_nothing_while_links_are_switched_off() {
    let (mut f, _sink, mails) = asked().await;
    let (own, browser) = (link(&mails[0]), Browser::new());
    let form = PageForm::on(&opened(&f, &browser, &own).await);
    f.restart_with(|settings| settings.notifications.approval_links = false).await;
    let page = opened(&f, &browser, &own).await;
    assert!(page.text.contains("decide nothing here any more") && !page.text.contains("<form"), "{page:?}");
    let action = format!("{}{own}", f.guest().base()).parse().unwrap();
    let form = PageForm { action, ..form };
    let refused = browser.posts_form(&form.with("verdict", "accept")).await;
    assert!(refused.status == 409 && refused.text.contains("decide nothing here any more"), "{refused:?}");
    assert_eq!(status_of_approval(&f).await["status"], "pending");
    f.restart_with(|settings| settings.notifications.approval_links = true).await;
    let page = opened(&f, &browser, &own).await;
    assert!(page.text.contains("<form"), "it works again: {page:?}");
}

#[tokio::test]
async fn a_decision_elsewhere_ends_every_link() {
    let (f, _sink, mails) = asked().await;
    decide(&f, "reject", json!({})).await;
    for mail in &mails {
        let page = opened(&f, &Browser::new(), &link(mail)).await;
        assert!(page.text.contains("already decided"), "{page:?}");
    }
}

#[tokio::test]
async fn a_mail_that_is_sent_again_has_no_link_that_decides_nothing_any_more() {
    let (f, sink, mails) = asked().await;
    assert!(mails.iter().all(|mail| mail.text.contains(BEGIN)));
    let sent = there_are(&f, 2, "state=delivered").await;
    let again = |place: usize| format!("{DELIVERIES}/{}/resend", text(&sent[place]["id"]));
    f.admin().await.post(&again(0), json!({})).await.expect(200);
    assert!(sink.has_taken(3).await[2].text.contains(BEGIN), "within its week it works");
    f.advance(Duration::from_secs(8 * 86_400));
    f.admin().await.post(&again(1), json!({})).await.expect(200);
    let mail = &sink.has_taken(4).await[3];
    assert!(!mail.text.contains(BEGIN) && mail.text.contains("https://admin.example.com"), "{}", mail.text);
}

#[tokio::test]
async fn an_address_that_was_taken_off_its_list_is_mailed_nothing_that_waited() {
    let f = started().await;
    let sink = MailSink::start().await;
    sink.has(MailTrouble::Greylists);
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ann@example.com", "bob@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    asks(&f, &product).await;
    let waits = |delivery: &serde_json::Value| delivery["last_error"].is_string();
    forecourt_it::deadlines::eventually("both were put off", || async {
        let waiting = there_are(&f, 2, "state=waiting").await;
        waiting.iter().all(waits).then_some(())
    })
    .await;
    let body = json!({ "name": "Operations", "type": "email", "addresses": ["bob@example.com"] });
    f.admin().await.put(&format!("/api/contact_points/{list}"), body).await.expect(200);
    sink.has(MailTrouble::None);
    f.advance(Duration::from_secs(60));
    let [dead] = &there_are(&f, 1, "state=dead").await[..] else { panic!("one") };
    assert_eq!(
        (&dead["address"], &dead["last_error"]),
        (&json!("ann@example.com"), &json!("the contact point has this address no longer"),)
    );
    let mails = sink.has_taken(1).await;
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, "bob@example.com"));
}

#[tokio::test]
async fn without_an_address_of_the_console_or_against_the_operators_will_mails_hold_no_link() {
    // Nobody asked for links in the second.
    for (links, url) in [(Some(true), ""), (None, "https://admin.example.com")] {
        let f = Forecourt::start_with(|settings| {
            if let Some(links) = links {
                settings.notifications.approval_links = links;
            }
            settings.admin.public_url = url.into();
        })
        .await;
        let sink = MailSink::start().await;
        mails_by(&f, &sink).await;
        let list = mailing_list(&f, &["ops@example.com"]).await;
        asks(&f, &telling(&f, "email", &[&list]).await).await;
        let mails = sink.has_taken(1).await;
        assert!(!mails[0].text.contains("/approvals/links/"), "{}", mails[0].text);
    }
}

#[tokio::test]
async fn who_is_no_longer_told_of_requests_decides_nothing_by_a_link_from_before() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ann@example.com", "bob@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    asks(&f, &product).await;
    let mut mails = sink.has_taken(2).await;
    mails.sort_by(|one, other| one.to.cmp(&other.to));
    let (ann, bob) = (link(&mails[0]), link(&mails[1]));
    let browser = Browser::new();
    let form = PageForm::on(&opened(&f, &browser, &bob).await);

    let path = format!("/api/contact_points/{list}");
    f.admin().await.put(&path, json!({ "addresses": ["ann@example.com"] })).await.expect(200);
    let page = opened(&f, &browser, &bob).await;
    assert!(page.status == 404 && page.text.contains("leads nowhere"), "{page:?}");
    assert!(!page.text.contains("Orders"), "{page:?}");
    assert_eq!(browser.posts_form(&form.with("verdict", "accept")).await.status, 404);
    assert_eq!(status_of_approval(&f).await["status"], "pending");
    assert_eq!(opened(&f, &browser, &ann).await.status, 200, "who is still on the list may");

    // The product tells nobody any more, so the contact point may go too.
    product.update(json!({ "notifications": [] })).await.expect(200);
    assert_eq!(opened(&f, &browser, &ann).await.status, 404);
    f.admin().await.delete(&path).await.expect(200);
    assert_eq!(opened(&f, &browser, &ann).await.status, 404);
    assert_eq!(status_of_approval(&f).await["status"], "pending");
}

#[tokio::test]
async fn what_a_mail_server_quotes_of_a_link_is_written_down_nowhere() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    sink.has(MailTrouble::QuotesLinks);
    let list = mailing_list(&f, &["ops@example.com"]).await;
    asks(&f, &telling(&f, "email", &[&list]).await).await;
    let dead = there_are(&f, 1, "state=dead").await.remove(0);
    let whole = f.admin().await.get(&format!("{DELIVERIES}/{}", text(&dead["id"]))).await.expect(200);
    for told in [&dead["last_error"], &whole["value"]["log"][0]["error"]] {
        assert!(text(told).ends_with(&format!("no links, please: {BEGIN}******")), "{told}");
    }
}
