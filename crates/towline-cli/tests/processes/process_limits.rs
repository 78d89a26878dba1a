//! Limits and pauses hold between real devices, and change while they run.

use std::fs;
use std::time::Instant;

use serde_json::Value;

use crate::support::tree::settle;
use crate::support::{Device, Server, World};

const MIB: usize = 1024 * 1024;

fn fetched(device: &Device) -> u64 {
    let view = device.view();
    let fetched = &view["folders"][0]["transfer"]["fetched_bytes"];
    fetched.as_u64().expect("a number")
}

#[test]
fn limits_and_pauses_hold_and_change_while_devices_run() {
    let world = World::new("limits");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    fs::write(here.join("first"), "first").expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));

    ben.call(&["limits", "set", "--folder", "here", "--receive", "2MiB"]);
    let bytes: Vec<u8> = (0..8 * MIB as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let began = Instant::now();
    fs::write(here.join("limited"), &bytes).expect("written");
    settle((&ada, &here), (&ben, &there));
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds > 3.7, "8 MiB at 2 MiB a second took {seconds} s");
    ben.call(&["limits", "set", "--folder", "here", "--receive", "none"]);

    // A pause that holds always stops content; names and deletions go on.
    let paused = ben.call(&[
        "limits",
        "schedule",
        "add",
        "daily",
        "00:00-00:00",
        "--pause",
    ]);
    assert_eq!(paused["answer"], "accepted");
    let view = ben.wait("the pause", |view| {
        view["device"]["traffic"]["because"] == "schedule"
    });
    assert_eq!(view["device"]["traffic"]["rule"]["rule"], "pause");
    let before = fetched(&ben);
    fs::write(here.join("paused"), &bytes[1..]).expect("written");
    fs::create_dir(here.join("directory")).expect("made");
    fs::remove_file(here.join("first")).expect("removed");
    ben.wait("the directory", |_| there.join("directory").exists());
    assert_eq!(fetched(&ben), before);
    assert!(!there.join("paused").exists());
    let said = ben.says(&["limits"]);
    assert!(
        said.contains("Now: no content moves, by the schedule"),
        "{said}"
    );

    ben.call(&["limits", "schedule", "clear"]);
    settle((&ada, &here), (&ben, &there));
    assert!(there.join("paused").exists() && !there.join("first").exists());

    // A person says that this network costs by volume; the sender's limit counts as well.
    ada.call(&["limits", "metered", "--network", "yes", "--send", "1MiB"]);
    ada.wait("the rule", |view| {
        view["device"]["traffic"]["because"] == "metered"
    });
    let began = Instant::now();
    fs::write(here.join("metered"), &bytes[..4 * MIB]).expect("written");
    settle((&ada, &here), (&ben, &there));
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds > 3.6, "4 MiB at 1 MiB a second took {seconds} s");
    let set = ada.call(&["limits"]);
    assert_eq!(set["device"]["metered_network"], Value::from("yes"));
    ada.refused(&["limits", "schedule", "remove", "1"])
        .must_say("window", &["`towline limits` numbers them"]);
}
