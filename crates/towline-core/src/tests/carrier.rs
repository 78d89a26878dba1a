//! The ways of a pairing: the server, the local network, or whichever comes first.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::code::Slot;

use crate::carrier::{Carrier, CarrierNews, HomeServer, NearbyEvent};
use crate::clock::Moment;
use crate::io::{
    Discovery, Neighbour, NeighbourName, NetworkRequest, NetworkScope, Output, PairingId,
};
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, MailboxRequest, Way};
use crate::snapshot::PairingFault;

const LIFE: Duration = Duration::from_secs(300);

/// A carrier, its clock, and what it asks of the network.
struct World {
    carrier: Carrier,
    now: Moment,
    rng: ChaCha20Rng,
    outbox: Outbox,
}

impl World {
    fn new(home: HomeServer) -> Self {
        Self::of(NetworkScope::Everywhere, Discovery::On, home)
    }

    fn of(scope: NetworkScope, discovery: Discovery, home: HomeServer) -> Self {
        Self {
            carrier: Carrier::new(scope, discovery, home),
            now: Moment::from_start(Duration::from_secs(9)),
            rng: ChaCha20Rng::from_seed([7; 32]),
            outbox: Outbox::default(),
        }
    }

    fn want(&mut self, request: MailboxRequest) -> Vec<CarrierNews> {
        self.carrier
            .wanted(self.now, request, &mut self.rng, &mut self.outbox)
    }

    fn server(&mut self, event: MailboxEvent) -> Vec<CarrierNews> {
        self.carrier
            .server_said(event, &mut self.rng, &mut self.outbox)
    }

    fn nearby(&mut self, id: u64, event: NearbyEvent) -> Vec<CarrierNews> {
        self.carrier
            .nearby_said(PairingId(id), event, &mut self.outbox)
    }

    fn see(&mut self, neighbours: Vec<Neighbour>) -> Vec<CarrierNews> {
        self.carrier
            .neighbours(self.now, neighbours, &mut self.outbox)
    }

    fn next(&mut self) -> Vec<CarrierNews> {
        self.now = self.carrier.poll_timeout().expect("something is due");
        self.carrier
            .handle_timeout(self.now, &mut self.rng, &mut self.outbox)
    }

    fn asked(&mut self) -> Vec<NetworkRequest> {
        std::iter::from_fn(|| self.outbox.pop())
            .map(|output| {
                let Output::Network(request) = output else {
                    panic!("not for the network: {output:?}");
                };
                request
            })
            .collect()
    }
}

fn slot() -> Slot {
    Slot::parse("ABC").unwrap()
}

fn neighbour(name: u64, slot: Option<Slot>) -> Neighbour {
    let last = u8::try_from(name).unwrap();
    Neighbour {
        name: NeighbourName(name),
        addresses: vec![([192, 168, 1, last], 4000).into()],
        slot,
    }
}

fn meets(id: u64, name: u64) -> NetworkRequest {
    NetworkRequest::MeetPairing(PairingId(id), neighbour(name, None).addresses)
}

fn failed(fault: PairingFault) -> [CarrierNews; 1] {
    [CarrierNews::Pairing(MailboxEvent::Failed(fault))]
}

fn joined(way: Way) -> CarrierNews {
    CarrierNews::Pairing(MailboxEvent::Joined(way))
}

fn claim(host: Option<&str>) -> MailboxRequest {
    MailboxRequest::Claim(slot(), host.map(str::to_owned))
}

/// The slot of a code that only devices nearby find.
fn own_slot(news: &[CarrierNews]) -> Slot {
    match news.last() {
        Some(CarrierNews::Pairing(MailboxEvent::Opened {
            slot,
            lasts: LIFE,
            server: None,
        })) => slot.clone(),
        other => panic!("not opened nearby: {other:?}"),
    }
}

#[test]
fn without_a_server_the_device_draws_the_slot_and_announces_it() {
    let mut world = World::new(HomeServer::None);
    let opened = world.want(MailboxRequest::Open);
    let slot = own_slot(&opened);
    let hosts = NetworkRequest::HostPairing(PairingId(1), slot);
    assert_eq!(world.asked(), [hosts]);
    assert_eq!(world.nearby(1, NearbyEvent::Met), [joined(Way::Nearby)]);
    let heard = world.nearby(1, NearbyEvent::Received(b"share".to_vec()));
    let received = CarrierNews::Pairing(MailboxEvent::Received(b"share".to_vec()));
    assert_eq!(heard, [received]);
    assert!(
        world
            .want(MailboxRequest::Send(b"mine".to_vec()))
            .is_empty()
    );
    assert!(world.want(MailboxRequest::Done).is_empty());
    let said = NetworkRequest::SendPairing(PairingId(1), b"mine".to_vec());
    let over = NetworkRequest::ClosePairing(PairingId(1));
    assert_eq!(world.asked(), [said, over]);
}

#[test]
fn a_slot_of_the_server_is_announced_too_and_who_comes_first_is_the_one() {
    let open = || {
        let mut world = World::new(HomeServer::Known);
        let asks = [CarrierNews::Server(MailboxRequest::Open)];
        assert_eq!(world.want(MailboxRequest::Open), asks);
        let opened = MailboxEvent::Opened {
            slot: slot(),
            lasts: LIFE,
            server: Some("wss://meet.example/ws".parse().unwrap()),
        };
        let told = [CarrierNews::Pairing(opened.clone())];
        assert_eq!(world.server(opened), told);
        let hosts = NetworkRequest::HostPairing(PairingId(1), slot());
        assert_eq!(world.asked(), [hosts]);
        world
    };
    let mut nearby = open();
    let burned = CarrierNews::Server(MailboxRequest::Burn);
    assert_eq!(
        nearby.nearby(1, NearbyEvent::Met),
        [burned, joined(Way::Nearby)],
        "the server's mailbox takes nobody any more"
    );
    assert!(nearby.server(MailboxEvent::Joined(Way::Server)).is_empty());
    let mut server = open();
    let met = server.server(MailboxEvent::Joined(Way::Server));
    assert_eq!(met, [joined(Way::Server)]);
    assert_eq!(
        server.asked(),
        [NetworkRequest::ClosePairing(PairingId(1))],
        "nobody nearby is let in any more"
    );
    assert!(server.nearby(1, NearbyEvent::Met).is_empty());
}

