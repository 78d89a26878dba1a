//! What a link tells of itself: counts, history, and why it is not direct.

use towline_wire::ids::DeviceId;

use super::{World, lan_addr, ms, seconds, world_addr};
use crate::io::{ConnectionId, LinkFault, NetworkEvent, Path};
use crate::link::{LinkInput, LinkSight};
use crate::path_kind::PathKind;
use crate::report::{CandidateState, LinkReport, Obstacle, Outside};

impl World {
    fn report(&mut self, outside: Outside) -> LinkReport {
        self.input(LinkInput::Outside(outside));
        self.link.report(self.now, "peer")
    }
}

#[test]
fn a_relayed_link_says_why_it_is_not_direct() {
    let mut world = World::up_on_relay(&[]);
    world.input(LinkInput::Network(NetworkEvent::Received(
        world.peer,
        ConnectionId(1),
        towline_wire::peer::Control::Addresses(vec![world_addr()]),
    )));
    let obstacle = |world: &mut World, outside| world.report(outside).obstacle;
    assert_eq!(
        obstacle(&mut world, Outside::Silent),
        Some(Obstacle::Searching)
    );
    world.pass(seconds(30));
    assert_eq!(
        obstacle(&mut world, Outside::Silent),
        Some(Obstacle::NoUdpHere)
    );
    assert_eq!(
        obstacle(&mut world, Outside::Seen),
        Some(Obstacle::NoAnswer)
    );
    let candidates = world.report(Outside::Seen).candidates;
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].state, CandidateState::Silent);
    world.answer(world_addr(), 30);
    assert_eq!(obstacle(&mut world, Outside::Seen), None);
    let candidates = world.report(Outside::Seen).candidates;
    assert_eq!(candidates[0].state, CandidateState::Answers(ms(30)));
}

#[test]
fn a_peer_without_an_address_is_named_as_the_reason() {
    let mut world = World::up_on_relay(&[]);
    world.pass(seconds(30));
    let told = world.report(Outside::Seen).obstacle;
    assert_eq!(told, Some(Obstacle::NoAddress));
}

#[test]
fn counts_and_history_follow_a_link_from_relay_to_lan_and_its_end() {
    let mut world = World::up_on_relay(&[lan_addr()]);
    world.pass(seconds(2));
    world.answer(lan_addr(), 1);
    assert_eq!(world.path(), Path::Direct(lan_addr()));
    let (peer, connection): (DeviceId, _) = (world.peer, ConnectionId(1));
    world.network(NetworkEvent::Disconnected(
        peer,
        connection,
        LinkFault::Closed,
    ));
    let report = world.report(Outside::Seen);
    let counts = &report.counts;
    assert_eq!((counts.established, counts.attempts()), (1, 1));
    assert_eq!(counts.lost[&LinkFault::Closed], 1);
    assert_eq!(counts.taken[&PathKind::Relay], 1);
    assert_eq!(counts.taken[&PathKind::Lan], 1);
    assert_eq!(counts.connect.latest, Some(ms(100)));
    assert!(counts.probes_sent > counts.probes_answered);
    assert_eq!(counts.probes_answered, 1);
    let seen: Vec<_> = report.history.iter().map(|change| change.to).collect();
    assert_eq!(
        seen,
        [
            LinkSight::Connecting,
            LinkSight::Up(connection, PathKind::Relay),
            LinkSight::Up(connection, PathKind::Lan),
            LinkSight::Waiting(LinkFault::Closed),
        ]
    );
}

#[test]
fn a_dial_without_an_answer_counts_as_failed() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.answer(lan_addr(), 1);
    world.network(NetworkEvent::DialFailed(world.peer, LinkFault::TimedOut));
    let counts = world.report(Outside::Seen).counts;
    assert_eq!((counts.established, counts.attempts()), (0, 1));
    assert_eq!(counts.failed[&LinkFault::TimedOut], 1);
}

#[test]
fn addresses_that_were_only_heard_make_place_for_new_ones_and_are_forgotten_in_the_end() {
    let mut world = World::up_on_relay(&[]);
    let at_port = |port: u16| std::net::SocketAddr::from(([203, 0, 113, 7], 40_000 + port));
    for port in 0..40 {
        world.heard(at_port(port));
        world.answer(at_port(port), 20);
        assert_eq!(world.path(), Path::Direct(at_port(port)), "a new port");
        world.pass(seconds(10));
        assert_eq!(world.path(), Path::Relay, "which is soon another");
    }
    let known = |world: &mut World| world.report(Outside::Seen).candidates.len();
    assert_eq!(known(&mut world), 32);
    world.pass(seconds(3700));
    assert_eq!(known(&mut world), 0);
}
