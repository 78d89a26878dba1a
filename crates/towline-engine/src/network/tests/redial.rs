//! A dial whose way changes while it runs.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use towline_core::io::{NetworkRequest, Path};

use super::nodes::pair;

/// Somebody who listens and never answers.
async fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// The destination connection id of the next packet of a handshake.
async fn next_id(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await.unwrap();
        if let [first, _, _, _, _, id_length, rest @ ..] = &buffer[..length]
            && first & 0xc0 == 0xc0
        {
            return rest[..usize::from(*id_length)].to_vec();
        }
    }
}

#[tokio::test]
async fn a_dial_begins_anew_where_its_path_leads_from_now_on_and_ends_once() {
    let (mut dialer, acceptor) = pair().await;
    let peer = acceptor.id;
    let (nowhere, nowhere_addr) = silent().await;
    let (elsewhere, elsewhere_addr) = silent().await;
    let select = |addr| NetworkRequest::Select(peer, Path::Direct(addr));
    dialer.network.request(select(nowhere_addr));
    dialer.network.request(NetworkRequest::Dial(peer));
    let first = next_id(&nowhere).await;
    dialer.network.request(select(elsewhere_addr));
    // What is sent again of the first handshake has its id.
    while next_id(&elsewhere).await == first {}
    dialer.prove(peer, acceptor.addr()).await;
    dialer.network.request(select(acceptor.addr()));
    assert_eq!(dialer.connected().await.0, peer);
}
