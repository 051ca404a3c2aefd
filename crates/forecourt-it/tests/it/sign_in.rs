//! Signing in under attack: passwords that change meanwhile, many attempts at once, registrations and links by the dozen.

use forecourt_it::{Browser, Forecourt, installations::text};
use serde_json::json;

#[tokio::test]
async fn a_sign_in_that_overlaps_a_password_reset_leaves_no_session_behind() {
    let f = Forecourt::start().await;
    for round in 0..8 {
        let name = format!("ann{round}");
        let invited =
            f.admin().await.post("/api/invites", json!({ "username": name, "password": "old" })).await;
        let id = text(&invited.expect(200)["value"]["id"]);
        let guest = f.guest();
        let sign_in = guest.post("/api/login", json!({ "username": name, "password": "old" }));
        let path = format!("/api/users/{id}/password_reset");
        let admin = f.admin().await;
        let reset = admin.put(&path, json!({ "password": "new" }));
        let (signed_in, reset) = tokio::join!(sign_in, reset);
        reset.expect(200);
        if let Some(cookie) = signed_in.header("set-cookie") {
            let session = cookie.split(';').next().unwrap();
            f.guest().with("cookie", session).get("/api/me").await.refused(401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn attempts_at_the_same_time_do_not_slip_past_the_limit_together() {
    let f = Forecourt::start().await;
    f.admin().await;
    let attempts = (0..30).map(|_| {
        let guest = f.guest();
        tokio::spawn(
            async move { guest.post("/api/login", json!({ "username": "ann", "password": "no" })).await },
        )
    });
    let attempts: Vec<_> = attempts.collect();
    let mut limited = 0;
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        if answer.status.as_u16() == 429 {
            assert!(answer.header("retry-after").is_some());
            limited += 1;
        } else {
            answer.refused(401, "unauthorized");
        }
    }
    assert_eq!(limited, 10, "20 failures within 5 minutes are answered plainly, the rest is told to wait");
}

#[tokio::test]
async fn right_passwords_at_the_same_time_do_not_keep_each_other_out() {
    let f = Forecourt::start().await;
    f.admin().await;
    // A password that was not shown before, so that every call finds the slow check still running.
    let invited =
        f.admin().await.post("/api/invites", json!({ "username": "ann", "password": "first" })).await;
    invited.expect(200);
    let first = f.guest().with_basic("ann", "first");
    first.put("/api/password", json!({ "new_password": "second" })).await.expect(200);
    let calls = (0..60).map(|_| {
        let ann = f.guest().with_basic("ann", "second");
        tokio::spawn(async move { ann.get("/api/me").await.status.as_u16() })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn registrations_from_one_address_are_limited() {
    let f = Forecourt::start_with(|settings| settings.security.failed_sign_ins.per_address = 2).await;
    let url = format!("{}/sign-up", f.site().base());
    for (name, expected) in [("ada", 303), ("bob", 303), ("cid", 429)] {
        let browser = Browser::new();
        let html = browser.opens(&url).await.text;
        let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let email = format!("{name}@example.com");
        let password = "correct horse battery";
        let fields = [("csrf", csrf), ("name", name), ("email", email.as_str()), ("password", password)];
        let before = f.app().password_hashes();
        let answer = browser.posts(&url, &fields).await;
        assert_eq!(answer.status.as_u16(), expected, "{name}: {answer:?}");
        let hashes = u64::from(expected == 303);
        assert_eq!(f.app().password_hashes() - before, hashes, "who is told to wait costs nothing");
    }
}

#[tokio::test]
async fn unknown_approval_links_count_against_their_address() {
    let f = Forecourt::start_with(|settings| settings.security.failed_sign_ins.per_address = 2).await;
    for expected in [404, 404, 429] {
        let page = f.guest().get("/approvals/links/nothing-of-ours").await;
        assert_eq!(page.status.as_u16(), expected, "{page:?}");
    }
}