#[test]
fn a_server_that_does_not_answer_leaves_the_local_network() {
    let mut silent = World::new(HomeServer::Known);
    silent.want(MailboxRequest::Open);
    let late = silent.next();
    assert_eq!(late[0], CarrierNews::Server(MailboxRequest::Burn));
    own_slot(&late);
    let mut dead = World::new(HomeServer::Known);
    dead.want(MailboxRequest::Open);
    let gone = MailboxEvent::Failed(PairingFault::ServerUnreachable);
    own_slot(&dead.server(gone.clone()));
    let busy = MailboxEvent::Failed(PairingFault::RateLimited);
    let mut refused = World::new(HomeServer::Known);
    refused.want(MailboxRequest::Open);
    assert_eq!(refused.server(busy), failed(PairingFault::RateLimited));
    let mut unheard = World::of(NetworkScope::Everywhere, Discovery::Off, HomeServer::Known);
    unheard.want(MailboxRequest::Open);
    assert_eq!(unheard.carrier.poll_timeout(), None);
    let told = unheard.server(gone);
    assert_eq!(told, failed(PairingFault::ServerUnreachable));
    assert!(unheard.asked().is_empty());
}

#[test]
fn who_enters_a_code_goes_to_the_neighbour_that_announces_it() {
    for home in [HomeServer::None, HomeServer::Known] {
        let mut world = World::new(home);
        let others = vec![neighbour(3, None), neighbour(4, Slot::parse("XYZ").ok())];
        world.see(others);
        assert!(world.want(claim(None)).is_empty());
        assert!(world.asked().is_empty(), "nobody is told the slot");
        world.see(vec![neighbour(3, None), neighbour(5, Some(slot()))]);
        assert_eq!(world.asked(), [meets(1, 5)]);
        assert_eq!(world.nearby(1, NearbyEvent::Met), [joined(Way::Nearby)]);
        let gone = world.nearby(1, NearbyEvent::Gone);
        assert_eq!(
            gone,
            failed(PairingFault::PeerGone),
            "a counterpart that was met may have used up its guess"
        );
    }
}

#[test]
fn a_code_that_nobody_nearby_shows_goes_to_the_server() {
    let to_server = |host| [CarrierNews::Server(claim(host))];
    let mut world = World::new(HomeServer::Known);
    assert!(world.want(claim(None)).is_empty());
    assert_eq!(world.next(), to_server(None));
    let named = Some("meet.example");
    let mut elsewhere = World::new(HomeServer::None);
    elsewhere.want(claim(named));
    assert_eq!(elsewhere.next(), to_server(named));
    let mut unreached = World::new(HomeServer::Known);
    unreached.see(vec![neighbour(5, Some(slot()))]);
    unreached.want(claim(None));
    assert_eq!(unreached.nearby(1, NearbyEvent::Gone), to_server(None));
    let mut silent = World::new(HomeServer::Known);
    silent.see(vec![neighbour(5, Some(slot()))]);
    silent.want(claim(None));
    silent.asked();
    assert_eq!(silent.next(), to_server(None));
    assert_eq!(silent.asked(), [NetworkRequest::ClosePairing(PairingId(1))]);
    let mut nowhere = World::new(HomeServer::None);
    nowhere.want(claim(None));
    assert_eq!(nowhere.next(), failed(PairingFault::NotNearby));
}

#[test]
fn several_neighbours_with_one_slot_end_the_pairing() {
    let both = || vec![neighbour(5, Some(slot())), neighbour(6, Some(slot()))];
    let mut known = World::new(HomeServer::Known);
    known.see(both());
    let several = failed(PairingFault::SeveralNearby);
    assert_eq!(known.want(claim(None)), several);
    assert!(known.asked().is_empty());
    let mut later = World::new(HomeServer::None);
    later.want(claim(None));
    assert_eq!(later.see(both()), several);
    assert_eq!(later.carrier.poll_timeout(), None);
}

#[test]
fn within_the_local_network_no_server_is_asked() {
    let mut world = World::of(NetworkScope::LocalNetwork, Discovery::On, HomeServer::Known);
    own_slot(&world.want(MailboxRequest::Open));
    world.want(MailboxRequest::Burn);
    world.want(claim(Some("meet.example")));
    assert_eq!(world.next(), failed(PairingFault::NotNearby));
    let alone = World::of(
        NetworkScope::LocalNetwork,
        Discovery::Off,
        HomeServer::Known,
    );
    assert!(!alone.carrier.has_way(Some("meet.example")));
}

#[test]
fn what_a_pairing_that_was_left_says_late_is_not_heard() {
    let mut world = World::new(HomeServer::None);
    world.want(MailboxRequest::Open);
    world.want(MailboxRequest::Burn);
    world.want(MailboxRequest::Open);
    world.asked();
    assert!(world.nearby(1, NearbyEvent::Met).is_empty());
    assert!(world.nearby(1, NearbyEvent::Gone).is_empty());
    assert_eq!(world.nearby(2, NearbyEvent::Met), [joined(Way::Nearby)]);
    assert!(world.nearby(1, NearbyEvent::Received(vec![1])).is_empty());
}
