//! Applications: callers in the making, each of one developer.

use std::collections::BTreeMap;

use crate::{
    attributes::Attributes,
    developers::Developer,
    gateway_state::ApplicationState,
    ids::{ApplicationId, DeveloperId, PortalId, ProductId},
    labels::Labels,
    lists::{Order, Paging, Readable, TextFilter, TimeOrder},
    oauth_clients::RedirectUris,
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// Whether an application may call.
    pub enum ApplicationStatus {
        /// It may.
        Active = "active",
        /// An administrator stopped it; its credentials are refused until it is resumed.
        Suspended = "suspended",
    }
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Its portal.
    pub portal_id: PortalId,
    /// Its developer.
    pub developer_id: DeveloperId,
    /// 1–100 characters; need not be unique.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// Where its people come back to after they signed in elsewhere; for programs of the portal's owner to read.
    pub callback_urls: RedirectUris,
    /// What its developer tells about it.
    pub attributes: Attributes,
    /// Whether it may call.
    pub status: ApplicationStatus,
    /// Why it was suspended; empty while active.
    pub status_reason: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or a replacement gives; absent members are cleared, but for those that say otherwise.
#[derive(Clone, Debug, Default)]
pub struct ApplicationInput {
    /// Required.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Callback URLs; absent ones stay as they are.
    pub callback_urls: Option<Vec<String>>,
    /// Attributes; absent ones stay as they are.
    pub attributes: Option<BTreeMap<String, String>>,
}

/// Which applications a list shows.
#[derive(Clone, Debug, Default)]
pub struct ApplicationFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only this developer's.
    pub developer_id: Option<DeveloperId>,
    /// Only those in this state.
    pub status: Option<ApplicationStatus>,
    /// Only those that were made before this moment and have made no call since.
    pub inactive_since: Option<Timestamp>,
    /// Only those with a subscription, active or pending, to this product.
    pub subscribed_to: Option<ProductId>,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those of these developers: what the caller may read.
    pub readable: Readable,
}

impl Application {
    /// A new, active application of `developer`.
    pub fn new(
        id: ApplicationId,
        developer: &Developer,
        input: ApplicationInput,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let blank = Self {
            id,
            portal_id: developer.portal_id.clone(),
            developer_id: developer.id.clone(),
            name: String::new(),
            desc: String::new(),
            labels: Labels::default(),
            callback_urls: RedirectUris::default(),
            attributes: Attributes::default(),
            status: ApplicationStatus::Active,
            status_reason: String::new(),
            created_at: now,
            updated_at: now,
        };
        blank.replaced(input, now)
    }

    /// This application with name, description and labels of `input`, cleared where they are absent, and with its
    /// callback URLs and attributes where it names them.
    pub fn replaced(mut self, input: ApplicationInput, now: Timestamp) -> Result<Self, Invalid> {
        self.name = text::name("name", &input.name.unwrap_or_default(), text::NAME)?;
        self.desc = text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?;
        self.labels = Labels::new(input.labels.unwrap_or_default())?;
        if let Some(urls) = input.callback_urls {
            self.callback_urls = RedirectUris::new("callback_urls", urls)?;
        }
        if let Some(attributes) = input.attributes {
            self.attributes = Attributes::new(attributes)?;
        }
        self.updated_at = now;
        Ok(self)
    }

    /// Stops it: its credentials are refused from now on.
    pub fn suspended(mut self, reason: &str, now: Timestamp) -> Result<Self, ApplicationRefusal> {
        if self.status == ApplicationStatus::Suspended {
            return Err(ApplicationRefusal::AlreadySuspended);
        }
        self.status_reason = text::free("reason", reason, text::DESC)?;
        self.status = ApplicationStatus::Suspended;
        self.updated_at = now;
        Ok(self)
    }

    /// Lets it call again.
    pub fn resumed(mut self, now: Timestamp) -> Result<Self, ApplicationRefusal> {
        if self.status == ApplicationStatus::Active {
            return Err(ApplicationRefusal::NotSuspended);
        }
        self.status = ApplicationStatus::Active;
        self.status_reason = String::new();
        self.updated_at = now;
        Ok(self)
    }

