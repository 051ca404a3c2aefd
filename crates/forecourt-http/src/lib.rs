//! What every HTTP face shares: who is calling, problem bodies, queries, bodies, lists, form tokens, the request log.
//!
//! Invariant: an error of a use case becomes an answer in one place for APIs ([`problem`]); the faces never look into
//! it otherwise. Start with [`callers`] to see how a request becomes a `Caller`.

pub mod addresses;
pub mod audits;
pub mod availability;
pub mod bodies;
pub mod callers;
mod context;
pub mod cookies;
pub mod forms;
mod in_flight;
pub mod lists;
pub mod observations;
pub mod origins;
pub mod paths;
pub mod problem;
pub mod queries;
pub mod request_log;
pub mod restrictions;
pub mod times;
pub mod transport;

pub use context::{Config, Context, Tls};
pub use in_flight::InFlight;
