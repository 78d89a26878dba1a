//! Three instances, of which one is killed, or whose Redis is frozen or forgets all.

use serde_json::json;
use tokio::time::Instant;

use super::client::Client;
use super::friends::{
    Friend, all_pair, all_speak, friends_at, nobody_is_missed, pair, paired, say_until_heard, speak,
};
use super::instances::{connected, disconnected, instance, relay, status, until_status};
use super::process::Process;
use super::redis::RedisServer;

#[tokio::test]
async fn process_a_frozen_redis_stops_codes_and_nothing_within_an_instance() {
    let redis = RedisServer::start();
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(instance(&redis, name).await);
    }
    let at = [0, 1, 2].map(|which: usize| servers[which].address);
    let mut friends = friends_at([at[0], at[1], at[2], at[0]]).await;
    all_speak(&mut friends).await;

    redis.signal("STOP");
    let frozen = Instant::now();
    let [alice, bob, carol, dora] = &mut friends;
    for friend in [&mut *alice, &mut *bob, &mut *carol] {
        let refused = friend.answer(&json!({"type": "create_pairing_code"})).await;
        println!("a code is refused {:?} after Redis froze", frozen.elapsed());
        assert_eq!(refused["code"], "unavailable");
        assert!(refused["retry_after_ms"].as_u64().is_some());
    }
    speak(alice, dora).await;
    for address in at {
        assert!(status(address, "/health").await.contains("200"));
        until_status(address, "/ready", "503").await;
    }
    println!("all are not ready {:?} after Redis froze", frozen.elapsed());
    let next = [bob.id.clone(), carol.id.clone(), alice.id.clone()];
    for (from, to) in [&mut *alice, bob, carol].into_iter().zip(next) {
        for refused in [
            json!({"type": "relay", "to": to, "payload": 1}),
            json!({"type": "use_pairing_code", "code": "ABC"}),
        ] {
            let heard = from.answer(&refused).await;
            assert_eq!(heard["code"], "unavailable", "{refused}: {heard}");
        }
    }
    speak(dora, alice).await;

    redis.signal("CONT");
    let back = Instant::now();
    for address in at {
        until_status(address, "/ready", "200").await;
    }
    println!("all are ready {:?} after Redis went on", back.elapsed());
    all_speak(&mut friends).await;
    all_pair(at, 10).await;
    nobody_is_missed(&friends.each_ref());
    println!(
        "all speak and pair {:?} after Redis went on",
        back.elapsed()
    );
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_a_redis_that_forgets_all_is_told_all_and_who_left_meanwhile_is_missed() {
    let mut redis = RedisServer::start();
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        servers.push(instance(&redis, name).await);
    }
    let at = [0, 1, 2].map(|which: usize| servers[which].address);
    let [mut alice, mut bob, mut carol, dora] = friends_at([at[0], at[1], at[2], at[2]]).await;
    redis.kill();
    let gone = disconnected(&dora.id);
    drop(dora);
    carol.hears(&gone).await;
    // Something that is refused: by then all have noticed.
    for friend in [&mut alice, &mut bob, &mut carol] {
        let refused = friend.answer(&json!({"type": "create_pairing_code"})).await;
        assert_eq!(refused["code"], "unavailable");
    }
    redis.start_anew();
    let back = Instant::now();
    say_until_heard(&mut alice, &mut bob).await;
    say_until_heard(&mut bob, &mut carol).await;
    say_until_heard(&mut carol, &mut alice).await;
    println!(
        "all relay {:?} after Redis was started anew",
        back.elapsed()
    );
    for address in at {
        until_status(address, "/ready", "200").await;
    }
    all_pair(at, 10).await;
    println!("all pair {:?} after Redis was started anew", back.elapsed());
    for friend in [&mut alice, &mut bob] {
        friend.hears(&gone).await;
    }
    println!("who left meanwhile is missed after {:?}", back.elapsed());
    nobody_is_missed(&[&alice, &bob, &carol]);
    // What Redis had forgotten it knows again: a new instance finds who was there.
    let fourth = instance(&redis, "d").await;
    let mut eve = Friend::come(fourth.address, 5).await;
    eve.watch(&[&bob.id, &carol.id]).await;
    bob.watch(&[&alice.id, &carol.id, &eve.id]).await;
    carol.watch(&[&alice.id, &bob.id, &eve.id]).await;
    for friend in [&mut bob, &mut carol] {
        eve.hears(&connected(&friend.id)).await;
        friend.hears(&connected(&eve.id)).await;
        speak(friend, &mut eve).await;
    }
    servers.push(fourth);
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn process_an_instance_that_is_killed_is_missed_and_its_clients_come_back_elsewhere() {
    let redis = RedisServer::start();
    let (first, second) = (instance(&redis, "a").await, instance(&redis, "b").await);
    let url = redis.url();
    let third = Process::start(&["--redis-url", &url, "--instance", "c"]);
    until_status(third.address, "/ready", "200").await;
    let at = [first.address, second.address, third.address];
    let mut friends = friends_at(at).await;
    all_speak(&mut friends).await;
    let [mut alice, mut bob, carol] = friends;
    let (mut dora, dora_id) = Client::device(third.address, 4).await;
    let code = dora.ask(json!({"type": "create_pairing_code"})).await["code"].clone();

    third.signal("KILL");
    let killed = Instant::now();
    let gone = disconnected(&carol.id);
    drop((carol, dora));
    // The two that are left do with each other what they did, before they know.
    speak(&mut alice, &mut bob).await;
    pair([at[0], at[1]], [10, 11]).await;
    println!(
        "the two that are left pair {:?} after the kill",
        killed.elapsed()
    );
    // A code lives in Redis, not where it was made.
    let (mut eve, eve_id) = Client::device(at[0], 5).await;
    let claim = json!({"type": "use_pairing_code", "code": code});
    assert_eq!(eve.ask(claim).await, paired(&dora_id));
    let (mut dora, _) = Client::device(at[1], 4).await;
    assert_eq!(dora.hear().await, paired(&eve_id));
    relay(&mut eve, &mut dora, &dora_id).await;
    relay(&mut dora, &mut eve, &eve_id).await;
    println!(
        "a code of the killed instance pairs {:?} after that",
        killed.elapsed()
    );
    for friend in [&mut alice, &mut bob] {
        friend.hears(&gone).await;
    }
    println!(
        "its clients are missed by both {:?} after that",
        killed.elapsed()
    );
    nobody_is_missed(&[&alice, &bob]);

    let mut carol = Friend::come(at[1], 3).await;
    carol.watch(&[&alice.id, &bob.id]).await;
    for friend in [&mut alice, &mut bob] {
        friend.hears(&connected(&carol.id)).await;
        carol.hears(&connected(&friend.id)).await;
    }
    all_speak(&mut [alice, bob, carol]).await;
    for server in [first, second] {
        server.stop().await;
    }
}
