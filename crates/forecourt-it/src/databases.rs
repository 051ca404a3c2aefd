//! A database for one test: a SQLite file in its own folder, or a PostgreSQL database of its own.
//!
//! `FORECOURT_TEST_DATABASE=postgres://USER@HOST:PORT/DATABASE` names the server to make them on; `cargo xtask test`
//! sets it for its second half.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use forecourt_core::gateway_state::Scope;
use forecourt_store::{Location, LoggedChange, PagePlace, Store};
use tempfile::TempDir;

use crate::postgres;

/// The variable that names a PostgreSQL server.
const VARIABLE: &str = "FORECOURT_TEST_DATABASE";

static MADE: AtomicU32 = AtomicU32::new(0);

/// The database; dropping it removes it.
#[derive(Debug)]
pub struct TestDatabase {
    folder: TempDir,
    postgres: Option<OwnDatabase>,
}

#[derive(Debug)]
struct OwnDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("forecourt-it-").tempdir().unwrap();
        let server = std::env::var(VARIABLE).ok().filter(|server| !server.is_empty());
        let postgres = server.map(|server| {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let name = format!("forecourt_it_{}_{number}", std::process::id());
            // One that a killed run with the same process id left behind.
            postgres::query(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
            postgres::query(&server, &format!("CREATE DATABASE {name}")).unwrap();
            OwnDatabase { server, name }
        });
        Self { folder, postgres }
    }

    /// The data folder, there with either engine.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The value of the setting `database.url`: empty for SQLite.
    pub fn url(&self) -> String {
        self.postgres.as_ref().map_or(String::new(), |own| {
            let server = own.server.rsplit_once('/').map_or(own.server.as_str(), |(server, _)| server);
            format!("{server}/{}", own.name)
        })
    }

    /// Where the store finds it.
    pub fn location(&self) -> Location {
        match self.url() {
            url if url.is_empty() => Location::Sqlite(self.folder().join("forecourt.db")),
            url => Location::Postgres(url),
        }
    }

    /// Whether it is PostgreSQL's.
    pub const fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }
}

impl Default for TestDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(own) = &self.postgres {
            let dropped =
                postgres::query(&own.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", own.name));
            if let Err(problem) = dropped {
                eprintln!("the database {} could not be dropped: {problem}", own.name);
            }
        }
    }
}

/// Rows of the change log that changed after the revision `after`, ascending; deleted ones only where `after` is above 0.
pub async fn logged(store: &Store, scopes: &[Scope], after: i64) -> Vec<LoggedChange> {
    let deleted_after = if after == 0 { i64::MAX } else { after };
    let place = PagePlace::after_revision(after);
    store.read().page_of_changes(scopes, &place, deleted_after, 100_000).await.unwrap()
}
