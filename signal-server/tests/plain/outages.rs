//! Several instances, of which one is killed, or whose Redis is frozen or forgets all.

use serde_json::json;
use tokio::time::{Duration, Instant, timeout};

use super::client::Client;
use super::instances::{
    acquainted, connected, disconnected, instance, relay, status, until_status,
};
use super::process::Process;
use super::redis::RedisServer;
use super::server::PATIENCE;

#[tokio::test]
async fn process_a_frozen_redis_stops_codes_and_nothing_within_an_instance() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let [(mut alice, alice_id), (mut bob, bob_id)] =
        acquainted(first.address, second.address).await;
    let (mut carol, carol_id) = Client::device(first.address, 4).await;
    let watch = |peers: &[&String]| json!({"type": "watch", "peers": peers});
    alice.say(watch(&[&bob_id, &carol_id])).await;
    carol.say(watch(&[&alice_id])).await;
    assert_eq!(alice.hear().await, connected(&carol_id));
    assert_eq!(carol.hear().await, connected(&alice_id));

    redis.signal("STOP");
    let frozen = Instant::now();
    let refused = alice.ask(json!({"type": "create_pairing_code"})).await;
    println!("a code is refused {:?} after Redis froze", frozen.elapsed());
    assert_eq!(refused["code"], "unavailable");
    assert!(refused["retry_after_ms"].as_u64().is_some());
    relay(&mut alice, &mut carol, &carol_id).await;
    assert!(status(first.address, "/health").await.contains("200"));
    until_status(first.address, "/ready", "503").await;
    println!("not ready {:?} after Redis froze", frozen.elapsed());
    let refused = alice
        .ask(json!({"type": "relay", "to": bob_id, "payload": 1}))
        .await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    let refused = alice
        .ask(json!({"type": "use_pairing_code", "code": "ABC"}))
        .await;
    assert_eq!(refused["code"], "unavailable", "{refused}");
    relay(&mut carol, &mut alice, &alice_id).await;

    redis.signal("CONT");
    let back = Instant::now();
    for server in [&first, &second] {
        until_status(server.address, "/ready", "200").await;
    }
    println!("ready {:?} after Redis went on", back.elapsed());
    relay(&mut alice, &mut bob, &bob_id).await;
    let code = alice.ask(json!({"type": "create_pairing_code"})).await;
    assert_eq!(code["type"], "pairing_code");
    for server in [first, second] {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_a_redis_that_forgets_all_is_told_all_and_who_left_meanwhile_is_missed() {
    let mut redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let [(mut alice, alice_id), (mut bob, bob_id)] =
        acquainted(first.address, second.address).await;
    let (mut dora, dora_id) = Client::device(second.address, 5).await;
    alice
        .say(json!({"type": "watch", "peers": [bob_id, dora_id]}))
        .await;
    dora.say(json!({"type": "watch", "peers": [alice_id]}))
        .await;
    assert_eq!(alice.hear().await, connected(&dora_id));
    assert_eq!(dora.hear().await, connected(&alice_id));
    redis.kill();
    drop(dora);
    // Something that is refused: by then both have noticed.
    for client in [&mut alice, &mut bob] {
        let refused = client.ask(json!({"type": "create_pairing_code"})).await;
        assert_eq!(refused["code"], "unavailable");
    }
    redis.start_anew();
    let back = Instant::now();
    let passes = timeout(PATIENCE, async {
        // What is said before both are back is refused or lost.
        loop {
            alice
                .say(json!({"type": "relay", "to": bob_id, "payload": "again"}))
                .await;
            let heard = timeout(Duration::from_millis(100), bob.hear()).await;
            if heard.is_ok_and(|heard| heard["payload"] == "again") {
                break;
            }
        }
    });
    passes.await.expect("it passes again");
    println!("relayed {:?} after Redis was started anew", back.elapsed());
    let missed = timeout(PATIENCE, async {
        while alice.hear().await != disconnected(&dora_id) {}
    });
    missed.await.expect("she is missed");
    println!("who left meanwhile is missed after {:?}", back.elapsed());
    // What Redis had forgotten it knows again: a new instance finds both.
    let third = instance(&redis, "c").await;
    let (mut eve, eve_id) = Client::device(third.address, 6).await;
    eve.say(json!({"type": "watch", "peers": [bob_id]})).await;
    bob.say(json!({"type": "watch", "peers": [alice_id, eve_id]}))
        .await;
    assert_eq!(eve.hear().await, connected(&bob_id));
    for server in [first, second, third] {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_an_instance_that_is_killed_is_missed_and_its_clients_come_back_elsewhere() {
    let redis = RedisServer::start();
    let first = instance(&redis, "a").await;
    let url = redis.url();
    let second = Process::start(&["--redis-url", &url, "--instance", "b"]);
    until_status(second.address, "/ready", "200").await;
    let [(mut alice, alice_id), (bob, bob_id)] = acquainted(first.address, second.address).await;
    second.signal("KILL");
    let killed = Instant::now();
    drop(bob);
    assert_eq!(alice.hear().await, disconnected(&bob_id));
    println!(
        "the clients of a killed instance are missed after {:?}",
        killed.elapsed()
    );
    let (mut bob, _) = Client::device(first.address, 2).await;
    bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
    assert_eq!(alice.hear().await, connected(&bob_id));
    assert_eq!(bob.hear().await, connected(&alice_id));
    relay(&mut alice, &mut bob, &bob_id).await;
    first.stop().await;
}
