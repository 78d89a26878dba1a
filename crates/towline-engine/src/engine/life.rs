//! The loop that owns the core, and all that belongs to it.
//!
//! It drains everything that is ready, lets the core decide, performs the outputs in order,
//! and publishes a view at most ten times a second, the latest only. It never waits for the disk,
//! the network or the store; they answer with inputs. When the store breaks the loop ends, because
//! nothing may be told that is not durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_core::clock::Moment;
use towline_core::command::{Answer, CommandId, Refusal};
use towline_core::device::Device;
use towline_core::io::{BatchId, Input, Output, StoreReply, StoreRequest};
use towline_core::records::InForce;
use towline_core::snapshot::Snapshot;
use tracing::error;

use super::birth::Key;
use super::handle::{Question, Shown};
use crate::clock::Clock;
use crate::doctor::Examined;
use crate::folders::Folders;
use crate::ledger::Ledger;
use crate::memory::Slack;
use crate::network::{Network, PortMapping, Proxies, ServerTimes, SignalClients};
use crate::tasks::Tasks;
use crate::view::{
    self, KeyPlace, NetworkView, OwnServers, StoreCondition, Surroundings, UnixClock, View,
};

/// Inputs that may wait for the loop: 1024. The loop takes all that wait at once; producers wait
/// when it is full, which slows the network and the disk down to what the core can decide.
pub(super) const INPUTS_MAX: usize = 1024;

/// Shortest time between two views: 100 ms, faster than people read and slow enough to cost nothing.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// Longest sleep of the loop: 30 s. Its timer does not count a computer's sleep, the core's clock
/// does; after waking, what is due is found within this time at the latest.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// What a view shows beside the snapshot, fixed for this run.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) key_place: KeyPlace,
    pub(super) store: StoreCondition,
    pub(super) proxies: Arc<Proxies>,
    pub(super) own_servers: OwnServers,
    pub(super) port_mapping: PortMapping,
}

impl Around {
    /// The view of a snapshot; the folders take from it what is set.
    pub(super) fn view(
        &self,
        snapshot: &Snapshot,
        number: u64,
        clock: &Clock,
        folders: &Folders,
    ) -> View {
        folders.configure(snapshot);
        view::view(
            snapshot,
            &Surroundings {
                revision: number,
                key_place: self.key_place,
                store: self.store,
                proxies: &self.proxies,
                own_servers: &self.own_servers,
                clock: UnixClock(clock.start_unix_ms()),
                in_force: folders.in_force(),
                transfers: &folders.transfers(),
                restores: &folders.restores(),
            },
        )
    }
}

/// What follows what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Live,
    BeginAnew,
}

/// What was published last.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) revision: u64,
    pub(super) in_force: InForce,
    pub(super) at: Instant,
}

/// An answer, and who waits for it.
type Reply = (
    oneshot::Sender<Result<Answer, Refusal>>,
    Result<Answer, Refusal>,
);

/// Answers that wait until what they tell of is durable.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// Batches on their way into the store, which takes them in order.
    under_way: BTreeSet<BatchId>,
    /// Answers with the last batch that was under way when they were given.
    waiting: VecDeque<(BatchId, Reply)>,
}

impl Durability {
    /// The answers that may be given now, in order; these among them, or behind those that wait.
    fn answers(&mut self, given: Vec<Reply>) -> Vec<Reply> {
        let mut now = Vec::new();
        let first = self.under_way.first().copied();
        let is_durable =
            |(batch, _): &mut (BatchId, Reply)| first.is_none_or(|first| *batch < first);
        while let Some((_, reply)) = self.waiting.pop_front_if(is_durable) {
            now.push(reply);
        }
        match self.under_way.last() {
            None => now.extend(given),
            Some(last) => self
                .waiting
                .extend(given.into_iter().map(|reply| (*last, reply))),
        }
        now
    }
}

