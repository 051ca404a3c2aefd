//! The gateway as `make bench` measures it: one worker, an open service under `/open`, and one under `/keyed` whose
//! product asks for a key.
//!
//! `bench_gateway --listen ADDRESS --upstream HOST:PORT --credentials N`: each of the N keys, `bench-key-00000000`
//! and on, belongs to an application of its own that is subscribed. The method is in `docs/bench.md`.

use std::{collections::BTreeMap, env, error::Error, sync::Arc, time::SystemTime};

use forecourt_core::{
    gateway_state::{
        ApplicationState, Balancing, CredentialSecret, CredentialState, CredentialVersionState, GrantState,
        KeepalivePool, KeyAuthMethod, PluginsState, ProductState, Resource, RouteState, RouteTimeouts,
        ServiceState, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls,
    },
    ids::{
        ApplicationId, CredentialId, CredentialVersionId, DeveloperId, DeveloperName, GatewayGroupId,
        PortalId, ProductId, RouteId, ServiceId,
    },
    secrets::SecretDigest,
    time::Timestamp,
};
use forecourt_gateway::{Clock, Config, Gateway};
use forecourt_wire::changes::{Change, ChangeBatch};
use mimalloc::MiMalloc;
use tokio::{net::TcpListener, runtime::Builder};

/// The allocator of the binary, or another program would be measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// When everything of the measurement was made.
const MADE: Timestamp = Timestamp::from_seconds(1_767_225_600);

fn main() -> Result<(), Box<dyn Error>> {
    let listen = argument("--listen")?;
    let (host, port) = {
        let upstream = argument("--upstream")?;
        let (host, port) = upstream.split_once(':').ok_or("--upstream must be HOST:PORT")?;
        (host.to_owned(), port.parse()?)
    };
    let credentials: usize = argument("--credentials")?.parse()?;

    let gateway = Gateway::new(Config::default(), clock())?;
    gateway.apply(&everything(&UpstreamNode { host, port, weight: 1, priority: 0 }, credentials));
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(&listen).await?;
        // On a worker, as in the binary, and not on the thread that waits.
        tokio::spawn(async move { gateway.serve(listener, std::future::pending()).await }).await?;
        Ok(())
    })
}

fn argument(name: &str) -> Result<String, String> {
    env::args().skip_while(|argument| argument != name).nth(1).ok_or_else(|| format!("{name} is required"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a gateway that runs by itself brings the clock of the machine"
)]
fn clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

/// The whole state, as a gateway gets it at its start.
fn everything(upstream: &UpstreamNode, credentials: usize) -> ChangeBatch {
    let mut resources = Vec::new();
    for name in ["open", "keyed"] {
        resources.push(Resource::Service(service(name, upstream)));
        resources.push(Resource::Route(route(name)));
    }
    resources.push(Resource::Product(ProductState {
        id: ProductId::known("prd_bench"),
        portal_id: PortalId::known("default"),
        services: vec![ServiceId::known("keyed")],
        key_auth: Some(KeyAuthMethod {
            header: "apikey".to_owned(),
            query: "apikey".to_owned(),
            hide_credentials: false,
        }),
        basic_auth: None,
        jwt_auth: None,
        dcr: None,
    }));
    resources.extend((0..credentials).flat_map(subscriber));
    let changes = resources.into_iter().map(|resource| Change {
        revision: 1,
        kind: resource.kind(),
        key: resource.key(),
        resource: Some(resource),
    });
    ChangeBatch { revision: 1, snapshot: true, changes: changes.collect() }
}

fn service(name: &str, node: &UpstreamNode) -> ServiceState {
    ServiceState {
        id: ServiceId::known(name),
        gateway_group_id: GatewayGroupId::known("default"),
        enabled: true,
        hosts: Vec::new(),
        path_prefix: None,
        strip_path_prefix: false,
        upstreams: BTreeMap::new(),
        plugins: PluginsState::default(),
        upstream: Some(UpstreamState {
            scheme: "http".to_owned(),
            balancing: Balancing::RoundRobin,
            retries: None,
            tls: UpstreamTls::default(),
            active_check: None,
            passive_check: None,
            keepalive: KeepalivePool::default(),
            nodes: vec![node.clone()],
            connect_timeout_ms: 60_000,
            send_timeout_ms: 60_000,
            read_timeout_ms: 60_000,
            host: UpstreamHost::Pass,
        }),
        created_at: MADE,
    }
}

fn route(name: &str) -> RouteState {
    RouteState {
        id: RouteId::known(name),
        service_id: ServiceId::known(name),
        paths: vec![format!("/{name}")],
        methods: Vec::new(),
        priority: 0,
        plugins: PluginsState::default(),
        upstream_id: None,
        timeouts: RouteTimeouts::default(),
        websocket: true,
        required_scopes: Vec::new(),
        created_at: MADE,
    }
}

/// An application with its key and its subscription.
fn subscriber(number: usize) -> [Resource; 3] {
    // Ids as the portal issues them: a prefix and a UUIDv7.
    let id = |prefix: &str| {
        format!("{prefix}_0198c0a57c00{:020x}", 0x7000_8000_0000_0000_0000_u128 + number as u128)
    };
    let application_id = ApplicationId::known(id("app"));
    let key = format!("bench-key-{number:08}");
    [
        Resource::Application(ApplicationState {
            id: application_id.clone(),
            portal_id: PortalId::known("default"),
            developer_id: DeveloperId::known(id("dev")),
            developer_name: DeveloperName::known(id("dev")),
            active: true,
        }),
        Resource::Credential(CredentialState {
            id: CredentialId::known(id("crd")),
            application_id: application_id.clone(),
            created_at: MADE,
            versions: vec![CredentialVersionState {
                id: CredentialVersionId::known(id("cvr")),
                valid_until: None,
                secret: CredentialSecret::KeyAuth { digest: SecretDigest::of(key.as_bytes()) },
            }],
        }),
        Resource::Grant(GrantState { application_id, product_id: ProductId::known("prd_bench") }),
    ]
}
