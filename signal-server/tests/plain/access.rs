//! A server that is not for everybody, and its file that changes while it runs: the binary, and real sockets.

use std::process::Command;

use serde_json::json;

use super::client::Client;
use super::process::Process;

fn new_token(label: &str) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_towline-signal"))
        .args(["new-token", label])
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let after = |mark: &str| {
        let line = said.lines().find(|line| line.starts_with(mark));
        let (_, value) = line.expect("the line").split_once(": ").expect("a value");
        value.to_owned()
    };
    (after("token"), after("line"))
}

#[tokio::test]
async fn a_token_lets_in_and_is_taken_back_while_the_server_runs() {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("tokens");
    let (anna, annas_line) = new_token("anna");
    let (bert, berts_line) = new_token("bert");
    std::fs::write(&file, format!("{annas_line}\n{berts_line}\n")).expect("written");
    let path = file.to_str().expect("text");
    let server = Process::start(&["--access", "tokens", "--access-file", path]);

    let mut stranger = Client::open(server.address).await;
    stranger.ask_as_device(1, json!({})).await;
    assert_eq!(stranger.hear().await["code"], "access_denied");
    assert_eq!(stranger.hear_close().await, 4005);
    let mut guest = Client::open(server.address).await;
    let wrong = json!({"type": "register", "clientId": "abc", "access_token": "x".repeat(32)});
    assert_eq!(guest.ask(wrong).await["code"], "access_denied");

    let mut first = Client::open(server.address).await;
    first.ask_as_device(1, json!({"access_token": anna})).await;
    assert_eq!(first.hear().await["type"], "registered");
    let mut second = Client::open(server.address).await;
    let right = json!({"type": "register", "clientId": "abc", "access_token": bert});
    assert_eq!(second.ask(right).await["type"], "registered");

    for unfinished in ["nonsense\n", "# nobody yet\n", ""] {
        std::fs::write(&file, unfinished).expect("written");
        server.signal("HUP");
    }
    std::fs::write(&file, format!("{berts_line}\n")).expect("written");
    server.signal("HUP");
    assert_eq!(first.hear_close().await, 4005, "her token is gone");
    assert_eq!(second.ask(json!({"type": "ping"})).await["type"], "pong");
}

#[test]
fn a_file_that_makes_no_sense_stops_the_start_in_a_sentence() {
    let place = tempfile::tempdir().expect("a place");
    let file = place.path().join("list");
    std::fs::write(&file, "# ours\ns3cret-token-s3cret\n").expect("written");
    let path = file.to_str().expect("text");
    let blank = place.path().join("blank");
    std::fs::write(&blank, "# nobody yet\n").expect("written");
    let empty = blank.to_str().expect("text");
    for (arguments, said) in [
        (
            &["--access", "tokens", "--access-file", path][..],
            "line 2 of",
        ),
        (&["--access", "devices", "--access-file", path], "line 2 of"),
        (&["--access", "tokens", "--access-file", empty], "no entry"),
        (&["--access", "tokens"], "--access-file"),
        (&["--access-file", path], "--access open"),
        (
            &["--access", "tokens", "--access-file", "/nowhere"],
            "/nowhere",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_towline-signal"))
            .args(arguments)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8(output.stderr).expect("text");
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
