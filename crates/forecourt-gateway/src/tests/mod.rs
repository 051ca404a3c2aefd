//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod apply_consumers;
mod consumer_requests;
mod enforcement;
mod forwarding;
mod hostile;
mod metering;
pub(crate) mod plugin_rows;
mod preflights;
pub(crate) mod rows;
pub(crate) mod signing;
pub(crate) mod stage;
mod upstream_failures;
