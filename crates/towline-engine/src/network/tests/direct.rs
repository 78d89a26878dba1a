//! Connections on direct paths: frames, order, replacement, ends, throughput.

use std::time::Instant;

use quinn::{RecvStream, SendStream};
use towline_core::io::{ConnectionId, LinkFault, NetworkEvent, NetworkRequest, Path};

use super::nodes::{Node, connect, connected_pair, identity, loopback, numbered, pair};
use crate::network::{Network, NetworkError, NetworkSettings, Port};
use crate::tasks::Tasks;

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    let (mut dialer, mut acceptor) = connected_pair().await;
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
    let peer = acceptor.id;
    let (rtt, sent) = dialer
        .until(|event| match event {
            NetworkEvent::Measured {
                peer: who,
                rtt,
                sent_bytes,
                ..
            } if *who == peer => Some((*rtt, *sent_bytes)),
            _ => None,
        })
        .await;
    assert!(!rtt.is_zero() && sent > 0);
}

#[tokio::test]
async fn a_slow_engine_makes_the_stream_wait_and_loses_nothing() {
    let (dialer, mut acceptor) = connected_pair().await;
    // Far more than the 64 events and the stream's window hold.
    let big = |number: u16| {
        let addrs = vec![std::net::SocketAddr::from(([127, 0, 0, 1], number)); 20_000];
        towline_wire::peer::Control::Addresses(addrs)
    };
    for number in 0..100 {
        dialer
            .network
            .request(NetworkRequest::Send(acceptor.id, big(number)));
    }
    acceptor
        .until(|event| matches!(event, NetworkEvent::Received(..)).then_some(()))
        .await;
    assert!(acceptor.events.len() <= acceptor.events.max_capacity());
    for number in 1..100 {
        assert_eq!(acceptor.received().await, big(number));
    }
}

#[tokio::test]
async fn a_newer_connection_replaces_the_older_one_in_order() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    dialer.network.request(NetworkRequest::Dial(acceptor.id));
    let (first, second) = (ConnectionId(0), ConnectionId(1));
    let ids = [dialer.id, acceptor.id];
    for (node, peer) in [&mut dialer, &mut acceptor]
        .into_iter()
        .zip(ids.into_iter().rev())
    {
        assert_eq!(
            node.next().await,
            NetworkEvent::Disconnected(peer, first, LinkFault::Closed)
        );
        assert_eq!(node.next().await, NetworkEvent::Connected(peer, second));
    }
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, numbered(7)));
    assert_eq!(acceptor.received().await, numbered(7));
}

#[tokio::test]
async fn a_hangup_is_told_to_both() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    acceptor.network.request(NetworkRequest::Hangup(dialer.id));
    for node in [&mut dialer, &mut acceptor] {
        assert!(matches!(
            node.next().await,
            NetworkEvent::Disconnected(_, _, LinkFault::Closed)
        ));
    }
    assert!(dialer.network.connection(acceptor.id).is_none());
}

#[tokio::test]
async fn a_peer_that_broke_the_protocol_is_told_so() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    acceptor
        .network
        .request(NetworkRequest::HangupOnFault(dialer.id));
    assert!(matches!(
        dialer.next().await,
        NetworkEvent::Disconnected(_, _, LinkFault::Protocol)
    ));
    assert!(matches!(
        acceptor.next().await,
        NetworkEvent::Disconnected(_, _, LinkFault::Closed)
    ));
}

#[tokio::test]
async fn a_removed_peer_is_disconnected_at_once_and_learns_that_it_is_refused() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    acceptor.trust(&[]);
    assert!(matches!(
        acceptor.next().await,
        NetworkEvent::Disconnected(_, _, LinkFault::Closed)
    ));
    assert!(matches!(
        dialer.next().await,
        NetworkEvent::Disconnected(_, _, LinkFault::Refused)
    ));
    assert!(acceptor.network.connection(dialer.id).is_none());
}

