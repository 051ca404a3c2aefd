//! How people and programs prove who they are, and how secrets are kept: [`passwords`], [`sealing`],
//! [`authority`], [`certificates`], [`public_keys`] and [`tokens`]; and how identity providers are spoken to:
//! [`registrations`], by calls that [`outgoing`] guards.

pub mod authority;
pub mod certificates;
pub mod outgoing;
pub mod passwords;
pub mod public_keys;
pub mod registrations;
pub mod sealing;
pub mod tokens;

#[cfg(test)]
mod tests;
