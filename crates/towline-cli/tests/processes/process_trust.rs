//! Who is refused: a peer whose trust was ended, and a key that nobody knows.

use std::fs;

use serde_json::Value;

use crate::support::device::Dialer;
use crate::support::tree::{grow, settle};
use crate::support::watch::{count, is_connected, link};
use crate::support::{Device, Seed, Server, Watch, World};

#[test]
fn a_removed_peer_is_refused_and_no_file_moves() {
    for dialer in [Dialer::First, Dialer::Second] {
        let world = World::new("revoked");
        let server = Server::start(&world);
        let (ada, ben) = Device::two(&world, &server, dialer);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        grow(&here, 20, &mut Seed::new(1));
        ada.share(&here, &ben, &there);
        settle((&ada, &here), (&ben, &there));
        ada.call(&["peers", "remove", &ben.name]);
        assert_eq!(ada.call(&["peers"]).as_array().map(Vec::len), Some(0));
        ben.wait("the refusal", |view| is_refused(link(view, &ada.name)));
        ben.wait_says("no longer trusts this device; pair again");
        fs::write(here.join("secret"), "only here").expect("written");
        fs::write(there.join("mine"), "only there").expect("written");
        ada.wait("the new file", |view| count(view, "files") == 21);
        ben.wait("the new file", |view| count(view, "files") == 21);
        // It goes on being refused: one more try comes to the same end.
        let first = retry_at(&ben.view(), &ada.name);
        ben.wait("another try", |view| {
            assert!(!is_connected(view, &ada.name));
            is_refused(link(view, &ada.name)) && retry_at(view, &ada.name) != first
        });
        assert!(!there.join("secret").exists() && !here.join("mine").exists());
        assert!(there.join("d000/f00001").exists(), "what is there stays");
        // A new pairing makes them peers again.
        ben.call(&["peers", "remove", &ada.name]);
        ada.pair(&ben);
        ada.wait_connected(&ben);
    }
}

#[test]
fn an_unknown_key_is_refused() {
    let world = World::new("unknown");
    let server = Server::start(&world);
    let (mut ben, mut ada) = Device::two(&world, &server, Dialer::First);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    fs::write(here.join("file"), "one").expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    // Somebody has Ben's whole home but his key, and dials: the lower key does.
    let ada_key = ada.key();
    ben.stop();
    for number in 0.. {
        fs::remove_file(ben.home.join("key")).expect("a key was there");
        ben.start();
        if ben.key() < ada_key {
            break;
        }
        assert!(number < 64, "no lower key in so many tries");
        ben.kill();
    }
    fs::write(here.join("secret"), "not for strangers").expect("written");
    ada.wait("the new file", |view| count(view, "files") == 2);
    // Probes of a stranger are not answered, so the tries end without even a handshake.
    let watch = Watch::new(&ben);
    let is_tried = |view: &Value| {
        assert!(!is_connected(view, &ada.name));
        link(view, &ada.name)["state"] == "connecting"
    };
    watch.until("being tried", is_tried);
    watch.until("being left", |view| !is_tried(view));
    assert!(!is_connected(&ada.view(), &ben.name));
    assert!(!there.join("secret").exists());
    assert!(ada.is_running());
}

fn is_refused(link: &Value) -> bool {
    link["state"] == "waiting" && link["fault"] == "refused"
}

fn retry_at(view: &Value, peer: &str) -> Value {
    link(view, peer)["retry_at_ms"].clone()
}
