//! Strangers, impostors, garbage.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ClientConfig, Connection, Endpoint};
use towline_core::io::{LinkFault, NetworkEvent, NetworkRequest, Path};
use towline_wire::ids::DeviceId;

use super::nodes::{Node, connect, connected_pair, identity, numbered, pair};
use crate::network::tls::{TlsSettings, Trust, server_name};

/// A QUIC long header of an unknown version, long enough that a server would answer it.
fn unknown_version() -> Vec<u8> {
    let mut datagram = vec![0; 1200];
    datagram[..15].copy_from_slice(b"\xc0\x0a\x0a\x0a\x0a\x04aaaa\x04bbbb");
    datagram
}

#[tokio::test]
async fn strangers_get_no_answer_of_any_kind() {
    let (mut dialer, acceptor) = pair().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    for length in [0, 1, 75, 76, 77, 1200, 1452] {
        for first in [0x00, 0x2e, 0x40, 0xc0, 0xff] {
            let mut datagram = vec![0x55; length];
            if let Some(byte) = datagram.first_mut() {
                *byte = first;
            }
            stranger.send_to(&datagram, acceptor.addr()).unwrap();
        }
    }
    stranger
        .send_to(&unknown_version(), acceptor.addr())
        .unwrap();
    // Loopback keeps the order: when this is answered, the rest has been worked through.
    dialer.prove(acceptor.id, acceptor.addr()).await;
    let mut answer = [0; 2048];
    assert_eq!(
        stranger.recv_from(&mut answer).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[tokio::test]
async fn an_admitted_address_would_have_been_answered() {
    let (dialer, acceptor) = pair().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = Path::Direct(stranger.local_addr().unwrap());
    acceptor
        .network
        .request(NetworkRequest::Select(dialer.id, path));
    stranger
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let addr = acceptor.addr();
    let answered = tokio::task::spawn_blocking(move || {
        stranger.send_to(&unknown_version(), addr).unwrap();
        stranger.recv_from(&mut [0; 2048]).is_ok()
    });
    assert!(answered.await.unwrap());
}

#[tokio::test]
async fn probes_of_devices_that_are_not_trusted_are_not_answered() {
    let (dialer, mut acceptor) = pair().await;
    let outsider = Node::open(3).await;
    outsider.trust(&[acceptor.id]);
    outsider
        .network
        .request(NetworkRequest::Probe(acceptor.id, acceptor.addr()));
    dialer
        .network
        .request(NetworkRequest::Probe(acceptor.id, acceptor.addr()));
    let heard = acceptor
        .until(|event| match event {
            NetworkEvent::ProbeHeard { peer, .. } => Some(*peer),
            _ => None,
        })
        .await;
    assert_eq!(heard, dialer.id);
}

#[tokio::test]
async fn a_dial_waits_at_the_door_until_its_address_is_proven() {
    let (mut dialer, mut acceptor) = pair().await;
    let addr = acceptor.addr();
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, Path::Direct(addr)));
    dialer.network.request(NetworkRequest::Dial(acceptor.id));
    dialer.prove(acceptor.id, addr).await;
    assert_eq!(dialer.connected().await.0, acceptor.id);
    assert_eq!(acceptor.connected().await.0, dialer.id);
}

#[tokio::test]
async fn another_trusted_device_does_not_pass_for_the_dialled_one() {
    let mut nodes = [
        Node::open(1).await,
        Node::open(2).await,
        Node::open(3).await,
    ];
    nodes.sort_by_key(|node| node.id);
    let [mut dialer, wanted, mut other] = nodes;
    dialer.trust(&[wanted.id, other.id]);
    other.trust(&[dialer.id]);
    dialer.prove(other.id, other.addr()).await;
    dialer.network.request(NetworkRequest::Select(
        wanted.id,
        Path::Direct(other.addr()),
    ));
    dialer.network.request(NetworkRequest::Dial(wanted.id));
    assert_eq!(
        dialer.next().await,
        NetworkEvent::DialFailed(wanted.id, LinkFault::Impostor)
    );
    // The one who answered is not bothered by it.
    let addr = other.addr();
    dialer.prove(other.id, addr).await;
    connect(&mut dialer, &mut other, Path::Direct(addr)).await;
}

/// A trusted peer whose QUIC is bare, so that it can say anything.
async fn bare_peer() -> (Node, DeviceId, Connection) {
    let acceptor_seed = if identity(1).id() < identity(2).id() {
        2
    } else {
        1
    };
    let acceptor = Node::open(acceptor_seed).await;
    let bare = identity(3 - acceptor_seed);
    acceptor.trust(&[bare.id()]);
    let trust = Trust::default();
    trust.replace([acceptor.id].into());
    let tls = TlsSettings::new(&bare, &trust).unwrap();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let path = Path::Direct(endpoint.local_addr().unwrap());
    acceptor
        .network
        .request(NetworkRequest::Select(bare.id(), path));
    let config = ClientConfig::new(Arc::clone(&tls.dialer) as Arc<_>);
    let name = server_name(acceptor.id);
    let connection = endpoint
        .connect_with(config, acceptor.addr(), &name)
        .unwrap()
        .await
        .unwrap();
    (acceptor, bare.id(), connection)
}

#[tokio::test]
async fn what_is_no_frame_ends_the_connection() {
    let too_long = u32::MAX.to_le_bytes().to_vec();
    let malformed = [4_u32.to_le_bytes().to_vec(), vec![0xff; 4]].concat();
    let cut_short = 4_u32.to_le_bytes().to_vec();
    for garbage in [too_long, malformed, cut_short] {
        let (mut acceptor, peer, connection) = bare_peer().await;
        let mut control = connection.open_uni().await.unwrap();
        control.write_all(&[1]).await.unwrap();
        assert_eq!(acceptor.connected().await.0, peer);
        control.write_all(&garbage).await.unwrap();
        control.finish().unwrap();
        assert!(matches!(
            acceptor.next().await,
            NetworkEvent::Disconnected(_, _, LinkFault::Protocol)
        ));
        let end = connection.closed().await;
        assert_eq!(crate::network::session::fault_of(&end), LinkFault::Protocol);
    }
}

#[tokio::test]
async fn a_connection_does_not_stand_without_a_control_stream() {
    let (acceptor, peer, connection) = bare_peer().await;
    let mut control = connection.open_uni().await.unwrap();
    control.write_all(&[9]).await.unwrap();
    connection.closed().await;
    assert!(acceptor.network.connection(peer).is_none());
}

#[tokio::test]
async fn garbage_from_the_peers_own_address_does_no_harm() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = Path::Direct(stranger.local_addr().unwrap());
    acceptor
        .network
        .request(NetworkRequest::Select(dialer.id, path));
    for round in 0..200_u32 {
        let junk = blake3::hash(&round.to_le_bytes());
        let datagram: Vec<u8> = junk
            .as_bytes()
            .iter()
            .cycle()
            .take(round as usize * 7 + 1)
            .copied()
            .collect();
        stranger.send_to(&datagram, acceptor.addr()).unwrap();
    }
    dialer.prove(acceptor.id, acceptor.addr()).await;
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, numbered(7)));
    assert_eq!(acceptor.received().await, numbered(7));
}
