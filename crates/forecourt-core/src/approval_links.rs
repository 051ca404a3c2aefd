//! Links in mails with which an approver decides without signing in.
//!
//! Invariant: a link is for one approval and one recipient, works once, not after a week, and only while the product, or
//! one of the portal in which somebody registers, tells that recipient of requests. What is kept of its token is a
//! digest; the token itself stands, sealed, in the delivery that carries it.

use crate::{
    approvals::Approval,
    contact_points::{ContactPoint, ContactTarget},
    ids::{ApprovalId, ContactPointId},
    notifications::{NotificationEvent, NotificationRule},
    refusals::{Refusal, RefusalKind},
    secrets::SecretDigest,
    time::Timestamp,
};

/// How long a link works, seconds: a week.
const LIFE: i64 = 7 * 24 * 3_600;

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalLink {
    /// The digest of its token.
    pub digest: SecretDigest,
    /// What it decides.
    pub approval_id: ApprovalId,
    /// The mail address that it was sent to.
    pub recipient: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ApprovalLink {
    /// A link that works from now on.
    pub const fn new(
        digest: SecretDigest,
        approval_id: ApprovalId,
        recipient: String,
        now: Timestamp,
    ) -> Self {
        Self {
            digest,
            approval_id,
            recipient,
            expires_at: now.plus_seconds(LIFE),
            used_at: None,
            created_at: now,
        }
    }

    /// The contact points that a product with these rules tells of requests.
    pub fn askers(rules: &[NotificationRule]) -> impl Iterator<Item = &ContactPointId> {
        let asking = rules.iter().filter(|rule| rule.event == NotificationEvent::Created);
        asking.flat_map(|rule| &rule.contact_point_ids)
    }

    /// Whether its recipient is an address of this contact point.
    pub fn is_of(&self, contact_point: &ContactPoint) -> bool {
        match &contact_point.target {
            ContactTarget::Email(addresses) => addresses.contains(&self.recipient),
            ContactTarget::Webhook(_) => false,
        }
    }

    /// Whether it can still decide `approval`.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, approval: &Approval, now: Timestamp) -> Result<(), ApprovalLinkRefusal> {
        if self.used_at.is_some() {
            return Err(ApprovalLinkRefusal::Used);
        }
        if approval.decision.is_some() {
            return Err(ApprovalLinkRefusal::Decided);
        }
        if self.expires_at <= now {
            return Err(ApprovalLinkRefusal::Expired);
        }
        Ok(())
    }

    /// The same, used to decide `approval`.
    ///
    /// # Errors
    /// See [`ApprovalLink::check`].
    pub fn used(self, approval: &Approval, now: Timestamp) -> Result<Self, ApprovalLinkRefusal> {
        self.check(approval, now)?;
        Ok(Self { used_at: Some(now), ..self })
    }
}

/// Why a link decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalLinkRefusal {
    /// It works once.
    #[error("this link was used already; each works once")]
    Used,
    /// Somebody was faster, or what was asked for went away.
    #[error("this request is already decided")]
    Decided,
    /// It works for a week.
    #[error("this link is older than a week; sign in to decide")]
    Expired,
    /// The operator lets mails decide no more.
    #[error("links in mails decide nothing here any more; sign in to decide")]
    Disabled,
}

impl Refusal for ApprovalLinkRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Used => "approval_link_used",
            Self::Decided => "approval_link_decided",
            Self::Expired => "approval_link_expired",
            Self::Disabled => "approval_link_disabled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        approvals::{ApprovalResult, ApprovalSubject, Operator},
        ids::{DeveloperId, PortalId},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn approval() -> Approval {
        Approval {
            id: ApprovalId::known("apv_1"),
            portal_id: PortalId::known("prt_1"),
            subject: ApprovalSubject::Registration,
            resource_name: "Orders".into(),
            developer_id: DeveloperId::known("dev_1"),
            applicant_id: "ada".into(),
            applicant_name: "Ada".into(),
            applied_at: NOW,
            decision: None,
            updated_at: NOW,
        }
    }

    #[test]
    fn a_link_works_once_for_a_week_while_nobody_else_decides() {
        let digest = SecretDigest::of(b"token");
        let link = ApprovalLink::new(digest, ApprovalId::known("apv_1"), "ops@example.com".into(), NOW);
        let last = NOW.plus_seconds(7 * 86_400 - 1);
        let used = link.clone().used(&approval(), last).unwrap();
        assert_eq!(used.used_at, Some(last));
        assert_eq!(used.used(&approval(), last), Err(ApprovalLinkRefusal::Used));
        let late = NOW.plus_seconds(7 * 86_400);
        assert_eq!(link.check(&approval(), late), Err(ApprovalLinkRefusal::Expired));
        let decided = approval().decided(ApprovalResult::Cancelled, Operator::default(), "", NOW).unwrap();
        assert_eq!(link.check(&decided, late), Err(ApprovalLinkRefusal::Decided));
    }
}
