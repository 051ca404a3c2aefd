//! Removals: OAuth clients at a provider that no credential here has, until they are gone there too.
//!
//! Invariant: a client is known to somebody from before it exists. A row is written before a registration is asked for
//! ([`DcrRemoval::intent`]); where the registration ends well a credential takes its place in one transaction, and in
//! every other case the row stays and says what is left behind.

use crate::{
    dcr_providers::DcrProvider,
    ids::{ApplicationId, DcrProviderId, DcrRemovalId},
    lists::{Paging, Readable},
    oauth_clients::{KeptManagement, OauthClient},
    pauses, text,
    time::Timestamp,
};

/// How long a registration may take before nobody believes that it still runs: far longer than its calls can last.
const REGISTERING_SECONDS: i64 = 120;
/// How long whoever tries a removal has it for themselves: longer than the call can last.
const LEASE_SECONDS: i64 = 60;

/// How many characters of what went wrong are kept.
const PROBLEM: usize = 500;

/// What a lost registration is told to the administrator in.
const LOST: &str = "the registration was asked for and its answer was lost; if the provider made a client of this \
                    name at that time, remove it there by hand";

/// A client that must go at its provider, or that may have been made there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DcrRemoval {
    /// Its id.
    pub id: DcrRemovalId,
    /// Where the client is.
    pub provider_id: DcrProviderId,
    /// The provider as it was when it was deleted here; `None`: it is still there.
    pub departed_provider: Option<DcrProvider>,
    /// The application that it was for.
    pub application_id: ApplicationId,
    /// The name that it was registered with.
    pub client_name: String,
    /// Its id at the provider; `None` where no answer told it.
    pub client_id: Option<String>,
    /// How it is removed at a provider of type `oidc`.
    pub management: Option<KeptManagement>,
    /// Whether a registration still runs: nothing is left behind yet.
    pub registering: bool,
    /// How often its removal was tried.
    pub attempts: i64,
    /// Whether an earlier attempt may have come through although no answer said so.
    pub maybe_gone: bool,
    /// What the last attempt met; empty before the first.
    pub last_error: String,
    /// When it is tried next; `None`: Forecourt cannot remove it.
    pub next_attempt_at: Option<Timestamp>,
    /// When the client was left behind, or was asked for.
    pub created_at: Timestamp,
}

/// Which removals a list shows; those whose registration still runs are in none.
#[derive(Clone, Debug, Default)]
pub struct DcrRemovalFilter {
    /// Only those at this provider.
    pub provider_id: Option<DcrProviderId>,
    /// Only those at providers that the caller may read.
    pub readable: Readable,
    /// Page, the oldest first.
    pub paging: Paging,
}

impl DcrRemoval {
    /// What is written down before a client is asked for.
    pub fn intent(
        id: DcrRemovalId,
        provider_id: DcrProviderId,
        application_id: ApplicationId,
        client_name: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            provider_id,
            departed_provider: None,
            application_id,
            client_name,
            client_id: None,
            management: None,
            registering: true,
            attempts: 0,
            maybe_gone: false,
            last_error: String::new(),
            next_attempt_at: Some(now.plus_seconds(REGISTERING_SECONDS)),
            created_at: now,
        }
    }

    /// What is left of a client whose credential is deleted; due at once, or when whoever changes it at its provider
    /// must have ended.
    pub fn of_client(
        id: DcrRemovalId,
        client: OauthClient,
        application_id: ApplicationId,
        client_name: String,
        now: Timestamp,
    ) -> Self {
        let intent = Self::intent(id, client.provider_id, application_id, client_name, now);
        let due = client.held_until.filter(|until| *until > now).unwrap_or(now);
        intent.registered(client.client_id, client.management, due)
    }

    /// A registration that ended with this client, which no credential may have; tried at `due` first.
    #[must_use]
    pub fn registered(self, client_id: String, management: Option<KeptManagement>, due: Timestamp) -> Self {
        Self {
            client_id: Some(client_id),
            management,
            registering: false,
            next_attempt_at: Some(due),
            ..self
        }
    }

    /// A registration of which nobody will ever know how it ended.
    #[must_use]
    pub fn lost(self, problem: &str) -> Self {
        let problem = text::quoted(problem, PROBLEM);
        let last_error = if problem.is_empty() { LOST.to_owned() } else { format!("{problem}: {LOST}") };
        Self { registering: false, next_attempt_at: None, last_error, ..self }
    }

    /// The same, taken for one attempt: nobody else tries it meanwhile.
    #[must_use]
    pub fn leased(self, now: Timestamp) -> Self {
        Self {
            attempts: self.attempts.saturating_add(1),
            next_attempt_at: Some(now.plus_seconds(LEASE_SECONDS)),
            ..self
        }
    }

    /// The same after an attempt that failed; tried again after a pause that grows from 10 seconds to an hour.
    /// `maybe_gone`: the provider may have removed it although it did not say so.
    #[must_use]
    pub fn failed(self, problem: &str, maybe_gone: bool, now: Timestamp) -> Self {
        Self {
            last_error: text::quoted(problem, PROBLEM),
            maybe_gone: self.maybe_gone || maybe_gone,
            next_attempt_at: Some(now.plus_seconds(pauses::after(self.attempts))),
            ..self
        }
    }

    /// The same where Forecourt has no way to remove the client, for this reason.
    #[must_use]
    pub fn given_up(self, problem: &str) -> Self {
        Self { last_error: text::quoted(problem, PROBLEM), next_attempt_at: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> DcrRemoval {
        DcrRemoval::intent(
            DcrRemovalId::known("rmv_1"),
            DcrProviderId::known("dcr_1"),
            ApplicationId::known("app_1"),
            "mobile".into(),
            Timestamp::from_seconds(1_000),
        )
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        let now = Timestamp::from_seconds(5_000);
        let mut removal = intent().registered("c".into(), None, now);
        assert_eq!(removal.next_attempt_at, Some(now), "due at once");
        let mut pauses = Vec::new();
        for _ in 0..12 {
            removal = removal.leased(now).failed("away", false, now);
            pauses.push(removal.next_attempt_at.unwrap().seconds() - now.seconds());
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600]);
        assert_eq!(removal.attempts, 12);
    }

    #[test]
    fn a_lost_registration_waits_for_an_administrator() {
        let lost = intent().lost("no answer within 10 s");
        assert!(!lost.registering);
        assert_eq!(lost.next_attempt_at, None);
        assert!(lost.last_error.starts_with("no answer within 10 s: the registration was asked for"));
    }

    #[test]
    fn an_attempt_that_may_have_come_through_is_remembered() {
        let now = Timestamp::from_seconds(5_000);
        let removal = intent().registered("c".into(), None, now);
        let removal = removal.failed("timeout", true, now).failed("away", false, now);
        assert!(removal.maybe_gone);
    }
}
