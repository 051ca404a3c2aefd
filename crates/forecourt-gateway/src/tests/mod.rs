//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod apply_consumers;
mod balancing;
mod consumer_requests;
mod enforcement;
mod forwarding;
mod fuzz;
mod health;
mod hostile;
mod hostile_http2;
mod http2;
mod identification;
mod limits;
mod metering;
mod misbehaving;
mod peers;
pub(crate) mod plugin_rows;
mod preflights;
mod retries;
pub(crate) mod rows;
mod shared_connections;
pub(crate) mod signing;
pub(crate) mod stage;
mod tls;
mod upstream_failures;
mod upstream_http2;
mod upstream_tls;
