//! Waiting for a condition: asked again at once until it holds, and no longer than a deadline.

use std::time::{Duration, Instant};

/// How long a condition may take to come true on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until `condition` gives something, and returns it; fails the test with `what` after [`PATIENCE`].
pub async fn eventually<T, F>(what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "did not happen within {} s: {what}", PATIENCE.as_secs());
        tokio::task::yield_now().await;
    }
}
