//! `forecourt gateway`: a gateway on a machine of its own, fed by a control plane.
//!
//! Invariant: callers are served once a whole state is in force, from the disk or from the control plane, and not
//! before; then standard output gets its one line, `ready {json}`.

mod feeding;
mod told;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use forecourt_core::{addresses::Network, traces::Tracing};
use forecourt_gateway::{
    Config, Gateway, SharedLimits,
    sync::{Folder, Node, NodeConfig, NodeStatus, NodeTls, NodeToken},
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};
use url::Url;

use self::feeding::Feeding;
use crate::{
    config::{LimitSettings, SsrfProtectionSettings},
    durations,
    jobs::Jobs,
    limit_counts,
    listeners::{GRACE, Listener, Serving},
    node_folder,
    serve::{VERSION, system_clock},
    span_export::{self, Export},
};

/// The longest name of a node, in characters.
const LONGEST_NAME: usize = 200;

/// What a node is told on its command line, or in the environment.
#[derive(Debug, Args)]
pub struct GatewayOptions {
    /// The sync ports of the control planes; the first that answers is followed.
    #[arg(
        long,
        env = "FORECOURT_GATEWAY_CONTROL_PLANE",
        value_name = "URL",
        value_delimiter = ',',
        required = true,
        hide_env_values = true
    )]
    control_plane: Vec<String>,
    /// The instance token of the gateway group; better in the environment, where others do not see it.
    #[arg(long, env = "FORECOURT_GATEWAY_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: String,
    /// The folder of its state and of calls that are not delivered yet; made where it is missing.
    #[arg(long, env = "FORECOURT_GATEWAY_DATA_DIR", value_name = "DIR")]
    data_dir: PathBuf,
    /// Where callers come, plain HTTP; port 0 takes a free one.
    #[arg(
        long,
        env = "FORECOURT_GATEWAY_LISTEN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9080"
    )]
    listen: String,
    /// Where callers come over TLS, with the certificates of the group.
    #[arg(long, env = "FORECOURT_GATEWAY_TLS_LISTEN", value_name = "HOST:PORT")]
    tls_listen: Option<String>,
    /// Health, readiness and metrics.
    #[arg(long, env = "FORECOURT_GATEWAY_STATUS_LISTEN", value_name = "HOST:PORT")]
    status_listen: Option<String>,
    /// The only certificate authorities to believe, PEM [default: the one that the token names].
    #[arg(long, env = "FORECOURT_GATEWAY_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate that the node shows the control plane, with its chain, PEM.
    #[arg(long, env = "FORECOURT_GATEWAY_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, env = "FORECOURT_GATEWAY_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// What people call this node [default: the host's name].
    #[arg(long, env = "FORECOURT_GATEWAY_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Without contact for so long, it refuses the traffic of products and consumers.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_STALENESS", value_name = "TIME", default_value = "24h",
        value_parser = durations::parse)]
    max_staleness: Duration,
    /// The Redis where nodes share what they count for limits, redis:// or rediss:// [default: this node counts alone].
    #[arg(long, env = "FORECOURT_GATEWAY_REDIS_URL", value_name = "URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Milliseconds that a call waits for it, 1 to 1000.
    #[arg(long, env = "FORECOURT_GATEWAY_REDIS_TIMEOUT_MS", value_name = "MS", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(1..=1_000))]
    redis_timeout_ms: u64,
    /// A collector that takes spans as OTLP over HTTP [default: none].
    #[arg(long, env = "FORECOURT_GATEWAY_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true)]
    otlp_endpoint: Option<String>,
    /// How many of a hundred traces that begin here are sampled.
    #[arg(long, env = "FORECOURT_GATEWAY_OTLP_SAMPLED_PERCENT", value_name = "NUMBER", default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(0..=100))]
    otlp_sampled_percent: u64,
    /// Proxies whose word counts on where a request came from.
    #[arg(long, env = "FORECOURT_GATEWAY_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
    trusted_proxies: Vec<String>,
    /// Where its own calls may go, for the keys of issuers.
    #[command(flatten)]
    ssrf_protection: SsrfProtectionSettings,
    /// What callers may ask of it.
    #[command(flatten)]
    limits: LimitSettings,
}

/// A running node.
pub struct RunningNode {
    status: NodeStatus,
    gateway: Gateway,
    /// Ends what callers use.
    stop: watch::Sender<bool>,
    feeding: Feeding,
    jobs: Arc<Jobs>,
    listeners: Vec<(Listener, bool)>,
    serving: Vec<JoinHandle<()>>,
    status_serving: Option<Serving>,
    quotas: limit_counts::Keeper,
    export: Option<Export>,
    ready: serde_json::Value,
}

impl std::fmt::Debug for RunningNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningNode").field("ready", &self.ready).finish_non_exhaustive()
    }
}

