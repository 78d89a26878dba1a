//! What is announced on the local network, and what a link makes of it.

use super::*;
use crate::io::{NeighbourName, NetworkScope};

fn announced(names: &[(u64, &str)]) -> LinkInput {
    let all = names
        .iter()
        .map(|(name, addr)| (NeighbourName(*name), addr.parse().unwrap()));
    LinkInput::Nearby(all.collect())
}

fn probes(world: &mut World) -> Vec<SocketAddr> {
    let requests = world.requests();
    requests
        .into_iter()
        .filter_map(|request| {
            let NetworkRequest::Probe(_, addr) = request else {
                return None;
            };
            Some(addr)
        })
        .collect()
}

const NEAR: &str = "192.168.1.7:4000";

#[test]
fn an_announced_address_is_tried_at_once_and_dialled_when_it_answers() {
    let mut world = World::dialer(&[]);
    world.input(LinkInput::Start);
    world.input(announced(&[(1, NEAR)]));
    let near: SocketAddr = NEAR.parse().unwrap();
    assert_eq!(probes(&mut world), [near]);
    world.answer(near, 1);
    let select = NetworkRequest::Select(world.peer, Path::Direct(near));
    assert_eq!(world.acts(), [select, NetworkRequest::Dial(world.peer)]);
}

#[test]
fn an_address_that_never_answers_gets_a_handful_of_probes_a_minute() {
    for [low, high] in [pair(), {
        let [low, high] = pair();
        [high, low]
    }] {
        let mut world = World::new(&low, &high, &[]);
        world.input(LinkInput::Start);
        let mut minutes = Vec::new();
        for _ in 0..5 {
            let mut sent = 0;
            for second in 0..60 {
                // Its announcement comes and goes under ever other names.
                let name = world.now.since_start().as_secs();
                world.input(announced(&[(name, NEAR)]));
                world.pass(Duration::from_millis(500));
                if second % 7 == 0 {
                    world.input(announced(&[]));
                }
                world.pass(Duration::from_millis(500));
                sent += probes(&mut world).len();
            }
            minutes.push(sent);
        }
        assert!(minutes.iter().all(|sent| *sent <= 12), "{minutes:?}");
        let mut quiet = World::new(&low, &high, &[]);
        quiet.input(LinkInput::Start);
        quiet.input(announced(&[(1, NEAR)]));
        quiet.pass(Duration::from_secs(59));
        assert_eq!(probes(&mut quiet).len(), 4);
        quiet.pass(Duration::from_secs(600));
        assert_eq!(probes(&mut quiet).len(), 10);
    }
}

#[test]
fn no_more_than_32_announced_addresses_are_tried() {
    let mut world = World::dialer(&[]);
    world.input(LinkInput::Start);
    let all = (0..300u16).map(|port| {
        let addr = SocketAddr::from(([192, 168, 1, 7], 4000 + port));
        (NeighbourName(port.into()), addr)
    });
    world.input(LinkInput::Nearby(all.collect()));
    assert_eq!(probes(&mut world).len(), 32);
}

#[test]
fn a_link_on_the_local_network_looks_no_further_and_one_beyond_does() {
    let tries = |path: &str| {
        let path: SocketAddr = path.parse().unwrap();
        let mut world = World::dialer(&[path]);
        world.input(LinkInput::Start);
        world.answer(path, 5);
        world.network(NetworkEvent::Connected(world.peer, ConnectionId(1)));
        world.requests();
        world.input(announced(&[(1, "10.1.1.1:4000")]));
        probes(&mut world).contains(&"10.1.1.1:4000".parse().unwrap())
    };
    assert!(!tries(NEAR));
    assert!(tries("203.0.113.9:4000"));
}

#[test]
fn within_the_local_network_no_other_address_is_probed() {
    let far = "203.0.113.9:4000".parse().unwrap();
    let near: SocketAddr = NEAR.parse().unwrap();
    let mut world = World::dialer(&[far, near]);
    world.input(LinkInput::Scope(NetworkScope::LocalNetwork));
    world.input(LinkInput::Start);
    world.heard(far);
    world.input(announced(&[(1, "[2001:db8::1]:4000")]));
    world.pass(Duration::from_secs(200));
    let probed = probes(&mut world);
    assert!(!probed.is_empty() && probed.iter().all(|addr| *addr == near));
}
