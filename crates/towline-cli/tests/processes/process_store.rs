//! The index and the home: locked, damaged, newer, rolled back; and a taken port.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use crate::support::tree::{Lying, grow, read, settle};
use crate::support::watch::{count, folder, is_in_sync};
use crate::support::{Device, Seed, Server, World};

#[test]
fn a_second_engine_on_one_home_is_refused() {
    let world = World::new("second");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    ada.start_refused().must_say(
        "locked",
        &["another Towline runs on this home", "end that one first"],
    );
    ada.call(&["status"]);
    // A killed engine leaves no lock.
    ada.kill();
    ada.start();
}

#[test]
fn what_was_answered_holds_after_a_kill() {
    let world = World::new("answered");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let tree = world.directory("tree");
    let id = ada.add(&tree);
    for percent in 1..=8_u64 {
        ada.kill();
        // The store is at work when the command comes.
        for number in 0..1500 {
            let name = format!("{percent}-{number}");
            fs::write(tree.join(&name), name).expect("written");
        }
        ada.start();
        ada.call(&["brake", "set", &id, "--percent", &percent.to_string()]);
        ada.kill();
        ada.start();
        let brake = &ada.view()["folders"][0]["settings"]["brake"];
        assert_eq!(brake["percent_max"], percent, "{brake}");
    }
}

