//! The pure heart of Forecourt: nouns, ids, states and their transitions, rules, events,
//! and what a gateway must know ([`gateway_state`]).
//!
//! Invariant: nothing here reads a clock, makes randomness, or touches the outside world;
//! both arrive as arguments ([`time::Timestamp`], [`random::Random`]).

#[cfg(any())] pub mod actors;
#[cfg(any())] pub mod admin_tokens;
#[cfg(any())] pub mod administrators;
#[cfg(any())] pub mod applications;
#[cfg(any())] pub mod approvals;
#[cfg(any())] pub mod credentials;
#[cfg(any())] pub mod dcr_providers;
#[cfg(any())] pub mod developers;
#[cfg(any())] pub mod events;
#[cfg(any())] pub mod gateway_groups;
pub mod gateway_state;
pub mod ids;
pub mod labels;
pub mod lists;
#[cfg(any())] pub mod openapi;
#[cfg(any())] pub mod organizations;
#[cfg(any())] pub mod persons;
#[cfg(any())] pub mod portal_tokens;
#[cfg(any())] pub mod portals;
#[cfg(any())] pub mod products;
pub mod random;
pub mod refusals;
#[cfg(any())] pub mod routes;
pub mod secrets;
#[cfg(any())] pub mod services;
#[cfg(any())] pub mod sessions;
#[cfg(any())] pub mod settings;
#[cfg(any())] pub mod subscriptions;
pub mod text;
pub mod time;
#[cfg(any())] pub mod usage;
