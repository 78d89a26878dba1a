//! The one place of the rendezvous: whoever brings something takes a turn, and what follows from it lies in the
//! outboxes when the turn is over.
//!
//! A turn is some microseconds under a lock, and waits for nobody: a slow client slows none but itself. A loop of its
//! own that sessions would send to would do the same one after the other, and wake a thread for each message; so the
//! thread that has read a message goes on to write it. What comes with time comes from the keeper, a task that
//! sleeps until something is due.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use towline_wire::signal::CloseCode;

use super::audit::Audit;
use super::cluster::Errand;
use super::metrics::{Metrics, RedisStanding, Standing};
use super::outbox::{Full, Outbox};
use super::packet_queue::Backlog;
use crate::rendezvous::{
    Answer, ConnectionId, Door, Input, Moment, Note, Origin, Output, Rendezvous,
};

/// The time since the server started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Moment {
        Moment::after_start(self.0.elapsed())
    }

    pub(super) fn at(self, moment: Moment) -> tokio::time::Instant {
        (self.0 + moment.since_start()).into()
    }
}

/// The server takes in nothing any more.
#[derive(Debug)]
pub(super) struct Stopped;

/// A way to the hub. When the last one is gone, its keeper ends.
#[derive(Clone)]
pub(super) struct Hub(Arc<Way>);

/// A way to the hub as long as others have one.
#[derive(Clone, Default)]
pub(super) struct WeakHub(Weak<Way>);

struct Way {
    shared: Arc<Shared>,
    _when_the_last_is_gone: DropGuard,
}

/// What everybody takes turns with.
struct Shared {
    state: Mutex<State>,
    /// Something is due before the keeper wakes, or the keeper is to end.
    sooner: Notify,
}

struct State {
    rendezvous: Rendezvous,
    line: Option<mpsc::Sender<Errand>>,
    served: HashMap<ConnectionId, Served>,
    /// Packets in all outboxes.
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    audit: Audit,
    clock: Clock,
    /// When the keeper wakes.
    wakes_at: Option<Moment>,
    stopped: bool,
}

/// A connection that the hub serves.
#[derive(Debug)]
struct Served {
    outbox: Arc<Outbox>,
    since: Instant,
}

/// Does what time brings, and ends the hub.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    /// There is no way to the hub any more.
    deserted: CancellationToken,
    drain: Duration,
    cancel: CancellationToken,
}

impl Hub {
    /// A hub whose keeper drains it after `cancel`, for that long.
    pub(super) fn new(
        mut rendezvous: Rendezvous,
        line: Option<mpsc::Sender<Errand>>,
        clock: Clock,
        drain: Duration,
        cancel: CancellationToken,
        metrics: Arc<Metrics>,
        audit: Audit,
    ) -> (Self, Keeper) {
        // Before anybody comes who is to be given credentials.
        rendezvous.handle_input(clock.now(), wall_clock());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                rendezvous,
                line,
                served: HashMap::new(),
                backlog: Arc::default(),
                metrics,
                audit,
                clock,
                wakes_at: None,
                stopped: false,
            }),
            sooner: Notify::new(),
        });
        let deserted = CancellationToken::new();
        let way = Way {
            shared: Arc::clone(&shared),
            _when_the_last_is_gone: deserted.clone().drop_guard(),
        };
        let keeper = Keeper {
            shared,
            deserted,
            drain,
            cancel,
        };
        (Self(Arc::new(way)), keeper)
    }

    pub(super) fn downgrade(&self) -> WeakHub {
        WeakHub(Arc::downgrade(&self.0))
    }

    /// A new connection; gives the outbox that its session empties.
    pub(super) fn arrived(
        &self,
        connection: ConnectionId,
        origin: Origin,
        door: Door,
    ) -> Result<Arc<Outbox>, Stopped> {
        let mut turn = self.0.shared.turn()?;
        turn.state.metrics.opened(&door);
        turn.state.audit.arrived(connection, origin);
        let outbox = Arc::new(Outbox::among(Arc::clone(&turn.state.backlog)));
        let served = Served {
            outbox: Arc::clone(&outbox),
            since: Instant::now(),
        };
        turn.state.served.insert(connection, served);
        turn.take_in(Input::Connected {
            connection,
            origin,
            door,
        });
        Ok(outbox)
    }

    /// A session is over; the close code with which it itself has cut its connection, if it has.
    pub(super) fn ended(&self, connection: ConnectionId, cut: Option<u16>) -> Result<(), Stopped> {
        let mut turn = self.0.shared.turn()?;
        let is_served = turn.state.forget(connection).is_some();
        if let Some(code) = cut.filter(|_| is_served) {
            turn.state.metrics.cut(code);
        }
        turn.take_in(Input::Disconnected { connection });
        Ok(())
    }

    /// Anything else.
    pub(super) fn happened(&self, input: Input) -> Result<(), Stopped> {
        self.0.shared.turn()?.take_in(input);
        Ok(())
    }

    /// How the server stands.
    pub(super) fn standing(&self) -> Result<Standing, Stopped> {
        Ok(self.0.shared.turn()?.state.standing())
    }

    /// Takes in nothing more, whoever is still there.
    pub(super) fn stop(&self) {
        self.0.shared.stop();
    }
}

