//! What administrators may do: actions, the resources they act on, policies, and the decision.
//!
//! Invariant: the decision is a pure function of an [`Authority`], an [`Action`] and a [`Target`]. Nothing is allowed
//! by default, and one matching `deny` beats every `allow`. Policies are read in `permissions/policies.rs`, their
//! patterns in `permissions/patterns.rs`.

pub mod actions;
mod authorities;
mod patterns;
pub mod policies;
pub mod targets;

pub use self::{
    actions::{Action, Namespace},
    authorities::{Authority, Grant, Reach},
    policies::{Policy, PolicyDocument},
    targets::Target,
};

#[cfg(test)]
mod tests;
