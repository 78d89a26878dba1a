//! What is wanted, and who has been asked for it.
//!
//! A [`Board`] holds every want of one fetch until its bytes have arrived. Lanes join it, take wants
//! as they go, and report what came: so fast sources take more. How much a lane may have outstanding
//! follows its measured speed as soon as there are several sources; what a slow or silent source still
//! owes is asked for once more from an idle one that would have it much sooner, and the first
//! answer counts. What a lane cannot get goes back at once, together with who did not have it.
//!
//! Wants may be added while others travel; a board that is closed and has no want left is settled.
//! Nothing here touches the network or waits longer than for a change of the board.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use towline_wire::data::Request;
use towline_wire::ids::DeviceId;

/// Something to be fetched.
pub(super) trait Want {
    /// How it is asked for.
    fn request(&self) -> Request;
    /// Length of the answer in bytes.
    fn len(&self) -> u32;
    /// Whether this source may have it.
    fn may_have(&self, source: DeviceId) -> bool;
    /// Notes that this source does not have it (in the form that it should have), and says how far
    /// that reaches.
    fn refused_by(&mut self, source: DeviceId) -> Reach;
}

/// How far a source's refusal of one want reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Other wants may still be had from it.
    ThisWant,
    /// It has none of this board's wants.
    WholeBoard,
}

/// What is still wanted, by whom it was asked, and which sources are of no use any more.
pub(super) struct Board<W> {
    state: Mutex<State<W>>,
    /// Counts the changes that an idle or waiting lane must look at.
    changes: watch::Sender<u64>,
}

struct State<W> {
    /// Wants whose bytes have not arrived.
    open: BTreeMap<WantId, Open<W>>,
    /// Those that nobody has been asked for, in order.
    waiting: VecDeque<WantId>,
    lanes: BTreeMap<LaneId, Asked>,
    lost: BTreeSet<DeviceId>,
    growth: Growth,
    next_want: u64,
    next_lane: u64,
}

struct Open<W> {
    want: W,
    /// Lanes that have asked for it; two at most.
    lanes: Vec<LaneId>,
}

/// Whether more wants may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Open,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct WantId(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LaneId(u64);

/// What one lane has asked for, in the order of the answers, and how fast they came.
struct Asked {
    source: DeviceId,
    outstanding: VecDeque<(WantId, u32)>,
    bytes: u64,
    speed: Speed,
}

/// What a lane may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect {
    /// There is something to ask for now.
    Now,
    /// There may be later.
    Later,
    /// There is nothing, and there will be nothing.
    Never,
}

impl<W: Want> Board<W> {
    /// An empty board to which wants are added until it is closed.
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                open: BTreeMap::new(),
                waiting: VecDeque::new(),
                lanes: BTreeMap::new(),
                lost: BTreeSet::new(),
                growth: Growth::Open,
                next_want: 0,
                next_lane: 0,
            }),
            changes: watch::Sender::new(0),
        }
    }

    /// A closed board of these wants, in order.
    pub(super) fn of(wants: impl IntoIterator<Item = W>) -> Self {
        let board = Self::new();
        board.add(wants);
        board.close();
        board
    }

    /// Adds wants behind the others.
    pub(super) fn add(&self, wants: impl IntoIterator<Item = W>) {
        let mut state = self.lock();
        for want in wants {
            state.add(want);
        }
        drop(state);
        self.tell();
    }

    /// Says that nothing more will be added.
    pub(super) fn close(&self) {
        self.lock().growth = Growth::Closed;
        self.tell();
    }

    /// Waits until few enough wants are waiting that more may be added.
    pub(super) async fn room(&self) {
        let mut changes = self.changes();
        while self.lock().waiting.len() > WAITING_LOW {
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }

    /// Puts back what `source` gave in a form that is of no use.
    pub(super) fn refuse(&self, want: W, source: DeviceId) {
        let mut state = self.lock();
        let id = state.add(want);
        state.refused(id, source);
        drop(state);
        self.tell();
    }

    /// Takes a source out: it is not connected, or it does wrong.
    pub(super) fn lose(&self, source: DeviceId) {
        self.lock().lost.insert(source);
        self.tell();
    }

    /// Takes a source in again: it has a new connection.
    pub(super) fn regain(&self, source: DeviceId) {
        self.lock().lost.remove(&source);
    }

    /// Whether nothing is left that `source` may have, and nothing will come.
    pub(super) fn is_dry_for(&self, source: DeviceId) -> bool {
        self.lock().is_dry_for(source)
    }

    /// What `look` sees in each want.
    pub(super) fn each<T>(&self, look: impl Fn(&W) -> T) -> Vec<T> {
        let state = self.lock();
        state.open.values().map(|open| look(&open.want)).collect()
    }

    /// Takes out everything that is left.
    pub(super) fn take_rest(&self) -> Vec<W> {
        let mut state = self.lock();
        state.waiting.clear();
        let rest = std::mem::take(&mut state.open);
        drop(state);
        self.tell();
        rest.into_values().map(|open| open.want).collect()
    }

    /// A lane to `source` joins.
    pub(super) fn join(&self, source: DeviceId) -> Seat<'_, W> {
        let mut state = self.lock();
        let id = LaneId(state.next_lane);
        state.next_lane += 1;
        state.lanes.insert(
            id,
            Asked {
                source,
                outstanding: VecDeque::new(),
                bytes: 0,
                speed: Speed::new(Instant::now()),
            },
        );
        drop(state);
        Seat {
            board: self,
            id,
            source,
        }
    }

    /// Changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell(&self) {
        self.changes
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane's place at the board. What it has outstanding goes back when it is dropped.
pub(super) struct Seat<'a, W: Want> {
    board: &'a Board<W>,
    id: LaneId,
    source: DeviceId,
}

