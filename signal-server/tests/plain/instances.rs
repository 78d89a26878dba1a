//! Several instances that share a Redis: to clients they are one server.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signal_server::shell::{Redis, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::client::Client;
use super::process::Process;
use super::redis::RedisServer;
use super::server::{PATIENCE, Server};

/// A page with its head.
pub(crate) async fn page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    answer
}

/// The status line of a page.
pub(crate) async fn status(address: SocketAddr, path: &str) -> String {
    let answer = page(address, path).await;
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Waits until the page answers with this status.
pub(crate) async fn until_status(address: SocketAddr, path: &str, wanted: &str) {
    let look = async {
        while !status(address, path).await.contains(wanted) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it comes to that");
}

pub(crate) async fn instance(redis: &RedisServer, name: &str) -> Server {
    let mut settings = Settings {
        redis: Some(Redis::at(&redis.url(), None).expect("a URL")),
        ..Settings::default()
    };
    settings.rendezvous.relay_base = format!("/at/{name}");
    let server = Server::start(settings).await;
    until_status(server.address, "/ready", "200").await;
    server
}

#[tokio::test]
async fn process_a_guest_and_a_device_pair_across_two_instances() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let (mut alice, alice_id) = Client::device(first.address, 1).await;
    let (mut guest, guest_id) = Client::guest(second.address).await;
    let code = alice.ask(json!({"type": "create_pairing_code"})).await;
    assert_eq!(
        (code["type"].as_str(), code["expires_in"].as_u64()),
        (Some("pairing_code"), Some(300))
    );
    let claim = json!({"type": "use_pairing_code", "code": code["code"]});
    assert_eq!(
        guest.ask(claim.clone()).await,
        json!({"type": "paired", "peer_id": alice_id})
    );
    assert_eq!(
        alice.hear().await,
        json!({"type": "paired", "peer_id": guest_id})
    );

    let (mut late, _) = Client::guest(first.address).await;
    let refused = late.ask(claim).await;
    assert_eq!(
        refused["reason"], "code_invalid",
        "it was claimed elsewhere"
    );

    for number in 0..20 {
        guest
            .say(json!({"type": "relay", "to": alice_id, "payload": number}))
            .await;
        alice
            .say(json!({"type": "relay", "to": guest_id, "payload": {"n": number}}))
            .await;
    }
    for number in 0..20 {
        let heard = alice.hear().await;
        assert_eq!(
            heard,
            json!({"type": "relayed", "from": guest_id, "payload": number})
        );
        let heard = guest.hear().await;
        assert_eq!(
            heard,
            json!({"type": "relayed", "from": alice_id, "payload": {"n": number}})
        );
    }

    // The device moves to the other instance; what is said meanwhile waits for it.
    drop(alice);
    assert_eq!(guest.hear().await["type"], "peer_disconnected");
    guest
        .say(json!({"type": "relay", "to": alice_id, "payload": "kept"}))
        .await;
    assert_eq!(guest.ask(json!({"type": "ping"})).await["type"], "pong");
    let (mut alice, _) = Client::device(second.address, 1).await;
    assert_eq!(
        alice.hear().await,
        json!({"type": "paired", "peer_id": guest_id})
    );
    assert_eq!(alice.hear().await["payload"], "kept");
    assert_eq!(guest.hear().await["type"], "peer_connected");

    // And back, while its older connection still stands.
    let (mut newest, _) = Client::device(first.address, 1).await;
    assert_eq!(
        alice.hear_close().await,
        4009,
        "the newest connection of a key wins"
    );
    assert_eq!(
        newest.hear().await,
        json!({"type": "paired", "peer_id": guest_id})
    );
    guest.say(json!({"type": "cancel_pairing_code"})).await;
    loop {
        let heard = newest.hear().await;
        if heard["type"] == "pairing_failed" {
            break assert_eq!(heard["reason"], "cancelled");
        }
    }
    for server in [first, second] {
        server.stop().await;
    }
}

/// Two devices that watch each other, each at its instance; both know that the other is there.
pub(crate) async fn acquainted(first: SocketAddr, second: SocketAddr) -> [(Client, String); 2] {
    let (mut alice, alice_id) = Client::device(first, 1).await;
    let (mut bob, bob_id) = Client::device(second, 2).await;
    alice.say(json!({"type": "watch", "peers": [bob_id]})).await;
    bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
    assert_eq!(alice.hear().await, connected(&bob_id));
    assert_eq!(bob.hear().await, connected(&alice_id));
    [(alice, alice_id), (bob, bob_id)]
}

pub(crate) fn connected(id: &str) -> Value {
    json!({"type": "peer_connected", "peer_id": id})
}

pub(crate) fn disconnected(id: &str) -> Value {
    json!({"type": "peer_disconnected", "peer_id": id})
}

/// Says something to somebody until it is heard, and what else was heard before.
pub(crate) async fn relay(from: &mut Client, to: &mut Client, to_id: &str) -> Vec<Value> {
    let mark = json!("mark");
    from.say(json!({"type": "relay", "to": to_id, "payload": mark}))
        .await;
    let mut before = Vec::new();
    loop {
        let heard = to.hear().await;
        if heard["type"] == "relayed" && heard["payload"] == mark {
            return before;
        }
        before.push(heard);
    }
}

#[tokio::test]
async fn process_who_watches_each_other_meets_across_instances_and_strangers_do_not() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let [(mut alice, alice_id), (mut bob, bob_id)] =
        acquainted(first.address, second.address).await;
    assert_eq!(relay(&mut alice, &mut bob, &bob_id).await, [] as [Value; 0]);
    assert_eq!(
        relay(&mut bob, &mut alice, &alice_id).await,
        [] as [Value; 0]
    );

    let (mut eve, _) = Client::device(first.address, 3).await;
    eve.say(json!({"type": "watch", "peers": [bob_id]})).await;
    let refused = eve
        .ask(json!({"type": "relay", "to": bob_id, "payload": 1}))
        .await;
    assert_eq!(refused["code"], "peer_offline");
    let refused = eve.ask(json!({"type": "relay_open", "to": bob_id})).await;
    assert_eq!(refused["code"], "peer_offline");

    bob.say(json!({"type": "watch", "peers": []})).await;
    assert_eq!(alice.hear().await, disconnected(&bob_id));
    let refused = alice
        .ask(json!({"type": "relay", "to": bob_id, "payload": 1}))
        .await;
    assert_eq!(
        refused["code"], "peer_offline",
        "the consent was taken back"
    );
    bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
    assert_eq!(alice.hear().await, connected(&bob_id));
    assert_eq!(bob.hear().await, connected(&alice_id));
    drop(bob);
    assert_eq!(alice.hear().await, disconnected(&bob_id));
    for server in [first, second] {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_a_relay_channel_lies_at_one_instance_and_its_url_says_which() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let [(mut alice, alice_id), (mut bob, bob_id)] =
        acquainted(first.address, second.address).await;
    for asker in ["alice", "bob"] {
        let (one, other, to) = match asker {
            "alice" => (&mut alice, &mut bob, &bob_id),
            _ => (&mut bob, &mut alice, &alice_id),
        };
        let ready = one
            .ask(json!({"type": "relay_open", "to": to, "id": 7}))
            .await;
        let told = other.hear().await;
        assert_eq!(
            (&ready["type"], &ready["id"]),
            (&json!("relay_ready"), &json!(7))
        );
        assert_eq!(
            (&told["url"], &told["channel"]),
            (&ready["url"], &ready["channel"])
        );
        assert_ne!(told["token"], ready["token"]);
        let url = ready["url"].as_str().expect("a URL");
        let [here, there] = if url.starts_with("/at/a/") {
            [first.address, second.address]
        } else {
            assert!(url.starts_with("/at/b/"), "{url}");
            [second.address, first.address]
        };
        assert!(
            status(there, url).await.contains("404"),
            "it is not for the other one"
        );
        let mut ends = Vec::new();
        for ready in [&ready, &told] {
            let mut request = format!("ws://{here}{url}")
                .into_client_request()
                .expect("a URL");
            let bearer = format!("Bearer {}", ready["token"].as_str().expect("a token"));
            let bearer = bearer.parse().expect("a header");
            request.headers_mut().insert("Authorization", bearer);
            let stream = TcpStream::connect(here).await.expect("it listens");
            let (socket, _) = client_async(request, stream).await.expect("it upgrades");
            ends.push(socket);
        }
        let channel = u32::try_from(ready["channel"].as_u64().expect("a number")).expect("small");
        let packet = [&[0x10, 0], &channel.to_be_bytes()[..], b"sealed"].concat();
        let [one_end, other_end] = &mut ends[..] else {
            panic!("two")
        };
        let passed = timeout(PATIENCE, async {
            loop {
                // What comes before the other end is seated is dropped.
                one_end
                    .send(Message::Binary(packet.clone().into()))
                    .await
                    .expect("sent");
                let frame = timeout(Duration::from_millis(200), other_end.next()).await;
                if let Ok(Some(Ok(Message::Binary(heard)))) = frame {
                    break heard;
                }
            }
        });
        assert_eq!(passed.await.expect("it passes"), packet);
    }
    for server in [first, second] {
        server.stop().await;
    }
}

/// Hears until it is this, which comes in time.
async fn hear_until(client: &mut Client, wanted: &Value) {
    let heard = timeout(PATIENCE, async { while client.hear().await != *wanted {} });
    let missing = || panic!("{wanted} is not heard");
    heard.await.unwrap_or_else(|_| missing());
}

#[tokio::test]
async fn process_a_room_is_one_room_across_instances() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let url = redis.url();
    let third = Process::start(&["--redis-url", &url, "--instance", "c"]);
    until_status(third.address, "/ready", "200").await;
    let (mut alice, alice_id) = Client::device(first.address, 1).await;
    let created = alice.ask(json!({"type": "create_room"})).await;
    let room = created["room_code"].clone();
    let proof = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let locked = json!({"type": "create_room", "room_code": room, "password_proof": proof});
    assert_eq!(alice.ask(locked).await["type"], "room_created");

    let (mut bob, bob_id) = Client::guest(second.address).await;
    let wrong = json!({"type": "join_room", "room_code": room});
    assert_eq!(bob.ask(wrong).await["code"], "room_not_found");
    let join = json!({"type": "join_room", "room_code": room, "password_proof": proof, "display_name": "Bob"});
    let joined = bob.ask(join.clone()).await;
    let peers = json!([{"peer_id": alice_id, "display_name": ""}]);
    assert_eq!(joined["peers"], peers, "{joined}");
    let came =
        json!({"type": "peer_joined", "room_code": room, "peer_id": bob_id, "display_name": "Bob"});
    assert_eq!(alice.hear().await, came);
    let sent = Instant::now();
    for number in 0..20 {
        bob.say(json!({"type": "offer", "to": alice_id, "sdp": number}))
            .await;
    }
    for number in 0..20 {
        let heard = alice.hear().await;
        assert_eq!(
            heard,
            json!({"type": "offer", "from": bob_id, "sdp": number})
        );
    }
    println!("20 offers across instances took {:?}", sent.elapsed());

    // Sixteen are inside at most, wherever they are.
    let mut others = Vec::new();
    for number in 3..=16 {
        let server = if number % 2 == 0 {
            first.address
        } else {
            third.address
        };
        let (mut other, id) = Client::device(server, number).await;
        assert_eq!(other.ask(join.clone()).await["type"], "joined_room");
        others.push((other, id, server));
    }
    let (mut late, _) = Client::device(second.address, 99).await;
    assert_eq!(late.ask(join.clone()).await["code"], "room_full");

    // Who leaves, who disconnects and whose instance is killed is told gone.
    let left = |id: &str| json!({"type": "peer_left", "room_code": room, "peer_id": id});
    let (mut leaver, leaver_id, _) = others.remove(1);
    leaver.say(json!({"type": "leave_room"})).await;
    hear_until(&mut bob, &left(&leaver_id)).await;
    let at_first = others.iter().position(|(.., at)| *at == first.address);
    let (gone, gone_id, _) = others.remove(at_first.expect("some are there"));
    drop(gone);
    hear_until(&mut bob, &left(&gone_id)).await;
    third.signal("KILL");
    let killed = Instant::now();
    let of_third = others.iter().filter(|(.., at)| *at == third.address);
    let mut missing: Vec<_> = of_third.map(|(_, id, _)| left(id)).collect();
    assert!(missing.len() >= 5);
    let missed = timeout(PATIENCE, async {
        while !missing.is_empty() {
            let heard = bob.hear().await;
            missing.retain(|message| *message != heard);
        }
    });
    missed.await.expect("all are missed");
    println!(
        "members at a killed instance are missed after {:?}",
        killed.elapsed()
    );
    // Who was there comes back elsewhere by the same key, though the room is full of the dead.
    let back = others.iter().find(|(.., at)| *at == third.address);
    let number = 3;
    assert!(back.is_some());
    let (mut back, back_id) = Client::device(first.address, number).await;
    let joined = back.ask(join.clone()).await;
    assert_eq!(joined["type"], "joined_room");
    bob.say(json!({"type": "offer", "to": back_id, "sdp": "again"}))
        .await;
    let again = json!({"type": "offer", "from": bob_id, "sdp": "again"});
    hear_until(&mut back, &again).await;
    for server in [first, second] {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_a_room_within_an_instance_goes_on_while_redis_is_frozen() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let (mut alice, alice_id) = Client::device(first.address, 1).await;
    let room = alice.ask(json!({"type": "create_room"})).await["room_code"].clone();
    let join = json!({"type": "join_room", "room_code": room});
    let (mut bob, bob_id) = Client::device(first.address, 2).await;
    let (mut carol, carol_id) = Client::device(second.address, 3).await;
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.ask(join.clone()).await["type"], "joined_room");
    }
    hear_until(
        &mut bob,
        &json!({"type": "peer_joined", "room_code": room, "peer_id": carol_id, "display_name": ""}),
    )
    .await;
    redis.signal("STOP");
    until_status(first.address, "/ready", "503").await;
    bob.say(json!({"type": "offer", "to": alice_id, "sdp": "here"}))
        .await;
    let here = json!({"type": "offer", "from": bob_id, "sdp": "here"});
    hear_until(&mut alice, &here).await;
    for refused in [
        json!({"type": "offer", "to": carol_id, "sdp": "there"}),
        json!({"type": "create_room"}),
        join.clone(),
    ] {
        assert_eq!(bob.ask(refused).await["code"], "unavailable");
    }
    // Who leaves now has left.
    bob.say(json!({"type": "leave_room"})).await;
    hear_until(
        &mut bob,
        &json!({"type": "left_room", "room_code": room, "reason": "left"}),
    )
    .await;
    redis.signal("CONT");
    let back = Instant::now();
    hear_until(
        &mut carol,
        &json!({"type": "peer_left", "room_code": room, "peer_id": bob_id}),
    )
    .await;
    println!(
        "who left meanwhile is missed elsewhere {:?} after Redis went on",
        back.elapsed()
    );
    carol
        .say(json!({"type": "offer", "to": alice_id, "sdp": "back"}))
        .await;
    hear_until(
        &mut alice,
        &json!({"type": "offer", "from": carol_id, "sdp": "back"}),
    )
    .await;
    for server in [first, second] {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_who_has_guessed_at_one_instance_has_guessed_at_all() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let (mut alice, _) = Client::device(first.address, 1).await;
    let code = alice.ask(json!({"type": "create_pairing_code"})).await;
    let claim = json!({"type": "use_pairing_code", "code": code["code"]});
    let wrong = json!({"type": "use_pairing_code", "code": "222"});
    let mut tries = 0;
    for server in [&first, &second, &first] {
        let (mut eve, _) = Client::device(server.address, 2).await;
        for _ in 0..2 {
            tries += 1;
            assert_eq!(eve.ask(wrong.clone()).await["reason"], "code_invalid");
        }
        if tries < 5 {
            continue;
        }
        let refused = eve.ask(claim.clone()).await;
        assert_eq!(refused["reason"], "code_invalid", "her five are spent");
    }
    // Each instance by itself has seen fewer than five.
    let (mut eve, _) = Client::device(second.address, 2).await;
    let refused = eve.ask(claim.clone()).await;
    assert_eq!(refused["reason"], "code_invalid", "{refused}");
    let (mut bob, _) = Client::device(second.address, 3).await;
    assert_eq!(bob.ask(claim).await["type"], "paired");
    for server in [first, second] {
        server.stop().await;
    }
}
