//! Links in mails to people who register at the site or forgot their password, and what is typed on the pages that they
//! lead to.

use forecourt_it::{Browser, Client, MailTrouble, PageForm, deadlines::eventually, installations::text};

use super::{
    developers::LINK,
    installations::{Installation, MARK},
    places::Findings,
};
use crate::notifications::DELIVERIES;

/// What a page may show whose address is a link: the link's token and the form's own.
const SHOWN: [&str; 2] = [LINK, "csrf token"];
/// What stands before a token in a mail.
const BEGINS: [&str; 2] = ["?token=", "/approvals/links/"];

/// Somebody uses both links to their end, somebody leaves a link to a new password unused and somebody else one that
/// proves an address, and somebody's link is refused by a mail server that quotes it.
pub(super) async fn to_people(it: &mut Installation, admin: &Client, findings: &mut Findings) {
    let site = it.client("site").base().to_owned();
    for name in ["ada", "carol", "bob"] {
        let (email, password) =
            (format!("{name}@people.example"), it.secrets.given("password typed at sign-up"));
        signs_up(&site, &email, &password).await;
        let link = mailed(it, &email, "/verify").await;
        if name != "bob" {
            proves(it, &link, &password, findings).await;
            let browser = Browser::new();
            let form = PageForm::on(&browser.opens(&format!("{site}/reset")).await);
            assert_eq!(browser.posts_form(&form.with("email", &email)).await.status, 200);
            let link = mailed(it, &email, "/reset/new").await;
            if name == "ada" {
                chooses(it, &email, &link, findings).await;
            }
        }
    }
    quoted(it, admin, &site).await;
    made_up(it, &site, findings).await;
    let mails = [it.mails.mails(), it.mails.refused()].concat();
    for mail in mails {
        for begin in BEGINS {
            for token in mail.text.split(begin).skip(1).filter_map(|rest| rest.split_whitespace().next()) {
                it.secrets.keep(LINK, token);
            }
        }
    }
}

async fn signs_up(site: &str, email: &str, password: &str) {
    let browser = Browser::new();
    let form = PageForm::on(&browser.opens(&format!("{site}/sign-up")).await);
    let form = form.with("name", MARK).with("email", email).with("password", password);
    let done = browser.posts_form(&form).await;
    assert_eq!(done.status, 303, "{}", done.text);
}

/// The address of the link to `path` that was mailed to `email`.
async fn mailed(it: &mut Installation, email: &str, path: &str) -> String {
    let begin = format!("{}{path}?token=", it.client("site").base());
    let token = eventually(&format!("a link to {path} is mailed to {email}"), || async {
        let mails = it.mails.mails();
        let own = mails.iter().filter(|mail| mail.to == email);
        own.filter_map(|mail| mail.text.split_once(&begin)).find_map(|(_, rest)| {
            let token = rest.split_whitespace().next();
            token.map(str::to_owned)
        })
    })
    .await;
    it.secrets.keep(LINK, &token);
    format!("{begin}{token}")
}

/// The form at a link, in a fresh browser.
async fn form_at(it: &mut Installation, link: &str, findings: &mut Findings) -> (Browser, PageForm) {
    let browser = Browser::new();
    let page = browser.opens(link).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let form = PageForm::on(&page);
    it.secrets.keep("csrf token", form.field("csrf"));
    findings.look(&it.secrets, "page of a link", page.text.as_bytes(), "<form", &SHOWN);
    (browser, form)
}

/// Proves an address, after a wrong password.
async fn proves(it: &mut Installation, link: &str, password: &str, findings: &mut Findings) {
    let (browser, form) = form_at(it, link, findings).await;
    let wrong = it.secrets.given("password typed at a link");
    let refused = browser.posts_form(&form.with("password", &wrong)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    findings.look(&it.secrets, "refused proof", refused.text.as_bytes(), "<form", &SHOWN);
    let proved = browser.posts_form(&form.with("password", password)).await;
    assert_eq!(proved.status, 303, "{}", proved.text);
}

/// Chooses a password, after two that differ, and signs in with it.
async fn chooses(it: &mut Installation, email: &str, link: &str, findings: &mut Findings) {
    let (browser, form) = form_at(it, link, findings).await;
    let mut typed = || it.secrets.given("password chosen by a link");
    let (chosen, other) = (typed(), typed());
    let refused = browser.posts_form(&form.with("password", &chosen).with("again", &other)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    findings.look(&it.secrets, "refused password", refused.text.as_bytes(), "<form", &SHOWN);
    let done = browser.posts_form(&form.with("password", &chosen).with("again", &chosen)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let sign_in = PageForm::on(&browser.opens(done.next().unwrap().as_str()).await);
    let sign_in = sign_in.with("username", email).with("password", &chosen);
    assert_eq!(browser.posts_form(&sign_in).await.status, 303);
    it.secrets.keep("session of a developer", &browser.cookie("portal_session").unwrap());
}

/// A registration whose mail is refused for the link in it, which the mail server quotes.
async fn quoted(it: &mut Installation, admin: &Client, site: &str) {
    it.mails.has(MailTrouble::QuotesLinks);
    let password = it.secrets.given("password typed at sign-up");
    let email = "dora@people.example";
    signs_up(site, email, &password).await;
    // Mails of others may be refused for their links too.
    let dead = eventually("mails are given up", || async {
        let refused = it.mails.refused();
        let dead = admin.get(&format!("{DELIVERIES}?state=dead")).await.expect(200);
        let is_known = dead["list"].as_array().unwrap().len() >= refused.len();
        (is_known && refused.iter().any(|mail| mail.to == email)).then_some(dead)
    })
    .await;
    it.mails.has(MailTrouble::None);
    let errors: Vec<_> =
        dead["list"].as_array().unwrap().iter().map(|row| text(&row["last_error"])).collect();
    assert!(errors.iter().any(|error| error.ends_with("/verify?token=******")), "{errors:?}");
}

/// Links that nobody was mailed.
async fn made_up(it: &mut Installation, site: &str, findings: &mut Findings) {
    let console = it.client("admin").base().to_owned();
    for path in ["/verify?token=", "/reset/new?token=", "/approvals/links/"] {
        let base = if path.starts_with("/approvals") { &console } else { site };
        let token = it.secrets.plain(LINK);
        let page = Browser::new().opens(&format!("{base}{path}{token}")).await;
        assert_eq!(page.status, 404, "{}", page.text);
        findings.look(&it.secrets, "page of no link", page.text.as_bytes(), "<html", &[]);
    }
}
