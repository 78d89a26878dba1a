//! The page at `/`, for a person who opens the server in a browser: what this is, how it stands, and what to type
//! on a device. It loads nothing and runs nothing.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use towline_wire::signal::HostName;

use super::access::AccessKind;

/// What the page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told<'a> {
    /// How the server stands, in a word.
    pub(super) standing: &'static str,
    /// Whether the browser speaks TLS, with us or with a proxy of ours.
    pub(super) transport: Transport,
    /// Whether devices need a token, or to be on a list.
    pub(super) access: AccessKind,
    /// `Host`, as the browser has it.
    pub(super) host: Option<&'a str>,
}

/// How the browser reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

impl Transport {
    /// What the browser speaks, by the word of a proxy that is believed.
    pub(super) fn forwarded(headers: &HeaderMap) -> Option<Self> {
        let proto = headers.get("x-forwarded-proto")?.to_str().ok()?;
        match proto {
            "https" | "wss" => Some(Self::Tls),
            _ => None,
        }
    }
}

/// The page.
pub(super) fn page(told: Told<'_>) -> Response {
    let text = written(told);
    let mut response = Html(text).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        BASE64.encode(&Sha256::digest(STYLE))
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn written(told: Told<'_>) -> String {
    let scheme = match told.transport {
        Transport::Plain => "ws",
        Transport::Tls => "wss",
    };
    let host = told
        .host
        .and_then(place)
        .unwrap_or_else(|| "HOST".to_owned());
    let (token, note) = match told.access {
        AccessKind::Open => ("", "Anybody may use this server."),
        AccessKind::Tokens => (
            "TOKEN@",
            "This server asks for an access token. Its administrator gives it out; put it in the place of TOKEN.",
        ),
        AccessKind::Devices => (
            "",
            "This server is for devices on its administrator\u{2019}s list. Tell them your device\u{2019}s id, which <code>towline \
             status</code> shows.",
        ),
    };
    let (version, standing) = (env!("CARGO_PKG_VERSION"), told.standing);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Towline signal server</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Towline signal server</h1>\n\
         <p>This server introduces devices that run Towline to each other, and passes on what it cannot read where they \
         have no direct way. It keeps no files and no names of files.</p>\n\
         <dl>\n<dt>Version</dt><dd>{version}</dd>\n<dt>State</dt><dd>{standing}</dd>\n</dl>\n\
         <h2>Use it</h2>\n\
         <p>Start Towline on each of your devices with this server\u{2019}s address:</p>\n\
         <pre><code>towline up --server {scheme}://{token}{host}/ws</code></pre>\n\
         <p>Or set it once for the app and the command line, in the file <code>config.toml</code> of the device\u{2019}s \
         home:</p>\n\
         <pre><code>servers = [\"{scheme}://{token}{host}/ws\"]</code></pre>\n\
         <p>{note}</p>\n\
         <p>For machines: <a href=\"/health\">health</a>, <a href=\"/ready\">ready</a>, <a href=\"/version\">version</a>.</p>\n\
         </main>\n</body>\n</html>\n"
    )
}

/// The host and port in a `Host` header, if it is nothing but that. Whoever asks wrote it, so that only characters
/// of a name, an address and a port come back.
fn place(host: &str) -> Option<String> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse::<u16>().ok()?)),
        Some(_) | None => (host, None),
    };
    let is_address = name.starts_with('[');
    let name = HostName::parse(name)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
    if !name.as_str().bytes().all(plain) {
        return None;
    }
    let name = if is_address {
        format!("[{name}]")
    } else {
        name.to_string()
    };
    Some(match port {
        Some(port) => format!("{name}:{port}"),
        None => name,
    })
}

const STYLE: &str = ":root{color-scheme:light dark;font-family:system-ui,sans-serif;line-height:1.5}\
main{max-width:40rem;margin:3rem auto;padding:0 1rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}\
dd{margin:0}pre{padding:.75rem;border:1px solid GrayText;border-radius:.25rem;overflow-x:auto}";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn told(host: Option<&str>) -> Told<'_> {
        Told {
            standing: "ready",
            transport: Transport::Tls,
            access: AccessKind::Tokens,
            host,
        }
    }

    #[test]
    fn the_page_names_the_address_that_the_browser_has() {
        for (host, url) in [
            (Some("Meet.Example"), "wss://TOKEN@meet.example/ws"),
            (
                Some("meet.example:8443"),
                "wss://TOKEN@meet.example:8443/ws",
            ),
            (
                Some("[2001:db8::1]:8443"),
                "wss://TOKEN@[2001:db8::1]:8443/ws",
            ),
            (Some("[2001:db8::1]"), "wss://TOKEN@[2001:db8::1]/ws"),
            (None, "wss://TOKEN@HOST/ws"),
        ] {
            let text = written(told(host));
            assert_eq!(text.matches(url).count(), 2, "{host:?}: {text}");
        }
    }

    #[test]
    fn nothing_that_a_stranger_writes_comes_back_as_a_page() {
        for host in [
            "<script>alert(1)</script>",
            "a\"onload=\"x",
            "a&lt;b",
            "a'b",
            "a/b",
            "a:80<b>",
        ] {
            let text = written(told(Some(host)));
            assert!(text.contains("TOKEN@HOST/ws"), "{host}: {text}");
        }
    }

    #[test]
    fn the_page_loads_and_runs_nothing() {
        let response = page(told(None));
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let text = written(told(None));
        for word in ["<script", "http:", "https:", "src=", "url("] {
            assert!(!text.contains(word), "{word}");
        }
    }
}
