//! What a peer replaced or deleted comes back, and goes to every device.

use std::fs;

use serde_json::Value;

use crate::support::tree::settle;
use crate::support::{Device, Server, World};

fn versions(device: &Device, path: Option<&str>) -> Vec<Value> {
    let arguments = ["history", "here"].into_iter().chain(path);
    let answer = device.call(&arguments.collect::<Vec<_>>());
    answer["versions"].as_array().expect("a page").clone()
}

#[test]
fn what_a_peer_replaced_or_deleted_comes_back_on_every_device() {
    let world = World::new("versions");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    fs::create_dir_all(here.join("letters/old")).expect("made");
    for (name, text) in [
        ("plan", "first"),
        ("gone", "gone"),
        ("letters/may", "may"),
        ("letters/old/april", "april"),
    ] {
        fs::write(here.join(name), text).expect("written");
    }
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(versions(&ben, None), Vec::<Value>::new());

    fs::write(here.join("plan"), "second").expect("written");
    settle((&ada, &here), (&ben, &there));
    fs::remove_file(here.join("gone")).expect("removed");
    fs::remove_dir_all(here.join("letters")).expect("removed");
    settle((&ada, &here), (&ben, &there));
    assert!(!there.join("letters").exists());
    let all = versions(&ben, None);
    assert_eq!(all.len(), 4, "{all:#?}");
    assert_eq!(
        versions(&ada, None),
        Vec::<Value>::new(),
        "its own edits are no peer's"
    );
    let plan = versions(&ben, Some("plan"));
    assert_eq!((plan.len(), &plan[0]["size"]), (1, &Value::from(5)));

    // Another run of the engine knows the same.
    ben.kill();
    ben.start();
    ben.wait_connected(&ada);
    assert_eq!(versions(&ben, None), all);
    let first = plan[0]["id"].as_str().expect("an id");
    ben.call(&["restore", "here", "plan", "--version", first]);
    for path in ["gone", "letters/may", "letters/old/april"] {
        ben.call(&["restore", "here", path]);
    }
    ada.wait("the files again", |_| {
        ["gone", "letters/may", "letters/old/april"]
            .iter()
            .all(|path| here.join(path).exists())
            && fs::read_to_string(here.join("plan")).is_ok_and(|text| text == "first")
    });
    settle((&ada, &here), (&ben, &there));
    assert_eq!(
        fs::read_to_string(here.join("letters/old/april")).expect("there"),
        "april"
    );

    // What lay in the way is a version now; and the restore was a peer's change for Ada.
    let left = versions(&ben, None);
    assert_eq!((left.len(), &left[0]["path"]), (1, &Value::from("plan")));
    assert_eq!(versions_of_ada(&ada), ["plan"]);
    ben.refused(&["restore", "here", "plan", "--version", first])
        .must_say(
            "unknown_version",
            &["`towline history FOLDER PATH` lists them"],
        );
    fs::create_dir(there.join("dir")).expect("made");
    ben.refused(&["restore", "here", "../plan"])
        .must_say("path", &["from the folder's top"]);
    ben.refused(&["restore", "nowhere", "plan"])
        .must_say("unknown_folder", &["folder list"]);
    let said = ben.says(&["history", "here"]);
    assert!(said.contains("plan") && said.contains("UTC"), "{said}");
}

#[test]
fn a_directory_comes_back_to_a_moment_on_every_device() {
    let world = World::new("moment");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    fs::create_dir_all(here.join("letters/old")).expect("made");
    let number = |n: usize| format!("letters/old/{n}");
    for n in 0..300 {
        fs::write(here.join(number(n)), format!("letter {n}")).expect("written");
    }
    fs::write(here.join("other"), "other").expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    // A whole directory goes at once, which would wait for a yes.
    ben.call(&["brake", "set", "here", "--off"]);
    ada.call(&["brake", "set", "here", "--off"]);
    let then = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let then = format!("@{}", then.as_secs() + 1);
    let then = then.as_str();
    ada.wait("the next second", |_| {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).expect("after");
        now.as_secs() > then[1..].parse().expect("a number")
    });

    fs::remove_dir_all(here.join("letters")).expect("removed");
    fs::write(here.join("other"), "another").expect("written");
    settle((&ada, &here), (&ben, &there));
    assert!(!there.join("letters").exists());
    let deleted = ben.call(&["history", "here", "--deleted", "--limit", "1000"]);
    let deleted = deleted["versions"].as_array().expect("a page").len();
    assert_eq!(deleted, 300);
    let below = ben.call(&["history", "here", "--below", "letters/old", "--limit", "7"]);
    assert_eq!(below["more"], Value::from(true));

    let answer = ben.call_last(&["restore", "here", "letters", "--at", then]);
    assert_eq!(
        (&answer["files"], &answer["failed"]),
        (&Value::from(300), &Value::from(0))
    );
    settle((&ada, &here), (&ben, &there));
    for n in [0, 150, 299] {
        let text = fs::read_to_string(here.join(number(n))).expect("there again");
        assert_eq!(text, format!("letter {n}"));
    }
    let other = || fs::read_to_string(here.join("other")).expect("there");
    assert_eq!(other(), "another", "it lies elsewhere");
    ben.call_last(&["restore", "here", "--at", then]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(other(), "other");
    ben.refused(&["restore", "here", "../x", "--at", then])
        .must_say("path", &["from the folder's top"]);
}

fn versions_of_ada(ada: &Device) -> Vec<String> {
    let answer = ada.call(&["history", "here"]);
    let page = answer["versions"].as_array().expect("a page").iter();
    page.map(|one| one["path"].as_str().expect("a path").to_owned())
        .collect()
}
