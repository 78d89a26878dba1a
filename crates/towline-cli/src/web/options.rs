//! Where the device is served to browsers, as people say it, and which of that is refused.
//!
//! Without a word it is this computer alone, if the usual port or another one is free. Any other address is open to
//! whoever reaches it, so it takes both a certificate and a password.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use signal_server::shell::TlsFiles;

use super::WebError;

/// The port for browsers on this computer: 41642, beside the one for peers in our examples. A fixed one lets a
/// tab find the device again after a restart, and a person forward it.
const PORT: u16 = 41642;

/// How browsers reach the device.
#[derive(Debug, Args)]
pub(crate) struct WebOptions {
    /// Where to serve the window's pages to browsers, and the API that they use. Beyond this computer, like
    /// 0.0.0.0:41642, only with --web-cert, --web-key and --web-password-file
    /// [default: 127.0.0.1:41642, or another port if that is taken].
    #[arg(long, env = "TOWLINE_WEB", value_name = "ADDRESS")]
    web: Option<SocketAddr>,
    /// Serve nothing to browsers.
    #[arg(long, env = "TOWLINE_NO_WEB", value_parser = FalseyValueParser::new())]
    no_web: bool,
    /// The certificate (PEM) with which browsers are served, then those that lead to an authority.
    #[arg(long, env = "TOWLINE_WEB_CERT", value_name = "FILE")]
    web_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "TOWLINE_WEB_KEY", value_name = "FILE")]
    web_key: Option<PathBuf>,
    /// A file with a password that opens the device in a browser, of 12 characters or more; nobody but its owner may read it.
    #[arg(long, env = "TOWLINE_WEB_PASSWORD_FILE", value_name = "FILE")]
    web_password_file: Option<PathBuf>,
}

/// What they mean together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing is served.
    Nothing,
    /// It is served, at one of these addresses, the first that is free.
    Served {
        at: Where,
        tls: Option<TlsFiles>,
        password: Option<PathBuf>,
    },
}

/// Where it is served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Nobody has said where: on this computer, if that is possible.
    Usual([SocketAddr; 2]),
    /// There and nowhere else.
    Named(SocketAddr),
}

impl WebOptions {
    /// Refuses what would open the device to strangers.
    pub(super) fn wish(self) -> Result<Wish, WebError> {
        if self.no_web {
            return Ok(Wish::Nothing);
        }
        let tls = match (self.web_cert, self.web_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(WebError::HalfTls),
        };
        let password = self.web_password_file;
        let at = match self.web {
            None => {
                let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
                Where::Usual([PORT, 0].map(|port| SocketAddr::new(here, port)))
            }
            Some(address) if address.ip().is_loopback() => Where::Named(address),
            Some(address) if tls.is_none() || password.is_none() => {
                return Err(WebError::Open(address));
            }
            Some(address) => Where::Named(address),
        };
        Ok(Wish::Served { at, tls, password })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        web: WebOptions,
    }

    fn options(words: &[&str]) -> WebOptions {
        let line = [&["towline"], words].concat();
        Line::try_parse_from(line).expect("words of ours").web
    }

    fn wish(words: &[&str]) -> Result<Wish, WebError> {
        options(words).wish()
    }

    #[test]
    fn this_computer_needs_nothing() {
        let usual = wish(&[]).unwrap();
        assert!(matches!(
            usual,
            Wish::Served { at: Where::Usual([first, _]), .. } if first.port() == PORT && first.ip().is_loopback()
        ));
        assert!(wish(&["--web", "127.0.0.1:0"]).is_ok());
        assert!(wish(&["--web", "[::1]:4711"]).is_ok());
        assert_eq!(wish(&["--no-web"]).unwrap(), Wish::Nothing);
    }

    #[test]
    fn any_other_address_needs_tls_and_a_password() {
        let tls = ["--web-cert", "c", "--web-key", "k"];
        let password = ["--web-password-file", "p"];
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.7:1", "[::ffff:127.0.0.1]:1"] {
            let at = ["--web", address];
            for too_little in [
                at.to_vec(),
                [&at[..], &tls].concat(),
                [&at[..], &password].concat(),
            ] {
                assert!(
                    matches!(wish(&too_little), Err(WebError::Open(_))),
                    "{too_little:?}"
                );
            }
            assert!(
                wish(&[&at[..], &tls, &password].concat()).is_ok(),
                "{address}"
            );
        }
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        assert!(matches!(wish(&["--web-cert", "c"]), Err(WebError::HalfTls)));
        assert!(matches!(wish(&["--web-key", "k"]), Err(WebError::HalfTls)));
    }
}
