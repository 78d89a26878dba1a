//! `towline-signal healthcheck`: asks the server of the same settings on this machine whether it is well, for
//! images that have no other program in them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme, StreamOwned,
};

use super::{Options, tls::Identity};

/// Asks the server that runs with these settings.
///
/// # Errors
/// In a sentence, when nobody answers or the answer is not that all is well.
pub fn ask(options: &Options) -> Result<(), String> {
    let listens_on = options.address();
    let address = SocketAddr::new(reached_at(listens_on.ip()), listens_on.port());
    let identity = options
        .tls()
        .map(|files| Identity::read(&files))
        .transpose()?;
    match status(address, identity) {
        Ok(line) if line.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(line) => Err(format!("the server at {address} says `{line}`")),
        Err(error) => Err(format!("no answer from {address}: {error}")),
    }
}

/// A server that listens on all addresses is reached on loopback.
const fn reached_at(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    }
}

/// The first line of the answer.
fn status(address: SocketAddr, identity: Option<Identity>) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match identity {
        None => first_line(stream),
        Some(identity) => {
            let ours = OurOwn::new(&identity);
            let config = ClientConfig::builder_with_provider(Arc::clone(&ours.provider))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(ours))
                .with_no_client_auth();
            let client = ClientConnection::new(Arc::new(config), address.ip().into());
            first_line(StreamOwned::new(client.map_err(io::Error::other)?, stream))
        }
    }
}

fn first_line(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; ANSWER_BYTES];
    let mut length = 0;
    while let Some(room) = answer.get_mut(length..)
        && !room.is_empty()
    {
        match stream.read(room)? {
            0 => break,
            more => length += more,
        }
    }
    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Takes the certificate of our own files, whatever names it has, and no other.
#[derive(Debug)]
struct OurOwn {
    leaf: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl OurOwn {
    fn new(identity: &Identity) -> Self {
        Self {
            leaf: identity.leaf().clone(),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        }
    }
}

impl ServerCertVerifier for OurOwn {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.leaf {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("the server speaks TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// How long each step may take: 3 s, below the timeouts that containers are given for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// As much of the answer as is read: its first line has about 15 bytes.
const ANSWER_BYTES: usize = 64;
