//! The relay, and moving between paths with streams that must not notice.

use std::time::{Duration, Instant};

use quinn::{RecvStream, SendStream};
use tokio::time::timeout;
use towline_core::io::{LinkFault, NetworkEvent, NetworkRequest, Path};

use super::nodes::{Node, connect, numbered, pair};
use super::servers::{Hop, relay};
use crate::tasks::Tasks;

async fn open_relay(node: &mut Node, peer: &Node, server: &str) {
    node.network.request(NetworkRequest::OpenRelay {
        peer: peer.id,
        url: format!("{server}/relay/7"),
        channel: 7,
        token: "token".to_owned(),
    });
    assert_eq!(node.next().await, NetworkEvent::RelayOpened(peer.id));
}

async fn relayed_pair() -> (Node, Node) {
    let server = relay().await;
    let (mut dialer, mut acceptor) = pair().await;
    open_relay(&mut dialer, &acceptor, &server).await;
    open_relay(&mut acceptor, &dialer, &server).await;
    connect(&mut dialer, &mut acceptor, Path::Relay).await;
    (dialer, acceptor)
}

#[tokio::test]
async fn frames_go_both_ways_through_the_relay() {
    let (mut dialer, mut acceptor) = relayed_pair().await;
    for number in 0..100 {
        dialer
            .network
            .request(NetworkRequest::Send(acceptor.id, numbered(number)));
        acceptor
            .network
            .request(NetworkRequest::Send(dialer.id, numbered(number + 1000)));
    }
    for number in 0..100 {
        assert_eq!(acceptor.received().await, numbered(number));
        assert_eq!(dialer.received().await, numbered(number + 1000));
    }
}

#[tokio::test]
async fn a_relay_that_cannot_be_opened_is_closed() {
    let (mut dialer, acceptor) = pair().await;
    for url in ["ws://127.0.0.1:1/relay/7", "http://127.0.0.1/", "nonsense"] {
        dialer.network.request(NetworkRequest::OpenRelay {
            peer: acceptor.id,
            url: url.to_owned(),
            channel: 7,
            token: "token".to_owned(),
        });
        assert_eq!(dialer.next().await, NetworkEvent::RelayClosed(acceptor.id));
    }
}

#[tokio::test]
async fn a_newer_relay_takes_the_place_of_the_older_one_without_a_word() {
    let server = relay().await;
    let (mut dialer, acceptor) = pair().await;
    open_relay(&mut dialer, &acceptor, &server).await;
    open_relay(&mut dialer, &acceptor, &server).await;
    dialer
        .network
        .request(NetworkRequest::CloseRelay(acceptor.id));
    open_relay(&mut dialer, &acceptor, &server).await;
}

/// Writes 0, 1, 2 ... for as long as the stream lives.
async fn write_words(mut stream: SendStream) {
    let mut next = 0_u64;
    loop {
        let block: Vec<u8> = (next..next + 1024).flat_map(u64::to_le_bytes).collect();
        next += 1024;
        if stream.write_all(&block).await.is_err() {
            return;
        }
    }
}

/// Reads words and checks that none is lost, doubled or changed.
pub(super) struct Words {
    stream: RecvStream,
    next: u64,
    /// Bytes of a word that has not arrived whole.
    rest: Vec<u8>,
}

impl Words {
    fn from(stream: RecvStream) -> Self {
        Self {
            stream,
            next: 0,
            rest: Vec::new(),
        }
    }

    /// Safe to drop at any point.
    pub(super) async fn read(&mut self, bytes: usize) -> Duration {
        let start = Instant::now();
        let end = self.next + bytes as u64 / 8;
        while self.next < end {
            let chunk = self
                .stream
                .read_chunk(64 * 1024, true)
                .await
                .unwrap()
                .unwrap();
            self.rest.extend_from_slice(&chunk.bytes);
            let (words, rest) = self.rest.as_chunks::<8>();
            for word in words {
                assert_eq!(u64::from_le_bytes(*word), self.next);
                self.next += 1;
            }
            self.rest = rest.to_vec();
        }
        start.elapsed()
    }
}

