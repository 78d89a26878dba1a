//! What a link does when the network seems to have changed.

use super::*;
use crate::measuring;

/// When the link probes while this much time passes: the seconds since its begin, one for each round.
fn rounds_within(world: &mut World, time: Duration) -> Vec<u64> {
    let (start, end) = (world.now, world.now.after(time));
    let mut rounds = Vec::new();
    while let Some(due) = world.link.poll_timeout().filter(|due| *due <= end) {
        world.pass(due.since(world.now));
        let probes = world.requests();
        if probes
            .iter()
            .any(|request| matches!(request, NetworkRequest::Probe(..)))
        {
            rounds.push(world.now.since(start).as_secs());
        }
    }
    world.now = end;
    rounds
}

/// Connected on the direct path; nothing else is there.
fn without_relay() -> World {
    let mut world = World::up_on_direct(world_addr());
    world.network(NetworkEvent::RelayClosed(world.peer));
    world.input(LinkInput::Offline);
    world.pass(seconds(5));
    world.answer(world_addr(), 20);
    world.requests();
    world
}

#[test]
fn a_nearer_way_that_is_missed_is_sought_though_a_longer_one_works() {
    let mut world = World::up_on_relay(&[lan_addr(), world_addr()]);
    world.answer(world_addr(), 20);
    world.answer(lan_addr(), 1);
    assert_eq!(world.path(), Path::Direct(lan_addr()));
    world.pass(seconds(20));
    assert_eq!(world.path(), Path::Relay, "the peer sleeps");
    world.requests();
    world.answer(world_addr(), 20);
    assert_eq!(world.path(), Path::Direct(world_addr()));
    for second in 0..5 {
        world.requests();
        world.pass(seconds(1));
        world.answer(world_addr(), 20);
        let probe = NetworkRequest::Probe(world.peer, lan_addr());
        assert!(world.requests().contains(&probe), "after {second} s");
    }
    world.answer(lan_addr(), 1);
    assert_eq!(world.path(), Path::Direct(lan_addr()));
    world.pass(seconds(4));
    let again = world.requests();
    assert!(!again.contains(&NetworkRequest::Probe(world.peer, world_addr())));
}

#[test]
fn a_way_that_is_missed_is_probed_each_second_and_later_seldom() {
    let mut world = without_relay();
    world.measured(100, 600);
    world.pass(ms(500));
    world.requests();
    let rounds = rounds_within(&mut world, seconds(20));
    for second in 1..20 {
        assert!(rounds.contains(&second), "{second} is not in {rounds:?}");
    }
    world.pass(seconds(180));
    world.requests();
    // The keep-alive of the only path goes on every 3 s; rounds are rare by now.
    let rounds = rounds_within(&mut world, seconds(60));
    assert!(rounds.len() <= 26, "{rounds:?}");
}

#[test]
fn what_never_worked_is_not_probed_more_often_whatever_the_peer_says() {
    let mut world = without_relay();
    let third: SocketAddr = "198.51.100.9:4000".parse().unwrap();
    let told = Control::Addresses(vec![third]);
    world.network(NetworkEvent::Received(world.peer, ConnectionId(1), told));
    world.pass(seconds(6));
    world.answer(world_addr(), 20);
    world.measured(100, 600);
    world.pass(ms(500));
    world.requests();
    world.pass(seconds(60));
    let probes = |world: &mut World, to| {
        let all = world.requests().into_iter();
        all.filter(|request| *request == NetworkRequest::Probe(world.peer, to))
            .count()
    };
    assert_eq!(probes(&mut world, third), 0);
}

#[test]
fn a_receiver_that_hears_nothing_more_tries_its_path_and_leaves_it() {
    let mut world = World::up_on_direct(world_addr());
    world.measured(100, 0);
    world.requests();
    // Nothing was sent since.
    world.measured(100, 600);
    let probe = NetworkRequest::Probe(world.peer, world_addr());
    assert_eq!(world.requests(), [probe]);
    world.pass(ms(400));
    assert_eq!(world.path(), Path::Relay);
}

