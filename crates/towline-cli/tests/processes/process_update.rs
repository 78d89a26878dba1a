//! What a daemon and the command line say of a newer version. The publisher is on loopback; the key was thrown away.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::support::{Device, PATIENCE, World};

const MANIFEST: &[u8] = include_bytes!("../../../towline-engine/src/updates/manifest/test.json");
const SIGNATURE: &[u8] =
    include_bytes!("../../../towline-engine/src/updates/manifest/test.json.sig");
const KEY: &str = include_str!("../../../towline-engine/src/updates/manifest/test.key.pub");
const OTHER_KEY: &str = include_str!("../../../towline-engine/src/updates/manifest/other.key.pub");

/// Answers with the manifest and its signature, and writes down what it is asked.
struct Publisher {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Publisher {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&asked);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = answer(&stream) {
                    writes.lock().expect("nobody panics").push(request);
                }
            }
        });
        Self { addr, asked }
    }

    /// A device that follows it and believes this key.
    fn device(&self, world: &World, key: &str) -> Device {
        let mut device = Device::new(world, "ada", "");
        let url = format!("http://{}/{{channel}}.json", self.addr);
        let set = [("TOWLINE_UPDATE_URL", &*url), ("TOWLINE_UPDATE_KEY", key)];
        device.set_environment(set);
        device
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics").clone()
    }
}

/// One request and its answer; the request without what changes.
fn answer(mut stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let headers: Vec<_> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.to_ascii_lowercase().starts_with("host:"))
        .collect();
    let body = match first.split(' ').nth(1)? {
        "/stable.json" => MANIFEST,
        "/stable.json.sig" => SIGNATURE,
        _ => return None,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    Some(format!("{first} {}", headers.join(" ")))
}

#[test]
fn a_newer_version_is_told_and_the_request_says_nothing_of_who_asks() {
    let world = World::new("update");
    let publisher = Publisher::open();
    let mut ada = publisher.device(&world, KEY);
    ada.start();
    // It asks by itself, and tells; nothing in its view changes by that.
    let deadline = Instant::now() + PATIENCE;
    while !ada.says(&["status"]).contains("Towline 0.2.0 is there.") {
        assert!(Instant::now() < deadline, "it has not asked");
    }
    let words = ada.says(&["update"]);
    assert!(words.contains("Folders are faster."), "{words}");
    let answer = ada.call(&["update"]);
    assert_eq!(answer["newer"], "0.2.0");
    for request in publisher.asked() {
        let (path, rest) = request.split_once(" HTTP/1.1 ").expect("HTTP");
        assert!(
            ["GET /stable.json", "GET /stable.json.sig"].contains(&path),
            "{request}"
        );
        assert_eq!(rest.to_ascii_lowercase(), "accept: */* user-agent: towline");
    }
    ada.stop();
}

#[test]
fn whoever_is_not_the_publisher_is_not_believed() {
    let world = World::new("updateforged");
    let publisher = Publisher::open();
    let ada = publisher.device(&world, OTHER_KEY);
    fs::create_dir_all(&ada.home).expect("a home");
    let refused = ada.refused(&["update"]);
    refused.must_say(
        "manifest_signature",
        &["is not signed by the publisher's key"],
    );
}

#[test]
fn nobody_is_asked_where_updates_are_off_or_nothing_leaves_the_local_network() {
    let world = World::new("updateoff");
    let publisher = Publisher::open();
    let mut ada = publisher.device(&world, KEY);
    fs::create_dir_all(&ada.home).expect("a home");
    let config = ada.home.join("config.toml");
    fs::write(&config, "update = \"off\"\n").expect("a file");
    ada.refused(&["update"])
        .must_say("update_off", &["switched off"]);
    fs::write(&config, "lan_only = true\n").expect("a file");
    ada.start();
    ada.refused(&["update"])
        .must_say("update_local_network", &["stays within"]);
    ada.stop();
    fs::write(&config, "update = \"pinned 0.1\"\n").expect("a file");
    assert!(publisher.asked().is_empty());
    // The next minor version is not for who stays at this one.
    assert_eq!(ada.call(&["update"])["newer"], serde_json::Value::Null);
    fs::write(&config, "update = \"sometimes\"\n").expect("a file");
    ada.refused(&["update"])
        .must_say("start_settings", &["line 1"]);
}
