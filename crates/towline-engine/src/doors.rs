//! Every decoder of the engine's own, by name, for fuzzing; not part of the product.
//!
//! Probes and answers of STUN servers come from anybody on the network; answers of proxies from whoever stands in their place;
//! lines on the local socket from
//! programs of this user; markers, ages, names of versions, settings and the port from a disk that anything may have
//! written to. The doors themselves stand beside their decoders.

#[path = "../../fuzz/src/door.rs"]
mod door;

use crate::{disk, local, network, port, settings_file};

pub use door::Door;

/// All doors of this crate.
pub const DOORS: &[Door] = &[
    Door {
        name: "probe",
        seeds: || vec![vec![1; 27], vec![2; 27]],
        enter: network::enter_probe,
    },
    Door {
        name: "stun",
        seeds: network::stun_seeds,
        enter: network::enter_stun,
    },
    Door {
        name: "proxy_answer",
        seeds: proxy_seeds,
        enter: network::enter_proxy_answer,
    },
    Door {
        name: "settings_file",
        seeds: settings_seeds,
        enter: settings_file::enter,
    },
    Door {
        name: "local_line",
        seeds: local_seeds,
        enter: local::enter_line,
    },
    Door {
        name: "version_names",
        seeds: names_seeds,
        enter: disk::enter_names,
    },
    Door {
        name: "small_files",
        seeds: small_seeds,
        enter: |bytes| {
            disk::enter_notes(bytes);
            port::enter(bytes);
        },
    },
];

fn proxy_seeds() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nshort",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn settings_seeds() -> Vec<Vec<u8>> {
    [
        "servers = [\"wss://meet.example/ws\"]\nproxy = \"socks5://p:1\"\nudp_port = 4000\n",
        "# none\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn local_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"id":1,"call":"view"}"#,
        r#"{"id":2,"call":"watch"}"#,
        r#"{"id":3,"call":"command","command":"join","code":"ABC-DEF"}"#,
        r#"{"id":3,"error":{"code":"locked","detail":"x"}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn names_seeds() -> Vec<Vec<u8>> {
    let line = r#"{"number":7,"kept":1795824060634706632,"since":1795824060,"path":"a/b"}"#;
    vec![format!("{line}\n{line}\n").into_bytes()]
}

fn small_seeds() -> Vec<Vec<u8>> {
    [
        "towline age 1\n0000000000000abc\n17\n",
        "towline folder 1\nabababababababababababababababab\n",
        "4321\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_door_breaks_under_changed_seeds() {
        door::knock(DOORS);
    }
}
