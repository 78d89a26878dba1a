//! What an instance does while it cannot reach the store.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_wire::signal::{ErrorCode, ServerMessage, SignalId};

use super::error;
use super::world::World;
use crate::rendezvous::{
    Answer, Ask, Between, ConnectionId, Door, Event, Input, Instance, Moment, NodeId, Origin,
    Output, Place, Reached, Rendezvous, Settings, Watched,
};

/// Connects a device to an instance; gives what it is told after `hello`.
fn register(
    rendezvous: &mut Rendezvous,
    now: Moment,
    number: u64,
) -> (ConnectionId, Vec<ServerMessage>) {
    let connection = ConnectionId(number);
    let [.., high, low] = number.to_be_bytes();
    let origin = Origin::new([10, 0, high, low].into(), [192, 0, 2, 7].into());
    let door = Door::Signal;
    let connected = Input::Connected {
        connection,
        origin,
        door,
    };
    rendezvous.handle_input(now, connected);
    let mut nonce = None;
    while let Some(output) = rendezvous.poll_output() {
        if let Output::Send { notice, .. } = output
            && let ServerMessage::Hello { nonce: told, .. } = notice.message
        {
            nonce = Some(told);
        }
    }
    let register = World::proof(number, "192.0.2.7", &nonce.expect("hello comes first"));
    let request = towline_wire::signal::Request::new(register);
    let size_bytes = request.to_json().len();
    rendezvous.handle_input(
        now,
        Input::Requested {
            connection,
            request: Ok(request),
            size_bytes,
        },
    );
    let mut heard = Vec::new();
    while let Some(output) = rendezvous.poll_output() {
        if let Output::Send { notice, .. } = output {
            heard.push(notice.message);
        }
    }
    (connection, heard)
}

#[test]
fn devices_are_taken_in_for_a_minute_without_the_store_and_again_when_it_is_back() {
    let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
    let settings = Settings {
        instance: Instance::OneOfSeveral(NodeId(1)),
        ..Settings::default()
    };
    let mut rendezvous = Rendezvous::new([1; 32], settings);
    let is_in = |heard: &[ServerMessage]| matches!(heard[0], ServerMessage::Registered { .. });
    let refused = |heard: &[ServerMessage]| error(&heard[0]) == Some(ErrorCode::Unavailable);
    // It may start before its Redis.
    assert!(is_in(&register(&mut rendezvous, at(30), 1).1));
    assert!(refused(&register(&mut rendezvous, at(61), 2).1));
    rendezvous.handle_input(at(70), Input::Reach(Reached::Yes));
    assert!(is_in(&register(&mut rendezvous, at(500), 3).1));
    rendezvous.handle_input(at(500), Input::Reach(Reached::No));
    assert!(is_in(&register(&mut rendezvous, at(560), 4).1));
    let (late, heard) = register(&mut rendezvous, at(561), 5);
    assert!(refused(&heard), "{heard:?}");
    assert!(
        matches!(
            heard[0],
            ServerMessage::Error {
                retry_after_ms: Some(_),
                ..
            }
        ),
        "it is told when to come again"
    );
    rendezvous.handle_input(at(562), Input::Reach(Reached::Yes));
    assert!(is_in(&register(&mut rendezvous, at(562), 6).1));
    assert_ne!(late, ConnectionId(6));
}

/// Whom an instance says again to be here, a question each.
fn renewals(rendezvous: &mut Rendezvous) -> Vec<Vec<SignalId>> {
    let mut renewals = Vec::new();
    while let Some(output) = rendezvous.poll_output() {
        if let Output::Ask {
            ask: Ask::Renew { present },
            ..
        } = output
        {
            renewals.push(present.into_iter().map(|(id, _)| id).collect());
        }
    }
    renewals
}

#[test]
fn who_is_here_is_renewed_at_once_when_the_store_is_back_and_then_in_parts() {
    let settings = Settings {
        instance: Instance::OneOfSeveral(NodeId(1)),
        ..Settings::default()
    };
    for here in [1, 500, 501, 1200] {
        let mut rendezvous = Rendezvous::new([1; 32], settings.clone());
        let mut now = Moment::after_start(Duration::from_secs(1));
        for number in 1..=here {
            register(&mut rendezvous, now, number);
        }
        rendezvous.handle_input(now, Input::Reach(Reached::Yes));
        let count = |renewals: &[Vec<SignalId>]| {
            let all: BTreeSet<_> = renewals.iter().flatten().copied().collect();
            all.len() as u64
        };
        assert_eq!(count(&renewals(&mut rendezvous)), here, "at once");
        // Who says nothing is cut after 75 s.
        for _ in 0..2 {
            let end = now.plus(Duration::from_secs(33));
            let mut seen = Vec::new();
            while let Some(due) = rendezvous.poll_timeout().filter(|due| *due <= end) {
                now = due;
                rendezvous.handle_timeout(now);
                let renewed = renewals(&mut rendezvous);
                assert!(renewed.len() <= 1, "one after the other");
                seen.extend(renewed);
            }
            now = end;
            assert_eq!(count(&seen), here, "all within 33 s");
        }
    }
}

