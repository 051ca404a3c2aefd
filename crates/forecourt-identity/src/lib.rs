//! How people prove who they are. This version: passwords; see [`passwords`].

pub mod passwords;
