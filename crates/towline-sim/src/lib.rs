//! A world of devices from one seed: the product's own devices and rendezvous, and around them
//! simulated links, disks, stores, crashes and people. Tests only.
//!
//! [`World::run`] lives the whole life of one seed: people pair their devices and share a folder,
//! work in it while everything goes wrong, and then leave; when all is well again the world must
//! come to rest, and the oracle holds what it finds against what people did. The same seed gives
//! the same log, byte for byte.
//!
//! [`Mutation`]s are named bugs that are switched into the world; the oracle must catch each.

mod agenda;
mod dice;
mod faults;
mod internet;
mod ledger;
mod log;
mod mutation;
mod oracle;
mod rule;
mod shelf;
mod topology;
mod tree;
mod world;

pub use internet::{Circumstances, Internet};
pub use log::Keep;
pub use mutation::{LinkMutation, Mutation};
pub use rule::Rule;
pub use shelf::StoreKind;
pub use world::{Report, Shape, Violation, World};

/// The committed regressions: seeds that once failed, each with its reason.
const REGRESSIONS: &str = include_str!("../regressions.txt");

/// The same of small internets.
const INTERNET_REGRESSIONS: &str = include_str!("../internet-regressions.txt");

/// Every so many worlds live on the product's store.
const REAL_STORE_EVERY: u64 = 25;

/// Seeds that once failed, and must not again.
pub fn regressions() -> impl Iterator<Item = u64> {
    seeds_in(REGRESSIONS)
}

/// Seeds of small internets that once failed, and must not again.
pub fn internet_regressions() -> impl Iterator<Item = u64> {
    seeds_in(INTERNET_REGRESSIONS)
}

fn seeds_in(list: &'static str) -> impl Iterator<Item = u64> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

/// A world without bugs, on the reference store.
pub const fn memory_shape() -> Shape {
    Shape {
        store: StoreKind::Memory,
        mutation: None,
        keep: Keep::Hash,
    }
}

/// The world of a seed: a part of them lives on the product's store.
pub const fn shape_of(seed: u64) -> Shape {
    let store = if seed % REAL_STORE_EVERY == 7 {
        StoreKind::Real
    } else {
        StoreKind::Memory
    };
    Shape {
        store,
        ..memory_shape()
    }
}
