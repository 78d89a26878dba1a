//! Large probes, which show that a path carries the longest datagrams there are between machines.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use towline_core::io::{NetworkEvent, NetworkRequest};

use super::nodes::{Node, pair};

/// Something between two nodes that looks at what it carries.
struct Between {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Between {
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        Self { socket, addr }
    }

    /// The next datagram from there.
    async fn next(&self, from: SocketAddr) -> Vec<u8> {
        let mut buffer = [0; 4096];
        loop {
            let (length, sender) = self.socket.recv_from(&mut buffer).await.unwrap();
            if sender == from {
                return buffer[..length].to_vec();
            }
        }
    }

    async fn send(&self, bytes: &[u8], to: SocketAddr) {
        self.socket.send_to(bytes, to).await.unwrap();
    }
}

/// What the next answer to a probe was: `true` for a large one.
async fn next_answer(node: &mut Node) -> (bool, SocketAddr) {
    node.until(|event| match event {
        NetworkEvent::LargeAnswered { from, .. } => Some((true, *from)),
        NetworkEvent::ProbeAnswered { from, .. } => Some((false, *from)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_large_probe_is_as_long_as_a_datagram_can_be_and_its_answer_is_not() {
    let (mut dialer, acceptor) = pair().await;
    let between = Between::new().await;
    let large = NetworkRequest::ProbeLarge(acceptor.id, between.addr);
    dialer.network.request(large);
    let ping = between.next(dialer.addr()).await;
    assert_eq!(ping.len(), 1452);
    between.send(&ping, acceptor.addr()).await;
    let pong = between.next(acceptor.addr()).await;
    assert_eq!(pong.len(), 76);
    between.send(&pong, dialer.addr()).await;
    assert_eq!(next_answer(&mut dialer).await, (true, between.addr));
}

#[tokio::test]
async fn a_large_probe_that_was_cut_or_grown_on_its_way_is_not_answered() {
    let (mut dialer, acceptor) = pair().await;
    let between = Between::new().await;
    let large = NetworkRequest::ProbeLarge(acceptor.id, between.addr);
    dialer.network.request(large);
    let ping = between.next(dialer.addr()).await;
    let usual = NetworkRequest::Probe(acceptor.id, between.addr);
    dialer.network.request(usual);
    let small = between.next(dialer.addr()).await;
    assert_eq!(small.len(), 76);
    let grown = [&small[..], &[0; 1376]].concat();
    let longer = [&ping[..], &[0]].concat();
    for changed in [&ping[..76], &ping[..1451], &longer, &grown] {
        between.send(changed, acceptor.addr()).await;
    }
    between.send(&small, acceptor.addr()).await;
    let pong = between.next(acceptor.addr()).await;
    between.send(&pong, dialer.addr()).await;
    assert_eq!(next_answer(&mut dialer).await, (false, between.addr));
}
