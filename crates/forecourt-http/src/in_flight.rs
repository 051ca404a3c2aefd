//! Calls that change something run to their end, also where the caller hangs up before the answer: what was done or refused
//! is told to the audit log by whoever answers, and an answer that nobody waits for would never be.

use std::time::Duration;

use axum::{extract::Request, middleware::Next, response::Response};
use forecourt_core::audit_logs::Journal;
use tokio_util::task::TaskTracker;

use crate::{Context, audits};

/// Calls that are answered whether or not anybody waits. Cheap to clone; clones count the same calls.
#[derive(Clone, Debug, Default)]
pub struct InFlight(TaskTracker);

impl InFlight {
    /// Waits until every one is answered, at most for `longest`; `false`: some are not. Told once the listeners are drained:
    /// then those whose callers hung up are left.
    pub async fn drained(&self, longest: Duration) -> bool {
        self.0.close();
        tokio::time::timeout(longest, self.0.wait()).await.is_ok()
    }
}

/// Answers `request`, and hands the answer to the audit log. What only reads ends with its connection.
pub(crate) async fn answer(context: &Context, journal: &Journal, request: Request, next: Next) -> Response {
    if !audits::is_change(request.method()) {
        let response = next.run(request).await;
        return audits::answered(&context.app, journal, response).await;
    }
    let (app, journal) = (context.app.clone(), journal.clone());
    let answering = context.in_flight.0.spawn(async move {
        let response = next.run(request).await;
        audits::answered(&app, &journal, response).await
    });
    match answering.await {
        Ok(response) => response,
        // Whoever is outside answers for a panic; nobody else ends such a task but the end of the process.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
