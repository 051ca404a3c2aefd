//! What administrators may do: actions, the resources they act on, policies, and the decision.
//!
//! Invariant: the decision is a pure function of an [`Authority`], an [`Action`] and a [`Target`]. Nothing is allowed
//! by default, and one matching `deny` beats every `allow`. Policies are read in `permissions/policies.rs`, their
//! patterns in `permissions/patterns.rs`;
//! `permissions/statements.rs` tells people what they say.

pub mod actions;
mod authorities;
mod patterns;
pub mod policies;
mod statements;
pub mod targets;

pub use self::{
    actions::{Action, Namespace},
    authorities::{Authority, Grant, Reach},
    policies::{Policy, PolicyDocument},
    statements::StatementTold,
    targets::Target,
};

#[cfg(test)]
mod tests;
