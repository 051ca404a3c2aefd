//! Tests of the Admin API over its router: exact bodies and statuses, one file per noun, and the matrix of permissions.

mod accounts;
mod bodies;
mod certificates;
mod consumer_credentials;
mod consumers;
mod deployment;
mod developers;
mod gateway_groups;
mod group_objects;
mod matrix;
mod nodes;
mod patches;
mod permission_rows;
mod permissions;
mod plans;
mod plugins;
mod portals;
mod products;
mod receipts;
mod roles;
mod services;
mod sessions;
mod stage;
mod upstreams;
mod validation;
