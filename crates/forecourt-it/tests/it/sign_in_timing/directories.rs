//! A directory is asked as much for a name that it does not know as for a wrong password, at each door that leads to it.

use std::sync::{Arc, Mutex};

use forecourt_it::{
    Browser, Directory, Forecourt, PageForm,
    directories::{BASE_DN, BIND_DN, BIND_PASSWORD},
    installations::text,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use super::{WRONG, patient};

/// Requests that are answered: `BindRequest` and `SearchRequest` (RFC 4511 §4.2 and §4.5.1).
const ANSWERED: [u8; 2] = [0x60, 0x63];

/// A port that leads to `port`, and what everybody sent on the way.
async fn relay(port: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
    let heard = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((asking, _)) = listener.accept().await {
            let (mut from, mut back) = asking.into_split();
            let (mut answers, mut on) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
            tokio::spawn(async move { copy(&mut answers, &mut back).await });
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut part = [0; 4_096];
                // Heard before it is sent on, so before anybody could answer it.
                while let Ok(length @ 1..) = from.read(&mut part).await {
                    heard.lock().unwrap().extend(&part[..length]);
                    on.write_all(&part[..length]).await.ok();
                }
            });
        }
    });
    (own, sent)
}

/// The tags of the requests in `sent` that are answered.
fn requests(mut sent: &[u8]) -> Vec<u8> {
    let mut tags = Vec::new();
    while let Some((tag, rest)) = request(sent) {
        tags.push(tag);
        sent = rest;
    }
    tags.retain(|tag| ANSWERED.contains(tag));
    tags
}

/// The tag of the first whole message (RFC 4511 §4.1.1), and what follows it.
fn request(sent: &[u8]) -> Option<(u8, &[u8])> {
    let [0x30, length, rest @ ..] = sent else { return None };
    let (length, rest) = match (*length, rest) {
        (0x81, [length, rest @ ..]) => (usize::from(*length), rest),
        (0x82, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        (short @ ..=0x7f, rest) => (usize::from(short), rest),
        _ => return None,
    };
    let (message, rest) = rest.split_at_checked(length)?;
    // Its number is an integer of so many bytes; the request follows it.
    let [0x02, number, message @ ..] = message else { return None };
    Some((*message.get(usize::from(*number))?, rest))
}

#[test]
fn requests_are_read_off_a_stream() {
    let bind = [0x30, 5, 0x02, 1, 1, 0x60, 0];
    let search = [[0x30, 0x81, 6, 0x02, 2, 1, 0].as_slice(), &[0x63, 0]].concat();
    let unbind = [0x30, 5, 0x02, 1, 3, 0x42, 0];
    let whole = [bind.as_slice(), &search, &unbind, &bind, &bind[..4]].concat();
    assert_eq!(requests(&whole), [0x60, 0x63, 0x60]);
}

async fn by_api(f: &Forecourt, option: &str, name: &str) {
    let person = json!({ "username": name, "password": WRONG });
    f.guest().post(&format!("/api/ldap/{option}/login"), person).await.refused(401, "unauthorized");
}

async fn by_page(f: &Forecourt, option: &str, name: &str) {
    let (browser, url) = (Browser::new(), format!("{}/sign-in?option={option}", f.guest().base()));
    let form = PageForm::on(&browser.opens(&url).await).with("username", name).with("password", WRONG);
    assert_eq!(browser.posts_form(&form).await.status, 422, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_asked_as_much_for_an_unknown_name_as_for_a_wrong_password() {
    let f = patient().await;
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = Directory::start(&own.cert.pem(), &own.signing_key.serialize_pem());
    let (port, sent) = relay(directory.port()).await;
    let config = json!({
        "host": "127.0.0.1", "port": port.to_string(), "base_dn": BASE_DN, "bind_dn": BIND_DN,
        "bind_password": BIND_PASSWORD, "identifier": "uid",
    });
    let option = json!({ "name": "Directory", "provider_type": "ldap", "ldap_config": config });
    let made = f.admin().await.post("/api/login_options", option).await.expect(200);
    let option = text(&made["value"]["id"]);
    for is_page in [false, true] {
        for name in ["ada", "twin", "eve-unknown"] {
            let (begun, hashes) = (sent.lock().unwrap().len(), f.app().password_hashes());
            if is_page {
                by_page(&f, &option, name).await;
            } else {
                by_api(&f, &option, name).await;
            }
            let asked = requests(&sent.lock().unwrap()[begun..]);
            assert_eq!(asked, [0x60, 0x63, 0x60], "{name}, by a page: {is_page}");
            assert_eq!(f.app().password_hashes(), hashes, "{name}: the directory hashes");
        }
    }
}
