//! What a link does when the network seems to have changed.

use super::*;

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
    assert_eq!(world.measured(100, 600), [LinkNews::Doubt]);
    assert_eq!(world.measured(200, 3000), [LinkNews::WantRelay]);
    assert_eq!(world.path(), Path::Relay);
    assert_eq!(world.measured(300, 3500), []);
}

#[test]
fn a_peer_that_comes_back_is_asked_onto_a_channel_of_which_it_may_not_have_heard() {
    let mut world = World::up_on_relay(&[]);
    assert_eq!(world.input(LinkInput::Online), [], "it is not silent");
    assert!(world.measured(200, 3000).contains(&LinkNews::WantRelay));
    world.relay_opens();
    assert_eq!(world.input(LinkInput::Offline), []);
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
    world.relay_opens();
    world.measured(300, 20);
    assert_eq!(world.input(LinkInput::Online), [], "it answers");
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
    assert_eq!(told(&mut world, lan_addr()), [LinkNews::WantRelay]);
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
    world.pass(ms(449));
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
        world.pass(seconds(3));
        world.answer(world_addr(), 20);
    }
    world.requests();
    let probes = rounds_within(&mut world, ms(5500));
    assert_eq!(probes, [3, 4, 5]);
    world.pass(ms(500));
    world.answer(world_addr(), 20);
    world.pass(ms(1500));
    assert_eq!(world.path(), Path::Direct(world_addr()));
}
