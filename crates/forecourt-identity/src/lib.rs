//! How people and programs prove who they are, and how secrets are kept: [`passwords`], [`sealing`],
//! [`authority`], [`certificates`], [`public_keys`] and [`tokens`].

pub mod authority;
pub mod certificates;
pub mod passwords;
pub mod public_keys;
pub mod sealing;
pub mod tokens;
