//! The direct ways to one peer: addresses that may work, what is proved of each, when to probe.
//!
//! An address is alive for [`TRUST`] after its last proof. Rounds of probes go to all addresses: a
//! burst when something has changed, then ever more slowly. Better means first the nearer network
//! (this machine, then the LAN, then the Internet, then a TURN server's address), then the shorter round trip.

mod candidate;
mod rating;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_wire::card::listenable;
use towline_wire::turn_address::TurnAddress;

pub(super) use self::candidate::TRUST;
use self::candidate::{Back, Candidate, Large, Origin, PROBE_BACK_SPACING, Placed, Proof};
pub(super) use self::rating::is_near;
use self::rating::{Distance, distance, rating};
use super::unrest::is_left;
use crate::clock::Moment;
use crate::io::Path;
use crate::report::{CandidateOrigin, CandidateReport, CandidateState};

/// The direct ways to one peer.
#[derive(Debug)]
pub(super) struct Paths {
    candidates: BTreeMap<SocketAddr, Candidate>,
    burst_began: Moment,
    /// Rounds since the burst began.
    rounds: u32,
    next_round: Moment,
    /// Until then rounds after a burst do not slow down.
    restless_until: Moment,
}

/// What a move to another path would bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    /// Nothing, or less than it costs.
    None,
    /// A shorter round trip.
    Faster,
    /// A nearer network.
    Nearer,
}

impl Paths {
    pub(super) fn new(kept: &[SocketAddr]) -> Self {
        let mut paths = Self {
            candidates: BTreeMap::new(),
            burst_began: Moment::default(),
            rounds: 0,
            next_round: Moment::default(),
            restless_until: Moment::default(),
        };
        for addr in listenable(kept.to_vec()) {
            paths.add(Moment::default(), addr, Origin::Kept);
        }
        paths
    }

    /// Something has changed: probe everything soon. A burst that has just begun goes on.
    pub(super) fn begin_burst(&mut self, now: Moment) {
        if self.rounds == 0 || now.since(self.burst_began) >= BURST_SPACING {
            self.begin_burst_now(now);
        }
    }

    /// The peer has begun anew: probe everything at once.
    pub(super) fn begin_burst_now(&mut self, now: Moment) {
        self.burst_began = now;
        self.rounds = 0;
        self.next_round = now;
    }

    /// A way that worked does not, or may not any more: probe what has worked each second for a while. What
    /// the peer only says of addresses has never that effect.
    pub(super) fn stay_restless(&mut self, now: Moment) {
        if self.has_worked() {
            self.restless_until = now.after(RESTLESS_FOR);
            self.next_round = self.next_round.min(now.after(ROUNDS_RESTLESS));
        }
    }

    /// Whether something that has worked and is no farther than `addr`, as far as an address tells, is still probed
    /// each second.
    pub(super) fn misses_as_near(&self, addr: SocketAddr) -> bool {
        let mut all = self.candidates.iter();
        self.next_round < self.restless_until
            && all.any(|(other, candidate)| {
                let works = candidate.proof.is_some();
                let has_worked = candidate.worked_at.is_some();
                has_worked && !works && distance(*other) <= distance(addr)
            })
    }

    fn has_worked(&self) -> bool {
        let mut all = self.candidates.values();
        all.any(|candidate| candidate.worked_at.is_some())
    }

    /// When the last burst began.
    pub(super) const fn burst_began(&self) -> Moment {
        self.burst_began
    }

    /// Whether the burst still runs.
    pub(super) fn is_bursting(&self) -> bool {
        usize::try_from(self.rounds).is_ok_and(|rounds| rounds < BURST.len())
    }

    /// Whether there are addresses whose burst still runs.
    pub(super) fn is_searching(&self) -> bool {
        !self.candidates.is_empty() && self.is_bursting()
    }

    /// When the next round is due.
    pub(super) fn next_round(&self) -> Option<Moment> {
        (!self.candidates.is_empty()).then_some(self.next_round)
    }

