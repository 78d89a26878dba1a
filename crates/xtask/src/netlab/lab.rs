//! A small internet of namespaces, built from the description of a world.
//!
//! ```text
//!   lan 1                 public network                lan 2
//!   host -- router 0 ---- bridge ---- router 1 -- host
//!   .1.2   .1.1  .21        |          .22  .2.1   .2.3
//!               server .10, TURN .30
//! ```
//! All addresses are for documents (RFC 5737, RFC 3849) or private; where a router gives ports the public network
//! has ordinary ones, because miniupnpd serves no others. Nothing leads out of it.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::liar::VICTIM;
use super::line::{ENDS, Line, READY};
use super::nat::{Nat, between_rules, six_rules};
use super::ports::PortGiver;
use super::turn;
use super::world::{Above, Families, Memory, Ports, Router, World};
use crate::namespaces::Namespace;
use crate::processes::Running;
use crate::run;

/// The lab; gone when dropped.
#[derive(Debug)]
pub(super) struct Lab {
    // What runs inside ends before its namespace does.
    _line: Option<Running>,
    givers: Vec<PortGiver>,
    /// Where the server lives.
    pub(super) server: Namespace,
    /// Where the TURN server lives.
    pub(super) turn: Option<Namespace>,
    /// Where the devices live.
    pub(super) hosts: [Namespace; 2],
    routers: Vec<Namespace>,
    public: Namespace,
    /// A second way out of the first home, not plugged in yet.
    spare: Option<Namespace>,
    /// Somebody who has no part in it.
    victim: Option<Namespace>,
    prefix: String,
    families: Families,
    network: PublicNetwork,
}

/// The first three numbers of the public network's IPv4 addresses.
#[derive(Debug, Clone, Copy)]
struct PublicNetwork(&'static str);

impl PublicNetwork {
    fn of(world: &World) -> Self {
        Self(if world.has_port_giver() {
            "44.10.10"
        } else {
            "203.0.113"
        })
    }

    fn host(self, number: usize) -> String {
        format!("{}.{number}", self.0)
    }

    /// Where the server is reached.
    fn server(self) -> String {
        self.host(10)
    }

    /// A router's public address.
    fn wan(self, index: usize) -> String {
        self.host(21 + index)
    }
}

/// What the first home's router stops carrying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// UDP with the other home.
    Direct,
    /// UDP from the other home: what is sent there still goes.
    Answers,
    /// All UDP.
    Udp,
    /// Everything.
    All,
}

/// What a counter of the kernel has counted, from IP upwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

