//! `forecourt administrator reset-password`: the way in for whoever runs the machine, where no administrator is left who
//! could open it.

use forecourt_app::administrators;
use forecourt_store::Reader;

use crate::{config::Settings, master_key, serve};

/// Gives the administrator `username` a one-time password, and tells it.
///
/// # Errors
/// In a sentence: where the database or the master key cannot be used, and where there is no such administrator.
pub async fn reset_password(settings: &Settings, username: &str) -> Result<String, String> {
    let reader = Reader::open(&settings.location()).await.map_err(text)?;
    let known = reader.master_key_ids().await.map_err(text)?;
    if known.is_empty() {
        return Err("the database was never used, so it has no administrators".into());
    }
    let own = master_key::of(settings, &known).map_err(text)?;
    let store = serve::open_store(settings).await.map_err(text)?;
    let password = serve::random_password().map_err(text)?;
    let now = serve::system_clock()();
    let administrator = administrators::rescue(&store, &own, username, &password, now).await.map_err(text)?;
    Ok(format!(
        "The administrator {:?} has the one-time password {password}, and is signed out everywhere. Where passwords are \
         disabled, start once with bootstrap.enable_passwords\n",
        administrator.username
    ))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
