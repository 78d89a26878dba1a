//! How a device behind a router with another port for each meets one behind a router with one for all.
//!
//! The *varying* side's port towards its peer is known to nobody, so ordinary probes never meet. By the
//! birthday method they do: the varying side scatters many sockets, each of which sends a probe to the
//! *steady* side's address from outside and so gets a port of its own at its router; the steady side
//! guesses ports of that router. One guess in 126 hits one of 512 sockets, and the socket that is hit is
//! the way from then on.
//!
//! States: Rest, ExpectScattered (the peer was asked), Scattering (our sockets are being opened), ExpectHit
//! (they are open, the peer guesses), Held (one was hit and is kept), Guessing.
//!
//! The dialer begins, while it is connected through the relay and the first probes of a burst have
//! found no direct path. Who guesses does so only when told that the sockets are open, so both begin at
//! about the same time. Where both vary, neither does or one does not know, nothing happens. Nothing is
//! sent to a host that the peer has not named on the connection, or that no router of the Internet could
//! have; what is sent is rationed ([`crate::ration`]), and tries become rare.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use towline_wire::card::listenable;
use towline_wire::limits::REFLECTION_ADDRESSES_MAX;
use towline_wire::peer::{Control, Mapping, Reflection};
use towline_wire::version::{MEETS_VARYING, VersionRange};

use super::{Link, Phase, Role, Turn, Up};
use crate::clock::Moment;
use crate::io::NetworkRequest;
use crate::path_kind::PathKind;
use crate::ration::Purpose;

/// What is known of both routers, and the try that runs.
#[derive(Debug, Default)]
pub(super) struct Birthday {
    /// What the peer has said last; used only when it was said on this connection.
    theirs: Reflection,
    speech: Speech,
    state: State,
    /// Tries that failed since something changed.
    failures: u32,
    begun_at: Option<Moment>,
    not_before: Moment,
}

/// Whether the peer knows the frames for this; known from its hello.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Speech {
    #[default]
    Unknown,
    Spoken,
    /// And it has said how it is seen, on this connection.
    Told,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Rest,
    /// The peer was asked to open its sockets.
    ExpectScattered { deadline: Moment },
    /// Our network was asked to open ours.
    Scattering { to: SocketAddr, deadline: Moment },
    /// Ours are open, and the peer was told.
    ExpectHit { to: SocketAddr, deadline: Moment },
    /// One of ours is the way to the peer's address.
    Held { to: SocketAddr, since: Moment },
    /// The peer's are open.
    Guessing(Guesses),
}

/// Ports of the peer's router that are tried.
#[derive(Debug, Clone, Copy)]
struct Guesses {
    host: IpAddr,
    first: u32,
    granted: u32,
    sent: u32,
    next: Moment,
}

/// What this side does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Scatters { to: SocketAddr },
    Guesses { host: IpAddr },
}

impl Guesses {
    /// The next address to try.
    fn take(&mut self) -> SocketAddr {
        let step = self.first + self.sent * PORT_STRIDE;
        self.sent += 1;
        let port = PORT_FIRST + step % PORTS;
        // Ports end at 65,535.
        SocketAddr::new(self.host, u16::try_from(port).unwrap_or(u16::MAX))
    }
}

impl Birthday {
    /// Something has changed that may let a try succeed which failed before.
    fn hope(&mut self) {
        self.failures = 0;
        let spaced = self.begun_at.map(|at| at.after(TRIES_APART));
        self.not_before = self.not_before.min(spaced.unwrap_or_default());
    }

    /// Whether an address is one of a router that gives another port next time, so that it is not worth
    /// keeping.
    fn is_fleeting(&self, addr: SocketAddr) -> bool {
        let theirs = &self.theirs.addresses;
        self.theirs.mapping == Mapping::Varies && theirs.iter().any(|seen| seen.ip() == addr.ip())
    }

