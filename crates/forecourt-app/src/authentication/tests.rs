//! What a password costs: nothing where it was right before, and a turn where its address failed too often.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
};

use forecourt_core::time::Timestamp;
use forecourt_store::{Location, Store};
use tempfile::TempDir;

use super::by_password;
use crate::{App, Config, ErrorKind};

const ADDRESS: Option<&str> = Some("203.0.113.7");

async fn app() -> (App, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(&Location::Sqlite(dir.path().join("forecourt.db"))).await.unwrap();
    let clock = Arc::new(|| Timestamp::from_seconds(1_786_060_800));
    (App::open(store, &Config::default(), clock).await.unwrap(), dir)
}

fn fail_often(app: &App) {
    for _ in 0..100 {
        app.limits().failed(ADDRESS, app.now());
    }
}

#[tokio::test]
async fn a_password_that_was_right_before_is_not_hashed_again() {
    let (app, _dir) = app().await;
    by_password(&app, ADDRESS, "admin", "admin").await.unwrap();
    fail_often(&app);
    // As many wait for a turn to be hashed as may: nobody else from there is hashed at all.
    let first = app.limits().turn(ADDRESS, app.now()).await.unwrap();
    let mut crowd = Vec::new();
    loop {
        let mut next = Box::pin(app.limits().turn(ADDRESS, app.now()));
        let polled = Pin::new(&mut next).poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            break;
        }
        crowd.push(next);
    }
    let refused = by_password(&app, ADDRESS, "admin", "wrong").await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Limit { .. }), "{refused}");
    let nobody = by_password(&app, ADDRESS, "nobody", "admin").await.unwrap_err();
    assert!(matches!(nobody.kind(), ErrorKind::Limit { .. }), "an unknown name tells no more: {nobody}");
    by_password(&app, ADDRESS, "admin", "admin").await.unwrap();
    drop((first, crowd));
}

#[tokio::test]
async fn a_right_password_is_let_in_from_an_address_that_failed_too_often() {
    let (app, _dir) = app().await;
    fail_often(&app);
    let refused = by_password(&app, ADDRESS, "nobody", "wrong").await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Limit { .. }));
    by_password(&app, ADDRESS, "admin", "admin").await.unwrap();
}
