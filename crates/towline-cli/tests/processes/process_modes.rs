//! A folder that rests, that only sends or only receives, and a mass change that waits for a yes.

use std::fs;

use serde_json::Value;

use crate::support::tree::settle;
use crate::support::{Device, Server, World};

fn folder(view: &Value) -> &Value {
    &view["folders"][0]
}

fn state(view: &Value) -> &str {
    folder(view)["state"]["state"].as_str().unwrap_or_default()
}

#[test]
fn a_folder_rests_only_receives_and_only_sends() {
    let world = World::new("modes");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    fs::write(here.join("plan"), "first").expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));

    // Paused: nothing comes, nothing goes, also after a restart.
    ben.call(&["pause", "here"]);
    ben.wait("the pause", |view| state(view) == "paused_by_person");
    ada.wait("that ben is away", |view| {
        folder(view)["peers"][0]["state"] == "away"
    });
    fs::write(here.join("plan"), "second").expect("written");
    fs::write(there.join("note"), "meanwhile").expect("written");
    ada.wait("the look at it", |view| {
        state(view) == "in_sync" && folder(view)["bytes"] == 6
    });
    ben.kill();
    ben.start();
    ben.wait_connected(&ada);
    assert_eq!(state(&ben.view()), "paused_by_person");
    assert_eq!(
        fs::read_to_string(there.join("plan")).expect("there"),
        "first"
    );
    ben.refused(&["revert", "here"])
        .must_say("mode", &["`towline folder mode`"]);
    ben.call(&["resume", "here"]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(
        fs::read_to_string(there.join("plan")).expect("there"),
        "second"
    );
    assert!(here.join("note").exists());

    // Receive-only: what ben changes stays there until it is reverted, and is a version then.
    ben.call(&["folder", "mode", "here", "receive-only"]);
    fs::write(there.join("plan"), "ben's own").expect("written");
    fs::write(there.join("new"), "ben's new").expect("written");
    fs::remove_file(there.join("note")).expect("removed");
    ben.wait("three changes", |view| folder(view)["local_changes"] == 3);
    fs::write(here.join("other"), "for ben").expect("written");
    ben.wait("the other file", |_| there.join("other").exists());
    assert_eq!(
        fs::read_to_string(here.join("plan")).expect("there"),
        "second"
    );
    assert!(!here.join("new").exists() && here.join("note").exists());
    assert!(
        ben.says(&["folder", "list"])
            .contains("3 changed here and not told")
    );
    ben.call(&["revert", "here"]);
    ben.wait("no change", |view| folder(view)["local_changes"] == 0);
    settle((&ada, &here), (&ben, &there));
    let history = ben.call(&["history", "here"]);
    let kept: Vec<&str> = history["versions"]
        .as_array()
        .expect("a page")
        .iter()
        .map(|one| one["path"].as_str().expect("a path"))
        .collect();
    assert!(kept.contains(&"new") && kept.contains(&"plan"), "{kept:?}");

    // Send-only: what ben changes does not come to ada, and then gives way.
    ben.call(&["folder", "mode", "here", "two-way"]);
    ada.call(&["folder", "mode", "here", "send-only"]);
    fs::write(there.join("plan"), "ben's own").expect("written");
    fs::remove_file(there.join("note")).expect("removed");
    ada.wait("two differences", |view| folder(view)["needs"] == 2);
    assert_eq!(
        fs::read_to_string(here.join("plan")).expect("there"),
        "second"
    );
    assert!(ada.says(&["folder", "list"]).contains("2 differ at peers"));
    ada.call(&["override", "here"]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(
        fs::read_to_string(there.join("plan")).expect("there"),
        "second"
    );
    assert!(there.join("note").exists());
}

#[test]
fn a_mass_change_waits_for_a_yes_and_is_undone_everywhere() {
    const FILES: usize = 60;
    let world = World::new("brake");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    fs::create_dir(here.join("all")).expect("made");
    for number in 0..FILES {
        let name = here.join(format!("all/{number}"));
        fs::write(name, format!("file {number}")).expect("written");
    }
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    assert!(ben.says(&["brake", "here"]).contains("Nothing waits"));

    fs::remove_dir_all(here.join("all")).expect("removed");
    fs::write(here.join("after"), "goes on").expect("written");
    ben.wait("the question", |view| {
        folder(view)["braked"][0]["deletes"]
            .as_u64()
            .is_some_and(|count| count >= 40)
    });
    ben.wait("the other file", |_| there.join("after").exists());
    ben.kill();
    ben.start();
    ben.wait_connected(&ada);
    let asked = ben.wait("the question again", |view| {
        folder(view)["braked"][0]["deletes"]
            .as_u64()
            .is_some_and(|count| count >= 40)
    });
    let left = fs::read_dir(there.join("all")).expect("there").count();
    assert!(left >= FILES - 20, "{left} are left");
    assert_eq!(folder(&asked)["braked"][0]["deletes"], left);
    assert!(
        ben.says(&["brake", "here"])
            .contains("towline brake release")
    );
    ben.refused(&["brake", "undo", "here", "ben"])
        .must_say("unknown_peer", &["`towline peers`"]);
    ben.call(&["brake", "undo", "here", "ada"]);
    ada.wait("the files again", |_| {
        fs::read_dir(here.join("all")).is_ok_and(|all| all.count() == left)
    });
    settle((&ada, &here), (&ben, &there));

    fs::remove_dir_all(here.join("all")).expect("removed");
    ben.wait("the question once more", |view| {
        folder(view)["braked"][0]["deletes"]
            .as_u64()
            .is_some_and(|count| count >= 20)
    });
    ben.call(&["brake", "release", "here", "ada"]);
    settle((&ada, &here), (&ben, &there));
    assert!(!there.join("all").exists());
    ben.refused(&["brake", "release", "here", "ada"])
        .must_say("not_braked", &["`towline brake FOLDER`"]);
}