    /// The addresses of the round that is due, if one is.
    pub(super) fn take_round(&mut self, now: Moment) -> Vec<SocketAddr> {
        if now < self.next_round {
            return Vec::new();
        }
        self.candidates
            .retain(|_, candidate| !candidate.is_forgotten(now));
        let is_restless = !self.is_bursting() && now < self.restless_until && self.has_worked();
        if !is_restless {
            self.rounds = self.rounds.saturating_add(1);
        }
        let bursting = usize::try_from(self.rounds)
            .ok()
            .and_then(|round| BURST.get(round));
        self.next_round = match bursting {
            // A round that comes late does not make the next one come at once.
            Some(offset) => self
                .burst_began
                .after(*offset)
                .max(now.after(ROUND_SPACING)),
            None if now < self.restless_until && self.has_worked() => now.after(ROUNDS_RESTLESS),
            None => {
                let slowed = self.rounds.saturating_sub(BURST_ROUNDS).min(4);
                now.after((ROUNDS_FIRST * (1 << slowed)).min(ROUNDS_SLOWEST))
            }
        };
        let candidates = self.candidates.iter();
        let named = candidates.filter(|(_, candidate)| candidate.is_named());
        let named: Vec<IpAddr> = named.map(|(addr, _)| addr.ip()).collect();
        let candidates = self.candidates.iter();
        let addresses: Vec<_> = candidates
            .filter(|(addr, candidate)| match candidate.worked_at {
                Some(_) => true,
                None if is_restless => false,
                None if candidate.is_named() => true,
                // Whoever takes a probe from the line can send it in anybody's name; but at a host that the peer has
                // named this is another port of its router.
                None => candidate.is_heard_lately(now) && named.contains(&addr.ip()),
            })
            .map(|(addr, _)| *addr)
            .collect();
        for addr in &addresses {
            self.probed(now, *addr);
        }
        addresses
    }

