//! Addresses that are somebody else's: how much a peer, or whoever speaks for it, can have us send there.

use super::*;

/// Sixteen ports of a host that has nothing to do with us, others each time.
fn of_a_victim(round: u64) -> Vec<SocketAddr> {
    let port = |at| 20_000 + u16::try_from((round * 16 + at) % 40_000).unwrap();
    (0..16)
        .map(|at| SocketAddr::from(([198, 51, 100, 66], port(at))))
        .collect()
}

impl World {
    fn told(&mut self, addresses: Vec<SocketAddr>) {
        let (peer, id) = (self.peer, ConnectionId(1));
        let told = Control::Addresses(addresses);
        self.network(NetworkEvent::Received(peer, id, told));
    }

    fn probed(&mut self) -> Vec<SocketAddr> {
        let requests = self.requests().into_iter();
        let probes = requests.filter_map(|request| {
            if let NetworkRequest::Probe(_, addr) = request {
                Some(addr)
            } else {
                None
            }
        });
        probes.collect()
    }
}

#[test]
fn a_host_that_never_answers_gets_few_probes_whoever_names_it_and_how_often() {
    let mut worlds = [World::up_on_relay(&[]), World::up_on_relay(&[])];
    let mut ration = Ration::default();
    let mut sent = Vec::new();
    for second in 0..3540 {
        for world in &mut worlds {
            std::mem::swap(&mut world.ration, &mut ration);
            world.told(of_a_victim(second));
            world.pass(seconds(1));
            sent.extend(world.probed().iter().map(|_| second));
            std::mem::swap(&mut world.ration, &mut ration);
        }
    }
    assert_eq!(sent.len(), 256, "in all but an hour");
    for minute in 0..59 {
        let within = sent.iter().filter(|second| **second / 60 == minute);
        assert!(within.count() <= 128, "in minute {minute}");
    }
    let first = sent.iter().filter(|second| **second < 58);
    assert_eq!(first.count(), 64);
}

#[test]
fn a_host_where_the_peer_answers_is_probed_as_often_as_it_takes() {
    let mut world = World::up_on_relay(&[]);
    world.told(vec![world_addr()]);
    world.answer(world_addr(), 20);
    world.requests();
    let mut count = 0;
    for round in 0..200_u16 {
        let addr = SocketAddr::new(world_addr().ip(), 10_000 + round);
        world.told(vec![addr]);
        world.pass(seconds(1));
        count += world.probed().iter().filter(|at| **at == addr).count();
    }
    assert!(count > 256, "{count}");
}

#[test]
fn loopback_is_left_alone_until_the_peer_has_shown_to_be_on_this_machine() {
    let own: SocketAddr = "192.168.1.9:4000".parse().unwrap();
    let other: SocketAddr = "192.168.1.9:5000".parse().unwrap();
    let inside = loopback_addr();
    let mut world = World::up_on_relay(&[]);
    world.input(LinkInput::LocalAddresses(vec![own]));
    // Whoever is a peer knows our addresses, and may say that they are its own.
    world.told(vec![inside, other, own]);
    world.pass(seconds(10));
    let probed = world.probed();
    assert!(probed.contains(&other));
    assert!(!probed.contains(&inside) && !probed.contains(&own));
    world.answer(other, 1);
    world.told(vec![inside, other, lan_addr()]);
    world.pass(seconds(10));
    assert!(world.probed().contains(&inside));
}

#[test]
fn a_device_that_has_loopback_alone_finds_its_peers_there() {
    let mut world = World::up_on_relay(&[]);
    world.input(LinkInput::LocalAddresses(vec![
        "127.0.0.1:5000".parse().unwrap(),
    ]));
    world.told(vec![loopback_addr()]);
    world.pass(seconds(1));
    assert!(world.probed().contains(&loopback_addr()));
}
