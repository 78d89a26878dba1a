//! The local API as docs/API.md describes it: its examples are run as they stand there.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Device, Server, World};

#[test]
fn the_examples_of_the_document_work() {
    let world = World::new("api");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/API.md");
    let document = fs::read_to_string(document).expect("the document");
    let towline = Path::new(ada.command().get_program()).with_file_name("");
    let path = env::var("PATH").expect("a path");
    let mut shell = Command::new("bash");
    shell.args(["-euc", &examples(&document)]);
    shell.env("PATH", format!("{}:{path}", towline.display()));
    shell.env("TOWLINE_HOME", &ada.home).env("NO_PROXY", "*");
    let ran = shell.output().expect("bash");
    let said = String::from_utf8_lossy(&ran.stdout);
    let complaint = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}\n{complaint}");
    assert!(said.contains(r#"{"answer":"accepted"}"#), "{said}");
    let (_, told) = said.split_once(r#"{"kind":"view","#).expect("an event");
    let told: Value = serde_json::from_str(&format!("{{{told}")).expect("JSON");
    assert_eq!(told["view"]["device"]["name"], "Attic");
    assert_eq!(ada.view()["device"]["name"], "Attic");
}

#[test]
fn the_socket_answers_as_the_document_says() {
    let world = World::new("socket");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let socket = UnixStream::connect(ada.home.join("engine.sock")).expect("a socket");
    let mut lines = BufReader::new(socket.try_clone().expect("a socket")).lines();
    let mut ask = |line: &str| -> Value {
        writeln!(&socket, "{line}").expect("sent");
        let line = lines.next().expect("an answer").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(
        ask(r#"{"id":1,"call":"command","command":"name_device","name":"Attic"}"#),
        json!({ "id": 1, "answer": { "answer": "accepted" } })
    );
    assert_eq!(
        ask(r#"{"id":2,"call":"view"}"#)["view"]["device"]["name"],
        "Attic"
    );
    let link = ask(r#"{"id":3,"call":"link"}"#)["link"].clone();
    assert!(
        link.as_str().is_some_and(|link| link.contains("/#token=")),
        "{link}"
    );
    assert_eq!(
        ask(r#"{"id":4,"call":"command","command":"rescan","folder":"x"}"#)["error"]["code"],
        "id"
    );
    assert_eq!(
        ask("nonsense"),
        json!({ "id": 0, "error": { "code": "malformed", "detail": null } })
    );
}

/// All that a shell is told in a document.
fn examples(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}
