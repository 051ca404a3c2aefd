//! Calls through the demo's own gateway, so that there is something to see.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Calls `path` at the gateway `authority` with an API key, `times` times over.
///
/// # Errors
/// When a call is not answered 200, with what was answered.
pub(super) async fn call(authority: &str, path: &str, key: &str, times: u32) -> Result<(), String> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\napikey: {key}\r\nConnection: close\r\n\r\n");
    for _ in 0..times {
        let answer = exchange(authority, &request).await.map_err(|error| format!("{path}: {error}"))?;
        let status = answer.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 200") {
            return Err(format!("the demo's own call of {path} was answered {status:?}"));
        }
    }
    Ok(())
}

async fn exchange(authority: &str, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