impl WeakHub {
    pub(super) fn upgrade(&self) -> Option<Hub> {
        self.0.upgrade().map(Hub)
    }
}

impl Shared {
    fn turn(&self) -> Result<Turn<'_>, Stopped> {
        // Poisoned by a panic in a turn: what it left may be half done.
        let state = self.state.lock().map_err(|_| Stopped)?;
        if state.stopped {
            return Err(Stopped);
        }
        Ok(Turn {
            state,
            sooner: &self.sooner,
        })
    }

    fn stop(&self) {
        if let Ok(mut turn) = self.turn() {
            turn.state.audit.server("stopped");
            turn.state.stopped = true;
            // Their other ends wait until these are gone.
            turn.state.audit = Audit::default();
            turn.state.line = None;
        }
        self.sooner.notify_one();
    }
}

/// The hub, for a moment.
struct Turn<'a> {
    state: MutexGuard<'a, State>,
    sooner: &'a Notify,
}

impl Turn<'_> {
    fn take_in(&mut self, input: Input) {
        let now = self.state.clock.now();
        self.state.rendezvous.handle_input(now, input);
        self.state.perform();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let due = self.state.rendezvous.poll_timeout();
        let is_sooner = match (due, self.state.wakes_at) {
            (Some(due), Some(wakes_at)) => due < wakes_at,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_sooner || std::thread::panicking() {
            self.sooner.notify_one();
        }
    }
}

impl Keeper {
    /// Runs until every way to the hub is gone, or it is stopped.
    ///
    /// # Errors
    /// When a turn has panicked.
    pub(super) async fn run(self) -> io::Result<()> {
        let Self {
            shared,
            deserted,
            drain,
            cancel,
        } = self;
        let mut looks = interval(WALL_CLOCK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draining = false;
        if let Ok(mut turn) = shared.turn() {
            turn.state.audit.server("started");
        }
        loop {
            let due = {
                let Ok(mut state) = shared.state.lock() else {
                    return Err(io::Error::other("the rendezvous panicked"));
                };
                if state.stopped {
                    return Ok(());
                }
                state.wakes_at = state.rendezvous.poll_timeout();
                state.wakes_at.map(|due| state.clock.at(due))
            };
            let came = tokio::select! {
                () = deserted.cancelled() => {
                    shared.stop();
                    return Ok(());
                }
                () = shared.sooner.notified() => continue,
                () = async { match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                } } => Came::Due,
                _ = looks.tick() => Came::Look,
                () = cancel.cancelled(), if !draining => Came::Cancel,
            };
            // A panic is told when the loop begins anew.
            let Ok(mut turn) = shared.turn() else {
                continue;
            };
            match came {
                Came::Due => {
                    let now = turn.state.clock.now();
                    turn.state.rendezvous.handle_timeout(now);
                    turn.state.perform();
                }
                Came::Look => turn.take_in(wall_clock()),
                Came::Cancel => {
                    draining = true;
                    turn.state.audit.server("draining");
                    turn.take_in(Input::Drain { within: drain });
                }
            }
        }
    }
}

/// Why the keeper wakes.
enum Came {
    Due,
    Look,
    Cancel,
}

fn wall_clock() -> Input {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unix_seconds = wall.unwrap_or_default().as_secs();
    Input::WallClock { unix_seconds }
}

impl State {
    fn standing(&self) -> Standing {
        let holdings = self.rendezvous.holdings();
        let [devices, guests] = self.rendezvous.present();
        Standing {
            connections: self.rendezvous.connections_len(),
            connections_max: self.rendezvous.connections_max(),
            devices,
            guests,
            mailboxes: holdings.mailboxes,
            rooms: holdings.rooms,
            rooms_max: self.rendezvous.rooms_max(),
            channels: holdings.channels,
            records: holdings.records,
            held_bytes: holdings.held_bytes,
            draining: self.rendezvous.is_draining(),
            redis: self.line.as_ref().map(|_| {
                let away = self.rendezvous.cut_off_for(self.clock.now());
                away.map_or(RedisStanding::Reached, RedisStanding::OutOfReach)
            }),
        }
    }

