//! Sign-in through a directory.

use std::net::TcpListener;

use forecourt_it::{
    Answer, Browser, Directory, Forecourt,
    directories::{BASE_DN, BIND_DN, BIND_PASSWORD},
};
use serde_json::{Value, json};

use super::{add, console, disable_passwords, me};

const PASSWORD: &str = "a password of ada";

struct Pair {
    certificate: String,
    key: String,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Pair { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

fn directory() -> (Directory, Pair) {
    let pair = pair();
    (Directory::start(&pair.certificate, &pair.key), pair)
}

/// An option of the administrators for the directory at this port, but for `members`.
async fn option(f: &Forecourt, port: u16, members: Value) -> String {
    let mut config = json!({
        "host": "localhost", "port": port.to_string(), "base_dn": BASE_DN, "bind_dn": BIND_DN,
        "bind_password": BIND_PASSWORD, "identifier": "uid",
    });
    config.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    add(f, json!({ "name": "Directory", "provider_type": "ldap", "ldap_config": config })).await
}

async fn sign_in(f: &Forecourt, option: &str, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password });
    f.guest().post(&format!("/api/ldap/{option}/login"), body).await
}

fn session(answer: &Answer) -> Option<String> {
    let line = answer.header("set-cookie")?.strip_prefix("session=")?;
    line.split(';').next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_directory_knows_becomes_a_user_without_roles_and_stays_the_same_one() {
    let f = Forecourt::start().await;
    let (directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    let answer = sign_in(&f, &option, "ada", PASSWORD).await;
    let user = answer.expect(200)["value"].clone();
    assert_eq!((&user["username"], &user["email"]), (&json!("ada"), &json!("ada@analytical.example")));
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Ada"), &json!("Lovelace")));
    assert_eq!((&user["roles"], &user["login_option"]["id"]), (&json!([]), &json!(option)));
    let own = me(&f, session(&answer)).await.expect(200);
    assert_eq!(own["value"]["id"], user["id"]);
    let again = sign_in(&f, &option, "ADA ", PASSWORD).await.expect(200);
    assert_eq!(again["value"]["id"], user["id"], "as the directory compares names");
    let cookie = format!("session={}", session(&answer).unwrap());
    let out = format!("/api/ldap/{option}/logout");
    f.guest().with("cookie", &cookie).post(&out, json!({})).await.expect(200);
    me(&f, session(&answer)).await.refused(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_name_that_is_unknown_ambiguous_or_a_filter_are_answered_alike() {
    let f = Forecourt::start().await;
    let (directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    let wrong = sign_in(&f, &option, "ada", "another").await;
    wrong.refused(401, "unauthorized");
    for (username, password) in [
        ("nobody", PASSWORD),
        ("twin", "a password of twins"),
        ("*", PASSWORD),
        ("ad*", PASSWORD),
        ("*)(uid=*", PASSWORD),
        ("ada)(|(uid=*", PASSWORD),
        ("ada\\2a", PASSWORD),
        ("ada\u{0}", PASSWORD),
        ("uid=ada,ou=a,dc=example,dc=com", PASSWORD),
        ("grace", PASSWORD),
        ("ada", " "),
    ] {
        let refused = sign_in(&f, &option, username, password).await;
        assert_eq!((refused.status, refused.text()), (wrong.status, wrong.text()), "{username:?}");
        assert_eq!(session(&refused), None);
    }
    // The directory itself would take a name without a password for nobody, and say that this is fine.
    sign_in(&f, &option, "ada", "").await.refused(400, "password is required");
    let users = f.admin().await.get("/api/users").await.expect(200);
    assert_eq!(users["total"], 1, "nobody was made: {users}");
    let broken = json!({ "ldap_config": { "bind_password": "another" } });
    f.admin().await.put(&format!("/api/login_options/{option}"), broken).await.expect(200);
    sign_in(&f, &option, "ada", PASSWORD).await.refused(500, "does not work at the moment");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_away_or_silent_holds_up_nobody_for_longer_than_is_set() {
    let f = Forecourt::start().await;
    let (mut directory, _) = directory();
    let away = option(&f, directory.port(), json!({})).await;
    directory.stop();
    sign_in(&f, &away, "ada", PASSWORD).await.refused(500, "does not work at the moment");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let slow = option(&f, port, json!({ "host": "127.0.0.1", "timeout": 1 })).await;
    sign_in(&f, &slow, "ada", PASSWORD).await.refused(500, "does not work at the moment");
    directory.resume();
    sign_in(&f, &away, "ada", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_behind_tls_is_believed_only_by_the_authorities_that_are_set() {
    let f = Forecourt::start().await;
    let (directory, own) = directory();
    let with = async |members: Value| {
        let mut all = json!({ "use_ssl": true });
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let option = option(&f, directory.tls_port(), all).await;
        sign_in(&f, &option, "ada", PASSWORD).await
    };
    with(json!({ "root_ca_cert": own.certificate })).await.expect(200);
    with(json!({ "root_ca_cert": pair().certificate })).await.refused(500, "does not work");
    with(json!({})).await.refused(500, "does not work");
    let by_address = json!({ "root_ca_cert": own.certificate, "host": "127.0.0.1" });
    with(by_address).await.refused(500, "does not work");
    with(json!({ "ssl_verify": false })).await.expect(200);
    let plain = option(&f, directory.port(), json!({ "use_ssl": true, "timeout": 5 })).await;
    sign_in(&f, &plain, "ada", PASSWORD).await.refused(500, "does not work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_guessed_at_a_directory_no_more_often_than_here() {
    let limit = |settings: &mut forecourt::config::Settings| {
        settings.security.failed_sign_ins.per_account = 3;
    };
    let f = Forecourt::start_with(limit).await;
    let (mut directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    for name in ["ada", "ADA", " Ada "] {
        sign_in(&f, &option, name, "another").await.refused(401, "unauthorized");
    }
    directory.stop();
    let limited = sign_in(&f, &option, "ada", PASSWORD).await;
    limited.refused(429, "too many failed attempts");
    assert!(limited.header("retry-after").is_some());
    directory.resume();
    sign_in(&f, &option, "grace", "a password of grace").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_directory_is_not_there() {
    let f = Forecourt::start().await;
    let (directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    let path = format!("/api/login_options/{option}");
    f.admin().await.put(&path, json!({ "disable": true })).await.expect(200);
    sign_in(&f, &option, "ada", PASSWORD).await.refused(404, "not found");
    f.guest().post(&format!("/api/ldap/{option}/logout"), json!({})).await.refused(404, "not found");
    sign_in(&f, "built_in", "admin", "admin").await.refused(404, "not found");
}

/// What stands in a form of this page under this name.
fn hidden(page: &str, name: &str) -> String {
    let place = format!("name=\"{name}\" value=\"");
    let rest = page.split(&place).nth(1).expect("the page has that field");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_asks_for_the_password_of_the_directory_where_ours_are_disabled() {
    let f = Forecourt::start().await;
    let (directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    let browser = Browser::new();
    let address = format!("{}/sign-in", console(&f));
    let both = browser.goes(&address).await.text;
    assert!(both.contains(&format!("/sign-in?option={option}")) && both.contains("Continue with Directory"));
    disable_passwords(&f).await;
    let page = browser.goes(&address).await.text;
    assert_eq!(hidden(&page, "option"), option);
    let csrf = hidden(&page, "csrf");
    let fields = |password| {
        [("csrf", csrf.as_str()), ("option", option.as_str()), ("username", "ada"), ("password", password)]
    };
    for wrong in ["another", ""] {
        let refused = browser.posts(&address, &fields(wrong)).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text.contains("This combination of username and password is not right."));
        assert_eq!(hidden(&refused.text, "option"), option, "the same directory is asked again");
    }
    let signed_in = browser.posts(&address, &fields(PASSWORD)).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text);
    let own = me(&f, browser.cookie("session")).await.expect(200);
    assert_eq!(own["value"]["username"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_through_a_directory_ends_the_session_that_the_browser_had() {
    let f = Forecourt::start().await;
    let (directory, _) = directory();
    let option = option(&f, directory.port(), json!({})).await;
    let before = session(&sign_in(&f, &option, "ada", PASSWORD).await).unwrap();
    let browser = f.guest().with("cookie", &format!("session={before}"));
    let path = format!("/api/ldap/{option}/login");
    let wrong = json!({ "username": "ada", "password": "another" });
    browser.post(&path, wrong).await.refused(401, "unauthorized");
    me(&f, Some(before.clone())).await.expect(200);
    let answer = browser.post(&path, json!({ "username": "ada", "password": PASSWORD })).await;
    answer.expect(200);
    me(&f, Some(before)).await.refused(401, "unauthorized");
    me(&f, session(&answer)).await.expect(200);
}
