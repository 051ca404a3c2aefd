//! Tables, migrations, queries, transactions and the change log, on SQLite and PostgreSQL from one code.
//!
//! Invariant: [`Store::begin`] is the only way to write. It gives a [`Tx`], which is committed by value and undone
//! when dropped; with the rows it commits the events and the gateway changes that were recorded on it.
//! Each noun's queries stand in the file of its name, reads on [`Reader`], writes on [`Tx`].

mod admin_tokens;
mod administrators;
mod applications;
mod approval_links;
mod approvals;
mod audit_logs;
mod certificates;
mod change_log;
mod connections;
mod consumer_credentials;
mod consumers;
mod contact_points;
mod copies;
mod counts;
mod credentials;
mod dcr_providers;
mod dcr_removals;
mod deliveries;
mod developers;
mod dialect;
mod error;
mod events;
mod external_sign_ins;
mod gateway_groups;
mod group_objects;
mod instance_tokens;
mod labels;
mod listening;
mod master_keys;
mod migrations;
mod nodes;
mod notices;
mod oauth_clients;
mod organizations;
mod permission_policies;
mod permissions;
mod person_links;
mod persons;
mod plans;
mod portal_tokens;
mod portals;
mod products;
mod provisioning;
mod roles;
mod routes;
mod rows;
mod schemas;
mod services;
mod sessions;
mod settings;
mod sign_in_options;
mod subscriptions;
mod transactions;
mod usage;
mod writings;

pub use audit_logs::{AUDIT_PAGE_BYTES, AuditPage, AuditPlace};
pub use change_log::{Committed, LoggedChange, PagePlace, RevisionMark};
pub use connections::{Location, Reader, ReadingError, Store};
pub use copies::{Cell, CopyError, Filling, Original, Rows, serving_processes};
pub use counts::{NamedOfPortal, ServiceOwner};
pub use error::StoreError;
pub use labels::LabelledNoun;
pub use listening::Listening;
pub use master_keys::{
    DataKeyList, KeptLastingSecrets, KeyWrapping, SEALED_COLUMNS, SealedColumn, SealedRow, StoredDataKey,
};
pub use migrations::schema_steps;
pub use nodes::{Alive, Applied, NodeNews};
pub use permissions::RuledNoun;
pub use rows::{Legible, Unreadable};
pub use schemas::{Column, ColumnType, Schema, Table};
pub use settings::StoredAuthority;
pub use transactions::Tx;
pub use usage::{CountedCalls, Delivered, KeptSteps, NamedInUsage, UsageRows};
