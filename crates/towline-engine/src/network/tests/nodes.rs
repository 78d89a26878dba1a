//! A network under test, and waiting for what it tells.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use towline_core::identity::Identity;
use towline_core::io::{ConnectionId, Discovery, NetworkEvent, NetworkRequest, NetworkScope, Path};
use towline_wire::ids::DeviceId;
use towline_wire::peer::Control;

use crate::network::{IncomingStream, Network, NetworkSettings, Port, PortMapping};
use crate::tasks::Tasks;

/// No test waits longer for one event.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network and its ends.
pub(super) struct Node {
    pub(super) id: DeviceId,
    pub(super) network: Network,
    pub(super) events: mpsc::Receiver<NetworkEvent>,
    pub(super) streams: mpsc::Receiver<IncomingStream>,
}

pub(super) fn loopback() -> NetworkSettings {
    NetworkSettings {
        port: Port::Any,
        bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        scope: NetworkScope::Everywhere,
        discovery: Discovery::Off,
        port_mapping: PortMapping::Off,
        proxies: Arc::default(),
    }
}

pub(super) fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

impl Node {
    pub(super) async fn open(seed: u8) -> Self {
        Self::open_at(seed, &loopback()).await
    }

    pub(super) async fn open_at(seed: u8, settings: &NetworkSettings) -> Self {
        let (events, told) = mpsc::channel(64);
        let (streams, opened) = mpsc::channel(16);
        let identity = identity(seed);
        let id = identity.id();
        let network = Network::open(identity, settings, events, streams, &Tasks::new())
            .await
            .unwrap();
        Self {
            id,
            network,
            events: told,
            streams: opened,
        }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.network.bound()[0]
    }

    pub(super) fn trust(&self, peers: &[DeviceId]) {
        self.network.request(NetworkRequest::Trust(
            peers.iter().copied().collect::<BTreeSet<_>>(),
        ));
    }

    /// The first event of which `pick` makes something; measurements and addresses are passed by.
    pub(super) async fn until<T>(&mut self, mut pick: impl FnMut(&NetworkEvent) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the network lives");
                if let Some(picked) = pick(&event) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, wait).await.expect("the event comes")
    }

    /// The next event about connections; probes, measurements and addresses are passed by.
    pub(super) async fn next(&mut self) -> NetworkEvent {
        self.until(|event| match event {
            NetworkEvent::LocalAddresses(_)
            | NetworkEvent::Reflected { .. }
            | NetworkEvent::Nearby(_)
            | NetworkEvent::PairingMet(_)
            | NetworkEvent::PairingReceived(..)
            | NetworkEvent::PairingGone(_)
            | NetworkEvent::PortMapped(_)
            | NetworkEvent::Borrowed(_)
            | NetworkEvent::Found(..)
            | NetworkEvent::NotLent(_)
            | NetworkEvent::ProbeAnswered { .. }
            | NetworkEvent::ProbeHeard { .. }
            | NetworkEvent::Scattered(..)
            | NetworkEvent::LargeAnswered { .. }
            | NetworkEvent::Datagrams(..)
            | NetworkEvent::Measured { .. } => None,
            NetworkEvent::RelayOpened(_)
            | NetworkEvent::RelayClosed(_)
            | NetworkEvent::Connected(..)
            | NetworkEvent::DialFailed(..)
            | NetworkEvent::Disconnected(..)
            | NetworkEvent::Misbehaved(..)
            | NetworkEvent::Answered(..)
            | NetworkEvent::Silent(..)
            | NetworkEvent::Received(..) => Some(event.clone()),
        })
        .await
    }

    pub(super) async fn connected(&mut self) -> (DeviceId, ConnectionId) {
        self.until(|event| match event {
            NetworkEvent::Connected(peer, id) => Some((*peer, *id)),
            NetworkEvent::DialFailed(_, fault) => panic!("dialling failed: {fault:?}"),
            _ => None,
        })
        .await
    }

    pub(super) async fn received(&mut self) -> Control {
        self.until(|event| match event {
            NetworkEvent::Received(_, _, control) => Some(control.clone()),
            NetworkEvent::Disconnected(_, _, fault) => panic!("disconnected: {fault:?}"),
            _ => None,
        })
        .await
    }

    /// Probes an address of a peer until it answers.
    pub(super) async fn prove(&mut self, peer: DeviceId, addr: SocketAddr) {
        self.network.request(NetworkRequest::Probe(peer, addr));
        self.until(|event| match event {
            NetworkEvent::ProbeAnswered {
                peer: who, from, ..
            } => (*who == peer && *from == addr).then_some(()),
            _ => None,
        })
        .await;
    }
}

/// A node that dials and a node that accepts, which trust each other.
pub(super) async fn pair() -> (Node, Node) {
    let (one, other) = (Node::open(1).await, Node::open(2).await);
    let (dialer, acceptor) = if one.id < other.id {
        (one, other)
    } else {
        (other, one)
    };
    dialer.trust(&[acceptor.id]);
    acceptor.trust(&[dialer.id]);
    (dialer, acceptor)
}

/// Dials on the given path and waits for both ends.
pub(super) async fn connect(dialer: &mut Node, acceptor: &mut Node, path: Path) {
    dialer
        .network
        .request(NetworkRequest::Select(acceptor.id, path));
    dialer.network.request(NetworkRequest::Dial(acceptor.id));
    assert_eq!(dialer.connected().await.0, acceptor.id);
    assert_eq!(acceptor.connected().await.0, dialer.id);
}

/// Two nodes with a direct connection.
pub(super) async fn connected_pair() -> (Node, Node) {
    let (mut dialer, mut acceptor) = pair().await;
    let addr = acceptor.addr();
    dialer.prove(acceptor.id, addr).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(addr)).await;
    (dialer, acceptor)
}

/// A frame that says a number.
pub(super) fn numbered(number: u16) -> Control {
    Control::Addresses(vec![SocketAddr::from(([127, 0, 0, 1], number))])
}
