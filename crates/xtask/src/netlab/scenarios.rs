//! The list of everything that the lab tries, by name.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::change::{self, Change, Flap, Load, Sender};
use super::deceived;
use super::hostile;
use super::liar::Lie;
use super::line::Line;
use super::meeting::{self, Meeting};
use super::nat::{Best, Nat};
use super::placed;
use super::rest;
use super::turn::Turn;
use super::world::{Between, Families, Ports, Six, World};
use crate::binaries::Built;

/// Something to try.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) set: Set,
    what: What,
}

/// When a scenario is tried without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// Always.
    Quick,
    /// With `--all`.
    All,
    /// With `--long`: it takes more than ten minutes.
    Long,
}

#[derive(Debug, Clone)]
enum What {
    Meet(Meeting),
    Carry(Load),
    Rest,
    Withstand(Line),
    Deceive(Lie),
    Place,
}

/// Whether what is carried may be seen on the router's outer side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Anywhere.
    Anywhere,
    /// Not outside the LAN.
    Inside,
}

/// How a scenario went.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// What was measured, a line each.
    pub(super) told: Vec<String>,
    /// What was worse than it must be.
    pub(super) misses: Vec<String>,
    /// What was right, and later than the goal.
    pub(super) late: Vec<String>,
}

impl Scenario {
    /// Tries it once, with everything below `place`.
    pub(super) fn run(&self, built: &Built, place: PathBuf) -> Result<Outcome> {
        match &self.what {
            What::Meet(meeting) => meeting::meet(meeting, built, place),
            What::Carry(load) => change::carry(load, built, place),
            What::Rest => rest::rest(built, place),
            What::Withstand(line) => hostile::withstand(*line, built, place),
            What::Place => placed::meet_where_said(built, place),
            What::Deceive(lie) => deceived::deceived(*lie, built, place),
        }
    }

    fn meet(name: &str, set: Set, world: World, best: Best) -> Self {
        Self {
            name: name.to_owned(),
            set,
            what: What::Meet(Meeting {
                world,
                best,
                idle: Duration::ZERO,
                wire: Wire::Anywhere,
                first_byte: None,
                better: None,
            }),
        }
    }

    fn idle(mut self, idle: Duration) -> Self {
        if let What::Meet(meeting) = &mut self.what {
            meeting.idle = idle;
        }
        self
    }

    /// With goals for the first byte and for the best path.
    fn soon(mut self, first_byte: Duration, better: Duration) -> Self {
        if let What::Meet(meeting) = &mut self.what {
            meeting.first_byte = Some(first_byte);
            meeting.better = Some(better);
        }
        self
    }

    fn inside(mut self) -> Self {
        if let What::Meet(meeting) = &mut self.what {
            meeting.wire = Wire::Inside;
        }
        self
    }
}

/// All of them: those that take longest first, so that they do not end alone.
pub(super) fn all() -> Vec<Scenario> {
    let mut all = changes();
    all.push(Scenario {
        name: "at-rest".to_owned(),
        set: Set::Quick,
        what: What::Rest,
    });
    all.push(Scenario {
        name: "hostile-line".to_owned(),
        set: Set::Quick,
        what: What::Withstand(LINE),
    });
    all.push(Scenario {
        name: "placed".to_owned(),
        set: Set::Quick,
        what: What::Place,
    });
    for (name, lie, set) in [
        ("liars-third-party", Lie::EverybodyIsThirdParty, Set::Quick),
        ("liars-everywhere", Lie::EverybodyIsEverywhere, Set::All),
        ("liars-server", Lie::ThirdPartyServes, Set::All),
    ] {
        all.push(Scenario {
            name: name.to_owned(),
            set,
            what: What::Deceive(lie),
        });
    }
    all.extend(soon());
    all.extend(worlds());
    for one in Nat::ALL {
        for other in Nat::ALL {
            let set = if QUICK_PAIRS.contains(&(one, other)) {
                Set::Quick
            } else {
                Set::All
            };
            let (world, best) = (World::pair(one, other), one.best_with(other));
            all.push(Scenario::meet(&format!("{one}+{other}"), set, world, best));
        }
    }
    all
}

/// Known peers, one of which comes: how soon they have each other. All but the first 40 ms from each other.
fn soon() -> Vec<Scenario> {
    let ms = Duration::from_millis;
    let far = |one, other| World::pair(one, other).over(FAR);
    let (mapped, symmetric) = (Nat::Mapped, Nat::Symmetric);
    [
        ("soon-lan", World::one_lan(mapped), 300, 300),
        ("soon-far", far(mapped, mapped), 1000, 1000),
        ("soon-varying-far", far(symmetric, mapped), 1000, 3000),
        ("soon-far-varying", far(mapped, symmetric), 1000, 3000),
    ]
    .map(|(name, world, first_byte, better)| {
        let met = Scenario::meet(name, Set::All, world, Best::Direct);
        met.soon(ms(first_byte), ms(better))
    })
    .into()
}

