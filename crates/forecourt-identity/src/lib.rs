//! How people and programs prove who they are, and how secrets are kept: [`passwords`], [`sealing`],
//! [`certificates`] and [`public_keys`].

pub mod certificates;
pub mod passwords;
pub mod public_keys;
pub mod sealing;
