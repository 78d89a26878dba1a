//! The data plane: moves file bytes between devices and carries out sets of steps.
//!
//! [`serve`] answers peers from what lies here and what they may read. [`Transfer`] carries out one
//! folder's [`Step`](towline_core::io::Step)s: what lies here already is copied, the rest is fetched
//! from the step's sources, verified, and handed to the disk in batches, so that network and disk work
//! side by side. Nothing gets its final name before it is whole, and every step has one outcome.
//!
//! Nothing here decides what should lie where, opens connections, touches user files or spawns:
//! the futures are run by whoever owns the folder, and dropping them ends the transfer.

mod allowance;
mod apply;
mod assembly;
mod board;
mod chunks;
mod fleet;
mod frames;
mod grants;
mod lane;
mod large;
mod limits;
mod progress;
mod serve;
mod work;

pub(crate) use apply::{Peers, Transfer, TransferEvent, TransferFault};
pub(crate) use grants::Grants;
pub(crate) use limits::{Limits, Rate, Throttle};
pub(crate) use progress::{Progress, ProgressReading};
pub(crate) use serve::{Folders, Server};
pub(crate) use work::Work;

#[cfg(test)]
mod tests;
