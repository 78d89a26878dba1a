//! Proxies between this device and its signal servers: which one a connection takes, and the tunnel
//! through it.
//!
//! HTTP proxies are asked by `CONNECT` (RFC 9110, section 9.3.6) with Basic credentials, SOCKS5 ones by
//! RFC 1928 and 1929. The proxy resolves the server's name, so a network in which only the proxy knows
//! names works, and nobody else hears the name. What a proxy says is hostile: its answer is bounded, and
//! every step lies within the deadline of the connection.
//!
//! A proxy that is named is never passed by: where it does not lead there is no connection. Credentials
//! leave this module only towards the proxy.

use std::fmt;

use data_encoding::BASE64;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::Socks5Stream;
use towline_wire::server_url::ServerUrl;
use url::Url;
use zeroize::Zeroizing;

/// Longest answer to `CONNECT` in bytes: 8 KiB, as web servers bound the head of a request. Proxies that
/// ask for credentials send a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Most header lines of that answer: 64.
const ANSWER_HEADERS_MAX: usize = 64;

/// Longest user name and password in bytes: 255 each, the length byte of SOCKS5.
const CREDENTIAL_BYTES_MAX: usize = 255;

/// Which proxy leads to which server.
pub(crate) struct Proxies {
    secure: Option<Proxy>,
    plain: Option<Proxy>,
    /// Whether servers on this computer are reached without.
    at_home: AtHome,
    /// Knows to which hosts no proxy leads.
    exceptions: Matcher,
}

/// How servers on this computer are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtHome {
    /// Straight: whoever named a proxy for everything meant the world outside.
    Direct,
    /// As others: the proxy was named for Towline.
    AsOthers,
}

/// One proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    kind: Kind,
    /// Without brackets.
    host: String,
    port: u16,
    login: Option<Login>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

#[derive(Clone)]
struct Login {
    user: String,
    password: Zeroizing<String>,
}

/// What is named as a proxy is none. The text itself may hold a password and is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{source_name} names no proxy that Towline can use; it looks like http://proxy.example:8080 or socks5://user:password@proxy.example:1080"
)]
pub struct ProxyError {
    /// Who named it: a variable of the environment, or the setting.
    source_name: String,
}

/// Why a proxy does not lead to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProxyFault {
    /// The proxy itself cannot be reached.
    #[error("the proxy cannot be reached")]
    Unreachable,
    /// It wants other credentials.
    #[error("the proxy does not take the credentials")]
    Login,
    /// It does not lead there, by its rules.
    #[error("the proxy refuses to connect there")]
    Refused,
    /// It cannot reach the server.
    #[error("the proxy cannot reach the server")]
    Target,
    /// What answers is no proxy of this kind.
    #[error("not a proxy of this kind")]
    Protocol,
}

/// No proxy at all.
impl Default for Proxies {
    fn default() -> Self {
        Self {
            secure: None,
            plain: None,
            at_home: AtHome::Direct,
            exceptions: Matcher::builder().build(),
        }
    }
}

impl Proxies {
    /// The proxy that a setting names (none, when it is empty); without a setting those of the variables
    /// that all programs take: `HTTPS_PROXY`, `HTTP_PROXY` for servers without encryption, `ALL_PROXY` for
    /// both. `NO_PROXY` names the exceptions either way. Names in lower case go first, as with curl.
    pub(crate) fn of(
        setting: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProxyError> {
        let either = |name: &str| {
            let lower = name.to_ascii_lowercase();
            let value = variable(&lower).map(|value| (lower, value));
            value.or_else(|| Some((name.to_owned(), variable(name)?)))
        };
        let first = |names: [&str; 2]| {
            let found = names.into_iter().find_map(either);
            let (name, value) = found.unwrap_or_default();
            parse(&value, &name)
        };
        let (secure, plain, at_home) = match setting {
            Some(value) => {
                let proxy = parse(value, "the setting `proxy`")?;
                (proxy.clone(), proxy, AtHome::AsOthers)
            }
            None => (
                first(["HTTPS_PROXY", "ALL_PROXY"])?,
                first(["HTTP_PROXY", "ALL_PROXY"])?,
                AtHome::Direct,
            ),
        };
        let no = either("NO_PROXY").map_or_else(String::new, |(_, value)| value);
        Ok(Self {
            secure,
            plain,
            at_home,
            // Whatever it would lead to: only whether it leads anywhere is asked.
            exceptions: Matcher::builder().all("http://any").no(no).build(),
        })
    }

    /// The proxy that leads to this server, if one must.
    pub(super) fn towards(&self, server: &ServerUrl) -> Option<&Proxy> {
        let proxy = if server.is_secure() {
            self.secure.as_ref()
        } else {
            self.plain.as_ref()
        };
        if self.at_home == AtHome::Direct && server.is_loopback() {
            return None;
        }
        let asked = format!("http://{}", server.host()).parse().ok();
        let leads = asked.is_none_or(|uri| self.exceptions.intercept(&uri).is_some());
        proxy.filter(|_| leads)
    }

    /// The proxy that leads to this server, for people to read: without credentials.
    pub(crate) fn name_towards(&self, server: &ServerUrl) -> Option<String> {
        self.towards(server).map(Proxy::to_string)
    }
}

impl Proxy {
    /// Connects to `host`, with brackets when it is an IPv6 address.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ProxyFault> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|_| ProxyFault::Unreachable)?;
        match self.kind {
            Kind::Http => self.tunnel(stream, host, port).await,
            Kind::Socks5 => self.pass_socks(stream, host, port).await,
        }
    }

