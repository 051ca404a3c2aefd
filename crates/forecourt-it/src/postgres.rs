//! The few words of PostgreSQL's protocol (version 3.0) that a harness needs: one statement at a time, results as text.
//!
//! Blocking, so that a database can be dropped in `Drop`; for servers that trust local connections, as the one of
//! `cargo xtask test` does.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Runs one statement on the server and database of `url`; rows as text, null as an empty one.
///
/// # Errors
/// What the server says, or why it cannot be reached.
pub fn query(url: &str, statement: &str) -> Result<Vec<Vec<String>>, String> {
    let (user, place, database) = parts(url).ok_or_else(|| {
        format!("{url} should read postgres://USER@HOST:PORT/DATABASE, of a server that trusts USER")
    })?;
    let mut stream = TcpStream::connect(place).map_err(|error| format!("{place}: {error}"))?;
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for text in ["user", user, "database", database, ""] {
        startup.extend(text.as_bytes());
        startup.push(0);
    }
    send(&mut stream, None, &startup)?;
    answer(&mut stream)?;
    let mut body = statement.as_bytes().to_vec();
    body.push(0);
    send(&mut stream, Some(b'Q'), &body)?;
    answer(&mut stream)
}

fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let rest = url.strip_prefix("postgres://")?;
    let (user, rest) = rest.split_once('@')?;
    let (place, database) = rest.split_once('/')?;
    Some((user, place, database))
}

fn send(stream: &mut TcpStream, kind: Option<u8>, body: &[u8]) -> Result<(), String> {
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend(body);
    stream.write_all(&message).map_err(|error| error.to_string())
}

/// Reads until the server is ready for the next statement.
fn answer(stream: &mut TcpStream) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let mut problem = None;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).map_err(|error| problem.clone().unwrap_or(error.to_string()))?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).map_err(|error| error.to_string())?;
        match head[0] {
            b'Z' => return problem.map_or(Ok(rows), Err),
            b'D' => rows.push(row(&body)),
            b'E' => problem = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
            b'R' if body[..4] != [0; 4] => {
                return Err("the server asks for a password; the tests need one that trusts them".into());
            }
            _ => {}
        }
    }
}

fn row(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    let mut values = Vec::new();
    while rest.len() >= 4 {
        let length = i32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let length = usize::try_from(length).unwrap_or(0);
        values.push(String::from_utf8_lossy(&rest[4..4 + length]).into_owned());
        rest = &rest[4 + length..];
    }
    values
}
