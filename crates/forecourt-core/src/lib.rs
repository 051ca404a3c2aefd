//! The pure heart of Forecourt: nouns, ids, states and their transitions, rules, events,
//! and what a gateway must know ([`gateway_state`]).
//!
//! Invariant: nothing here reads a clock, makes randomness, or touches the outside world;
//! both arrive as arguments ([`time::Timestamp`], [`random::Random`]).

#[macro_use]
mod named;

pub mod actors;
pub mod addresses;
pub mod admin_tokens;
pub mod administrators;
pub mod applications;
pub mod approval_links;
pub mod approvals;
pub mod attributes;
pub mod audit_logs;
pub mod certificates;
pub mod consumer_credentials;
pub mod consumers;
pub mod contact_points;
pub mod credentials;
pub mod dcr_providers;
pub mod dcr_removals;
pub mod deliveries;
pub mod developers;
pub mod events;
pub mod external_sign_ins;
pub mod gateway_groups;
pub mod gateway_state;
pub mod group_objects;
pub mod histograms;
pub mod ids;
pub mod impacts;
pub mod instance_tokens;
pub mod labels;
pub mod lists;
pub mod members;
pub mod nodes;
pub mod notices;
pub mod notifications;
pub mod oauth_clients;
pub mod openapi;
pub mod organizations;
mod pauses;
pub mod permission_policies;
pub mod permissions;
pub mod person_links;
pub mod persons;
pub mod plans;
pub mod plugins;
pub mod portal_tokens;
pub mod portals;
pub mod products;
pub mod provisioning;
pub mod random;
pub mod refusals;
pub mod roles;
pub mod routes;
pub mod secrets;
pub mod services;
pub mod sessions;
pub mod settings;
pub mod sign_in_options;
pub mod sketches;
pub mod smtp_servers;
pub mod subscriptions;
pub mod text;
pub mod time;
pub mod traces;
pub mod usage;
