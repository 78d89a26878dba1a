//! A world of devices from one seed: the product's own devices and rendezvous, and around them
//! simulated links, disks, stores, crashes and people. Tests only.
//!
//! [`World::run`] lives the whole life of one seed: people pair their devices and share a folder,
//! work in it while everything goes wrong, and then leave; when all is well again the world must
//! come to rest, and the oracle holds what it finds against what people did. The same seed gives
//! the same log, byte for byte.
//!
//! [`Mutation`]s are named bugs that are switched into the world; the oracle must catch each.

mod dice;
mod ledger;
mod log;
mod mutation;
mod oracle;
mod shelf;
mod tree;
mod world;

pub use log::Keep;
pub use mutation::Mutation;
pub use shelf::StoreKind;
pub use world::{Report, Shape, Violation, World};
