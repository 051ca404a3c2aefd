//! Organizations: who owns together. Each has one developer; a person gets a personal one at registration.

use crate::{
    ids::{DeveloperId, OrganizationId, PersonId, PortalId},
    time::Timestamp,
};

named! {
    /// What a member may do.
    pub enum Role {
        /// Everything.
        Owner = "owner",
        /// Everything but handing over ownership.
        Admin = "admin",
        /// Looking.
        Member = "member",
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its portal.
    pub portal_id: PortalId,
    /// The developer identity that owns its applications.
    pub developer_id: DeveloperId,
    /// What people call it.
    pub name: String,
    /// Made with its person's registration.
    pub personal: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A person's place in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The person.
    pub person_id: PersonId,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}
