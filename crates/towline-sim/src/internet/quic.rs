//! QUIC as the engine shows it: a connection stands after round trips on the selected path, its frames
//! come in order however many packets are lost, silence is measured, and ends after 30 s.
//!
//! The dialer sends on the path that its core has selected. The acceptor sends to where the dialer's
//! newest packet came from. Packets from addresses that are not proved are not seen at all.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use towline_core::io::{ConnectionId, DatagramSize, Input, LinkFault, NetworkEvent, Path};
use towline_core::measuring;
use towline_wire::ids::DeviceId;
use towline_wire::peer::Control;

use super::{Event, Internet, Payload};

/// Silence after which a connection is given up.
const IDLE: Duration = Duration::from_secs(30);

/// Silence after which something is said.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The round trip that is assumed before one is measured.
const RTT_ASSUMED: Duration = Duration::from_millis(333);

/// The least time after which QUIC asks again, beside three round trips.
const PROBE_TIMEOUT_LEAST: Duration = Duration::from_millis(100);

/// Silence of a peer to which is sent after which its next word makes us speak at once.
const REGAINED_AFTER: Duration = Duration::from_millis(1500);

/// Pause between two words to a peer that is heard again, and how long they go on without an answer.
const NUDGES_APART: Duration = Duration::from_millis(250);
const NUDGED_FOR: Duration = Duration::from_secs(3);

/// Bulk frames on their way at a time.
const BULK_WINDOW: usize = 8;

/// Bytes of one bulk frame: as many as count as a flow.
const BULK_BYTES: u64 = measuring::FLOW_BYTES;

/// A way by which a packet comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Udp(SocketAddr),
    Relay,
}

/// A packet.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    /// Whose keys have sealed it.
    author: usize,
    connection: u64,
    number: u64,
    kind: Kind,
    sent: Duration,
    /// All frames before this one have come.
    expected: u64,
    /// The highest number that has come, and when that packet was sent.
    heard: Option<(u64, Duration)>,
}

impl Packet {
    /// Whether it is one of those by which a connection begins.
    pub(super) const fn begins(&self) -> bool {
        matches!(self.kind, Kind::Initial | Kind::Reply)
    }
}

#[derive(Debug, Clone)]
enum Kind {
    Initial,
    Reply,
    Frames(Vec<(u64, Frame)>),
    /// Something that must be acknowledged.
    Ping,
    Acknowledgement,
    Close(LinkFault),
    Reset,
}

/// What comes in order.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Opening,
    Control(Control),
    Bulk,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) peer: usize,
    side: Side,
    stage: Stage,
    pub(super) id: Option<ConnectionId>,
    born: Duration,
    number: u64,
    heard_number: Option<(u64, Duration)>,
    /// From where the peer's newest packet came.
    pub(super) way: Way,
    unacknowledged: VecDeque<(u64, u64, Frame)>,
    next_frame: u64,
    expected: u64,
    early: BTreeMap<u64, Frame>,
    rtt: Option<Duration>,
    heard_at: Duration,
    /// When something was first sent that must be acknowledged, since the peer was heard.
    asked_at: Option<Duration>,
    /// The last such packet, when it was sent, and how often that was asked again.
    outstanding: Option<(u64, Duration)>,
    /// The highest number of a packet of ours of which the peer has said that it came.
    answered: u64,
    probes: u32,
    measure_at: Option<Duration>,
    measured_at: Duration,
    flows: bool,
    size: DatagramSize,
    pub(super) received: u64,
    pub(super) sent: u64,
    told: (u64, u64),
    nudge_at: Option<Duration>,
    nudged_until: Duration,
    /// The first packet of those words: when it is acknowledged, they end.
    nudged_from: u64,
    /// When bulk last came, and whether more is to go.
    pub(super) bulk_at: Option<Duration>,
    due: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Dials,
    Accepts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Opening,
    Up,
}

