//! All lanes of one fetch: who is asked, and who joins later.
//!
//! Lanes run to every source that is connected. A source whose connection ends is asked again once it
//! has another one, and a source that gets the bytes while they are being fetched joins, too. A fetch is
//! over when the board is settled and everything that arrived has been verified, or when no source is
//! left; waiting for one is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use towline_wire::ids::DeviceId;

use super::apply::{Peers, Transfer, TransferFault};
use super::board::{Board, Want};
use super::frames::StreamFault;
use super::lane::{Arrived, Budget, Lane};
use super::limits::Direction;
use super::serve::Folders;

/// Who is asked.
pub(super) struct Fleet<'a, W, F, P, I> {
    /// The folder's transfer.
    pub(super) transfer: &'a Transfer<F, P>,
    /// What is wanted.
    pub(super) board: &'a Board<W>,
    /// What bounds the bytes in memory.
    pub(super) budget: &'a Budget,
    /// Lanes to each source.
    pub(super) lanes: usize,
    /// Called when nothing travels any more.
    pub(super) idle: I,
}

/// What is known of the sources.
struct Roll {
    sources: BTreeSet<DeviceId>,
    running: BTreeMap<DeviceId, usize>,
    /// The connection that was used last, by its number.
    used: BTreeMap<DeviceId, usize>,
}

impl<W: Want, F: Folders, P: Peers, I: Fn()> Fleet<'_, W, F, P, I> {
    /// Runs lanes until the fetch is over; `more` tells of the sources that there are, as often as it is
    /// asked.
    pub(super) async fn run<M, S>(
        &self,
        sources: impl IntoIterator<Item = DeviceId>,
        arrived: mpsc::Sender<M>,
        more: impl Fn() -> S,
    ) where
        M: From<Arrived<W>>,
        S: Future<Output = Vec<DeviceId>>,
    {
        let mut roll = Roll {
            sources: sources.into_iter().collect(),
            running: BTreeMap::new(),
            used: BTreeMap::new(),
        };
        let mut look = interval(LOOK_FOR_SOURCES);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        loop {
            let mut lanes = FuturesUnordered::new();
            let begun = self.begin(&mut roll, Again::Yes);
            lanes.extend(begun.into_iter().map(|lane| self.lane(lane, &arrived)));
            if lanes.is_empty() {
                return;
            }
            let mut looking = FuturesUnordered::new();
            loop {
                tokio::select! {
                    ended = lanes.next() => match ended {
                        Some(source) => roll.ended(source),
                        None => break,
                    },
                    _ = look.tick(), if looking.is_empty() => looking.push(more()),
                    Some(found) = looking.next() => {
                        roll.sources.extend(found);
                        let begun = self.begin(&mut roll, Again::No);
                        lanes.extend(begun.into_iter().map(|lane| self.lane(lane, &arrived)));
                    }
                }
            }
            (self.idle)();
            // What was refused after verification is back on the board after this.
            self.budget.all_free().await;
        }
    }

    /// Which lanes are to be begun now.
    fn begin(&self, roll: &mut Roll, again: Again) -> Vec<(DeviceId, quinn::Connection)> {
        let mut begun = Vec::new();
        let idle: Vec<_> = roll.idle().collect();
        for source in idle {
            let Some(connection) = self.transfer.peers.connection(source) else {
                self.board.lose(source);
                continue;
            };
            let id = connection.stable_id();
            let is_new = roll.used.insert(source, id) != Some(id);
            if is_new {
                self.board.regain(source);
            }
            let due = is_new || again == Again::Yes;
            if due && !self.board.is_dry_for(source) {
                roll.running.insert(source, self.lanes);
                begun.extend((0..self.lanes).map(|_| (source, connection.clone())));
            }
        }
        begun
    }

    /// Runs one lane; returns whose it was.
    async fn lane<M: From<Arrived<W>>>(
        &self,
        (source, connection): (DeviceId, quinn::Connection),
        arrived: &mpsc::Sender<M>,
    ) -> DeviceId {
        let Transfer {
            folder, progress, ..
        } = self.transfer;
        let lane = Lane {
            folder: *folder,
            source,
            board: self.board,
            arrived: arrived.clone(),
            budget: self.budget,
            progress,
            gate: self
                .transfer
                .throttle
                .gate(Direction::Receiving, *folder, source),
        };
        match lane.run(&connection).await {
            Ok(()) | Err(StreamFault::Lost) => {}
            Err(StreamFault::Protocol) => {
                self.transfer.blame(source, TransferFault::Protocol).await;
            }
        }
        source
    }
}

/// Whether a source whose lanes have ended is asked again over the same connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

impl Roll {
    fn idle(&self) -> impl Iterator<Item = DeviceId> {
        let is_idle = |source: &&DeviceId| self.running.get(source).is_none_or(|lanes| *lanes == 0);
        self.sources.iter().filter(is_idle).copied()
    }

    fn ended(&mut self, source: DeviceId) {
        if let Some(lanes) = self.running.get_mut(&source) {
            *lanes -= 1;
        }
    }
}

/// How often a fetch looks for sources that have come since it began: every 2 s. A source helps for
/// minutes; looking costs a question to the store.
const LOOK_FOR_SOURCES: Duration = Duration::from_secs(2);