fn worlds() -> Vec<Scenario> {
    let double = World::double(Nat::Mapped, Nat::Mapped, Nat::Mapped);
    let both = Families::Both;
    let symmetric = || World::pair(Nat::Symmetric, Nat::Symmetric);
    let no_udp = World::pair(Nat::NoUdp, Nat::NoUdp);
    let mapped = || World::pair(Nat::Mapped, Nat::Mapped);
    let turn = |name: &str, set, nat, turn| {
        let world = World::pair(nat, Nat::Symmetric).with_turn(turn);
        Scenario::meet(&format!("turn-{name}"), set, world, Best::Turn)
    };
    let (one, other) = ([true, false], [false, true]);
    let (one, other) = (known(one, ":3478"), known(other, ":3478"));
    let tcp = known([true, false], ":3478?transport=tcp");
    let tcp_443 = known([true, true], ":443?transport=tcp");
    let refused = Turn {
        password: "wrong",
        ..Turn::UDP
    };
    let guests = |between| World::two_lans(Nat::Mapped, between);
    vec![
        Scenario::meet(
            "forgetful-routers",
            Set::Quick,
            mapped().forgetful(),
            Best::Direct,
        )
        .idle(Duration::from_secs(20)),
        turn("both", Set::Quick, Nat::Symmetric, Turn::UDP),
        turn("one", Set::All, Nat::Symmetric, one),
        turn("other", Set::All, Nat::Symmetric, other),
        turn("tcp", Set::Quick, Nat::NoUdp, tcp),
        turn("tcp-443", Set::All, Nat::Only443, tcp_443),
        Scenario::meet(
            "turn-refused",
            Set::All,
            symmetric().with_turn(refused),
            Best::Relay,
        ),
        Scenario::meet(
            "turn-unneeded",
            Set::All,
            mapped().with_turn(Turn::UDP),
            Best::Direct,
        ),
        Scenario::meet("double-nat", Set::Quick, double, Best::Direct),
        Scenario::meet(
            "one-lan",
            Set::Quick,
            World::one_lan(Nat::Symmetric),
            Best::Direct,
        )
        .inside(),
        Scenario::meet(
            "guests-hairpin",
            Set::Quick,
            guests(Between::Hairpin),
            Best::Direct,
        ),
        Scenario::meet(
            "guests-apart",
            Set::All,
            guests(Between::Nothing),
            Best::Relay,
        ),
        // Relayed where the router gives no port.
        Scenario::meet(
            "given-by-pcp",
            Set::Quick,
            symmetric().giving(Ports::ByPcp),
            Best::Direct,
        ),
        Scenario::meet(
            "given-by-upnp",
            Set::All,
            symmetric().giving(Ports::ByUpnp),
            Best::Direct,
        ),
        // Only IPv6 can be the direct path here.
        Scenario::meet(
            "ipv6-firewalls",
            Set::Quick,
            symmetric().speaking(both, Six::Firewall),
            Best::Direct,
        ),
        Scenario::meet(
            "ipv6-open",
            Set::All,
            no_udp.speaking(both, Six::Open),
            Best::Direct,
        ),
        Scenario::meet(
            "ipv6-alone",
            Set::Quick,
            mapped().speaking(Families::Six, Six::Firewall),
            Best::Direct,
        ),
        Scenario::meet(
            "ipv6-beside",
            Set::All,
            mapped().speaking(both, Six::Open),
            Best::Direct,
        ),
        Scenario::meet(
            "hostile-routers",
            Set::Quick,
            mapped().hostile(),
            Best::Either,
        ),
    ]
}

/// A TURN server that these devices know, and speak to so.
const fn known(known: [bool; 2], how: &'static str) -> Turn {
    Turn {
        known,
        how,
        ..Turn::UDP
    }
}