    /// Notes that an address is being probed.
    pub(super) fn probed(&mut self, now: Moment, addr: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&addr) {
            candidate.probed_at = Some(now);
            candidate.back = Back::None;
        }
    }

    /// Whether this statement of the peer lacks an address, ports aside, that it has stated before.
    pub(super) fn has_left(&self, addresses: &[SocketAddr]) -> bool {
        let told = |candidate: &Candidate| candidate.origin == Origin::Told;
        let before = self.candidates.iter().filter(|(_, known)| told(known));
        let before = before.map(|(addr, _)| *addr);
        // What a server has lent is given back without anybody going anywhere.
        let before: Vec<_> = before
            .filter(|addr| TurnAddress::of(*addr).is_none())
            .collect();
        is_left(&before, addresses)
    }

    /// Takes the peer's own statement; says whether it names an address that is new.
    pub(super) fn told(&mut self, now: Moment, addresses: Vec<SocketAddr>) -> bool {
        let stale =
            |candidate: &Candidate| candidate.origin == Origin::Told && candidate.may_go(now);
        self.candidates
            .retain(|addr, candidate| addresses.contains(addr) || !stale(candidate));
        let known = self.candidates.len();
        for addr in addresses {
            self.rename_lent(addr);
            self.add(now, addr, Origin::Told);
        }
        self.candidates.len() > known
    }

    /// How an address is called: one that is lent to the peer by that name, also where it was heard as a plain one.
    pub(super) fn named(&self, addr: SocketAddr) -> SocketAddr {
        let SocketAddr::V4(plain) = addr else {
            return addr;
        };
        let lent = TurnAddress::Theirs(plain).written();
        if self.candidates.contains_key(&lent) {
            lent
        } else {
            addr
        }
    }

    /// The peer's probes by what is lent to it may come before its word that it is lent: until then it looks like
    /// any address, and nearer than it is.
    fn rename_lent(&mut self, lent: SocketAddr) {
        let Some(TurnAddress::Theirs(plain)) = TurnAddress::of(lent) else {
            return;
        };
        if let Some(known) = self.candidates.remove(&SocketAddr::V4(plain)) {
            self.candidates.entry(lent).or_insert(known);
        }
    }

    /// Takes where a person says that the peer is; says whether there is an address that is new.
    pub(super) fn placed(&mut self, now: Moment, addresses: &[SocketAddr]) -> bool {
        for candidate in self.candidates.values_mut() {
            candidate.placed = Placed::No;
        }
        let known: Vec<_> = self.candidates.keys().copied().collect();
        for addr in addresses {
            if !self.candidates.contains_key(addr) && self.candidates.len() >= CANDIDATES_MAX {
                let free = self.candidates.iter();
                let free = free.filter(|(_, candidate)| candidate.may_go(now));
                let free = free.min_by_key(|(_, candidate)| candidate.last_sign());
                if let Some((&free, _)) = free {
                    self.candidates.remove(&free);
                }
            }
            self.add(now, *addr, Origin::Kept);
            if let Some(candidate) = self.candidates.get_mut(addr) {
                candidate.placed = Placed::ByPerson;
            }
        }
        addresses.iter().any(|addr| !known.contains(addr))
    }

    /// All addresses that the peer has named.
    pub(super) fn all_told(&self) -> Vec<SocketAddr> {
        let all = self.candidates.iter();
        all.filter(|(_, candidate)| candidate.origin == Origin::Told)
            .map(|(addr, _)| *addr)
            .collect()
    }

    /// Takes more that follows from what the peer has named.
    pub(super) fn told_besides(&mut self, now: Moment, addresses: Vec<SocketAddr>) {
        for addr in addresses {
            self.add(now, addr, Origin::Told);
        }
    }

    /// Forgets every way by what was lent to us: it is ours no more.
    pub(super) fn forget_ours(&mut self) {
        let is_by_ours =
            |addr: &SocketAddr| matches!(TurnAddress::of(*addr), Some(TurnAddress::Ours(_)));
        self.candidates.retain(|addr, _| !is_by_ours(addr));
    }

    /// Notes a probe of the peer; says whether to probe back where it worked before and does not now: where nothing was
    /// ever answered the network does so by itself ([`crate::unproved`]). What was probed a
    /// moment ago is probed back later: that probe may have been too early for the peer to take.
    pub(super) fn heard(&mut self, now: Moment, addr: SocketAddr) -> bool {
        self.add(now, addr, Origin::Heard);
        let Some(candidate) = self.candidates.get_mut(&addr) else {
            return false;
        };
        candidate.heard_at = Some(now);
        let just_probed = candidate
            .probed_at
            .is_some_and(|at| now.since(at) < PROBE_BACK_SPACING);
        if candidate.is_alive(now) || candidate.worked_at.is_none() {
            return false;
        }
        if just_probed {
            candidate.back = Back::Owed;
        }
        !just_probed
    }

    /// When the next address is to be probed back.
    pub(super) fn next_back(&self) -> Option<Moment> {
        let all = self.candidates.values();
        all.filter_map(Candidate::back_due).min()
    }

    /// The addresses that are to be probed back now.
    pub(super) fn take_back(&mut self, now: Moment) -> Vec<SocketAddr> {
        let mut due = Vec::new();
        for (addr, candidate) in &mut self.candidates {
            if candidate.back_due().is_some_and(|at| now >= at) {
                candidate.back = Back::None;
                due.push(*addr);
            }
        }
        due
    }

    /// The dialer still probes a way that is alive: it goes on being so. The dialer sees whether it is answered, and
    /// chooses; to ask, too, would double what two devices at rest send each other.
    pub(super) fn goes_on(&mut self, now: Moment, addr: SocketAddr) {
        if self.is_alive(now, addr) {
            self.carried(now, addr);
        }
    }

    /// Notes that a probe came back.
    pub(super) fn proved(&mut self, now: Moment, addr: SocketAddr, rtt: Duration) {
        self.add(now, addr, Origin::Heard);
        if let Some(candidate) = self.candidates.get_mut(&addr) {
            let known = candidate.proof.filter(|_| candidate.is_alive(now));
            if known.is_none() {
                candidate.alive_since = now;
                candidate.large = Large::Tried(0);
            }
            let rtt = known.map_or(rtt, |known| known.settled_with(rtt));
            candidate.proof = Some(Proof { at: now, rtt });
            candidate.back = Back::None;
            candidate.worked_at.get_or_insert(now);
        }
    }

    /// Whether to send a large probe to an address that has just been proved; counts as sent then.
    pub(super) fn take_large_probe(&mut self, addr: SocketAddr) -> bool {
        let Some(candidate) = self.candidates.get_mut(&addr) else {
            return false;
        };
        match (distance(addr), &mut candidate.large) {
            // What stays on this machine is not cut.
            (Distance::Machine, _) | (_, Large::Carried) => false,
            (Distance::Lan | Distance::World | Distance::Lent, Large::Tried(tries)) => {
                *tries = tries.saturating_add(1);
                *tries <= LARGE_PROBES
            }
        }
    }

    /// Notes that a large probe came back.
    pub(super) fn carries_large(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.candidates.get_mut(&addr) {
            candidate.large = Large::Carried;
        }
    }

    /// Until when an address should be left alone by a connection with large datagrams, since it may
    /// not carry them.
    pub(super) fn settles_at(&self, addr: SocketAddr) -> Option<Moment> {
        let candidate = self.candidates.get(&addr)?;
        match (distance(addr), candidate.large) {
            (Distance::Machine, _) | (_, Large::Carried) => None,
            (Distance::Lan | Distance::World | Distance::Lent, Large::Tried(_)) => {
                Some(candidate.alive_since.after(LARGE_PATIENCE))
            }
        }
    }

    /// Notes that a proved address carried packets at `at`.
    pub(super) fn carried(&mut self, at: Moment, addr: SocketAddr) {
        if let Some(proof) = self
            .candidates
            .get_mut(&addr)
            .and_then(|candidate| candidate.proof.as_mut())
        {
            proof.at = proof.at.max(at);
        }
    }

    /// Forgets what was proved of an address. Addresses that are lent mostly share a server, so all of them are to
    /// be proved again; where another one works that takes a round trip.
    pub(super) fn disproved(&mut self, addr: SocketAddr) {
        if distance(addr) == Distance::Lent {
            for (other, candidate) in &mut self.candidates {
                if distance(*other) == Distance::Lent {
                    candidate.proof = None;
                }
            }
        }
        if let Some(candidate) = self.candidates.get_mut(&addr) {
            candidate.proof = None;
        }
    }

    /// Forgets what was proved of every address that leads straight to the peer.
    pub(super) fn disprove_direct(&mut self) {
        for (addr, candidate) in &mut self.candidates {
            if distance(*addr) != Distance::Lent {
                candidate.proof = None;
            }
        }
    }

    /// Forgets what was proved of every address: the network has changed.
    pub(super) fn disprove_all(&mut self) {
        for candidate in self.candidates.values_mut() {
            candidate.proof = None;
        }
    }

    /// Whether an address is proved, however long ago.
    pub(super) fn is_proved(&self, addr: SocketAddr) -> bool {
        self.candidates
            .get(&addr)
            .is_some_and(|candidate| candidate.proof.is_some())
    }

    /// Whether the peer has ever come from an address, or answered there.
    pub(super) fn was_at(&self, addr: SocketAddr) -> bool {
        let candidate = self.candidates.get(&addr);
        candidate.is_some_and(|known| known.heard_at.is_some() || known.worked_at.is_some())
    }

    /// Whether the peer has answered at the host of one of these addresses.
    pub(super) fn was_at_host_of(&self, addresses: &[SocketAddr]) -> bool {
        let mut worked = self.candidates.iter();
        worked.any(|(addr, candidate)| {
            let host = addr.ip();
            candidate.worked_at.is_some() && addresses.iter().any(|ours| ours.ip() == host)
        })
    }

    /// Until when an address counts as alive.
    pub(super) fn alive_until(&self, addr: SocketAddr) -> Option<Moment> {
        self.candidates
            .get(&addr)?
            .proof
            .map(|proof| proof.at.after(TRUST))
    }

    /// Whether an address is alive.
    pub(super) fn is_alive(&self, now: Moment, addr: SocketAddr) -> bool {
        self.candidates
            .get(&addr)
            .is_some_and(|candidate| candidate.is_alive(now))
    }

    /// Whether a probe came back from an address so lately that who left the path before knew nothing of it.
    pub(super) fn is_proved_lately(&self, now: Moment, addr: SocketAddr) -> bool {
        let proof = self.candidates.get(&addr).and_then(|known| known.proof);
        proof.is_some_and(|proof| now.since(proof.at) < PROVED_LATELY)
    }

    /// When an address showed last that the peer is there.
    pub(super) fn last_sign(&self, addr: SocketAddr) -> Option<Moment> {
        self.candidates.get(&addr)?.last_sign()
    }

    /// Until when some proved direct address counts as in use, by its proof or by the peer's probes.
    pub(super) fn quiet_until(&self) -> Moment {
        let direct = self.candidates.iter();
        let direct = direct.filter(|(addr, _)| distance(**addr) != Distance::Lent);
        let proved = direct.filter_map(|(_, candidate)| Some((candidate, candidate.proof?)));
        let last = proved.map(|(candidate, proof)| {
            candidate
                .heard_at
                .map_or(proof.at, |heard| heard.max(proof.at))
        });
        last.max().map_or(Moment::default(), |at| at.after(TRUST))
    }

    /// The best address that is alive.
    pub(super) fn best(&self, now: Moment) -> Option<SocketAddr> {
        self.best_but(now, &[])
    }

    /// Whether an address is alive that leads straight to the peer.
    pub(super) fn is_direct_alive(&self, now: Moment) -> bool {
        let best = self.best(now);
        best.is_some_and(|addr| distance(addr) != Distance::Lent)
    }

    /// The best address that is alive and not on one of these paths.
    pub(super) fn best_but(&self, now: Moment, shunned: &[Path]) -> Option<SocketAddr> {
        let alive = self.candidates.iter().filter(|(addr, candidate)| {
            candidate.is_alive(now) && !shunned.contains(&Path::Direct(**addr))
        });
        let rated = alive
            .filter_map(|(addr, candidate)| Some((rating(*addr, candidate.proof?.rtt), *addr)));
        rated.min().map(|(_, addr)| addr)
    }

    /// The best address that is alive, of those that a connection with large datagrams may use.
    pub(super) fn best_settled(&self, now: Moment) -> Option<SocketAddr> {
        let waits = |addr: &SocketAddr| self.settles_at(*addr).is_some_and(|until| now < until);
        let waiting: Vec<Path> = self
            .candidates
            .keys()
            .filter(|addr| waits(addr))
            .map(|addr| Path::Direct(*addr))
            .collect();
        self.best_but(now, &waiting)
    }

    /// What a move from `current` to `other` would bring.
    pub(super) fn gain(&self, current: SocketAddr, other: SocketAddr) -> Gain {
        let rated = |addr| {
            let proof = self.candidates.get(&addr)?.proof?;
            Some(rating(addr, proof.rtt))
        };
        let Some((then_distance, then)) = rated(other) else {
            return Gain::None;
        };
        match rated(current) {
            Some((now_distance, now)) if now_distance == then_distance => {
                if then + RTT_HYSTERESIS < now {
                    Gain::Faster
                } else {
                    Gain::None
                }
            }
            Some((now_distance, _)) if now_distance < then_distance => Gain::None,
            Some(_) | None => Gain::Nearer,
        }
    }

    /// From where the peer's own packets seem to come, if it was heard lately.
    pub(super) fn heard_from(&self, now: Moment) -> Option<SocketAddr> {
        let (heard_at, addr) = self.last_heard()?;
        (now.since(heard_at) < TRUST).then_some(addr)
    }

    /// Whether the way by which the peer was heard last, of those that are proved, is a near one.
    pub(super) fn is_used_nearby(&self) -> bool {
        self.last_heard().is_some_and(|(_, addr)| is_near(addr))
    }

    /// The way by which the peer was heard last, of those that are proved, and when. A round of its probes
    /// comes by all ways at once, in any order: of those it takes the best, as we would.
    fn last_heard(&self) -> Option<(Moment, SocketAddr)> {
        let proved = self.candidates.iter().filter_map(|(addr, candidate)| {
            let rating = rating(*addr, candidate.proof?.rtt);
            Some((candidate.heard_at?, rating, *addr))
        });
        let last = proved.clone().map(|(heard_at, ..)| heard_at).max()?;
        let together = proved.filter(|(heard_at, ..)| last.since(*heard_at) < HEARD_TOGETHER);
        let best = together.min_by_key(|(_, rating, addr)| (*rating, *addr));
        best.map(|(.., addr)| (last, addr))
    }

    /// Whether the peer itself has named an address.
    pub(super) fn has_told(&self) -> bool {
        let mut all = self.candidates.values();
        all.any(|candidate| candidate.origin == Origin::Told)
    }

    /// What is known of every address.
    pub(super) fn report(&self, now: Moment) -> Vec<CandidateReport> {
        let all = self.candidates.iter();
        all.map(|(addr, candidate)| CandidateReport {
            addr: *addr,
            origin: match (candidate.placed, candidate.origin) {
                (Placed::ByPerson, _) => CandidateOrigin::Placed,
                (Placed::No, Origin::Kept) => CandidateOrigin::Kept,
                (Placed::No, Origin::Told) => CandidateOrigin::Told,
                (Placed::No, Origin::Heard) => CandidateOrigin::Heard,
            },
            state: match (candidate.proof, candidate.probed_at) {
                (Some(proof), _) if candidate.is_alive(now) => CandidateState::Answers(proof.rtt),
                (None, None) => CandidateState::Untried,
                (Some(_) | None, _) => CandidateState::Silent,
            },
        })
        .collect()
    }

    /// Adds an address. When there are too many, the one goes that was only heard and has been dead for longest.
    fn add(&mut self, now: Moment, addr: SocketAddr, origin: Origin) {
        if let Some(candidate) = self.candidates.get_mut(&addr) {
            if origin == Origin::Told {
                candidate.origin = origin;
            }
            return;
        }
        if self.candidates.len() >= CANDIDATES_MAX {
            let heard = self.candidates.iter().filter(|(_, candidate)| {
                candidate.origin == Origin::Heard && candidate.may_go(now)
            });
            let Some((&idle, _)) = heard.min_by_key(|(_, candidate)| candidate.last_sign()) else {
                return;
            };
            self.candidates.remove(&idle);
        }
        self.candidates.insert(
            addr,
            Candidate {
                origin,
                placed: Placed::No,
                proof: None,
                alive_since: Moment::default(),
                large: Large::Tried(0),
                probed_at: None,
                heard_at: None,
                back: Back::None,
                worked_at: None,
            },
        );
    }
}