/// Starts the node: it follows the control plane, and listens to nobody but those who ask for its status.
///
/// # Errors
/// A sentence that names what is wrong.
pub async fn start(options: GatewayOptions) -> Result<RunningNode, String> {
    let bind = |name: &str, address: &str| {
        Listener::bind(address).map_err(|error| format!("{name}: cannot listen on {address}: {error}"))
    };
    let plain = bind("--listen", &options.listen)?;
    let tls = options.tls_listen.as_deref().map(|address| bind("--tls-listen", address)).transpose()?;
    let status =
        options.status_listen.as_deref().map(|address| bind("--status-listen", address)).transpose()?;
    let address = format!("http://{}", plain.authority());
    let mut ready = json!({ "gateway": address });
    let mut say = |name: &str, url: String| {
        if let Some(members) = ready.as_object_mut() {
            members.insert(name.into(), url.into());
        }
    };
    if let Some(tls) = &tls {
        say("gateway_tls", format!("https://{}", tls.authority()));
    }
    if let Some(status) = &status {
        say("status", format!("http://{}", status.authority()));
    }
    let config = node_config(&options, address)?;
    let jobs = Arc::new(Jobs::default());
    let (tracing, export) = start_export(&options, &jobs)?;
    let limits = Config { tracing, ..limits(&options)? };
    let data_dir = options.data_dir.clone();
    // Reading a large state takes seconds of computing.
    let opening = tokio::task::spawn_blocking(move || {
        let clock = system_clock();
        let folder = Folder::take(&options.data_dir, clock()).map_err(|error| error.to_string())?;
        Node::open(folder, config, limits, clock).map_err(|error| error.to_string())
    });
    let node = opening.await.map_err(|error| error.to_string())??;
    say("node", node.id().to_string());
    let (gateway, node_status) = (node.gateway().clone(), node.status().clone());
    let router = told::router(node_status.clone(), gateway.clone(), Arc::clone(&jobs));
    let status_serving =
        status.map(|listener| listener.serve(router, None, &jobs, |jobs| &jobs.status_listener));
    let quotas = limit_counts::start(gateway.clone(), &data_dir, Arc::clone(&jobs));
    let feeding = feeding::start(node, &jobs);
    let listeners = [(plain, false)].into_iter().chain(tls.map(|listener| (listener, true))).collect();
    Ok(RunningNode {
        status: node_status,
        gateway,
        stop: watch::Sender::new(false),
        feeding,
        jobs,
        listeners,
        serving: Vec::new(),
        status_serving,
        quotas,
        export,
        ready,
    })
}

impl RunningNode {
    /// Waits for a whole state, then lets callers in and answers with the JSON of the `ready` line.
    ///
    /// # Errors
    /// When the node ended.
    pub async fn open(&mut self) -> Result<String, String> {
        if !self.status.whole().await {
            return Err("the node ended before it had a state".into());
        }
        for (listener, is_tls) in self.listeners.drain(..) {
            let stopped = self.stop.subscribe();
            self.serving.push(listener.serve_gateway(&self.gateway, is_tls, &self.jobs, stopped));
        }
        Ok(self.ready.to_string())
    }

    /// Lets requests in flight finish, delivers the last counts or leaves them on the disk, and returns.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.serving {
            if task.await.is_err() {
                tracing::error!("the gateway ended early by a panic");
            }
        }
        self.feeding.stop().await;
        self.quotas.stop().await;
        if let Some(export) = self.export {
            export.stop().await;
        }
        if let Some(serving) = self.status_serving {
            serving.stop().await;
        }
    }
}

fn start_export(
    options: &GatewayOptions,
    jobs: &Arc<Jobs>,
) -> Result<(Option<Tracing>, Option<Export>), String> {
    let Some(endpoint) = options.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) else {
        return Ok((None, None));
    };
    let started = span_export::start(endpoint, options.otlp_sampled_percent, jobs);
    let (tracing, export) = started.map_err(|problem| format!("--otlp-endpoint {problem}"))?;
    Ok((Some(tracing), Some(export)))
}

fn node_config(options: &GatewayOptions, address: String) -> Result<NodeConfig, String> {
    let name = options.name.clone().unwrap_or_else(node_folder::host_name);
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(format!("--name must be 1 to {LONGEST_NAME} characters"));
    }
    let control_planes =
        options.control_plane.iter().map(|text| control_plane(text)).collect::<Result<_, _>>()?;
    let token = NodeToken::parse(&options.token).map_err(|problem| format!("--token: {problem}"))?;
    let read = |name: &str, path: &PathBuf| {
        std::fs::read(path).map_err(|error| format!("{name}: {} cannot be read: {error}", path.display()))
    };
    let authorities = options.ca.as_ref().map(|path| read("--ca", path)).transpose()?;
    let client = match (&options.client_cert, &options.client_key) {
        (Some(certificate), Some(key)) => {
            Some((read("--client-cert", certificate)?, read("--client-key", key)?))
        }
        _ => None,
    };
    let tls = NodeTls { authorities, client };
    Ok(NodeConfig { control_planes, token, tls, name, version: VERSION.into(), address })
}

