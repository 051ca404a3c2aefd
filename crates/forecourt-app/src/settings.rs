//! Settings of the installation.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    permissions::{Action, Target},
    settings::SystemSettings,
};
use serde_json::json;

use crate::{App, Error, access};

/// The installation's settings.
pub async fn system(app: &App, caller: &Caller) -> Result<SystemSettings, Error> {
    access::permits(caller, Action::GetDeploymentSetting, Target::GatewaySetting)?;
    Ok(app.read().system_settings().await?)
}

/// Replaces the addresses where gateway nodes find the control plane.
pub async fn replace_system(
    app: &App,
    caller: &Caller,
    addresses: Vec<String>,
) -> Result<SystemSettings, Error> {
    access::permits(caller, Action::UpdateDeploymentSetting, Target::GatewaySetting)?;
    let settings = SystemSettings::new(addresses)?;
    let mut write = app.begin(caller).await?;
    write.save_system_settings(&settings).await?;
    let detail = json!({ "dp_manager_address": settings.dp_manager_address });
    write.tell(EventName::SettingsChanged, "settings", "system", None, detail);
    write.commit().await?;
    Ok(settings)
}