/// When the rounds of a burst go out, from its begin. The first ones open both NATs within one
/// round trip of each other; the later ones survive a lost packet and a slow peer.
const BURST: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(350),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(4),
    Duration::from_secs(5),
];

/// Rounds of a burst.
const BURST_ROUNDS: u32 = 9;

/// Least time between two rounds: 50 ms, as at the begin of a burst.
const ROUND_SPACING: Duration = Duration::from_millis(50);

/// Least time between two bursts: 1 s. A peer that states new addresses again and again makes us
/// send a round a second at most.
const BURST_SPACING: Duration = Duration::from_secs(1);

/// The first pause after a burst: 5 s. It doubles.
const ROUNDS_FIRST: Duration = Duration::from_secs(5);

/// The longest pause between rounds: 60 s. A peer that comes back on the LAN without any server is
/// found within it.
const ROUNDS_SLOWEST: Duration = Duration::from_secs(60);

/// Pause between rounds while a way is missed that was there: 1 s. A way that works again is found within it.
const ROUNDS_RESTLESS: Duration = Duration::from_secs(1);

/// How long one is missed: 2 minutes. A connection outlives 25 s, and people who look at a network that is back
/// wait no longer than that; then a round is sent a minute.
const RESTLESS_FOR: Duration = Duration::from_secs(120);

/// Within this a peer was heard on two ways at about the same time: 1.5 s. Rounds of probes are a second apart,
/// and one probe of them may be lost; a way in use alone is probed every five.
const HEARD_TOGETHER: Duration = Duration::from_millis(1500);

/// How much shorter another round trip must be to move: 5 ms. Less is noise, and each move costs a
/// path validation.
const RTT_HYSTERESIS: Duration = Duration::from_millis(5);

/// Large probes to an address while it is alive: 3, so that one lost does not decide.
const LARGE_PROBES: u32 = 3;

/// How long a path is left alone that answers small probes and no large one, by a connection whose
/// datagrams are large: 1 s, in which all of them have gone out in a burst. After it the path is worth the second that QUIC
/// takes to find that its datagrams are lost.
const LARGE_PATIENCE: Duration = Duration::from_secs(1);

/// How lately a path that was proved cannot have been left by the peer: 700 ms. Who leaves one has missed an answer
/// for half a second, and then three more.
const PROVED_LATELY: Duration = Duration::from_millis(700);

/// Addresses per peer: 32, twice what a notice may hold. A round is as many probes of about a
/// hundred bytes.
const CANDIDATES_MAX: usize = 32;
