//! The ordinary log, with everything that can be asked for: it holds nothing that could be used.

use std::fs::{self, File};

use serde_json::json;

use super::client::Client;
use super::process::Process;

#[tokio::test]
async fn process_all_that_can_be_logged_holds_no_code_payload_or_token() {
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("log");
    let mut command = Process::command(&[]);
    command.env("RUST_LOG", "trace");
    command.stderr(File::create(&path).expect("a log"));
    let server = Process::begin(&mut command);

    let (mut alice, alice_id) = Client::device(server.address, 1).await;
    let (mut bob, _) = Client::guest(server.address).await;
    let code = alice.ask(json!({"type": "create_pairing_code"})).await["code"].clone();
    bob.ask(json!({"type": "use_pairing_code", "code": code}))
        .await;
    alice.hear().await;
    bob.say(json!({"type": "relay", "to": alice_id, "payload": "s3cret"}))
        .await;
    assert_eq!(alice.hear().await["payload"], "s3cret");
    let room = json!({"type": "create_room", "display_name": "Alice-Name", "password": "pa55word"});
    let room = alice.ask(room).await["room_code"].clone();

    let log = fs::read_to_string(&path).expect("it is written");
    assert!(log.contains("DEBUG"), "much was asked for: {log}");
    let told = |what: &str| {
        log.lines()
            .find(|line| line.contains(what))
            .map(str::to_owned)
    };
    let all = [&code, &room].map(|code| code.as_str().expect("text").to_owned());
    let code_alone = format!("\"{}\"", all[0]);
    for secret in [
        &*code_alone,
        &*all[1],
        "s3cret",
        "Alice-Name",
        "pa55word",
        "create_pairing_code",
    ] {
        assert_eq!(told(secret), None, "{secret}");
    }
}