fn changes() -> Vec<Scenario> {
    let changes = [
        ("turn-killed", Change::TurnKilled, Set::Quick, Set::All),
        ("outage-600", Change::Outage(600), Set::Long, Set::Long),
        ("sleep-60", Change::Sleep(60), Set::All, Set::All),
        ("outage-60", Change::Outage(60), Set::All, Set::All),
        // The longest that a connection outlasts is 25 s.
        ("outage-24", Change::Outage(24), Set::All, Set::All),
        ("outage-20", Change::Outage(20), Set::All, Set::All),
        ("flaps-line", Change::Flaps(Flap::Line), Set::All, Set::All),
        (
            "flaps-cable",
            Change::Flaps(Flap::Cable),
            Set::All,
            Set::All,
        ),
        (
            "flaps-server",
            Change::Flaps(Flap::Server),
            Set::All,
            Set::All,
        ),
        (
            "relay-flaps-line",
            Change::RelayFlaps(Flap::Line),
            Set::All,
            Set::All,
        ),
        (
            "relay-flaps-cable",
            Change::RelayFlaps(Flap::Cable),
            Set::All,
            Set::All,
        ),
        (
            "relay-flaps-server",
            Change::RelayFlaps(Flap::Server),
            Set::All,
            Set::All,
        ),
        (
            "relay-outage-20",
            Change::RelayOutage(20),
            Set::All,
            Set::All,
        ),
        ("sleep-10", Change::Sleep(10), Set::All, Set::All),
        ("outage-5", Change::Outage(5), Set::All, Set::Quick),
        ("outage-2", Change::Outage(2), Set::All, Set::All),
        ("direct-cut", Change::DirectCut, Set::Quick, Set::Quick),
        ("udp-blocked", Change::UdpBlocked, Set::All, Set::All),
        (
            "uplink-swapped",
            Change::UplinkSwapped,
            Set::Quick,
            Set::All,
        ),
        (
            "address-changed",
            Change::AddressChanged,
            Set::All,
            Set::Quick,
        ),
        (
            "public-address-changed",
            Change::PublicAddressChanged,
            Set::Quick,
            Set::All,
        ),
        (
            "server-restarted",
            Change::ServerRestarted,
            Set::Quick,
            Set::All,
        ),
        (
            "relay-restarted",
            Change::RelayRestarted,
            Set::All,
            Set::All,
        ),
        (
            "connections-reset",
            Change::ConnectionsReset,
            Set::All,
            Set::All,
        ),
    ];
    let mut all = Vec::new();
    for (name, change, dialer, acceptor) in changes {
        for (sender, set, side) in [
            (Sender::Dialer, dialer, "dialer"),
            (Sender::Acceptor, acceptor, "acceptor"),
        ] {
            all.push(load(format!("{name}-{side}"), set, change, sender, LINE));
        }
    }
    let bad = [
        (
            "loss-1",
            Line {
                loss_permille: 10,
                ..LINE
            },
        ),
        (
            "loss-5",
            Line {
                loss_permille: 50,
                ..LINE
            },
        ),
        (
            "delay-100",
            Line {
                delay_ms: 100,
                jitter_ms: 5,
                ..LINE
            },
        ),
    ];
    for (name, line) in bad {
        let set = if name == "loss-5" {
            Set::Quick
        } else {
            Set::All
        };
        all.push(load(
            name.to_owned(),
            set,
            Change::Nothing,
            Sender::Dialer,
            line,
        ));
    }
    all
}

fn load(name: String, set: Set, change: Change, sender: Sender, line: Line) -> Scenario {
    let bytes = match change {
        Change::Nothing if line.loss_permille > 0 => 8 << 20,
        Change::Nothing => 16 << 20,
        Change::DirectCut
        | Change::ServerRestarted
        | Change::UplinkSwapped
        | Change::AddressChanged => 80 << 20,
        // A minute at the line's rate, and more.
        Change::Flaps(_) | Change::RelayFlaps(_) => 320 << 20,
        Change::UdpBlocked
        | Change::Outage(_)
        | Change::PublicAddressChanged
        | Change::RelayRestarted
        | Change::TurnKilled
        | Change::ConnectionsReset
        | Change::RelayOutage(_)
        | Change::Sleep(_) => 32 << 20,
    };
    Scenario {
        name,
        set,
        what: What::Carry(Load {
            change,
            sender,
            line,
            bytes,
        }),
    }
}

/// Pairs that stand for all: both relayed for different reasons, translated on both sides, and each that lets
/// more through with each that lets less.
const QUICK_PAIRS: [(Nat, Nat); 9] = [
    (Nat::Open, Nat::Mapped),
    (Nat::Mapped, Nat::Mapped),
    (Nat::FullCone, Nat::Symmetric),
    (Nat::Symmetric, Nat::Symmetric),
    (Nat::NoUdp, Nat::Mapped),
    (Nat::Mapped, Nat::Only443),
    (Nat::Only443, Nat::Only443),
    (Nat::Open, Nat::Symmetric),
    (Nat::Symmetric, Nat::Mapped),
];

/// The line of a home: 40 Mbit/s, 10 ms each way, 64 KiB of queue. Slow enough that a transfer lasts while
/// things happen to it, and that unoptimised programs keep up.
const LINE: Line = Line {
    delay_ms: 10,
    jitter_ms: 0,
    loss_permille: 0,
    rate_mbit: 40,
    queue_kb: 64,
    hostile: false,
};

/// A line between two homes with a round trip of 40 ms.
const FAR: Line = Line {
    delay_ms: 20,
    rate_mbit: 1000,
    queue_kb: 1024,
    ..LINE
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|scenario| &scenario.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
