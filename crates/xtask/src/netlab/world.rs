//! What lies between two devices: routers, the networks behind them, and a slow line, as a description from
//! which `lab` builds.

use super::liar::Lie;
use super::line::Line;
use super::nat::Nat;
use super::turn::Turn;

/// A small internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    /// What the public network speaks, and with it everybody.
    pub(super) families: Families,
    /// In the order of their numbers.
    pub(super) routers: Vec<Router>,
    /// Where the two devices are.
    pub(super) homes: [Home; 2],
    /// The TURN server, if there is one.
    pub(super) turn: Option<Turn>,
    /// What the first router's cable to the public network is like; a bare cable without it.
    pub(super) line: Option<Line>,
    /// What its servers lie about, if they do.
    pub(super) lie: Option<Lie>,
}

/// Which versions of IP there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Families {
    /// Version 4 alone.
    Four,
    /// Version 6 alone.
    Six,
    /// Both; the server is reached over version 4.
    Both,
}

/// One router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Router {
    /// How it treats IPv4.
    pub(super) nat: Nat,
    /// How it treats IPv6.
    pub(super) six: Six,
    /// Where it gets its own address.
    pub(super) above: Above,
    /// What it does with packets for itself that nobody inside has asked for.
    pub(super) unasked: Unasked,
    /// What its networks can do with each other.
    pub(super) between: Between,
    /// How long it remembers UDP.
    pub(super) memory: Memory,
    /// Whether its inside may ask it for ports.
    pub(super) ports: Ports,
}

/// What a router does with IPv6, of which it translates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Six {
    /// Lets everything pass.
    Open,
    /// Lets in only who was written to.
    Firewall,
}

/// What is on the outer side of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Above {
    /// The public network.
    Public,
    /// The network of another router, which has this number.
    Router(usize),
}

/// What a router does with packets that come from outside for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Drops them, as home routers do.
    Dropped,
    /// Takes them as its own: an early probe then counts as a connection, and the inside's probe to the same
    /// address gets another port.
    Taken,
}

/// Whether two networks of one router meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Not at all.
    Nothing,
    /// Only at the router's public address, at the ports that are forwarded (see [`Home::port`]).
    Hairpin,
}

/// How long a router remembers a UDP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Linux's own: 30 s after one packet, 120 s after an exchange.
    Usual,
    /// 3 s after one packet, 6 s after an exchange.
    Short,
}

/// By what a router gives the inside ports that lead there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// It gives none.
    Kept,
    /// PCP and NAT-PMP.
    ByPcp,
    /// UPnP.
    ByUpnp,
}

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    /// The number of its router.
    pub(super) router: usize,
    /// Which of the router's networks; devices with the same one are on one LAN.
    pub(super) lan: u8,
    /// The UDP port that it listens on, and that its router forwards to it where it hairpins.
    pub(super) port: Option<u16>,
}

impl Router {
    /// An ordinary one at the public network.
    pub(super) const fn of(nat: Nat) -> Self {
        Self {
            nat,
            six: Six::Firewall,
            above: Above::Public,
            unasked: Unasked::Dropped,
            between: Between::Nothing,
            memory: Memory::Usual,
            ports: Ports::Kept,
        }
    }
}

impl Home {
    const fn at(router: usize, lan: u8) -> Self {
        Self {
            router,
            lan,
            port: None,
        }
    }
}

impl World {
    /// Two homes behind routers of these kinds.
    pub(super) fn pair(one: Nat, other: Nat) -> Self {
        Self {
            families: Families::Four,
            routers: vec![Router::of(one), Router::of(other)],
            homes: [Home::at(0, 1), Home::at(1, 2)],
            turn: None,
            line: None,
            lie: None,
        }
    }

    /// The same with a TURN server.
    pub(super) fn with_turn(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }

    /// The same with servers that lie.
    pub(super) fn deceived(mut self, lie: Lie) -> Self {
        self.lie = Some(lie);
        self
    }

    /// The same with other versions of IP.
    pub(super) fn speaking(mut self, families: Families, six: Six) -> Self {
        self.families = families;
        for router in &mut self.routers {
            router.six = six;
        }
        self
    }

    /// The same over a slow line.
    pub(super) fn over(mut self, line: Line) -> Self {
        self.line = Some(line);
        self
    }

    /// The first home's router is itself behind a router of its provider.
    pub(super) fn double(inner: Nat, provider: Nat, other: Nat) -> Self {
        let mut world = Self::pair(provider, other);
        world.routers.push(Router {
            above: Above::Router(0),
            ..Router::of(inner)
        });
        world.homes[0] = Home::at(2, 3);
        world
    }

    /// Both on one LAN.
    pub(super) fn one_lan(nat: Nat) -> Self {
        Self {
            routers: vec![Router::of(nat)],
            homes: [Home::at(0, 1); 2],
            ..Self::pair(nat, nat)
        }
    }

    /// On two networks of one router that keeps them apart, such as a guest network; the router forwards one
    /// port to each.
    pub(super) fn two_lans(nat: Nat, between: Between) -> Self {
        let home = |lan: u8, port| Home {
            port: Some(port),
            ..Home::at(0, lan)
        };
        Self {
            routers: vec![Router {
                between,
                ..Router::of(nat)
            }],
            homes: [home(1, 40_001), home(2, 40_002)],
            ..Self::pair(nat, nat)
        }
    }

    /// The same with routers that take what comes unasked as their own.
    pub(super) fn hostile(mut self) -> Self {
        for router in &mut self.routers {
            router.unasked = Unasked::Taken;
        }
        self
    }

    /// The same with routers that soon forget.
    pub(super) fn forgetful(mut self) -> Self {
        for router in &mut self.routers {
            router.memory = Memory::Short;
        }
        self
    }

    /// The same with a first router that gives ports.
    pub(super) fn giving(mut self, ports: Ports) -> Self {
        self.routers[0].ports = ports;
        self
    }

    /// Whether a router gives ports.
    pub(super) fn has_port_giver(&self) -> bool {
        self.routers
            .iter()
            .any(|router| router.ports != Ports::Kept)
    }
}
