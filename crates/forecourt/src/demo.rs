//! placeholder
use std::path::Path;
use crate::{config::Settings, serve::{self, Server}};
/// A running demo.
#[derive(Debug)]
pub struct Demo { /// s
 pub server: Server, /// g
 pub guide: String }
/// Starts.
pub async fn start(settings: Settings, _d: Option<&Path>) -> Result<Demo, String> {
    let server = serve::start(&settings, serve::system_clock()).await.map_err(|e| e.to_string())?;
    Ok(Demo { server, guide: String::new() })
}