impl<W: Want> Seat<'_, W> {
    /// What is to be asked for next, as far as this lane may ask now: how, and how long it is.
    pub(super) fn take(&self) -> Option<(Request, u32)> {
        let now = Instant::now();
        let mut state = self.board.lock();
        if !state.has_room(self.id) {
            return None;
        }
        let before = state.waiting.len();
        let id = state
            .next_waiting(self.source)
            .or_else(|| state.overdue(self.id, now))?;
        let taken = state.ask(self.id, id, now);
        let is_low = before > WAITING_LOW && state.waiting.len() <= WAITING_LOW;
        drop(state);
        if is_low {
            self.board.tell();
        }
        taken
    }

    /// The next answer is bytes: takes what they answer, unless another source was faster.
    pub(super) fn arrived(&self) -> Option<W> {
        let now = Instant::now();
        let mut state = self.board.lock();
        let lane = state.lanes.get_mut(&self.id)?;
        let (id, len) = lane.outstanding.pop_front()?;
        lane.bytes -= u64::from(len);
        lane.speed.came(len, now);
        let open = state.open.remove(&id)?;
        let shared = open.lanes.len() > 1;
        let last = state.open.is_empty();
        drop(state);
        if shared || last {
            self.board.tell();
        }
        Some(open.want)
    }

    /// The next answer says that the source does not have it.
    pub(super) fn gone(&self) {
        let mut state = self.board.lock();
        let Some(lane) = state.lanes.get_mut(&self.id) else {
            return;
        };
        if let Some((id, len)) = lane.outstanding.pop_front() {
            lane.bytes -= u64::from(len);
            state.let_go(self.id, id);
            state.refused(id, self.source);
        }
        drop(state);
        self.board.tell();
    }

    /// Gives back everything that is outstanding: the stream that would answer it is left.
    pub(super) fn abandon(&self) {
        let now = Instant::now();
        let mut state = self.board.lock();
        if state.put_back(self.id) {
            if let Some(lane) = state.lanes.get_mut(&self.id) {
                lane.speed.came(0, now);
            }
            drop(state);
            self.board.tell();
        }
    }

    /// Whether the board has what this lane waits for already: all of it came from others.
    pub(super) fn is_void(&self) -> bool {
        let state = self.board.lock();
        state.lanes.get(&self.id).is_some_and(|lane| {
            !lane.outstanding.is_empty()
                && lane
                    .outstanding
                    .iter()
                    .all(|(id, _)| !state.open.contains_key(id))
        })
    }

    /// What this lane may do next.
    pub(super) fn prospect(&self) -> Prospect {
        let state = self.board.lock();
        if state.is_dry_for(self.source) {
            Prospect::Never
        } else if !state.has_room(self.id) {
            Prospect::Later
        } else if state.find_waiting(self.source).is_some()
            || state.overdue(self.id, Instant::now()).is_some()
        {
            Prospect::Now
        } else {
            Prospect::Later
        }
    }
}

