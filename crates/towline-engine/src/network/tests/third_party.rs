//! Somebody on the line sends on what two devices send each other as if a third party had.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use towline_core::io::{NetworkEvent, NetworkRequest};

use super::nodes::{Node, pair};

/// The line: what goes over it has its address, and the third party's.
struct Line {
    ours: UdpSocket,
    third: UdpSocket,
}

/// A datagram that went over the line.
struct Passed {
    bytes: Vec<u8>,
    from: SocketAddr,
}

impl Line {
    async fn open() -> Self {
        Self {
            ours: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            third: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.ours.local_addr().unwrap()
    }

    /// The next datagram.
    async fn next(&self) -> Passed {
        let mut bytes = vec![0; 2048];
        let come = timeout(Duration::from_secs(30), self.ours.recv_from(&mut bytes));
        let (length, from) = come.await.expect("a datagram comes").unwrap();
        bytes.truncate(length);
        Passed { bytes, from }
    }

    /// Sends on all that comes, as it should be, until this device has proved the other.
    async fn lets_prove(&self, node: &mut Node, other: &Node) {
        let [here, there] = [node.addr(), other.addr()];
        let pass = async {
            loop {
                let passed = self.next().await;
                let to = if passed.from == here { there } else { here };
                self.ours.send_to(&passed.bytes, to).await.unwrap();
            }
        };
        let proves = node.prove(other.id, self.addr());
        tokio::select! {
            () = pass => {}
            () = proves => {}
        }
    }

    /// What has come to the third party.
    fn came_to_third(&self) -> usize {
        let mut bytes = [0; 2048];
        std::iter::from_fn(|| self.third.try_recv(&mut bytes).ok()).count()
    }
}

#[tokio::test]
async fn an_answer_that_comes_from_elsewhere_proves_nothing() {
    let (mut dialer, acceptor) = pair().await;
    let line = Line::open().await;
    let probe = NetworkRequest::Probe(acceptor.id, line.addr());
    dialer.network.request(probe);
    let ping = line.next().await;
    line.ours
        .send_to(&ping.bytes, acceptor.addr())
        .await
        .unwrap();
    // The answer, and a probe back.
    let answers = [line.next().await, line.next().await];
    for answer in &answers {
        let to = dialer.addr();
        line.third.send_to(&answer.bytes, to).await.unwrap();
    }
    let seen = dialer
        .until(|event| match event {
            NetworkEvent::ProbeHeard { from, .. } => Some(Ok(*from)),
            NetworkEvent::ProbeAnswered { from, .. } => Some(Err(*from)),
            _ => None,
        })
        .await;
    assert_eq!(seen, Ok(line.third.local_addr().unwrap()));
    // It may come late, and still is the answer.
    for answer in &answers {
        let to = dialer.addr();
        line.ours.send_to(&answer.bytes, to).await.unwrap();
    }
    let seen = dialer
        .until(|event| match event {
            NetworkEvent::ProbeAnswered { from, .. } => Some(*from),
            _ => None,
        })
        .await;
    assert_eq!(seen, line.addr());
}

#[tokio::test]
async fn who_never_answered_is_written_to_a_few_times() {
    let (mut dialer, mut acceptor) = pair().await;
    let line = Line::open().await;
    line.lets_prove(&mut dialer, &acceptor).await;
    line.lets_prove(&mut acceptor, &dialer).await;
    let rounds = 50;
    for _ in 0..rounds {
        let probe = NetworkRequest::Probe(acceptor.id, line.addr());
        dialer.network.request(probe);
        // Whatever else is on its way passes as well.
        loop {
            let passed = line.next().await;
            let is_of_dialer = passed.from == dialer.addr();
            let to = acceptor.addr();
            line.third.send_to(&passed.bytes, to).await.unwrap();
            if is_of_dialer {
                break;
            }
        }
    }
    // What the acceptor answers now shows that it has seen all of it.
    let addr = acceptor.addr();
    dialer.prove(acceptor.id, addr).await;
    let came = line.came_to_third();
    assert!((1..=10).contains(&came), "{came} of {rounds}");
}