impl End {
    fn new(peer: usize, side: Side, way: Way, now: Duration) -> Self {
        Self {
            peer,
            side,
            stage: Stage::Opening,
            id: None,
            born: now,
            number: 0,
            heard_number: None,
            way,
            unacknowledged: VecDeque::new(),
            next_frame: 0,
            expected: 0,
            early: BTreeMap::new(),
            rtt: None,
            heard_at: now,
            asked_at: None,
            outstanding: None,
            answered: 0,
            probes: 0,
            measure_at: None,
            measured_at: Duration::ZERO,
            flows: false,
            size: DatagramSize::Every,
            received: 0,
            sent: 0,
            told: (0, 0),
            nudge_at: None,
            nudged_until: Duration::ZERO,
            nudged_from: 0,
            bulk_at: None,
            due: None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    fn timeout(&self) -> Duration {
        let rtt = self.rtt.unwrap_or(RTT_ASSUMED);
        let once = (rtt * 3).max(PROBE_TIMEOUT_LEAST) + Duration::from_millis(25);
        once * (1 << self.probes.min(8))
    }

    /// When it is given up.
    fn ends_at(&self) -> Duration {
        match self.stage {
            Stage::Opening => self.born + HANDSHAKE,
            Stage::Up => self.asked_at.unwrap_or(self.heard_at).max(self.heard_at) + IDLE,
        }
    }

    /// When something is to be done.
    fn next(&self) -> Duration {
        let ask = self.outstanding.map(|(_, sent)| sent + self.timeout());
        let alive = self.is_up().then_some(self.heard_at + KEEP_ALIVE);
        let alive = alive.filter(|_| self.outstanding.is_none());
        let all = [ask, alive, self.measure_at, self.nudge_at];
        all.into_iter()
            .flatten()
            .fold(self.ends_at(), Duration::min)
    }
}

impl Internet {
    // --- what the core asks ----------------------------------------------------------------------

    pub(super) fn dial(&mut self, host: usize, peer: usize) {
        let now = self.now;
        let place = &self.hosts[host];
        if place
            .ends
            .values()
            .any(|end| end.peer == peer && end.side == Side::Dials && end.stage == Stage::Opening)
        {
            return;
        }
        self.connections += 1;
        let number = self.connections;
        let end = End::new(peer, Side::Dials, Way::Relay, now);
        self.hosts[host].ends.insert(number, end);
        self.speak(host, number, Kind::Initial);
    }

    pub(super) fn hang_up(&mut self, host: usize, peer: usize, theirs: LinkFault) {
        let ends = self.hosts[host].ends.iter();
        let all: Vec<u64> = ends
            .filter(|(_, end)| end.peer == peer)
            .map(|(number, _)| *number)
            .collect();
        for number in all {
            self.close(host, number, theirs);
        }
    }

    pub(super) fn abandon(&mut self, host: usize, peer: usize, id: ConnectionId) {
        if let Some(number) = self.named(host, peer, id) {
            self.close(host, number, LinkFault::Closed);
        }
    }

    fn close(&mut self, host: usize, number: u64, theirs: LinkFault) {
        self.speak(host, number, Kind::Close(theirs));
        self.ended(host, number, LinkFault::Closed);
    }

    fn named(&self, host: usize, peer: usize, id: ConnectionId) -> Option<u64> {
        let mut ends = self.hosts[host].ends.iter();
        ends.find(|(_, end)| end.peer == peer && end.id == Some(id))
            .map(|(number, _)| *number)
    }

    /// The newest connection that stands.
    pub(super) fn standing(&self, host: usize, peer: usize) -> Option<(u64, &End)> {
        let mut ends = self.hosts[host].ends.iter().rev();
        ends.find(|(_, end)| end.peer == peer && end.is_up())
            .map(|(number, end)| (*number, end))
    }

    pub(super) fn send_frame(&mut self, host: usize, peer: usize, frame: Frame) {
        let Some((number, _)) = self.standing(host, peer) else {
            return;
        };
        self.queue(host, number, frame);
    }

    /// Whether one more bulk frame may go, and if so it goes.
    pub(super) fn send_bulk(&mut self, host: usize, peer: usize) {
        let Some((number, end)) = self.standing(host, peer) else {
            return;
        };
        if end.unacknowledged.len() < BULK_WINDOW {
            self.queue(host, number, Frame::Bulk);
        }
    }

    fn queue(&mut self, host: usize, number: u64, frame: Frame) {
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        let name = end.next_frame;
        end.next_frame += 1;
        end.unacknowledged.push_back((name, 0, frame.clone()));
        self.speak(host, number, Kind::Frames(vec![(name, frame)]));
    }

    /// The selected path is another one.
    pub(super) fn path_selected(&mut self, host: usize, peer: usize) {
        if let Some((number, _)) = self.standing(host, peer) {
            self.speak(host, number, Kind::Ping);
        }
        self.dial_moved(host, peer);
    }

    /// A packet channel is open: it may be a way to who was long not heard, and a dial by way of it begins again.
    pub(super) fn channel_opened(&mut self, host: usize, peer: usize) {
        self.probed(host, peer);
        if self.hosts[host].selected.get(&peer) == Some(&Path::Relay) {
            self.dial_moved(host, peer);
        }
    }

    /// What a dial has sent went nowhere, and would go out again ever more rarely.
    fn dial_moved(&mut self, host: usize, peer: usize) {
        let mut ends = self.hosts[host].ends.iter();
        let opening = ends.find(|(_, end)| {
            end.peer == peer && end.side == Side::Dials && end.next_frame == 0 && !end.is_up()
        });
        if let Some(number) = opening.map(|(number, _)| *number) {
            self.speak(host, number, Kind::Initial);
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ask(&mut self, host: usize, peer: usize, id: ConnectionId, within: Duration) {
        let Some(number) = self.named(host, peer, id) else {
            return;
        };
        self.speak(host, number, Kind::Ping);
        let run = self.hosts[host].run;
        let half = within / 2;
        self.after(
            half,
            Event::AskAgain {
                host,
                run,
                number,
                half,
            },
        );
    }

    pub(super) fn asks_again(&mut self, host: usize, number: u64, half: Duration) {
        let Some(end) = self.hosts[host].ends.get(&number) else {
            return;
        };
        let before = end.received;
        self.speak(host, number, Kind::Ping);
        let run = self.hosts[host].run;
        self.after(
            half,
            Event::Verdict {
                host,
                run,
                number,
                before,
            },
        );
    }

    pub(super) fn verdict(&mut self, host: usize, number: u64, before: u64) {
        let Some(end) = self.hosts[host].ends.get(&number) else {
            return;
        };
        let (Some(id), peer) = (end.id, self.id_of(end.peer)) else {
            return;
        };
        let event = if end.received > before {
            NetworkEvent::Answered(peer, id)
        } else {
            NetworkEvent::Silent(peer, id)
        };
        self.tell(host, Input::Network(event));
    }

    fn id_of(&self, host: usize) -> DeviceId {
        self.hosts[host].id
    }

    // --- packets ---------------------------------------------------------------------------------

    /// The way on which an end sends now.
    pub(super) fn way_out(&self, host: usize, end: &End) -> Option<Way> {
        match end.side {
            Side::Accepts => Some(end.way),
            Side::Dials => match self.hosts[host].selected.get(&end.peer)? {
                Path::Direct(addr) => Some(Way::Udp(*addr)),
                Path::Relay => Some(Way::Relay),
            },
        }
    }

    fn speak(&mut self, host: usize, number: u64, kind: Kind) {
        let now = self.now;
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        end.number += 1;
        let bytes = match &kind {
            Kind::Frames(frames) => frames.iter().map(|(_, frame)| frame.bytes()).sum(),
            Kind::Initial | Kind::Reply => 1200,
            Kind::Ping | Kind::Acknowledgement | Kind::Close(_) | Kind::Reset => 50,
        };
        end.sent += bytes;
        if let Kind::Frames(frames) = &kind {
            for (name, by, _) in &mut end.unacknowledged {
                if frames.iter().any(|(sent, _)| sent == name) {
                    *by = end.number;
                }
            }
        }
        let asks = match kind {
            Kind::Initial | Kind::Frames(_) | Kind::Ping => true,
            Kind::Reply | Kind::Acknowledgement | Kind::Close(_) | Kind::Reset => false,
        };
        if asks {
            end.outstanding = Some((end.number, now));
            end.asked_at.get_or_insert(now);
        }
        if end.measure_at.is_none() {
            let first = now + measuring::first_after(end.rtt.unwrap_or(RTT_ASSUMED));
            let at = first.max(end.measured_at + measuring::APART);
            end.measure_at = Some(at);
        }
        let packet = Packet {
            author: host,
            connection: number,
            number: end.number,
            kind,
            sent: now,
            expected: end.expected,
            heard: end.heard_number,
        };
        let peer = end.peer;
        let way = self.hosts[host]
            .ends
            .get(&number)
            .and_then(|end| self.way_out(host, end));
        self.hosts[host].unanswered.entry(peer).or_insert(now);
        if let Some(way) = way {
            self.send_packet(host, peer, way, packet);
        }
        self.arm_end(host, number);
    }

    fn send_packet(&mut self, host: usize, peer: usize, way: Way, packet: Packet) {
        match way {
            Way::Relay => self.send_relayed(host, peer, packet),
            Way::Udp(addr) => {
                let port = self.hosts[host].port_towards(peer, addr);
                self.send(host, port, addr, Payload::Quic(packet));
            }
        }
    }

    /// A packet comes from a way that is proved to be the peer's.
    pub(super) fn quic_arrives(&mut self, host: usize, peer: usize, way: Way, packet: Packet) {
        let now = self.now;
        // A router can give a peer's port to another host, or to ourselves: what comes then does not open.
        if self.hosts[host].device.is_none() || packet.author != peer {
            return;
        }
        self.hosts[host].heard_by_way.insert((peer, key(way)), now);
        let is_handshake = packet.begins();
        if let Some(since) = self.hosts[host].unanswered.remove(&peer)
            && now - since >= REGAINED_AFTER
            && !is_handshake
        {
            self.regained(host, peer);
        }
        let number = packet.connection;
        if !self.hosts[host].ends.contains_key(&number) {
            match packet.kind {
                Kind::Initial => {
                    let accepts = self.hosts[peer].id < self.hosts[host].id;
                    // A copy of an old one finds its connection gone.
                    if !accepts || self.hosts[host].was_here(number) {
                        return;
                    }
                    let end = End::new(peer, Side::Accepts, way, now);
                    self.hosts[host].ends.insert(number, end);
                    self.hosts[host].past.push_back(number);
                }
                Kind::Frames(_) | Kind::Ping => {
                    let reset = Packet {
                        author: host,
                        kind: Kind::Reset,
                        ..packet
                    };
                    return self.send_packet(host, peer, way, reset);
                }
                Kind::Reply | Kind::Acknowledgement | Kind::Close(_) | Kind::Reset => return,
            }
        }
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        end.received += match &packet.kind {
            Kind::Frames(frames) => frames.iter().map(|(_, frame)| frame.bytes()).sum(),
            Kind::Initial | Kind::Reply => 1200,
            Kind::Ping | Kind::Acknowledgement | Kind::Close(_) | Kind::Reset => 50,
        };
        end.heard_at = now;
        end.asked_at = None;
        let newest = end
            .heard_number
            .is_none_or(|(heard, _)| packet.number > heard);
        if newest && !matches!(packet.kind, Kind::Reset) {
            end.heard_number = Some((packet.number, packet.sent));
            end.way = way;
        }
        if let Some((heard, sent)) = packet.heard
            && end.outstanding.is_some_and(|(asked, _)| asked <= heard)
        {
            let measured = now.saturating_sub(sent);
            let before = end.rtt.unwrap_or(measured);
            end.rtt = Some((before * 7 + measured) / 8);
            end.outstanding = None;
        }
        if let Some((heard, _)) = packet.heard
            && heard > end.answered
        {
            // While more is always on its way, each answer is a sign all the same (RFC 9002, 6.2.1).
            end.answered = heard;
            end.probes = 0;
        }
        if packet
            .heard
            .is_some_and(|(heard, _)| heard >= end.nudged_from)
        {
            end.nudge_at = None;
            end.nudged_until = now;
        }
        let expected = packet.expected;
        end.unacknowledged.retain(|(name, _, _)| *name >= expected);
        self.take(host, number, packet);
        self.arm_end(host, number);
    }

    fn take(&mut self, host: usize, number: u64, packet: Packet) {
        let heard = packet.heard.map_or(0, |(heard, _)| heard);
        match packet.kind {
            Kind::Initial => self.speak(host, number, Kind::Reply),
            Kind::Reply => {
                let end = self.hosts[host].ends.get(&number);
                if end.is_some_and(|end| end.next_frame == 0) {
                    self.queue(host, number, Frame::Opening);
                }
            }
            Kind::Ping => {
                self.speak(host, number, Kind::Acknowledgement);
                self.resend_lost(host, number, heard);
            }
            Kind::Acknowledgement => self.resend_lost(host, number, heard),
            Kind::Frames(frames) => {
                let Some(end) = self.hosts[host].ends.get_mut(&number) else {
                    return;
                };
                for (name, frame) in frames {
                    if name >= end.expected {
                        end.early.insert(name, frame);
                    }
                }
                let mut ready = Vec::new();
                while let Some(frame) = end.early.remove(&end.expected) {
                    end.expected += 1;
                    ready.push(frame);
                }
                self.speak(host, number, Kind::Acknowledgement);
                for frame in ready {
                    self.frame_comes(host, number, frame);
                }
                self.resend_lost(host, number, heard);
            }
            Kind::Close(fault) => self.ended(host, number, fault),
            Kind::Reset => self.ended(host, number, LinkFault::Restarted),
        }
    }

    /// Frames of packets that went out before one that has come, and have not come, go out again.
    fn resend_lost(&mut self, host: usize, number: u64, heard: u64) {
        let Some(end) = self.hosts[host].ends.get(&number) else {
            return;
        };
        let lost = end.unacknowledged.iter();
        let lost: Vec<(u64, Frame)> = lost
            .filter(|(_, by, _)| *by + 3 <= heard || (*by < heard && end.outstanding.is_none()))
            .map(|(name, _, frame)| (*name, frame.clone()))
            .take(BULK_WINDOW)
            .collect();
        if !lost.is_empty() {
            self.speak(host, number, Kind::Frames(lost));
        }
    }

    fn frame_comes(&mut self, host: usize, number: u64, frame: Frame) {
        let now = self.now;
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        let (peer, stage, side) = (end.peer, end.stage, end.side);
        match frame {
            Frame::Opening if stage == Stage::Opening => {
                end.stage = Stage::Up;
                self.hosts[host].connections += 1;
                let id = ConnectionId(self.hosts[host].connections);
                if let Some(end) = self.hosts[host].ends.get_mut(&number) {
                    end.id = Some(id);
                }
                if side == Side::Accepts {
                    self.queue(host, number, Frame::Opening);
                }
                self.replace_older(host, number, peer);
                let id_of_peer = self.id_of(peer);
                self.tell(
                    host,
                    Input::Network(NetworkEvent::Connected(id_of_peer, id)),
                );
            }
            Frame::Opening => {}
            Frame::Control(control) => {
                if let Some(id) = end.id {
                    let id_of_peer = self.id_of(peer);
                    let event = NetworkEvent::Received(id_of_peer, id, control);
                    self.tell(host, Input::Network(event));
                }
            }
            Frame::Bulk => {
                end.bulk_at = Some(now);
                self.bulk_came(peer, host);
            }
        }
    }

    /// One connection with each peer: the newest.
    fn replace_older(&mut self, host: usize, number: u64, peer: usize) {
        let ends = self.hosts[host].ends.iter();
        let older: Vec<u64> = ends
            .filter(|(other, end)| **other < number && end.peer == peer)
            .map(|(other, _)| *other)
            .collect();
        for other in older {
            self.close(host, other, LinkFault::Closed);
        }
    }

    fn ended(&mut self, host: usize, number: u64, fault: LinkFault) {
        let Some(end) = self.hosts[host].ends.remove(&number) else {
            return;
        };
        let peer = self.id_of(end.peer);
        let event = match (end.id, end.side) {
            (Some(id), _) => NetworkEvent::Disconnected(peer, id, fault),
            (None, Side::Dials) => NetworkEvent::DialFailed(peer, fault),
            (None, Side::Accepts) => return,
        };
        self.deliver(host, Duration::from_micros(50), Input::Network(event));
    }

    // --- time ------------------------------------------------------------------------------------

    fn arm_end(&mut self, host: usize, number: u64) {
        let (now, run) = (self.now, self.hosts[host].run);
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        let next = end.next().max(now + Duration::from_micros(1));
        if end.due.is_none_or(|due| next < due) {
            end.due = Some(next);
            self.at(next, Event::EndDue { host, run, number });
        }
    }

    pub(super) fn end_due(&mut self, host: usize, number: u64) {
        let now = self.now;
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        if end.due.is_some_and(|due| due > now) {
            return;
        }
        end.due = None;
        if self.hosts[host].sleeps(now) {
            let (at, run) = (self.hosts[host].asleep_until, self.hosts[host].run);
            return self.at(at, Event::EndDue { host, run, number });
        }
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        if now >= end.ends_at() {
            let fault = LinkFault::TimedOut;
            return self.ended(host, number, fault);
        }
        if end.nudge_at.is_some_and(|at| now >= at) {
            let again = now + NUDGES_APART;
            end.nudge_at = (again < end.nudged_until).then_some(again);
            self.speak(host, number, Kind::Ping);
        }
        let end = self.hosts[host].ends.get_mut(&number);
        if let Some(end) = end
            && let Some((_, sent)) = end.outstanding
            && now >= sent + end.timeout()
        {
            end.probes += 1;
            let lost = end.unacknowledged.iter();
            let frames: Vec<(u64, Frame)> = lost
                .map(|(name, _, frame)| (*name, frame.clone()))
                .take(2)
                .collect();
            let kind = if end.number <= 1 + u64::from(end.probes) && end.next_frame == 0 {
                match end.side {
                    Side::Dials => Kind::Initial,
                    Side::Accepts => Kind::Reply,
                }
            } else if frames.is_empty() {
                Kind::Ping
            } else {
                Kind::Frames(frames)
            };
            self.speak(host, number, kind);
        }
        let end = self.hosts[host].ends.get(&number);
        if end.is_some_and(|end| {
            end.is_up() && end.outstanding.is_none() && now >= end.heard_at + KEEP_ALIVE
        }) {
            self.speak(host, number, Kind::Ping);
        }
        let end = self.hosts[host].ends.get(&number);
        if end.is_some_and(|end| end.measure_at.is_some_and(|at| now >= at)) {
            self.measures(host, number);
        }
        self.arm_end(host, number);
    }

    fn measures(&mut self, host: usize, number: u64) {
        let now = self.now;
        let Some(end) = self.hosts[host].ends.get(&number) else {
            return;
        };
        let (peer, side) = (end.peer, end.side);
        let way = self.way_out(host, end);
        let place = &mut self.hosts[host];
        let heard = way.and_then(|way| place.heard_by_way.get(&(peer, key(way))).copied());
        let carries = match way {
            Some(Way::Udp(addr)) => place.carries_large(peer, addr),
            Some(Way::Relay) | None => false,
        };
        let silent_for = now.saturating_sub(heard.unwrap_or_default());
        let Some(end) = place.ends.get_mut(&number) else {
            return;
        };
        end.measure_at = None;
        end.measured_at = now;
        let (sums, told) = ((end.received, end.sent), end.told);
        let moved =
            sums.0 - told.0 >= measuring::FLOW_BYTES || sums.1 - told.1 >= measuring::FLOW_BYTES;
        let flowed = end.flows;
        let rtt = end.rtt.unwrap_or(RTT_ASSUMED);
        let flow_silence = measuring::flow_silence(rtt);
        end.flows = (flowed || moved) && silent_for < flow_silence;
        if end.flows {
            let rest = flow_silence.saturating_sub(silent_for);
            end.measure_at = Some(now + rest.max(Duration::from_millis(1)));
        }
        let grows = side == Side::Dials && carries && end.size == DatagramSize::Every;
        if grows {
            end.size = DatagramSize::Large;
        }
        end.told = sums;
        let id = end.id;
        let ended_flow = flowed && !end.flows;
        let peer = self.id_of(peer);
        let Some(id) = id else { return };
        if grows {
            let event = NetworkEvent::Datagrams(peer, id, DatagramSize::Large);
            self.deliver(host, Duration::ZERO, Input::Network(event));
        }
        if sums != told || ended_flow {
            let event = NetworkEvent::Measured {
                peer,
                rtt,
                received_bytes: sums.0,
                sent_bytes: sums.1,
                silent_for,
            };
            self.deliver(host, Duration::ZERO, Input::Network(event));
        }
    }

    /// A probe of the peer came: some way to it works.
    pub(super) fn probed(&mut self, host: usize, peer: usize) {
        let since = self.hosts[host].unanswered.get(&peer).copied();
        if since.is_some_and(|since| self.now - since >= REGAINED_AFTER) {
            self.regained(host, peer);
        }
    }

    /// The peer is heard after it had long not answered.
    fn regained(&mut self, host: usize, peer: usize) {
        let now = self.now;
        let Some((number, _)) = self.standing(host, peer) else {
            return;
        };
        let Some(end) = self.hosts[host].ends.get_mut(&number) else {
            return;
        };
        if now < end.nudged_until {
            return;
        }
        end.nudged_until = now + NUDGED_FOR;
        end.nudged_from = end.number + 1;
        end.nudge_at = Some(now + NUDGES_APART);
        self.speak(host, number, Kind::Ping);
    }
}

impl Frame {
    const fn bytes(&self) -> u64 {
        match self {
            Self::Opening => 1,
            Self::Control(_) => 100,
            Self::Bulk => BULK_BYTES,
        }
    }
}

/// A way as what it is looked up by.
const fn key(way: Way) -> Option<SocketAddr> {
    match way {
        Way::Udp(addr) => Some(addr),
        Way::Relay => None,
    }
}