#[tokio::test]
async fn closing_tells_the_peers() {
    let (mut dialer, acceptor) = connected_pair().await;
    acceptor.network.close().await;
    assert!(matches!(
        dialer.next().await,
        NetworkEvent::Disconnected(_, _, LinkFault::Closed)
    ));
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_clear_error() {
    let other = Node::open(1).await;
    let port = other.addr().port();
    let settings = NetworkSettings {
        port: Port::Fixed(port),
        ..loopback()
    };
    let (events, _told) = tokio::sync::mpsc::channel(1);
    let (streams, _opened) = tokio::sync::mpsc::channel(1);
    let opened = Network::open(identity(2), &settings, events, streams, &Tasks::new()).await;
    assert!(matches!(opened, Err(NetworkError::PortTaken { port: taken }) if taken == port));
}

#[tokio::test]
async fn without_a_path_or_on_the_wrong_side_a_dial_fails() {
    let (mut dialer, mut acceptor) = pair().await;
    dialer.network.request(NetworkRequest::Dial(acceptor.id));
    assert_eq!(
        dialer.next().await,
        NetworkEvent::DialFailed(acceptor.id, LinkFault::TimedOut)
    );
    acceptor.network.request(NetworkRequest::Dial(dialer.id));
    assert_eq!(
        acceptor.next().await,
        NetworkEvent::DialFailed(dialer.id, LinkFault::Protocol)
    );
}

#[tokio::test]
async fn both_address_families_share_one_endpoint() {
    let (mut dialer, mut acceptor) = pair().await;
    for (node, seed) in [
        (&mut dialer, dialer_seed()),
        (&mut acceptor, 3 - dialer_seed()),
    ] {
        *node = Node::open_at(seed, &NetworkSettings::default()).await;
    }
    dialer.trust(&[acceptor.id]);
    acceptor.trust(&[dialer.id]);
    for bound in acceptor.network.bound() {
        let ip: std::net::IpAddr = if bound.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        let addr = std::net::SocketAddr::new(ip, bound.port());
        dialer.prove(acceptor.id, addr).await;
        connect(&mut dialer, &mut acceptor, Path::Direct(addr)).await;
    }
}

fn dialer_seed() -> u8 {
    if identity(1).id() < identity(2).id() {
        1
    } else {
        2
    }
}

/// Prints what bulk streams reach; meaningful with `--release`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_streams_arrive_whole_in_both_directions() {
    let (dialer, mut acceptor) = connected_pair().await;
    let connection = dialer.network.connection(acceptor.id).unwrap();
    let (send, recv) = connection.open_bi().await.unwrap();
    let mut upload = Box::pin(send_bulk(send));
    let first = tokio::select! {
        stream = acceptor.streams.recv() => stream.unwrap(),
        () = &mut upload => panic!("more was sent than the windows hold"),
    };
    measure("from the dialer", upload, receive_bulk(first.recv)).await;
    measure("to the dialer", send_bulk(first.send), receive_bulk(recv)).await;
    println!("resident, both devices: {}", resident());
}

/// Bytes of a bulk stream: more than the windows hold.
const BULK_BYTES: usize = if cfg!(debug_assertions) {
    32 << 20
} else {
    2 << 30
};

async fn send_bulk(mut stream: SendStream) {
    const CHUNK_BYTES: usize = 64 * 1024;
    let chunk = bytes::Bytes::from(vec![0x5a; CHUNK_BYTES]);
    for _ in 0..BULK_BYTES / CHUNK_BYTES {
        stream.write_chunk(chunk.clone()).await.unwrap();
    }
    stream.finish().unwrap();
    stream.stopped().await.unwrap();
}

async fn receive_bulk(mut stream: RecvStream) {
    let mut received = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await.unwrap() {
        received += chunk.bytes.len();
    }
    assert_eq!(received, BULK_BYTES);
}

async fn measure(
    direction: &str,
    send: impl Future<Output = ()> + Send + 'static,
    receive: impl Future<Output = ()>,
) {
    let start = Instant::now();
    let tasks = Tasks::new();
    tasks.spawn("send", send);
    receive.await;
    let mbit = BULK_BYTES as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e6;
    println!("{direction}: {mbit:.0} Mbit/s");
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"))
        .collect()
}
