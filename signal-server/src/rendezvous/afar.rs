//! Presence, standing consent and packet channels between clients of different instances.
//!
//! Who watches somebody that is not here tells the instance where that one is; if it is watched back, both know of each
//! other from then on, as an *acquaintance*. What is relayed goes straight to the instance that the acquaintance names, and the
//! receiver's `watch` decides there. An acquaintance ends when either side says so, when its instance lives no longer,
//! or when the store was away and it is not confirmed afterwards.
//!
//! A packet channel of two clients lies at the instance of the lower key, so that there is one whoever asks first; its
//! packets pass no other instance, and no store.

use std::collections::BTreeMap;
use std::time::Duration;

use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    ClientMessage, ErrorCode, GuestId, Notice, Request, RequestId, ServerMessage, SignalId,
};

use super::cluster::{Books, Then};
use super::pairing::Seat;
use super::shared::{Ask, Event, NodeId, Place, RENEWED_AT_ONCE_MAX, Standing, Watched};
use super::{ConnectionId, Moment, Phase, Rendezvous, Timer};

/// Who here and who elsewhere watch each other.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    by_both: BTreeMap<(SignalId, SignalId), Acquaintance>,
}

#[derive(Debug, Clone, Copy)]
struct Acquaintance {
    place: Place,
    confirmed: Moment,
}

/// Whether somebody is met for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Now,
    Before,
}

impl Acquaintances {
    pub(super) fn len(&self) -> usize {
        self.by_both.len()
    }

    fn place(&self, here: SignalId, there: SignalId) -> Option<Place> {
        self.by_both.get(&(here, there)).map(|known| known.place)
    }

    fn meet(&mut self, now: Moment, here: SignalId, there: SignalId, place: Place) -> Met {
        let confirmed = now;
        let met = Acquaintance { place, confirmed };
        match self.by_both.insert((here, there), met) {
            None => Met::Now,
            Some(_) => Met::Before,
        }
    }

    /// Forgets an acquaintance whose place ends with this one; a newer one stays.
    fn part(&mut self, here: SignalId, there: SignalId, at: Place) -> bool {
        let ends = self.by_both.get(&(here, there)).is_some_and(|known| {
            known.place.node == at.node && known.place.connection <= at.connection
        });
        ends && self.by_both.remove(&(here, there)).is_some()
    }

    fn forget(&mut self, here: SignalId, there: SignalId) -> Option<Place> {
        let known = self.by_both.remove(&(here, there))?;
        Some(known.place)
    }

    fn of(&self, here: SignalId) -> Vec<SignalId> {
        let low = SignalId::Device(DeviceId::from_public_key([0; 32]));
        let high = SignalId::Guest(GuestId(u64::MAX));
        let all = self.by_both.range((here, low)..=(here, high));
        all.map(|((_, there), _)| *there).collect()
    }

    fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self
            .by_both
            .values()
            .map(|known| known.place.node)
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn those(&self, ended: impl Fn(&Acquaintance) -> bool) -> Vec<(SignalId, SignalId)> {
        let all = self.by_both.iter().filter(|(_, known)| ended(known));
        all.map(|(both, _)| *both).collect()
    }
}

impl Rendezvous {
    /// Looks for those of `peers` that are elsewhere, to tell them who watches them.
    pub(super) fn look_afar(&mut self, now: Moment, watcher: SignalId, peers: &[SignalId]) {
        if matches!(self.books, Books::Own(_)) {
            return;
        }
        let absent = peers.iter().copied().filter(|peer| !self.is_here(*peer));
        let absent: Vec<_> = absent.collect();
        for part in absent.chunks(RENEWED_AT_ONCE_MAX) {
            let ids = part.to_vec();
            self.ask(now, Ask::Find { ids }, Then::Introduce { watcher });
        }
    }

    /// The store knows where these are.
    pub(super) fn introduce(&mut self, watcher: SignalId, found: Vec<(SignalId, Place)>) {
        let Some(connection) = self.connection_by_id.get(&watcher).copied() else {
            return;
        };
        let at = self.place(connection);
        for (peer, place) in found {
            if place.node != at.node && self.watches(watcher, peer) {
                let back = Watched::IsToAnswer;
                self.tell_at(place, peer, Event::Watching { watcher, at, back });
            }
        }
    }

