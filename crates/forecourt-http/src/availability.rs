//! What happens to requests while the database is away: they are answered 503 at once, with `Retry-After`, instead of
//! waiting for it one by one.
//!
//! Invariant: a request that only reads waits no longer than it takes to notice that the database is gone. One that may
//! change something and was begun is never cut off: it ends with the database's own answer. What tells whether the
//! process runs, and files that never change, are answered as ever.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::watch;

use crate::{observations::ObservedFace, problem::Problem};

/// After how many seconds somebody who was turned away may try again.
pub const RETRY_AFTER: u64 = 2;

/// Whether the database is away, as one face asks.
#[derive(Clone, Debug)]
pub struct Availability {
    /// Becomes true when it is away, and false when it is back.
    pub is_away: watch::Receiver<bool>,
    /// Whom it is answered as: an API in JSON, a site in plain text.
    pub is_api: bool,
    /// Where it is counted.
    pub face: ObservedFace,
}

/// Middleware: answers 503 while the database is away.
pub async fn check(State(mut availability): State<Availability>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if ["/healthz", "/openapi.json", "/docs"].contains(&path) || path.starts_with("/assets/") {
        return next.run(request).await;
    }
    if *availability.is_away.borrow() {
        return refusal(&availability, "the database is away; try again in a moment");
    }
    if !request.method().is_safe() {
        return next.run(request).await;
    }
    // A watch that ended never says that the database is away.
    let goes_away = async {
        if availability.is_away.wait_for(|is_away| *is_away).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        response = next.run(request) => return response,
        () = goes_away => {}
    }
    refusal(&availability, "the database went away; try again in a moment")
}

fn refusal(availability: &Availability, message: &str) -> Response {
    availability.face.count_turned_away();
    if availability.is_api {
        return Problem::unavailable(message).into_response();
    }
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, format!("503: {message}\n")).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    response
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
        middleware::from_fn_with_state,
        routing::get,
    };
    use tower::ServiceExt;

    use super::*;
    use crate::observations::Observations;

    fn router(is_api: bool, is_away: watch::Receiver<bool>) -> (Router, Observations) {
        let observations = Observations::default();
        let face = ObservedFace { face: "admin", observations: observations.clone(), tracing: None };
        let router = Router::new()
            .route("/healthz", get(async || "alive"))
            .route("/reads", get(async || "read"))
            .route("/hangs", get(std::future::pending::<&'static str>))
            .layer(from_fn_with_state(Availability { is_away, is_api, face }, check));
        (router, observations)
    }

    async fn answer(router: &Router, path: &str) -> (u16, Option<String>, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let wait = response.headers().get(header::RETRY_AFTER).map(|wait| wait.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, wait, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn nobody_waits_for_a_database_that_is_away_and_all_is_as_before_once_it_is_back() {
        let (away, is_away) = watch::channel(false);
        let (router, observations) = router(true, is_away);
        assert_eq!(answer(&router, "/reads").await.0, 200);
        let hanging = router.clone();
        let hanging = tokio::spawn(async move { answer(&hanging, "/hangs").await });
        tokio::task::yield_now().await;
        away.send_replace(true);
        let (status, wait, body) = hanging.await.unwrap();
        assert_eq!((status, wait.as_deref()), (503, Some("2")));
        // It may have been begun before or after the news.
        assert!(body.contains("\"status\":503") && body.contains("the database"), "{body}");
        let (status, wait, body) = answer(&router, "/reads").await;
        assert_eq!((status, wait.as_deref()), (503, Some("2")));
        assert!(body.contains("the database is away"), "{body}");
        assert_eq!(answer(&router, "/healthz").await.0, 200);
        away.send_replace(false);
        assert_eq!(answer(&router, "/reads").await.0, 200);
        let turned_away = observations.turned_away();
        let count = turned_away.iter().find(|(face, _)| *face == "admin").unwrap().1;
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_change_that_was_begun_is_not_cut_off() {
        let (away, is_away) = watch::channel(false);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = tokio::sync::oneshot::channel::<()>();
        let signals = std::sync::Arc::new(std::sync::Mutex::new(Some((begun, may_end))));
        let observations = Observations::default();
        let face = ObservedFace { face: "admin", observations, tracing: None };
        let change = async move || {
            let (begun, may_end) = signals.lock().unwrap().take().unwrap();
            begun.send(()).unwrap();
            may_end.await.unwrap();
            "changed"
        };
        let router = Router::new()
            .route("/changes", axum::routing::post(change))
            .layer(from_fn_with_state(Availability { is_away, is_api: true, face }, check));
        let request = Request::post("/changes").body(Body::empty()).unwrap();
        let running = tokio::spawn(router.oneshot(request));
        has_begun.await.unwrap();
        away.send_replace(true);
        tokio::task::yield_now().await;
        end.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_site_says_so_in_plain_text() {
        let (_away, is_away) = watch::channel(true);
        let (router, _) = router(false, is_away);
        let (status, wait, body) = answer(&router, "/reads").await;
        assert_eq!((status, wait.as_deref()), (503, Some("2")));
        assert!(body.starts_with("503: the database is away"), "{body}");
    }
}
