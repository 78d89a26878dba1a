//! Rooms, and the first steps of a WebRTC connection, over real sockets.

use std::time::Duration;

use serde_json::{Value, json};
use signal_server::rendezvous;
use signal_server::shell::Settings;

use super::client::Client;
use super::server::Server;

/// 32 bytes that somebody made of a password.
const PROOF: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const OTHER_PROOF: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

#[tokio::test]
async fn a_guest_and_a_device_exchange_offer_answer_and_candidates_in_a_locked_room() {
    let server = Server::start(Settings::default()).await;
    let (mut alice, alice_id) = Client::device(server.address, 1).await;
    let (mut bob, bob_id) = Client::guest(server.address).await;
    let created = alice
        .ask(json!({"type": "create_room", "display_name": "Alice", "id": 7}))
        .await;
    assert_eq!(
        (&created["type"], &created["id"]),
        (&json!("room_created"), &json!(7))
    );
    let room = created["room_code"].clone();
    let locked = json!({"type": "create_room", "room_code": room, "password_proof": PROOF});
    assert_eq!(alice.ask(locked).await["type"], "room_created");

    let mut refused = Vec::new();
    for wrong in [
        json!({"type": "join_room", "room_code": room}),
        json!({"type": "join_room", "room_code": room, "password_proof": OTHER_PROOF}),
        json!({"type": "join_room", "room_code": "ABCDE-FGHJK", "password_proof": PROOF}),
        json!({"type": "join_room", "room_code": "nonsense"}),
    ] {
        let (mut stranger, _) = Client::guest(server.address).await;
        refused.push(stranger.ask(wrong).await);
    }
    assert!(
        refused.iter().all(|answer| *answer == refused[0]),
        "{refused:?}"
    );
    assert_eq!(refused[0]["code"], "room_not_found");

    let joined = bob
        .ask(json!({"type": "join_room", "room_code": room, "password_proof": PROOF, "display_name": "Bob"}))
        .await;
    assert_eq!(
        joined,
        json!({"type": "joined_room", "room_code": room,
               "peers": [{"peer_id": alice_id, "display_name": "Alice"}]})
    );
    assert_eq!(
        alice.hear().await,
        json!({"type": "peer_joined", "room_code": room, "peer_id": bob_id, "display_name": "Bob"})
    );

    for (kind, field, value) in [
        ("offer", "sdp", json!("v=0\r\n")),
        ("answer", "sdp", json!({"type": "answer", "sdp": "v=0"})),
        (
            "candidate",
            "candidate",
            json!({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host"}),
        ),
        ("candidate", "candidate", Value::Null),
        ("sync_data", "payload", json!([1, 2])),
    ] {
        bob.say(json!({"type": kind, "to": alice_id, field: value}))
            .await;
        assert_eq!(
            alice.hear().await,
            json!({"type": kind, "from": bob_id, field: value})
        );
    }

    bob.say(json!({"type": "leave_room"})).await;
    assert_eq!(
        bob.hear().await,
        json!({"type": "left_room", "room_code": room, "reason": "left"})
    );
    assert_eq!(
        alice.hear().await,
        json!({"type": "peer_left", "room_code": room, "peer_id": bob_id})
    );
    let answer = bob
        .ask(json!({"type": "offer", "to": alice_id, "sdp": "v=0"}))
        .await;
    assert_eq!(answer["code"], "peer_offline");
    server.stop().await;
}

#[tokio::test]
async fn a_room_ends_by_its_time_and_there_are_so_many() {
    let server = Server::start(Settings {
        rendezvous: rendezvous::Settings {
            rooms_max: 1,
            room_life: Duration::from_millis(300),
            ..rendezvous::Settings::default()
        },
        ..Settings::default()
    })
    .await;
    let (mut alice, _) = Client::guest(server.address).await;
    let (mut bob, _) = Client::guest(server.address).await;
    let create = || json!({"type": "create_room"});
    let room = alice.ask(create()).await["room_code"].clone();
    let full = bob.ask(create()).await;
    assert_eq!(full["code"], "unavailable");
    assert_eq!(
        alice.hear().await,
        json!({"type": "left_room", "room_code": room, "reason": "expired"})
    );
    assert_eq!(bob.ask(create()).await["type"], "room_created");
    server.stop().await;
}
