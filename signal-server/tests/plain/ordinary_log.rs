//! The ordinary log, with everything that can be asked for: it holds nothing that could be used.

use std::fs::{self, File};

use serde_json::json;

use super::client::Client;
use super::process::Process;

#[tokio::test]
async fn process_all_that_can_be_logged_holds_no_code_payload_or_token() {
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("log");
    // As text, in which nothing is written otherwise than it was said.
    let mut command = Process::command(&["--log-format", "text"]);
    command.env("RUST_LOG", "trace");
    command.stderr(File::create(&path).expect("a log"));
    let server = Process::begin(&mut command);

    let (mut alice, alice_id) = Client::device(server.address, 1).await;
    let (mut bob, _) = Client::guest(server.address).await;
    let code = alice.meet(&mut bob).await;
    bob.say(json!({"type": "relay", "to": alice_id, "payload": "s3cret"}))
        .await;
    assert_eq!(alice.hear().await["payload"], "s3cret");
    let room = json!({"type": "create_room", "display_name": "Alice-Name", "password": "pa55word"});
    let room = alice.ask(room).await["room_code"].clone();

    let log = fs::read_to_string(&path).expect("it is written");
    assert!(log.contains("DEBUG"), "much was asked for: {log}");
    let code = format!("\"{}\"", code.as_str().expect("text"));
    let room = room.as_str().expect("text");
    for secret in [
        &*code,
        room,
        "s3cret",
        "Alice-Name",
        "pa55word",
        "create_pairing_code",
    ] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret}");
    }
}
