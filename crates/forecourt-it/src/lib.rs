//! The test harness: a whole Forecourt on free ports of loopback, a clock that the test moves, real HTTP on all sides.
//!
//! ```ignore
//! let f = Forecourt::start().await;
//! let orders = f.product("Orders").await;
//! let key = f.developer("ada").await.application("demo").await.subscribe(&orders).await.key("prod").await;
//! f.call(&orders, &key).await.expect(200);
//! ```
//!
//! Invariant: every expectation that fails prints the request and the whole answer. Nothing here sleeps: what takes
//! time is awaited by asking again until a deadline. `installations.rs` is the beginning.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a harness fails its test loudly, and reads the environment and the clock of the test run"
)]

pub mod applications;
pub mod bridges;
pub mod browsers;
pub mod cas_servers;
pub mod clients;
pub mod clocks;
pub mod consistency;
pub mod databases;
pub mod deadlines;
pub mod developers;
pub mod directories;
pub mod identity_providers;
pub mod installations;
pub mod mail_servers;
pub mod mail_sinks;
pub mod node_peers;
pub mod nodes;
pub mod oauth_providers;
pub mod page_forms;
pub mod ports;
pub mod postgres;
pub mod processes;
pub mod products;
pub mod python_tools;
pub mod upstreams;
pub mod webhooks;
pub mod wires;
pub mod write_storms;

pub use applications::{Application, Credential};
pub use bridges::{Bridge, Trouble};
pub use browsers::{Browser, Page};
pub use cas_servers::CasServer;
pub use clients::{Answer, Client};
pub use clocks::MovedClock;
pub use databases::TestDatabase;
pub use developers::Developer;
pub use directories::Directory;
pub use identity_providers::IdentityProvider;
pub use installations::Forecourt;
pub use mail_servers::MailServer;
pub use mail_sinks::{Mail, MailSink, MailTrouble};
pub use oauth_providers::OauthProvider;
pub use page_forms::PageForm;
pub use ports::HeldPort;
pub use processes::ForecourtProcess;
pub use products::Product;
pub use upstreams::Upstream;
pub use webhooks::{HookAnswer, Webhook};
pub use write_storms::WriteStorm;
