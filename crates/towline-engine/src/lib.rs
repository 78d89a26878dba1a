//! Placeholder.
mod disk;
