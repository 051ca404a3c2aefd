//! Use cases: each authorises the caller, loads, lets core's rules decide, saves, records the event and commits.
//!
//! Invariant: every change is one [`writes::Write`], so rows, events and gateway changes come together or not at all,
//! and a change that gateways enforce is in force at the embedded one before the use case returns.
//! One file per noun; a use case is a verb: `applications::suspend(&app, &caller, …)`.

pub mod access;
pub mod admin_tokens;
pub mod administrators;
mod app;
pub mod applications;
pub mod approval_links;
pub mod approvals;
pub mod audit_logs;
pub mod authentication;
mod bootstrap;
pub mod certificates;
pub mod consumer_credentials;
pub mod consumers;
pub mod contact_points;
pub mod credentials;
pub mod dcr_providers;
pub mod dcr_removals;
pub mod deliveries;
pub mod developers;
mod error;
pub mod events;
pub mod external_sign_ins;
pub mod gateway_feed;
pub mod gateway_groups;
pub mod group_objects;
pub mod impacts;
pub mod instance_tokens;
pub mod labels;
pub mod master_keys;
pub mod nodes;
mod notices;
pub mod oauth_clients;
pub mod permission_policies;
mod permissions;
pub mod person_links;
pub mod persons;
pub mod plans;
mod plugins;
pub mod portal_tokens;
pub mod portals;
pub mod products;
pub mod provisioning;
mod random;
pub mod receipts;
mod repeated_registrations;
pub mod roles;
pub mod routes;
pub mod sealing;
pub mod services;
pub mod settings;
mod sign_in_limits;
pub mod sign_in_options;
pub mod smtp_servers;
pub mod subscriptions;
pub mod sync_authority;
mod upstream_certificates;
pub mod upstreams;
pub mod usage;
pub mod validation;
mod writes;

pub use app::{AUDIT_KEPT_DAYS, App, Clock, Config};
pub use error::{Error, ErrorKind};
pub use sign_in_limits::SignInLimits;
