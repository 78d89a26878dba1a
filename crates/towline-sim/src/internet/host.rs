//! The hosts of a small internet: a device each, and the tables that its engine keeps of the network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_core::clock::Moment;
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{
    Discovery, Input, NetworkEvent, NetworkRequest, Output, Path, StoreRequest, StunServer,
};
use towline_core::records::{ScopeRule, ServersRule};
use towline_core::sessions::Elsewhere;
use towline_wire::ids::{DeviceId, Incarnation};

use super::given::Mapper;
use super::lender::Borrower;
use super::map::Spot;
use super::probe::{Extra, Heard, Ping, Source};
use super::quic::{End, Frame};
use super::server;
use super::{Event, Internet};
use crate::dice::Dice;
use crate::rule::Rule;
use crate::shelf::{Shelf, StoreKind};

/// Outputs after which a world is taken for one that never ends.
const OUTPUTS_MAX: u64 = 400_000;

/// The port of a device's first life.
const PORT: u16 = 41_000;

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    key: [u8; 32],
    pub(super) id: DeviceId,
    pub(super) device: Option<Device>,
    /// Counts the device's lives.
    pub(super) run: u32,
    pub(super) shelf: Shelf,
    clock_offset: Duration,
    due: Option<Moment>,
    pub(super) spot: Option<Spot>,
    /// Every address that it has had.
    past_ips: BTreeSet<IpAddr>,
    pub(super) asleep_until: Duration,
    pub(super) port: u16,
    /// Whom the device trusts.
    trusts: BTreeSet<usize>,
    pub(super) selected: BTreeMap<usize, Path>,
    pub(super) mapper: Mapper,
    pub(super) borrower: Borrower,
    // --- probes
    pub(super) pings: VecDeque<Ping>,
    pub(super) heard: BTreeMap<usize, Heard>,
    pub(super) sources: BTreeMap<SocketAddr, Source>,
    pub(super) admitted: BTreeMap<usize, Vec<SocketAddr>>,
    pub(super) extras: BTreeMap<u16, Extra>,
    pub(super) next_extra: u16,
    pub(super) questions: VecDeque<(u64, StunServer, SocketAddr)>,
    // --- connections
    pub(super) ends: BTreeMap<u64, End>,
    pub(super) past: VecDeque<u64>,
    pub(super) connections: u64,
    pub(super) unanswered: BTreeMap<usize, Duration>,
    pub(super) heard_by_way: BTreeMap<(usize, Option<SocketAddr>), Duration>,
    /// Every choice of a path: when, with whom.
    pub(super) selections: Vec<(Duration, usize)>,
}

impl Host {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let key: [u8; 32] = dice.bytes();
        Self {
            key,
            id: Identity::from_seed(&key).id(),
            device: None,
            run: 0,
            shelf: Shelf::new(StoreKind::Memory, Incarnation(dice.number())),
            clock_offset: Duration::from_secs(dice.below(100_000) as u64),
            due: None,
            spot: None,
            past_ips: BTreeSet::new(),
            asleep_until: Duration::ZERO,
            port: PORT,
            trusts: BTreeSet::new(),
            selected: BTreeMap::new(),
            mapper: Mapper::default(),
            borrower: Borrower::default(),
            pings: VecDeque::new(),
            heard: BTreeMap::new(),
            sources: BTreeMap::new(),
            admitted: BTreeMap::new(),
            extras: BTreeMap::new(),
            next_extra: 0,
            questions: VecDeque::new(),
            ends: BTreeMap::new(),
            past: VecDeque::new(),
            connections: 0,
            unanswered: BTreeMap::new(),
            heard_by_way: BTreeMap::new(),
            selections: Vec::new(),
        }
    }

    /// It is somewhere else, or nowhere.
    pub(super) fn moves(&mut self, spot: Option<Spot>) {
        self.spot = spot;
        self.past_ips.extend(spot.iter().flat_map(Spot::ips));
    }

    pub(super) fn has_been(&self, ip: IpAddr) -> bool {
        self.past_ips.contains(&ip)
    }

    pub(super) fn sleeps(&self, now: Duration) -> bool {
        now < self.asleep_until
    }

    pub(super) fn trusts(&self, peer: usize) -> bool {
        self.trusts.contains(&peer)
    }

    /// Whether a connection of this life was here once.
    pub(super) fn was_here(&self, number: u64) -> bool {
        self.past.contains(&number)
    }

    /// What listens, as the system tells it.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let ips = self.spot.map(|spot| spot.ips()).unwrap_or_default();
        ips.into_iter()
            .map(|ip| SocketAddr::new(ip, self.port))
            .collect()
    }
}