/// `https://HOST:PORT`, or `HOST:PORT` alone.
fn control_plane(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
    let fits = |url: &Url| url.scheme() == "https" && url.host().is_some() && !has_user(url);
    Url::parse(&whole).ok().filter(fits).ok_or_else(|| {
        // What has a password is not repeated.
        let told = if text.contains('@') { "it names a user".to_owned() } else { format!("it is {text:?}") };
        format!("--control-plane must be https://HOST:PORT, the address of a sync port; {told}")
    })
}

fn limits(options: &GatewayOptions) -> Result<Config, String> {
    let trusted_proxies = options.trusted_proxies.iter().map(|proxy| {
        let network = Network::parse(proxy.trim());
        network.ok_or_else(|| {
            format!(
                "--trusted-proxies must list addresses or networks, such as 10.0.0.0/8; {proxy:?} is neither"
            )
        })
    });
    let redis_timeout = Duration::from_millis(options.redis_timeout_ms);
    let shared = options.redis_url.as_deref().filter(|url| !url.is_empty());
    let shared = shared.map(|url| SharedLimits::new(url, redis_timeout)).transpose();
    Ok(Config {
        shared_limits: shared.map_err(|problem| format!("--redis-url {problem}"))?,
        trusted_proxies: trusted_proxies.collect::<Result<_, _>>()?,
        outgoing: options.ssrf_protection.rules(),
        max_staleness: options.max_staleness,
        drain_timeout: GRACE,
        ..options.limits.on(Config::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_the_documentation_with_its_variable_and_default() {
        let nodes = include_str!("../../../docs/nodes.md");
        let command = GatewayOptions::augment_args(clap::Command::new("gateway"));
        for argument in command.get_arguments() {
            let name = argument.get_long().unwrap();
            let line = nodes.lines().find(|line| line.contains(&format!("`--{name}`")));
            let line = line.unwrap_or_else(|| panic!("--{name} is not in docs/nodes.md"));
            for value in argument.get_default_values() {
                let value = value.to_str().unwrap();
                assert!(line.contains(&format!("`{value}`")), "the default {value} of --{name}: {line}");
            }
            let variable = argument.get_env().unwrap().to_str().unwrap();
            let short = format!("…{}", variable.trim_start_matches("FORECOURT_GATEWAY_CLIENT"));
            assert!(line.contains(variable) || line.contains(&short), "{variable}: {line}");
        }
    }

    fn parse(more: &[&str]) -> Result<GatewayOptions, clap::Error> {
        let command = GatewayOptions::augment_args(clap::Command::new("gateway"));
        let given = ["gateway", "--control-plane", "h:1", "--token", "t", "--data-dir", "d"];
        let matches = command.try_get_matches_from(given.iter().chain(more))?;
        <GatewayOptions as clap::FromArgMatches>::from_arg_matches(&matches)
    }

    #[test]
    fn where_a_node_may_call_is_told_in_the_words_of_the_control_plane() {
        let none = limits(&parse(&[]).unwrap()).unwrap().outgoing;
        assert_eq!(none, SsrfProtectionSettings::default().rules());
        let lists = [
            "--ssrf-protection-enable",
            "--ssrf-protection-allow-list",
            "10.0.0.0/8, *.idp.example",
            "--ssrf-protection-deny-list",
            "vault.internal",
        ];
        let told = SsrfProtectionSettings {
            enable: true,
            allow_list: vec!["10.0.0.0/8".into(), "*.idp.example".into()],
            deny_list: vec!["vault.internal".into()],
        };
        assert_eq!(limits(&parse(&lists).unwrap()).unwrap().outgoing, told.rules());
        // A variable that is set to nothing is an empty list.
        let empty = parse(&["--ssrf-protection-enable", "true", "--ssrf-protection-deny-list", ""]).unwrap();
        let empty = limits(&empty).unwrap().outgoing;
        assert!(empty.enable && empty.deny_list.is_empty());
        for list in ["--ssrf-protection-allow-list", "--ssrf-protection-deny-list"] {
            let refused = parse(&[list, "10.0.0.1,http://x/"]).unwrap_err().to_string();
            assert!(refused.contains(list) && refused.contains("\"http://x/\" is none"), "{refused}");
        }
    }

    #[test]
    fn limits_are_those_of_the_embedded_gateway_unless_told_and_out_of_range_they_are_refused() {
        assert_eq!(parse(&[]).unwrap().limits, LimitSettings::default());
        let config =
            limits(&parse(&["--max-connections", "7", "--header-timeout-ms", "250"]).unwrap()).unwrap();
        assert_eq!((config.max_connections, config.header_timeout), (7, Duration::from_millis(250)));
        for wrong in
            [["--max-head-bytes", "1023"], ["--max-head-fields", "0"], ["--body-idle-timeout-ms", "99"]]
        {
            let refused = parse(&wrong).unwrap_err().to_string();
            assert!(refused.contains(wrong[0]), "{refused}");
        }
    }
}