    /// What the gateway must know of it and its developer.
    pub fn gateway_state(&self, developer: &Developer) -> ApplicationState {
        ApplicationState {
            id: self.id.clone(),
            portal_id: self.portal_id.clone(),
            developer_id: developer.id.clone(),
            developer_name: developer.name.clone(),
            active: self.status == ApplicationStatus::Active && developer.may_act(),
        }
    }
}

/// Why an application cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationRefusal {
    /// Suspended twice.
    #[error("the application is already suspended")]
    AlreadySuspended,
    /// Nothing to resume.
    #[error("the application is not suspended")]
    NotSuspended,
    /// The reason is no text of ours.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for ApplicationRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) => RefusalKind::Invalid,
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::AlreadySuspended => "application_already_suspended",
            Self::NotSuspended => "application_not_suspended",
            Self::Invalid(_) => "invalid_field",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{developers::DeveloperStatus, ids::DeveloperName};

    const NOW: Timestamp = Timestamp::from_seconds(1);

    fn developer() -> Developer {
        let (id, portal) = (DeveloperId::known("dev"), PortalId::known("prt"));
        Developer::from_front_end(id, portal, DeveloperName::known("ada"), NOW)
    }

    fn application(developer: &Developer) -> Application {
        let input = ApplicationInput { name: Some("demo".into()), ..Default::default() };
        Application::new(ApplicationId::known("app"), developer, input, NOW).unwrap()
    }

    #[test]
    fn gateways_hear_of_an_application_as_active_only_while_it_and_its_developer_are() {
        let active = developer();
        let waiting = Developer { status: DeveloperStatus::Pending, ..developer() };
        let app = application(&active);
        assert!(app.gateway_state(&active).active);
        assert!(!app.gateway_state(&waiting).active, "its developer waits for approval");
        let suspended = app.clone().suspended("too many calls", NOW).unwrap();
        assert!(!suspended.gateway_state(&active).active);
        assert!(!suspended.gateway_state(&waiting).active);
        assert!(suspended.resumed(NOW).unwrap().gateway_state(&active).active);
        assert!(app.gateway_state(&waiting.activated(NOW).unwrap()).active);
        let held = active.held(true, NOW);
        assert!(!app.gateway_state(&held).active, "nobody is left who answers for it");
        assert!(app.gateway_state(&held.held(false, NOW)).active);
    }

    #[test]
    fn a_replacement_clears_labels_and_leaves_callback_urls_and_attributes_that_it_does_not_name() {
        let one = |key: &str| Some(BTreeMap::from([(key.to_owned(), "x".to_owned())]));
        let named = || ApplicationInput { name: Some("demo".into()), ..Default::default() };
        let whole = ApplicationInput {
            labels: one("env"),
            callback_urls: Some(vec!["https://app.example/cb".into()]),
            attributes: one("team"),
            ..named()
        };
        let made = Application::new(ApplicationId::known("app"), &developer(), whole, NOW).unwrap();
        let kept = made.clone().replaced(named(), NOW).unwrap();
        assert_eq!(kept.labels, Labels::default());
        assert_eq!((&kept.callback_urls, &kept.attributes), (&made.callback_urls, &made.attributes));
        let cleared = ApplicationInput {
            callback_urls: Some(Vec::new()),
            attributes: Some(BTreeMap::new()),
            ..named()
        };
        let cleared = kept.replaced(cleared, NOW).unwrap();
        assert_eq!(cleared.callback_urls, RedirectUris::default());
        assert_eq!(cleared.attributes, Attributes::default());
        let broken = ApplicationInput { callback_urls: Some(vec!["/cb".into()]), ..named() };
        assert_eq!(cleared.replaced(broken, NOW).unwrap_err().field, "callback_urls[0]");
    }

    #[test]
    fn gateways_hear_the_developer_s_public_id() {
        let ada = developer();
        let state = application(&ada).gateway_state(&ada);
        assert_eq!((state.developer_name.as_str(), state.developer_id.as_str()), ("ada", "dev"));
        assert_eq!((state.id.as_str(), state.portal_id.as_str()), ("app", "prt"));
    }
}
