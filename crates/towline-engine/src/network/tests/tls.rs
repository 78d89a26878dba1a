//! Who passes TLS, between bare endpoints.

use std::sync::Arc;

use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ServerConfig};
use towline_core::identity::Identity;
use towline_core::io::LinkFault;
use towline_wire::ids::DeviceId;

use super::nodes::identity;
use crate::network::session::fault_of;
use crate::network::tls::{TlsSettings, Trust, proven_device, server_name};

fn settings(identity: &Identity, trusted: &[DeviceId]) -> TlsSettings {
    let trust = Trust::default();
    trust.replace(trusted.iter().copied().collect());
    TlsSettings::new(identity, &trust).unwrap()
}

/// What both ends see when `client` dials `wanted` and `server` answers.
async fn shake_hands(
    client: TlsSettings,
    wanted: DeviceId,
    server: TlsSettings,
) -> (
    Result<Connection, ConnectionError>,
    Result<Connection, ConnectionError>,
) {
    let local = "127.0.0.1:0".parse().unwrap();
    let acceptor = Endpoint::server(ServerConfig::with_crypto(server.acceptor), local).unwrap();
    let dialer = Endpoint::client(local).unwrap();
    let config = ClientConfig::new(client.dialer as Arc<_>);
    let addr = acceptor.local_addr().unwrap();
    let connecting = dialer
        .connect_with(config, addr, &server_name(wanted))
        .unwrap();
    let accepting = async { acceptor.accept().await.unwrap().await };
    tokio::join!(connecting, accepting)
}

#[tokio::test]
async fn trusted_keys_pass_and_are_known() {
    let (a, b) = (identity(1), identity(2));
    let (dialed, accepted) =
        shake_hands(settings(&a, &[b.id()]), b.id(), settings(&b, &[a.id()])).await;
    assert_eq!(proven_device(dialed.unwrap().peer_identity()), Some(b.id()));
    assert_eq!(
        proven_device(accepted.unwrap().peer_identity()),
        Some(a.id())
    );
}

#[tokio::test]
async fn a_dialer_that_is_not_trusted_is_refused() {
    let (a, b) = (identity(1), identity(2));
    let (dialed, accepted) = shake_hands(settings(&a, &[b.id()]), b.id(), settings(&b, &[])).await;
    assert!(accepted.is_err());
    // The dialer's own handshake is done before the other side judges.
    let refused = match dialed {
        Ok(connection) => connection.closed().await,
        Err(error) => error,
    };
    assert_eq!(fault_of(&refused), LinkFault::Refused);
}

#[tokio::test]
async fn an_answer_that_is_not_trusted_is_an_impostor() {
    let (a, b) = (identity(1), identity(2));
    let (dialed, accepted) = shake_hands(settings(&a, &[]), b.id(), settings(&b, &[a.id()])).await;
    assert_eq!(fault_of(&dialed.unwrap_err()), LinkFault::Impostor);
    assert_eq!(fault_of(&accepted.unwrap_err()), LinkFault::Refused);
}

#[tokio::test]
async fn another_trusted_key_is_an_impostor() {
    let (a, b, c) = (identity(1), identity(2), identity(3));
    let trusting_both = settings(&a, &[b.id(), c.id()]);
    let (dialed, _) = shake_hands(trusting_both, c.id(), settings(&b, &[a.id()])).await;
    assert_eq!(fault_of(&dialed.unwrap_err()), LinkFault::Impostor);
}