impl Lab {
    /// Builds the world; `logs` is where the line writes what it says.
    pub(super) fn build(world: &World, logs: &Path) -> Result<Self> {
        static BUILT: AtomicU32 = AtomicU32::new(0);
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("tllab{}-{number}", process::id());
        let make = |name: &str| Namespace::make(format!("{prefix}{name}"));
        let public = make("p")?;
        public.ip(&["link", "add", "bridge", "type", "bridge"])?;
        public.ip(&["link", "set", "bridge", "up"])?;
        let mut lab = Self {
            _line: None,
            givers: Vec::new(),
            server: make("s")?,
            turn: None,
            hosts: [make("a")?, make("b")?],
            routers: Vec::new(),
            public,
            spare: None,
            victim: None,
            prefix: prefix.clone(),
            families: world.families,
            network: PublicNetwork::of(world),
        };
        lab.join(&lab.server, "eth0", "server")?;
        lab.give(
            &lab.server,
            "eth0",
            [
                &format!("{}/24", lab.network.server()),
                &format!("{SERVER_SIX}/64"),
            ],
        )?;
        if world.turn.is_some() {
            let turn = make("t")?;
            lab.join(&turn, "eth0", "turn")?;
            turn.address("eth0", &format!("{}/24", turn::ADDRESS))?;
            lab.turn = Some(turn);
        }
        if world.lie.is_some() {
            let victim = make("v")?;
            lab.join(&victim, "eth0", "victim")?;
            victim.address("eth0", &format!("{VICTIM}/24"))?;
            victim.feed("nft", &["-f", "-"], TO_VICTIM)?;
            for host in &lab.hosts {
                host.feed("nft", &["-f", "-"], TO_NOWHERE)?;
            }
            lab.victim = Some(victim);
        }
        let mut lans = BTreeSet::new();
        for (index, router) in world.routers.iter().enumerate() {
            let inside = make(&format!("r{index}"))?;
            let line = world.line.filter(|_| index == 0);
            match (router.above, line) {
                (Above::Public, None) => lab.join(&inside, "wan", &format!("home{index}"))?,
                (Above::Public, Some(line)) => {
                    lab._line = Some(lab.lay(line, &inside, logs)?);
                }
                (Above::Router(above), _) => {
                    let lan = TRANSIT + u8::try_from(index)?;
                    lab.lan(&lab.routers[above], lan, &mut lans)?;
                    lab.attach(&lab.routers[above], lan, index, &inside, "wan")?;
                }
            }
            if router.above == Above::Public {
                lab.give(
                    &inside,
                    "wan",
                    [
                        &format!("{}/24", lab.network.wan(index)),
                        &format!("{}/64", wan_six(index)),
                    ],
                )?;
            }
            lab.routers.push(inside);
        }
        for (index, home) in world.homes.iter().enumerate() {
            let router = &lab.routers[home.router];
            lab.lan(router, home.lan, &mut lans)?;
            lab.attach(router, home.lan, index, &lab.hosts[index], "eth0")?;
        }
        for (index, router) in world.routers.iter().enumerate() {
            lab.rule(world, index, router)?;
            match router.ports {
                Ports::Kept => {}
                ports @ (Ports::ByPcp | Ports::ByUpnp) => {
                    let lan = world.homes[index].lan;
                    let giver = PortGiver::start(&lab.routers[index], lan, ports, logs)?;
                    lab.givers.push(giver);
                }
            }
        }
        Ok(lab)
    }

    /// Where devices find the server, as it is given to the server and in URLs.
    pub(super) fn server_address(&self) -> String {
        match self.families {
            Families::Four | Families::Both => self.network.server(),
            Families::Six => format!("[{SERVER_SIX}]"),
        }
    }

    /// Ports that routers have given and not taken back.
    pub(super) fn ports_given(&self) -> Result<usize> {
        let mut all = 0;
        for giver in &self.givers {
            all += giver.given(&self.routers[0])?;
        }
        Ok(all)
    }

    /// From now on the first home's router does not carry this.
    pub(super) fn cut(&self, cut: Cut) -> Result<()> {
        let other = self.network.wan(1);
        let rules = match cut {
            Cut::Direct => format!(
                "ip saddr {other} meta l4proto udp drop\nip daddr {other} meta l4proto udp drop"
            ),
            Cut::Answers => format!("ip saddr {other} meta l4proto udp drop"),
            Cut::Udp => "meta l4proto udp drop".to_owned(),
            Cut::All => "drop".to_owned(),
        };
        self.routers[0].feed("nft", &["-f", "-"], &cut_rules(&rules))
    }

