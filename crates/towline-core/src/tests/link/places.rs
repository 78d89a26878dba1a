//! Where a person says that a peer is.

use towline_wire::place::Place;

use super::*;
use crate::io::NetworkScope;
use crate::report::CandidateOrigin;

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn probes(world: &mut World) -> Vec<SocketAddr> {
    let requests = world.requests().into_iter();
    let probes = requests.filter_map(|request| {
        let NetworkRequest::Probe(_, addr) = request else {
            return None;
        };
        Some(addr)
    });
    probes.collect()
}

fn look_ups(world: &mut World) -> usize {
    let requests = world.requests().into_iter();
    requests
        .filter(|request| matches!(request, NetworkRequest::LookUp(..)))
        .count()
}

#[test]
fn an_address_that_a_person_says_is_dialled_without_any_server() {
    let mut world = World::dialer(&[]);
    world.input(LinkInput::Placed(vec![world_addr().into()]));
    world.input(LinkInput::Start);
    assert_eq!(probes(&mut world), [world_addr()]);
    world.answer(world_addr(), 20);
    let dials = dials_on(world.peer, Path::Direct(world_addr()));
    assert_eq!(world.acts(), dials);
    let report = world.link.report(world.now, "peer");
    assert_eq!(report.candidates.len(), 1);
    assert_eq!(report.candidates[0].origin, CandidateOrigin::Placed);
}

#[test]
fn a_name_is_looked_up_at_each_try_and_leads_elsewhere_later() {
    let mut world = World::dialer(&[]);
    let name = place("nas.example:4000");
    world.input(LinkInput::Placed(vec![name.clone()]));
    world.input(LinkInput::Start);
    assert_eq!(
        world.requests(),
        [NetworkRequest::LookUp(world.peer, vec![name])]
    );
    world.network(NetworkEvent::Found(world.peer, vec![lan_addr()]));
    assert_eq!(probes(&mut world), [lan_addr()]);
    world.pass(seconds(600));
    let asked = look_ups(&mut world);
    assert!((9..=12).contains(&asked), "{asked}");
    world.network(NetworkEvent::Found(world.peer, vec![world_addr()]));
    assert!(probes(&mut world).contains(&world_addr()));
}

#[test]
fn no_name_is_looked_up_while_a_direct_path_stands() {
    let mut world = World::up_on_direct(lan_addr());
    world.network(NetworkEvent::RelayClosed(world.peer));
    world.input(LinkInput::Placed(vec![place("nas.example:4000")]));
    for _ in 0..30 {
        world.pass(seconds(2));
        world.answer(lan_addr(), 20);
    }
    assert_eq!(look_ups(&mut world), 0);
    world.pass(seconds(30));
    assert!(look_ups(&mut world) > 0);
}

#[test]
fn within_the_local_network_only_its_own_names_are_looked_up() {
    let mut world = World::dialer(&[]);
    world.input(LinkInput::Scope(NetworkScope::LocalNetwork));
    let own = place("nas.local:4000");
    let places = vec![place("nas.example:4000"), own.clone()];
    world.input(LinkInput::Placed(places));
    world.input(LinkInput::Start);
    let asked = NetworkRequest::LookUp(world.peer, vec![own]);
    assert_eq!(world.requests(), [asked]);
    // What it leads to is tried where it is near, and nowhere else.
    let found = vec![world_addr(), lan_addr()];
    world.network(NetworkEvent::Found(world.peer, found));
    assert_eq!(probes(&mut world), [lan_addr()]);
}

#[test]
fn no_name_of_the_world_is_looked_up_within_the_local_network() {
    let mut world = World::dialer(&[]);
    world.input(LinkInput::Scope(NetworkScope::LocalNetwork));
    let places = vec![place("nas.example:4000"), lan_addr().into()];
    world.input(LinkInput::Placed(places));
    world.input(LinkInput::Start);
    world.pass(seconds(300));
    let requests = world.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request, NetworkRequest::Probe(world.peer, lan_addr()));
    }
}

#[test]
fn an_address_that_a_person_says_outlives_what_the_peer_and_strangers_say() {
    let mut world = World::acceptor(&[]);
    world.input(LinkInput::Start);
    for host in 1..=60 {
        world.heard(SocketAddr::from(([203, 0, 113, host], 4000)));
    }
    world.input(LinkInput::Placed(vec![lan_addr().into()]));
    for host in 61..=120 {
        world.heard(SocketAddr::from(([203, 0, 113, host], 4000)));
    }
    let report = world.link.report(world.now, "peer");
    assert!(report.candidates.len() <= 32);
    let is_placed = |each: &&crate::report::CandidateReport| each.origin == CandidateOrigin::Placed;
    assert_eq!(report.candidates.iter().filter(is_placed).count(), 1);
    world.input(LinkInput::Placed(Vec::new()));
    let report = world.link.report(world.now, "peer");
    assert_eq!(report.candidates.iter().filter(is_placed).count(), 0);
}
