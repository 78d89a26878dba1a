//! What a release is built with, and that nobody builds one without it.
//!
//! The key that signs updates, the place where they lie and the signal server for everybody are settings of whoever
//! publishes; the repository has none of them. They come by the environment, and a release is not built while one
//! is missing, is a placeholder, or cannot be what it should be. See `docs/RELEASE.md`.

use std::env;

use anyhow::{Result, bail};
use data_encoding::BASE64;

use crate::steps::Ending;

/// Holds that this build has everything that a release needs.
pub(super) fn settings() -> Result<Ending> {
    let faults = faults(|name| env::var(name).ok());
    if faults.is_empty() {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        return Ok(Ending::Passed(names.join(", ")));
    }
    bail!("no release can be built: {}", faults.join("; "))
}

/// A setting of a release.
struct Setting {
    name: &'static str,
    /// Why a text cannot be one.
    fault: fn(&str) -> Option<&'static str>,
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "TOWLINE_UPDATE_URL",
        fault: |text| {
            let is_https = text.starts_with("https://");
            (!is_https || !text.contains("{channel}"))
                .then_some("is no https:// address with {channel}")
        },
    },
    Setting {
        name: "TOWLINE_UPDATE_KEY",
        fault: |text| (!is_public_key(text)).then_some("is no public key of minisign in base64"),
    },
    Setting {
        name: "TOWLINE_DEFAULT_SERVER",
        fault: |text| (!text.starts_with("wss://")).then_some("is no wss:// address"),
    },
];

fn faults(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let fault = |setting: &Setting| {
        let text = variable(setting.name).unwrap_or_default();
        let text = text.trim();
        let why = if text.is_empty() {
            Some("is not set")
        } else if is_placeholder(text) {
            Some("is a placeholder")
        } else {
            (setting.fault)(text)
        };
        why.map(|why| format!("{} {why}", setting.name))
    };
    SETTINGS.iter().filter_map(fault).collect()
}

/// Whether somebody has left in it what stood in a description.
fn is_placeholder(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let marks = ["placeholder", "changeme", "todo", "owner/repo"];
    // Names that the world has set aside for descriptions (RFC 2606, RFC 6761), and this computer.
    let hosts = [
        ".example",
        "example.",
        ".invalid",
        ".test",
        "localhost",
        "127.0.0.1",
        "[::1]",
    ];
    marks.iter().chain(&hosts).any(|mark| text.contains(mark))
}

/// Whether it is the base64 of a file of minisign that holds a public key, as `cargo xtask release-key` prints it.
fn is_public_key(text: &str) -> bool {
    let file = BASE64.decode(text.as_bytes()).ok();
    let file = file.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = file.as_deref().and_then(|file| file.lines().nth(1));
    let key = key.and_then(|key| BASE64.decode(key.as_bytes()).ok());
    // Two letters for the algorithm, eight bytes for the id, and the key.
    key.is_some_and(|key| key.len() == 42 && key.starts_with(b"Ed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that looks like one; nobody has its other half.
    fn key() -> String {
        let key = BASE64.encode(&[b"Ed", &[7; 40][..]].concat());
        BASE64.encode(format!("untrusted comment: minisign public key\n{key}\n").as_bytes())
    }

    fn faults_of(url: &str, key: &str, server: &str) -> Vec<String> {
        faults(|name| {
            Some(match name {
                "TOWLINE_UPDATE_URL" => url.to_owned(),
                "TOWLINE_UPDATE_KEY" => key.to_owned(),
                _ => server.to_owned(),
            })
        })
    }

    const URL: &str = "https://updates.towline.dev/{channel}/latest.json";
    const SERVER: &str = "wss://meet.towline.dev/ws";

    #[test]
    fn a_release_needs_all_three() {
        assert_eq!(faults_of(URL, &key(), SERVER), [""; 0]);
        let none = faults(|_| None);
        assert_eq!(none.len(), 3);
        assert!(none.iter().all(|fault| fault.ends_with("is not set")));
    }

    #[test]
    fn placeholders_are_no_settings() {
        for (url, key, server) in [
            ("https://updates.example.org/{channel}.json", key(), SERVER),
            (
                "https://github.com/OWNER/REPO/{channel}.json",
                key(),
                SERVER,
            ),
            (URL, "PLACEHOLDER".to_owned(), SERVER),
            (URL, key(), "wss://signal.example.org/ws"),
            (URL, key(), "wss://127.0.0.1/ws"),
            ("http://updates.towline.dev/{channel}.json", key(), SERVER),
            ("https://updates.towline.dev/latest.json", key(), SERVER),
            (URL, BASE64.encode(b"untrusted comment: x\nAAAA\n"), SERVER),
            (URL, key(), "ws://meet.towline.dev/ws"),
            (URL, key(), " "),
        ] {
            assert_eq!(
                faults_of(url, &key, server).len(),
                1,
                "{url} {key} {server}"
            );
        }
    }
}
