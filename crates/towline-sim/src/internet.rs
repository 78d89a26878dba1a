//! A small internet: devices in homes behind routers, and what becomes of their ways to each other.
//!
//! [`Internet::run`] lives one seed: two or three devices that are peers meet over lines that delay, lose
//! and double datagrams, through routers of every kind (`router`, `map`) and a signal server that is the
//! product's (`server`). Then their networks change (`change`). Devices are the product's; what the engine
//! makes of datagrams is modelled (`probe`, `quic`, `host`), and only the world knows which way is the best
//! (`theory`), by which `judge` holds what it sees.

mod bug;
mod change;
mod enemy;
mod given;
mod host;
mod judge;
mod lender;
mod map;
mod probe;
mod quic;
mod router;
mod server;
mod theory;
mod wire;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_core::io::{Input, LendFault};
use towline_core::records::{PeerRecord, StoreOp, Verification};
use towline_wire::pairing::CompareString;

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::log::{Keep, Log};
use crate::mutation::LinkMutation;
use crate::rule::Rule;
use crate::world::{Report, Violation};

use bug::Bug;
use change::Flow;
use enemy::{Enemy, Hostility};
use host::Host;
use judge::{Counted, Luck};
use lender::Lender;
use map::{Carries, Map, ROOT};
use probe::Length;
use quic::Packet;
use router::Nat;
use server::{Server, ToHost, ToServer};
use wire::Datagram;

/// Makes of a seed the one of what routers give.
const GIFTS: u64 = 0x6769_7665_6e00_0000;

/// The same for what a TURN server lends.
const LOANS: u64 = 0x6c65_6e74_0000_0000;

/// The same for who tells of it.
const TOLD: u64 = 0x746f_6c64_0000_0000;

/// What kind of internet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// A bug that is switched in.
    pub mutation: Option<LinkMutation>,
    /// How much of the log is kept.
    pub keep: Keep,
}

/// A small internet.
#[derive(Debug)]
pub struct Internet {
    now: Duration,
    agenda: Agenda<Event>,
    dice: Dice,
    log: Log,
    violations: Vec<Violation>,
    plan: Plan,
    bug: Bug,
    enemy: Enemy,
    map: Map,
    hosts: Vec<Host>,
    server: Server,
    lender: Lender,
    counted: Vec<Counted>,
    routers_addresses: BTreeSet<IpAddr>,
    varying_addresses: BTreeSet<IpAddr>,
    connections: u64,
    most_strays: usize,
    outputs: u64,
    flow: Option<Flow>,
}

/// What is drawn once for a whole life.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Whether devices are announced on local networks.
    announces: bool,
    hostility: Hostility,
}

/// What a datagram holds.
#[derive(Debug, Clone)]
enum Payload {
    Ping {
        author: usize,
        number: u64,
        length: Length,
    },
    Pong {
        author: usize,
        number: u64,
    },
    Quic(Packet),
    /// A STUN server is asked.
    Ask {
        transaction: u64,
    },
    /// A STUN server answers.
    Seen {
        transaction: u64,
        seen: SocketAddr,
    },
}

impl Payload {
    const fn is_between_devices(&self) -> bool {
        match self {
            Self::Ping { .. } | Self::Pong { .. } | Self::Quic(_) => true,
            Self::Ask { .. } | Self::Seen { .. } => false,
        }
    }

    /// Whether a line that carries so much takes it.
    fn fits(&self, carries: Carries) -> bool {
        let is_large = matches!(
            self,
            Self::Ping {
                length: Length::Large,
                ..
            }
        );
        !is_large || carries == Carries::Large
    }
}

