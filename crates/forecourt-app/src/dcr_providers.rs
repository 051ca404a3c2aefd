//! DCR providers, as everybody may see them.

use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderFilter},
    lists::List,
};

use crate::{App, Error};

/// The installation's providers that `filter` wants.
pub async fn list(app: &App, filter: &DcrProviderFilter) -> Result<List<DcrProvider>, Error> {
    Ok(app.read().dcr_providers(filter).await?)
}
