//! Words for what the doctor finds: what it is, and what to do where it could be better.

use bytesize::ByteSize;
use towline_engine::view::{Finding, KeyPlace, MappingView, OutsideView};

use super::{fault_of_root, fault_of_server, turn_server};
use crate::plain::plain;

/// What was found, and what to do if that is not fine.
pub(crate) fn finding(finding: &Finding) -> (String, Option<String>) {
    match finding {
        Finding::Server { url, state } => server(url.as_deref(), state),
        Finding::Udp { outside } => udp(*outside),
        Finding::Nat {
            mapping,
            translates,
        } => nat(*mapping, *translates),
        Finding::PortMapping { external } => port_mapping(external.as_deref()),
        Finding::Turn { turn } => (
            turn_server(turn),
            todo(
                "It is needed where two routers let nothing in; the signal server relays meanwhile.",
            ),
        ),
        Finding::Paths { connected, relayed } => paths(*connected, *relayed),
        Finding::Keyring { place } => keyring(*place),
        Finding::Disk {
            place,
            available,
            total,
        } => (
            format!(
                "{}: {} of {} are free",
                plain(place),
                ByteSize(*available).display().si(),
                ByteSize(*total).display().si()
            ),
            todo("Make room: files are written beside the old ones before they replace them."),
        ),
        Finding::DiskUnknown { place } => (
            format!("{}: the disk does not tell its room", plain(place)),
            todo("Look whether it is there and readable."),
        ),
        Finding::Watches { directories, limit } => (
            format!("{directories} directories to watch; the system allows {limit}"),
            todo(
                "Raise it (`sysctl fs.inotify.max_user_watches=524288`), or changes are only found by looking through everything.",
            ),
        ),
        Finding::Folder { label, fault } => (
            format!("folder {}: {}", plain(label), fault_of_root(fault)),
            None,
        ),
    }
}

fn server(url: Option<&str>, state: &str) -> (String, Option<String>) {
    let url = plain(url.unwrap_or("-"));
    match state {
        "none" => (
            "no signal server is configured".to_owned(),
            todo("Devices on other networks are found through one: `towline up --server URL`."),
        ),
        "online" => (format!("the signal server {url} is online"), None),
        "connecting" => (
            format!("the signal server {url} is being connected to"),
            todo("Ask again in some seconds."),
        ),
        fault => (
            format!("the signal server {url} {}", fault_of_server(fault)),
            None,
        ),
    }
}

fn udp(outside: OutsideView) -> (String, Option<String>) {
    match outside {
        OutsideView::Seen => ("UDP goes out and comes back".to_owned(), None),
        OutsideView::Asking => (
            "whether UDP comes through is not known yet".to_owned(),
            todo("Ask again in some seconds."),
        ),
        OutsideView::NotAsked => (
            "whether UDP comes through is not known: no server with STUN has been met".to_owned(),
            todo(
                "Direct paths beyond the local network need STUN: the server's administrator sets `--stun-bind`.",
            ),
        ),
        OutsideView::Silent => (
            "UDP does not come through".to_owned(),
            todo(
                "A firewall drops it, so everything goes through the server. Ask for outgoing UDP to be allowed.",
            ),
        ),
    }
}

fn nat(mapping: MappingView, translates: Option<bool>) -> (String, Option<String>) {
    match (mapping, translates) {
        (_, Some(false)) => (
            "no router translates this device's address".to_owned(),
            None,
        ),
        (MappingView::Same, _) => (
            "the router keeps one port towards everybody: direct paths are found".to_owned(),
            None,
        ),
        (MappingView::Varies, _) => (
            "the router takes another port towards each address (symmetric NAT)".to_owned(),
            todo(
                "Direct paths take longer, and there is none to a peer behind such a router. A port that it forwards to `towline up --port` solves it.",
            ),
        ),
        (MappingView::Unknown, _) => (
            "what the router does with ports is not known: two STUN addresses are needed to see it"
                .to_owned(),
            None,
        ),
    }
}

fn port_mapping(external: Option<&str>) -> (String, Option<String>) {
    match external {
        Some(external) => (format!("the router leads {external} to this device"), None),
        None => (
            "the router gives no port on demand".to_owned(),
            todo("If it can, allow UPnP, NAT-PMP or PCP in its settings."),
        ),
    }
}

fn paths(connected: u32, relayed: u32) -> (String, Option<String>) {
    (
        format!("connected peers: {connected}; through the server: {relayed}"),
        todo("`towline network` says for each peer why."),
    )
}

fn keyring(place: KeyPlace) -> (String, Option<String>) {
    match place {
        KeyPlace::Keyring => ("the device key is in the system keyring".to_owned(), None),
        KeyPlace::File => (
            "the device key is in a file that only this user may read".to_owned(),
            todo(
                "That is right for a server. On a desktop, start a keyring (gnome-keyring, KWallet) before a device is made.",
            ),
        ),
    }
}

fn todo(words: &str) -> Option<String> {
    Some(words.to_owned())
}
