//! How fast bytes of files may be sent and received: in all, and in each folder.
//!
//! [`Limits`] hold two rates; they are set at any time and hold from the next piece on. Whoever moves
//! bytes asks a [`Gate`] for each piece. Pieces pass in turns: of each peer in its folder, of each
//! folder among all; so a folder with many streams gets no more than one with a single stream.
//! Only bytes of files wait here. Indexes, questions and everything else pass beside.
//!
//! The rates themselves are kept by `governor` (GCRA), a tenth of a second of burst allowed. Without a
//! limit a gate costs two looks at memory.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Mutex as Turn, watch};
use tokio::task::yield_now;
use tokio::time::sleep;
use towline_wire::ids::{DeviceId, FolderId};

/// How many bytes may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rate {
    /// As many as can.
    #[default]
    Unlimited,
    /// So many a second.
    BytesPerSecond(NonZeroU64),
    /// None, until that changes.
    Nothing,
}

/// The rates of one folder, or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// What leaves to peers.
    pub(crate) sending: Rate,
    /// What comes from them.
    pub(crate) receiving: Rate,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// To a peer.
    Sending,
    /// From a peer.
    Receiving,
}

/// All limits of this device.
#[derive(Default)]
pub(crate) struct Throttle {
    global: Meters,
    folders: Mutex<BTreeMap<FolderId, Folder>>,
}

#[derive(Default)]
struct Folder {
    meters: Meters,
    /// Where the streams of one peer wait for each other.
    turns: BTreeMap<(Direction, DeviceId), Arc<Turn<()>>>,
}

#[derive(Default)]
struct Meters {
    sending: Arc<Meter>,
    receiving: Arc<Meter>,
}

impl Meters {
    fn set(&self, limits: Limits) {
        self.sending.set(limits.sending);
        self.receiving.set(limits.receiving);
    }

    fn of(&self, direction: Direction) -> Arc<Meter> {
        match direction {
            Direction::Sending => Arc::clone(&self.sending),
            Direction::Receiving => Arc::clone(&self.receiving),
        }
    }
}

impl Throttle {
    /// Sets what holds for all folders together.
    pub(crate) fn set_global(&self, limits: Limits) {
        self.global.set(limits);
    }

    /// Sets what holds for one folder beside that.
    pub(crate) fn set_folder(&self, folder: FolderId, limits: Limits) {
        self.lock().entry(folder).or_default().meters.set(limits);
    }

