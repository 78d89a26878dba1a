//! A TURN server in a small internet (RFC 8656): what it lends to devices, and the part of their engines that borrows,
//! sends by what is lent and notices that it is gone.
//!
//! It lends, refuses, takes back after a while, dies and comes back, over UDP or TCP. Whether there is one is drawn by
//! dice of its own, so a world without one is what it was before there were some.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use signal_server::rendezvous::{Lending, LendingSecret};
use towline_core::io::{Input, LendFault, NetworkEvent};
use towline_wire::ice::{IceServers, TurnServer, TurnTransport};
use towline_wire::place::Place;
use towline_wire::turn_address::TurnAddress;

use super::map::{LineState, ROOT};
use super::router::Nat;
use super::wire::Datagram;
use super::{Event, Internet, Payload};
use crate::dice::Dice;

/// Where it is.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
const PORT: u16 = 3478;

/// What it shares with the signal server, and how long what that one tells holds.
const SECRET: &str = "a secret of two servers";
const CREDENTIAL_LIFE: Duration = Duration::from_secs(600);

/// The first port that it lends.
const LENT_PORTS: u16 = 30_000;

/// Hosts that may write to one address that is lent.
const PERMISSIONS_MAX: usize = 32;

/// Lent addresses of peers that a device remembers.
const THEIRS_MAX: usize = 64;

/// How long a server has to lend an address.
const LEND_DEADLINE: Duration = Duration::from_secs(12);

/// Silence after which a device asks for a sign of life, and how long that may take.
const SIGN_AFTER: Duration = Duration::from_secs(20);
const SIGN_WITHIN: Duration = Duration::from_secs(8);

/// The first and the longest pause of a device after a refusal, and the time in which it has certainly asked again
/// after one, or after the server has come back.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
const ASKS_WITHIN: Duration = Duration::from_secs(75);

/// The server.
#[derive(Debug)]
pub(super) struct Lender {
    lends: Option<Lends>,
    dice: Dice,
    /// Since when it lives; it is dead without.
    lives_since: Option<Duration>,
    loans: BTreeMap<u16, Loan>,
    next_port: u16,
}

