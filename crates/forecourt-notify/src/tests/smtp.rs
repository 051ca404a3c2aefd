//! One mail against servers that refuse, stall, lie, and hang up at every step, in the clear and over TLS.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forecourt_core::{deliveries::Outlook, secrets::PlainSecret, smtp_servers::SmtpSecurity};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::smtp::{Envelope, Server, send};

/// How long a server may take that answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one may take that does not.
const SHORT: Duration = Duration::from_millis(300);

/// What a server says to a line; `None`: nothing, for ever; `Some("")`: it hangs up.
type Answers = fn(&str) -> Option<&'static str>;

/// A server that takes everything.
fn willing(line: &str) -> Option<&'static str> {
    Some(match line.split([' ', ':']).next().unwrap_or_default() {
        "(greeting)" => "220-mail.example\r\n220 ready",
        "EHLO" => "250-mail.example\r\n250-SIZE 1000000\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN",
        "AUTH" => "235 2.7.0 welcome",
        "DATA" => "354 go ahead",
        "(mail)" => "250 2.0.0 queued as 7",
        "STARTTLS" => "220 go ahead",
        _ => "250 fine",
    })
}

/// How a sink is reached.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Clear,
    StartTls,
    Tls,
}

struct Sink {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
    tls: Arc<ClientConfig>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    async fn start(answers: Answers, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (acceptor, tls) = certified();
        let memory = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, acceptor) = (Arc::clone(&memory), acceptor.clone());
                tokio::spawn(async move {
                    if way == Way::Tls {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        converse(stream, answers, &memory, true).await;
                    } else if let Some(stream) = converse(stream, answers, &memory, true).await {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        converse(stream, answers, &memory, false).await;
                    }
                });
            }
        });
        Self { port, heard, task, tls: Arc::new(tls) }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    async fn send_with(
        &self,
        security: SmtpSecurity,
        host: &str,
    ) -> Result<String, forecourt_core::deliveries::Failure> {
        self.send_within(PATIENCE, security, host).await
    }

    async fn send_within(
        &self,
        patience: Duration,
        security: SmtpSecurity,
        host: &str,
    ) -> Result<String, forecourt_core::deliveries::Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let server = Server {
            host: host.to_owned(),
            security,
            credentials: Some(("portal".into(), PlainSecret::presented("s3cret"))),
            tls: Arc::clone(&self.tls),
        };
        let envelope = Envelope { from: "apis@nordwind.example", to: "ops@example.com" };
        send(stream, &server, envelope, b"Subject: x\r\n\r\n.dot\r\nend\r\n", patience).await
    }

    async fn send(&self) -> Result<String, forecourt_core::deliveries::Failure> {
        self.send_with(SmtpSecurity::None, "localhost").await
    }
}

fn certified() -> (TlsAcceptor, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), client)
}

/// One conversation; the connection where STARTTLS ends it.
async fn converse<S>(stream: S, answers: Answers, heard: &Mutex<Vec<String>>, greets: bool) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut mail: Option<String> = None;
    let mut said = if greets { "(greeting)".to_owned() } else { String::new() };
    loop {
        if !said.is_empty() {
            match answers(&said) {
                None => std::future::pending().await,
                Some("") => return None,
                Some(reply) => {
                    let reply = format!("{reply}\r\n");
                    stream.get_mut().write_all(reply.as_bytes()).await.ok()?;
                    stream.get_mut().flush().await.ok()?;
                }
            }
            if said.starts_with("STARTTLS") {
                return Some(stream.into_inner());
            }
            if said == "DATA" && answers("DATA").is_some_and(|reply| reply.starts_with("354")) {
                mail = Some(String::new());
            }
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        said = String::new();
        match &mut mail {
            Some(text) if line == ".\r\n" => {
                heard.lock().unwrap().push(std::mem::take(text));
                mail = None;
                said = "(mail)".to_owned();
            }
            Some(text) => text.push_str(&line),
            None => {
                said = line.trim_end().to_owned();
                heard.lock().unwrap().push(said.clone());
            }
        }
    }
}

#[tokio::test]
async fn a_mail_is_handed_over_with_its_dots_doubled_and_the_servers_last_words_are_told() {
    let sink = Sink::start(willing, Way::Clear).await;
    assert_eq!(sink.send().await.unwrap(), "250 2.0.0 queued as 7");
    assert_eq!(
        sink.heard()[..6],
        [
            "EHLO [127.0.0.1]",
            // printf '\0portal\0s3cret' | base64
            "AUTH PLAIN AHBvcnRhbABzM2NyZXQ=",
            "MAIL FROM:<apis@nordwind.example>",
            "RCPT TO:<ops@example.com>",
            "DATA",
            "Subject: x\r\n\r\n..dot\r\nend\r\n",
        ]
    );
}

