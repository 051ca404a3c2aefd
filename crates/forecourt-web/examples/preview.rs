//! Serves every page sample with the real assets and security policy, to look at them and to test them in a
//! browser: `cargo run -p forecourt-web --example preview -- --listen 127.0.0.1:3900`.
//!
//! It prints `ready {"preview":"http://…/"}` once it listens. `/` lists the samples; each is at
//! `/preview/{site}/{page}/{sample}`. Templates are read anew for each request, so a change shows at once.

#![expect(clippy::print_stdout, reason = "whoever starts it reads its line")]

use std::{net::SocketAddr, process::ExitCode};

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use forecourt_web::{
    assets,
    csp::content_security_policy,
    page::Site,
    samples::{self, AnySample},
    templates::Templates,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Ok(SocketAddr::from(([127, 0, 0, 1], 3900))),
        ["--listen", address] => address.parse(),
        _ => return failed("usage: preview [--listen ADDRESS:PORT]"),
    };
    let Ok(address) = address else {
        return failed("--listen takes an address and port, such as 127.0.0.1:3900");
    };
    let routes = Router::new()
        .route("/", get(index))
        .route("/preview/{site}/{*sample}", get(preview))
        .merge(assets::routes());
    match tokio::net::TcpListener::bind(address).await {
        Ok(listener) => {
            // On port 0 the system chooses one, and whoever started this reads which.
            match listener.local_addr() {
                Ok(address) => println!("ready {{\"preview\":\"http://{address}/\"}}"),
                Err(error) => return failed(&format!("the address is unknown: {error}")),
            }
            match axum::serve(listener, routes).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&format!("serving stopped: {error}")),
            }
        }
        Err(error) => failed(&format!("cannot listen on {address}: {error}")),
    }
}

fn failed(sentence: &str) -> ExitCode {
    eprintln!("{sentence}");
    ExitCode::FAILURE
}

fn path(sample: &AnySample) -> String {
    let site = match sample.site {
        Site::Developer => "developer",
        Site::Provider => "provider",
    };
    format!("/preview/{site}/{}/{}", sample.page_name(), sample.name)
}

async fn index() -> String {
    let mut paths: Vec<String> = samples::all().iter().map(path).collect();
    paths.push(String::new());
    paths.join("\n")
}

async fn preview(Path((site, sample)): Path<(String, String)>) -> Response {
    let wanted = format!("/preview/{site}/{sample}");
    let Some(sample) = samples::all().into_iter().find(|sample| path(sample) == wanted) else {
        return (StatusCode::NOT_FOUND, "no such sample; / lists them all\n").into_response();
    };
    let nonce = sample.page.nonce.clone();
    let rendered = Templates::new(None)
        .and_then(|templates| templates.render_named(sample.template, &sample.page, sample.context));
    match rendered {
        Ok(html) => {
            ([(header::CONTENT_SECURITY_POLICY, content_security_policy(&nonce))], Html(html)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
