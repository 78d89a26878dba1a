//! A small internet: two homes with a router each, and a public network with a server.
//!
//! ```text
//!   home a            public network            home b
//!   host -- router -------- bridge -------- router -- host
//!   .1.2   .1.1  .21           |           .22  .2.1   .2.2
//!                            server .10
//! ```
//! The public network has addresses that are for documents (RFC 5737), the homes have private ones. Nothing
//! leads out of it.

use std::process;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespaces::Namespace;

use super::nat::Nat;

/// The lab; gone when dropped.
#[derive(Debug)]
pub(super) struct Lab {
    /// Where the server lives.
    pub(super) server: Namespace,
    /// The homes.
    pub(super) homes: [Home; 2],
    _public: Namespace,
}

/// A host behind its router.
#[derive(Debug)]
pub(super) struct Home {
    /// Where a device lives.
    pub(super) host: Namespace,
    router: Namespace,
}

/// Where the server is reached.
pub(super) const SERVER: &str = "203.0.113.10";

impl Lab {
    /// Builds it with such routers.
    pub(super) fn build(nats: [Nat; 2]) -> Result<Self> {
        let prefix = format!("tllab{}", process::id() % 100_000);
        let make = |name: &str| Namespace::make(format!("{prefix}{name}"));
        let public = make("p")?;
        public.ip(&["link", "add", "bridge", "type", "bridge"])?;
        public.ip(&["link", "set", "bridge", "up"])?;
        let server = make("s")?;
        join(&public, &server, "eth0", "server")?;
        server.address("eth0", &format!("{SERVER}/24"))?;
        let homes = [
            Home::build(&public, nats[0], ["a", "ra"].map(make), 1)?,
            Home::build(&public, nats[1], ["b", "rb"].map(make), 2)?,
        ];
        // Who has no translation is known to all others by its own address.
        for (number, nat) in (1_u8..).zip(nats) {
            if nat == Nat::Open {
                let route = [
                    "route",
                    "add",
                    &home_network(number),
                    "via",
                    &router(number),
                ]
                .map(str::to_owned);
                let route: Vec<&str> = route.iter().map(String::as_str).collect();
                let other = &homes[usize::from(number % 2)].router;
                for one in [&server, other] {
                    one.ip(&route)?;
                }
            }
        }
        Ok(Self {
            server,
            homes,
            _public: public,
        })
    }

    /// Packets that have come to the server so far.
    pub(super) fn server_packets(&self) -> Result<u64> {
        let shown = self
            .server
            .ip(&["-s", "-j", "link", "show", "dev", "eth0"])?;
        let shown: Value = serde_json::from_str(&shown)?;
        shown[0]["stats64"]["rx"]["packets"]
            .as_u64()
            .context("no count of the server's packets")
    }
}

impl Home {
    fn build(
        public: &Namespace,
        nat: Nat,
        [host, router_space]: [Result<Namespace>; 2],
        number: u8,
    ) -> Result<Self> {
        let (host, inside) = (host?, router_space?);
        join(public, &inside, "wan", &format!("home{number}"))?;
        inside.address("wan", &format!("{}/24", router(number)))?;
        inside.plug("lan", &host, "eth0")?;
        inside.address("lan", &format!("192.168.{number}.1/24"))?;
        host.address("eth0", &format!("192.168.{number}.2/24"))?;
        let gateway = format!("192.168.{number}.1");
        host.ip(&["route", "add", "default", "via", &gateway])?;
        inside.set("ipv4/ip_forward", "1")?;
        let rules = nat.rules(&format!("192.168.{number}.2"));
        inside.feed("nft", &["-f", "-"], &rules)?;
        Ok(Self {
            host,
            router: inside,
        })
    }
}

/// Joins a device to the public bridge.
fn join(public: &Namespace, to: &Namespace, device: &str, port: &str) -> Result<()> {
    public.plug(port, to, device)?;
    public
        .ip(&["link", "set", port, "master", "bridge"])
        .map(drop)
}

/// A router's public address.
fn router(number: u8) -> String {
    format!("203.0.113.2{number}")
}

fn home_network(number: u8) -> String {
    format!("192.168.{number}.0/24")
}