    /// A probe of the peer came from `from`, or back from there; whether that is the first sign that one
    /// of our sockets was hit.
    fn is_hit(&mut self, now: Moment, from: SocketAddr) -> bool {
        // The first sockets may be hit before the last ones are open.
        let is_hit = match self.state {
            State::Scattering { to, .. } | State::ExpectHit { to, .. } => to == from,
            State::Rest
            | State::ExpectScattered { .. }
            | State::Held { .. }
            | State::Guessing(_) => false,
        };
        if is_hit {
            self.failures = 0;
            let (to, since) = (from, now);
            self.state = State::Held { to, since };
        }
        is_hit
    }
}

impl Link {
    /// A connection has taken the place of another one, or of none.
    pub(super) fn meeting_connects(&mut self, turn: &mut Turn<'_>) {
        match self.birthday.state {
            State::Rest | State::Held { .. } => {}
            State::ExpectScattered { .. }
            | State::Scattering { .. }
            | State::ExpectHit { .. }
            | State::Guessing(_) => self.stop_meeting(turn),
        }
        self.birthday.speech = Speech::Unknown;
        match self.role {
            // What was begun with a life of the peer that is over does not keep the next one waiting.
            Role::Acceptor => self.birthday.not_before = turn.now,
            Role::Dialer => {}
        }
    }

    /// The peer has said which versions it speaks.
    pub(super) fn meeting_greeted(&mut self, versions: VersionRange, turn: &mut Turn<'_>) {
        if VersionRange::OURS.agree(versions) >= Some(MEETS_VARYING) {
            self.birthday.speech = Speech::Spoken;
            if self.reflection != Reflection::default() {
                self.tell_reflection(turn);
            }
        }
    }

    /// Tells the peer from where others see us, if it is connected and understands it.
    pub(super) fn tell_reflection(&mut self, turn: &mut Turn<'_>) {
        match (self.birthday.speech, self.phase) {
            (Speech::Spoken | Speech::Told, Phase::Up(_)) => {
                let mut reflection = self.reflection.clone();
                reflection.addresses.truncate(REFLECTION_ADDRESSES_MAX);
                turn.outbox.send(self.peer, Control::Reflection(reflection));
            }
            (
                Speech::Unknown | Speech::Spoken | Speech::Told,
                Phase::Idle
                | Phase::Seeking { .. }
                | Phase::Dialing { .. }
                | Phase::Up(_)
                | Phase::Waiting { .. }
                | Phase::Impostor,
            ) => {}
        }
    }

    /// We are seen from elsewhere, or know more of it.
    pub(super) fn reflection_changes(&mut self, reflection: Reflection, turn: &mut Turn<'_>) {
        if differs(&self.reflection, &reflection) {
            self.birthday.hope();
        }
        self.reflection = reflection;
        self.tell_reflection(turn);
    }

    /// The peer says something that belongs to a meeting.
    pub(super) fn meeting_told(&mut self, frame: MeetingFrame, turn: &mut Turn<'_>) {
        if self.birthday.speech == Speech::Unknown {
            return self.misbehaved(turn);
        }
        match frame {
            MeetingFrame::Reflection(reflection)
                if reflection.addresses.len() > REFLECTION_ADDRESSES_MAX =>
            {
                self.misbehaved(turn);
            }
            MeetingFrame::Reflection(mut reflection) => {
                reflection.addresses = listenable(reflection.addresses);
                if differs(&self.birthday.theirs, &reflection) {
                    self.birthday.hope();
                }
                self.birthday.theirs = reflection;
                self.birthday.speech = Speech::Told;
            }
            MeetingFrame::Scatter => self.asked_to_scatter(turn),
            MeetingFrame::Scattered(sockets) => self.told_of_sockets(sockets, turn),
        }
    }

    /// Our sockets are open.
    pub(super) fn scattered(&mut self, sockets: u16, turn: &mut Turn<'_>) {
        let State::Scattering { to, .. } = self.birthday.state else {
            return;
        };
        if sockets < SOCKETS_MIN {
            return self.meeting_failed(turn);
        }
        self.metrics.counts.probes_sent += u64::from(sockets);
        turn.outbox.send(self.peer, Control::Scattered(sockets));
        let deadline = turn.now.after(TRY);
        self.birthday.state = State::ExpectHit { to, deadline };
    }

