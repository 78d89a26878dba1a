//! Many sockets towards one address, of which one is hit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use towline_core::io::{NetworkEvent, NetworkRequest, Path};

use super::nodes::{Node, connect, numbered, pair};
use super::paths::words;
use crate::network::routes::Through;
use crate::tasks::Tasks;

const WITHIN: Duration = Duration::from_secs(20);

/// A router before a node: it lets nobody in, until one address is chosen whose packets pass both ways.
struct Router {
    addr: SocketAddr,
    front: Arc<UdpSocket>,
    /// Who has written, and the last that each wrote.
    knocks: Arc<Mutex<BTreeMap<SocketAddr, Vec<u8>>>>,
    chosen: Arc<Mutex<Option<SocketAddr>>>,
    back: Arc<UdpSocket>,
}

impl Router {
    async fn before(target: SocketAddr) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        back.connect(target).await.unwrap();
        let router = Self {
            addr: front.local_addr().unwrap(),
            front: Arc::clone(&front),
            knocks: Arc::default(),
            chosen: Arc::default(),
            back: Arc::clone(&back),
        };
        let (knocks, chosen) = (Arc::clone(&router.knocks), Arc::clone(&router.chosen));
        let (from_front, to_back) = (Arc::clone(&front), Arc::clone(&back));
        tokio::spawn(async move {
            let mut buffer = [0; 65_535];
            while let Ok((length, from)) = from_front.recv_from(&mut buffer).await {
                let bytes = buffer[..length].to_vec();
                if *chosen.lock().unwrap() == Some(from) {
                    to_back.send(&bytes).await.unwrap();
                } else {
                    knocks.lock().unwrap().insert(from, bytes);
                }
            }
        });
        let chosen = Arc::clone(&router.chosen);
        tokio::spawn(async move {
            let mut buffer = [0; 65_535];
            while let Ok(length) = back.recv(&mut buffer).await {
                let to = *chosen.lock().unwrap();
                if let Some(to) = to {
                    // Who has closed its socket since gets nothing.
                    let _refused = front.send_to(&buffer[..length], to).await;
                }
            }
        });
        router
    }

    /// Who has knocked.
    fn knockers(&self) -> Vec<SocketAddr> {
        self.knocks.lock().unwrap().keys().copied().collect()
    }

    /// From now on one of those who knocked is let in, with what it had said.
    async fn choose(&self, who: SocketAddr) {
        *self.chosen.lock().unwrap() = Some(who);
        let said = self.knocks.lock().unwrap().get(&who).cloned().unwrap();
        self.back.send(&said).await.unwrap();
    }

    /// The same with the main socket of a node.
    async fn choose_when_it_knocks(&self, node: &Node, peer: &Node) {
        node.network
            .request(NetworkRequest::Probe(peer.id, self.addr));
        let wait = async {
            while !self.knockers().contains(&node.addr()) {
                tokio::task::yield_now().await;
            }
        };
        timeout(WITHIN, wait).await.unwrap();
        self.choose(node.addr()).await;
    }
}

async fn scattered(node: &mut Node, peer: &Node, to: SocketAddr, sockets: u16) -> u16 {
    node.network.request(NetworkRequest::Scatter {
        peer: peer.id,
        to,
        sockets,
        within: WITHIN,
    });
    told_of(node).await
}

/// How many sockets were scattered.
async fn told_of(node: &mut Node) -> u16 {
    node.until(|event| match event {
        NetworkEvent::Scattered(_, count) => Some(*count),
        _ => None,
    })
    .await
}

/// Waits until so many have knocked.
async fn knocked(router: &Router, count: usize) -> Vec<SocketAddr> {
    let wait = async {
        while router.knockers().len() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, wait).await.unwrap();
    router.knockers()
}

