//! A peer that ends without a word: noticed by its next life's reset, or by its silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use towline_core::io::{ConnectionId, LinkFault, NetworkEvent, NetworkRequest, Path};

use super::nodes::{Node, connect, identity, loopback, numbered};
use crate::network::{NetworkSettings, Port};

/// Far above a round trip on this machine, far below QUIC's own patience of 30 s.
const SOON: Duration = Duration::from_secs(5);

const FIRST: ConnectionId = ConnectionId(0);

/// A node in a runtime of its own, which can end like a killed process.
struct Mortal {
    node: Node,
    runtime: Runtime,
}

impl Mortal {
    async fn born(seed: u8, port: Port) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let settings = NetworkSettings { port, ..loopback() };
        let opening = runtime.spawn(async move { Node::open_at(seed, &settings).await });
        let node = opening.await.unwrap();
        Self { node, runtime }
    }

    /// Every task ends where it stands, and nobody is told.
    async fn killed(self) {
        let Self { node, runtime } = self;
        tokio::task::spawn_blocking(move || drop(runtime))
            .await
            .unwrap();
        drop(node);
    }
}

/// The seeds of a dialer and its acceptor.
fn seeds() -> (u8, u8) {
    if identity(1).id() < identity(2).id() {
        (1, 2)
    } else {
        (2, 1)
    }
}

/// A dialer and a mortal acceptor, connected.
async fn connected() -> (Node, Mortal) {
    let (dials, accepts) = seeds();
    let mut dialer = Node::open(dials).await;
    let mut acceptor = Mortal::born(accepts, Port::Any).await;
    dialer.trust(&[acceptor.node.id]);
    acceptor.node.trust(&[dialer.id]);
    let addr = acceptor.node.addr();
    dialer.prove(acceptor.node.id, addr).await;
    connect(&mut dialer, &mut acceptor.node, Path::Direct(addr)).await;
    (dialer, acceptor)
}

#[tokio::test]
async fn a_peer_that_comes_back_on_its_port_disowns_the_connection_of_its_former_life() {
    let (mut dialer, acceptor) = connected().await;
    let (id, addr) = (acceptor.node.id, acceptor.node.addr());
    acceptor.killed().await;
    let mut acceptor = Mortal::born(seeds().1, Port::Before(addr.port())).await;
    assert_eq!(acceptor.node.addr(), addr);
    acceptor.node.trust(&[dialer.id]);
    acceptor.node.prove(dialer.id, dialer.addr()).await;
    let asked = Instant::now();
    dialer
        .network
        .request(NetworkRequest::Send(id, numbered(1)));
    assert_eq!(
        dialer.next().await,
        NetworkEvent::Disconnected(id, FIRST, LinkFault::Restarted)
    );
    assert!(asked.elapsed() < SOON, "after {:?}", asked.elapsed());
    println!("disowned after {:?}", asked.elapsed());
    connect(&mut dialer, &mut acceptor.node, Path::Direct(addr)).await;
    acceptor.killed().await;
}

/// Lives of the peer: 20.
const LIVES: u64 = 20;

#[tokio::test]
async fn whoever_takes_fresh_ids_while_a_peer_disowns_its_former_life_lives_on() {
    let (mut dialer, mut acceptor) = connected().await;
    let connections = dialer.network.connections.clone();
    let socket = Arc::clone(&dialer.network.socket);
    // Comes between whoever receives and the connection that it is for.
    let is_due = Arc::new(AtomicBool::new(false));
    let freshening = tokio::spawn({
        let is_due = Arc::clone(&is_due);
        async move {
            let mut before = socket.polls();
            loop {
                if socket.polls() != before && is_due.load(Ordering::Relaxed) {
                    connections.take_fresh_ids().await;
                }
                before = socket.polls();
                come_again_at_once().await;
            }
        }
    });
    for life in 0..LIVES {
        let (id, addr) = (acceptor.node.id, acceptor.node.addr());
        acceptor.killed().await;
        acceptor = Mortal::born(seeds().1, Port::Before(addr.port())).await;
        acceptor.node.trust(&[dialer.id]);
        acceptor.node.prove(dialer.id, dialer.addr()).await;
        is_due.store(true, Ordering::Relaxed);
        dialer
            .network
            .request(NetworkRequest::Send(id, numbered(1)));
        // So many fresh ids in a row may be an offence of their own.
        let ended = dialer.next().await;
        is_due.store(false, Ordering::Relaxed);
        assert!(
            matches!(ended, NetworkEvent::Disconnected(whose, of, _) if whose == id && of == ConnectionId(life)),
            "{ended:?}"
        );
        connect(&mut dialer, &mut acceptor.node, Path::Direct(addr)).await;
    }
    freshening.abort();
    acceptor.killed().await;
}

/// Lets all tasks run that are ready, and this one after them.
async fn come_again_at_once() {
    let mut has_waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn whoever_is_asked_for_a_sign_of_life_gives_it_or_is_dead() {
    let (mut dialer, acceptor) = connected().await;
    let id = acceptor.node.id;
    let ask = |connection| NetworkRequest::Ask(id, connection, Duration::from_millis(500));
    dialer.network.request(ask(FIRST));
    assert_eq!(dialer.next().await, NetworkEvent::Answered(id, FIRST));

    acceptor.killed().await;
    // Of another connection nothing is told, and nothing is done to it.
    dialer.network.request(ask(ConnectionId(7)));
    dialer
        .network
        .request(NetworkRequest::Abandon(id, ConnectionId(7)));
    dialer.network.request(ask(FIRST));
    assert_eq!(dialer.next().await, NetworkEvent::Silent(id, FIRST));
    dialer.network.request(NetworkRequest::Abandon(id, FIRST));
    assert_eq!(
        dialer.next().await,
        NetworkEvent::Disconnected(id, FIRST, LinkFault::Closed)
    );
}

#[tokio::test]
async fn a_port_of_before_that_is_taken_gives_way_to_another() {
    let other = Node::open(1).await;
    let taken = other.addr().port();
    let settings = NetworkSettings {
        port: Port::Before(taken),
        ..loopback()
    };
    let node = Node::open_at(2, &settings).await;
    assert_ne!(node.addr().port(), taken);
}

#[tokio::test]
async fn both_address_families_get_the_same_port() {
    let node = Node::open_at(1, &NetworkSettings::default()).await;
    let ports: Vec<u16> = node
        .network
        .bound()
        .iter()
        .map(|bound| bound.port())
        .collect();
    assert!(ports.windows(2).all(|two| two[0] == two[1]), "{ports:?}");
}
