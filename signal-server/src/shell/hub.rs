//! The one loop that owns the rendezvous: takes what the sessions bring, puts what follows into
//! their outboxes. It never waits for a session, so that a slow client slows nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use towline_wire::signal::CloseCode;

use super::audit::Audit;
use super::cluster::Errand;
use super::metrics::{Metrics, RedisStanding, Standing};
use super::outbox::{Full, Outbox};
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

/// What a session brings to the hub.
#[derive(Debug)]
pub(super) enum Knock {
    /// A new connection, with the outbox that its session empties.
    Arrived {
        connection: ConnectionId,
        origin: Origin,
        door: Door,
        outbox: Arc<Outbox>,
    },
    /// A session is over.
    Ended {
        connection: ConnectionId,
        /// The close code with which the session itself has cut it.
        cut: Option<u16>,
    },
    /// Anything else.
    Happened(Input),
    /// Somebody wants to know how the server stands.
    Asked(oneshot::Sender<Standing>),
}

/// A connection that the hub serves.
#[derive(Debug)]
struct Served {
    outbox: Arc<Outbox>,
    since: Instant,
}

pub(super) struct Hub {
    rendezvous: Rendezvous,
    line: Option<mpsc::Sender<Errand>>,
    clock: Clock,
    drain: Duration,
    cancel: CancellationToken,
    knocks: mpsc::Receiver<Knock>,
    served: HashMap<ConnectionId, Served>,
    metrics: Arc<Metrics>,
    audit: Audit,
}

impl Hub {
    pub(super) fn new(
        rendezvous: Rendezvous,
        line: Option<mpsc::Sender<Errand>>,
        clock: Clock,
        drain: Duration,
        cancel: CancellationToken,
        metrics: Arc<Metrics>,
        audit: Audit,
    ) -> (Self, mpsc::Sender<Knock>) {
        let (sender, knocks) = mpsc::channel(KNOCKS_MAX);
        (
            Self {
                rendezvous,
                line,
                clock,
                drain,
                cancel,
                knocks,
                served: HashMap::new(),
                metrics,
                audit,
            },
            sender,
        )
    }

    /// Runs until every session and the door are gone.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut draining = false;
        self.audit.server("started");
        let mut next_look = Instant::now();
        loop {
            if Instant::now() >= next_look {
                next_look = Instant::now() + WALL_CLOCK_EVERY;
                self.look_at_the_clock();
            }
            let due = self.rendezvous.poll_timeout().map(|due| self.clock.at(due));
            tokio::select! {
                count = self.knocks.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        self.audit.server("stopped");
                        return;
                    }
                    for knock in batch.drain(..) {
                        self.take_in(knock);
                    }
                }
                () = async { match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                } } => {
                    self.rendezvous.handle_timeout(self.clock.now());
                    self.perform();
                }
                () = self.cancel.cancelled(), if !draining => {
                    draining = true;
                    self.audit.server("draining");
                    self.rendezvous.handle_input(self.clock.now(), Input::Drain { within: self.drain });
                    self.perform();
                }
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unix_seconds = wall.unwrap_or_default().as_secs();
        let input = Input::WallClock { unix_seconds };
        self.rendezvous.handle_input(self.clock.now(), input);
    }

    fn take_in(&mut self, knock: Knock) {
        let input = match knock {
            Knock::Arrived {
                connection,
                origin,
                door,
                outbox,
            } => {
                self.metrics.opened(&door);
                self.audit.arrived(connection, origin);
                let since = Instant::now();
                self.served.insert(connection, Served { outbox, since });
                Input::Connected {
                    connection,
                    origin,
                    door,
                }
            }
            Knock::Ended { connection, cut } => {
                let is_served = self.forget(connection).is_some();
                if let Some(code) = cut.filter(|_| is_served) {
                    self.metrics.cut(code);
                }
                Input::Disconnected { connection }
            }
            Knock::Happened(input) => input,
            Knock::Asked(answer) => {
                // Whoever asked may have gone away.
                let _ = answer.send(self.standing());
                return;
            }
        };
        self.rendezvous.handle_input(self.clock.now(), input);
        self.perform();
    }

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

/// Knocks that wait for the hub: 1,024. When it is full, sessions stop reading and TCP passes the
/// pressure on to their clients; more would only add delay.
const KNOCKS_MAX: usize = 1024;

/// Knocks taken in before the hub looks at its timers again: 256, some hundred microseconds.
const BATCH_MAX: usize = 256;
