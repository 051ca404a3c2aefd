//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod apply_consumers;
mod consumer_requests;
mod enforcement;
mod forwarding;
mod fuzz;
mod hostile;
mod hostile_http2;
mod http2;
mod identification;
mod limits;
mod metering;
pub(crate) mod plugin_rows;
mod preflights;
pub(crate) mod rows;
pub(crate) mod signing;
pub(crate) mod stage;
mod tls;
mod upstream_failures;
