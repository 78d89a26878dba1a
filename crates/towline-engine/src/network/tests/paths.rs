//! The relay, and moving between paths with streams that must not notice.

use std::time::{Duration, Instant};

use quinn::{RecvStream, SendStream};
use towline_core::io::{NetworkEvent, NetworkRequest, Path};

use super::nodes::{Node, connect, numbered, pair};
use super::servers::{Hop, relay};

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
        dialer.network.request(NetworkRequest::Send(acceptor.id, numbered(number)));
        acceptor.network.request(NetworkRequest::Send(dialer.id, numbered(number + 1000)));
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
    dialer.network.request(NetworkRequest::CloseRelay(acceptor.id));
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
struct Words {
    stream: RecvStream,
    next: u64,
}

impl Words {
    async fn read(&mut self, bytes: usize) -> Duration {
        let start = Instant::now();
        let end = self.next + bytes as u64 / 8;
        let mut block = vec![0; 8 * 1024];
        while self.next < end {
            self.stream.read_exact(&mut block).await.unwrap();
            for word in block.as_chunks::<8>().0 {
                assert_eq!(u64::from_le_bytes(*word), self.next);
                self.next += 1;
            }
        }
        start.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_live_on_from_relay_to_direct_and_back() {
    const PHASE_BYTES: usize = 4 << 20;
    let (mut dialer, mut acceptor) = relayed_pair().await;
    let (send, recv) = dialer.network.connection(acceptor.id).unwrap().open_bi().await.unwrap();
    let uploading = tokio::spawn(write_words(send));
    let stream = acceptor.streams.recv().await.unwrap();
    let downloading = tokio::spawn(write_words(stream.send));
    let mut up = Words { stream: stream.recv, next: 0 };
    let mut down = Words { stream: recv, next: 0 };

    let both = tokio::join!(up.read(PHASE_BYTES), down.read(PHASE_BYTES));
    println!("relay:  up, down {both:?}");

    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    let before = hop.carried();
    dialer.network.request(NetworkRequest::Select(acceptor.id, Path::Direct(hop.addr)));
    let both = tokio::join!(up.read(4 * PHASE_BYTES), down.read(4 * PHASE_BYTES));
    println!("direct: up, down {both:?}");
    assert!(hop.carried() > before + 1000, "the direct path carries");

    hop.cut();
    dialer.network.request(NetworkRequest::Select(acceptor.id, Path::Relay));
    let first = tokio::join!(up.read(256 << 10), down.read(256 << 10));
    println!("relay again, first 256 KiB: up, down {first:?}");
    let both = tokio::join!(up.read(2 * PHASE_BYTES), down.read(2 * PHASE_BYTES));
    println!("relay again: up, down {both:?}");

    uploading.abort();
    downloading.abort();
}
