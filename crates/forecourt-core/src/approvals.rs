//! Approvals: questions to the provider, decided once and kept.

use crate::{
    ids::{ApprovalId, DeveloperId, PortalId, ProductId, SubscriptionId},
    lists::{Order, Paging, Readable},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// What is asked.
    pub enum ApprovalEvent {
        /// May this application call this product?
        ProductSubscription = "api_product_subscription",
        /// May this developer act in this portal?
        DeveloperRegistration = "developer_registration",
    }
}

named! {
    /// Whether it was decided.
    pub enum ApprovalStatus {
        /// Not yet.
        Pending = "pending",
        /// For good.
        Finished = "finished",
    }
}

named! {
    /// How it ended.
    pub enum ApprovalResult {
        /// Yes.
        Accepted = "accepted",
        /// No.
        Rejected = "rejected",
        /// What was asked for went away.
        Cancelled = "cancelled",
    }
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Its portal.
    pub portal_id: PortalId,
    /// What is asked about.
    pub subject: ApprovalSubject,
    /// Name of the product or developer: current while it exists, the last known one after.
    pub resource_name: String,
    /// The asking developer, as we know it.
    pub developer_id: DeveloperId,
    /// The asking developer's public id.
    pub applicant_id: String,
    /// What people call the asking developer.
    pub applicant_name: String,
    /// When it was asked.
    pub applied_at: Timestamp,
    /// How it ended; `None`: pending.
    pub decision: Option<Decision>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalSubject {
    /// A subscription to a product.
    Subscription {
        /// The waiting subscription.
        subscription_id: SubscriptionId,
        /// The product.
        product_id: ProductId,
    },
    /// The registration of the asking developer.
    Registration,
}

/// How an approval ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Yes, no, or cancelled.
    pub result: ApprovalResult,
    /// Who decided; empty for a cancelled one.
    pub operator: Operator,
    /// Why, in the decider's words; empty: not said.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Who decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// The administrator's id, or `developer_portal_admin`.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// What a front end said about its own operator, verbatim.
    pub metadata: Option<String>,
}

/// What a list of approvals is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApprovalOrder {
    /// By the time of asking.
    #[default]
    AppliedAt,
    /// By the resource's name.
    ResourceName,
    /// By the time of the decision; undecided ones are the oldest.
    OperatedAt,
}

/// Which approvals a list shows.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// Only this portal's.
    pub portal_id: Option<PortalId>,
    /// Only pending or finished ones.
    pub status: Option<ApprovalStatus>,
    /// Only those that ended so.
    pub result: Option<ApprovalResult>,
    /// Only these questions.
    pub event: Option<ApprovalEvent>,
    /// The filters contradict each other: no row matches.
    pub nothing: bool,
    /// Case-insensitive substring of the resource's name.
    pub resource_name: Option<String>,
    /// Case-insensitive substring of the operator's name.
    pub operator_name: Option<String>,
    /// Case-insensitive substring of the applicant's name.
    pub applicant_name: Option<String>,
    /// Case-insensitive substring of any of the three names.
    pub search: Option<String>,
    /// Order.
    pub order: Order<ApprovalOrder>,
    /// Page.
    pub paging: Paging,
    /// Of approvals of subscriptions, only those to these products: what the caller may read.
    pub readable_products: Readable,
    /// Of approvals of registrations, only those of these developers.
    pub readable_developers: Readable,
}

impl Approval {
    /// Which question it is.
    pub const fn event(&self) -> ApprovalEvent {
        match self.subject {
            ApprovalSubject::Subscription { .. } => ApprovalEvent::ProductSubscription,
            ApprovalSubject::Registration => ApprovalEvent::DeveloperRegistration,
        }
    }

    /// Whether it was decided.
    pub const fn status(&self) -> ApprovalStatus {
        if self.decision.is_some() { ApprovalStatus::Finished } else { ApprovalStatus::Pending }
    }

    /// This approval decided; refused once it is.
    pub fn decided(
        mut self,
        result: ApprovalResult,
        operator: Operator,
        reason: &str,
        now: Timestamp,
    ) -> Result<Self, ApprovalRefusal> {
        if self.decision.is_some() {
            return Err(ApprovalRefusal::AlreadyFinished);
        }
        let reason = text::free("reason", reason, text::DESC)?;
        self.decision = Some(Decision { result, operator, reason, at: now });
        self.updated_at = now;
        Ok(self)
    }
}

/// The literal operator id of decisions made through the Portal API.
pub const PORTAL_ADMINISTRATOR: &str = "developer_portal_admin";

/// Why an approval cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefusal {
    /// Never reopened.
    #[error("the approval is already finished")]
    AlreadyFinished,
    /// The reason is no text of ours.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for ApprovalRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) => RefusalKind::Invalid,
            Self::AlreadyFinished => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyFinished => "approval_finished",
            Self::Invalid(_) => "invalid_field",
        }
    }
}