#[test]
fn who_came_while_the_store_was_away_is_told_at_once_with_all_others() {
    let settings = Settings {
        instance: Instance::OneOfSeveral(NodeId(1)),
        ..Settings::default()
    };
    let mut rendezvous = Rendezvous::new([1; 32], settings);
    let mut now = Moment::after_start(Duration::from_secs(1));
    for number in 1..=600 {
        register(&mut rendezvous, now, number);
    }
    rendezvous.handle_input(now, Input::Reach(Reached::Yes));
    assert_eq!(renewals(&mut rendezvous).len(), 2);
    // The first part is renewed, and the second is not.
    while renewals(&mut rendezvous).is_empty() {
        now = rendezvous.poll_timeout().unwrap();
        rendezvous.handle_timeout(now);
    }
    rendezvous.handle_input(now, Input::Reach(Reached::No));
    for number in 601..=800 {
        register(&mut rendezvous, now, number);
    }
    rendezvous.handle_input(now, Input::Reach(Reached::Yes));
    let all: BTreeSet<_> = renewals(&mut rendezvous).into_iter().flatten().collect();
    assert_eq!(all.len(), 800);
}

#[test]
fn who_is_at_another_instance_is_not_missed_before_it_could_say_again_that_it_lives() {
    let settings = Settings {
        instance: Instance::OneOfSeveral(NodeId(1)),
        ..Settings::default()
    };
    let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
    let mut rendezvous = Rendezvous::new([1; 32], settings);
    rendezvous.handle_input(at(1), Input::Reach(Reached::Yes));
    let (connection, _) = register(&mut rendezvous, at(1), 1);
    let [here, there] = [1, 2].map(|number| SignalId::Device(World::id_of(number)));
    let watch = format!(r#"{{"type":"watch","peers":["{there}"]}}"#);
    rendezvous.handle_input(at(1), Input::from_text(connection, &watch));
    let event = Event::Watching {
        watcher: there,
        at: Place {
            node: NodeId(2),
            connection: ConnectionId(7),
        },
        back: Watched::HasAnswered,
    };
    rendezvous.handle_input(at(1), Input::Heard(Between { to: here, event }));
    let met = ServerMessage::PeerConnected { peer_id: there };
    assert_eq!(told_while_others_are_silent(&mut rendezvous, at(1)), [met]);

    rendezvous.handle_input(at(2), Input::Reach(Reached::No));
    rendezvous.handle_input(at(20), Input::Reach(Reached::Yes));
    assert_eq!(told_while_others_are_silent(&mut rendezvous, at(20)), []);
    rendezvous.handle_timeout(at(25));
    assert_eq!(told_while_others_are_silent(&mut rendezvous, at(25)), []);
    rendezvous.handle_timeout(at(26));
    let missed = ServerMessage::PeerDisconnected { peer_id: there };
    assert_eq!(
        told_while_others_are_silent(&mut rendezvous, at(26)),
        [missed]
    );
}

/// What clients are told while no other instance has said that it lives.
fn told_while_others_are_silent(rendezvous: &mut Rendezvous, now: Moment) -> Vec<ServerMessage> {
    let mut told = Vec::new();
    while let Some(output) = rendezvous.poll_output() {
        match output {
            Output::Send { notice, .. } => told.push(notice.message),
            Output::Ask {
                ticket,
                ask: Ask::Beat { others: gone, .. },
            } => {
                let answer = Answer::Beaten { gone };
                rendezvous.handle_input(now, Input::Answered { ticket, answer });
            }
            Output::Ask { .. }
            | Output::Forward { .. }
            | Output::Ping { .. }
            | Output::Pause { .. }
            | Output::Close { .. }
            | Output::Publish { .. }
            | Output::Note { .. } => {}
        }
    }
    told
}
