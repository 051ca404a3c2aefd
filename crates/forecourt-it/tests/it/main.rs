//! Stories over real HTTP with the real gateway, one file per noun; the harness is the library of this crate.
//!
//! They run on SQLite, and on PostgreSQL where `FORECOURT_TEST_DATABASE` names a server (`cargo xtask test` does both).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what stories share fails the story loudly"
)]

mod acts;
mod applications;
mod audit_exports;
mod audit_logs;
mod audit_tampering;
mod backups;
mod backups_under_load;
mod browser;
mod certificates;
mod change_log;
mod command_line;
mod consistency;
mod consumers;
mod contact_points;
mod cors;
mod crash;
mod database_outages;
mod databases;
mod dcr_providers;
mod dcr_removals;
mod deletions;
mod demos;
mod deployments;
mod events;
mod every_read;
mod external_sign_ins;
mod full_disks;
mod gateway_node;
mod jobs;
mod listeners;
mod main_job;
mod master_keys;
mod metrics;
mod node_folders;
mod node_links;
mod node_sync;
mod nodes;
mod notifications;
mod oauth_clients;
mod openapi;
mod openapi_fuzzing;
mod outgoing_calls;
mod password_resets;
mod patches;
mod plans;
mod plugins;
mod portal_api;
mod portal_tokens;
mod previews;
mod proofs_of_addresses;
mod provisioning;
mod publishing;
mod readiness;
mod registrations_by_mail;
mod routing;
mod sealing;
mod secrets;
mod services;
mod shared_databases;
mod sign_in;
mod sign_in_options;
mod sign_in_timing;
mod store;
mod suspension;
mod sync_doors;
mod traces;
mod upgrades;
mod upstream_certificates;
mod upstreams;
mod usage;
mod usage_sums;