    async fn tunnel(
        &self,
        mut stream: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, ProxyFault> {
        let mut request = Zeroizing::new(format!(
            "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        ));
        if let Some(login) = &self.login {
            let both = Zeroizing::new(format!("{}:{}", login.user, login.password.as_str()));
            let both = Zeroizing::new(BASE64.encode(both.as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&both);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let lost = |_| ProxyFault::Unreachable;
        stream.write_all(request.as_bytes()).await.map_err(lost)?;
        let mut answer = Vec::with_capacity(512);
        loop {
            let room = ANSWER_BYTES_MAX - answer.len();
            if room == 0 {
                return Err(ProxyFault::Protocol);
            }
            let mut some = (&mut stream).take(room as u64);
            if some.read_buf(&mut answer).await.map_err(lost)? == 0 {
                return Err(ProxyFault::Protocol);
            }
            if let Some(code) = answered(&answer)? {
                return judge(code).map(|()| stream);
            }
        }
    }

    async fn pass_socks(
        &self,
        stream: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, ProxyFault> {
        let target = (bare(host), port);
        let passed = match &self.login {
            Some(Login { user, password }) => {
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
            None => Socks5Stream::connect_with_socket(stream, target).await,
        };
        passed
            .map(Socks5Stream::into_inner)
            .map_err(|error| socks_fault(&error))
    }
}

/// The status of an answer to `CONNECT`, once its head is there.
fn answered(answer: &[u8]) -> Result<Option<u16>, ProxyFault> {
    let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(answer) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => {
            let code = response.code.ok_or(ProxyFault::Protocol)?;
            // Behind a tunnel we speak first; what comes before that is not the server's.
            let early = (200..300).contains(&code) && length != answer.len();
            (!early).then_some(Some(code)).ok_or(ProxyFault::Protocol)
        }
        Err(_) => Err(ProxyFault::Protocol),
    }
}

/// Takes what a proxy may answer.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    if let Ok(Some(code)) = answered(bytes) {
        let _told = judge(code);
    }
}

const fn judge(code: u16) -> Result<(), ProxyFault> {
    match code {
        200..300 => Ok(()),
        // tinyproxy says 401 to credentials that are wrong.
        401 | 407 => Err(ProxyFault::Login),
        400..500 => Err(ProxyFault::Refused),
        500..600 => Err(ProxyFault::Target),
        _ => Err(ProxyFault::Protocol),
    }
}

fn socks_fault(error: &SocksError) -> ProxyFault {
    match error {
        SocksError::NoAcceptableAuthMethods
        | SocksError::PasswordAuthFailure(_)
        | SocksError::InvalidAuthValues(_)
        | SocksError::AuthorizationRequired => ProxyFault::Login,
        SocksError::ConnectionNotAllowedByRuleset
        | SocksError::CommandNotSupported
        | SocksError::AddressTypeNotSupported => ProxyFault::Refused,
        SocksError::GeneralSocksServerFailure
        | SocksError::NetworkUnreachable
        | SocksError::HostUnreachable
        | SocksError::ConnectionRefused
        | SocksError::TtlExpired => ProxyFault::Target,
        SocksError::Io(_) | SocksError::ProxyServerUnreachable => ProxyFault::Unreachable,
        SocksError::ParseError(_)
        | SocksError::InvalidTargetAddress(_)
        | SocksError::UnknownError
        | SocksError::InvalidReservedByte
        | SocksError::UnknownAddressType
        | SocksError::UnknownAuthMethod
        | SocksError::InvalidResponseVersion
        | SocksError::IdentdAuthFailure
        | SocksError::InvalidUserIdAuthFailure => ProxyFault::Protocol,
    }
}

/// Reads what `source_name` names; nothing there is no proxy.
fn parse(text: &str, source_name: &str) -> Result<Option<Proxy>, ProxyError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let proxy = if text.contains("://") {
        Proxy::parse(text)
    } else {
        Proxy::parse(&format!("http://{text}"))
    };
    let error = || ProxyError {
        source_name: source_name.to_owned(),
    };
    proxy.map(Some).ok_or_else(error)
}

impl Proxy {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            // Either way the proxy resolves names: that is what it is there for.
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return None,
        };
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
        let host = url.host_str().filter(|host| !host.is_empty() && is_bare)?;
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
            let fits = text.len() <= CREDENTIAL_BYTES_MAX && !text.chars().any(char::is_control);
            fits.then_some(text)
        };
        let (user, password) = (url.username(), url.password());
        let login = if user.is_empty() && password.is_none() {
            None
        } else {
            let user = decoded(user).filter(|user| !user.is_empty() && !user.contains(':'))?;
            let password = Zeroizing::new(decoded(password.unwrap_or_default())?);
            Some(Login { user, password })
        };
        Some(Self {
            kind,
            host: bare(host).to_owned(),
            port: url.port().unwrap_or(default_port),
            login,
        })
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Without credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("secure", &self.secure)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
