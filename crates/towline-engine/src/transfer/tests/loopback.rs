//! Connections on loopback, with a certificate made on the spot.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A connection and its two ends.
pub(super) struct Pair {
    pub(super) fetching: Connection,
    pub(super) serving: Connection,
    _endpoints: (Endpoint, Endpoint),
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(8 * 1024 * 1024))
        .send_window(16 * 1024 * 1024)
        .send_fairness(false);
    Arc::new(transport)
}

/// Connects two new endpoints.
pub(super) async fn connect() -> Pair {
    let made = rcgen::generate_simple_self_signed(["peer.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut server =
        ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server).unwrap()));
    server.transport_config(transport());
    let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
    client.transport_config(transport());
    let listening = endpoint(Some(server), any);
    let dialling = endpoint(None, any);
    let dial = dialling
        .connect_with(client, listening.local_addr().unwrap(), "peer.test")
        .unwrap();
    let accept = async { listening.accept().await.unwrap().await.unwrap() };
    let (fetching, serving) = tokio::join!(dial, accept);
    Pair {
        fetching: fetching.unwrap(),
        serving,
        _endpoints: (listening, dialling),
    }
}

fn endpoint(server: Option<ServerConfig>, address: SocketAddr) -> Endpoint {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    // The system gives what it allows.
    let _ = (
        socket.set_recv_buffer_size(8 << 20),
        socket.set_send_buffer_size(8 << 20),
    );
    socket.bind(&address.into()).unwrap();
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(
        quinn::EndpointConfig::default(),
        server,
        socket.into(),
        runtime,
    )
    .unwrap()
}
