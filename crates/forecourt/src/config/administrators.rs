//! `admin.public_url`: where people reach the console.
//!
//! Invariant: it is a root, since addresses of ours are made by appending paths to it.

use url::Url;

use super::{AdminSettings, ConfigError, require};

impl AdminSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let text = self.public_url.as_str();
        let shown = format!(
            "must be http:// or https:// and a host without path, such as https://admin.example.com, or empty; it is \
             {text:?}"
        );
        // What has a password is not repeated.
        let has_user = text.contains('@');
        let problem = if has_user { "must have no user name and no password" } else { shown.as_str() };
        require("admin.public_url", text.is_empty() || is_root(text), problem)
    }
}

/// Whether this is how the URL of a root is written: nothing that a reader of addresses would change but a slash at the
/// end.
fn is_root(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let origin = url.origin().ascii_serialization();
    let bare = text.strip_suffix('/').unwrap_or(text);
    // The usual port may be written or not.
    let usual = match url.scheme() {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    bare.strip_suffix(usual).unwrap_or(bare).eq_ignore_ascii_case(&origin)
}