impl<W: Want> Drop for Seat<'_, W> {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        state.put_back(self.id);
        state.lanes.remove(&self.id);
        drop(state);
        self.board.tell();
    }
}

impl<W: Want> State<W> {
    fn add(&mut self, want: W) -> WantId {
        let id = WantId(self.next_want);
        self.next_want += 1;
        let lanes = Vec::new();
        self.open.insert(id, Open { want, lanes });
        self.waiting.push_back(id);
        id
    }

    fn refused(&mut self, id: WantId, source: DeviceId) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        match open.want.refused_by(source) {
            Reach::ThisWant => {}
            Reach::WholeBoard => {
                self.lost.insert(source);
            }
        }
        if open.lanes.is_empty() && !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
    }

    fn is_dry_for(&self, source: DeviceId) -> bool {
        self.lost.contains(&source)
            || (self.growth == Growth::Closed
                && !self.open.values().any(|open| open.want.may_have(source)))
    }

    fn find_waiting(&self, source: DeviceId) -> Option<usize> {
        if self.lost.contains(&source) {
            return None;
        }
        self.waiting.iter().position(|id| {
            self.open
                .get(id)
                .is_some_and(|open| open.want.may_have(source))
        })
    }

    fn next_waiting(&mut self, source: DeviceId) -> Option<WantId> {
        let at = self.find_waiting(source)?;
        self.waiting.remove(at)
    }

    /// What another source will give much later than this lane would: the last thing that the
    /// latest one owes.
    fn overdue(&self, us: LaneId, now: Instant) -> Option<WantId> {
        let ours = self.lanes.get(&us)?;
        if self.lost.contains(&ours.source) {
            return None;
        }
        let others = self
            .lanes
            .values()
            .filter(|lane| lane.source != ours.source);
        let latest = others.filter_map(|lane| {
            let (ahead, id, len) = self.last_unshared(lane, ours.source)?;
            let theirs = lane.time_for(ahead, now);
            let needed = ours.time_for(ours.bytes + u64::from(len), now);
            let worth = needed * STEAL_FACTOR + STEAL_WAIT_MIN;
            (theirs > worth).then_some((theirs, id))
        });
        latest.max().map(|(_, id)| id)
    }

    /// The last want of a lane that nobody else is asked for and `source` may have, and the bytes
    /// up to its end.
    fn last_unshared(&self, lane: &Asked, source: DeviceId) -> Option<(u64, WantId, u32)> {
        let mut ahead = lane.bytes;
        for (id, len) in lane.outstanding.iter().rev() {
            let found = self.open.get(id);
            if found.is_some_and(|open| open.lanes.len() == 1 && open.want.may_have(source)) {
                return Some((ahead, *id, *len));
            }
            ahead -= u64::from(*len);
        }
        None
    }

    /// Whether a lane may have more outstanding.
    fn has_room(&self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&id) else {
            return false;
        };
        let is_alone = self.lanes.values().all(|other| other.source == lane.source);
        lane.outstanding.len() < WINDOW_WANTS_MAX
            && (lane.outstanding.is_empty() || lane.bytes < lane.window(is_alone))
    }

    fn ask(&mut self, lane: LaneId, id: WantId, now: Instant) -> Option<(Request, u32)> {
        let open = self.open.get_mut(&id)?;
        open.lanes.push(lane);
        let (request, len) = (open.want.request(), open.want.len());
        let lane = self.lanes.get_mut(&lane)?;
        if lane.outstanding.is_empty() {
            lane.speed.waits_from(now);
        }
        lane.outstanding.push_back((id, len));
        lane.bytes += u64::from(len);
        Some((request, len))
    }

    /// This lane will not give it.
    fn let_go(&mut self, lane: LaneId, id: WantId) {
        if let Some(open) = self.open.get_mut(&id) {
            open.lanes.retain(|asked| *asked != lane);
        }
    }

    /// Puts what a lane has outstanding in front of what waits; whether there was anything.
    fn put_back(&mut self, id: LaneId) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return false;
        };
        let outstanding = std::mem::take(&mut lane.outstanding);
        lane.bytes = 0;
        for (want, _) in outstanding.iter().rev() {
            self.let_go(id, *want);
            if self
                .open
                .get(want)
                .is_some_and(|open| open.lanes.is_empty())
            {
                self.waiting.push_front(*want);
            }
        }
        !outstanding.is_empty()
    }
}