/// How it lends.
#[derive(Debug, Clone, Copy)]
struct Lends {
    transport: TurnTransport,
    willing: Willing,
    /// To whom, and by whose word.
    known: Known,
    latency: Duration,
    deaths: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Willing {
    Always,
    Never,
    /// What it lends it takes back after a while.
    For(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    ToAll,
    ToFirst,
    /// The signal server tells all devices of it.
    Told,
}

/// What is lent.
#[derive(Debug)]
struct Loan {
    host: usize,
    run: u32,
    turn: u64,
    /// From where it was asked for; from elsewhere it is another's.
    route: Option<(IpAddr, Ipv4Addr)>,
    may_write: BTreeSet<IpAddr>,
}

/// What a device's engine has of the server.
#[derive(Debug, Default)]
pub(super) struct Borrower {
    /// Counts the times that the device has asked, or given back.
    turn: u64,
    port: Option<u16>,
    heard: Duration,
    refusals: u32,
    hesitates_until: Duration,
    /// What is lent to peers.
    theirs: BTreeSet<SocketAddrV4>,
}

impl Borrower {
    pub(super) fn has(&self) -> bool {
        self.port.is_some()
    }

    /// How an address is called from which something comes.
    pub(super) fn named(&self, from: SocketAddr) -> SocketAddr {
        match from {
            SocketAddr::V4(lent) if self.theirs.contains(&lent) => {
                TurnAddress::Theirs(lent).written()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => from,
        }
    }

    /// An address that is lent to a peer is written to.
    pub(super) fn note_theirs(&mut self, lent: SocketAddrV4) {
        if self.theirs.len() < THEIRS_MAX {
            self.theirs.insert(lent);
        }
    }
}

impl Lender {
    /// `told` draws whether the server tells of one that all devices know.
    pub(super) fn drawn(mut dice: Dice, mut told: Dice) -> Self {
        let to_all = if told.chance(50) {
            Known::Told
        } else {
            Known::ToAll
        };
        let lends = dice.chance(30).then(|| Lends {
            transport: if dice.chance(70) {
                TurnTransport::Udp
            } else {
                TurnTransport::Tcp
            },
            willing: match dice.below(10) {
                0 => Willing::Never,
                1..=2 => Willing::For(dice.millis(120_000, 400_000)),
                _ => Willing::Always,
            },
            known: if dice.chance(70) {
                to_all
            } else {
                Known::ToFirst
            },
            latency: dice.millis(1, 30),
            deaths: if dice.chance(40) { 2 } else { 0 },
        });
        Self {
            lends,
            dice,
            lives_since: Some(Duration::ZERO),
            loans: BTreeMap::new(),
            next_port: LENT_PORTS,
        }
    }

    /// Whether a port is one that it lends now.
    pub(super) fn lends_at(&self, port: u16) -> bool {
        self.loans.contains_key(&port)
    }

    /// What a device's person has set.
    pub(super) fn set_for(&self, host: usize) -> IceServers {
        let known = self
            .lends
            .filter(|lends| lends.known != Known::Told && lends.is_known_to(host));
        let turn = known.and_then(|lends| {
            Some(TurnServer {
                place: Place::new(&ADDRESS.to_string(), PORT).ok()?,
                transport: lends.transport,
                username: "somebody".to_owned().into(),
                credential: "secret".to_owned().into(),
            })
        });
        IceServers {
            stun: Vec::new(),
            turn: turn.into_iter().collect(),
        }
    }

    /// What the signal server tells.
    pub(super) fn told(&self) -> Option<Lending> {
        let lends = self.lends.filter(|lends| lends.known == Known::Told)?;
        Some(Lending {
            servers: vec![(
                Place::new(&ADDRESS.to_string(), PORT).ok()?,
                lends.transport,
            )],
            secret: LendingSecret::parse(SECRET)?,
            life: CREDENTIAL_LIFE,
        })
    }
}

impl Lends {
    fn is_known_to(self, host: usize) -> bool {
        match self.known {
            Known::ToAll | Known::Told => true,
            Known::ToFirst => host == 0,
        }
    }
}

impl Internet {
    /// It dies now and then, and comes back.
    pub(super) fn lender_begins(&mut self) {
        let deaths = self.lender.lends.map_or(0, |lends| lends.deaths);
        let mut at = Duration::ZERO;
        for _ in 0..deaths {
            at += self.lender.dice.millis(20_000, 300_000);
            self.at(at, Event::LenderDies);
            at += self.lender.dice.millis(1000, 120_000);
            self.at(at, Event::LenderLives);
        }
    }

    pub(super) fn lender_dies(&mut self) {
        self.note(format_args!("the lender dies"));
        self.lender.lives_since = None;
        let lost = std::mem::take(&mut self.lender.loans);
        let is_stream = self
            .lender
            .lends
            .is_some_and(|lends| lends.transport != TurnTransport::Udp);
        for loan in lost.into_values().filter(|_| is_stream) {
            // The end of its stream is seen at once.
            self.loan_ends(loan.host, loan.run, loan.turn, LendFault::Gone);
        }
    }

    pub(super) fn lender_lives(&mut self) {
        self.note(format_args!("the lender lives"));
        self.lender.lives_since = Some(self.now);
    }

    // --- what devices ask ------------------------------------------------------------------------

    pub(super) fn borrow(&mut self, host: usize) {
        self.give_back(host);
        let run = self.hosts[host].run;
        let turn = self.hosts[host].borrower.turn;
        let Some(lends) = self.lender.lends else {
            return;
        };
        let reaches = self.reaches_lender(host) && self.lender.lives_since.is_some();
        if !reaches {
            let at = self.now + LEND_DEADLINE;
            let fault = LendFault::Silent;
            return self.at(
                at,
                Event::LoanEnds {
                    host,
                    run,
                    turn,
                    fault,
                },
            );
        }
        let line = self.hosts[host]
            .spot
            .map(|spot| self.map.line(spot.net).latency);
        let wait = (line.unwrap_or_default() + lends.latency) * 4;
        self.after(wait, Event::LoanBegins { host, run, turn });
    }

    pub(super) fn give_back(&mut self, host: usize) {
        let borrower = &mut self.hosts[host].borrower;
        borrower.turn += 1;
        if let Some(port) = borrower.port.take() {
            self.lender.loans.remove(&port);
        }
    }

    pub(super) fn loan_begins(&mut self, host: usize, turn: u64) {
        let (now, run) = (self.now, self.hosts[host].run);
        let Some(lends) = self.lender.lends else {
            return;
        };
        if self.hosts[host].borrower.turn != turn {
            return;
        }
        let is_there = self.reaches_lender(host) && self.lender.lives_since.is_some();
        if !is_there {
            let fault = LendFault::Silent;
            return self.after(
                LEND_DEADLINE,
                Event::LoanEnds {
                    host,
                    run,
                    turn,
                    fault,
                },
            );
        }
        let until = match lends.willing {
            Willing::Never => return self.loan_ended(host, turn, LendFault::Login),
            Willing::Always => None,
            Willing::For(time) => Some(now + time),
        };
        let port = self.lender.next_port;
        self.lender.next_port = port.wrapping_add(1).max(LENT_PORTS);
        let loan = Loan {
            host,
            run,
            turn,
            route: self.tcp_route(host),
            may_write: BTreeSet::new(),
        };
        self.lender.loans.insert(port, loan);
        let borrower = &mut self.hosts[host].borrower;
        borrower.port = Some(port);
        borrower.heard = now;
        borrower.refusals = 0;
        if let Some(until) = until {
            let fault = LendFault::Login;
            self.at(
                until,
                Event::LoanEnds {
                    host,
                    run,
                    turn,
                    fault,
                },
            );
        }
        self.after(SIGN_AFTER, Event::LoanLook { host, run, turn });
        let lent = SocketAddrV4::new(ADDRESS, port);
        self.tell(host, Input::Network(NetworkEvent::Borrowed(lent)));
    }

    /// A device asks for a sign of life.
    pub(super) fn looks_at_loan(&mut self, host: usize, turn: u64) {
        let (now, run) = (self.now, self.hosts[host].run);
        let place = &self.hosts[host];
        let Some(port) = place.borrower.port.filter(|_| place.borrower.turn == turn) else {
            return;
        };
        if place.sleeps(now) {
            let awake = place.asleep_until;
            return self.at(awake, Event::LoanLook { host, run, turn });
        }
        let carries = self.loan_carries(port);
        let borrower = &mut self.hosts[host].borrower;
        if carries {
            borrower.heard = now;
        }
        if now - borrower.heard >= SIGN_AFTER + SIGN_WITHIN {
            return self.loan_ended(host, turn, LendFault::Gone);
        }
        let pause = if carries { SIGN_AFTER } else { SIGN_WITHIN };
        self.after(pause, Event::LoanLook { host, run, turn });
    }

    fn loan_ends(&mut self, host: usize, run: u32, turn: u64, fault: LendFault) {
        let wait = Duration::from_millis(50);
        self.after(
            wait,
            Event::LoanEnds {
                host,
                run,
                turn,
                fault,
            },
        );
    }

    pub(super) fn loan_ended(&mut self, host: usize, turn: u64, fault: LendFault) {
        let now = self.now;
        let borrower = &mut self.hosts[host].borrower;
        if borrower.turn != turn {
            return;
        }
        borrower.turn += 1;
        let pause = FIRST_PAUSE * (1 << borrower.refusals.min(5));
        borrower.refusals += 1;
        borrower.hesitates_until = now + pause.min(LONGEST_PAUSE) + ASKS_WITHIN;
        if let Some(port) = borrower.port.take() {
            self.lender.loans.remove(&port);
        }
        self.tell(host, Input::Network(NetworkEvent::NotLent(fault)));
    }

    /// A router has begun anew: to a server that is asked over UDP those behind it are others.
    pub(super) fn loans_forgotten(&mut self, router: usize) {
        let is_udp = self
            .lender
            .lends
            .is_some_and(|lends| lends.transport == TurnTransport::Udp);
        for loan in self.lender.loans.values_mut().filter(|_| is_udp) {
            let net = self.hosts[loan.host]
                .spot
                .map(|spot| self.map.segment(spot.net));
            if net.is_some_and(|net| self.map.chain(net).contains(&router)) {
                loan.route = None;
            }
        }
    }

    // --- datagrams -------------------------------------------------------------------------------

    /// A device sends by what is lent to it.
    pub(super) fn send_by_loan(&mut self, host: usize, to: SocketAddrV4, payload: Payload) {
        let Some(port) = self.hosts[host].borrower.port else {
            return;
        };
        let datagram = Datagram {
            origin: None,
            from: SocketAddr::from((ADDRESS, port)),
            to: SocketAddr::V4(to),
            payload,
        };
        self.count_sent_by(host, &datagram);
        if !self.loan_carries(port) {
            return;
        }
        let Some(delay) = self.leg(host, &datagram) else {
            return;
        };
        if let Some(loan) = self.lender.loans.get_mut(&port)
            && loan.may_write.len() < PERMISSIONS_MAX
        {
            loan.may_write.insert(IpAddr::V4(*to.ip()));
        }
        let net = ROOT;
        self.after(delay, Event::Arrive { net, datagram });
    }

    /// Something has come to an address that is lent.
    pub(super) fn lender_gets(&mut self, datagram: Datagram) {
        let port = datagram.to.port();
        let SocketAddr::V4(from) = datagram.from else {
            return;
        };
        let Some(loan) = self.lender.loans.get(&port) else {
            return;
        };
        let host = loan.host;
        let place = &self.hosts[host];
        let may_write = loan.may_write.contains(&datagram.from.ip());
        let Some(spot) = place.spot.filter(|_| may_write && self.loan_carries(port)) else {
            return;
        };
        let datagram = Datagram {
            origin: None,
            from: TurnAddress::Ours(from).written(),
            to: SocketAddr::from((spot.four, place.port)),
            payload: datagram.payload,
        };
        if let Some(delay) = self.leg(host, &datagram) {
            self.after(delay, Event::Receive { host, datagram });
        }
    }

    /// How long a datagram takes between a device and the server; `None` when it is lost.
    fn leg(&mut self, host: usize, datagram: &Datagram) -> Option<Duration> {
        let lends = self.lender.lends?;
        let net = self.hosts[host].spot?.net;
        let way = match lends.transport {
            TurnTransport::Udp => self.crosses(net, datagram)?,
            TurnTransport::Tcp | TurnTransport::Tls => self.line_delay(host),
        };
        Some(way + lends.latency)
    }

    /// Whether what is lent carries datagrams now.
    fn loan_carries(&self, port: u16) -> bool {
        let loan = self.lender.loans.get(&port);
        loan.is_some_and(|loan| {
            let is_same = loan.route.is_some() && loan.route == self.tcp_route(loan.host);
            let place = &self.hosts[loan.host];
            let lives = place.run == loan.run && place.borrower.turn == loan.turn;
            is_same && lives && self.reaches_lender(loan.host)
        })
    }

    /// Whether a device gets to the server.
    fn reaches_lender(&self, host: usize) -> bool {
        let transport = self.lender.lends.map(|lends| lends.transport);
        match transport {
            None => false,
            Some(TurnTransport::Udp) => self.has_udp(host),
            Some(TurnTransport::Tcp | TurnTransport::Tls) => self.reaches_server(host),
        }
    }

    fn has_udp(&self, host: usize) -> bool {
        let place = &self.hosts[host];
        let Some(spot) = place.spot else { return false };
        let way = self.map.chain(self.map.segment(spot.net));
        let passes = way
            .iter()
            .all(|router| self.map.routers[*router].nat != Nat::Blocked);
        passes && self.map.line(spot.net).state == LineState::Up && !place.sleeps(self.now)
    }

    // --- in theory -------------------------------------------------------------------------------

    /// Whether a pair surely has a way by what is lent.
    pub(super) fn is_lent_way(&self, one: usize, other: usize) -> bool {
        let (ours, theirs) = (self.may_borrow(one), self.may_borrow(other));
        ours && (theirs || self.has_udp(other)) || theirs && self.has_udp(one)
    }

    fn may_borrow(&self, host: usize) -> bool {
        let now = self.now;
        let Some(lends) = self.lender.lends else {
            return false;
        };
        let since = self.lender.lives_since;
        let is_old = since.is_some_and(|since| since.is_zero() || now - since >= ASKS_WITHIN);
        let asks = now >= self.hosts[host].borrower.hesitates_until;
        let is_willing = lends.willing != Willing::Never;
        is_willing && lends.is_known_to(host) && is_old && asks && self.reaches_lender(host)
    }
}