/// What happens next. What names a host's run is void in another one.
#[derive(Debug)]
enum Event {
    Deliver {
        host: usize,
        run: u32,
        input: Input,
    },
    Timeout {
        host: usize,
        run: u32,
    },
    Arrive {
        net: usize,
        datagram: Datagram,
    },
    Receive {
        host: usize,
        datagram: Datagram,
    },
    EndDue {
        host: usize,
        run: u32,
        number: u64,
    },
    AskAgain {
        host: usize,
        run: u32,
        number: u64,
        half: Duration,
    },
    Verdict {
        host: usize,
        run: u32,
        number: u64,
        before: u64,
    },
    ExtrasEnd {
        host: usize,
        run: u32,
    },
    Connect {
        socket: u64,
    },
    OpenAtServer {
        socket: u64,
        origin: signal_server::rendezvous::Origin,
        door: signal_server::rendezvous::Door,
    },
    SocketLook {
        socket: u64,
    },
    SocketRetry {
        socket: u64,
    },
    ToServer {
        socket: u64,
        what: ToServer,
    },
    ToHost {
        socket: u64,
        what: ToHost,
    },
    GoneAtServer {
        socket: u64,
    },
    ServerTimeout,
    Flow,
    /// Only under a mutation: a probe goes out again.
    ProbeAgain {
        host: usize,
        run: u32,
        peer: usize,
        to: SocketAddr,
        left: u32,
    },
    AddressesTold {
        host: usize,
        run: u32,
    },
    Start {
        host: usize,
    },
    AsksRouter {
        host: usize,
        run: u32,
        turn: u64,
    },
    LenderDies,
    LenderLives,
    LoanBegins {
        host: usize,
        run: u32,
        turn: u64,
    },
    LoanEnds {
        host: usize,
        run: u32,
        turn: u64,
        fault: LendFault,
    },
    LoanLook {
        host: usize,
        run: u32,
        turn: u64,
    },
    RouterSays {
        host: usize,
        run: u32,
        turn: u64,
        external: Option<SocketAddr>,
        pause: Duration,
    },
}

impl Internet {
    /// Lives one seed.
    pub fn run(seed: u64, circumstances: Circumstances) -> Report {
        let mut internet = Self::new(seed, circumstances);
        let first = format!(
            "{:?} {:?} {:?}",
            internet.plan, internet.lender, internet.map
        );
        internet.note(format_args!("{first}"));
        internet.live();
        let devices = u32::try_from(internet.hosts.len()).unwrap_or(0);
        Report {
            hash: internet.log.hash(),
            violations: internet.violations,
            lines: internet.log.into_lines(),
            devices,
            lasted: internet.now,
        }
    }

    fn new(seed: u64, circumstances: Circumstances) -> Self {
        let mut dice = Dice::new(seed);
        let mut map = Map::new(&mut dice, Dice::new(seed ^ GIFTS));
        let devices = if dice.chance(15) { 3 } else { 2 };
        let spots = drawn_spots(&mut dice, &mut map, devices);
        let mut hosts: Vec<Host> = (0..devices).map(|_| Host::new(&mut dice)).collect();
        for (host, spot) in hosts.iter_mut().zip(spots) {
            host.moves(Some(spot));
        }
        let lender = Lender::drawn(Dice::new(seed ^ LOANS), Dice::new(seed ^ TOLD));
        let server = Server::new(&mut dice, lender.told());
        let plan = Plan {
            announces: dice.chance(70),
            hostility: Hostility::drawn(&mut dice),
        };
        let mut internet = Self {
            now: Duration::ZERO,
            agenda: Agenda::new(),
            dice,
            log: Log::new(circumstances.keep),
            violations: Vec::new(),
            plan,
            bug: Bug::new(circumstances.mutation),
            enemy: Enemy::default(),
            map,
            counted: hosts.iter().map(|_| Counted::default()).collect(),
            hosts,
            server,
            lender,
            routers_addresses: BTreeSet::new(),
            varying_addresses: BTreeSet::new(),
            connections: 0,
            most_strays: 0,
            outputs: 0,
            flow: None,
        };
        internet.note_routers();
        internet.befriend();
        internet
    }

    /// All devices are each other's peers.
    fn befriend(&mut self) {
        let ids: Vec<_> = self.hosts.iter().map(|host| host.id).collect();
        for host in &mut self.hosts {
            for (number, id) in ids.iter().enumerate().filter(|(_, id)| **id != host.id) {
                host.shelf.put(vec![StoreOp::PutPeer(PeerRecord {
                    id: *id,
                    name: format!("device {number}"),
                    compare: CompareString::from_bits(0),
                    verification: Verification::NotVerified,
                    addresses: Vec::new(),
                    servers: Vec::new(),
                    places: Vec::new(),
                })]);
            }
        }
    }

    /// Remembers which addresses are or were routers'.
    fn note_routers(&mut self) {
        for router in &self.map.routers {
            let ip = IpAddr::V4(router.outside_ip);
            self.routers_addresses.insert(ip);
            if router.nat == Nat::Symmetric {
                self.varying_addresses.insert(ip);
            }
        }
    }

    fn live(&mut self) {
        for host in 0..self.hosts.len() {
            let wait = self.dice.millis(0, 4000);
            self.after(wait, Event::Start { host });
        }
        self.lender_begins();
        self.pass(Duration::from_secs(4));
        if !self.settles(Luck::Whole) {
            return;
        }
        self.changes();
        self.rests();
    }

