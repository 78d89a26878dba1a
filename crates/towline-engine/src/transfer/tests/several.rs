//! Several sources at once: who gives how much, who dies, stalls, is slow, or comes later.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use towline_core::io::{Expected, Step};
use towline_wire::entry::Content;
use towline_wire::ids::DeviceId;

use super::super::limits::{Limits, Rate};
use super::world::{Shelf, World, is_done, make, noise, path};

const MIB: u64 = 1024 * 1024;

/// Half of what a silent source may take before it is given up; a busy machine needs a few seconds.
const NO_WAIT: Duration = Duration::from_secs(30);

/// Three sources that have everything, each with a link of so many MiB a second (0: of any speed).
async fn three(world: &mut World, shelf: &std::sync::Arc<Shelf>, rate: u64) -> [DeviceId; 3] {
    let mut sources = Vec::new();
    for number in 1..=3 {
        sources.push(world.source(number, shelf).await);
    }
    for at in 0..3 {
        send_at(world, at, rate * MIB);
    }
    sources.try_into().unwrap()
}

fn send_at(world: &World, at: usize, bytes_per_second: u64) {
    let sending = NonZeroU64::new(bytes_per_second).map_or(Rate::Unlimited, Rate::BytesPerSecond);
    let receiving = Rate::Unlimited;
    world.throttles[at].set_global(Limits { sending, receiving });
}

fn stall(world: &World, at: usize) {
    let (sending, receiving) = (Rate::Nothing, Rate::Unlimited);
    world.throttles[at].set_global(Limits { sending, receiving });
}

/// What each source has sent, in bytes on the wire.
fn given(world: &World) -> Vec<u64> {
    let sent = |at| world.connection(at).stats().udp_rx.bytes;
    (0..3).map(sent).collect()
}

async fn until_fetched(world: &World, bytes: u64) {
    while world.progress.read().bytes_fetched < bytes {
        tokio::task::yield_now().await;
    }
}

