//! Extended attributes: they come, change and go on devices that keep them, and pass through one that
//! does not.

use std::fs;
use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, removexattr, setxattr};
use serde_json::Value;

use crate::support::tree::settle;
use crate::support::{Device, Server, World};

fn note(path: &Path, name: &str, value: &str) {
    setxattr(path, name, value.as_bytes(), XattrFlags::empty()).expect("a disk with attributes");
}

/// The value of an attribute, if there is one.
fn noted(path: &Path, name: &str) -> Option<String> {
    let mut value = Vec::with_capacity(1024);
    getxattr(path, name, rustix::buffer::spare_capacity(&mut value)).ok()?;
    Some(String::from_utf8(value).expect("text"))
}

fn keep(device: &Device) {
    device.call(&["folder", "attributes", "here", "keep"]);
}

fn fetched(view: &Value) -> u64 {
    view["folders"][0]["transfer"]["fetched_bytes"]
        .as_u64()
        .expect("a number")
}

#[test]
fn attributes_come_change_and_go_and_cross_a_device_that_does_not_keep_them() {
    let world = World::new("attributes");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    let cy = Device::start_new(&world, "cy", &server);
    ada.pair(&ben);
    ben.pair(&cy);
    let here = world.directory("here");
    let (there, beyond) = (world.place("there"), world.place("beyond"));
    fs::write(here.join("photo"), "pixels").expect("written");
    note(&here.join("photo"), "user.tag", "red");
    // Ada and cy know each other through ben alone.
    let folder = ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    ben.invite(&folder, &cy, &beyond);
    settle((&ben, &there), (&cy, &beyond));
    assert_eq!(noted(&beyond.join("photo"), "user.tag"), None);

    // Turned on, what lies there is told, without its bytes.
    keep(&ada);
    keep(&cy);
    assert!(
        ada.says(&["folder", "list"])
            .contains("keeps extended attributes")
    );
    let has = |path: &'static str, name: &'static str, value: Option<&'static str>| {
        let place = beyond.join(path);
        move |_: &Value| noted(&place, name).as_deref() == value
    };
    let before = fetched(&cy.view());
    cy.wait("the tag", has("photo", "user.tag", Some("red")));
    assert_eq!(noted(&there.join("photo"), "user.tag"), None);

    // Changed and removed, each alone.
    note(&here.join("photo"), "user.tag", "blue");
    note(&here.join("photo"), "user.note", "sharp");
    cy.wait("the change", has("photo", "user.tag", Some("blue")));
    cy.wait("the note", has("photo", "user.note", Some("sharp")));
    removexattr(here.join("photo"), "user.note").expect("removed");
    cy.wait("the loss", has("photo", "user.note", None));
    assert_eq!(fetched(&cy.view()), before);

    // A new file comes with its own; an edit by ben, who sees none, loses none.
    fs::write(here.join("new"), "text").expect("written");
    note(&here.join("new"), "user.tag", "green");
    cy.wait("the new file", has("new", "user.tag", Some("green")));
    settle((&ada, &here), (&ben, &there));
    fs::write(there.join("photo"), "pixels by ben").expect("written");
    settle((&ada, &here), (&ben, &there));
    settle((&ben, &there), (&cy, &beyond));
    for root in [&here, &beyond] {
        let photo = root.join("photo");
        assert_eq!(fs::read_to_string(&photo).expect("there"), "pixels by ben");
        assert_eq!(noted(&photo, "user.tag").as_deref(), Some("blue"));
    }

    // Who begins to keep them gets what is known.
    keep(&ben);
    let place = there.join("photo");
    ben.wait("what is known", |_| {
        noted(&place, "user.tag").as_deref() == Some("blue")
    });
    settle((&ada, &here), (&ben, &there));
    settle((&ben, &there), (&cy, &beyond));
    assert_eq!(
        noted(&here.join("photo"), "user.tag").as_deref(),
        Some("blue")
    );

    // What is more than can travel stays where it is, and is said.
    for number in 0..65 {
        note(&here.join("new"), &format!("user.{number}"), "");
    }
    ada.wait("the reason", |view| {
        let held = view["folders"][0]["held_back"].as_array().expect("a list");
        held.iter()
            .any(|one| one["path"] == "new" && one["reason"] == "attributes")
    });
}