    /// A probe shows `from` to be the peer's; whether to probe back at once, whatever was probed before.
    pub(super) fn meeting_heard(&mut self, from: SocketAddr, turn: &Turn<'_>) -> bool {
        self.birthday.is_hit(turn.now, from)
    }

    /// Whether an address will be the peer's again later, as far as is known.
    pub(super) fn is_lasting(&self, addr: SocketAddr) -> bool {
        !self.birthday.is_fleeting(addr)
    }

    /// Does what is due.
    pub(super) fn meet(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let goes_on = matches!(self.phase, Phase::Up(_)) && !self.paths.is_direct_alive(now);
        match self.birthday.state {
            State::Rest => {
                if self.meeting_due().is_some_and(|due| now >= due) {
                    self.begin_meeting(turn);
                }
            }
            State::Held { .. } => {
                if self.meeting_timeout().is_some_and(|due| now >= due) {
                    self.stop_meeting(turn);
                }
            }
            State::ExpectScattered { .. }
            | State::Scattering { .. }
            | State::ExpectHit { .. }
            | State::Guessing(_)
                if !goes_on =>
            {
                if self.paths.is_direct_alive(now) {
                    self.birthday.failures = 0;
                }
                self.stop_meeting(turn);
            }
            State::ExpectScattered { deadline }
            | State::Scattering { deadline, .. }
            | State::ExpectHit { deadline, .. } => {
                if now >= deadline {
                    self.meeting_failed(turn);
                }
            }
            State::Guessing(guesses) => {
                if now >= guesses.next {
                    self.guess(guesses, turn);
                }
            }
        }
    }

    /// When [`Self::meet`] is wanted.
    pub(super) fn meeting_timeout(&self) -> Option<Moment> {
        match self.birthday.state {
            State::Rest => self.meeting_due(),
            State::ExpectScattered { deadline }
            | State::Scattering { deadline, .. }
            | State::ExpectHit { deadline, .. } => Some(deadline),
            State::Held { to, since } => {
                let sign = self.paths.last_sign(to).unwrap_or(since).max(since);
                Some(sign.after(HOLD))
            }
            State::Guessing(guesses) => Some(guesses.next),
        }
    }

    /// What both routers let hope for.
    pub(super) fn meeting_prospect(&self) -> Prospect {
        let ours = self.reflection.mapping;
        let theirs = match self.birthday.speech {
            Speech::Told => self.birthday.theirs.mapping,
            Speech::Unknown | Speech::Spoken => Mapping::Unknown,
        };
        match self.birthday.state {
            State::Rest | State::Held { .. } => {}
            State::ExpectScattered { .. }
            | State::Scattering { .. }
            | State::ExpectHit { .. }
            | State::Guessing(_) => return Prospect::Trying,
        }
        match (ours, theirs) {
            (Mapping::Varies, Mapping::Varies) => Prospect::None,
            _ if self.birthday.failures > 0 && self.part().is_some() => Prospect::Missed,
            (
                Mapping::Unknown | Mapping::Same | Mapping::Varies,
                Mapping::Unknown | Mapping::Same | Mapping::Varies,
            ) => Prospect::Usual,
        }
    }

    /// Ends a try, or gives up the socket that was hit.
    pub(super) fn stop_meeting(&mut self, turn: &mut Turn<'_>) {
        match std::mem::take(&mut self.birthday.state) {
            State::Rest | State::ExpectScattered { .. } => {}
            State::Scattering { .. } | State::ExpectHit { .. } | State::Held { .. } => {
                turn.outbox.network(NetworkRequest::Gather(self.peer));
            }
            State::Guessing(guesses) => {
                let unsent = guesses.granted.saturating_sub(guesses.sent);
                turn.ration.give_back(guesses.host, unsent);
            }
        }
    }

