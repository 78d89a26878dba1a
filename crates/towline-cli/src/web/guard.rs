//! What a request must look like before anything is done for it, and what every answer says to browsers.
//!
//! A browser will carry requests here for any page that a person has open. So the name by which we are asked must
//! be ours (a stranger's name that was pointed here, DNS rebinding, is not), what asks the API must be a page of ours,
//! and nobody may frame or embed us. No answer sets a cookie or allows another origin anything.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Json};
use rustls::pki_types::{CertificateDer, ServerName};
use signal_server::shell::Tls;
use towline_engine::ViewError;
use webpki::EndEntityCert;

/// Where we are, as browsers say it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where we listen.
    pub(super) address: SocketAddr,
    /// With TLS the names are those of its certificate, also of one that comes later; without it they are the names
    /// of this computer for itself.
    pub(super) tls: Option<Arc<Tls>>,
}

impl Place {
    /// The URL of the first page.
    pub(super) fn base(&self) -> String {
        let scheme = self.scheme();
        let name = self.tls.as_ref().and_then(|tls| name_of(&tls.leaf()));
        match name {
            Some(name) => format!("{scheme}://{name}:{}/", self.address.port()),
            None => format!("{scheme}://{}/", self.address),
        }
    }

    /// The scheme of our URLs.
    const fn scheme(&self) -> &'static str {
        match self.tls {
            None => "http",
            Some(_) => "https",
        }
    }

    /// Whether this `Host` is ours: one of our names, and our port.
    fn is_ours(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        let usual = match self.tls {
            None => 80,
            Some(_) => 443,
        };
        // An authority may hold a user, which a `Host` never does.
        if host.contains('@') || authority.port_u16().unwrap_or(usual) != self.address.port() {
            return false;
        }
        let name = authority.host();
        match &self.tls {
            None => {
                ["127.0.0.1", "[::1]"].contains(&name) || name.eq_ignore_ascii_case("localhost")
            }
            Some(tls) => is_valid_for(&tls.leaf(), name),
        }
    }
}

/// A name for which the certificate is valid and that a link can hold, if it has one.
fn name_of(leaf: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut names = certificate.valid_dns_names();
    names.find(|name| !name.starts_with('*')).map(str::to_owned)
}

/// Whether a certificate is for this name or address.
fn is_valid_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let (Ok(certificate), Ok(name)) = (
        EndEntityCert::try_from(certificate),
        ServerName::try_from(bare),
    ) else {
        return false;
    };
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

/// Lets a request through or refuses it, and says to browsers what they may do with the answer.
pub(super) async fn guard(
    State(place): State<Place>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let is_api = request.uri().path().starts_with("/api/");
    let mut answer = match judge(&place, &request, is_api) {
        Ok(()) => next.run(request).await,
        Err((status, code)) => (status, Json(ViewError::new(code))).into_response(),
    };
    let headers = answer.headers_mut();
    for (name, value) in SAID {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

fn judge(place: &Place, request: &Request, is_api: bool) -> Result<(), (StatusCode, &'static str)> {
    let headers = request.headers();
    let host = only(headers, &header::HOST).filter(|host| place.is_ours(host));
    // A request to a proxy names its host in the first line; we are none.
    let Some(host) = host.filter(|_| request.uri().authority().is_none()) else {
        return Err((StatusCode::MISDIRECTED_REQUEST, "host"));
    };
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if !is_api {
        // A person may follow a link to us from anywhere; a page may not put us into itself.
        let is_visit = headers
            .get(SEC_FETCH_MODE)
            .is_none_or(|mode| mode == "navigate")
            && headers
                .get(SEC_FETCH_DEST)
                .is_none_or(|dest| dest == "document");
        let is_own = matches!(site, None | Some(b"same-origin" | b"none"));
        return if is_own || is_visit {
            Ok(())
        } else {
            Err((StatusCode::FORBIDDEN, "origin"))
        };
    }
    let own_origin = format!("{}://{host}", place.scheme());
    let is_own_origin = match headers.contains_key(header::ORIGIN) {
        true => {
            only(headers, &header::ORIGIN).is_some_and(|it| it.eq_ignore_ascii_case(&own_origin))
        }
        // Programs that are no browser say none.
        false => true,
    };
    if !is_own_origin || !matches!(site, None | Some(b"same-origin")) {
        return Err((StatusCode::FORBIDDEN, "origin"));
    }
    // Forms of other pages can send other types without being asked about it first.
    let json = |kind: &str| kind.split(';').next().map(str::trim) == Some("application/json");
    if request.method() == Method::POST && !only(headers, &header::CONTENT_TYPE).is_some_and(json) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type"));
    }
    Ok(())
}

/// A header that stands there once, as text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    value.to_str().ok().filter(|_| values.next().is_none())
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What every answer says. Styles may stand in the page, because components set sizes and positions there; scripts
/// may not.
const SAID: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::tests::certify;
    use super::*;

    #[test]
    fn only_names_of_this_computer_with_the_port_are_ours() {
        let place = Place {
            address: ([127, 0, 0, 1], 4711).into(),
            tls: None,
        };
        for host in [
            "127.0.0.1:4711",
            "localhost:4711",
            "LocalHost:4711",
            "[::1]:4711",
        ] {
            assert!(place.is_ours(host), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.2:4711",
            "evil.example:4711",
            "localhost.evil.example:4711",
            "localhost@evil.example:4711",
            "evil@localhost:4711",
            "127.0.0.1.:4711",
        ] {
            assert!(!place.is_ours(host), "{host}");
        }
    }

    // Files are watched in a runtime.
    #[tokio::test]
    async fn with_a_certificate_its_names_are_ours() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["nas.example", "*.home.example", "192.0.2.7"];
        let (files, _) = certify(directory.path(), &names);
        let (tls, _) = Tls::open(files).unwrap();
        let place = Place {
            address: ([0, 0, 0, 0], 443).into(),
            tls: Some(tls),
        };
        for host in [
            "nas.example",
            "nas.example:443",
            "attic.home.example",
            "192.0.2.7",
        ] {
            assert!(place.is_ours(host), "{host}");
        }
        for host in [
            "nas.example:8443",
            "evil.example",
            "192.0.2.8",
            "localhost",
            "home.example",
        ] {
            assert!(!place.is_ours(host), "{host}");
        }
    }
}
