//! How people and programs are told: the words ([`messages`]), mail as it is written ([`mails`]) and handed over
//! ([`smtp`]), and signatures of webhooks ([`webhooks`]).
//!
//! Invariant: nothing here dials, reads a clock or decides who is told; connections come from whoever guards outgoing
//! calls. What an error says is fit for a log: it holds no secret.

pub mod mails;
pub mod messages;
pub mod smtp;
pub mod webhooks;

#[cfg(test)]
mod tests;
