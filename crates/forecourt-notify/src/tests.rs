//! Mail against servers that answer as they are told.

mod smtp;