    /// From now on the first home's router counts what goes directly between the two homes.
    pub(super) fn count_direct(&self) -> Result<()> {
        let other = self.network.wan(1);
        let rules = format!(
            "table ip counts {{
             counter direct {{}}
             chain passing {{ type filter hook forward priority -10; policy accept;
             ip saddr {other} meta l4proto udp counter name direct
             ip daddr {other} meta l4proto udp counter name direct
             }}
             }}"
        );
        self.routers[0].feed("nft", &["-f", "-"], &rules)
    }

    /// What it has counted.
    pub(super) fn direct(&self) -> Result<Counted> {
        counted(&self.routers[0], "direct")
    }

    /// From now on the first host counts the UDP that it sends beyond its LAN, and what it and this address, which
    /// nobody has, send each other.
    pub(super) fn count_of_host(&self, nobody: &str) -> Result<()> {
        // Else the router would take what claims to come from there for misled.
        self.routers[0].ip(&["route", "add", nobody, "dev", "wan"])?;
        let rules = format!(
            "table ip counts {{
             counter sent {{}}
             counter from_nobody {{}}
             counter to_nobody {{}}
             chain leaving {{ type filter hook output priority 0; policy accept;
             ip daddr {nobody} counter name to_nobody
             ip daddr != {{ 192.168.0.0/16, 224.0.0.0/4 }} meta l4proto udp counter name sent
             }}
             chain arriving {{ type filter hook input priority 0; policy accept;
             ip saddr {nobody} counter name from_nobody
             }}
             }}"
        );
        self.hosts[0].feed("nft", &["-f", "-"], &rules)
    }

    /// What it has counted by this name.
    pub(super) fn of_host(&self, name: &str) -> Result<Counted> {
        counted(&self.hosts[0], name)
    }

    /// What has come to somebody who has no part in it.
    pub(super) fn to_victim(&self) -> Result<Counted> {
        counted(self.victim.as_ref().context("nobody")?, "came")
    }

    /// What a host has sent to groups, to everybody and to itself.
    pub(super) fn to_nowhere(&self, host: usize) -> Result<Counted> {
        counted(&self.hosts[host], "nowhere")
    }

    /// The first home's router resets every connection with the server that says something.
    pub(super) fn reset_connections(&self) -> Result<()> {
        let reset = "tcp dport 443 reject with tcp reset\ntcp sport 443 reject with tcp reset";
        self.routers[0].feed("nft", &["-f", "-"], &cut_rules(reset))
    }

    /// Carries everything again.
    pub(super) fn heal(&self) -> Result<()> {
        self.routers[0].feed("nft", &["-f", "-"], "delete table ip cut\n")
    }

    /// Pulls the first host's cable.
    pub(super) fn pull_cable(&self) -> Result<()> {
        let host = &self.hosts[0];
        host.ip(&["addr", "flush", "dev", "eth0", "scope", "global"])?;
        host.ip(&["link", "set", "eth0", "down"]).map(drop)
    }

    /// Plugs it in again: the host gets the address of before.
    pub(super) fn plug_cable(&self) -> Result<()> {
        let host = &self.hosts[0];
        host.ip(&["link", "set", "eth0", "up"])?;
        host.address("eth0", "192.168.1.2/24")?;
        host.ip(&["route", "add", "default", "via", "192.168.1.1"])
            .map(drop)
    }

    /// The first host gets another address on its LAN, as from a router that was replaced.
    pub(super) fn change_address(&self) -> Result<()> {
        let host = &self.hosts[0];
        host.ip(&["addr", "flush", "dev", "eth0", "scope", "global"])?;
        host.address("eth0", "192.168.1.77/24")?;
        host.ip(&["route", "add", "default", "via", "192.168.1.1"])
            .map(drop)
    }

    /// The first router gets another public address, as from a provider at night. Linux forgets what it
    /// translated to the old one.
    pub(super) fn change_public_address(&self) -> Result<()> {
        let router = &self.routers[0];
        router.ip(&["addr", "flush", "dev", "wan", "scope", "global"])?;
        router.address("wan", &format!("{}/24", self.network.host(77)))
    }

    /// Makes a second way out of the first home: another router with another network, not plugged in yet.
    pub(super) fn prepare_spare(&mut self) -> Result<()> {
        let spare = Namespace::make(format!("{}x", self.prefix))?;
        self.join(&spare, "wan", "spare")?;
        spare.address("wan", &format!("{}/24", self.network.host(66)))?;
        spare.plug("lan9", &self.hosts[0], "eth1")?;
        self.hosts[0].ip(&["link", "set", "eth1", "down"])?;
        spare.address("lan9", "192.168.9.1/24")?;
        spare.set("ipv4/ip_forward", "1")?;
        spare.feed(
            "nft",
            &["-f", "-"],
            &Nat::Mapped.rules("192.168.9.2", super::world::Unasked::Dropped),
        )?;
        self.spare = Some(spare);
        Ok(())
    }

    /// Pulls the first host's cable and plugs in the other one.
    pub(super) fn swap_uplink(&self) -> Result<()> {
        let host = &self.hosts[0];
        host.ip(&["link", "set", "eth0", "down"])?;
        host.ip(&["link", "set", "eth1", "up"])?;
        host.address("eth1", "192.168.9.2/24")?;
        host.ip(&["route", "add", "default", "via", "192.168.9.1"])
            .map(drop)
    }

    /// Bytes that have left through a router to the public network, and come from there.
    pub(super) fn wan_bytes(&self, router: usize) -> Result<u64> {
        let shown = self.routers[router].ip(&["-s", "-j", "link", "show", "dev", "wan"])?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let count = |way: &str| {
            let count = shown[0]["stats64"][way]["bytes"].as_u64();
            count.context("no count of a router's bytes")
        };
        Ok(count("rx")? + count("tx")?)
    }

    /// Joins a device to the public bridge.
    fn join(&self, to: &Namespace, device: &str, port: &str) -> Result<()> {
        self.public.plug(port, to, device)?;
        self.public
            .ip(&["link", "set", port, "master", "bridge"])
            .map(drop)
    }

    /// Joins a router to the public bridge by a slow line.
    fn lay(&self, line: Line, router: &Namespace, logs: &Path) -> Result<Running> {
        let program = env::current_exe()?;
        let mut command = self.public.command(&program.to_string_lossy());
        command.arg("netlab-line").args(line.arguments());
        let mut running = Running::start("line", &mut command, logs)?;
        running.wait_for_line(|said| said == READY, LINE_PATIENCE)?;
        let [near, far] = ENDS;
        self.public
            .ip(&["link", "set", near, "master", "bridge", "up"])?;
        self.public
            .ip(&["link", "set", far, "netns", router.name()])?;
        router.ip(&["link", "set", far, "name", "wan", "up"])?;
        Ok(running)
    }

    /// Makes a network behind a router, if it is not there yet.
    fn lan(&self, router: &Namespace, lan: u8, lans: &mut BTreeSet<u8>) -> Result<()> {
        if !lans.insert(lan) {
            return Ok(());
        }
        let name = format!("lan{lan}");
        router.ip(&["link", "add", &name, "type", "bridge"])?;
        router.ip(&["link", "set", &name, "up"])?;
        self.give(
            router,
            &name,
            [
                &format!("192.168.{lan}.1/24"),
                &format!("2001:db8:{lan}::1/64"),
            ],
        )
    }

    /// Plugs something into a network behind a router, which is its way out from then on.
    fn attach(
        &self,
        router: &Namespace,
        lan: u8,
        index: usize,
        there: &Namespace,
        device: &str,
    ) -> Result<()> {
        let port = format!("port{lan}-{index}");
        router.plug(&port, there, device)?;
        router.ip(&["link", "set", &port, "master", &format!("lan{lan}")])?;
        let host = index + 2;
        self.give(
            there,
            device,
            [
                &format!("192.168.{lan}.{host}/24"),
                &format!("2001:db8:{lan}::{host}/64"),
            ],
        )?;
        if self.has_four() {
            there.ip(&[
                "route",
                "add",
                "default",
                "via",
                &format!("192.168.{lan}.1"),
            ])?;
        }
        if self.has_six() {
            there.ip(&[
                "-6",
                "route",
                "add",
                "default",
                "via",
                &format!("2001:db8:{lan}::1"),
            ])?;
        }
        Ok(())
    }

    /// Gives a device its addresses, of the families that this world has.
    fn give(&self, to: &Namespace, device: &str, [four, six]: [&str; 2]) -> Result<()> {
        if self.has_four() {
            to.address(device, four)?;
        }
        if self.has_six() {
            // Nobody else has it, so nobody need be asked for seconds.
            to.ip(&["addr", "add", six, "dev", device, "nodad"])?;
        }
        Ok(())
    }

    /// Lets a router pass packets on as it should, and tells the world what has an address of its own.
    fn rule(&self, world: &World, index: usize, router: &Router) -> Result<()> {
        let inside = &self.routers[index];
        let behind = world.homes.iter().zip(0_usize..);
        let behind: Vec<_> = behind.filter(|(home, _)| home.router == index).collect();
        let address = |(home, host): &(&super::world::Home, usize)| {
            format!("192.168.{}.{}", home.lan, host + 2)
        };
        let first = behind
            .first()
            .map_or_else(|| "192.168.103.4".to_owned(), address);
        inside.feed(
            "nft",
            &["-f", "-"],
            &router.nat.rules(&first, router.unasked),
        )?;
        let forwards: Vec<_> = behind
            .iter()
            .filter_map(|each| Some((each.0.port?, address(each))))
            .collect();
        if !forwards.is_empty() {
            inside.feed(
                "nft",
                &["-f", "-"],
                &between_rules(router.between, &forwards),
            )?;
        }
        match router.memory {
            Memory::Usual => {}
            Memory::Short => {
                inside.set("netfilter/nf_conntrack_udp_timeout", "3")?;
                inside.set("netfilter/nf_conntrack_udp_timeout_stream", "6")?;
            }
        }
        inside.set("ipv4/ip_forward", "1")?;
        if self.has_six() {
            inside.set("ipv6/conf/all/forwarding", "1")?;
            inside.feed("nft", &["-f", "-"], &six_rules(router.six))?;
        }
        let nat_is_open = router.nat == Nat::Open && self.has_four();
        for (home, _) in behind {
            let mut routes = Vec::new();
            if nat_is_open {
                let network = format!("192.168.{}.0/24", home.lan);
                routes.push(["-4".to_owned(), network, self.network.wan(index)]);
            }
            if self.has_six() {
                let network = format!("2001:db8:{}::/64", home.lan);
                routes.push(["-6".to_owned(), network, wan_six(index)]);
            }
            let others = (self.routers.iter().zip(&world.routers).enumerate())
                .filter(|(other, (_, at))| *other != index && at.above == Above::Public)
                .map(|(_, (namespace, _))| namespace);
            for one in others.chain([&self.server]) {
                for [family, network, via] in &routes {
                    one.ip(&[family, "route", "replace", network, "via", via])?;
                }
            }
        }
        Ok(())
    }

    const fn has_four(&self) -> bool {
        match self.families {
            Families::Four | Families::Both => true,
            Families::Six => false,
        }
    }

    const fn has_six(&self) -> bool {
        match self.families {
            Families::Six | Families::Both => true,
            Families::Four => false,
        }
    }
}