    fn meeting_failed(&mut self, turn: &mut Turn<'_>) {
        self.stop_meeting(turn);
        let pauses = usize::try_from(self.birthday.failures).unwrap_or(usize::MAX);
        let pause = PAUSES.get(pauses).copied().unwrap_or(PAUSE_LONGEST);
        self.birthday.failures = self.birthday.failures.saturating_add(1);
        // The acceptor does as it is asked, within bounds; the dialer's pauses hold for both.
        if self.role == Role::Dialer {
            self.birthday.not_before = turn.now.after(pause);
        }
    }

    /// What this side would do, if it is the time.
    fn part(&self) -> Option<Part> {
        match self.birthday.speech {
            Speech::Unknown | Speech::Spoken => return None,
            Speech::Told => {}
        }
        let theirs = &self.birthday.theirs;
        let mut hosts = theirs.addresses.iter().copied().filter(is_on_the_internet);
        let first = hosts.next()?;
        match (self.reflection.mapping, theirs.mapping) {
            (Mapping::Varies, Mapping::Same) => Some(Part::Scatters { to: first }),
            (Mapping::Same, Mapping::Varies) => {
                let host = first.ip();
                let is_ours = self
                    .reflection
                    .addresses
                    .iter()
                    .any(|seen| seen.ip() == host);
                (!is_ours).then_some(Part::Guesses { host })
            }
            (Mapping::Unknown, Mapping::Unknown | Mapping::Same | Mapping::Varies)
            | (Mapping::Same, Mapping::Unknown | Mapping::Same)
            | (Mapping::Varies, Mapping::Unknown | Mapping::Varies) => None,
        }
    }

    /// When the dialer begins, as things are.
    fn meeting_due(&self) -> Option<Moment> {
        match (self.role, self.phase) {
            (
                Role::Dialer,
                Phase::Up(Up {
                    selected: Some(path),
                    ..
                }),
            ) if path.kind() >= PathKind::Turn => {
                self.part()?;
                let probed = self.paths.burst_began().after(ORDINARY_PROBES);
                Some(probed.max(self.birthday.not_before))
            }
            (
                Role::Dialer | Role::Acceptor,
                Phase::Idle
                | Phase::Seeking { .. }
                | Phase::Dialing { .. }
                | Phase::Up(_)
                | Phase::Waiting { .. }
                | Phase::Impostor,
            ) => None,
        }
    }

    fn begin_meeting(&mut self, turn: &mut Turn<'_>) {
        self.note_begin(turn.now);
        match self.part() {
            Some(Part::Scatters { to }) => self.scatter(to, turn),
            Some(Part::Guesses { .. }) => {
                turn.outbox.send(self.peer, Control::Scatter);
                let deadline = turn.now.after(ANSWER);
                self.birthday.state = State::ExpectScattered { deadline };
            }
            None => {}
        }
    }

    fn note_begin(&mut self, now: Moment) {
        self.birthday.begun_at = Some(now);
        self.birthday.not_before = now.after(TRIES_APART);
    }

    /// The dialer, which is steady, wants us to open our sockets.
    fn asked_to_scatter(&mut self, turn: &mut Turn<'_>) {
        let is_in_time = turn.now >= self.birthday.not_before;
        let may = match self.birthday.state {
            // It has given up a try in which no socket of ours was hit; ours wait longer than it guesses.
            State::Rest | State::ExpectHit { .. } => is_in_time,
            // The dialer knows best whether a path works. But if it has just answered by that one, the wish is from
            // an outage that is over, and came by the socket that it would close.
            State::Held { to, .. } => is_in_time && !self.paths.is_proved_lately(turn.now, to),
            State::ExpectScattered { .. } | State::Scattering { .. } | State::Guessing(_) => false,
        };
        if let (Role::Acceptor, Some(Part::Scatters { to }), true) = (self.role, self.part(), may) {
            self.stop_meeting(turn);
            self.note_begin(turn.now);
            // It has left what worked before; believed for longer, that would end the try.
            self.paths.disprove_direct();
            self.scatter(to, turn);
        }
    }

