//! How people and programs prove who they are, and how secrets are kept: [`passwords`], [`sealing`],
//! [`authority`], [`certificates`], [`public_keys`] and [`tokens`]; and how identity providers are spoken to:
//! [`registrations`] of OAuth clients, [`sign_ins`] of people, by calls that [`outgoing`] guards.

pub mod authority;
pub mod certificates;
pub mod outgoing;
pub mod passwords;
pub mod public_keys;
pub mod registrations;
pub mod sealing;
pub mod sign_ins;
pub mod tokens;
mod trust;

#[cfg(test)]
mod tests;