    /// Where bytes of a folder to or from a peer pass. Remembers the pair, so only for a folder that is
    /// ours and a peer that may have it.
    pub(crate) fn gate(&self, direction: Direction, folder: FolderId, peer: DeviceId) -> Gate {
        let mut folders = self.lock();
        let folder = folders.entry(folder).or_default();
        let turn = folder.turns.entry((direction, peer)).or_default();
        Gate {
            turn: Arc::clone(turn),
            folder: folder.meters.of(direction),
            global: self.global.of(direction),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FolderId, Folder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the bytes of one stream pass.
#[derive(Clone)]
pub(crate) struct Gate {
    turn: Arc<Turn<()>>,
    folder: Arc<Meter>,
    global: Arc<Meter>,
}

impl Gate {
    /// The longest piece that should pass at once; `None` while there is no limit.
    pub(crate) fn piece_max(&self) -> Option<u32> {
        match (self.folder.piece_max(), self.global.piece_max()) {
            (None, None) => None,
            (Some(piece), None) | (None, Some(piece)) => Some(piece),
            (Some(folder), Some(global)) => Some(folder.min(global)),
        }
    }

    /// Waits until so many bytes may pass. When the wait is dropped, at most they are lost to the limit.
    pub(crate) async fn pass(&self, bytes: usize) {
        if self.piece_max().is_none() {
            return;
        }
        // Whoever has just passed lets the others ask, also where a burst makes nobody wait.
        yield_now().await;
        let _of_peer = self.turn.lock().await;
        let mut of_folder = self.folder.turn.lock().await;
        self.folder.pass(bytes, &mut of_folder).await;
        let mut of_all = self.global.turn.lock().await;
        self.global.pass(bytes, &mut of_all).await;
    }

    /// Waits until anything at all may pass.
    pub(crate) async fn open(&self) {
        self.folder.open().await;
        self.global.open().await;
    }
}

/// One rate.
struct Meter {
    pace: watch::Sender<Pace>,
    /// Whose turn it is, and the bytes that were paid with the last cell and not used.
    turn: Turn<u32>,
}

#[derive(Clone)]
enum Pace {
    Free,
    Limited(Arc<Limited>),
    Stopped,
}

impl Pace {
    fn rate(&self) -> Rate {
        match self {
            Self::Free => Rate::Unlimited,
            Self::Limited(limited) => Rate::BytesPerSecond(limited.rate),
            Self::Stopped => Rate::Nothing,
        }
    }
}

struct Limited {
    rate: NonZeroU64,
    limiter: RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>,
    cells_max: NonZeroU32,
    piece: u32,
}

/// What governor's clock counts in.
type Instant = <MonotonicClock as Clock>::Instant;

impl Default for Meter {
    fn default() -> Self {
        Self {
            pace: watch::Sender::new(Pace::Free),
            turn: Turn::new(0),
        }
    }
}

impl Meter {
    /// Sets the rate; the same again changes nothing, not even what is left of a burst.
    fn set(&self, rate: Rate) {
        self.pace.send_if_modified(|pace| {
            let differs = pace.rate() != rate;
            if differs {
                *pace = match rate {
                    Rate::Unlimited => Pace::Free,
                    Rate::Nothing => Pace::Stopped,
                    Rate::BytesPerSecond(rate) => Pace::Limited(Arc::new(Limited::to(rate))),
                };
            }
            differs
        });
    }

    fn piece_max(&self) -> Option<u32> {
        match &*self.pace.borrow() {
            Pace::Free => None,
            Pace::Limited(limited) => Some(limited.piece),
            Pace::Stopped => Some(PIECE_BYTES_MIN),
        }
    }

    async fn open(&self) {
        let mut pace = self.pace.subscribe();
        // The sender lives as long as `self`.
        let _ = pace.wait_for(|pace| !matches!(pace, Pace::Stopped)).await;
    }

    async fn pass(&self, bytes: usize, spare: &mut u32) {
        let mut pace = self.pace.subscribe();
        loop {
            let now = pace.borrow_and_update().clone();
            match now {
                Pace::Free => return,
                Pace::Limited(limited) => tokio::select! {
                    () = limited.take(bytes, spare) => return,
                    // It begins anew under the new rate.
                    _ = pace.changed() => {}
                },
                Pace::Stopped => {
                    // The sender lives as long as `self`.
                    let _ = pace.changed().await;
                }
            }
        }
    }
}

impl Limited {
    fn to(rate: NonZeroU64) -> Self {
        let cell = (u128::from(CELL_BYTES) * 1_000_000_000) / u128::from(rate.get());
        let period = Duration::from_nanos(u64::try_from(cell).unwrap_or(u64::MAX).max(1));
        let tenth = u32::try_from(rate.get() / 10).unwrap_or(u32::MAX);
        let piece = tenth.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
        let cells = tenth.max(piece).div_ceil(CELL_BYTES);
        let cells_max = NonZeroU32::new(cells).unwrap_or(NonZeroU32::MIN);
        // The period is at least a nanosecond.
        let quota = Quota::with_period(period)
            .unwrap_or(Quota::per_second(NonZeroU32::MAX))
            .allow_burst(cells_max);
        let limiter = RateLimiter::direct_with_clock(quota, MonotonicClock);
        Self {
            rate,
            limiter,
            cells_max,
            piece,
        }
    }

    /// Waits for so many bytes; what the last cell has too much goes to the next.
    async fn take(&self, bytes: usize, spare: &mut u32) {
        let mut bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let used = bytes.min(u64::from(*spare));
        bytes -= used;
        // No more than the spare bytes.
        *spare -= u32::try_from(used).unwrap_or(*spare);
        let mut cells = bytes.div_ceil(u64::from(CELL_BYTES));
        let rest = cells * u64::from(CELL_BYTES) - bytes;
        *spare += u32::try_from(rest).unwrap_or(0);
        while cells > 0 {
            let some = u32::try_from(cells).unwrap_or(u32::MAX);
            let Some(some) = NonZeroU32::new(some.min(self.cells_max.get())) else {
                return;
            };
            while let Ok(Err(not_until)) = self.limiter.check_n(some) {
                sleep(not_until.wait_time_from(MonotonicClock.now())).await;
            }
            cells -= u64::from(some.get());
        }
    }
}

/// Bytes that the limiter counts as one: 256. At 1 GB/s it counts every 256 ns, which its clock of whole
/// nanoseconds keeps to half a percent.
const CELL_BYTES: u32 = 256;

/// The shortest piece: 1 KiB. Below it the questions would cost more than the bytes.
const PIECE_BYTES_MIN: u32 = 1024;

/// The longest piece: 1 MiB, from 10 MiB a second on. Longer ones would let folders wait for each other.
const PIECE_BYTES_MAX: u32 = 1024 * 1024;

#[cfg(test)]
mod tests;
