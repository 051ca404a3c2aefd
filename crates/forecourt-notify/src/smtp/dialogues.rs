//! Commands and replies on one connection.
//!
//! Invariant: a reply has at most 100 lines of at most 2,000 bytes, and everything has its time. No command is shown in
//! an error, since one holds the password.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_core::{
    deliveries::{Failure, Outlook},
    secrets::PlainSecret,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    time::timeout,
};

/// The longest line of a reply that is read, bytes (512 of RFC 5321 §4.5.3.1.5, and patience).
const LINE: u64 = 2_000;
/// The most lines of a reply.
const LINES: usize = 100;

/// A connection on which commands are said.
pub(super) struct Dialogue<S> {
    stream: BufReader<S>,
    limit: Duration,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// From 200 to 599.
    pub(super) code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// Whether a reply to EHLO names this extension.
    pub(super) fn offers(&self, extension: &str) -> bool {
        self.extension(extension).is_some()
    }

    /// What a reply to EHLO says of this extension.
    fn extension(&self, name: &str) -> Option<Vec<&str>> {
        self.lines.iter().skip(1).find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().filter(|word| word.eq_ignore_ascii_case(name)).map(|_| words.collect())
        })
    }

    /// The reply's codes alone, such as 535 and 5.7.8 (RFC 3463 §2).
    fn without_words(&self) -> Self {
        let is_number =
            |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_code = |word: &&str| word.split('.').count() == 3 && word.split('.').all(is_number);
        let first = self.lines.first().and_then(|line| line.split(' ').next());
        Self { code: self.code, lines: first.filter(is_code).map(str::to_owned).into_iter().collect() }
    }

    /// The reply in one line.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" ")).trim_end().to_owned()
    }

    /// The failure that this reply to `step` is: for good from 500 on, but where it is about us.
    pub(super) fn refusal(&self, step: &str) -> Failure {
        // 503: out of order; 530 to 538: about signing in (RFC 4954 §6).
        let is_final = self.code >= 500 && self.code != 503 && !(530..540).contains(&self.code);
        Failure {
            text: format!("the mail server refused {step}: {}", self.text()),
            status: Some(self.code),
            outlook: if is_final { Outlook::Never } else { Outlook::Later(None) },
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream: BufReader::new(stream), limit }
    }

    /// The bare connection. What the other side said already, unasked, ends it: it could come from somebody between.
    ///
    /// # Errors
    /// When there is something unread.
    pub(super) fn into_stream(self) -> Result<S, Failure> {
        if self.stream.buffer().is_empty() {
            return Ok(self.stream.into_inner());
        }
        Err(Failure::later("the mail server went on in the clear after STARTTLS; nothing was sent"))
    }

    /// What the server says first.
    pub(super) async fn greeting(&mut self) -> Result<(), Failure> {
        let greeting = self.reply().await?;
        if greeting.code == 220 {
            return Ok(());
        }
        Err(Failure { outlook: Outlook::Later(None), ..greeting.refusal("the connection") })
    }

    /// Says a command, and what comes back.
    pub(super) async fn command(&mut self, command: &str) -> Result<Reply, Failure> {
        self.say(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Signs in by PLAIN or LOGIN, whatever is offered. Where neither is, the password is not sent.
    ///
    /// Of a refusal only the codes are told: servers quote the command that they do not like.
    pub(super) async fn sign_in(
        &mut self,
        offered: &Reply,
        username: &str,
        password: &PlainSecret,
    ) -> Result<(), Failure> {
        let ways = offered.extension("AUTH").unwrap_or_default();
        let has = |way: &str| ways.iter().any(|offered| offered.eq_ignore_ascii_case(way));
        let last = if has("PLAIN") {
            let both = STANDARD.encode(format!("\0{username}\0{}", password.reveal()));
            self.command(&format!("AUTH PLAIN {both}")).await?
        } else if has("LOGIN") {
            let asked = self.command("AUTH LOGIN").await?;
            let asked = match asked.code {
                334 => self.command(&STANDARD.encode(username)).await?,
                _ => asked,
            };
            match asked.code {
                334 => self.command(&STANDARD.encode(password.reveal())).await?,
                _ => asked,
            }
        } else {
            let text =
                "the mail server offers neither PLAIN nor LOGIN to sign in by; the password was not sent";
            return Err(Failure::later(text));
        };
        match last.code {
            235 => Ok(()),
            _ => Err(Failure {
                outlook: Outlook::Later(None),
                ..last.without_words().refusal("the user name and password")
            }),
        }
    }

    /// The mail itself, whose lines end with CRLF; a line that begins with a dot gets another (RFC 5321 §4.5.2).
    pub(super) async fn content(&mut self, mail: &[u8]) -> Result<Reply, Failure> {
        let mut sent = Vec::with_capacity(mail.len() + 16);
        let mut begins_line = true;
        for byte in mail {
            if begins_line && *byte == b'.' {
                sent.push(b'.');
            }
            sent.push(*byte);
            begins_line = *byte == b'\n';
        }
        sent.extend_from_slice(if mail.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" });
        self.say(&sent).await?;
        self.reply().await
    }

    /// Leaves. The mail is handed over, so nothing that happens here matters.
    pub(super) async fn goodbye(&mut self) {
        let _left = self.say(b"QUIT\r\n").await;
        let _closed = timeout(self.limit, self.stream.get_mut().shutdown()).await;
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let saying = async {
            self.stream.get_mut().write_all(bytes).await?;
            self.stream.get_mut().flush().await
        };
        match timeout(self.limit, saying).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(Failure::later("the mail server does not listen")),
        }
    }

    async fn reply(&mut self) -> Result<Reply, Failure> {
        match timeout(self.limit, self.read()).await {
            Ok(reply) => reply,
            Err(_) => Err(Failure::later(format!(
                "the mail server said nothing for {} s",
                self.limit.as_secs_f32()
            ))),
        }
    }

    async fn read(&mut self) -> Result<Reply, Failure> {
        let mut lines = Vec::new();
        let strange = || Failure::later("the mail server does not speak SMTP");
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.stream).take(LINE);
            limited.read_until(b'\n', &mut line).await.map_err(|error| broken(&error))?;
            if !line.ends_with(b"\n") {
                let hung_up = line.is_empty();
                return Err(if hung_up { Failure::later("the mail server hung up") } else { strange() });
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or_else(strange)?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            match line.as_bytes().get(3) {
                Some(b'-') if lines.len() < LINES => {}
                None | Some(b' ') if (200..600).contains(&code) => return Ok(Reply { code, lines }),
                _ => return Err(strange()),
            }
        }
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::later(format!("the connection to the mail server broke: {error}"))
}
