//! The listeners of a start: all are bound before anything else is done, so that a port that is taken leaves no trace.

use super::{Addresses, StartError};
use crate::{config::Settings, listeners::Listener};

/// The bound listeners.
pub(super) struct Bound {
    pub(super) admin: Option<Listener>,
    pub(super) admin_tls: Option<Listener>,
    pub(super) portal_api: Option<Listener>,
    pub(super) site: Option<Listener>,
    pub(super) gateway: Option<Listener>,
    pub(super) gateway_tls: Option<Listener>,
    pub(super) sync: Option<Listener>,
    pub(super) status: Option<Listener>,
}

impl Bound {
    pub(super) fn new(settings: &Settings) -> Result<Self, StartError> {
        let bind = |key, address: &str| match address {
            "" => Ok(None),
            address => Listener::bind(address).map(Some).map_err(|source| StartError::Listen {
                key,
                address: address.to_owned(),
                source,
            }),
        };
        Ok(Self {
            admin: bind("admin.listen", &settings.admin.listen)?,
            admin_tls: bind("admin.tls_listen", &settings.admin.tls_listen)?,
            portal_api: bind("portal_api.listen", &settings.portal_api.listen)?,
            site: bind("site.listen", &settings.site.listen)?,
            gateway: bind("gateway.listen", &settings.gateway.listen)?,
            gateway_tls: bind("gateway.tls_listen", &settings.gateway.tls_listen)?,
            sync: bind("sync.listen", &settings.sync.listen)?,
            status: bind("status.listen", &settings.status.listen)?,
        })
    }

    pub(super) fn addresses(&self) -> Addresses {
        let url = |listener: &Option<Listener>, scheme: &str| {
            listener.as_ref().map(|listener| format!("{scheme}://{}", listener.authority()))
        };
        Addresses {
            admin: url(&self.admin, "http"),
            admin_tls: url(&self.admin_tls, "https"),
            portal_api: url(&self.portal_api, "http"),
            site: url(&self.site, "http"),
            gateway: url(&self.gateway, "http"),
            gateway_tls: url(&self.gateway_tls, "https"),
            sync: url(&self.sync, "https"),
            status: url(&self.status, "http"),
        }
    }
}
