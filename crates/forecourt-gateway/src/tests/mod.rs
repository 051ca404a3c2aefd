//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod balancing;
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
mod retries;
pub(crate) mod rows;
mod shared_connections;
mod stage;
mod tls;
mod upstream_failures;
mod upstream_http2;
mod upstream_tls;
