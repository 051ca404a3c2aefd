//! `forecourt demo`: everything running with a sample shop behind it, to look around.
//!
//! Invariant: what it makes, it makes through the use cases, and what it promises (sign-ins, the curl line) it has
//! tried itself. With `--data-dir` the data are made once and kept; only addresses are put anew at each start.

mod samples;
mod traffic;
mod upstream;

use std::{net::SocketAddr, path::Path};

use forecourt_app::authentication;
use forecourt_core::actors::{Actor, Source};
use tempfile::TempDir;

use crate::{
    config::Settings,
    serve::{self, Server},
};
use samples::Secrets;
use upstream::Upstream;

const ADMIN_PASSWORD: &str = "demo-admin-password";
const ADA: &str = "ada@example.com";
const ADA_PASSWORD: &str = "demo-ada-password";

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    /// Everything that `serve` runs.
    pub server: Server,
    /// What to look at, for people.
    pub guide: String,
    upstream: Upstream,
    /// Where the data lie when they are not kept.
    folder: Option<TempDir>,
}

/// Starts it, with the data in `data_dir` or in a folder that goes when it stops.
///
/// # Errors
/// In a sentence: what `serve` needs is missing, or the samples could not be made.
pub async fn start(mut settings: Settings, data_dir: Option<&Path>) -> Result<Demo, String> {
    let folder = match data_dir {
        Some(folder) => {
            settings.data_dir = folder.display().to_string();
            None
        }
        None => {
            let made = tempfile::Builder::new().prefix("forecourt-demo-").tempdir();
            let made = made.map_err(|error| format!("no temporary folder can be made: {error}"))?;
            settings.data_dir = made.path().display().to_string();
            Some(made)
        }
    };
    let upstream =
        upstream::start().map_err(|error| format!("the sample upstream cannot listen: {error}"))?;
    let server = serve::start(&settings, serve::system_clock()).await.map_err(|error| error.to_string())?;
    match fill(&settings, &server, &upstream).await {
        Ok(secrets) => {
            let guide = guide(
                &server,
                upstream.address,
                &settings.bootstrap.admin_username,
                secrets.as_ref(),
                folder.is_some(),
            );
            Ok(Demo { server, guide, upstream, folder })
        }
        Err(problem) => {
            server.stop().await;
            upstream.stop().await;
            Err(format!("the sample data could not be made: {problem}"))
        }
    }
}

impl Demo {
    /// Ends it; what was not to be kept is gone.
    pub async fn stop(self) {
        self.server.stop().await;
        self.upstream.stop().await;
        if let Some(Err(error)) = self.folder.map(TempDir::close) {
            tracing::warn!(error.cause = %error, "the temporary folder could not be removed");
        }
    }
}

/// Makes the samples where they are not there yet; then the secrets that only now can be shown are returned.
async fn fill(settings: &Settings, server: &Server, upstream: &Upstream) -> Result<Option<Secrets>, String> {
    let app = &server.app;
    let gateway = server.addresses.gateway.clone().unwrap_or_default();
    let site = server.addresses.site.clone().unwrap_or_default();
    let operator = samples::caller(app, Actor::System, Source::CommandLine);
    samples::put_services(app, &operator, upstream.address, &gateway)
        .await
        .map_err(|error| error.to_string())?;
    let one_time = server.first_password.as_ref().unwrap_or(&settings.bootstrap.admin_password);
    let username = &settings.bootstrap.admin_username;
    let admin = match authentication::by_password(app, None, username, one_time).await {
        Ok(admin) if admin.must_change_password() => admin,
        _ => return Ok(None),
    };
    let secrets = samples::make(app, &admin, &site).await.map_err(|error| error.to_string())?;
    if let Some(authority) = gateway.strip_prefix("http://") {
        let key = secrets.key.reveal();
        traffic::call(authority, "/orders-api/orders", key, 12).await?;
        traffic::call(authority, "/catalogue-api/articles", key, 30).await?;
    }
    Ok(Some(secrets))
}

fn guide(
    server: &Server,
    upstream: SocketAddr,
    admin: &str,
    secrets: Option<&Secrets>,
    is_temporary: bool,
) -> String {
    let shown = |address: &Option<String>| address.clone().unwrap_or_else(|| "(off)".into());
    let addresses = &server.addresses;
    let end = if is_temporary { "Ctrl-C ends it, and its data go with it." } else { "Ctrl-C ends it." };
    let mut guide = format!(
        "\nForecourt's demo is running. {end}\n\n  \
         Developer Portal   {}   {ADA} / {ADA_PASSWORD}\n  \
         Provider console   {}   {} / {ADMIN_PASSWORD}\n  \
         Portal API         {}\n  \
         Gateway            {}\n  \
         Sample upstream    http://{upstream}\n",
        shown(&addresses.site),
        shown(&addresses.admin),
        admin,
        shown(&addresses.portal_api),
        shown(&addresses.gateway),
    );
    match secrets {
        Some(secrets) => {
            guide += &format!(
                "\nCall an API through the gateway, as Ada's application \"Mobile app\":\n\n  \
                 curl -H 'apikey: {}' {}/orders-api/orders\n\n\
                 List the products, as a front end of the portal:\n\n  \
                 curl -H 'Authorization: Bearer {}' {}/api/api_products\n",
                secrets.key.reveal(),
                shown(&addresses.gateway),
                secrets.portal_token.reveal(),
                shown(&addresses.portal_api),
            );
        }
        None => {
            guide += "\nThe data were here already. Keys are shown once: sign in as Ada and regenerate one to call.\n";
        }
    }
    guide
}
