//! A mail server that keeps what it takes, and has the troubles of a story. It speaks as much SMTP as a sender needs.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::deadlines::eventually;

/// What is wrong with a mail server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MailTrouble {
    /// Nothing.
    #[default]
    None,
    /// It asks to come again later (451), as a first visit is often asked.
    Greylists,
    /// It has no such mailbox (550); others it has.
    Bounces(BTreeSet<String>),
    /// It takes no sign-in (535), and quotes the line.
    QuotesSignIns,
    /// It takes no mail with a link (550), and quotes the line.
    QuotesLinks,
    /// It says nothing after a mail's first line.
    StallsAtData,
    /// It hangs up when the whole mail is there.
    HangsUpAtTheEnd,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its envelope's recipient.
    pub to: String,
    /// Its headers and its text, as its reader sees it.
    pub text: String,
}

impl Mail {
    /// The value of a header.
    ///
    /// # Panics
    /// When it has no such header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let begin = format!("{name}: ");
        let found = self.text.lines().take_while(|line| !line.is_empty());
        let mut found = found.filter_map(|line| line.strip_prefix(begin.as_str()));
        found.next().unwrap_or_else(|| panic!("no header {name} in {}", self.text))
    }
}

#[derive(Debug, Default)]
struct Taken {
    mails: Vec<Mail>,
    refused: Vec<Mail>,
    /// How often somebody wanted to send.
    visits: usize,
}

/// The mail server; it ends with its owner.
#[derive(Debug)]
pub struct MailSink {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    trouble: watch::Sender<MailTrouble>,
    task: JoinHandle<()>,
}

impl MailSink {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let (trouble, troubled) = watch::channel(MailTrouble::None);
        let memory = Arc::clone(&taken);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, trouble) = (Arc::clone(&memory), troubled.borrow().clone());
                // Whoever hangs up is no business of the server's.
                tokio::spawn(async move { converse(stream, &trouble, &memory).await });
            }
        });
        Self { address, taken, trouble, task }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Gives it this trouble from the next connection on.
    pub fn has(&self, trouble: MailTrouble) {
        self.trouble.send_replace(trouble);
    }

    /// Every mail that it took so far, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.taken.lock().unwrap().mails.clone()
    }

    /// Every mail that it read and did not take for a link in it, in order.
    pub fn refused(&self) -> Vec<Mail> {
        self.taken.lock().unwrap().refused.clone()
    }

    /// How often somebody named a recipient.
    pub fn visits(&self) -> usize {
        self.taken.lock().unwrap().visits
    }

    /// Its mails, once there are so many.
    ///
    /// # Panics
    /// When there are not in time.
    pub async fn has_taken(&self, count: usize) -> Vec<Mail> {
        let enough = || async { Some(self.mails()).filter(|mails| mails.len() >= count) };
        eventually(&format!("{count} mails arrive"), enough).await
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, trouble: &MailTrouble, taken: &Mutex<Taken>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut recipient = String::new();
    say(&mut stream, "220 sink.example ready").await?;
    loop {
        let line = line(&mut stream).await?;
        let reply = match line.split([' ', ':']).next()?.to_ascii_uppercase().as_str() {
            "EHLO" => "250-sink.example\r\n250 AUTH PLAIN",
            "AUTH" if *trouble == MailTrouble::QuotesSignIns => {
                say(&mut stream, &format!("535 5.7.8 this is wrong: {line}")).await?;
                continue;
            }
            "AUTH" => "235 welcome",
            "RCPT" => {
                taken.lock().unwrap().visits += 1;
                recipient = line.split(['<', '>']).nth(1)?.to_owned();
                match trouble {
                    MailTrouble::Greylists => "451 4.7.1 come again",
                    MailTrouble::Bounces(gone) if gone.contains(&recipient) => "550 5.1.1 no such mailbox",
                    _ => "250 fine",
                }
            }
            "DATA" => {
                say(&mut stream, "354 go ahead").await?;
                let text = decoded(&mail(&mut stream, trouble).await?);
                let is_link = |line: &&str| line.contains("/approvals/links/") || line.contains("?token=");
                let link = text.lines().find(is_link).map(str::to_owned);
                let mail = Mail { to: recipient.clone(), text };
                if let (MailTrouble::QuotesLinks, Some(link)) = (trouble, link) {
                    taken.lock().unwrap().refused.push(mail);
                    say(&mut stream, &format!("550 5.7.1 no links, please: {link}")).await?;
                    continue;
                }
                taken.lock().unwrap().mails.push(mail);
                "250 2.0.0 queued"
            }
            "QUIT" => return say(&mut stream, "221 bye").await,
            _ => "250 fine",
        };
        say(&mut stream, reply).await?;
    }
}

async fn mail(stream: &mut BufReader<TcpStream>, trouble: &MailTrouble) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        if *trouble == MailTrouble::StallsAtData {
            std::future::pending::<()>().await;
        }
        if line == "." {
            return (*trouble != MailTrouble::HangsUpAtTheEnd).then_some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}

/// The same with its text as it was before it was made quoted-printable (RFC 2045 §6.7), where it was.
fn decoded(mail: &str) -> String {
    let Some((head, text)) = mail.split_once("\n\n").filter(|(head, _)| head.contains(": quoted-printable"))
    else {
        return mail.to_owned();
    };
    let whole = text.replace("=\n", "");
    let mut parts = whole.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    format!("{head}\n\n{}", String::from_utf8(bytes).unwrap())
}

async fn say(stream: &mut BufReader<TcpStream>, reply: &str) -> Option<()> {
    stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await.ok()
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).await.ok()? > 0).then(|| line.trim_end().to_owned())
}
