//! Serves the built files under `/assets/`, each under a name with its content's hash.
//!
//! A name never changes its content, so answers are cached for a year; a changed file has a new name, which
//! the manifest knows. Files have compressed twins from the build.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    routing::get,
};
use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "assets/dist"]
struct Built;

#[derive(Deserialize)]
struct ManifestEntry {
    file: String,
}

// Both are read from files inside the binary, which never change while it runs.
static MANIFEST: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let entries: BTreeMap<String, ManifestEntry> = Built::get("manifest.json")
        .and_then(|file| serde_json::from_slice(&file.data).ok())
        .unwrap_or_default();
    entries.into_iter().map(|(source, entry)| (source, entry.file)).collect()
});
static SPRITE: LazyLock<String> = LazyLock::new(|| {
    let file = MANIFEST.get("src/icons.svg").and_then(|file| Built::get(file));
    file.and_then(|file| String::from_utf8(file.data.into_owned()).ok()).unwrap_or_default()
});

/// The routes of the built files, for both sites.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{file}", get(serve))
}

/// The path of the built file that comes from `assets/src/{name}`.
pub fn path(name: &str) -> Option<String> {
    MANIFEST.get(&format!("src/{name}")).map(|file| format!("/assets/{file}"))
}

/// Whether the icon sprite holds `name`.
pub fn has_icon(name: &str) -> bool {
    SPRITE.contains(&format!(r#"id="{name}""#))
}

async fn serve(Path(file): Path<String>, request: HeaderMap) -> Response<Body> {
    let hidden = file == "manifest.json" || file.ends_with(".br") || file.ends_with(".gz");
    let Some(plain) = Built::get(&file).filter(|_| !hidden) else {
        return answer(StatusCode::NOT_FOUND, Body::empty(), &[]);
    };
    let tag = format!("\"{}\"", hex(&plain.metadata.sha256_hash()));
    let kind = plain.metadata.mimetype().to_owned();
    let mut headers = vec![
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, tag.clone()),
        (header::VARY, "Accept-Encoding".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let text = |name| request.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(header::IF_NONE_MATCH).split(',').any(|known| known.trim() == tag) {
        return answer(StatusCode::NOT_MODIFIED, Body::empty(), &headers);
    }
    headers.push((
        header::CONTENT_TYPE,
        if kind.starts_with("text/") { kind + "; charset=utf-8" } else { kind },
    ));
    let accepted = text(header::ACCEPT_ENCODING);
    for (coding, ending) in [("br", "br"), ("gzip", "gz")] {
        if let Some(twin) =
            accepts(accepted, coding).then(|| Built::get(&format!("{file}.{ending}"))).flatten()
        {
            headers.push((header::CONTENT_ENCODING, coding.to_owned()));
            return answer(StatusCode::OK, twin.data.into_owned().into(), &headers);
        }
    }
    answer(StatusCode::OK, plain.data.into_owned().into(), &headers)
}

fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        parts.next() == Some(coding)
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn answer(status: StatusCode, body: Body, headers: &[(header::HeaderName, String)]) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn fetch(path: &str, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_built_file_is_cached_for_good_and_known_by_its_tag() {
        let script = path("app.ts").unwrap();
        let first = fetch(&script, &[]).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert!(first.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/javascript"));
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert!(!first.into_body().collect().await.unwrap().to_bytes().is_empty());
        let again = fetch(&script, &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn the_compressed_twin_goes_to_those_who_accept_it() {
        let style = path("app.css").unwrap();
        let brotli = fetch(&style, &[(header::ACCEPT_ENCODING, "gzip, br;q=0.9")]).await;
        assert_eq!(brotli.headers()[header::CONTENT_ENCODING], "br");
        let gzip = fetch(&style, &[(header::ACCEPT_ENCODING, "br;q=0, gzip")]).await;
        assert_eq!(gzip.headers()[header::CONTENT_ENCODING], "gzip");
        let plain = fetch(&style, &[]).await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[tokio::test]
    async fn the_manifest_and_unknown_names_are_not_found() {
        for path in ["/assets/manifest.json", "/assets/app.css", "/assets/..%2FCargo.toml"] {
            assert_eq!(fetch(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
