//! The embedded gateway of a process that serves: fed, served on its listeners, its counts delivered.

use std::sync::Arc;

use forecourt_app::{App, Clock, nodes::EmbeddedNode};
use forecourt_core::{
    ids::{GatewayGroupId, NodeId},
    traces::Tracing,
};
use forecourt_gateway::Gateway;
use tokio::{sync::watch, task::JoinHandle};

use super::{StartError, VERSION, failures, make_data_dir};
use crate::{
    config::Settings,
    embedded_gateway::{self, Feed},
    jobs::Jobs,
    limit_counts,
    listeners::{GRACE, Listener},
    node_folder,
    usage_delivery::{self, Delivery},
};

pub(super) struct RunningGateway {
    pub(super) stop: watch::Sender<bool>,
    pub(super) tasks: Vec<JoinHandle<()>>,
    pub(super) feed: Feed,
    pub(super) delivery: Delivery,
    pub(super) quotas: limit_counts::Keeper,
}

/// Feeds the gateway and serves it on the listeners that are on: plain HTTP, and TLS.
pub(super) async fn start(
    settings: &Settings,
    app: &App,
    clock: Clock,
    (plain, tls): (Option<Listener>, Option<Listener>),
    (jobs, tracing): (&Arc<Jobs>, &Option<Tracing>),
) -> Result<(Gateway, RunningGateway), StartError> {
    let system = |error: &dyn std::fmt::Display| StartError::System(error.to_string());
    let outgoing = settings.security.ssrf_protection.rules();
    let config = settings.gateway.config(settings.trusted_proxies(), outgoing, GRACE);
    let config = forecourt_gateway::Config { tracing: tracing.clone(), ..config };
    let gateway = Gateway::new(config, clock).map_err(|error| system(&error))?;
    make_data_dir(&settings.data_folder())?;
    let folder = node_folder::take(&settings.data_folder()).map_err(|error| system(&error))?;
    let embedded = embedded_node(settings, folder.node().clone(), [&plain, &tls])?;
    let feed = embedded_gateway::follow(app.clone(), gateway.clone(), embedded, Arc::clone(jobs)).await;
    // Another process on the same data folder counts for itself.
    let quotas = limit_counts::start(gateway.clone(), folder.path(), Arc::clone(jobs));
    let feed = feed.map_err(|error| failures::of_app(settings, &error))?;
    let delivery = usage_delivery::start(app.clone(), gateway.clone(), folder, Arc::clone(jobs));
    let delivery = delivery.map_err(|error| system(&error))?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    for (listener, is_tls) in [(plain, false), (tls, true)] {
        let Some(listener) = listener else { continue };
        tasks.push(listener.serve_gateway(&gateway, is_tls, jobs, stopped.clone()));
    }
    Ok((gateway, RunningGateway { stop, tasks, feed, delivery, quotas }))
}

/// The gateway of this process as a node among others.
fn embedded_node(
    settings: &Settings,
    id: NodeId,
    listeners: [&Option<Listener>; 2],
) -> Result<EmbeddedNode, StartError> {
    let instance = forecourt_gateway::sync::random_word();
    let [plain, tls] = listeners.map(|listener| listener.as_ref().map(Listener::authority));
    let address = plain.map(|at| format!("http://{at}")).or(tls.map(|at| format!("https://{at}")));
    Ok(EmbeddedNode {
        id,
        instance: instance.map_err(|error| StartError::System(error.to_string()))?,
        name: node_folder::host_name(),
        version: VERSION.into(),
        address: address.unwrap_or_default(),
        group: GatewayGroupId::known(settings.gateway.group.as_str()),
    })
}