/// What all lives of a device have in common: how shells reach it, and what they see.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) asked: mpsc::Receiver<Question>,
    pub(super) stop: CancellationToken,
    pub(super) publish: watch::Sender<Arc<View>>,
    pub(super) show: watch::Sender<Shown>,
    /// The number of the latest view.
    pub(super) number: u64,
}

/// How a life ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// Somebody asked for it.
    Stopped,
    /// Nothing can be made durable any more.
    StoreBroken,
    /// What is set from now on holds for another life.
    Anew(Box<Key>),
}

/// The loop and all that it owns.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) device: Device,
    pub(super) clock: Clock,
    pub(super) key: Key,
    pub(super) around: Around,
    pub(super) waiting: mpsc::Receiver<Input>,
    pub(super) ledger: Ledger,
    /// Requests for which the store has no room yet, in order. Bounded by what the core has under
    /// way at a time.
    pub(super) for_ledger: VecDeque<StoreRequest>,
    pub(super) network: Arc<Network>,
    /// `None` within the local network.
    pub(super) signal: Option<SignalClients>,
    pub(super) folders: Folders,
    pub(super) replies: BTreeMap<CommandId, oneshot::Sender<Result<Answer, Refusal>>>,
    pub(super) durability: Durability,
    pub(super) last_command: u64,
    pub(super) published: Published,
    pub(super) slack: Slack,
    /// All that runs for this life alone.
    pub(super) tasks: Tasks,
}

