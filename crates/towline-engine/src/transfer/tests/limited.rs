//! Limits as they show on the wire.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use towline_wire::data::{Answer, Header, Request};
use towline_wire::entry::Content;
use towline_wire::frame;

use super::super::frames::FrameReader;
use super::super::limits::{Limits, Rate};
use super::world::{FOLDER, Shelf, World, is_done, make, noise, path};

const MIB: u64 = 1024 * 1024;

fn rate(bytes_per_second: u64) -> Rate {
    NonZeroU64::new(bytes_per_second).map_or(Rate::Unlimited, Rate::BytesPerSecond)
}

/// Fetches a large file and many small ones of 10 MiB together; returns how long it took.
async fn fetch(world: &mut World, shelf: &std::sync::Arc<Shelf>, seed: u64) -> Duration {
    let number = u8::try_from(seed).unwrap();
    let source = world.source(number, shelf).await;
    let mut steps = Vec::new();
    let big = noise(8 << 20, seed);
    let name = format!("big-{seed}");
    steps.push(make(&name, shelf.add(&name, &big), &[source]));
    for small in 0..256 {
        let name = format!("small-{seed}-{small}");
        let content = shelf.add(&name, &noise(8192, seed * 1000 + small));
        steps.push(make(&name, content, &[source]));
    }
    let began = Instant::now();
    let came = world.apply(steps).await;
    assert!(came.outcomes.values().all(is_done));
    assert!(world.here.bytes(&name) == big);
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_is_limited_by_the_receiver_and_by_the_folder() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let receiving = rate(5 * MIB);
    let limits = Limits {
        receiving,
        ..Limits::default()
    };
    world.throttle.set_global(limits);
    let took = fetch(&mut world, &shelf, 1).await;
    // 10 MiB, a tenth of a second ahead. A busy machine may be slower.
    assert!((1.85..3.5).contains(&took.as_secs_f64()), "{took:?}");
    world.throttle.set_global(Limits::default());
    world.throttle.set_folder(FOLDER, limits);
    let took = fetch(&mut world, &shelf, 2).await;
    assert!((1.85..3.5).contains(&took.as_secs_f64()), "{took:?}");
    let received = world.connection(1).stats().udp_rx.bytes;
    assert!(received < 11 * MIB, "{received} bytes for 10 MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_is_limited_and_what_is_no_content_passes_beside() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let content = shelf.add("big", &noise(4 << 20, 1));
    let Content::File { hash, .. } = content else {
        unreachable!()
    };
    let sending = rate(2 * MIB);
    world.throttles[0].set_global(Limits {
        sending,
        ..Limits::default()
    });
    let connection = world.connection(0).clone();
    let progress = world.progress.clone();
    let ask = async {
        while progress.read().bytes_fetched == 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let header = frame::encode(&Header::Fetch { folder: FOLDER }, 128).unwrap();
        let request = frame::encode(&Request::Chunks { hash }, 128).unwrap();
        send.write_all(&[header, request].concat()).await.unwrap();
        let mut reader = FrameReader::new(receive, Duration::from_secs(60));
        let list = reader.frame::<Answer>(1 << 20).await.unwrap();
        assert!(matches!(list, Some(Answer::Chunks { .. })));
        began.elapsed()
    };
    let began = Instant::now();
    let (came, listed) = tokio::join!(world.apply(vec![make("big", content, &[source])]), ask);
    let took = began.elapsed();
    assert!(is_done(&came.outcomes[&path("big")]));
    assert!((1.85..3.5).contains(&took.as_secs_f64()), "{took:?}");
    assert!(listed < took / 2, "a list waited {listed:?} of {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_stops_what_is_under_way_and_its_end_lets_it_go_on() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let bytes = noise(16 << 20, 1);
    let content = shelf.add("big", &bytes);
    let limits = |receiving| Limits {
        receiving,
        ..Limits::default()
    };
    world.throttle.set_global(limits(rate(8 * MIB)));
    let pause = async {
        while world.progress.read().bytes_fetched < 2 * MIB {
            tokio::task::yield_now().await;
        }
        world.throttle.set_global(limits(Rate::Nothing));
        // What was asked for before may still come; then nothing does.
        let mut before = u64::MAX;
        while before != world.connection(0).stats().udp_rx.bytes {
            before = world.connection(0).stats().udp_rx.bytes;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let fetched = world.progress.read().bytes_fetched;
        assert!(fetched < 8 * MIB, "{fetched} bytes came");
        world.throttle.set_global(Limits::default());
    };
    let (came, ()) = tokio::join!(world.apply(vec![make("big", content, &[source])]), pause);
    assert!(is_done(&came.outcomes[&path("big")]));
    assert!(world.here.bytes("big") == bytes);
}
