//! What a start says when its database is in trouble: where it is, what is wrong, and what to do.

use forecourt_store::{Location, StoreError};

use super::StartError;
use crate::{backups::shown, config::Settings};

pub(super) fn of_app(settings: &Settings, error: &forecourt_app::Error) -> StartError {
    let store = std::error::Error::source(error).and_then(|source| source.downcast_ref::<StoreError>());
    of_database(settings, error, store)
}

pub(super) fn of_database(
    settings: &Settings,
    error: &(dyn std::error::Error + 'static),
    store: Option<&StoreError>,
) -> StartError {
    let location = settings.location();
    let is_file = matches!(location, Location::Sqlite(_));
    let location = shown(&location);
    let remedy = match store {
        Some(StoreError::Locked(_)) => "stop the other program that uses it, then start again",
        Some(StoreError::ReadOnly(_)) => "let this user write the file and its folder, then start again",
        Some(StoreError::Full(_)) => "free some space, then start again",
        Some(StoreError::Disk(_)) => "raise the quota or the limit, or look after the disk, then start again",
        Some(StoreError::Newer { .. }) => {
            "start the version of Forecourt that wrote it, or a later one; or restore a backup of this version's"
        }
        Some(StoreError::Unreachable(_)) if is_file => {
            "check that its folder exists, that this user may read and write it, and that the file is SQLite's"
        }
        Some(StoreError::Unreachable(_)) => {
            "check that PostgreSQL runs there, that the database exists, and user and password in database.url"
        }
        _ => "nothing was changed",
    };
    let mut problem = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !problem.contains(&text) {
            problem = format!("{problem}: {text}");
        }
        cause = error.source();
    }
    let url = settings.database.url.as_str();
    let problem = if url.is_empty() { problem } else { problem.replace(url, &location) };
    StartError::Database { location, problem, remedy }
}
