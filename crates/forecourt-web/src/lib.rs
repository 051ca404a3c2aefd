//! The pages of the Provider console and of the Developer Portal site.
//!
//! A page is a typed context that implements [`View`](templates::View), a template of the same name, and
//! samples that a test renders. `developer/` and `provider/` hold one file per noun; `page.rs` is what every
//! page shares, `handling.rs` what every handler shares, `links.rs` every path, `permissions.rs`
//! what is offered to whom, `messages/en.json` every text.

pub mod api_references;
pub mod assets;
pub mod branding;
pub mod confirm;
pub mod csp;
pub mod developer;
pub mod display;
pub mod errors;
pub mod forms;
pub mod handling;
pub mod links;
pub mod lists;
pub mod messages;
pub mod page;
pub mod permissions;
pub mod plans;
pub mod provider;
pub mod samples;
pub mod templates;

pub use handling::Config;
