//! What devices see that come to an instance whose Redis is gone: they are taken in for a while, then told to come later.

use serde_json::{Value, json};
use signal_server::shell::{Redis, Settings};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::client::Client;
use super::instances::until_status;
use super::redis::RedisServer;
use super::server::{PATIENCE, Server};

/// Comes as the device of this number; gives what it is told.
async fn come(server: &Server, number: u8) -> (Client, Value) {
    let mut client = Client::open(server.address).await;
    client.ask_as_device(number, json!({})).await;
    let told = client.hear().await;
    (client, told)
}

/// Comes again and again until it is told something of this type.
async fn come_until(server: &Server, number: u8, wanted: &str) -> (Client, Value) {
    let tries = async {
        loop {
            let (client, told) = come(server, number).await;
            if told["type"] == wanted {
                return (client, told);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, tries).await.expect("it comes to that")
}

#[tokio::test]
async fn process_without_redis_devices_are_taken_in_for_a_while_and_then_told_to_come_later() {
    let grace = Duration::from_secs(2);
    let mut redis = RedisServer::start();
    let mut settings = Settings {
        redis: Some(Redis::at(&redis.url(), None).expect("a URL")),
        ..Settings::default()
    };
    settings.rendezvous.relay_base = "/at/a".to_owned();
    settings.rendezvous.register_grace = grace;
    let server = Server::start(settings).await;
    until_status(server.address, "/ready", "200").await;
    let (mut alice, alice_id) = Client::device(server.address, 1).await;
    let code = json!({"type": "create_pairing_code"});
    assert_eq!(alice.ask(code.clone()).await["type"], "pairing_code");

    redis.kill();
    let gone = Instant::now();
    let (mut bob, registered) = come(&server, 2).await;
    assert_eq!(registered["type"], "registered", "{registered}");
    let bob_id = registered["device_id"].clone();
    let (refused_client, refused) = come_until(&server, 3, "error").await;
    println!("refused {:?} after the end of Redis", gone.elapsed());
    assert!(gone.elapsed() >= grace, "{:?}", gone.elapsed());
    assert_eq!(refused["code"], "unavailable", "{refused}");
    assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
    // A guest, too, and again in the same words.
    let mut guest = Client::open(server.address).await;
    let again = guest.ask(json!({"type": "register"})).await;
    assert_eq!(again["code"], "unavailable", "{again}");
    // Who is there stays, and what is within the instance goes on.
    alice.say(json!({"type": "watch", "peers": [bob_id]})).await;
    bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
    assert_eq!(alice.hear().await["type"], "peer_connected");
    assert_eq!(bob.hear().await["type"], "peer_connected");
    alice
        .say(json!({"type": "relay", "to": bob_id, "payload": 7}))
        .await;
    assert_eq!(bob.hear().await["payload"], 7);
    assert_eq!(alice.ask(code.clone()).await["code"], "unavailable");

    redis.start_anew();
    let back = Instant::now();
    // On the connection that was refused, as on another one.
    let mut client = refused_client;
    client.ask_as_device(3, json!({})).await;
    let heard = client.hear().await;
    assert!(
        heard["type"] == "registered" || heard["code"] == "unavailable",
        "it may try there again: {heard}"
    );
    drop(client);
    let (_, registered) = come_until(&server, 3, "registered").await;
    assert_eq!(registered["guest"], false);
    println!("taken in {:?} after Redis was back", back.elapsed());
    server.stop().await;
}