/// A step that replaces a file which shares only its first MiB.
fn replace(world: &World, name: &str, bytes: &[u8], content: Content, by: &[DeviceId]) -> Step {
    let mut old = noise(bytes.len(), 99);
    old[..1 << 20].copy_from_slice(&bytes[..1 << 20]);
    world.here.add(name, &old);
    Step {
        expected: Expected::Stamped(world.here.stamp(name)),
        ..make(name, content, by)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_sources_give_their_share_afresh_and_by_chunks() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = three(&mut world, &shelf, 16).await;
    let (first, second) = (noise(48 << 20, 1), noise(48 << 20, 2));
    let afresh = make("afresh", shelf.add("afresh", &first), &sources);
    let content = shelf.add("chunks", &second);
    let by_chunks = replace(&world, "chunks", &second, content, &sources);
    for (name, bytes, step) in [("afresh", first, afresh), ("chunks", second, by_chunks)] {
        let before = given(&world);
        let came = world.apply(vec![step]).await;
        assert!(is_done(&came.outcomes[&path(name)]), "{name}");
        assert!(world.here.bytes(name) == bytes, "{name}");
        let given: Vec<_> = given(&world)
            .iter()
            .zip(before)
            .map(|(after, before)| (after - before) / MIB)
            .collect();
        assert!(
            given.iter().all(|mib| (6..=30).contains(mib)),
            "{name}: {given:?} MiB"
        );
        let all: u64 = given.iter().sum();
        assert!(all < 64, "{name}: {given:?} MiB for 48");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_dies_while_its_list_is_followed_costs_its_share_only() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = three(&mut world, &shelf, 24).await;
    let bytes = noise(64 << 20, 1);
    let content = shelf.add("big", &bytes);
    let step = replace(&world, "big", &bytes, content, &sources);
    let dying = world.connection(0).clone();
    let kill = async {
        until_fetched(&world, 16 * MIB).await;
        dying.close(0_u32.into(), b"");
    };
    let (came, ()) = tokio::join!(world.apply(vec![step]), kill);
    assert!(is_done(&came.outcomes[&path("big")]));
    assert!(came.faults.is_empty());
    assert!(world.here.bytes("big") == bytes);
    let fetched = world.progress.read().bytes_fetched;
    assert!(fetched <= 64 * MIB, "{fetched} bytes fetched");
    let all: u64 = given(&world).iter().sum();
    assert!(all < 74 * MIB, "{all} bytes travelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_stalls_keeps_nothing_waiting() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = three(&mut world, &shelf, 24).await;
    let (first, second) = (noise(48 << 20, 1), noise(48 << 20, 2));
    let afresh = make("afresh", shelf.add("afresh", &first), &sources);
    let content = shelf.add("chunks", &second);
    let by_chunks = replace(&world, "chunks", &second, content, &sources);
    for step in [afresh, by_chunks] {
        send_at(&world, 1, 24 * MIB);
        let enough = world.progress.read().bytes_fetched + 12 * MIB;
        let stalling = async {
            until_fetched(&world, enough).await;
            stall(&world, 1);
            Instant::now()
        };
        let name = step.path.clone();
        let (came, stalled_at) = tokio::join!(world.apply(vec![step]), stalling);
        assert!(is_done(&came.outcomes[&name]));
        let took = stalled_at.elapsed();
        assert!(
            took < Duration::from_secs(8),
            "{name} took {took:?} after the stall"
        );
    }
    assert!(world.here.bytes("afresh") == first && world.here.bytes("chunks") == second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_source_is_not_what_all_wait_for() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = three(&mut world, &shelf, 24).await;
    send_at(&world, 0, 100 * 1024);
    let bytes = noise(48 << 20, 1);
    let content = shelf.add("big", &bytes);
    let mut steps = vec![replace(&world, "big", &bytes, content, &sources)];
    for number in 0..400 {
        let name = format!("small-{number}");
        let content = shelf.add(&name, &noise(20_000, 100 + number));
        steps.push(make(&name, content, &sources));
    }
    let began = Instant::now();
    let came = world.apply(steps).await;
    assert!(came.outcomes.values().all(is_done));
    // What it would be handed by a full window takes it 80 seconds.
    let took = began.elapsed();
    assert!(took < NO_WAIT, "took {took:?}");
    assert!(world.here.bytes("big") == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_of_a_source_that_stalls_come_from_the_others() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = three(&mut world, &shelf, 0).await;
    stall(&world, 2);
    let steps = (0..600).map(|number| {
        let name = format!("{number}");
        let content = shelf.add(&name, &noise(10_000, number));
        make(&name, content, &sources)
    });
    let steps = steps.collect();
    let began = Instant::now();
    let came = world.apply(steps).await;
    assert!(came.outcomes.values().all(is_done));
    assert!(began.elapsed() < NO_WAIT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_comes_later_helps() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let first = world.source(1, &shelf).await;
    let later = world.source(2, &shelf).await;
    let joiner = world.source(3, &shelf).await;
    let away = [world.disconnect(later), world.disconnect(joiner)];
    send_at(&world, 0, 2 * MIB);
    let bytes = noise(40 << 20, 1);
    let content = shelf.add("big", &bytes);
    let Content::File { hash, .. } = content else {
        unreachable!()
    };
    // One of them is named by the step, the other has the file only meanwhile.
    let step = make("big", content, &[first, later]);
    let come = async {
        until_fetched(&world, 2 * MIB).await;
        let joiners = [((path("big"), hash), vec![joiner])];
        world.here.joiners.lock().unwrap().extend(joiners);
        for (source, connection) in [later, joiner].into_iter().zip(away) {
            world.connect(source, connection);
        }
    };
    let (came, ()) = tokio::join!(world.apply(vec![step]), come);
    assert!(is_done(&came.outcomes[&path("big")]));
    assert!(world.here.bytes("big") == bytes);
    let given = given(&world);
    assert!(given[1] > MIB && given[2] > MIB, "{given:?}");
}