    fn scatter(&mut self, to: SocketAddr, turn: &mut Turn<'_>) {
        let (least, most) = (u32::from(SOCKETS_MIN), u32::from(SOCKETS));
        let Some(granted) = turn
            .ration
            .take(turn.now, to.ip(), Purpose::Scatter, [least, most])
        else {
            return self.meeting_failed(turn);
        };
        turn.outbox.network(NetworkRequest::Scatter {
            peer: self.peer,
            to,
            // No more than was asked for.
            sockets: u16::try_from(granted).unwrap_or(SOCKETS),
            within: TRY,
        });
        let deadline = turn.now.after(ANSWER);
        self.birthday.state = State::Scattering { to, deadline };
    }

    /// The peer's sockets are open.
    fn told_of_sockets(&mut self, sockets: u16, turn: &mut Turn<'_>) {
        let is_expected = match (self.role, self.birthday.state) {
            (Role::Dialer, State::ExpectScattered { .. }) => true,
            (Role::Acceptor, State::Rest) => turn.now >= self.birthday.not_before,
            (
                Role::Dialer | Role::Acceptor,
                State::Rest
                | State::ExpectScattered { .. }
                | State::Scattering { .. }
                | State::ExpectHit { .. }
                | State::Held { .. }
                | State::Guessing(_),
            ) => false,
        };
        let (Some(Part::Guesses { host }), true) = (self.part(), is_expected) else {
            return;
        };
        self.note_begin(turn.now);
        if sockets < SOCKETS_MIN {
            return self.meeting_failed(turn);
        }
        let Some(granted) =
            turn.ration
                .take(turn.now, host, Purpose::Guess, [GUESSES_MIN, GUESSES])
        else {
            return self.meeting_failed(turn);
        };
        self.birthday.state = State::Guessing(Guesses {
            host,
            first: turn.random_below(PORTS),
            granted,
            sent: 0,
            next: turn.now,
        });
    }

    fn guess(&mut self, mut guesses: Guesses, turn: &mut Turn<'_>) {
        if guesses.sent >= guesses.granted {
            return self.meeting_failed(turn);
        }
        for _ in 0..GUESSES_PER_TICK.min(guesses.granted - guesses.sent) {
            let probe = NetworkRequest::Probe(self.peer, guesses.take());
            self.metrics.counts.probes_sent += 1;
            turn.outbox.network(probe);
        }
        let is_last = guesses.sent >= guesses.granted;
        guesses.next = turn.now.after(if is_last { LAST_ANSWER } else { TICK });
        self.birthday.state = State::Guessing(guesses);
    }
}

/// What may come of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect {
    /// As far as is known, none is needed.
    Usual,
    /// One is being tried.
    Trying,
    /// One was tried, and nothing was met.
    Missed,
    /// Both routers vary: none can be had.
    None,
}

/// A control frame about a meeting.
#[derive(Debug)]
pub(super) enum MeetingFrame {
    Reflection(Reflection),
    Scatter,
    Scattered(u16),
}

/// Whether a try may go another way with the one than with the other: new ports alone change nothing.
fn differs(one: &Reflection, other: &Reflection) -> bool {
    let hosts = |reflection: &Reflection| -> Vec<IpAddr> {
        reflection.addresses.iter().map(SocketAddr::ip).collect()
    };
    one.mapping != other.mapping || hosts(one) != hosts(other)
}

/// Whether a router could have this address towards the world: IPv4 of the Internet. Devices with IPv6
/// meet directly, for its routers do not translate. Networks for documents lead nowhere and are let pass.
fn is_on_the_internet(addr: &SocketAddr) -> bool {
    let IpAddr::V4(ip) = addr.ip() else {
        return false;
    };
    let [first, second, ..] = ip.octets();
    // RFC 6890: this network, shared by carriers (RFC 6598), protocols, benchmarks, reserved.
    let is_special = match first {
        0 | 240..=u8::MAX => true,
        100 => (64..128).contains(&second),
        192 => ip.octets().starts_with(&[192, 0, 0]),
        198 => second == 18 || second == 19,
        1..=99 | 101..=191 | 193..=197 | 199..=239 => false,
    };
    let is_inside = ip.is_private() || ip.is_loopback() || ip.is_link_local();
    let is_many = ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
    addr.port() != 0 && !is_special && !is_inside && !is_many
}

