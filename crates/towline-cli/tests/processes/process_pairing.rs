//! Two devices become peers by a code, and every way in which that goes wrong says what to do.

use std::collections::BTreeSet;

use crate::support::watch::is_online;
use crate::support::{Device, PATIENCE, Server, World};

#[test]
fn two_devices_pair_by_code_and_stay_peers() {
    let world = World::new("pair");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    let (shown, typed) = ada.pair(&ben);
    assert_eq!(shown, typed, "both sides show the same compare string");
    assert_eq!(shown.as_array().map(Vec::len), Some(7));
    ada.wait_connected(&ben);
    ada.stop();
    ben.stop();
    ada.start();
    ben.start();
    ada.wait_connected(&ben);
    for (device, peer) in [(&ada, &ben), (&ben, &ada)] {
        let peers = device.call(&["peers"]);
        assert_eq!(peers[0]["name"], peer.name.as_str());
        assert_eq!(peers[0]["compare"], shown);
        assert_eq!(peers[0]["verified"], false);
    }
    ada.call(&["peers", "verify", "ben"]);
    ada.wait("the verified peer", |view| {
        view["peers"][0]["verified"] == true
    });
}

#[test]
fn a_wrong_code_burns_the_mailbox_on_both_sides() {
    let world = World::new("wrong");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    let (mut pair, code) = ada.show_code();
    let wrong = with_another_secret(&code);
    ben.wait("the server", is_online);
    let refused = ben.refused_with(&["join"], Some(&wrong));
    refused.must_say("code_invalid", &["make a new one with `towline pair`"]);
    let (status, _) = pair.end(PATIENCE);
    assert_eq!(status.code(), Some(1), "the other side is told as well");
    // The right code does not work any more either.
    ben.refused_with(&["join"], Some(&code))
        .must_say("code_invalid", &["towline pair"]);
    assert_eq!(ada.call(&["peers"]).as_array().map(Vec::len), Some(0));
    assert_eq!(ben.call(&["peers"]).as_array().map(Vec::len), Some(0));
    let (shown, typed) = ada.pair(&ben);
    assert_eq!(shown, typed, "a new code works");
}

#[test]
fn a_code_works_once() {
    let world = World::new("once");
    let server = Server::start(&world);
    let [ada, ben, cay] =
        ["ada", "ben", "cay"].map(|name| Device::start_new(&world, name, &server));
    let (pair, code) = ada.show_code();
    ben.join(&code);
    pair.line("that it is paired", PATIENCE, |line| {
        line.contains("\"event\":\"paired\"")
    });
    cay.wait("the server", is_online);
    let refused = cay.refused_with(&["join"], Some(&code));
    refused.must_say("code_invalid", &["used up", "towline pair"]);
    assert_eq!(ada.call(&["peers"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn an_expired_code_is_refused_on_both_sides() {
    let world = World::new("expired");
    let server = Server::start_with(&world, &["--code-seconds", "2"]);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ben.wait("the server", is_online);
    let (mut pair, code) = ada.show_code();
    let (status, took) = pair.end(PATIENCE);
    assert_eq!(status.code(), Some(1));
    assert!(
        took.as_secs() <= 5,
        "the device follows the server's shorter time: {took:?}"
    );
    assert_eq!(ada.view()["pairing"]["reason"], "expired");
    ben.refused_with(&["join"], Some(&code))
        .must_say("code_invalid", &["towline pair"]);
}

#[test]
fn malformed_codes_are_refused_before_anybody_is_asked() {
    let world = World::new("malformed");
    let server = Server::start(&world);
    let ben = Device::start_new(&world, "ben", &server);
    for (code, refusal, advice) in [
        ("ABC-10O", "code_letter", "read it again"),
        ("ABC-23", "code_length", "six characters"),
        ("ABCDEFGHJKLMN", "code_length", "six characters"),
        ("", "code_length", "six characters"),
        ("ABC-234@", "code_host", "not a server's name"),
        ("towline://nonsense", "link", "copy it again"),
        ("\u{202e}ABC234", "code_letter", "read it again"),
    ] {
        ben.refused_with(&["join"], Some(code))
            .must_say(refusal, &[advice]);
        let words = ben.words_of(&["join"], Some(code));
        assert!(
            words.starts_with("towline: ") && words.contains(advice),
            "{words}"
        );
    }
}

#[test]
fn a_code_is_no_argument() {
    let world = World::new("argument");
    let device = Device::new(&world, "ada", "ws://127.0.0.1:9/ws");
    let mut command = device.command();
    let output = command
        .args(["join", "ABC-234"])
        .output()
        .expect("towline runs");
    assert_eq!(
        output.status.code(),
        Some(2),
        "a code in argv would be seen by everybody on this machine"
    );
}

#[test]
fn a_device_does_not_pair_with_itself() {
    let world = World::new("itself");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let (_pair, code) = ada.show_code();
    ada.refused_with(&["join"], Some(&code))
        .must_say("own_code", &["other device"]);
}

#[test]
fn pairing_without_a_server_or_an_engine_says_so() {
    let world = World::new("noserver");
    let mut ada = Device::new(&world, "ada", "").with_options(["--key-file", "--name", "ada"]);
    ada.refused(&["status"])
        .must_say("not_running", &["towline up"]);
    ada.start();
    ada.refused(&["pair"])
        .must_say("no_server", &["towline servers add"]);
    ada.refused_with(&["join"], Some("ABC-234"))
        .must_say("no_server", &["towline servers add"]);
    let wrong = Device::new(&world, "wrong", "http://example.org");
    wrong.start_refused().must_say("server_url", &["wss://"]);
}

#[test]
fn no_code_is_in_any_log() {
    let world = World::new("logs");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    let (pair, code) = ada.show_code();
    ben.join(&code);
    pair.line("that it is paired", PATIENCE, |line| {
        line.contains("\"event\":\"paired\"")
    });
    let slot_and_secret: BTreeSet<&str> = code.split('-').collect();
    for log in ["ada.log", "ben.log", "server.log"] {
        let text = std::fs::read_to_string(world.place(log)).expect("there is a log");
        assert!(!text.contains(&code), "{log}");
        // Ids in logs are lower case, so letters of a code are not there by chance.
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        let found: Vec<&str> = words
            .filter(|word| slot_and_secret.contains(word))
            .collect();
        assert_eq!(found, Vec::<&str>::new(), "{log}");
    }
}

/// The same mailbox with another secret half.
fn with_another_secret(code: &str) -> String {
    let last = if code.ends_with('A') { 'B' } else { 'A' };
    let kept = code.get(..code.len() - 1).expect("codes are ASCII");
    format!("{kept}{last}")
}
