//! A peer that begins anew while a connection with its former life stands.

use super::*;

const FIRST: ConnectionId = ConnectionId(1);
const SECOND: ConnectionId = ConnectionId(2);

/// What a life of the peer tells when it has found the server.
fn notice(us: &Identity, peer: &Identity, life: u8) -> LinkInput {
    let mut world = World::life(us, peer, &[], [life; 32]);
    world.input(LinkInput::Start);
    world.input(LinkInput::Online);
    let news = world.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    let told = news.into_iter().find_map(|item| {
        let LinkNews::Tell(sealed) = item else {
            return None;
        };
        Some(LinkInput::Told(sealed))
    });
    told.expect("addresses are told")
}

fn acceptors_notice(life: u8) -> LinkInput {
    let [low, high] = pair();
    notice(&high, &low, life)
}

fn dialers_notice(life: u8) -> LinkInput {
    let [low, high] = pair();
    notice(&low, &high, life)
}

/// Connected directly with the acceptor's first life, whose run is known.
fn up_with_first_life() -> World {
    let mut world = World::up_on_direct(lan_addr());
    world.input(acceptors_notice(1));
    says(&mut world, NetworkEvent::Answered, FIRST);
    world.requests();
    world
}

/// What comes of a question 500 ms after it.
fn says(
    world: &mut World,
    what: fn(DeviceId, ConnectionId) -> NetworkEvent,
    connection: ConnectionId,
) -> Vec<LinkNews> {
    world.pass(ms(500));
    world.network(what(world.peer, connection))
}

fn asks(world: &mut World) -> Vec<ConnectionId> {
    let asked = world.acts().into_iter().filter_map(|request| {
        let NetworkRequest::Ask(_, connection, within) = request else {
            return None;
        };
        assert_eq!(within, ms(500));
        Some(connection)
    });
    asked.collect()
}

fn disconnected(world: &World, connection: ConnectionId, fault: LinkFault) -> NetworkEvent {
    NetworkEvent::Disconnected(world.peer, connection, fault)
}

/// It seeks now: everything is probed, and the first answer is dialled.
fn assert_seeks_at_once(world: &mut World) {
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
    let probe = NetworkRequest::Probe(world.peer, lan_addr());
    assert!(world.requests().contains(&probe));
    world.answer(lan_addr(), 1);
    let dials = dials_on(world.peer, Path::Direct(lan_addr()));
    assert_eq!(world.acts(), dials);
}

fn assert_waits(world: &World) {
    let state = world.link.summary(world.now);
    assert!(matches!(state, LinkState::Waiting { .. }), "{state:?}");
}

#[test]
fn a_new_run_and_silence_end_the_connection_and_the_peer_is_sought_at_once() {
    let mut world = up_with_first_life();
    let news = world.input(acceptors_notice(2));
    assert!(matches!(news[..], [LinkNews::Heard(_)]), "{news:?}");
    assert_eq!(asks(&mut world), [FIRST]);
    world.pass(ms(500));
    world.requests();
    let news = world.network(NetworkEvent::Silent(world.peer, FIRST));
    assert_eq!(news, [LinkNews::Down(FIRST), LinkNews::WantRelay]);
    let given_up = [
        NetworkRequest::Abandon(world.peer, FIRST),
        NetworkRequest::CloseRelay(world.peer),
    ];
    for request in given_up {
        assert_eq!(world.outbox.pop(), Some(Output::Network(request)));
    }
    assert_seeks_at_once(&mut world);
    // The end of what was abandoned says nothing new.
    let end = disconnected(&world, FIRST, LinkFault::Closed);
    assert_eq!(world.network(end), []);
}

#[test]
fn the_acceptor_gives_a_silent_connection_up_too() {
    let mut world = World::acceptor(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(world.peer, FIRST));
    world.input(dialers_notice(1));
    assert_eq!(asks(&mut world), [FIRST]);
    let news = says(&mut world, NetworkEvent::Silent, FIRST);
    assert_eq!(news, [LinkNews::Down(FIRST)]);
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
}

#[test]
fn a_connection_that_answers_outlives_news_of_a_new_run() {
    let mut world = up_with_first_life();
    // The peer has dialled, or was dialled, before its notice came through the server.
    world.network(NetworkEvent::Connected(world.peer, SECOND));
    world.input(acceptors_notice(2));
    assert_eq!(asks(&mut world), [SECOND]);
    let news = says(&mut world, NetworkEvent::Answered, SECOND);
    assert_eq!(news, [LinkNews::Lives]);
    // Later silence has another cause; the path is looked after elsewhere.
    assert_eq!(says(&mut world, NetworkEvent::Silent, SECOND), []);
    assert_eq!(world.link.connection(), Some(SECOND));
}

#[test]
fn the_silence_of_the_former_connection_does_not_touch_the_new_one() {
    let mut world = up_with_first_life();
    world.input(acceptors_notice(2));
    world.network(NetworkEvent::Connected(world.peer, SECOND));
    world.requests();
    for connection in [FIRST, SECOND] {
        assert_eq!(says(&mut world, NetworkEvent::Silent, connection), []);
    }
    assert_eq!(world.acts(), []);
    assert_eq!(world.link.connection(), Some(SECOND));
}

#[test]
fn an_answer_from_before_the_news_is_none() {
    let mut world = up_with_first_life();
    world.input(acceptors_notice(2));
    world.pass(ms(300));
    world.input(acceptors_notice(3));
    world.pass(ms(200));
    world.network(NetworkEvent::Answered(world.peer, FIRST));
    world.pass(ms(300));
    let silent = NetworkEvent::Silent(world.peer, FIRST);
    let news = world.network(silent);
    assert_eq!(news, [LinkNews::Down(FIRST), LinkNews::WantRelay]);
}