    /// To the line, if there is one and it keeps up.
    fn send_out(&self, errand: Errand) -> Result<(), ()> {
        let line = self.line.as_ref().ok_or(())?;
        line.try_send(errand).map_err(|_| ())
    }

    fn outbox(&self, connection: ConnectionId) -> Option<&Outbox> {
        self.served.get(&connection).map(|served| &*served.outbox)
    }

    /// Serves it no more; its session writes what lies in the outbox and ends.
    fn forget(&mut self, connection: ConnectionId) -> Option<Arc<Outbox>> {
        let served = self.served.remove(&connection)?;
        self.metrics.ended(served.since.elapsed());
        self.audit.left(connection);
        Some(served.outbox)
    }

    fn perform(&mut self) {
        while let Some(output) = self.rendezvous.poll_output() {
            match output {
                Output::Send { connection, notice } => {
                    let Some(outbox) = self.outbox(connection) else {
                        continue;
                    };
                    self.metrics.said(&notice.message);
                    if let Err(Full) = outbox.push_text(notice.to_json()) {
                        outbox.close(CloseCode::SlowConsumer);
                        self.metrics.closed(CloseCode::SlowConsumer);
                        self.forget(connection);
                        self.rendezvous
                            .handle_input(self.clock.now(), Input::Disconnected { connection });
                        tracing::debug!(connection = connection.0, "slow consumer is cut");
                    }
                }
                Output::Forward { connection, packet } => {
                    if let Some(outbox) = self.outbox(connection) {
                        self.metrics.forwarded(packet.len());
                        self.metrics.dropped(outbox.push_packet(packet));
                    }
                }
                Output::Ping { connection } => {
                    if let Some(outbox) = self.outbox(connection) {
                        outbox.ping();
                    }
                }
                Output::Pause { connection, until } => {
                    if let Some(outbox) = self.outbox(connection) {
                        outbox.pause(self.clock.at(until));
                    }
                }
                Output::Close { connection, code } => {
                    tracing::debug!(connection = connection.0, code = code.number(), "closing");
                    self.metrics.closed(code);
                    if let Some(outbox) = self.forget(connection) {
                        outbox.close(code);
                    }
                }
                Output::Ask { ticket, ask } => {
                    if self.send_out(Errand::Ask(ticket, ask)).is_err() {
                        let answer = Answer::Unavailable;
                        let input = Input::Answered { ticket, answer };
                        self.rendezvous.handle_input(self.clock.now(), input);
                    }
                }
                Output::Publish { node, message } => {
                    // A message that is lost is made good by the next question to the store.
                    let _ = self.send_out(Errand::Publish(node, message));
                }
                Output::Note { note, connection } => {
                    self.metrics.noted(&note);
                    let left_out = self.audit.note(&note, connection);
                    self.metrics.left_out_of_audit(left_out);
                    log(note);
                }
            }
        }
    }
}

fn log(note: Note) {
    let event = note.event();
    match note {
        Note::Registered { who } => tracing::debug!(device = who.short(), event),
        Note::RegisterFailed => tracing::info!(event, "a proof does not hold"),
        Note::AccessDenied => tracing::info!(event, "not for this client"),
        Note::DeviceReplaced { device } => {
            tracing::info!(
                device = device.short(),
                event,
                "same key on a newer connection"
            );
        }
        Note::CodeCreated => tracing::info!(event, "mailbox opened"),
        Note::CodeClaimed => tracing::info!(event, "mailbox joined"),
        Note::CodeFailed => tracing::info!(event, "claim failed"),
        Note::CodeExpired => tracing::info!(event, "mailbox reached its time"),
        Note::PairingDone => tracing::info!(event, "both members are done"),
        Note::RoomCreated => tracing::info!(event, "room opened"),
        Note::RoomRefused => tracing::info!(event, "not let into a room"),
        Note::RoomClosed => tracing::info!(event, "room has ended"),
        Note::RoomJoined | Note::ChannelComplete | Note::LimitHit => tracing::debug!(event),
    }
}

/// Time between two looks at the wall clock: a minute. A virtual machine that was asleep gives credentials of
/// the past for no longer.
const WALL_CLOCK_EVERY: Duration = Duration::from_secs(60);
