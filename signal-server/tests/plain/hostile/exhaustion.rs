//! Somebody who takes all codes or all rooms there are to have.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::process::Process;
use super::witness::harm;

/// So many guests from one address, each of which asks this so often; gives them, and all answers.
async fn all_ask(
    server: &Process,
    from: &str,
    guests: usize,
    (question, times): (Value, usize),
) -> (Vec<Client>, Vec<Value>) {
    let asking = (0..guests).map(|_| async {
        let (mut client, _) = Client::guest_from(server.address, from).await;
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(client.ask(question.clone()).await);
        }
        (client, answers)
    });
    let (clients, answers): (Vec<_>, Vec<_>) = join_all(asking).await.into_iter().unzip();
    (clients, answers.into_iter().flatten().collect())
}

fn count(answers: &[Value], name: &str, value: &str) -> usize {
    answers
        .iter()
        .filter(|answer| answer[name] == value)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_takes_all_codes_of_an_address_is_told_and_others_pair() {
    let server = Process::start(&["--trusted-proxies", "127.0.0.1"]);
    harm(&server, 16 << 20, async {
        let create = json!({"type": "create_pairing_code"});
        let (mut takers, answers) = all_ask(&server, "", 100, (create.clone(), 1)).await;
        assert_eq!(count(&answers, "type", "pairing_code"), 64);
        let refused: Vec<_> = answers
            .iter()
            .filter(|answer| answer["type"] == "error")
            .collect();
        assert_eq!(refused.len(), 36);
        assert!(
            refused.iter().all(|answer| **answer == *refused[0]),
            "{refused:?}"
        );
        assert_eq!(refused[0]["code"], "rate_limited");
        // Somebody else makes a code, and somebody else again uses it.
        let (mut alice, alice_id) = Client::guest_from(server.address, "198.51.100.8").await;
        let code = alice.ask(create.clone()).await["code"].clone();
        let (mut bob, bob_id) = Client::guest_from(server.address, "198.51.100.9").await;
        let paired = bob
            .ask(json!({"type": "use_pairing_code", "code": code}))
            .await;
        assert_eq!(paired, json!({"type": "paired", "peer_id": alice_id}));
        assert_eq!(
            alice.hear().await,
            json!({"type": "paired", "peer_id": bob_id})
        );
        // A code that is given up is there for another one.
        let at = answers
            .iter()
            .position(|answer| answer["type"] == "pairing_code");
        let giver = &mut takers[at.expect("some have one")];
        giver.say(json!({"type": "cancel_pairing_code"})).await;
        assert_eq!(giver.ask(json!({"type": "ping"})).await["type"], "pong");
        let at = answers.iter().position(|answer| answer["type"] == "error");
        let taker = &mut takers[at.expect("some have none")];
        assert_eq!(taker.ask(create.clone()).await["type"], "pairing_code");
        let (_, answers) = all_ask(&server, "", 1, (create, 1)).await;
        assert_eq!(answers[0]["code"], "rate_limited", "and now none is left");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_takes_all_rooms_is_told_and_who_is_in_one_stays_there() {
    let server = Process::start(&["--trusted-proxies", "127.0.0.1", "--max-rooms", "100"]);
    harm(&server, 16 << 20, async {
        let create = json!({"type": "create_room"});
        let (mut alice, alice_id) = Client::guest_from(server.address, "198.51.100.8").await;
        let room = alice.ask(create.clone()).await["room_code"].clone();
        // Four for a guest, 64 for an address.
        let (_taken, answers) = all_ask(&server, "", 20, (create.clone(), 5)).await;
        assert_eq!(count(&answers, "type", "room_created"), 64);
        assert_eq!(count(&answers, "code", "rate_limited"), 36);
        let (_more, answers) = all_ask(&server, "198.51.100.7", 10, (create.clone(), 4)).await;
        assert_eq!(count(&answers, "type", "room_created"), 100 - 64 - 1);
        assert_eq!(count(&answers, "code", "unavailable"), 5);
        // Who is in a room does not notice, and others come to it.
        let (mut bob, bob_id) = Client::guest_from(server.address, "198.51.100.9").await;
        let none = bob.ask(create.clone()).await;
        assert_eq!(none["code"], "unavailable", "{none}");
        let joined = bob
            .ask(json!({"type": "join_room", "room_code": room}))
            .await;
        assert_eq!(joined["peers"][0]["peer_id"], json!(alice_id), "{joined}");
        assert_eq!(alice.hear().await["type"], "peer_joined");
        bob.say(json!({"type": "offer", "to": alice_id, "sdp": "v=0"}))
            .await;
        let offer = json!({"type": "offer", "from": bob_id, "sdp": "v=0"});
        assert_eq!(alice.hear().await, offer);
        // Codes are another matter.
        let code = bob.ask(json!({"type": "create_pairing_code"})).await;
        assert_eq!(code["type"], "pairing_code", "{code}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_fills_the_post_of_who_is_away_is_told_when_there_is_no_room() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        let (mut alice, alice_id) = Client::device(server.address, 1).await;
        let code = alice.ask(json!({"type": "create_pairing_code"})).await["code"].clone();
        let (mut bob, bob_id) = Client::device(server.address, 2).await;
        let paired = bob
            .ask(json!({"type": "use_pairing_code", "code": code}))
            .await;
        assert_eq!(paired["type"], "paired");
        drop(alice);
        assert_eq!(bob.hear().await["type"], "peer_disconnected");
        let post = json!({"type": "relay", "to": alice_id, "payload": "x".repeat(20_000)});
        for _ in 0..20 {
            bob.say(post.clone()).await;
        }
        bob.say(json!({"type": "ping"})).await;
        let mut refused = Vec::new();
        loop {
            let heard = bob.hear().await;
            if heard["type"] == "pong" {
                break;
            }
            refused.push(heard);
        }
        // Three of them are within 64 KiB.
        assert_eq!(refused.len(), 17);
        assert_eq!(
            count(&refused, "code", "peer_offline"),
            17,
            "{}",
            refused[0]
        );
        let (mut alice, _) = Client::device(server.address, 1).await;
        assert_eq!(
            alice.hear().await,
            json!({"type": "paired", "peer_id": bob_id})
        );
        for _ in 0..3 {
            assert_eq!(alice.hear().await["type"], "relayed");
        }
        assert_eq!(bob.hear().await["type"], "peer_connected");
    })
    .await;
}