/// How long ordinary probes are tried alone: 700 ms. Those of a burst at 0 to 350 ms have then had a round
/// trip of 350 ms; more would only be felt.
const ORDINARY_PROBES: Duration = Duration::from_millis(700);

/// Sockets that are scattered: 512. With four times as many a guess hits four times as often, but home
/// routers remember a few thousand flows, and not every system lets a process have thousands of files.
const SOCKETS: u16 = 512;

/// Fewest sockets for a try: 64, with which a try of [`GUESSES`] still succeeds in two of five cases.
const SOCKETS_MIN: u16 = 64;

/// Guesses of one try: 512. Of 64,512 ports 512 are hit once in 126 guesses, and by 512 with 98.3 %. Two tries
/// are what a host bears of which nothing is proved ([`crate::ration`]); one pair in 3,500 misses both.
const GUESSES: u32 = 512;

/// Fewest guesses for a try: 128, the mean.
const GUESSES_MIN: u32 = 128;

/// Guesses at a time, and the time between: 4 in 20 ms, 200 a second, which passed home routers in a
/// trial. Routers that limit new flows would drop more.
const GUESSES_PER_TICK: u32 = 4;
const TICK: Duration = Duration::from_millis(20);

/// How long the answer to the last guess may take: 1 s.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How long scattered sockets wait to be hit: 6 s, all guesses (2.6 s), the last answer and what the
/// relay may take. Below the 30 s after which routers forget an unanswered flow.
const TRY: Duration = Duration::from_secs(6);

/// How long the peer, or our own system, may take to open sockets: 3 s.
const ANSWER: Duration = Duration::from_secs(3);

/// How long the socket that was hit is kept without a sign of the peer: 30 s. Its router forgets the port
/// by then; before, an outage ends without another try.
const HOLD: Duration = Duration::from_secs(30);

/// Least time between the beginnings of two tries on one connection: 2 s, whatever changes or is asked.
const TRIES_APART: Duration = Duration::from_secs(2);

/// Pauses after the first failures; afterwards [`PAUSE_LONGEST`]. One try in sixty fails by chance alone, so the
/// second one comes soon. Four tries fit into the first hour; a host where no peer has answered bears two of them
/// ([`crate::ration`]).
const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(120),
    Duration::from_secs(900),
];

/// The longest pause between two tries: an hour. What has failed four times is a router that does not do
/// what STUN servers saw.
const PAUSE_LONGEST: Duration = Duration::from_secs(3600);

/// Ports that routers give out: 1024 to 65,535.
const PORT_FIRST: u32 = 1024;
const PORTS: u32 = 64_512;

/// From each guess to the next: the golden section of [`PORTS`], without a common divisor. All ports come
/// before one comes again, and any few in a row, which is what routers that count give out, are met soon.
const PORT_STRIDE: u32 = 39_871;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn guesses_meet_every_port_once_and_a_row_of_256_soon() {
        let mut guesses = Guesses {
            host: IpAddr::from([198, 51, 100, 7]),
            first: PORTS - 1,
            granted: PORTS,
            sent: 0,
            next: Moment::default(),
        };
        let ports: Vec<u16> = (0..PORTS).map(|_| guesses.take().port()).collect();
        let all: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(all.len(), 64_512);
        assert_eq!(all.first(), Some(&1024));
        let mut begin: Vec<u16> = ports.iter().copied().take(1024).collect();
        begin.sort_unstable();
        let gaps = begin.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max() < Some(256));
    }

    #[test]
    fn only_what_a_router_of_the_internet_may_have_is_tried() {
        let on = |text: &str| is_on_the_internet(&SocketAddr::new(text.parse().unwrap(), 9));
        for other in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "2001:db8::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(!on(other), "{other}");
        }
        for router in ["8.8.8.8", "100.63.0.1", "100.128.0.1", "198.51.100.7"] {
            assert!(on(router), "{router}");
        }
    }
}
