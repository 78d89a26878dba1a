//! A pairing over the local network, here loopback, with real sockets.

use quinn::{ClientConfig, Endpoint};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use towline_core::io::{NetworkEvent, NetworkRequest, NetworkScope, PairingId, Path};
use towline_wire::code::Slot;

use super::nodes::{Node, connect, identity, loopback, pair};
use crate::network::tls::{self, TlsSettings, Trust, server_name};
use crate::network::{NetworkSettings, Port};

const ID: PairingId = PairingId(7);

fn host(node: &Node, id: PairingId) {
    let slot = Slot::parse("ABC").unwrap();
    node.network.request(NetworkRequest::HostPairing(id, slot));
}

fn meet(node: &Node, id: PairingId, host: &Node) {
    let addresses = vec![host.addr()];
    node.network
        .request(NetworkRequest::MeetPairing(id, addresses));
}

fn say(node: &Node, id: PairingId, words: &[u8]) {
    node.network
        .request(NetworkRequest::SendPairing(id, words.to_vec()));
}

async fn met(node: &mut Node, id: PairingId) {
    let is_met = |event: &NetworkEvent| (*event == NetworkEvent::PairingMet(id)).then_some(());
    node.until(is_met).await;
}

async fn gone(node: &mut Node, id: PairingId) {
    let is_gone = |event: &NetworkEvent| (*event == NetworkEvent::PairingGone(id)).then_some(());
    node.until(is_gone).await;
}

async fn heard(node: &mut Node, id: PairingId) -> Vec<u8> {
    node.until(|event| match event {
        NetworkEvent::PairingReceived(of, bytes) if *of == id => Some(bytes.clone()),
        NetworkEvent::PairingGone(_) => panic!("gone"),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn messages_pass_between_strangers_and_the_last_one_arrives() {
    let (mut one, mut other) = (Node::open(1).await, Node::open(2).await);
    host(&one, ID);
    meet(&other, PairingId(1), &one);
    met(&mut other, PairingId(1)).await;
    say(&other, PairingId(1), b"share");
    met(&mut one, ID).await;
    assert_eq!(heard(&mut one, ID).await, b"share");
    say(&one, ID, &[7; 4096]);
    assert_eq!(heard(&mut other, PairingId(1)).await, [7; 4096]);
    say(&other, PairingId(1), b"kept");
    other
        .network
        .request(NetworkRequest::ClosePairing(PairingId(1)));
    assert_eq!(heard(&mut one, ID).await, b"kept");
    gone(&mut one, ID).await;
    one.network.request(NetworkRequest::ClosePairing(ID));
    other.network.close().await;
    one.network.close().await;
}

#[tokio::test]
async fn the_first_that_speaks_is_the_one_and_nobody_is_let_in_after_it() {
    let mut one = Node::open(1).await;
    let (mut silent, mut guest, mut late) = (
        Node::open(2).await,
        Node::open(3).await,
        Node::open(4).await,
    );
    host(&one, ID);
    meet(&silent, ID, &one);
    met(&mut silent, ID).await;
    meet(&guest, ID, &one);
    met(&mut guest, ID).await;
    say(&guest, ID, b"first");
    assert_eq!(heard(&mut one, ID).await, b"first");
    say(&silent, ID, b"second");
    gone(&mut silent, ID).await;
    meet(&late, ID, &one);
    gone(&mut late, ID).await;
    say(&guest, ID, b"third");
    assert_eq!(heard(&mut one, ID).await, b"third");
}

#[tokio::test]
async fn no_stranger_is_answered_while_no_code_waits() {
    let (one, mut other) = (Node::open(1).await, Node::open(2).await);
    meet(&other, ID, &one);
    gone(&mut other, ID).await;
    host(&one, ID);
    one.network.request(NetworkRequest::ClosePairing(ID));
    meet(&other, PairingId(8), &one);
    gone(&mut other, PairingId(8)).await;
}

#[tokio::test]
async fn whoever_waits_for_a_code_is_no_peer_for_strangers() {
    let (one, stranger) = (Node::open(1).await, identity(2));
    host(&one, ID);
    let trust = Trust::default();
    trust.replace([one.id].into());
    let settings = TlsSettings::new(&stranger, &trust).unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let as_peer = ClientConfig::new(settings.dialer);
    let dialled = endpoint.connect_with(as_peer, one.addr(), &server_name(one.id));
    let dialled = timeout(Duration::from_secs(20), dialled.unwrap()).await;
    assert!(dialled.unwrap().is_err(), "another ALPN, another key");
    let guest = ClientConfig::new(tls::pairing_guest().unwrap() as Arc<_>);
    let dialled = endpoint.connect_with(guest, one.addr(), "pairing").unwrap();
    let connection = timeout(Duration::from_secs(20), dialled).await;
    let connection = connection.unwrap().unwrap();
    let shown = tls::proven_device(connection.peer_identity()).unwrap();
    assert_ne!(shown, one.id, "the device's key is not shown");
}

#[tokio::test]
async fn a_peer_stays_connected_while_strangers_come() {
    let (mut dialer, mut acceptor) = pair().await;
    let addr = acceptor.addr();
    dialer.prove(acceptor.id, addr).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(addr)).await;
    let mut guest = Node::open(9).await;
    host(&acceptor, ID);
    meet(&guest, ID, &acceptor);
    met(&mut guest, ID).await;
    say(&guest, ID, b"share");
    assert_eq!(heard(&mut acceptor, ID).await, b"share");
    dialer.prove(acceptor.id, addr).await;
}

#[tokio::test]
async fn within_the_local_network_a_device_on_it_is_reached() {
    let within = || NetworkSettings {
        scope: NetworkScope::LocalNetwork,
        port: Port::Any,
        ..loopback()
    };
    let mut one = Node::open_at(1, &within()).await;
    let other = Node::open_at(2, &within()).await;
    one.trust(&[other.id]);
    other.trust(&[one.id]);
    one.prove(other.id, other.addr()).await;
}
