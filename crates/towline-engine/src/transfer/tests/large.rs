//! Large files: whole, resumed, patched, from sources that lie or die.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof};
use proptest::{prop_assert, proptest};
use tokio::runtime::Builder;
use towline_core::io::{ApplyId, Expected, Outcome, Step};
use towline_wire::data::ChunkSizes;
use towline_wire::entry::Content;

use super::super::apply::{TransferEvent, TransferFault};
use super::world::{Shelf, World, is_done, make, noise, path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_64_mib_and_some_bytes_arrives_from_two_sources() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = [world.source(1, &shelf).await, world.source(2, &shelf).await];
    let bytes = noise((64 << 20) + 12_345, 1);
    let content = shelf.add("big", &bytes);
    let twin = make("twin", content.clone(), &sources);
    let came = world
        .apply(vec![make("big", content, &sources), twin])
        .await;
    assert!(came.outcomes.values().all(is_done));
    assert!(world.here.bytes("big") == bytes && world.here.bytes("twin") == bytes);
    assert_eq!(world.progress.read().bytes_fetched, bytes.len() as u64);
    assert_eq!(world.progress.read().current, []);
    assert_eq!(world.here.temporaries(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_changes_of_a_large_file_cost_a_few_parts() {
    let old = noise(32 << 20, 1);
    let inserted = |at: usize| {
        let mut new = old.clone();
        new.insert(at, 0x55);
        new
    };
    let mut overwritten = old.clone();
    overwritten[20_000_000..20_004_096].copy_from_slice(&noise(4096, 3));
    let appended = [&old[..], &noise(300_000, 4)].concat();
    let cut = old[..30_000_001].to_vec();
    let changes = [
        (inserted(17_000_000), 0),
        (inserted(0), 0),
        (overwritten, 4096),
        (appended, 300_000),
        (cut, 0),
    ];
    for (new, fresh) in changes {
        let shelf = Shelf::new();
        let mut world = World::new();
        let source = world.source(1, &shelf).await;
        world.here.add("big", &old);
        let expected = Expected::Stamped(world.here.stamp("big"));
        let content = shelf.add("big", &new);
        let came = world
            .apply(vec![Step {
                expected,
                ..make("big", content, &[source])
            }])
            .await;
        assert!(came.outcomes.values().all(is_done));
        assert!(world.here.bytes("big") == new);
        // The parts at both ends of what is new.
        let parts = fresh + 4 * u64::from(ChunkSizes::OF_PARTS.max);
        let fetched = world.progress.read().bytes_fetched;
        assert!(
            fetched > 0 && fetched < parts,
            "{fetched} bytes fetched for {fresh} new ones"
        );
        // On the wire: about 37 bytes for each of the 400 chunk names and of the parts' names, and headers.
        let received = world.connection(0).stats().udp_rx.bytes;
        assert!(received < parts + 64 * 1024, "{received} bytes received");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_are_found_and_another_source_gives_the_right_ones() {
    let (liar, honest) = (Shelf::new(), Shelf::new());
    let mut world = World::new();
    let sources = [world.source(1, &liar).await, world.source(2, &honest).await];
    let bytes = noise(5 << 20, 1);
    let content = liar.add("big", &bytes);
    liar.corrupt(&content, &noise(5 << 20, 2));
    let step = make("big", content, &sources);
    let came = world
        .apply(vec![Step {
            sources: [sources[0]].into(),
            ..step.clone()
        }])
        .await;
    assert_eq!(came.outcomes[&path("big")], Outcome::NoSource);
    assert_eq!(came.faults, [(sources[0], TransferFault::WrongBytes)]);
    honest.add("big", &bytes);
    let came = world.apply(vec![step]).await;
    assert!(is_done(&came.outcomes[&path("big")]));
    assert!(world.here.bytes("big") == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_source_takes_over_when_one_dies_in_mid_file() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = [world.source(1, &shelf).await, world.source(2, &shelf).await];
    let bytes = noise(48 << 20, 1);
    let content = shelf.add("big", &bytes);
    let progress = world.progress.clone();
    let dying = world.connection(0).clone();
    let kill = async {
        while progress.read().bytes_fetched < 8 << 20 {
            tokio::task::yield_now().await;
        }
        dying.close(0_u32.into(), b"");
    };
    let (came, ()) = tokio::join!(world.apply(vec![make("big", content, &sources)]), kill);
    assert!(came.outcomes.values().all(is_done));
    assert!(world.here.bytes("big") == bytes);
    let fetched = world.progress.read().bytes_fetched;
    assert_eq!(
        fetched,
        bytes.len() as u64,
        "nothing that had arrived was fetched again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_transfer_leaves_nothing_and_is_resumed() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let bytes = noise(32 << 20, 1);
    let content = shelf.add("big", &bytes);
    let step = make("big", content, &[source]);
    let (transfer, _reported) = world.transfer();
    let progress = world.progress.clone();
    let enough = async {
        while progress
            .read()
            .current
            .iter()
            .all(|current| current.done < 16 << 20)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = transfer.apply(ApplyId(1), vec![step.clone()]) => panic!("too fast to be dropped"),
        () = enough => {}
    }
    drop(transfer);
    assert!(!world.here.has("big"));
    world.here.reopen();
    let before = world.progress.read().bytes_fetched;
    let came = world.apply(vec![step]).await;
    assert!(came.outcomes.values().all(is_done));
    assert!(world.here.bytes("big") == bytes);
    let again = world.progress.read().bytes_fetched - before;
    assert!(again <= 18 << 20, "{again} bytes fetched after the restart");
    assert_eq!(world.here.temporaries(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_at_the_source_is_gone() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let content = shelf.add("big", &noise(32 << 20, 1));
    let (progress, changing) = (world.progress.clone(), content.clone());
    let change = async {
        while progress.read().bytes_fetched < 2 << 20 {
            tokio::task::yield_now().await;
        }
        tokio::task::spawn_blocking(move || shelf.change(&changing))
            .await
            .unwrap();
    };
    let (came, ()) = tokio::join!(world.apply(vec![make("big", content, &[source])]), change);
    assert_eq!(came.outcomes[&path("big")], Outcome::NoSource);
    assert!(!world.here.has("big"));
}

#[tokio::test]
async fn outcomes_are_told_while_others_still_travel() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let big = shelf.add("big", &noise(8 << 20, 1));
    let (transfer, mut reported) = world.transfer();
    let steps = vec![
        make("d", Content::Directory, &[]),
        make("d/big", big, &[source]),
    ];
    let first = async {
        let event = reported.recv().await.unwrap();
        let TransferEvent::Applied { outcomes, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].0, path("d"));
        while reported.recv().await.is_some() {}
    };
    let apply = async move { transfer.apply(ApplyId(1), steps).await };
    tokio::join!(apply, first);
}

/// What a person does to a large file. Places are fractions of the file's length then, in 65,536ths.
#[derive(Debug, Clone)]
enum Edit {
    /// New bytes come in, from a seed.
    Insert { at: u16, len: usize, seed: u8 },
    /// Bytes go.
    Cut { at: u16, len: usize },
    /// Bytes become others, from a seed.
    Overwrite { at: u16, len: usize, seed: u8 },
    /// Bytes are there once more in another place.
    Repeat { from: u16, len: usize, at: u16 },
    /// Bytes become zeros, which travel as a hole.
    Zero { at: u16, len: usize },
}

impl Edit {
    fn any() -> impl Strategy<Value = Self> {
        let len = prop_oneof![1_usize..64, 1_000_usize..40_000, 200_000_usize..2_000_000];
        prop_oneof![
            (any::<u16>(), len.clone(), any::<u8>()).prop_map(|(at, len, seed)| Self::Insert {
                at,
                len,
                seed
            }),
            (any::<u16>(), len.clone()).prop_map(|(at, len)| Self::Cut { at, len }),
            (any::<u16>(), len.clone(), any::<u8>()).prop_map(|(at, len, seed)| Self::Overwrite {
                at,
                len,
                seed
            }),
            (any::<u16>(), len.clone(), any::<u16>()).prop_map(|(from, len, at)| Self::Repeat {
                from,
                len,
                at
            }),
            (any::<u16>(), len).prop_map(|(at, len)| Self::Zero { at, len }),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: u16| bytes.len() * usize::from(at) / 65_536;
        let range = |at: u16, len: usize| place(at)..(place(at) + len).min(bytes.len());
        let (range, new) = match *self {
            Self::Insert { at, len, seed } => (range(at, 0), noise(len, u64::from(seed))),
            Self::Cut { at, len } => (range(at, len), Vec::new()),
            Self::Overwrite { at, len, seed } => {
                let range = range(at, len);
                let new = noise(range.len(), u64::from(seed));
                (range, new)
            }
            Self::Repeat { from, len, at } => (range(at, 0), bytes[range(from, len)].to_vec()),
            Self::Zero { at, len } => {
                let range = range(at, len);
                let new = vec![0; range.len()];
                (range, new)
            }
        };
        bytes.splice(range, new);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_done_to_a_large_file_it_is_put_together_from_the_old_one_and_parts(
        edits in vec(Edit::any(), 0..5),
    ) {
        let old = noise(5_000_000, 1);
        let mut new = old.clone();
        for edit in &edits {
            edit.apply(&mut new);
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let shelf = Shelf::new();
            let mut world = World::new();
            let source = world.source(1, &shelf).await;
            world.here.add("big", &old);
            let step = Step {
                expected: Expected::Stamped(world.here.stamp("big")),
                ..make("big", shelf.add("big", &new), &[source])
            };
            let came = world.apply(vec![step]).await;
            prop_assert!(came.outcomes.values().all(is_done), "{:?}", came);
            prop_assert!(world.here.bytes("big") == new, "other bytes");
            prop_assert!(world.here.temporaries().is_empty());
            Ok(())
        })?;
    }
}
