//! The audit log of a whole life: it tells what happened, and holds nothing that could be used.

use serde_json::{Value, json};
use signal_server::shell::Settings;

use super::client::Client;
use super::server::Server;

#[tokio::test]
async fn it_tells_what_happened_and_holds_no_code_payload_key_or_address() {
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("audit.jsonl");
    let server = Server::start(Settings {
        audit_log: Some(path.clone()),
        ..Settings::default()
    })
    .await;
    let (mut alice, alice_id) = Client::device(server.address, 1).await;
    let (mut bob, bob_id) = Client::guest(server.address).await;
    let wrong = bob
        .ask(json!({"type": "use_pairing_code", "code": "ZZZ"}))
        .await;
    assert_eq!(wrong["reason"], "code_invalid");
    let code = alice.meet(&mut bob).await;
    bob.say(json!({"type": "relay", "to": alice_id, "payload": "s3cret"}))
        .await;
    alice.hear().await;
    let room = alice
        .ask(json!({"type": "create_room", "display_name": "Alice-Name"}))
        .await["room_code"]
        .clone();
    bob.ask(json!({"type": "join_room", "room_code": room}))
        .await;
    bob.ask(json!({"type": "join_room", "room_code": "ABCDE-FGHJK"}))
        .await;
    let mut forged = Client::open(server.address).await;
    forged.hello["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    forged.ask_as_device(2, json!({})).await;
    assert_eq!(forged.hear().await["code"], "bad_proof");
    server.stop().await;

    let text = std::fs::read_to_string(&path).expect("it is written");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let events: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    for event in [
        "started",
        "registered",
        "code_failed",
        "code_created",
        "code_claimed",
        "room_created",
        "room_joined",
        "room_refused",
        "register_failed",
        "draining",
        "stopped",
    ] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let registered = lines.iter().find(|line| line["event"] == "registered");
    let registered = registered.expect("it is told");
    assert_eq!(registered["device"], alice_id[..8]);
    assert!(
        registered["network"]
            .as_str()
            .is_some_and(|name| name.len() == 16)
    );
    let room = room.as_str().expect("text");
    let code = format!("\"{}\"", code.as_str().expect("text"));
    for hidden in [
        alice_id.as_str(),
        &bob_id,
        room,
        &code,
        "ZZZ",
        "s3cret",
        "Alice-Name",
        "127.0.0.1",
    ] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}
