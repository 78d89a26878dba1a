//! Words for what the doctor finds: what it is, and what to do where it could be better.

use bytesize::ByteSize;
use towline_engine::view::{Finding, KeyPlace, MappingView, MdnsStateView, OutsideView};

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
        Finding::PortMapping { external, asked } => port_mapping(external.as_deref(), *asked),
        Finding::LanOnly => (
            "this device stays within the local network, so nothing beyond it was looked at"
                .to_owned(),
            None,
        ),
        Finding::Mdns {
            state,
            neighbours,
            codes,
        } => mdns(*state, *neighbours, *codes),
        Finding::Clock { ahead_s } => clock(*ahead_s),
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
            todo("Devices on other networks are found through one: `towline servers add URL`."),
        ),
        "online" => (format!("the signal server {url} is online"), None),
        "connecting" => (
            format!("the signal server {url} is being connected to"),
            todo("Ask again in some seconds."),
        ),
        fault => (
            format!("the signal server {url} {}", fault_of_server(fault)),
            match fault {
                "certificate" => todo(
                    "Look at this computer's clock too: with a wrong one no certificate seems valid.",
                ),
                "closed" => todo("It is tried again; if that goes on, ask its administrator."),
                _ => None,
            },
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

fn port_mapping(external: Option<&str>, asked: bool) -> (String, Option<String>) {
    match external {
        None if !asked => (
            "the router is not asked for a port: somebody has switched that off".to_owned(),
            todo("Start without DISABLE_PORT_MAPPING and --no-port-mapping, if it may be asked."),
        ),
        Some(external) => (format!("the router leads {external} to this device"), None),
        None => (
            "the router gives no port on demand".to_owned(),
            todo("If it can, allow UPnP, NAT-PMP or PCP in its settings."),
        ),
    }
}

fn mdns(state: MdnsStateView, neighbours: u32, codes: u32) -> (String, Option<String>) {
    let others = match neighbours {
        0 => "no other device is heard of".to_owned(),
        1 => "one other device is heard of".to_owned(),
        many => format!("{many} other devices are heard of"),
    };
    let others = match codes {
        0 => others,
        1 => format!("{others}; one shows a code"),
        many => format!("{others}; {many} show a code"),
    };
    match state {
        MdnsStateView::Off => (
            "this device is not announced on the local network (mDNS)".to_owned(),
            todo(
                "That is what DISABLE_MDNS or --no-mdns says. Devices nearby then meet through the server only; start without it to change that.",
            ),
        ),
        MdnsStateView::Heard => (
            format!("announcements on the local network (mDNS) work; {others}"),
            None,
        ),
        MdnsStateView::Waiting => (
            format!("announced on the local network (mDNS) a moment ago; {others}"),
            todo("Ask again in some seconds."),
        ),
        MdnsStateView::Silent => (
            format!(
                "this device's announcement on the local network (mDNS) does not come back; {others}"
            ),
            todo(
                "No network is up, or a firewall of this computer drops it: let UDP port 5353 in and out, and multicast to 224.0.0.251 and ff02::fb.",
            ),
        ),
        MdnsStateView::PortTaken => (
            "another program keeps UDP port 5353 for itself, so devices nearby are not found (mDNS)"
                .to_owned(),
            todo(
                "`ss -ulpn sport = :5353` names it. End it, or let it share the port (avahi: disallow-other-stacks=no), and start Towline again.",
            ),
        ),
    }
}

fn clock(ahead_s: Option<i64>) -> (String, Option<String>) {
    let Some(ahead) = ahead_s else {
        return (
            "whether the clock is right is not known: no signal server has told its time"
                .to_owned(),
            todo("It is compared as soon as a server answers."),
        );
    };
    let seconds = ahead.unsigned_abs();
    if seconds <= 60 {
        let agrees = "the clock agrees with the signal server's, within a minute";
        return (agrees.to_owned(), None);
    }
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    let off = match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    (
        format!("the clock is {off} {way} the signal server's"),
        todo(
            "When a file was changed on two computers, the later time keeps its name: with a wrong clock that is the wrong one, and certificates may seem invalid. Set it, or let the system do it (`timedatectl set-ntp true`).",
        ),
    )
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