/// Waits until these ports are free again.
async fn closed(ports: &[SocketAddr]) {
    let wait = async {
        for port in ports {
            while UdpSocket::bind(port).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(WITHIN, wait).await.unwrap();
}

/// Which of both scatters.
#[derive(Clone, Copy)]
enum Scatters {
    Dialer,
    Acceptor,
}

/// Two nodes that are connected by a socket that was hit.
async fn met(who: Scatters) -> (Node, Node, Router, SocketAddr) {
    let (mut dialer, mut acceptor) = pair().await;
    let (varying, steady) = match who {
        Scatters::Dialer => (&mut dialer, &mut acceptor),
        Scatters::Acceptor => (&mut acceptor, &mut dialer),
    };
    let router = Router::before(steady.addr()).await;
    assert_eq!(scattered(varying, steady, router.addr, 40).await, 40);
    let mut others = knocked(&router, 40).await;
    assert!(!others.contains(&varying.addr()));
    let hit = others.remove(17);
    router.choose(hit).await;
    closed(&others).await;
    let steady_id = steady.id;
    varying
        .until(|event| match event {
            NetworkEvent::ProbeAnswered { peer, from, .. } => {
                assert_eq!((*peer, *from), (steady_id, router.addr));
                Some(())
            }
            _ => None,
        })
        .await;
    let path = match who {
        Scatters::Dialer => router.addr,
        // What the router's other side looks like.
        Scatters::Acceptor => router.back.local_addr().unwrap(),
    };
    if matches!(who, Scatters::Acceptor) {
        dialer.prove(acceptor.id, path).await;
    }
    connect(&mut dialer, &mut acceptor, Path::Direct(path)).await;
    (dialer, acceptor, router, hit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_that_is_hit_carries_everything_and_the_others_close() {
    for who in [Scatters::Dialer, Scatters::Acceptor] {
        let (dialer, mut acceptor, _router, _hit) = met(who).await;
        let writers = Tasks::new();
        let (mut up, mut down) = words(&dialer, &mut acceptor, &writers).await;
        let both = tokio::join!(up.read(8 << 20), down.read(8 << 20));
        println!("through an extra socket: up, down {both:?}");
        writers.close().await;
    }
}

#[tokio::test]
async fn a_gathered_socket_is_closed_and_its_address_is_proved_no_more() {
    let (mut dialer, mut acceptor, router, hit) = met(Scatters::Dialer).await;
    let peer = acceptor.id;
    let through = |node: &Node| node.network.socket.routes().through(peer, router.addr);
    assert_ne!(through(&dialer), Through::Main);
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, numbered(1)));
    assert_eq!(acceptor.received().await, numbered(1));
    dialer.network.request(NetworkRequest::Gather(acceptor.id));
    assert_eq!(through(&dialer), Through::Main);
    closed(&[hit]).await;
    // The main socket is another one for the router, and takes its place when that lets it in.
    router.choose_when_it_knocks(&dialer, &acceptor).await;
    dialer.prove(acceptor.id, router.addr).await;
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, numbered(2)));
    assert_eq!(acceptor.received().await, numbered(2));
}

#[tokio::test]
async fn a_try_in_place_of_one_that_is_just_ended_has_all_its_sockets() {
    let (mut varying, steady) = pair().await;
    let router = Router::before(steady.addr()).await;
    for _ in 0..3 {
        // What the core asks for when a try was missed.
        varying.network.request(NetworkRequest::Gather(steady.id));
        let sockets = scattered(&mut varying, &steady, router.addr, 512).await;
        assert_eq!(sockets, 512);
    }
}

#[tokio::test]
async fn junk_and_probes_from_elsewhere_hit_nothing() {
    let (mut varying, steady) = pair().await;
    let router = Router::before(steady.addr()).await;
    assert_eq!(scattered(&mut varying, &steady, router.addr, 8).await, 8);
    let sockets = knocked(&router, 8).await;
    let said = router.knocks.lock().unwrap().clone();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for (to, own_probe) in &said {
        for junk in [&[0x2e; 76][..], &[0x40; 76], &[0; 1200], own_probe, b""] {
            router.front.send_to(junk, to).await.unwrap();
            elsewhere.send_to(junk, to).await.unwrap();
        }
    }
    let hit = sockets[3];
    router.choose(hit).await;
    varying
        .until(|event| matches!(event, NetworkEvent::ProbeAnswered { .. }).then_some(()))
        .await;
    let others: Vec<_> = sockets.into_iter().filter(|one| *one != hit).collect();
    closed(&others).await;
}

#[tokio::test]
async fn sockets_that_nobody_hits_are_closed_in_time_and_a_second_try_gets_what_is_left() {
    let (mut varying, steady) = pair().await;
    let router = Router::before(steady.addr()).await;
    let stranger = Node::open(3).await;
    varying.trust(&[steady.id, stranger.id]);
    varying.network.request(NetworkRequest::Scatter {
        peer: steady.id,
        to: router.addr,
        sockets: 200,
        within: Duration::from_millis(1500),
    });
    assert_eq!(told_of(&mut varying).await, 200);
    let sockets = knocked(&router, 200).await;
    closed(&sockets).await;
    let other = Router::before(stranger.addr()).await;
    assert_eq!(
        scattered(&mut varying, &stranger, other.addr, 512).await,
        512
    );
    assert_eq!(scattered(&mut varying, &steady, router.addr, 512).await, 0);
    varying.network.request(NetworkRequest::Gather(stranger.id));
    closed(&other.knockers()).await;
}
