//! Somebody who wants to be a device without having its key.

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use towline_wire::ids::DeviceId;

use super::super::client::Client;
use super::super::process::Process;
use super::witness::harm;

/// Says this first; it must be told that it proves nothing, and cut.
async fn is_refused(mut client: Client, register: Value) {
    let answer = client.ask(register.clone()).await;
    let codes = ["bad_proof", "invalid_message"];
    let code = answer["code"].as_str().unwrap_or_default();
    assert!(codes.contains(&code), "{register}: {answer}");
    if code == "bad_proof" {
        assert_eq!(client.hear_close().await, 4003, "{register}");
    } else {
        // What is no registration is none: it may still come, and nothing else may.
        let answer = client.ask(json!({"type": "create_pairing_code"})).await;
        assert_eq!(answer["code"], "not_registered", "{register}");
    }
}

/// A key that everything is signed for, by who does not look closely: the neutral point.
fn neutral() -> [u8; 32] {
    let mut key = [0; 32];
    key[0] = 1;
    key
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_a_proof_works_once_and_only_for_who_has_the_key() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        // What somebody on the way to a server without TLS has read.
        let mut alice = Client::open(server.address).await;
        let captured = alice.proof(1);
        let registered = alice.ask(captured.clone()).await;
        assert_eq!(registered["type"], "registered", "{registered}");
        let alice_id = registered["device_id"].as_str().expect("an id").to_owned();
        let again = alice.ask(captured.clone()).await;
        assert_eq!(again["code"], "already_registered", "{again}");
        let (mut bob, bob_id) = Client::device(server.address, 2).await;
        alice.say(json!({"type": "watch", "peers": [bob_id]})).await;
        bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
        for client in [&mut alice, &mut bob] {
            assert_eq!(client.hear().await["type"], "peer_connected");
        }

        // Again, on another connection, which has another nonce.
        is_refused(Client::open(server.address).await, captured.clone()).await;
        // With the nonce of a connection that is open beside it.
        let other = Client::open(server.address).await;
        is_refused(Client::open(server.address).await, other.proof(1)).await;
        // By another key, whose proof is right.
        let eve = Client::open(server.address).await;
        let mut forged = eve.proof(3);
        forged["device_id"] = json!(alice_id);
        is_refused(eve, forged).await;
        // For another host, as another server could pass it on.
        let eve = Client::open(server.address).await;
        let mut forged = eve.proof(1);
        forged["proof"]["host"] = json!("evil.example");
        is_refused(eve, forged).await;
        // Signatures that are none, and signatures by keys that are none.
        for (key, signature) in [
            (None, BASE64.encode(&[0; 64])),
            (None, BASE64.encode(&[0xff; 64])),
            (None, String::new()),
            (Some(neutral()), {
                BASE64.encode(&[&neutral()[..], &[0; 32]].concat())
            }),
            (Some([0; 32]), BASE64.encode(&[0; 64])),
        ] {
            let eve = Client::open(server.address).await;
            let mut forged = eve.proof(1);
            if let Some(key) = key {
                let id = DeviceId::from_public_key(key).to_string();
                forged["device_id"] = json!(id);
            }
            forged["proof"]["signature"] = json!(signature);
            is_refused(eve, forged).await;
        }
        // Another protocol's signature by the right key.
        let eve = Client::open(server.address).await;
        let mut forged = eve.proof(1);
        let key = SigningKey::from_bytes(&[1; 32]);
        let nonce = eve.hello["nonce"].as_str().expect("a nonce").as_bytes();
        let nonce = BASE64.decode(nonce).expect("base64");
        forged["proof"]["signature"] = json!(BASE64.encode(&key.sign(&nonce).to_bytes()));
        is_refused(eve, forged).await;

        // Who only says that it is somebody is a guest like any other, and what it sends says so.
        let mut eve = Client::open(server.address).await;
        let guest = eve
            .ask(json!({"type": "register", "device_id": alice_id}))
            .await;
        assert_eq!(
            (&guest["type"], &guest["guest"]),
            (&json!("registered"), &json!(true))
        );
        eve.say(json!({"type": "watch", "peers": [bob_id]})).await;
        let relay = json!({"type": "relay", "to": bob_id, "from": alice_id, "payload": 1});
        assert_eq!(eve.ask(relay).await["code"], "peer_offline");

        // All that has changed nothing for who has the key: she is there, and heard.
        alice
            .say(json!({"type": "relay", "to": bob_id, "payload": "mine"}))
            .await;
        let heard = bob.hear().await;
        assert_eq!(
            heard,
            json!({"type": "relayed", "from": alice_id, "payload": "mine"})
        );
    })
    .await;
}
