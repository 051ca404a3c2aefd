//! A whole installation as a process that logs everything, with real peers all around it.
//!
//! Invariant: each secret of its configuration is planted before it starts.

use std::process::Command;

use forecourt_it::{
    Client, ForecourtProcess, MailSink, MovedClock, OauthProvider, TestDatabase, Upstream, Webhook,
    installations::text,
    processes::{binary, command},
};

use super::searches::Secrets;
use crate::traces::Collector;

/// Stands beside every secret, and may be seen by everybody.
pub(super) const MARK: &str = "beside-the-secrets";

/// The installation, its peers, and what was planted in it.
pub(super) struct Installation {
    pub(super) process: ForecourtProcess,
    pub(super) database: TestDatabase,
    pub(super) secrets: Secrets,
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) first_password: String,
    pub(super) upstream: Upstream,
    pub(super) mails: MailSink,
    pub(super) hook: Webhook,
    pub(super) provider: OauthProvider,
    pub(super) collector: Collector,
}

impl Installation {
    pub(super) async fn start() -> Self {
        let (database, mut secrets) = (TestDatabase::new(), Secrets::default());
        let collector = Collector::start().await;
        let first_password = secrets.given("bootstrap.admin_password");
        let mut settings = vec![
            ("FORECOURT_LOG", "trace".to_owned()),
            ("FORECOURT__SECURITY__MASTER_KEY", secrets.master_key()),
            ("FORECOURT__BOOTSTRAP__ADMIN_PASSWORD", first_password.clone()),
            ("FORECOURT__TELEMETRY__OTLP_ENDPOINT", collector.endpoint()),
            ("FORECOURT__NOTIFICATIONS__APPROVAL_LINKS", "true".to_owned()),
            ("FORECOURT__ADMIN__PUBLIC_URL", "https://admin.example.com".to_owned()),
        ];
        // Nobody listens there: it is asked for, and each failure is logged.
        let redis = format!("redis://ann:{}@127.0.0.1:1/0", secrets.plain("gateway.redis.url"));
        settings.push(("FORECOURT__GATEWAY__REDIS__URL", redis));
        let password = secrets.plain("database.url");
        if database.is_postgres() {
            let url = database.url().replacen('@', &format!(":{password}@"), 1);
            settings.push(("FORECOURT__DATABASE__URL", url));
        }
        let process = ForecourtProcess::start(asked(&database, &settings, &["serve"]));
        Self {
            process,
            database,
            secrets,
            settings,
            first_password,
            upstream: Upstream::start().await,
            mails: MailSink::start().await,
            hook: Webhook::start().await,
            provider: OauthProvider::start(&MovedClock::of_the_machine()),
            collector,
        }
    }

    /// A command with the same settings.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        asked(&self.database, &self.settings, arguments)
    }

    /// A client of one of its parts.
    pub(super) fn client(&self, part: &str) -> Client {
        self.process.client(part)
    }

    /// `HOST:PORT` of one of its parts.
    pub(super) fn authority(&self, part: &str) -> String {
        text(&self.process.ready[part]).replace("http://", "")
    }
}

fn asked(database: &TestDatabase, settings: &[(&'static str, String)], arguments: &[&str]) -> Command {
    let mut command = command(&binary(), arguments, database);
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    command
}
