//! Files with holes: what is not there does not travel, and stays away on the other side.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use towline_core::io::{Expected, Step};
use towline_wire::entry::Content;

use super::world::{Shelf, World, is_done, make, noise, path};

const MIB: u64 = 1024 * 1024;

/// A file of this length with three islands of 100,000 bytes in it, on a shelf.
fn islands(shelf: &Shelf, name: &str, size: u64, seed: u64) -> Content {
    let place = shelf.directory.path().join(name);
    let file = File::create(&place).unwrap();
    file.set_len(size).unwrap();
    for (number, at) in [3 * MIB + 77, size / 2, size - 200_000]
        .into_iter()
        .enumerate()
    {
        let bytes = noise(100_000, seed + number as u64);
        file.write_all_at(&bytes, at).unwrap();
    }
    file.sync_all().unwrap();
    shelf.add_as_is(name)
}

fn room(shelf: &Shelf, name: &str) -> u64 {
    let metadata = fs::metadata(shelf.directory.path().join(name)).unwrap();
    metadata.blocks() * 512
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_do_not_travel_and_stay_holes() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let content = islands(&shelf, "sparse", 256 * MIB, 1);
    assert!(
        room(&shelf, "sparse") < 2 * MIB,
        "this filesystem has no holes"
    );
    let came = world
        .apply(vec![make("sparse", content.clone(), &[source])])
        .await;
    assert!(is_done(&came.outcomes[&path("sparse")]));
    assert!(world.here.bytes("sparse") == shelf.bytes("sparse"));
    let room_here = room(&world.here, "sparse");
    assert!(room_here < 8 * MIB, "{room_here} bytes on the disk");
    let received = world.connection(0).stats().udp_rx.bytes;
    assert!(received < 6 * MIB, "{received} bytes received");
    // A copy here has holes, too.
    world.here.add_as_is("sparse");
    let came = world.apply(vec![make("copy", content, &[source])]).await;
    assert!(is_done(&came.outcomes[&path("copy")]));
    assert!(room(&world.here, "copy") < 8 * MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holes_of_a_changed_file_are_made_from_its_chunk_list() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    world.here.add("disk", &noise(64 << 20, 9));
    let content = islands(&shelf, "disk", 128 * MIB, 1);
    let step = Step {
        expected: Expected::Stamped(world.here.stamp("disk")),
        ..make("disk", content, &[source])
    };
    let came = world.apply(vec![step]).await;
    assert!(is_done(&came.outcomes[&path("disk")]));
    assert!(world.here.bytes("disk") == shelf.bytes("disk"));
    let room_here = room(&world.here, "disk");
    assert!(room_here < 12 * MIB, "{room_here} bytes on the disk");
}
