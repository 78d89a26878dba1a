//! The kinds of routers that people sit behind, as rules for nftables.
//!
//! Two properties decide whether two routers let peers meet: whether one inside port keeps one outside port
//! towards everybody (mapping), and whom the outside port lets in (filtering); see RFC 4787. Linux keeps the
//! port while it is free, and lets in only who was written to. A router drops what it did not expect: were it
//! to answer itself, an early probe would count as a connection of its own, and the inside's probe would get
//! another port.

use std::fmt;

use clap::ValueEnum;

use super::world::{Between, Six, Unasked};

/// How a router treats what passes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Nat {
    /// No translation and no filter: everybody has an address of their own.
    Open,
    /// One outside port towards everybody; lets in who was written to from it.
    Mapped,
    /// One outside port towards everybody; lets in whoever comes.
    FullCone,
    /// Another outside port towards each address; lets in who was written to from it.
    Symmetric,
    /// Translates TCP, and drops UDP.
    NoUdp,
    /// Lets out TCP to port 443 and nothing else.
    Only443,
}

/// The path on which two devices meet at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Best {
    /// Straight from one to the other.
    Direct,
    /// Through a TURN server.
    Turn,
    /// Through the server.
    Relay,
    /// Chance decides, so either is right.
    Either,
}

impl Best {
    /// Whether what was found is what was to be found.
    pub(super) fn is_met_by(self, found: Self) -> bool {
        match self {
            Self::Direct | Self::Turn | Self::Relay => self == found,
            Self::Either => true,
        }
    }
}

impl Nat {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::Open,
        Self::Mapped,
        Self::FullCone,
        Self::Symmetric,
        Self::NoUdp,
        Self::Only443,
    ];

    /// The best path behind these two.
    pub(super) const fn best_with(self, other: Self) -> Best {
        match (self, other) {
            (Self::NoUdp | Self::Only443, _)
            | (_, Self::NoUdp | Self::Only443)
            | (Self::Symmetric, Self::Symmetric) => Best::Relay,
            (
                Self::Open | Self::Mapped | Self::FullCone,
                Self::Open | Self::Mapped | Self::FullCone | Self::Symmetric,
            )
            | (Self::Symmetric, Self::Open | Self::Mapped | Self::FullCone) => Best::Direct,
        }
    }

    /// Its rules for a router with the device `wan`, of which `inside` is the only host behind it.
    pub(super) fn rules(self, inside: &str, unasked: Unasked) -> String {
        let masquerade = match self {
            Self::Open => "",
            Self::Mapped | Self::FullCone | Self::NoUdp | Self::Only443 => {
                "oifname \"wan\" masquerade"
            }
            Self::Symmetric => "oifname \"wan\" masquerade fully-random",
        };
        let inwards = match self {
            Self::FullCone => format!("iifname \"wan\" udp dport 1024-65535 dnat to {inside}"),
            Self::Open | Self::Mapped | Self::Symmetric | Self::NoUdp | Self::Only443 => {
                String::new()
            }
        };
        let outwards = match self {
            Self::NoUdp => "meta l4proto udp drop",
            Self::Only443 => {
                "oifname \"wan\" tcp dport != 443 drop\n oifname \"wan\" meta l4proto != tcp drop"
            }
            Self::Open | Self::Mapped | Self::FullCone | Self::Symmetric => "",
        };
        let passing = match self {
            Self::Open => "",
            Self::Mapped | Self::FullCone | Self::Symmetric | Self::NoUdp | Self::Only443 => {
                "ct state established,related accept\n ct status dnat accept\n iifname \"wan\" drop"
            }
        };
        let to_itself = match (self, unasked) {
            (Self::Open, _) | (_, Unasked::Taken) => "",
            (
                Self::Mapped | Self::FullCone | Self::Symmetric | Self::NoUdp | Self::Only443,
                Unasked::Dropped,
            ) => "iifname \"wan\" drop",
        };
        format!(
            "table ip lab {{
             chain passing {{ type filter hook forward priority 0; policy accept;
             {outwards}
             {passing}
             }}
             chain arriving {{ type filter hook input priority 0; policy accept;
             {to_itself}
             }}
             chain before {{ type nat hook prerouting priority dstnat; policy accept;
             {inwards}
             }}
             chain after {{ type nat hook postrouting priority srcnat; policy accept;
             {masquerade}
             }}
             }}"
        )
    }
}

/// Keeps the two networks of a router apart, and forwards ports to the hosts in them.
pub(super) fn between_rules(between: Between, forwards: &[(u16, String)]) -> String {
    // Inside, the router's public address is an address like any other that is its own.
    let (at, hairpin) = match between {
        Between::Nothing => ("iifname \"wan\"", ""),
        Between::Hairpin => (
            "fib daddr type local",
            "iifname != \"wan\" oifname != \"wan\" masquerade",
        ),
    };
    let forwards: Vec<String> = forwards
        .iter()
        .map(|(port, host)| format!("{at} udp dport {port} dnat to {host}"))
        .collect();
    format!(
        "table ip between {{
         chain passing {{ type filter hook forward priority 0; policy accept;
         ct state established,related accept
         ct status dnat accept
         iifname != \"wan\" oifname != \"wan\" drop
         }}
         chain before {{ type nat hook prerouting priority dstnat; policy accept;
         {}
         }}
         chain after {{ type nat hook postrouting priority srcnat; policy accept;
         {hairpin}
         }}
         }}",
        forwards.join("\n")
    )
}

/// The rules for IPv6.
pub(super) fn six_rules(six: Six) -> String {
    let passing = match six {
        Six::Open => "",
        Six::Firewall => "ct state established,related accept\n iifname \"wan\" drop",
    };
    format!(
        "table ip6 lab {{
         chain passing {{ type filter hook forward priority 0; policy accept;
         {passing}
         }}
         }}"
    )
}

/// As it is typed and shown.
impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Open => "open",
            Self::Mapped => "mapped",
            Self::FullCone => "full-cone",
            Self::Symmetric => "symmetric",
            Self::NoUdp => "no-udp",
            Self::Only443 => "only443",
        };
        f.pad(name)
    }
}

/// As it is shown.
impl fmt::Display for Best {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Turn => "TURN",
            Self::Relay => "relay",
            Self::Either => "either",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_path_is_the_same_from_both_sides() {
        for one in Nat::ALL {
            for other in Nat::ALL {
                assert_eq!(one.best_with(other), other.best_with(one));
            }
        }
    }

    #[test]
    fn only_what_gives_udp_a_way_in_lets_two_meet_directly() {
        let direct = |one: Nat| Nat::ALL.map(|other| one.best_with(other) == Best::Direct);
        assert_eq!(direct(Nat::Mapped), [true, true, true, true, false, false]);
        assert_eq!(
            direct(Nat::Symmetric),
            [true, true, true, false, false, false]
        );
        assert_eq!(direct(Nat::Only443), [false; 6]);
    }
}
