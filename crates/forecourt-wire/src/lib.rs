//! What a control plane and its gateways say to each other: changes one way, usage the other.
//!
//! The embedded gateway is handed these same values in process; a node on its own machine gets them as JSON.

pub mod changes;
pub mod sync;
pub mod usage;
