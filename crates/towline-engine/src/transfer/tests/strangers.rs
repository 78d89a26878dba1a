//! What hostile or broken peers send.

use quinn::{RecvStream, SendStream};
use towline_core::io::Outcome;
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, CHUNKS_PER_PAGE_MAX, Chunk, ChunkSizes, Header, ListEnd,
    RANGE_BYTES_MAX, Request,
};
use towline_wire::entry::Content;
use towline_wire::frame;

use super::super::allowance::{BYTES_PER_PEER_MAX, STREAMS_PER_PEER_MAX};
use super::super::apply::TransferFault;
use super::super::chunks::{Cutter, hash_of};
use super::super::frames::FrameReader;
use super::super::serve::ServeFault;
use super::loopback;
use super::world::{FOLDER, Shelf, World, fetcher_id, is_done, make, noise, path};

/// Opens a stream to the world's first source and sends bytes.
async fn send(world: &World, bytes: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, receive) = world.connection(0).open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    (send, receive)
}

fn header() -> Vec<u8> {
    frame::encode(&Header::Fetch { folder: FOLDER }, 128).unwrap()
}

#[tokio::test]
async fn junk_on_one_stream_is_a_fault_and_disturbs_no_other() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let bytes = noise(1000, 1);
    let content = shelf.add("a", &bytes);
    let Content::File { hash, .. } = content else {
        unreachable!()
    };
    let endless = Request::Range {
        hash,
        offset: u64::MAX,
        len: RANGE_BYTES_MAX + 1,
    };
    let junk = [
        vec![0xff; 64],
        [header(), vec![3, 0, 0, 0, 9, 9, 9]].concat(),
        [header(), frame::encode(&endless, 128).unwrap()].concat(),
    ];
    for (number, junk) in junk.iter().enumerate() {
        let (_send, mut receive) = send(&world, junk).await;
        assert!(
            receive.read_to_end(1 << 20).await.is_err(),
            "the stream is reset"
        );
        assert_eq!(world.serve_faults.lock().unwrap().len(), number + 1);
    }
    assert!(
        world
            .serve_faults
            .lock()
            .unwrap()
            .iter()
            .all(|f| *f == ServeFault::Protocol)
    );
    let came = world.apply(vec![make("a", content, &[source])]).await;
    assert!(came.outcomes.values().all(is_done));
}

#[tokio::test]
async fn ranges_outside_of_the_file_are_gone() {
    let shelf = Shelf::new();
    let mut world = World::new();
    world.source(1, &shelf).await;
    let content = shelf.add("a", &noise(1000, 1));
    let Content::File { hash, .. } = content else {
        unreachable!()
    };
    for (offset, len) in [(1000, 1), (u64::MAX, 1), (999, 2)] {
        let request = frame::encode(&Request::Range { hash, offset, len }, 128).unwrap();
        let (mut send, mut receive) = send(&world, &[header(), request].concat()).await;
        send.finish().unwrap();
        let answer = receive.read_to_end(1 << 20).await.unwrap();
        assert_eq!(answer, frame::encode(&Answer::Gone, 64).unwrap());
    }
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_and_places_come_back() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS_PER_PEER_MAX {
        open.push(send(&world, &header()).await);
        // An answer proves that the stream is being served.
        let request = frame::encode(&Request::File { hash: hash_of(b"") }, 128).unwrap();
        let (send, receive) = open.last_mut().unwrap();
        send.write_all(&request).await.unwrap();
        receive.read_exact(&mut [0; 5]).await.unwrap();
    }
    let (_send, mut receive) = send(&world, &header()).await;
    assert!(receive.read_to_end(10).await.is_err());
    assert_eq!(
        *world.serve_faults.lock().unwrap(),
        [ServeFault::TooManyStreams]
    );
    for (mut send, mut receive) in open {
        send.finish().unwrap();
        receive.read_to_end(10).await.unwrap();
    }
    let content = shelf.add("a", &noise(1000, 1));
    let came = world.apply(vec![make("a", content, &[source])]).await;
    assert!(is_done(&came.outcomes[&path("a")]));
}

