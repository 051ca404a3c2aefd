//! Consumers' tokens, line by line of docs/gateway.md §7.