#[test]
fn a_taken_port_is_refused() {
    let world = World::new("port");
    let taken = UdpSocket::bind("0.0.0.0:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let ada = Device::new(&world, "ada", "").with_options(["--key-file", "--port", &port]);
    ada.start_refused().must_say(
        "port_taken",
        &[
            port.as_str(),
            "taken by another program",
            "choose another port",
        ],
    );
    drop(taken);
    let mut ada = ada;
    ada.start();
}

#[test]
fn a_home_that_cannot_be_used_is_refused() {
    let world = World::new("home");
    let mut ada = Device::new(&world, "ada", "").with_options(["--key-file"]);
    fs::write(world.place("file"), "no directory").expect("written");
    ada.home = world.place("file");
    ada.start_refused()
        .must_say("home", &["cannot use", "as this device's home"]);
    ada.home = world.place("file/below");
    ada.start_refused().must_say("home", &["cannot use"]);
}

#[test]
fn a_key_file_that_is_damaged_is_refused_and_kept() {
    let world = World::new("key");
    let mut ada = Device::new(&world, "ada", "").with_options(["--key-file"]);
    ada.start();
    ada.stop();
    fs::write(ada.home.join("key"), "ed25519:torn").expect("written");
    ada.start_refused()
        .must_say("key", &["is damaged; restore it from a backup"]);
    assert_eq!(
        fs::read_to_string(ada.home.join("key")).expect("there"),
        "ed25519:torn"
    );
}

#[test]
fn the_index_of_a_newer_version_is_refused_untouched() {
    let world = World::new("newer");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    ada.stop();
    let database = ada.home.join("towline.db");
    let mut file = OpenOptions::new()
        .write(true)
        .open(&database)
        .expect("there");
    // SQLite keeps `user_version` in four bytes from the 60th on, the highest first.
    file.seek(SeekFrom::Start(60)).expect("sought");
    file.write_all(&999_u32.to_be_bytes()).expect("written");
    drop(file);
    let before = fs::read(&database).expect("there");
    ada.start_refused()
        .must_say("newer", &["a newer Towline", "update this one"]);
    assert_eq!(fs::read(&database).expect("there"), before);
}

/// Two devices that agree on a tree, of which one file was deleted already.
struct Agreed {
    here: PathBuf,
    there: PathBuf,
    ada: Device,
    ben: Device,
    _server: Server,
    _world: World,
}

impl Agreed {
    fn new(test: &str) -> Self {
        let world = World::new(test);
        let server = Server::start(&world);
        let ada = Device::start_new(&world, "ada", &server);
        let ben = Device::start_new(&world, "ben", &server);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        grow(&here, 200, &mut Seed::new(10));
        ada.share(&here, &ben, &there);
        settle((&ada, &here), (&ben, &there));
        fs::remove_file(here.join("d000/f00001")).expect("removed");
        settle((&ada, &here), (&ben, &there));
        Self {
            here,
            there,
            ada,
            ben,
            _server: server,
            _world: world,
        }
    }

    fn settle(&self) {
        settle((&self.ada, &self.here), (&self.ben, &self.there));
    }

    /// Stops Ben, lets Ada edit and lets somebody edit in Ben's folder.
    fn edit_while_ben_is_down(&mut self) {
        self.ben.stop();
        let before = count(&self.ada.view(), "files");
        fs::write(self.here.join("d000/f00002"), "ada's edit").expect("written");
        fs::write(self.here.join("new here"), "1").expect("written");
        self.ada.wait("ada's edits", |view| {
            count(view, "files") == before + 1 && is_in_sync(view)
        });
        fs::write(self.there.join("d000/f00003"), "ben's edit").expect("written");
        fs::write(self.there.join("new there"), "2").expect("written");
    }

    /// Asserts that both have everything that both had and wrote.
    fn must_have_all(&self) {
        self.settle();
        let tree = read(&self.here);
        assert!(
            !tree.contains_key(Path::new("d000/f00001")),
            "a deleted file came back"
        );
        assert!(
            tree.contains_key(Path::new("new here")) && tree.contains_key(Path::new("new there"))
        );
        let texts: Vec<Vec<u8>> = tree
            .into_values()
            .filter_map(|lying| match lying {
                Lying::File { bytes, .. } => Some(bytes),
                Lying::Directory | Lying::Symlink(_) => None,
            })
            .collect();
        for edit in [&b"ada's edit"[..], b"ben's edit"] {
            assert!(
                texts.iter().any(|text| text == edit),
                "{}",
                String::from_utf8_lossy(edit)
            );
        }
        assert!(texts.len() >= 201, "{} files", texts.len());
    }
}

#[test]
fn a_damaged_index_is_kept_aside_and_rebuilt() {
    let mut world = Agreed::new("damaged");
    world.edit_while_ben_is_down();
    let database = world.ben.home.join("towline.db");
    let whole = fs::read(&database).expect("there");
    // The last quarter is gone: rows, but neither peers nor folders, which can be saved.
    fs::write(&database, &whole[..whole.len() / 4 * 3]).expect("written");
    let up = world.ben.start();
    assert_eq!(up["view"]["device"]["store"], "rebuilt");
    assert!(world.ben.home.join("towline-damaged-1.db").exists());
    world.ada.wait_connected(&world.ben);
    world.must_have_all();
}

#[test]
fn an_index_of_junk_is_kept_aside_and_its_folder_can_be_accepted_again() {
    let mut world = Agreed::new("junk");
    world.edit_while_ben_is_down();
    let key = world.ada.call(&["peers"])[0]["id"].clone();
    fs::write(
        world.ben.home.join("towline.db"),
        Seed::new(11).bytes(100_000),
    )
    .expect("written");
    let up = world.ben.start();
    assert_eq!(up["view"]["device"]["store"], "rebuilt");
    assert_eq!(
        up["view"]["device"]["id"], key,
        "the device stays who it is"
    );
    assert_eq!(
        fs::metadata(world.ben.home.join("towline-damaged-1.db"))
            .expect("kept")
            .len(),
        100_000
    );
    // Nothing of peers and folders could be saved: they are made again, in the same places.
    world.ada.pair(&world.ben);
    let id = folder(&world.ada.view())["id"]
        .as_str()
        .expect("a folder")
        .to_owned();
    world.ben.wait("the invitation", |view| {
        view["invitations"][0]["folder"] == id.as_str()
    });
    world.ben.call(&[
        "folder",
        "accept",
        &id,
        crate::support::device::text(&world.there),
    ]);
    world.must_have_all();
}

#[test]
fn an_index_that_was_rolled_back_loses_nothing() {
    let mut world = Agreed::new("rollback");
    world.ben.stop();
    let database = world.ben.home.join("towline.db");
    let copy = fs::read(&database).expect("there");
    world.ben.start();
    for number in 0..20 {
        fs::write(world.there.join(format!("after{number}")), "after the copy").expect("written");
    }
    fs::write(world.there.join("d001/f00060"), "ben after the copy").expect("written");
    fs::remove_file(world.there.join("d001/f00061")).expect("removed");
    let made_again = world.there.join("d001/f00062");
    let bytes = fs::read(&made_again).expect("there");
    fs::remove_file(&made_again).expect("removed");
    world.settle();
    world.edit_while_ben_is_down();
    // To the copy this looks as if nothing had happened to the file.
    fs::write(&made_again, &bytes).expect("written");
    for end in ["-wal", "-shm"] {
        assert!(
            !world.ben.home.join(format!("towline.db{end}")).exists(),
            "stopped in good order"
        );
    }
    fs::write(&database, copy).expect("written");
    world.ben.start();
    world.ada.wait_connected(&world.ben);
    fs::write(
        world.there.join("with old numbers"),
        "an edit that must not look like an old one",
    )
    .expect("written");
    world.must_have_all();
    let tree = read(&world.here);
    assert!(
        tree.contains_key(Path::new("with old numbers")) && tree.contains_key(Path::new("after19"))
    );
    assert!(
        !tree.contains_key(Path::new("d001/f00061")),
        "a deleted file came back"
    );
    assert!(
        tree.contains_key(Path::new("d001/f00062")),
        "a file that was made again went with a delete of before"
    );
}