#[tokio::test]
async fn a_server_that_offers_login_alone_is_told_name_and_password_one_by_one() {
    let login: Answers = |line| match line {
        line if line.starts_with("EHLO") => Some("250-mail.example\r\n250 AUTH LOGIN"),
        "AUTH LOGIN" => Some("334 VXNlcm5hbWU6"),
        "cG9ydGFs" => Some("334 UGFzc3dvcmQ6"),
        "czNjcmV0" => Some("235 welcome"),
        line => willing(line),
    };
    let sink = Sink::start(login, Way::Clear).await;
    sink.send().await.unwrap();
    let forgetful: Answers = |line| {
        if line == "AUTH LOGIN" {
            Some("535 no")
        } else {
            Some(match line {
                line if line.starts_with("EHLO") => "250-mail.example\r\n250 AUTH LOGIN",
                line => return willing(line),
            })
        }
    };
    let refused = Sink::start(forgetful, Way::Clear).await.send().await.unwrap_err();
    assert_eq!((refused.status, refused.outlook), (Some(535), Outlook::Later(None)));
    assert!(!refused.text.contains("s3cret") && !refused.text.contains("cG9ydGFs"), "{}", refused.text);
}

#[tokio::test]
async fn a_server_that_quotes_the_sign_in_gets_no_password_into_what_is_kept() {
    let quoting: Answers = |line| match line {
        line if line.starts_with("AUTH") => {
            Some(Box::leak(format!("535-5.7.8 wrong: \"{line}\"\r\n535 5.7.8 s3cret").into_boxed_str()))
        }
        line => willing(line),
    };
    let refused = Sink::start(quoting, Way::Clear).await.send().await.unwrap_err();
    assert_eq!(refused.text, "the mail server refused the user name and password: 535 5.7.8");
    let strange: Answers = |line| match line {
        line if line.starts_with("AUTH") => Some("500 AHBvcnRhbABzM2NyZXQ="),
        line => willing(line),
    };
    let refused = Sink::start(strange, Way::Clear).await.send().await.unwrap_err();
    assert_eq!(refused.text, "the mail server refused the user name and password: 500");
}

#[tokio::test]
async fn a_server_that_does_not_say_how_to_sign_in_is_not_told_the_password() {
    let silent: Answers = |line| {
        if line.starts_with("EHLO") { Some("250-mail.example\r\n250 AUTH GSSAPI") } else { willing(line) }
    };
    for answers in
        [silent, |line| if line.starts_with("EHLO") { Some("250 mail.example") } else { willing(line) }]
    {
        let sink = Sink::start(answers, Way::Clear).await;
        let refused = sink.send().await.unwrap_err();
        assert!(refused.text.contains("the password was not sent"), "{}", refused.text);
        assert_eq!(
            (refused.outlook, &sink.heard()[..]),
            (Outlook::Later(None), &["EHLO [127.0.0.1]".to_owned()][..])
        );
    }
}

#[tokio::test]
async fn a_refusal_of_the_recipient_or_the_mail_is_for_good_and_any_other_is_not() {
    let cases: [(Answers, u16, Outlook); 8] = [
        (
            |line| if line.starts_with("RCPT") { Some("550 no such mailbox") } else { willing(line) },
            550,
            Outlook::Never,
        ),
        (
            |line| if line == "(mail)" { Some("554 looks like spam") } else { willing(line) },
            554,
            Outlook::Never,
        ),
        (
            |line| if line.starts_with("RCPT") { Some("451 greylisted") } else { willing(line) },
            451,
            Outlook::Later(None),
        ),
        (
            |line| if line == "(mail)" { Some("452 disk full") } else { willing(line) },
            452,
            Outlook::Later(None),
        ),
        (
            |line| if line.starts_with("MAIL") { Some("550 who are you") } else { willing(line) },
            550,
            Outlook::Later(None),
        ),
        (
            |line| if line.starts_with("AUTH") { Some("535 wrong") } else { willing(line) },
            535,
            Outlook::Later(None),
        ),
        (
            |line| if line == "(greeting)" { Some("554 go away") } else { willing(line) },
            554,
            Outlook::Later(None),
        ),
        (
            |line| if line.starts_with("RCPT") { Some("530 sign in first") } else { willing(line) },
            530,
            Outlook::Later(None),
        ),
    ];
    for (answers, status, outlook) in cases {
        let sink = Sink::start(answers, Way::Clear).await;
        let refused = sink.send().await.unwrap_err();
        assert_eq!((refused.status, refused.outlook), (Some(status), outlook), "{}", refused.text);
        assert!(!refused.text.contains("s3cret"));
    }
}

