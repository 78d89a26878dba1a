//! The nets of a small internet, drawn from its seed: homes, their routers and their lines.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::router::{Nat, Router, Six};
use crate::dice::Dice;

/// The net that is the internet itself.
pub(super) const ROOT: usize = 0;

/// One net.
#[derive(Debug)]
pub(super) struct Net {
    /// The way up; the root has none.
    pub(super) router: Option<usize>,
    pub(super) line: Line,
    /// The first three numbers of its IPv4 addresses.
    four: [u8; 3],
    six: Six,
}

/// What a home's line does to packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    pub(super) loss_percent: usize,
    pub(super) doubled_percent: usize,
    pub(super) carries: Carries,
    pub(super) state: LineState,
}

/// The longest datagrams that a line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    Large,
    Usual,
}

/// Whether a line works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineState {
    Up,
    /// Nothing passes.
    Down,
    /// TCP passes.
    WithoutUdp,
}

/// Where a host is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) net: usize,
    pub(super) four: Ipv4Addr,
    pub(super) six: Option<Ipv6Addr>,
}

/// All nets and routers.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) nets: Vec<Net>,
    pub(super) routers: Vec<Router>,
    /// Pairs of nets, lower first, between which no UDP passes.
    pub(super) cut: BTreeSet<(usize, usize)>,
    addresses: u8,
    /// What routers give, and how.
    pub(super) gifts: Dice,
}

impl Spot {
    /// Its address in the family of another one.
    pub(super) fn ip_towards(&self, other: IpAddr) -> Option<IpAddr> {
        match other {
            IpAddr::V4(_) => Some(IpAddr::V4(self.four)),
            IpAddr::V6(_) => self.six.map(IpAddr::V6),
        }
    }

    pub(super) fn ips(&self) -> Vec<IpAddr> {
        let six = self.six.map(IpAddr::V6);
        std::iter::once(IpAddr::V4(self.four)).chain(six).collect()
    }
}

impl Line {
    fn drawn(dice: &mut Dice) -> Self {
        let jitter = if dice.chance(15) { 40 } else { 4 };
        Self {
            latency: dice.millis(1, 50),
            jitter: dice.millis(0, jitter),
            loss_percent: dice.measure(3, 12, 12),
            doubled_percent: dice.measure(2, 10, 10),
            carries: if dice.chance(85) {
                Carries::Large
            } else {
                Carries::Usual
            },
            state: LineState::Up,
        }
    }
}

impl Map {
    /// The internet without anybody.
    pub(super) fn new(dice: &mut Dice, gifts: Dice) -> Self {
        Self {
            nets: vec![Net {
                router: None,
                line: Line::drawn(dice),
                four: [203, 0, 113],
                six: Six::Absent,
            }],
            routers: Vec::new(),
            cut: BTreeSet::new(),
            addresses: 0,
            gifts,
        }
    }

    /// An address that nobody has, in a net.
    fn next_address(&mut self, net: usize) -> Ipv4Addr {
        self.addresses += 1;
        let [first, second, third] = self.nets[net].four;
        Ipv4Addr::new(first, second, third, self.addresses)
    }

    /// An outside address that no router has had.
    pub(super) fn outside_address(&mut self, net: usize) -> Ipv4Addr {
        if net == ROOT {
            self.addresses += 1;
            Ipv4Addr::new(198, 51, 100, self.addresses)
        } else {
            self.next_address(net)
        }
    }

    /// A spot that is free, in a net.
    pub(super) fn spot(&mut self, net: usize) -> Spot {
        let four = self.next_address(net);
        let six = match self.nets[net].six {
            Six::Absent => None,
            Six::Open | Six::Firewalled => {
                let (net, last) = (net as u16, u16::from(self.addresses));
                Some(Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, last))
            }
        };
        Spot { net, four, six }
    }

    /// A net behind a router whose outside is in `outside`.
    pub(super) fn behind(
        &mut self,
        dice: &mut Dice,
        nat: Nat,
        outside: usize,
        four: [u8; 3],
    ) -> usize {
        let ip = self.outside_address(outside);
        let router = Router::drawn(dice, &mut self.gifts, nat, outside, ip);
        self.routers.push(router);
        self.nets.push(Net {
            router: Some(self.routers.len() - 1),
            line: Line::drawn(dice),
            four,
            six: Six::Absent,
        });
        self.nets.len() - 1
    }

    /// A net of the internet without a router.
    fn open(&mut self, dice: &mut Dice) -> usize {
        self.nets.push(Net {
            router: None,
            line: Line::drawn(dice),
            four: [203, 0, 113],
            six: Six::Absent,
        });
        self.nets.len() - 1
    }

    /// A home of any kind.
    pub(super) fn home(&mut self, dice: &mut Dice) -> usize {
        let net = if dice.chance(12) {
            self.open(dice)
        } else {
            let outside = if dice.chance(15) {
                let nat = drawn_nat(dice);
                let shared = if dice.chance(50) { 100 } else { 10 };
                self.behind(dice, nat, ROOT, [shared, 64, self.routers.len() as u8])
            } else {
                ROOT
            };
            self.home_behind(dice, outside)
        };
        if dice.chance(30) {
            self.give_six(dice, net);
        }
        net
    }

    /// A home whose router's outside is in a net.
    pub(super) fn home_behind(&mut self, dice: &mut Dice, outside: usize) -> usize {
        let nat = drawn_nat(dice);
        // Many homes have the same addresses inside.
        let third = if dice.chance(50) {
            1
        } else {
            dice.below(200) as u8
        };
        self.behind(dice, nat, outside, [192, 168, third])
    }

    /// IPv6 in a net, and on the way up from it.
    fn give_six(&mut self, dice: &mut Dice, net: usize) {
        let six = if dice.chance(70) {
            Six::Firewalled
        } else {
            Six::Open
        };
        self.nets[net].six = six;
        for router in self.chain(net) {
            self.routers[router].six = six;
        }
    }

    /// The routers from a net up to the root.
    pub(super) fn chain(&self, net: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut at = self.nets[net].router;
        while let Some(router) = at {
            chain.push(router);
            at = self.nets[self.routers[router].outside].router;
        }
        chain
    }

    /// The net into which a net's addresses belong: its own, or the internet.
    pub(super) fn segment(&self, net: usize) -> usize {
        if self.nets[net].router.is_some() {
            net
        } else {
            ROOT
        }
    }

    pub(super) fn line(&self, net: usize) -> &Line {
        &self.nets[net].line
    }

    pub(super) fn line_mut(&mut self, net: usize) -> &mut Line {
        &mut self.nets[net].line
    }

    /// Whether no UDP passes between two nets, though both have lines.
    pub(super) fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one.min(other), one.max(other)))
    }
}

fn drawn_nat(dice: &mut Dice) -> Nat {
    match dice.below(20) {
        0..=2 => Nat::FullCone,
        3..=4 => Nat::AddressRestricted,
        5..=12 => Nat::PortRestricted,
        13..=17 => Nat::Symmetric,
        _ => Nat::Blocked,
    }
}