    /// Somebody elsewhere watches somebody here.
    pub(super) fn watched_from_afar(
        &mut self,
        now: Moment,
        here: SignalId,
        watcher: SignalId,
        at: Place,
        back: Watched,
    ) {
        let Some(connection) = self.connection_by_id.get(&here).copied() else {
            return;
        };
        if !self.watches(here, watcher) || self.is_here(watcher) {
            return;
        }
        if self.acquaintances.meet(now, here, watcher, at) == Met::Now {
            self.say(
                connection,
                ServerMessage::PeerConnected { peer_id: watcher },
            );
        }
        if back == Watched::IsToAnswer {
            let answer = Event::Watching {
                watcher: here,
                at: self.place(connection),
                back: Watched::HasAnswered,
            };
            self.tell_at(at, watcher, answer);
        }
    }

    /// Somebody elsewhere is gone, or watches no longer.
    pub(super) fn away_from_afar(&mut self, here: SignalId, there: SignalId, at: Place) {
        if self.acquaintances.part(here, there, at) {
            self.tell_apart(here, there);
        }
    }

    /// Somebody here does not watch somebody elsewhere any more.
    pub(super) fn unwatch_afar(
        &mut self,
        connection: ConnectionId,
        here: SignalId,
        there: SignalId,
    ) {
        let Some(place) = self.acquaintances.forget(here, there) else {
            return;
        };
        let at = self.place(connection);
        let watcher = here;
        self.tell_at(place, there, Event::Unwatching { watcher, at });
    }

    /// Somebody here is gone.
    pub(super) fn leave_acquaintances(&mut self, connection: ConnectionId, here: SignalId) {
        let at = self.place(connection);
        for there in self.acquaintances.of(here) {
            if let Some(place) = self.acquaintances.forget(here, there) {
                self.tell_at(place, there, Event::Away { who: here, at });
            }
        }
    }

    /// Where somebody elsewhere is, with whom there is standing consent.
    pub(super) fn acquainted(&self, here: SignalId, there: SignalId) -> Option<Place> {
        self.acquaintances.place(here, there)
    }

    /// Something is relayed to somebody here, or who was. Their `watch` decides.
    pub(super) fn relayed_from_afar(
        &mut self,
        to: SignalId,
        from: SignalId,
        at: Place,
        notice: Notice,
    ) {
        match self.connection_by_id.get(&to).copied() {
            Some(connection) if self.watches(to, from) => self.send(connection, notice),
            Some(_) | None => {
                let place = self.place(ConnectionId(u64::MAX));
                self.tell_at(at, from, Event::Away { who: to, at: place });
            }
        }
    }

    /// Tells the store that this instance lives, and asks which others do not.
    pub(super) fn beat(&mut self, now: Moment) {
        let Books::Shared(shared) = &self.books else {
            return;
        };
        let node = shared.node();
        let mut others = self.acquaintances.nodes();
        others.extend(self.halls.nodes());
        others.sort_unstable();
        others.dedup();
        self.ask(now, Ask::Beat { node, others }, Then::MissNodes);
        self.timers.insert((now.plus(BEAT_EVERY), Timer::Beat));
    }

    /// These instances live no longer.
    pub(super) fn miss_nodes(&mut self, now: Moment, gone: &[NodeId]) {
        // Just after the store was away the others may not have said yet that they live; who is not confirmed by then is
        // gone anyway.
        if self.reached_for(now) < CONFIRM_WITHIN {
            return;
        }
        self.miss_members(gone);
        for (here, there) in self
            .acquaintances
            .those(|known| gone.contains(&known.place.node))
        {
            self.acquaintances.forget(here, there);
            self.tell_apart(here, there);
        }
    }

    /// The store is back: all look for each other again, not all at once, and who is not found by then is gone.
    pub(super) fn look_for_all(&mut self, now: Moment) {
        for connection in self.connection_by_id.values().copied().collect::<Vec<_>>() {
            let wait = Duration::from_millis(u64::from(self.draw()) % LOOK_WITHIN_MS);
            self.timers
                .insert((now.plus(wait), Timer::Look(connection)));
        }
        self.timers
            .retain(|(_, timer)| *timer != Timer::Unconfirmed);
        let end = now.plus(CONFIRM_WITHIN);
        self.timers.insert((end, Timer::Unconfirmed));
    }