#[tokio::test]
async fn a_peer_that_asks_for_much_is_held_little_and_gets_all_of_it() {
    let shelf = Shelf::new();
    let mut world = World::new();
    world.source(1, &shelf).await;
    let len = RANGE_BYTES_MAX;
    let bytes = noise(len as usize, 1);
    let Content::File { hash, .. } = shelf.add("a", &bytes) else {
        unreachable!()
    };
    let request = frame::encode(
        &Request::Range {
            hash,
            offset: 0,
            len,
        },
        128,
    )
    .unwrap();
    let mut open = Vec::new();
    // Twice what it may have, if every stream read ahead.
    for _ in 0..BYTES_PER_PEER_MAX / len as usize {
        let asked = [header(), request.clone(), request.clone()].concat();
        let (mut send, receive) = send(&world, &asked).await;
        send.finish().unwrap();
        open.push(receive);
    }
    let expected = [
        &frame::encode(&Answer::Bytes { len }, 64).unwrap(),
        &bytes[..],
    ]
    .concat();
    let expected = [&expected[..], &expected].concat();
    let read = open.iter_mut().map(async |receive| {
        let came = receive.read_to_end(expected.len()).await.unwrap();
        assert!(came == expected);
    });
    futures_util::future::join_all(read).await;
    let allowance = world.servers[0].allowance(fetcher_id());
    assert!(allowance.peak() > len as usize, "{}", allowance.peak());
    assert!(
        allowance.peak() <= BYTES_PER_PEER_MAX,
        "{}",
        allowance.peak()
    );
}

#[tokio::test]
async fn chunk_lists_asked_for_side_by_side_are_each_whole() {
    let shelf = Shelf::new();
    let mut world = World::new();
    world.source(1, &shelf).await;
    let bytes = noise(48 * 1024 * 1024, 1);
    let Content::File { hash, .. } = shelf.add("a", &bytes) else {
        unreachable!()
    };
    let mut cutter = Cutter::new(&bytes[..], ChunkSizes::of_file(bytes.len() as u64));
    let expected: Vec<Chunk> = std::iter::from_fn(|| cutter.next_chunk().unwrap()).collect();
    assert!(expected.len() > CHUNKS_PER_PAGE_MAX, "{}", expected.len());
    let request = frame::encode(&Request::Chunks { hash }, 128).unwrap();
    let asked = [header(), request].concat();
    let ask = async || {
        let (_send, receive) = send(&world, &asked).await;
        let mut reader = FrameReader::new(receive, std::time::Duration::from_secs(60));
        let mut list = Vec::new();
        loop {
            let page = reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX).await;
            let Ok(Some(Answer::Chunks { chunks, end })) = page else {
                panic!("no page")
            };
            list.extend(chunks);
            if end == ListEnd::End {
                return list;
            }
        }
    };
    let (one, other) = tokio::join!(ask(), ask());
    assert!(one == expected && other == expected);
}

#[tokio::test]
async fn a_source_that_answers_junk_is_blamed_and_replaced() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let honest = world.source(2, &shelf).await;
    let content = shelf.add("a", &noise(1000, 1));
    let pair = loopback::connect().await;
    let stranger = world.stranger(1, &pair);
    let answer = async {
        // Two lanes ask; each gets a frame of an impossible length.
        let mut streams = Vec::new();
        while let Ok((mut send, receive)) = pair.serving.accept_bi().await {
            // The fetcher may have hung up already.
            let _ = send.write_all(&[0xff; 16]).await;
            streams.push((send, receive));
        }
    };
    let alone = vec![make("a", content.clone(), &[stranger])];
    let both = vec![make("a", content, &[stranger, honest])];
    let apply = async {
        let came = world.apply(alone).await;
        assert_eq!(came.outcomes[&path("a")], Outcome::NoSource);
        assert!(came.faults.contains(&(stranger, TransferFault::Protocol)));
        let came = world.apply(both).await;
        assert!(is_done(&came.outcomes[&path("a")]));
    };
    tokio::select! {
        () = answer => panic!("the connection ended"),
        () = apply => {}
    }
}
