//! Waking readers of the change log when another process commits to the same PostgreSQL.

use std::{convert::Infallible, time::Duration};

use crate::App;

/// How long to wait before a lost connection is made anew.
const RETRY: Duration = Duration::from_secs(1);

/// Wakes readers within milliseconds of a commit by another process, for as long as it is polled. On SQLite, where one
/// process writes, it only waits. While the connection is lost, readers find what is new by looking.
pub async fn listen(app: &App) -> Infallible {
    let mut is_away = false;
    loop {
        match app.listen().await {
            Ok(None) => std::future::pending().await,
            Ok(Some(mut listening)) => {
                if is_away {
                    tracing::info!("revisions of other processes are heard of again");
                }
                is_away = false;
                // What was committed before it listened is found now.
                let mut revision = 0;
                loop {
                    if revision == 0 {
                        revision = app.read().revision().await.unwrap_or(0);
                    }
                    app.feed().wake(revision);
                    match listening.heard().await {
                        Ok(heard) => revision = heard,
                        Err(error) => {
                            tell_once(&mut is_away, &error);
                            break;
                        }
                    }
                }
            }
            Err(error) => tell_once(&mut is_away, &error),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn tell_once(is_away: &mut bool, error: &forecourt_store::StoreError) {
    if !*is_away {
        tracing::warn!(
            error.cause = %error,
            "the database's notifications are not heard; what other processes change arrives up to half a second later"
        );
    }
    *is_away = true;
}
