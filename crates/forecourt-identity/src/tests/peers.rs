//! HTTP peers on loopback that answer as they are told, and remember what they heard.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A peer; it stops when dropped.
pub(crate) struct Peer {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Answers every request with this status line (and perhaps fields) and body.
    pub(crate) async fn answering(status: &str, body: &str) -> Self {
        let (status, body) = (status.to_owned(), body.to_owned());
        Self::routing(move |_, _| (status.clone(), body.clone())).await
    }

    /// Answers each request with what `answer` says of its first line and its body.
    pub(crate) async fn routing(
        answer: impl Fn(&str, &str) -> (String, String) + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |head, body| {
            let (status, body) = answer(head.lines().next().unwrap_or_default(), body);
            Some(format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ))
        })
        .await
    }

    /// Answers with exactly these bytes.
    pub(crate) async fn raw(bytes: &str) -> Self {
        let bytes = bytes.to_owned();
        Self::serving(move |_, _| Some(bytes.clone())).await
    }

    /// Reads requests and never answers.
    pub(crate) async fn silent() -> Self {
        Self::serving(|_, _| None).await
    }

    async fn serving(answer: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard_by_all) = (Arc::new(answer), Arc::clone(&heard));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, heard) = (Arc::clone(&answer), Arc::clone(&heard_by_all));
                tokio::spawn(async move {
                    let Some((head, body)) = request(&mut stream).await else { return };
                    heard.lock().unwrap().push(format!("{head}\r\n\r\n{body}"));
                    match answer(&head, &body) {
                        Some(bytes) => drop(stream.write_all(bytes.as_bytes()).await),
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, heard, task }
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// An address of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Every request so far, head and body.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// One request: its head without the empty line, and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().filter_map(|line| line.split_once(": "));
            let length = length
                .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .find_map(|(_, value)| value.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
