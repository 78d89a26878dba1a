//! Placeholder.
mod disk;
mod transfer;
