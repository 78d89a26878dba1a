//! Placeholder.

mod transfer;