/// Two words streams on one connection, one in each direction.
pub(super) async fn words(dialer: &Node, acceptor: &mut Node, writers: &Tasks) -> (Words, Words) {
    let (send, recv) = dialer
        .network
        .connection(acceptor.id)
        .unwrap()
        .open_bi()
        .await
        .unwrap();
    writers.spawn("upload", write_words(send));
    let stream = acceptor.streams.recv().await.unwrap();
    writers.spawn("download", write_words(stream.send));
    (Words::from(stream.recv), Words::from(recv))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_live_on_from_relay_to_direct_and_back() {
    const PHASE_BYTES: usize = 4 << 20;
    let (mut dialer, mut acceptor) = relayed_pair().await;
    let writers = Tasks::new();
    let (mut up, mut down) = words(&dialer, &mut acceptor, &writers).await;

    let both = tokio::join!(up.read(PHASE_BYTES), down.read(PHASE_BYTES));
    println!("relay:  up, down {both:?}");

    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    let before = hop.carried();
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, Path::Direct(hop.addr)));
    let both = tokio::join!(up.read(4 * PHASE_BYTES), down.read(4 * PHASE_BYTES));
    println!("direct: up, down {both:?}");
    assert!(hop.carried() > before + 1000, "the direct path carries");

    hop.cut();
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, Path::Relay));
    let first = tokio::join!(up.read(256 << 10), down.read(256 << 10));
    println!("relay again, first 256 KiB: up, down {first:?}");
    let both = tokio::join!(up.read(2 * PHASE_BYTES), down.read(2 * PHASE_BYTES));
    println!("relay again: up, down {both:?}");

    writers.close().await;
}

/// Without a grant of its own the connection would wait for its probe timeout, which comes as late
/// again as the outage was long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_under_load_ends_when_another_path_is_selected() {
    const OUTAGE: Duration = Duration::from_secs(4);
    let (mut dialer, mut acceptor) = relayed_pair().await;
    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, Path::Direct(hop.addr)));
    let writers = Tasks::new();
    let (mut up, mut down) = words(&dialer, &mut acceptor, &writers).await;
    tokio::join!(up.read(8 << 20), down.read(8 << 20));

    hop.cut();
    let stuck = timeout(OUTAGE, async {
        tokio::join!(up.read(1 << 40), down.read(1 << 40))
    })
    .await;
    assert!(stuck.is_err());
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, Path::Relay));
    let first = tokio::join!(up.read(64 << 10), down.read(64 << 10));
    println!("after an outage of {OUTAGE:?}, first 64 KiB: up, down {first:?}");
    assert!(first.0.max(first.1) < OUTAGE / 2);
    let both = tokio::join!(up.read(4 << 20), down.read(4 << 20));
    println!("then 4 MiB: up, down {both:?}");
    writers.close().await;
}

/// Both sides send much and hear each other at the same moment, so that each spends what it is granted on data
/// and, with a full window, may not even acknowledge. Without a grant for each sign of the peer both would wait
/// for a probe timeout; and nobody selects a path that is selected already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_under_load_ends_when_a_probe_shows_that_the_same_path_works() {
    const OUTAGE: Duration = Duration::from_secs(4);
    let (mut dialer, mut acceptor) = pair().await;
    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(hop.addr)).await;
    let writers = Tasks::new();
    let (mut up, mut down) = words(&dialer, &mut acceptor, &writers).await;
    tokio::join!(up.read(8 << 20), down.read(8 << 20));

    hop.cut();
    let stuck = timeout(OUTAGE, async {
        tokio::join!(up.read(1 << 40), down.read(1 << 40))
    })
    .await;
    assert!(stuck.is_err());
    hop.mend();
    // As the core does: one probe may be lost among all that waits in the sockets.
    let probing = async {
        let mut pause = tokio::time::interval(Duration::from_millis(200));
        loop {
            pause.tick().await;
            let probe = NetworkRequest::Probe(acceptor.id, hop.addr);
            dialer.network.request(probe);
        }
    };
    let reading = async { tokio::join!(up.read(64 << 10), down.read(64 << 10)) };
    let first = tokio::select! {
        first = reading => first,
        () = probing => unreachable!("it never ends"),
    };
    println!("after an outage of {OUTAGE:?}, first 64 KiB: up, down {first:?}");
    assert!(first.0.max(first.1) < OUTAGE / 2);
    let both = tokio::join!(up.read(4 << 20), down.read(4 << 20));
    println!("then 4 MiB: up, down {both:?}");
    writers.close().await;
}

#[tokio::test]
async fn a_hangup_still_leaves_through_a_relay_that_is_closed_with_it() {
    let (mut dialer, mut acceptor) = relayed_pair().await;
    dialer.network.request(NetworkRequest::Hangup(acceptor.id));
    dialer
        .network
        .request(NetworkRequest::CloseRelay(acceptor.id));
    let closed = |event: &NetworkEvent| match event {
        NetworkEvent::Disconnected(_, _, fault) => Some(*fault),
        _ => None,
    };
    assert_eq!(dialer.until(closed).await, LinkFault::Closed);
    assert_eq!(acceptor.until(closed).await, LinkFault::Closed);
}