    pub(super) fn look_again(&mut self, now: Moment, connection: ConnectionId) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        if let Phase::Present { id, watching } = &known.phase {
            let (id, watching) = (*id, watching.clone());
            self.look_afar(now, id, &watching);
        }
    }

    pub(super) fn forget_unconfirmed(&mut self, now: Moment) {
        if self.cut_off_for(now).is_some() {
            return;
        }
        let ended = |known: &Acquaintance| now.since(known.confirmed) > CONFIRM_WITHIN;
        for (here, there) in self.acquaintances.those(ended) {
            self.acquaintances.forget(here, there);
            self.tell_apart(here, there);
        }
    }

    /// A packet channel is asked for with somebody who is not here.
    pub(super) fn open_channel_afar(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        ours: DeviceId,
        theirs: DeviceId,
    ) {
        let (sender, to) = (SignalId::Device(ours), SignalId::Device(theirs));
        let Some(place) = self.acquainted(sender, to) else {
            return self.refuse_absent(connection, id);
        };
        if self.cut_off_for(now).is_some() {
            return self.refuse_cut_off(connection, id);
        }
        if ours < theirs {
            let answers = self.host_channel(now, id, ours, theirs);
            self.send(connection, answers.0);
            if let Some(notice) = answers.1 {
                let peer = sender;
                self.tell_at(place, to, Event::ChannelReady { peer, notice });
            }
        } else {
            let message = ClientMessage::RelayOpen { to };
            let event = Event::ChannelWanted {
                by: sender,
                at: self.place(connection),
                request: Request { id, message },
            };
            self.tell_at(place, to, event);
        }
    }

    /// Somebody elsewhere wants a packet channel with somebody here; it is to lie here.
    pub(super) fn channel_wanted(
        &mut self,
        now: Moment,
        to: SignalId,
        by: SignalId,
        at: Place,
        id: Option<RequestId>,
    ) {
        let (Some(ours), Some(theirs)) = (to.device(), by.device()) else {
            return;
        };
        let answers = if self
            .acquainted(to, by)
            .is_some_and(|known| known.node == at.node)
        {
            self.host_channel(now, id, theirs, ours)
        } else {
            let why = "the peer is not there or does not consent";
            (refusal(id, ErrorCode::PeerOffline, why), None)
        };
        let (peer, notice) = (to, answers.0);
        self.tell_at(at, by, Event::ChannelReady { peer, notice });
        if let Some(notice) = answers.1
            && let Some(connection) = self.connection_by_id.get(&to).copied()
        {
            self.send(connection, notice);
        }
    }

    /// The answer to a wish for a packet channel, or the wish itself, from the instance where it lies.
    pub(super) fn channel_ready(&mut self, to: SignalId, peer: SignalId, notice: Notice) {
        if let Some(connection) = self.connection_by_id.get(&to).copied()
            && self.watches(to, peer)
        {
            self.send(connection, notice);
        }
    }

    fn tell_apart(&mut self, here: SignalId, there: SignalId) {
        if !self.share_mailbox(here, there) {
            self.tell(here, ServerMessage::PeerDisconnected { peer_id: there });
        }
    }

    /// Whether the other member of an id's mailbox has finished it with that id.
    pub(super) fn is_done_with(&self, one: SignalId, other: SignalId) -> bool {
        let standing = self.seats.get(&one).map(Seat::standing);
        standing == Some(Standing::Done { peer: other })
    }
}

pub(super) fn refusal(id: Option<RequestId>, code: ErrorCode, why: &str) -> Notice {
    let message = ServerMessage::Error {
        code,
        message: why.to_owned(),
        retry_after_ms: None,
    };
    Notice { id, message }
}

/// Time between two signs of life of an instance: 3 s, so that three may be lost within its lease.
const BEAT_EVERY: Duration = Duration::from_secs(3);

/// Time in which all look for each other after the store was away: 2 s, in ms.
pub(super) const LOOK_WITHIN_MS: u64 = 2000;

/// Time after which who was not found again is gone: 6 s, those two for either side and some more.
pub(super) const CONFIRM_WITHIN: Duration = Duration::from_secs(6);
