//! One connection to the Redis of the shared counters: prepared in order, then commands of many calls at once, whose
//! answers come back in the order in which they were sent.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    resp::{self, Value},
    script::SCRIPT,
    shared::{Command, SharedLimits},
};
use crate::fetch::platform_tls;

/// Commands that are written at once.
const BATCH: usize = 64;

/// A connection, plain or over TLS.
pub(super) struct Stream {
    read: Box<dyn AsyncRead + Send + Unpin>,
    write: Box<dyn AsyncWrite + Send + Unpin>,
    buffer: Vec<u8>,
}

/// Connects, shows the password, chooses the database, loads the script, and sees that an answer comes in time.
/// Gives the script's name there. An error says in words why not.
pub(super) async fn open(settings: &SharedLimits) -> Result<(String, Stream), String> {
    let mut stream = connect(settings).await?;
    if let Some(password) = &settings.password {
        let user = settings.username.as_deref();
        let arguments: Vec<&str> = std::iter::once("AUTH").chain(user).chain([password.as_str()]).collect();
        stream.ask(&arguments).await?;
    }
    if settings.database != 0 {
        stream.ask(&["SELECT", &settings.database.to_string()]).await?;
    }
    let Value::Text(Some(sha)) = stream.ask(&["SCRIPT", "LOAD", SCRIPT]).await? else {
        return Err("SCRIPT LOAD was not answered with a name".into());
    };
    probe(&mut stream, settings.timeout).await?;
    Ok((String::from_utf8_lossy(&sha).into_owned(), stream))
}

/// One answer within the time that a call would wait.
async fn probe(stream: &mut Stream, within: Duration) -> Result<Value, String> {
    let answered = timeout(within, stream.ask(&["PING"])).await;
    answered.unwrap_or_else(|_| Err(format!("no answer within {} ms", within.as_millis())))
}

async fn connect(settings: &SharedLimits) -> Result<Stream, String> {
    let connected = TcpStream::connect((settings.host.as_str(), settings.port)).await;
    let stream = connected.map_err(|error| format!("no connection: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    if !settings.is_tls {
        return Ok(Stream::of(stream));
    }
    let name = match settings.host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(settings.host.clone()).map_err(|_| "the host is no name")?,
    };
    let stream = TlsConnector::from(platform_tls().await?).connect(name, stream).await;
    Ok(Stream::of(stream.map_err(|error| format!("no TLS: {error}"))?))
}

impl Stream {
    fn of(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (read, write) = split(stream);
        Self { read: Box::new(read), write: Box::new(write), buffer: Vec::new() }
    }

    /// Sends one command and waits for its answer; a refusal is an error.
    async fn ask(&mut self, arguments: &[&str]) -> Result<Value, String> {
        let name = arguments.first().copied().unwrap_or_default();
        let sent = self.write.write_all(&resp::command(arguments)).await;
        sent.map_err(|error| format!("{name}: {error}"))?;
        self.write.flush().await.map_err(|error| format!("{name}: {error}"))?;
        loop {
            match self.take()? {
                Some(Value::Error(problem)) => return Err(format!("{name}: {problem}")),
                Some(value) => return Ok(value),
                None => self.fill().await?,
            }
        }
    }

    /// The next answer that has arrived whole.
    fn take(&mut self) -> Result<Option<Value>, String> {
        let read = resp::read(&self.buffer).map_err(|_| "it does not speak the protocol of Redis")?;
        Ok(read.map(|(value, length)| {
            self.buffer.drain(..length);
            value
        }))
    }

    /// Waits for more bytes. Nothing is lost when this is dropped.
    async fn fill(&mut self) -> Result<(), String> {
        match self.read.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the connection was closed".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Sends what comes in by `queue` and hands each answer to who waits for it, until the connection ends; says why.
pub(super) async fn drive(mut stream: Stream, mut queue: mpsc::Receiver<Command>) -> String {
    let mut waiting = VecDeque::new();
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let filled = tokio::select! {
            count = queue.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return "nobody uses it any more".into();
                }
                let mut bytes = Vec::new();
                for Command { bytes: command, answer } in batch.drain(..) {
                    bytes.extend(command);
                    waiting.push_back(answer);
                }
                match stream.write.write_all(&bytes).await {
                    Ok(()) => stream.write.flush().await.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                }
            }
            filled = stream.fill() => filled,
        };
        if let Err(reason) = filled {
            return reason;
        }
        loop {
            match stream.take() {
                Err(reason) => return reason,
                Ok(None) => break,
                Ok(Some(value)) => match waiting.pop_front() {
                    // Whoever asked may have given up waiting.
                    Some(answer) => drop(answer.send(value)),
                    None => return "it answered what nobody had asked".into(),
                },
            }
        }
    }
}
