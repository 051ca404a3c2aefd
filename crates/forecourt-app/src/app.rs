//! The application: what every use case is handed, and how a write begins.

use std::sync::{Arc, Weak};

use forecourt_core::{actors::Caller, addresses::OutgoingRules, ids::RequestId, time::Timestamp};
use forecourt_identity::{
    outgoing::Outgoing,
    passwords::Passwords,
    sealing::{MasterKey, Sealer},
};
use forecourt_store::{Listening, Reader, Store, StoreError};
use tokio::sync::Notify;

use crate::{
    Error, SignInLimits, authentication::VerifiedPasswords, bootstrap, gateway_feed::Feed, nodes::Live,
    permissions::Authorities, random::OsRandom, sync_authority::SyncAuthority, usage::UsageKept,
    writes::Write,
};

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How an installation is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// User name of the first administrator, used once, when there is none.
    pub admin_username: String,
    /// Its one-time password.
    pub admin_password: String,
    /// Whether administrators may sign in with passwords again from this start on, if that was disabled.
    pub enable_passwords: bool,
    /// Limits on failed sign-ins.
    pub sign_in_limits: SignInLimits,
    /// What secrets that must be read back are sealed under; every process on one database has the same.
    pub master_key: MasterKey,
    /// How many passwords are hashed at the same time; at least 1.
    pub password_hashes_at_once: usize,
    /// How long counted calls are kept.
    pub usage_kept: UsageKept,
    /// Where calls to identity providers may go.
    pub outgoing: OutgoingRules,
}

impl Default for Config {
    /// For tests and trials: a master key that dies with the process, so that its database opens once only.
    fn default() -> Self {
        Self {
            admin_username: "admin".into(),
            admin_password: "admin".into(),
            enable_passwords: false,
            sign_in_limits: SignInLimits::default(),
            master_key: MasterKey::issue(&mut OsRandom),
            password_hashes_at_once: 2,
            usage_kept: UsageKept::default(),
            outgoing: OutgoingRules::default(),
        }
    }
}

/// The application without keeping it alive.
pub(crate) struct WeakApp(Weak<Parts>);

impl WeakApp {
    /// The application, where somebody still uses it.
    pub(crate) fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

/// The application. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    store: Store,
    clock: Clock,
    passwords: Passwords,
    sealer: Sealer,
    verified: VerifiedPasswords,
    authorities: Authorities,
    limits: crate::sign_in_limits::Failures,
    feed: Feed,
    nodes: Live,
    csrf_key: Vec<u8>,
    sync_authority: SyncAuthority,
    usage_kept: UsageKept,
    outgoing: Outgoing,
    removals_due: Notify,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Sets up an installation on `store`: the first administrator, the portal and the gateway group `default`.
    ///
    /// What is there already stays as it is. Fails only where the database does, a password cannot be hashed, or the
    /// database's secrets are sealed under another master key.
    pub async fn open(store: Store, config: &Config, clock: Clock) -> Result<Self, Error> {
        let passwords = Passwords::new(config.password_hashes_at_once)?;
        let sealer = Sealer::new(&config.master_key);
        let made = bootstrap::run(&store, &passwords, &sealer, config, clock()).await?;
        let revision = store.read().revision().await?;
        Ok(Self(Arc::new(Parts {
            store,
            clock,
            passwords,
            sealer,
            verified: VerifiedPasswords::new(&mut OsRandom),
            authorities: Authorities::default(),
            limits: crate::sign_in_limits::Failures::new(config.sign_in_limits),
            feed: Feed::new(revision),
            nodes: Live::new(random_hex(16)),
            csrf_key: made.csrf_key,
            sync_authority: made.sync_authority,
            usage_kept: config.usage_kept,
            outgoing: Outgoing::new(config.outgoing.clone()),
            removals_due: Notify::new(),
        })))
    }

    /// The time, as this installation has it.
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// The key that form tokens are derived with.
    pub fn csrf_key(&self) -> &[u8] {
        &self.0.csrf_key
    }

    /// A fresh id for a request.
    pub fn new_request_id(&self) -> RequestId {
        RequestId::issue(self.now(), &mut OsRandom)
    }

    /// `bytes` random bytes as lower-case hex: nonces of pages and forms.
    pub fn random_hex(&self, bytes: usize) -> String {
        random_hex(bytes)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.0.store.ping().await?)
    }

    pub(crate) async fn listen(&self) -> Result<Option<Listening>, StoreError> {
        self.0.store.listen().await
    }

    pub(crate) fn read(&self) -> &Reader {
        self.0.store.read()
    }

    pub(crate) async fn begin<'a>(&'a self, caller: &'a Caller) -> Result<Write<'a>, Error> {
        Ok(Write::new(self, caller, self.0.store.begin().await?, self.now()))
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    pub(crate) fn verified(&self) -> &VerifiedPasswords {
        &self.0.verified
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.0.authorities
    }

    pub(crate) fn limits(&self) -> &crate::sign_in_limits::Failures {
        &self.0.limits
    }

    pub(crate) fn sync_authority(&self) -> &SyncAuthority {
        &self.0.sync_authority
    }

    pub(crate) fn usage_kept(&self) -> &UsageKept {
        &self.0.usage_kept
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.0.outgoing
    }

    /// What tells that an OAuth client is to be removed at its provider.
    pub(crate) fn removals_due(&self) -> &Notify {
        &self.0.removals_due
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn nodes(&self) -> &Live {
        &self.0.nodes
    }

    pub(crate) fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }
}

fn random_hex(bytes: usize) -> String {
    use forecourt_core::random::Random;
    let mut drawn = vec![0; bytes];
    OsRandom.fill(&mut drawn);
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}
