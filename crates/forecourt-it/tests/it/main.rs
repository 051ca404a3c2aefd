//! Stories over real HTTP with the real gateway, one file per noun; the harness is the library of this crate.
//!
//! They run on SQLite, and on PostgreSQL where `FORECOURT_TEST_DATABASE` names a server (`cargo xtask test` does both).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what stories share fails the story loudly"
)]

mod browser;
mod certificates;
mod change_log;
mod command_line;
mod consumers;
mod contact_points;
mod cors;
mod crash;
mod databases;
mod dcr_providers;
mod dcr_removals;
mod demos;
mod gateway_node;
mod listeners;
mod main_job;
mod node_folders;
mod node_links;
mod node_sync;
mod nodes;
mod oauth_clients;
mod openapi;
mod plans;
mod plugins;
mod portal_api;
mod previews;
mod publishing;
mod routing;
mod sealing;
mod services;
mod shared_databases;
mod sign_in;
mod sign_in_options;
mod store;
mod suspension;
mod upstream_certificates;
mod upstreams;
mod usage;
mod usage_sums;