impl Life {
    /// Lives until somebody ends it, the store breaks, or another life is to follow; then closes all that it has.
    pub(super) async fn run(mut self, desk: &mut Desk) -> Ending {
        self.publish(desk);
        let mut inputs = Vec::new();
        let outcome = loop {
            match self.perform(desk) {
                Onward::Live => {}
                Onward::BeginAnew => break Ending::Anew(Box::new(self.key.clone())),
            }
            self.publish_if_due(desk);
            self.slack.give_back_if_due();
            let wake = self.wake_at();
            let mut question = None;
            tokio::select! {
                () = desk.stop.cancelled() => break Ending::Stopped,
                Some(asked) = desk.asked.recv() => question = Some(asked),
                taken = self.waiting.recv_many(&mut inputs, INPUTS_MAX) => {
                    if taken == 0 || inputs.contains(&Input::Store(StoreReply::Broken)) {
                        break Ending::StoreBroken;
                    }
                    let now = self.clock.now();
                    for input in inputs.drain(..) {
                        if let Input::Store(StoreReply::Persisted(batch, _)) = &input {
                            self.durability.under_way.remove(batch);
                        }
                        self.device.handle_input(now, input);
                    }
                }
                Some(room) = self.ledger.room(), if !self.for_ledger.is_empty() => {
                    if let Some(request) = self.for_ledger.pop_front() {
                        room.send(request);
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    let now = self.clock.now();
                    if self.device.poll_timeout().is_some_and(|due| due <= now) {
                        self.device.handle_timeout(now);
                    }
                }
            }
            if let Some(question) = question {
                self.answer(question);
            }
        };
        if matches!(outcome, Ending::StoreBroken) {
            error!("the device ends because its store cannot be written");
        }
        drop(self.waiting);
        self.folders.close().await;
        // Transfers held the network too; they have ended.
        if let Some(network) = Arc::into_inner(self.network) {
            network.close().await;
        }
        drop(self.signal);
        drop(self.ledger);
        self.tasks.close().await;
        outcome
    }

    /// What shells read beside the loop.
    pub(super) fn shown(&self) -> Shown {
        Shown {
            past: self.folders.past(),
            inbox: self.folders.inbox(),
            listings: self.folders.listings(),
        }
    }

    /// The view with this number.
    pub(super) fn view(&self, number: u64) -> View {
        self.around.view(
            &self.device.snapshot(self.clock.now()),
            number,
            &self.clock,
            &self.folders,
        )
    }

    fn answer(&mut self, question: Question) {
        let now = self.clock.now();
        match question {
            Question::Command(command, reply) => {
                self.last_command += 1;
                let id = CommandId(self.last_command);
                self.replies.insert(id, reply);
                self.device.handle_input(now, Input::Command(id, command));
            }
            Question::Network(reply) => {
                // Whoever asked may be gone.
                let _unheard = reply.send(self.network_view(now));
            }
            Question::Examine(reply) => {
                let times = self.signal.as_ref().map(SignalClients::times);
                let examined = Examined {
                    network: self.network_view(now),
                    clock_ahead_s: times.and_then(ServerTimes::ahead_by),
                    mdns: self.network.mdns(),
                    port_mapping: self.around.port_mapping,
                };
                // Whoever asked may be gone.
                let _unheard = reply.send(examined);
            }
        }
    }

    fn network_view(&self, now: Moment) -> NetworkView {
        let report = self.device.network_report(now);
        view::network(&report, UnixClock(self.clock.start_unix_ms()))
    }

    /// Performs everything that the core has decided, in order.
    ///
    /// Whoever gave a command and then looks must see what it did, so a view leaves before answers do; and what was
    /// answered holds, also when this process is killed at once, so answers wait for what goes into the store
    /// with them. Another life follows only when what asks for it is durable, which is when its command is answered.
    fn perform(&mut self, desk: &mut Desk) -> Onward {
        let mut answers = Vec::new();
        while let Some(output) = self.device.poll_output() {
            match output {
                Output::Store(request) => {
                    self.slack.stirred();
                    if let StoreRequest::Persist(batch, _) = &request {
                        self.durability.under_way.insert(*batch);
                    }
                    self.for_ledger.push_back(request);
                }
                Output::Disk(folder, request) => self.folders.request(folder, request),
                Output::Network(request) => {
                    self.folders.note(&request);
                    self.network.request(request);
                }
                Output::Signal(id, request) => match &mut self.signal {
                    Some(signal) => signal.request(id, request),
                    None => error!("asked for a server within the local network"),
                },
                Output::Reply(id, answer) => {
                    answers.extend(self.replies.remove(&id).map(|reply| (reply, answer)));
                }
            }
        }
        let answers = self.durability.answers(answers);
        if answers.is_empty() {
            return Onward::Live;
        }
        self.publish(desk);
        for (reply, answer) in answers {
            // Whoever asked may be gone.
            let _unheard = reply.send(answer);
        }
        if self.device.is_to_begin_anew() && self.durability.waiting.is_empty() {
            Onward::BeginAnew
        } else {
            Onward::Live
        }
    }

    fn publish_if_due(&mut self, desk: &mut Desk) {
        if self.is_dirty() && self.published.at.elapsed() >= VIEW_INTERVAL {
            self.publish(desk);
        }
    }

    fn publish(&mut self, desk: &mut Desk) {
        self.published = Published {
            revision: self.device.revision(),
            in_force: self.folders.in_force(),
            at: Instant::now(),
        };
        desk.number += 1;
        let next = self.view(desk.number);
        desk.publish.send_if_modified(|last| {
            let same = **last
                == View {
                    revision: last.revision,
                    ..next.clone()
                };
            if !same {
                *last = Arc::new(next);
            }
            !same
        });
    }

    fn is_dirty(&self) -> bool {
        self.published.revision != self.device.revision()
            || self.published.in_force != self.folders.in_force()
            || self.folders.is_moving()
    }

    /// When something is due without any input.
    fn wake_at(&self) -> Instant {
        let now = self.clock.now();
        let core = self
            .device
            .poll_timeout()
            .map_or(SLEEP_MAX, |due: Moment| due.since(now));
        let core = Instant::now() + core.min(SLEEP_MAX);
        let core = self.slack.due().map_or(core, |due| core.min(due));
        if self.is_dirty() {
            core.min(self.published.at + VIEW_INTERVAL)
        } else {
            core
        }
    }
}