#[tokio::test]
async fn a_server_that_stalls_or_hangs_up_anywhere_is_left_in_time_and_tried_again() {
    let cases: [Answers; 7] = [
        |line| willing(line).filter(|_| line != "(greeting)"),
        |line| willing(line).filter(|_| !line.starts_with("EHLO")),
        |line| willing(line).filter(|_| line != "DATA"),
        |line| willing(line).filter(|_| line != "(mail)"),
        |line| if line.starts_with("RCPT") { Some("") } else { willing(line) },
        |line| if line == "(mail)" { Some("") } else { willing(line) },
        |line| if line == "(greeting)" { Some("HTTP/1.1 400 Bad Request") } else { willing(line) },
    ];
    for (number, answers) in cases.into_iter().enumerate() {
        let sink = Sink::start(answers, Way::Clear).await;
        let sending = sink.send_within(SHORT, SmtpSecurity::None, "localhost");
        let sent = tokio::time::timeout(PATIENCE, sending).await;
        let failed = sent.unwrap_or_else(|_| panic!("{number} is waited for")).unwrap_err();
        assert_eq!(
            (failed.status, failed.outlook),
            (None, Outlook::Later(None)),
            "{number}: {}",
            failed.text
        );
    }
}

#[tokio::test]
async fn a_reply_without_end_is_not_read_on() {
    let endless: Answers = |line| match line {
        "(greeting)" => Some(Box::leak("220-and\r\n".repeat(300).into_boxed_str())),
        line => willing(line),
    };
    let failed = Sink::start(endless, Way::Clear).await.send().await.unwrap_err();
    assert_eq!(failed.text, "the mail server does not speak SMTP");
    let long: Answers = |line| match line {
        "(greeting)" => Some(Box::leak(format!("220 {}", "x".repeat(5_000)).into_boxed_str())),
        line => willing(line),
    };
    let failed = Sink::start(long, Way::Clear).await.send().await.unwrap_err();
    assert_eq!(failed.text, "the mail server does not speak SMTP");
}

#[tokio::test]
async fn with_starttls_nothing_but_a_greeting_is_said_in_the_clear() {
    let sink = Sink::start(willing, Way::StartTls).await;
    assert_eq!(sink.send_with(SmtpSecurity::StartTls, "localhost").await.unwrap(), "250 2.0.0 queued as 7");
    let heard = sink.heard();
    assert_eq!(heard[..3], ["EHLO [127.0.0.1]", "STARTTLS", "EHLO [127.0.0.1]"]);
    assert!(heard[3].starts_with("AUTH PLAIN"));

    let stripped: Answers =
        |line| if line.starts_with("EHLO") { Some("250 mail.example") } else { willing(line) };
    let sink = Sink::start(stripped, Way::StartTls).await;
    let refused = sink.send_with(SmtpSecurity::StartTls, "localhost").await.unwrap_err();
    assert!(refused.text.contains("does not offer STARTTLS"), "{}", refused.text);
    assert_eq!(sink.heard(), ["EHLO [127.0.0.1]"]);

    let injected: Answers =
        |line| if line == "STARTTLS" { Some("220 go ahead\r\n250 injected") } else { willing(line) };
    let sink = Sink::start(injected, Way::StartTls).await;
    let refused = sink.send_with(SmtpSecurity::StartTls, "localhost").await.unwrap_err();
    assert!(refused.text.contains("in the clear after STARTTLS"), "{}", refused.text);
}

#[tokio::test]
async fn over_tls_the_server_must_have_a_certificate_of_its_name() {
    let sink = Sink::start(willing, Way::Tls).await;
    assert_eq!(sink.send_with(SmtpSecurity::Tls, "localhost").await.unwrap(), "250 2.0.0 queued as 7");
    // The QUIT of the first one may be heard later.
    let greetings = || sink.heard().iter().filter(|line| line.starts_with("EHLO")).count();
    assert_eq!(greetings(), 1);
    let refused = sink.send_with(SmtpSecurity::Tls, "mail.example.com").await.unwrap_err();
    assert!(refused.text.starts_with("no TLS with the mail server"), "{}", refused.text);
    assert_eq!(greetings(), 1, "nothing was said to it");
}