#[test]
fn a_receiver_from_afar_doubts_when_it_is_told_that_its_flow_has_ended() {
    for rtt in [20, 160, 260, 900].map(ms) {
        let mut world = World::up_on_relay(&[]);
        assert_eq!(world.measured_from_afar(rtt, 100, rtt), []);
        let told = world.measured_from_afar(rtt, 100, measuring::flow_silence(rtt));
        assert_eq!(told, [LinkNews::Doubt], "{rtt:?}");
    }
}

#[test]
fn silence_is_told_once_in_five_seconds() {
    let mut world = World::up_on_relay(&[]);
    assert_eq!(world.measured(100, 400), []);
    assert_eq!(world.measured(100, 600), [LinkNews::Doubt]);
    assert_eq!(world.measured(200, 1100), []);
    world.pass(seconds(5));
    assert_eq!(world.measured(300, 700), [LinkNews::Doubt]);
}

#[test]
fn a_packet_channel_that_is_silent_for_long_is_replaced() {
    let mut world = World::up_on_relay(&[]);
    world.pass(seconds(3));
    assert_eq!(world.measured(100, 600), [LinkNews::Doubt]);
    assert_eq!(world.measured(200, 3000), [LinkNews::WantRelay]);
    assert_eq!(world.path(), Path::Relay);
    assert_eq!(world.measured(300, 3500), []);
}

#[test]
fn a_packet_channel_is_not_given_up_for_a_silence_from_before_it_was_used() {
    let wants = |news: &[LinkNews]| news.contains(&LinkNews::WantRelay);
    let mut world = World::up_on_direct(world_addr());
    world.measured(100, 0);
    world.measured(200, 600);
    world.pass(ms(400));
    assert_eq!(world.path(), Path::Relay);
    // The other way was heard of late, this one never.
    assert!(!wants(&world.measured(300, 60_000)));
    world.pass(ms(2900));
    assert!(!wants(&world.measured(400, 62_900)));
    world.pass(ms(100));
    assert!(wants(&world.measured(500, 63_000)));
    world.relay_opens();
    assert!(!wants(&world.measured(600, 63_000)), "it is new");
    world.pass(seconds(3));
    assert!(wants(&world.measured(700, 66_000)));
}

#[test]
fn a_peer_that_comes_back_is_asked_onto_a_channel_of_which_it_may_not_have_heard() {
    let mut world = World::up_on_relay(&[]);
    assert_eq!(world.input(LinkInput::Online), [], "it is not silent");
    world.pass(seconds(3));
    assert!(world.measured(200, 3000).contains(&LinkNews::WantRelay));
    world.relay_opens();
    assert_eq!(world.input(LinkInput::Offline), []);
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
    world.relay_opens();
    world.pass(ms(100));
    world.measured(300, 20);
    assert_eq!(world.input(LinkInput::Online), [], "it answers");
}

#[test]
fn a_peer_that_registers_anew_gets_another_channel_unless_it_is_heard_on_this_one() {
    let mut world = World::up_on_relay(&[]);
    world.pass(seconds(3));
    world.measured(200, 100);
    world.input(LinkInput::Offline);
    world.pass(ms(800));
    assert_eq!(world.input(LinkInput::Online), []);
    // The end of what it sends was measured once.
    world.measured(200, 550);
    world.input(LinkInput::Offline);
    world.pass(ms(800));
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
    // Of the next one it was told where it is no longer.
    world.relay_opens();
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
}

#[test]
fn what_was_heard_on_the_channel_before_says_nothing_of_the_next_one() {
    let mut world = World::up_on_relay(&[]);
    world.pass(seconds(3));
    world.measured(200, 100);
    // The server closes it, offers another one, and its word does not reach the peer.
    let closed = NetworkEvent::RelayClosed(world.peer);
    world.network(closed);
    world.pass(ms(500));
    world.relay_opens();
    world.pass(ms(100));
    world.measured(200, 700);
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
}

