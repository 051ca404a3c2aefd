//! Sessions: a browser that has signed in, on either site. The token is shown to the browser once, as a cookie.

use crate::{
    ids::{AdministratorId, PersonId, SignInOptionId},
    secrets::SecretDigest,
    time::Timestamp,
};

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOwner {
    /// An administrator, in the Provider console or the Admin API.
    Administrator(AdministratorId),
    /// A person, on a portal's site.
    Person(PersonId),
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Digest of the cookie's token: the session's key.
    pub digest: SecretDigest,
    /// Who is signed in.
    pub owner: SessionOwner,
    /// The option that it was made through, with which it ends; `None`: made before options were noted.
    pub option: Option<SignInOptionId>,
    /// The address it was made from, as text; empty where unknown.
    pub address: String,
    /// The browser's own description; at most 256 characters.
    pub user_agent: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

impl Session {
    /// How long a session lasts: the `Max-Age` of its cookie.
    pub const SECONDS: i64 = 86_400;
}
