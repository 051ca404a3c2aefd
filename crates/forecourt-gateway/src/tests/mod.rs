//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod enforcement;
mod forwarding;
mod fuzz;
mod hostile;
mod hostile_http2;
mod http2;
mod identification;
mod limits;
mod metering;
pub(crate) mod rows;
mod stage;
mod tls;
mod upstream_failures;