#[test]
fn the_end_of_a_channel_that_carries_everything_is_doubted_at_once() {
    let closed = |world: &World| NetworkEvent::RelayClosed(world.peer);
    let mut direct = World::up_on_direct(world_addr());
    let event = closed(&direct);
    assert!(!direct.network(event).contains(&LinkNews::Doubt));
    let mut world = World::up_on_relay(&[]);
    let event = closed(&world);
    assert!(world.network(event).contains(&LinkNews::Doubt));
}

#[test]
fn an_address_that_is_gone_brings_another_packet_channel() {
    let mut world = World::up_on_relay(&[world_addr()]);
    assert!(
        !world
            .input(LinkInput::LocalAddresses(vec![lan_addr()]))
            .contains(&LinkNews::WantRelay)
    );
    let more = LinkInput::LocalAddresses(vec![lan_addr(), loopback_addr()]);
    assert!(!world.input(more).contains(&LinkNews::WantRelay));
    let fewer = LinkInput::LocalAddresses(vec![loopback_addr()]);
    assert!(world.input(fewer).contains(&LinkNews::WantRelay));
    world.relay_opens();
    // The peer's end may hang on an address that is gone, too; another port means nothing.
    let told = |world: &mut World, addr: SocketAddr| {
        let frame = Control::Addresses(vec![addr]);
        let received = NetworkEvent::Received(world.peer, ConnectionId(1), frame);
        world.network(received)
    };
    assert_eq!(told(&mut world, world_addr()), []);
    let other_port = SocketAddr::new(world_addr().ip(), 4001);
    assert_eq!(told(&mut world, other_port), []);
    assert_eq!(
        told(&mut world, lan_addr()),
        [],
        "of this one it has just heard"
    );
    world.pass(seconds(3));
    assert_eq!(told(&mut world, world_addr()), [LinkNews::WantRelay]);
}

#[test]
fn an_answer_ends_the_wait_after_a_connection_that_died_of_silence() {
    let mut world = without_relay();
    let peer = world.peer;
    world.network(NetworkEvent::Disconnected(
        peer,
        ConnectionId(1),
        LinkFault::TimedOut,
    ));
    assert!(matches!(
        world.link.summary(world.now),
        LinkState::Waiting { .. }
    ));
    let rounds = rounds_within(&mut world, ms(400));
    assert!(rounds.len() <= 1, "{rounds:?}");
    world.answer(world_addr(), 20);
    assert_eq!(world.acts(), dials_on(peer, Path::Direct(world_addr())));
}

#[test]
fn the_end_of_a_flow_from_a_peer_that_is_far_is_doubted_by_its_one_measurement() {
    let mut world = World::up_on_direct(world_addr());
    world.answer(world_addr(), 200);
    world.requests();
    world.network(NetworkEvent::Measured {
        peer: world.peer,
        rtt: ms(200),
        received_bytes: 70_000,
        sent_bytes: 0,
        silent_for: ms(550),
    });
    world.pass(ms(599));
    assert!(
        world
            .requests()
            .contains(&NetworkRequest::Probe(world.peer, world_addr()))
    );
    world.pass(ms(1));
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(world.peer, Path::Relay)]
    );
}

#[test]
fn three_lost_probes_in_a_row_do_not_cost_a_path_at_rest() {
    let mut world = World::up_on_direct(world_addr());
    for _ in 0..3 {
        world.pass(seconds(5));
        world.answer(world_addr(), 20);
    }
    world.requests();
    let probes = rounds_within(&mut world, ms(7500));
    assert_eq!(probes, [5, 6, 7]);
    world.pass(ms(500));
    world.answer(world_addr(), 20);
    world.pass(ms(1500));
    assert_eq!(world.path(), Path::Direct(world_addr()));
}