/// What a counter in a namespace stands at.
fn counted(inside: &Namespace, name: &str) -> Result<Counted> {
    let mut command = inside.command("nft");
    let shown = run::capture(command.args(["--json", "list", "counters"]))?;
    let shown: serde_json::Value = serde_json::from_str(&shown)?;
    let all = shown["nftables"].as_array().context("no counters")?;
    let counter = all
        .iter()
        .map(|one| &one["counter"])
        .find(|counter| counter["name"] == name)
        .context("the counter is gone")?;
    Ok(Counted {
        bytes: counter["bytes"].as_u64().context("no bytes")?,
        packets: counter["packets"].as_u64().context("no packets")?,
    })
}

fn cut_rules(rules: &str) -> String {
    format!(
        "table ip cut {{
         chain passing {{ type filter hook forward priority -10; policy accept;
         {rules}
         }}
         }}"
    )
}

fn wan_six(index: usize) -> String {
    format!("2001:db8:ff::{}", 21 + index)
}

const SERVER_SIX: &str = "2001:db8:ff::10";

/// Networks between two routers have numbers from here on.
const TRANSIT: u8 = 101;

/// How long the line may take to be laid: 10 s, so that a loaded machine is no error.
const LINE_PATIENCE: Duration = Duration::from_secs(10);

/// What counts everything that comes to a namespace.
const TO_VICTIM: &str = "table ip counts {
    counter came {}
    chain arriving { type filter hook input priority 0; policy accept;
    counter name came
    }
    }";

/// What counts the UDP of a namespace that goes to no other host; announcements and searches for routers are not in it.
const TO_NOWHERE: &str = "table ip counts {
    counter nowhere {}
    chain leaving { type filter hook output priority 0; policy accept;
    udp dport { 1900, 5353 } accept
    ip daddr { 127.0.0.0/8, 224.0.0.0/4, 255.255.255.255, 192.168.1.255, 192.168.2.255 } meta l4proto udp counter name nowhere
    }
    }";
