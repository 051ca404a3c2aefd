//! The composition root: command line, settings, listeners, and the jobs that keep the parts together.
//!
//! Invariant: only this crate reads files of settings and the environment; every other crate is handed a plain config.
//! `serve.rs` puts the parts together; `command_line.rs` is what the binary runs, and stories run the same `serve.rs`
//! in their own process.

mod administrators;
mod audit_keeping;
mod audit_verifying;
pub mod backups;
pub mod certificates;
pub mod command_line;
pub mod config;
pub mod database_watch;
mod dcr_removing;
mod delivering;
pub mod demo;
pub mod durations;
pub mod embedded_gateway;
pub mod faces;
pub mod gateway_node;
pub mod jobs;
pub mod limit_counts;
pub mod listeners;
pub mod master_key;
pub mod metrics;
pub mod node_folder;
mod panics;
pub mod presences;
pub mod serve;
pub mod span_export;
pub mod status;
mod supervision;
pub mod sync_listener;
pub mod telemetry;
pub mod usage_delivery;
mod usage_keeping;
