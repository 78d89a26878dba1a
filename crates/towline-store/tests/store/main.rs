//! What every store must do, and what only the durable one can: survive kills, locks and damage.
//!
//! `suite` holds anything that implements `Records` to the rules, `agreement` drives random requests
//! against the durable store and the one in memory, the rest is about files and processes.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected must fail"
)]

mod agreement;
mod durability;
mod opening;
mod previous;
mod readers;
mod sample;
mod suite;