#[test]
fn a_packet_channel_from_after_the_news_is_kept() {
    let mut world = up_with_first_life();
    world.input(acceptors_notice(2));
    world.pass(ms(1));
    world.relay_opens();
    let news = says(&mut world, NetworkEvent::Silent, FIRST);
    assert_eq!(news, [LinkNews::Down(FIRST)]);
    world.requests();
    world.pass(ms(100));
    assert_eq!(world.acts(), dials_on(world.peer, Path::Relay));
}

#[test]
fn late_news_of_a_packet_channel_that_was_given_up_opens_none() {
    let mut world = up_with_first_life();
    world.input(acceptors_notice(2));
    says(&mut world, NetworkEvent::Silent, FIRST);
    world.network(NetworkEvent::RelayOpened(world.peer));
    world.requests();
    world.pass(ms(200));
    assert_eq!(world.acts(), []);
}

#[test]
fn a_run_is_news_once() {
    let mut world = up_with_first_life();
    let notice = acceptors_notice(2);
    world.input(notice.clone());
    assert_eq!(asks(&mut world), [FIRST]);
    world.input(notice);
    assert_eq!(asks(&mut world), []);
}

#[test]
fn of_many_runs_the_oldest_is_forgotten() {
    let mut world = up_with_first_life();
    let lives = 2..=9;
    for life in lives.clone() {
        world.input(acceptors_notice(life));
        assert_eq!(asks(&mut world), [FIRST]);
    }
    for life in lives {
        world.input(acceptors_notice(life));
        assert_eq!(asks(&mut world), [], "run {life} is still known");
    }
    world.input(acceptors_notice(1));
    assert_eq!(asks(&mut world), [FIRST]);
}

#[test]
fn a_peer_that_disowns_the_connection_is_sought_at_once() {
    let mut world = up_with_first_life();
    let disowned = disconnected(&world, FIRST, LinkFault::Restarted);
    assert_eq!(world.network(disowned), [LinkNews::Down(FIRST)]);
    assert_seeks_at_once(&mut world);
}

#[test]
fn a_peer_that_disowns_again_and_again_is_sought_after_a_while() {
    let mut world = up_with_first_life();
    let disowned = disconnected(&world, FIRST, LinkFault::Restarted);
    world.network(disowned);
    assert_seeks_at_once(&mut world);
    world.network(NetworkEvent::Connected(world.peer, SECOND));
    world.pass(ms(4900));
    let disowned = disconnected(&world, SECOND, LinkFault::Restarted);
    world.network(disowned);
    assert_waits(&world);
    // A new run is proof that it is worth while.
    world.requests();
    let news = world.input(acceptors_notice(2));
    assert!(
        matches!(news[..], [LinkNews::Heard(_), LinkNews::WantRelay]),
        "{news:?}"
    );
    let close = NetworkRequest::CloseRelay(world.peer);
    assert_eq!(world.outbox.pop(), Some(Output::Network(close)));
    assert_seeks_at_once(&mut world);
}

#[test]
fn a_dial_that_began_before_the_new_run_is_soon_begun_again() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.input(acceptors_notice(1));
    world.answer(lan_addr(), 1);
    world.input(acceptors_notice(2));
    world.acts();
    world.pass(ms(1999));
    assert_eq!(world.acts(), []);
    world.pass(ms(1));
    assert!(
        world
            .requests()
            .contains(&NetworkRequest::Hangup(world.peer))
    );
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
}

#[test]
fn a_refusal_is_not_mistaken_for_a_restart() {
    let mut world = up_with_first_life();
    world.input(acceptors_notice(2));
    let refused = disconnected(&world, FIRST, LinkFault::Refused);
    world.network(refused);
    assert_waits(&world);
}

#[test]
fn probes_of_the_peer_make_the_dialer_say_something_once_a_second() {
    let mut world = up_with_first_life();
    world.input(LinkInput::LocalAddresses(vec![world_addr()]));
    world.pass(seconds(6));
    world.answer(lan_addr(), 1);
    world.requests();
    let said = [NetworkRequest::Send(
        world.peer,
        Control::Addresses(vec![world_addr()]),
    )];
    world.heard(lan_addr());
    assert_eq!(world.acts(), said);
    world.pass(ms(999));
    world.heard(lan_addr());
    assert_eq!(world.acts(), []);
    world.pass(ms(1));
    world.heard(lan_addr());
    assert_eq!(world.acts(), said);
}

#[test]
fn what_a_peer_answered_while_it_ended_is_asked_again_before_it_is_dialled() {
    let mut world = World::up_on_direct(lan_addr());
    let peer = world.peer;
    world.network(NetworkEvent::RelayClosed(peer));
    world.input(LinkInput::Offline);
    world.requests();
    world.network(NetworkEvent::Disconnected(peer, FIRST, LinkFault::Closed));
    world.answer(lan_addr(), 1);
    let dials = |world: &mut World| {
        let acts = world.acts().into_iter();
        let dials = acts.filter(|act| matches!(act, NetworkRequest::Dial(_)));
        dials.count()
    };
    world.pass(ms(1000));
    assert_eq!(dials(&mut world), 0, "nobody has answered since");
    world.answer(world_addr(), 1);
    assert_eq!(world.acts(), dials_on(peer, Path::Direct(world_addr())));
}
