//! Makes durable what a device must not forget; the only SQL of the project.
//!
//! [`Store`] owns the database of one home (one SQLite file in WAL mode, one process) and answers the
//! core's requests strictly in order: a batch is one transaction, on the medium when `handle`
//! returns. [`Reader`]s look at the same rows from other threads without waiting for the writer.
//! [`MemoryStore`](memory::MemoryStore) keeps the same records in maps; one suite of tests and the
//! simulator hold the two against each other through [`Records`].
//!
//! Synchronous: calls block on the disk. Decides nothing about what should happen to files, and
//! deletes no database: a damaged one is kept aside and a new life begins.

pub mod memory;

mod batch;
mod columns;
#[cfg(any(test, fuzzing))]
pub mod doors;
mod error;
mod home;
mod listing;
mod load;
mod power;
mod reader;
mod restore;
mod schema;
mod settings;
mod store;
mod totals;

pub use error::{OpenError, StoreError};
pub use listing::Listed;
pub use reader::{Conflict, HeldFile, Reader};
pub use schema::NEWEST_VERSION;
pub use store::{Boot, Opened, Records, Store};
