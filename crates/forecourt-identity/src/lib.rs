//! How people and programs prove who they are, and how secrets are kept: [`passwords`], [`sealing`],
//! [`certificates`] and [`public_keys`].

pub mod passwords;
pub mod sealing;
