//! A client that says what it is told to say, and closes the connection after one answer.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    line: String,
    host: Option<String>,
    kind: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            line: format!("{method} {path} HTTP/1.1"),
            host: None,
            kind: None,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(super) fn post(path: &str, body: &Value) -> Self {
        Self {
            kind: Some("application/json".to_owned()),
            body: body.to_string(),
            ..Self::new("POST", path)
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn with_session(self, session: &str) -> Self {
        self.with("Authorization", &format!("Bearer {session}"))
    }

    /// Under another name than the usual one.
    pub(super) fn at(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// With a body of another type.
    pub(super) fn of_kind(mut self, kind: &str) -> Self {
        self.kind = (!kind.is_empty()).then(|| kind.to_owned());
        self
    }
}

/// What is answered; the head in small letters.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// Anything that bytes go through.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Asks at a port of this computer.
pub(super) struct Client {
    port: u16,
    host: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Client {
    pub(super) fn plain(port: u16) -> Self {
        Self {
            port,
            host: format!("127.0.0.1:{port}"),
            tls: None,
        }
    }

    /// One that trusts this certificate, and asks for this name.
    pub(super) fn trusting(
        port: u16,
        name: &'static str,
        certificate: CertificateDer<'static>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from(name).expect("a name");
        Self {
            port,
            host: format!("{name}:{port}"),
            tls: Some((TlsConnector::from(Arc::new(config)), server)),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(&self, asked: Asked) -> Answer {
        let mut wire = self.say(&asked).await;
        let mut answer = Vec::new();
        // Whoever is refused while it still speaks may find the connection reset behind the answer.
        let _ = wire.read_to_end(&mut answer).await;
        Answer::parse(&answer)
    }

    /// Sends these bytes, and waits until the other end has closed or answered.
    pub(super) async fn send(&self, bytes: &[u8]) {
        let mut wire = self.connect().await;
        wire.write_all(bytes).await.expect("sent");
        wire.shutdown().await.expect("sent");
        let _ = wire.read_to_end(&mut Vec::new()).await;
    }

    /// Asks for something that has no end.
    pub(super) async fn follow(&self, asked: Asked) -> Lines {
        let mut lines = Lines(BufReader::new(self.say(&asked).await));
        assert!(lines.line().await.starts_with("HTTP/1.1 200"));
        while lines.line().await != "\r\n" {}
        lines
    }

    async fn say(&self, asked: &Asked) -> Box<dyn Wire> {
        let mut wire = self.connect().await;
        let host = asked.host.as_ref().unwrap_or(&self.host);
        let mut text = format!("{}\r\nHost: {host}\r\nConnection: close\r\n", asked.line);
        if let Some(kind) = &asked.kind {
            text += &format!("Content-Type: {kind}\r\n");
        }
        if asked.line.starts_with("POST") {
            text += &format!("Content-Length: {}\r\n", asked.body.len());
        }
        for (name, value) in &asked.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        // Whoever is refused by its head need not take the body.
        wire.write_all(text.as_bytes()).await.expect("sent");
        let _ = wire.write_all(asked.body.as_bytes()).await;
        wire
    }

    /// Whether what is shown here now is trusted.
    pub(super) async fn trusts(&self) -> bool {
        self.try_connect().await.is_ok()
    }

    async fn connect(&self) -> Box<dyn Wire> {
        let wire = self.try_connect().await;
        wire.expect("a certificate that is trusted")
    }

    async fn try_connect(&self) -> std::io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
        let stream = stream.expect("somebody listens");
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        })
    }
}

/// Lines that come one by one, in chunks of HTTP.
pub(super) struct Lines(BufReader<Box<dyn Wire>>);

impl Lines {
    /// The next document; null at the end.
    pub(super) async fn next(&mut self) -> Value {
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return Value::Null;
            }
            // Between them stand the lengths of chunks.
            if line.starts_with('{') {
                return serde_json::from_str(&line).expect("JSON");
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("text");
        line
    }
}