impl Asked {
    /// How many bytes it may have outstanding.
    fn window(&self, is_alone: bool) -> u64 {
        if is_alone {
            return WINDOW_BYTES_MAX;
        }
        match self.speed.bytes_per_second() {
            None => WINDOW_BYTES_FIRST,
            Some(speed) => (speed as u64).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX),
        }
    }

    /// How long it would take for so many bytes, going by what it has shown. A source that has
    /// shown nothing yet is believed to be fast.
    fn time_for(&self, bytes: u64, now: Instant) -> Duration {
        let first = self.outstanding.front().map_or(0, |(_, len)| *len);
        let silent = self.speed.silence(now).filter(|_| first > 0);
        let shown = self.speed.bytes_per_second();
        let at_most = silent.map(|silent| f64::from(first) / silent.as_secs_f64().max(1e-6));
        let speed = match (shown, at_most) {
            (Some(shown), Some(at_most)) => shown.min(at_most),
            (Some(speed), None) | (None, Some(speed)) => speed,
            (None, None) => return Duration::ZERO,
        };
        let seconds = bytes as f64 / speed.max(1.0);
        Duration::from_secs_f64(seconds.min(FOREVER_SECONDS))
    }
}

/// How fast a lane's answers come, over about the last two seconds of waiting for them.
struct Speed {
    bytes: f64,
    seconds: f64,
    /// Since when the answer that is due has been awaited.
    since: Instant,
}

impl Speed {
    fn new(now: Instant) -> Self {
        Self {
            bytes: 0.0,
            seconds: 0.0,
            since: now,
        }
    }

    /// Something is asked for while nothing was outstanding.
    fn waits_from(&mut self, now: Instant) {
        self.since = now;
    }

    fn came(&mut self, bytes: u32, now: Instant) {
        self.bytes += f64::from(bytes);
        self.seconds += now.duration_since(self.since).as_secs_f64();
        self.since = now;
        if self.seconds > SPEED_SECONDS {
            self.bytes /= 2.0;
            self.seconds /= 2.0;
        }
    }

    fn bytes_per_second(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.bytes / self.seconds)
    }

    fn silence(&self, now: Instant) -> Option<Duration> {
        now.checked_duration_since(self.since)
    }
}

/// Requests outstanding on a lane: 512. At 1 ms round trip and 16 KiB files it fills 8 Gbit/s.
const WINDOW_WANTS_MAX: usize = 512;

/// Bytes outstanding on a lane: 8 MiB, the connection's stream window. More would only wait in
/// the source's memory.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes outstanding on a lane beside other sources while its speed is not known: 1 MiB, one unit. More
/// would hand half of a small file to a source that may be slow.
const WINDOW_BYTES_FIRST: u64 = 1024 * 1024;

/// The least that a lane beside other sources may have outstanding: 64 KiB. Several small files go
/// in one round trip even from a source of a modem's speed.
const WINDOW_BYTES_MIN: u64 = 64 * 1024;

/// Wants that wait below which more are added: 1024, several windows of large files. Bounds the board for
/// files of any length.
const WAITING_LOW: usize = 1024;

/// How much sooner a second source must be before it is asked, too: three times. Below that the
/// same bytes would often travel twice for a moment's gain.
const STEAL_FACTOR: u32 = 3;

/// What a want must be late at least before a second source is asked: 1 s, so that a round trip across
/// the world, a busy disk and speeds that waver are no reason. With 300 ms a fifth of 48 MiB travelled
/// twice between busy machines.
const STEAL_WAIT_MIN: Duration = Duration::from_secs(1);

/// Waiting after which older measurements count half: 2 s.
const SPEED_SECONDS: f64 = 2.0;

/// What counts as never: a day, so that durations can be added.
const FOREVER_SECONDS: f64 = 86_400.0;

#[cfg(test)]
mod tests;