impl Internet {
    pub(super) fn moment(&self, host: usize) -> Moment {
        Moment::from_start(self.now + self.hosts[host].clock_offset)
    }

    pub(super) fn host_of(&self, id: DeviceId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == id)
    }

    /// A device starts from its store.
    pub(super) fn start(&mut self, host: usize) {
        if self.hosts[host].device.is_some() {
            return;
        }
        self.note(format_args!("{host} starts"));
        let seed = self.dice.bytes();
        let now = self.moment(host);
        let another_port = self.dice.chance(30);
        let ice = self.lender.set_for(host);
        let place = &mut self.hosts[host];
        place.run += 1;
        if another_port && place.run > 1 {
            place.port += 1;
        }
        let birth = Birth {
            seed,
            identity: Identity::from_seed(&place.key),
            restored: place.shelf.restored(),
            servers: server::URL.parse().into_iter().collect(),
            servers_rule: ServersRule::Chosen,
            elsewhere: Elsewhere::Forbidden,
            scope: ScopeRule::Chosen,
            discovery: Discovery::On,
            ice,
            places: BTreeMap::new(),
        };
        place.device = Some(Device::new(now, birth));
        self.perform(host);
        let (wait, run) = (Duration::from_millis(1), self.hosts[host].run);
        self.after(wait, Event::AddressesTold { host, run });
        self.neighbours_change();
    }

    pub(super) fn tell_addresses(&mut self, host: usize) {
        let addresses = NetworkEvent::LocalAddresses(self.hosts[host].addresses());
        self.tell(host, Input::Network(addresses));
    }

    /// A device is gone, without a word.
    pub(super) fn crash(&mut self, host: usize) {
        if self.hosts[host].device.is_none() {
            return;
        }
        self.note(format_args!("{host} crashes"));
        self.sockets_lost(host);
        self.give_back(host);
        let place = &mut self.hosts[host];
        place.device = None;
        place.due = None;
        place.trusts.clear();
        place.selected.clear();
        place.mapper = Mapper::default();
        place.borrower = Borrower::default();
        place.pings.clear();
        place.heard.clear();
        place.sources.clear();
        place.admitted.clear();
        place.extras.clear();
        place.questions.clear();
        place.ends.clear();
        place.past.clear();
        place.unanswered.clear();
        place.heard_by_way.clear();
        self.neighbours_change();
    }

    pub(super) fn deliver(&mut self, host: usize, wait: Duration, input: Input) {
        let run = self.hosts[host].run;
        self.after(wait, Event::Deliver { host, run, input });
    }

    pub(super) fn tell(&mut self, host: usize, input: Input) {
        let now = self.now;
        if self.hosts[host].sleeps(now) {
            let wait = self.hosts[host].asleep_until - now;
            return self.deliver(host, wait, input);
        }
        let Some(input) = self.bent_input(host, input) else {
            return;
        };
        self.note(format_args!("{host} <- {input:?}"));
        let moment = self.moment(host);
        if let Some(device) = &mut self.hosts[host].device {
            device.handle_input(moment, input);
        }
        self.perform(host);
    }

    pub(super) fn timeout(&mut self, host: usize) {
        let moment = self.moment(host);
        let asleep_until = self.hosts[host].asleep_until;
        let sleeps = self.hosts[host].sleeps(self.now);
        let place = &mut self.hosts[host];
        let Some(device) = &mut place.device else {
            return;
        };
        if sleeps {
            let run = place.run;
            return self.at(asleep_until, Event::Timeout { host, run });
        }
        place.due = None;
        if device.poll_timeout().is_some_and(|due| due <= moment) {
            device.handle_timeout(moment);
            self.perform(host);
        } else {
            self.arm(host);
        }
    }

    fn arm(&mut self, host: usize) {
        let moment = self.moment(host);
        let place = &mut self.hosts[host];
        let Some(wanted) = place.device.as_ref().and_then(Device::poll_timeout) else {
            return;
        };
        if place.due.is_some_and(|due| due <= wanted) {
            return;
        }
        place.due = Some(wanted);
        let run = place.run;
        self.after(wanted.since(moment), Event::Timeout { host, run });
    }

    fn perform(&mut self, host: usize) {
        while let Some(output) = self.hosts[host]
            .device
            .as_mut()
            .and_then(Device::poll_output)
        {
            self.outputs += 1;
            if self.outputs > OUTPUTS_MAX {
                return self.violate(Rule::Ends, format!("{} outputs", self.outputs));
            }
            self.note(format_args!("{host} -> {output:?}"));
            match output {
                Output::Store(request) => self.store_asked(host, request),
                Output::Network(request) => self.network_asked(host, request),
                Output::Signal(id, request) => self.signal_asked(host, id, request),
                // Nobody has a folder, or commands anything.
                Output::Disk(..) | Output::Reply(..) => {}
            }
        }
        self.arm(host);
    }

    fn store_asked(&mut self, host: usize, request: StoreRequest) {
        let reply = self.hosts[host].shelf.reply(request);
        self.deliver(host, Duration::from_millis(1), Input::Store(reply));
    }

    fn network_asked(&mut self, host: usize, request: NetworkRequest) {
        for request in self.bent_request(host, request) {
            self.network_does(host, request);
        }
    }

    fn network_does(&mut self, host: usize, request: NetworkRequest) {
        let peer_of = |internet: &Self, id| internet.host_of(id);
        match request {
            NetworkRequest::Trust(peers) => {
                let peers = peers.into_iter().filter_map(|id| self.host_of(id));
                let peers = peers.collect();
                self.hosts[host].trusts = peers;
            }
            NetworkRequest::Probe(id, to) => {
                if let Some(peer) = peer_of(self, id) {
                    self.ping(host, peer, to);
                }
            }
            NetworkRequest::ProbeLarge(id, to) => {
                if let Some(peer) = peer_of(self, id) {
                    self.ping_large(host, peer, to);
                }
            }
            NetworkRequest::Select(id, path) => {
                if let Some(peer) = peer_of(self, id) {
                    self.select(host, peer, path);
                }
            }
            NetworkRequest::Dial(id) => {
                if let Some(peer) = peer_of(self, id) {
                    self.dial(host, peer);
                }
            }
            NetworkRequest::Hangup(id) => {
                if let Some(peer) = peer_of(self, id) {
                    self.hang_up(host, peer, towline_core::io::LinkFault::Closed);
                }
            }
            NetworkRequest::HangupOnFault(id) => {
                if let Some(peer) = peer_of(self, id) {
                    self.hang_up(host, peer, towline_core::io::LinkFault::Protocol);
                }
            }
            NetworkRequest::Abandon(id, connection) => {
                if let Some(peer) = peer_of(self, id) {
                    self.abandon(host, peer, connection);
                }
            }
            NetworkRequest::Scatter {
                peer,
                to,
                sockets,
                within,
            } => {
                if let Some(peer) = peer_of(self, peer) {
                    self.scatter(host, peer, to, sockets, within);
                }
            }
            NetworkRequest::Gather(id) => {
                if let Some(peer) = peer_of(self, id) {
                    self.gather(host, peer);
                }
            }
            NetworkRequest::MapPort => self.map_port(host),
            NetworkRequest::AskStun(named) => self.ask_stun(host, named),
            NetworkRequest::Ask(id, connection, within) => {
                if let Some(peer) = peer_of(self, id) {
                    self.ask(host, peer, connection, within);
                }
            }
            NetworkRequest::OpenRelay {
                peer,
                url,
                channel,
                token,
            } => {
                let fits = url.ends_with(&format!("/relay/{channel}"));
                if let (Some(peer), true) = (peer_of(self, peer), fits) {
                    self.open_relay(host, peer, channel, &token);
                }
            }
            NetworkRequest::CloseRelay(id) => {
                if let Some(peer) = peer_of(self, id) {
                    self.close_relay(host, peer);
                }
            }
            NetworkRequest::Send(id, control) => {
                if let Some(peer) = peer_of(self, id) {
                    self.send_frame(host, peer, Frame::Control(control));
                }
            }
            NetworkRequest::Borrow(_) => self.borrow(host),
            NetworkRequest::GiveBack => self.give_back(host),
            // Nobody pairs here, and nobody has folders.
            NetworkRequest::LookUp(..)
            | NetworkRequest::Grant(..)
            | NetworkRequest::HostPairing(..)
            | NetworkRequest::MeetPairing(..)
            | NetworkRequest::SendPairing(..)
            | NetworkRequest::ClosePairing(_) => {}
        }
    }

    pub(super) fn select(&mut self, host: usize, peer: usize, path: Path) {
        let now = self.now;
        if let Path::Direct(addr) = path {
            self.admit(host, peer, addr, super::probe::Proof::Answered, None);
        }
        let place = &mut self.hosts[host];
        if place.selected.insert(peer, path) != Some(path) {
            place.selections.push((now, peer));
            self.path_selected(host, peer);
        }
    }
}
