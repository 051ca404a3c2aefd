//! The application: what every use case is handed, and how a write begins.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use forecourt_core::{
    actors::Caller,
    addresses::OutgoingRules,
    histograms::HistogramReading,
    ids::RequestId,
    secrets::{KeptSecret, PlainSecret},
    time::Timestamp,
};
use forecourt_identity::{
    outgoing::Outgoing,
    passwords::Passwords,
    sealing::{MasterKey, Sealer},
    sign_ins::saml::IdentityProviders,
};
use forecourt_store::{Listening, Reader, Store, StoreError, Tx};
use tokio::sync::Notify;

use crate::{
    Error, SignInLimits, audit_logs, authentication::VerifiedPasswords, bootstrap, deliveries::Tallies,
    gateway_feed::Feed, master_keys, nodes::Live, permissions::Authorities, random::OsRandom, sealing,
    sync_authority::SyncAuthority, usage::UsageKept, writes::Write,
};

/// For how many days entries of the audit log are kept where nobody says otherwise.
pub const AUDIT_KEPT_DAYS: u32 = 60;

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
    /// For how many days entries of the audit log are kept; at least 1.
    pub audit_kept_days: u32,
    /// Where calls to identity providers may go.
    pub outgoing: OutgoingRules,
    /// Whether OAuth clients are made, changed and removed at their providers.
    pub calls_providers: bool,
    /// Where people reach the console: `http` or `https` and a host, no path; empty where nobody said.
    pub public_url: String,
    /// Whether mails about requests lead to a page on which whoever has the mail decides.
    pub approval_links: bool,
    /// How long a step of handing over a mail, or a whole call of a webhook, may take: 1 to 30 seconds.
    pub message_time: Duration,
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
            audit_kept_days: AUDIT_KEPT_DAYS,
            outgoing: OutgoingRules::default(),
            calls_providers: true,
            public_url: String::new(),
            approval_links: false,
            message_time: Duration::from_secs(20),
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
    master_key: MasterKey,
    verified: VerifiedPasswords,
    authorities: Authorities,
    limits: crate::sign_in_limits::Failures,
    feed: Feed,
    nodes: Live,
    csrf_key: Vec<u8>,
    sync_authority: SyncAuthority,
    usage_kept: UsageKept,
    audit_kept_days: u32,
    pending_answers: audit_logs::Pending,
    outgoing: Outgoing,
    calls_providers: bool,
    public_url: String,
    identity_providers: IdentityProviders,
    providers_due: Notify,
    messages_due: Notify,
    delivery_tallies: Tallies,
    messenger: Outgoing,
    message_time: Duration,
    approval_links: bool,
    first_administrator: bool,
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
        let passwords = Passwords::new(config.password_hashes_at_once);
        let made = bootstrap::run(&store, &passwords, config, clock()).await?;
        let revision = store.read().revision().await?;
        Ok(Self(Arc::new(Parts {
            store,
            clock,
            passwords,
            sealer: made.sealer,
            master_key: config.master_key.clone(),
            verified: VerifiedPasswords::new(&mut OsRandom),
            authorities: Authorities::default(),
            limits: crate::sign_in_limits::Failures::new(config.sign_in_limits),
            feed: Feed::new(revision),
            nodes: Live::new(crate::random::hex(16)),
            csrf_key: made.csrf_key,
            sync_authority: made.sync_authority,
            usage_kept: config.usage_kept,
            audit_kept_days: config.audit_kept_days,
            pending_answers: audit_logs::Pending::default(),
            outgoing: Outgoing::new(config.outgoing.clone()),
            calls_providers: config.calls_providers,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            identity_providers: IdentityProviders::default(),
            providers_due: Notify::new(),
            messages_due: Notify::new(),
            delivery_tallies: Tallies::default(),
            messenger: Outgoing::with_time(config.outgoing.clone(), config.message_time),
            message_time: config.message_time,
            approval_links: config.approval_links,
            first_administrator: made.first_administrator,
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
        crate::random::hex(bytes)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.0.store.ping().await?)
    }

    /// Leaves connections that may lead to a server that is gone for new ones.
    pub async fn renew_connections(&self, is_due: bool) {
        self.0.store.renew_connections(is_due).await;
    }

    /// Why the last write of this process failed, where the database could not do it.
    pub fn write_trouble(&self) -> Option<String> {
        self.0.store.write_trouble()
    }

    /// Whether a write of this process was undone and none was made permanent since, for whatever reason.
    pub fn is_writing_in_doubt(&self) -> bool {
        self.0.store.is_writing_in_doubt()
    }

    /// Writes what is there already, to learn whether the database can be written again.
    pub async fn try_to_write(&self) -> Result<(), Error> {
        Ok(self.0.store.try_to_write().await?)
    }

    /// How long writers of this process waited for their turn.
    pub fn write_waits(&self) -> HistogramReading {
        self.0.store.write_waits()
    }

    /// How many connections to the database are open to read, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        self.0.store.connections()
    }

    /// How many sign-ins and token checks failed in this process, and how many were told to wait.
    pub fn failed_sign_ins(&self) -> (u64, u64) {
        self.0.limits.counts()
    }

    /// How many slow hashes of passwords were computed in this process, to store them and to check them.
    pub fn password_hashes(&self) -> u64 {
        self.0.passwords.computed()
    }

    pub(crate) async fn listen(&self) -> Result<Option<Listening>, StoreError> {
        self.0.store.listen().await
    }

    pub(crate) fn read(&self) -> &Reader {
        self.0.store.read()
    }

    /// What reads how things were before the write that has the turn.
    pub(crate) fn before(&self) -> &Reader {
        self.0.store.before()
    }

    pub(crate) async fn begin<'a>(&'a self, caller: &'a Caller) -> Result<Write<'a>, Error> {
        let tx = self.0.store.begin().await?;
        // Nobody makes a data key meanwhile: what this write seals is sealed under the newest, and what it reads opens.
        master_keys::keep_up(&tx, &self.0.master_key, &self.0.sealer).await?;
        Ok(Write::new(self, caller, tx, self.now()))
    }

    /// A write of what no call changes: the audit log itself.
    pub(crate) async fn begin_bare(&self) -> Result<Tx, StoreError> {
        self.0.store.begin().await
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Learns the data keys that another process made.
    pub(crate) async fn learn_keys(&self, read: &Reader) -> Result<(), Error> {
        master_keys::learn(read, &self.0.master_key, &self.0.sealer).await
    }

    /// The secret that was sealed for `place`: every use case opens by this. A data key that another process made, and
    /// this one has not heard of yet, is looked up first.
    ///
    /// # Errors
    /// Where the text does not open, and where an unknown key cannot be looked up.
    pub(crate) async fn opened(&self, kept: &KeptSecret, place: &str) -> Result<PlainSecret, Error> {
        if sealing::lacks_key_of(&self.0.sealer, kept) {
            self.learn_keys(self.read()).await?;
        }
        Ok(self.0.sealer.open(kept, place)?)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
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

    /// Whether [`App::open`] made the first administrator: whoever else opens the same database at once did not.
    pub fn made_first_administrator(&self) -> bool {
        self.0.first_administrator
    }

    pub(crate) fn usage_kept(&self) -> &UsageKept {
        &self.0.usage_kept
    }

    pub(crate) fn audit_kept_days(&self) -> u32 {
        self.0.audit_kept_days
    }

    pub(crate) fn pending_answers(&self) -> &audit_logs::Pending {
        &self.0.pending_answers
    }

    /// What asks those who sign people in, which changes nothing there.
    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.0.outgoing
    }

    /// What makes, changes and removes OAuth clients at their providers; nothing else calls those.
    ///
    /// # Errors
    /// Where the operator keeps in what goes out.
    pub(crate) fn provider_calls(&self) -> Result<&Outgoing, Error> {
        if self.0.calls_providers { Ok(&self.0.outgoing) } else { Err(Error::kept_in()) }
    }

    /// Where people reach the console, where the operator said so.
    pub(crate) fn public_url(&self) -> Option<&str> {
        Some(self.0.public_url.as_str()).filter(|url| !url.is_empty())
    }

    /// Where people reach the console: as the operator said, else `reached_at`, which is what the caller claims.
    pub fn root_url<'a>(&'a self, reached_at: &'a str) -> &'a str {
        self.public_url().unwrap_or(reached_at)
    }

    pub(crate) fn identity_providers(&self) -> &IdentityProviders {
        &self.0.identity_providers
    }

    /// What tells that an OAuth client is to be removed or changed at its provider.
    pub(crate) fn providers_due(&self) -> &Notify {
        &self.0.providers_due
    }

    /// What tells that somebody is to be told of something.
    pub(crate) fn messages_due(&self) -> &Notify {
        &self.0.messages_due
    }

    pub(crate) fn delivery_tallies(&self) -> &Tallies {
        &self.0.delivery_tallies
    }

    /// What calls webhooks and mail servers, in the time that messages have.
    pub(crate) fn messenger(&self) -> &Outgoing {
        &self.0.messenger
    }

    /// How long a step of handing over a message may take.
    pub(crate) fn message_time(&self) -> Duration {
        self.0.message_time
    }

    /// Whether mails may lead to a decision: the operator wants it, and said where the console is.
    pub(crate) fn links_approvals(&self) -> Option<&str> {
        self.public_url().filter(|_| self.0.approval_links)
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
