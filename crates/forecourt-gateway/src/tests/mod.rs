//! Tests over real sockets and whole gateways; what they share is here.

mod apply;
mod enforcement;
mod forwarding;
mod hostile;
mod metering;
mod peers;
pub(crate) mod rows;
mod stage;
mod upstream_failures;
mod upstream_http2;
mod upstream_tls;