    // --- time ------------------------------------------------------------------------------------

    fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.agenda.enter(when, event);
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.violations.is_empty()
            && let Some((when, event)) = self.agenda.next_until(end)
        {
            self.now = when;
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    fn lives(&self, host: usize, run: u32) -> bool {
        self.hosts[host].run == run && self.hosts[host].device.is_some()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { host, run, input } if self.lives(host, run) => self.tell(host, input),
            Event::Timeout { host, run } if self.lives(host, run) => self.timeout(host),
            Event::EndDue { host, run, number } if self.lives(host, run) => {
                self.end_due(host, number);
            }
            Event::AskAgain {
                host,
                run,
                number,
                half,
            } if self.lives(host, run) => self.asks_again(host, number, half),
            Event::Verdict {
                host,
                run,
                number,
                before,
            } if self.lives(host, run) => self.verdict(host, number, before),
            Event::ExtrasEnd { host, run } if self.lives(host, run) => self.extras_end(host),
            Event::ProbeAgain {
                host,
                run,
                peer,
                to,
                left,
            } if self.lives(host, run) => self.probes_again(host, peer, to, left),
            Event::AddressesTold { host, run } if self.lives(host, run) => {
                self.tell_addresses(host);
            }
            Event::AsksRouter { host, run, turn } if self.lives(host, run) => {
                self.asks_router(host, turn);
            }
            Event::LoanBegins { host, run, turn } if self.lives(host, run) => {
                self.loan_begins(host, turn);
            }
            Event::LoanEnds {
                host,
                run,
                turn,
                fault,
            } if self.lives(host, run) => self.loan_ended(host, turn, fault),
            Event::LoanLook { host, run, turn } if self.lives(host, run) => {
                self.looks_at_loan(host, turn);
            }
            Event::RouterSays {
                host,
                run,
                turn,
                external,
                pause,
            } if self.lives(host, run) => self.router_says(host, turn, external, pause),
            Event::Deliver { .. }
            | Event::Timeout { .. }
            | Event::EndDue { .. }
            | Event::AskAgain { .. }
            | Event::Verdict { .. }
            | Event::ExtrasEnd { .. }
            | Event::ProbeAgain { .. }
            | Event::AddressesTold { .. }
            | Event::AsksRouter { .. }
            | Event::RouterSays { .. }
            | Event::LoanBegins { .. }
            | Event::LoanEnds { .. }
            | Event::LoanLook { .. } => {}
            Event::LenderDies => self.lender_dies(),
            Event::LenderLives => self.lender_lives(),
            Event::Arrive { net, datagram } => self.arrives(net, datagram),
            Event::Receive { host, datagram } => self.receives(host, datagram),
            Event::Connect { socket } => self.connects(socket),
            Event::OpenAtServer {
                socket,
                origin,
                door,
            } => self.opens_at_server(socket, origin, door),
            Event::SocketLook { socket } => self.looks_at_socket(socket),
            Event::SocketRetry { socket } => self.retries_socket(socket),
            Event::ToServer { socket, what } => self.at_server(socket, what),
            Event::ToHost { socket, what } => self.at_host(socket, what),
            Event::GoneAtServer { socket } => self.gone_at_server(socket),
            Event::ServerTimeout => self.server_timeout(),
            Event::Flow => self.flows(),
            Event::Start { host } => self.start(host),
        }
    }

    fn note(&mut self, text: std::fmt::Arguments<'_>) {
        self.log.note(self.now, text);
    }

    fn violate(&mut self, rule: Rule, what: String) {
        self.note(format_args!("VIOLATION {rule}: {what}"));
        self.violations.push(Violation { rule, what });
    }
}

/// Where devices are at first.
fn drawn_spots(dice: &mut Dice, map: &mut Map, devices: usize) -> Vec<map::Spot> {
    let kind = dice.below(100);
    let nets: Vec<usize> = if kind < 12 {
        // One home.
        let home = map.home(dice);
        vec![home; devices]
    } else if kind < 22 {
        // Homes behind one provider's router.
        let nat = if dice.chance(50) {
            Nat::PortRestricted
        } else {
            Nat::FullCone
        };
        let provider = map.behind(dice, nat, ROOT, [100, 64, 9]);
        (0..devices)
            .map(|_| map.home_behind(dice, provider))
            .collect()
    } else {
        (0..devices).map(|_| map.home(dice)).collect()
    };
    nets.into_iter().map(|net| map.spot(net)).collect()
}
