//! Tests of the Admin API.
