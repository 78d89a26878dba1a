//! Ending in good order: in the middle of a sync, and when nobody listens any more.

use std::io;
use std::time::Duration;

use crate::support::tree::{History, grow, must_be_whole, settle, temporary_files};
use crate::support::watch::count;
use crate::support::{Device, Seed, Server, World};

#[test]
fn stopping_while_syncing_takes_seconds_and_resumes() {
    let world = World::new("stop");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    grow(&here, 3000, &mut Seed::new(6));
    let mut source = History::default();
    source.remember(&here);
    ada.share(&here, &ben, &there);
    let syncing = |view: &serde_json::Value| count(view, "needs") > 0 && count(view, "files") > 100;
    ben.wait("files on their way", syncing);
    must_be_quick(ben.stop());
    must_be_whole(&there, &source);
    ben.start();
    ben.wait("files on their way", |view| count(view, "files") > 200);
    must_be_quick(ben.terminate());
    must_be_quick(ada.terminate());
    must_be_whole(&there, &source);
    ada.start();
    ben.start();
    settle((&ada, &here), (&ben, &there));
    assert_eq!(temporary_files(&there), Vec::<String>::new());
    must_be_quick(ada.stop());
}

#[test]
fn a_command_ends_quietly_when_nobody_reads_what_it_says() {
    let world = World::new("unread");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    for words in [&["status"][..], &["status", "--watch"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = ada.command();
        let ended = command.args(words).stdout(writer).output();
        let ended = ended.expect("it runs");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{words:?}: {complaint}");
        assert_eq!(complaint, "", "{words:?}");
    }
}

fn must_be_quick(took: Duration) {
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}
