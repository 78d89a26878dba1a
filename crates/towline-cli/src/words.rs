//! Words for codes: every state and refusal of the engine, in a sentence that says what to do.

mod findings;

use std::time::{SystemTime, UNIX_EPOCH};

use towline_engine::view::{
    DiscoveryView, FolderStateView, IdentityView, LinkSightView, LinkView, ModeView, OutsideView,
    PathView, PeerView, ScopeView, ServerStateView, ServersSetByView, TurnServerView,
    TurnStateView,
};

use crate::plain::plain;

pub(crate) use findings::finding;

/// The sentence for a refused command.
pub(crate) fn refusal(code: &str, detail: Option<&str>) -> String {
    let sentence = match code {
        "name" => "a name has 1 to 64 bytes in one line; choose another",
        "place" => {
            "that is no address of a peer; it looks like nas.example:41641 or [2001:db8::7]:41641"
        }
        "places" => {
            "a peer has at most 8 addresses; remove one with `towline peers remove-address`"
        }
        "unknown_place" => "the peer has no such address; `towline peers` lists them",
        "unknown_peer" => "there is no such peer; `towline peers` lists them",
        "unknown_folder" => "there is no such folder; `towline folder list` lists them",
        "unknown_invitation" => {
            "no peer shares such a folder; `towline folder list` shows invitations"
        }
        "elsewhere" => "the code names another signal server, and this device may use only its own",
        "no_server" => {
            "no signal server is configured, and this device does not look on the local network; name one with `towline servers add`, or run `towline up` without --no-mdns"
        }
        "already_here" => {
            "this folder is on this device already; `towline folder list` shows where"
        }
        "root_missing" => "this directory does not exist; create it or name another",
        "root_not_directory" => "this is not a directory; name one",
        "root_nested" => "this directory lies in a synced folder, or holds one; name another",
        "root_wrong_marker" => {
            "this directory belongs to another synced folder (its .towline directory says so); name another"
        }
        "root_no_access" => {
            "this user may not write there; change its permissions or name another directory"
        }
        "root_read_only" => "this disk is read-only; name a directory on another",
        "code_letter" => {
            "the code holds a character that codes never have (letters without I and O, digits 2 to 9); read it again"
        }
        "code_length" => "a code has six characters, like ABC-234; read it again",
        "code_host" => "the part after @ is not a server's name; read it again",
        "link" => "this is not a Towline link, or not a whole one; copy it again",
        "id" => "this is not an id; the lists show them",
        "malformed" => "the engine does not know this command; is it of another version?",
        "path" => {
            "this is not a path in the folder; name it from the folder's top, like Letters/May.txt"
        }
        "version" => "this is not a version's name; `towline history FOLDER` lists them",
        "unknown_version" => {
            "there is no such version of this file here (any more); `towline history FOLDER PATH` lists them"
        }
        "folder_paused" => {
            "the folder's directory cannot be used now; `towline folder list` says why"
        }
        "version_directory" => "a directory lies there now; move it away first",
        "version_parent" => {
            "a directory on the way there is a file or a link now; move that away first"
        }
        "version_changing" => "the file is being changed right now; nothing was done, try again",
        "version_disk_full" => {
            "the disk is too full to keep what lies there now; nothing was changed, make room"
        }
        "version_read_only" => "the folder's disk is read-only; nothing was changed",
        "version_unwritable" | "version_unreadable" => {
            "this user may not write there; nothing was changed, look at the directory's permissions"
        }
        "version_name" | "version_kind" => "this disk cannot hold such a name; nothing was changed",
        "choice" => "one of the other versions is one of one file; name the file",
        "unknown_conflict" => {
            "there is no such conflict, or no such version of it (any more); `towline conflicts FOLDER` lists them"
        }
        "conflict_directory" => "a directory lies there now; move it away first, or keep all",
        "conflict_parent" => {
            "a directory on the way there is a file or a link now; move that away first"
        }
        "conflict_changing" => "the file is being changed right now; try again",
        "conflict_disk_full" => {
            "the disk is too full to keep what gives way; make room and try again"
        }
        "conflict_read_only" => "the folder's disk is read-only",
        "conflict_unwritable" | "conflict_unreadable" => {
            "this user may not write there; look at the directory's permissions"
        }
        "conflict_name" | "conflict_kind" => {
            "there is no room beside the file under a name that this disk can hold"
        }
        "rules_too_long" => "rules have at most 1 MiB; shorten them",
        "rules_disk_full" => "the disk is full; nothing was changed, make room",
        "rules_read_only" => "the folder's disk is read-only; nothing was changed",
        "rules_no_access" => {
            "this user may not read or write .towlineignore in the folder; look at its permissions"
        }
        "moment" => "this is no moment of the calendar",
        "restoring" => {
            "the folder is being brought back to a moment already; wait for it, or cancel it"
        }
        "mode" => {
            "only a send-only folder is overridden, and only a receive-only one reverted; `towline folder mode` chooses"
        }
        "not_braked" => "nothing of that peer waits there; `towline brake FOLDER` lists what does",
        "paused" => "the folder is paused; `towline resume` lets it go on first",
        "scope_fixed" => {
            "whoever started the device has said how far it goes (--lan-only, its config.toml or this computer's policy); change it there"
        }
        "server_url" => {
            "that is no signal server's address; it looks like wss://signal.example.org/ws"
        }
        "servers" => "a device is at three signal servers at most; remove one first",
        "servers_fixed" => {
            "whoever started the device has set its signal servers (--server, its config.toml or this computer's policy); change them there"
        }
        "setting" => "a setting is out of its range; nothing was changed",
        "no_web" => {
            "this device is not served to browsers: it was started with --no-web, or runs in a window"
        }
        "random" => "the system gives no random numbers",
        "stopping" => "the engine is stopping; start it again with `towline up`",
        other => other,
    };
    match detail {
        Some(detail) => format!("{sentence} ({detail})"),
        None => sentence.to_owned(),
    }
}

/// The sentence for a failed pairing.
pub(crate) fn pairing_failure(reason: &str) -> &str {
    match reason {
        "code_invalid" => {
            "the code is wrong or used up; make a new one with `towline pair` and try again"
        }
        "expired" => "the code is older than five minutes; make a new one with `towline pair`",
        "server_unreachable" => {
            "the signal server cannot be reached; check the network and the server's address, then try again"
        }
        "rate_limited" => "too many tries from here; wait ten minutes, then make a new code",
        "peer_gone" => "the other device went away; make a new code and try again",
        "version" => "the other device runs a version that this one cannot speak with; update both",
        "protocol" => {
            "the other device sent something unexpected; make a new code, and if it happens again update both"
        }
        "not_nearby" => {
            "no device on this network shows this code; see that both are on the same network and the code is still shown, then try again"
        }
        "several_nearby" => {
            "several devices on this network show a code with this first half, and nobody can tell which is yours; make a new one with `towline pair`"
        }
        "own_code" => "this is this device's own code; enter it on the other device",
        other => other,
    }
}

/// What a device has to do with the local network.
pub(crate) const fn local_network(scope: ScopeView, discovery: DiscoveryView) -> &'static str {
    match (scope, discovery) {
        (ScopeView::Everywhere, DiscoveryView::On) => "announced on the local network",
        (ScopeView::Everywhere, DiscoveryView::Off) => "not announced on the local network",
        (ScopeView::LocalNetwork, DiscoveryView::On) => {
            "local network only: nothing leaves it; announced there"
        }
        (ScopeView::LocalNetwork, DiscoveryView::Off) => {
            "local network only: nothing leaves it; not announced there"
        }
    }
}

/// Why there is no session with the signal server; what it is follows "the server".
fn fault_of_server(fault: &str) -> &str {
    match fault {
        "unreachable" => "cannot be reached; check the network and the address",
        "certificate" => {
            "shows a certificate that is not valid for its name; ask its administrator"
        }
        "pin" => {
            "has another key than the one that is pinned, so somebody else may be answering; ask its administrator, and if the key was changed use the server's new address"
        }
        "proxy_unreachable" => {
            "lies behind a proxy that cannot be reached; check the proxy's address"
        }
        "proxy_login" => {
            "lies behind a proxy that does not accept the user and password; check those in the proxy's address"
        }
        "proxy_refused" => {
            "lies behind a proxy that does not lead there; check that it is an HTTP or SOCKS5 proxy, or ask its administrator"
        }
        "protocol" => "is not a Towline signal server; check the address",
        "closed" => "closed the connection",
        "refused" => "does not let this device in; ask its administrator",
        "no_access" => {
            "is not for everybody; ask its administrator for an access token and put it into the server's address, as wss://TOKEN@HOST/ws, or to put this device on its list"
        }
        "bad_proof" => {
            "does not accept this device's proof; check that its address names it as it names itself, or ask its administrator"
        }
        "replaced" => {
            "is used by another computer with this device's identity; stop Towline on one of both and run `towline identity new` there"
        }
        "unacceptable" => "does not accept what this version sends; update Towline",
        other => other,
    }
}

/// There is a newer version.
pub(crate) fn newer_version(version: &str) -> String {
    format!(
        "Towline {version} is there. Update it where you had it from (your package manager, the archive), and start it again."
    )
}

/// There is none.
pub(crate) fn up_to_date(version: &str) -> String {
    format!("Towline {version} is up to date.")
}

/// How a server session stands.
pub(crate) fn server(state: &ServerStateView) -> String {
    match state {
        ServerStateView::None => "none configured".to_owned(),
        ServerStateView::Connecting => "connecting".to_owned(),
        ServerStateView::Online => "online".to_owned(),
        ServerStateView::Offline { fault, retry_at_ms } => {
            let why = fault_of_server(fault);
            format!("{why} (next try in {} s)", seconds_until(*retry_at_ms))
        }
        ServerStateView::Stopped { fault } => {
            let why = fault_of_server(fault);
            format!("{why} (not tried again by itself; stop and start Towline when that is done)")
        }
    }
}

/// That another computer has this device's key: a line, or nothing.
pub(crate) const fn own_identity(identity: IdentityView) -> &'static str {
    match identity {
        IdentityView::Single => "",
        IdentityView::Doubled => {
            "    PAUSED: another computer uses this device's identity, and nothing is synced until that ends. On one of both: `towline stop`, `towline identity new`, and start it again; then stop and start the other one\n"
        }
    }
}

/// That two computers have a peer's key: a line, or nothing.
pub(crate) const fn identity(identity: IdentityView) -> &'static str {
    match identity {
        IdentityView::Single => "",
        IdentityView::Doubled => {
            "    PAUSED: two computers use this identity, and nothing is synced with them until that ends. On one of them: `towline stop`, then `towline identity new`\n"
        }
    }
}

/// How a peer's link stands.
pub(crate) fn link(state: &LinkView) -> String {
    match state {
        LinkView::Away => "away".to_owned(),
        LinkView::Connecting => "connecting".to_owned(),
        LinkView::Up { path, rtt_ms, .. } => {
            let way = match path {
                PathView::Lan { address } => format!("connected in the local network, {address}"),
                PathView::Direct { address } => format!("connected directly, {address}"),
                PathView::Turn { address } => {
                    format!("connected through a TURN server (sealed), {address}")
                }
                PathView::Relayed => "connected through the signal server (sealed)".to_owned(),
            };
            match rtt_ms {
                Some(rtt) => format!("{way}, {rtt:.1} ms"),
                None => way,
            }
        }
        LinkView::Waiting { fault, retry_at_ms } => {
            let why = self::fault(fault);
            format!("{why} (next try in {} s)", seconds_until(*retry_at_ms))
        }
        LinkView::Impostor => {
            "ALARM: another device answered in its place; it is not connected to. If the peer was reinstalled, remove it and pair again".to_owned()
        }
    }
}

/// Why a try or a connection ended.
pub(crate) fn fault(fault: &str) -> &str {
    match fault {
        "timed_out" => "no answer",
        "closed" => "the connection was closed",
        "restarted" => "the peer has begun anew",
        "refused" => "the peer no longer trusts this device; pair again",
        "impostor" => "another device answered in its place",
        "protocol" => "the peer sent something unexpected",
        "version" => "the peer runs a version that this one cannot speak with; update both",
        other => other,
    }
}

/// What is known of the way out.
pub(crate) fn outside(outside: OutsideView, seen: &[String]) -> String {
    match outside {
        OutsideView::NotAsked => {
            "No signal server has said how others see it: there is none, or it has no STUN.".to_owned()
        }
        OutsideView::Asking => "How others see it is not known yet.".to_owned(),
        OutsideView::Seen => format!("Others see it as {}.", seen.join(", ")),
        OutsideView::Silent => {
            "UDP does not come through: a firewall here lets nothing out, or nothing back. Ask for UDP, or for a fixed port (`towline up --port`) to be let through.".to_owned()
        }
    }
}

/// How a TURN server stands.
pub(crate) fn turn_server(turn: &TurnServerView) -> String {
    let server = format!("TURN server {} ({})", plain(&turn.server), turn.transport);
    let code =
        |code: &Option<u16>| code.map_or_else(String::new, |code| format!(" (error {code})"));
    match &turn.state {
        TurnStateView::NotAsked => format!("{server}: not needed so far."),
        TurnStateView::Asked => format!("{server}: being asked for an address."),
        TurnStateView::Lends { address } => format!("{server}: lends this device {address}."),
        TurnStateView::Refuses { fault, code: of } => match fault.as_str() {
            "unreachable" => {
                format!("{server}: cannot be reached; check its host, port and transport.")
            }
            "silent" => format!(
                "{server}: does not answer; check its port, and whether a firewall lets it through."
            ),
            "login" => format!(
                "{server}: does not accept the user name and the credential; they may be wrong, or have expired."
            ),
            "certificate" => {
                format!("{server}: its certificate is not valid; check its host name.")
            }
            "refused" => format!(
                "{server}: refuses to lend an address{}; ask whoever runs it.",
                code(of)
            ),
            "protocol" => format!("{server}: does not speak TURN as it should."),
            "gone" => format!("{server}: had lent an address and does not answer any more."),
            other => format!("{server}: {other}."),
        },
    }
}

/// Why a peer is reached through a server only.
pub(crate) fn obstacle(obstacle: &str) -> &str {
    match obstacle {
        "searching" => "not direct yet: a direct path is being looked for",
        "no_udp_here" => "not direct because UDP does not come through here: a firewall drops it",
        "no_udp_there" => {
            "not direct because UDP does not come through at the peer: a firewall there drops it; whoever runs that network can let it out"
        }
        "both_vary" => {
            "not direct because both routers take another port towards each address, so nobody knows where to knock; a UDP port that one of both routers forwards (`towline up --port`) or gives on demand (UPnP, NAT-PMP, PCP), or IPv6 on both sides, solves it"
        }
        "ports_guessed" => {
            "not direct yet because one router takes another port towards each address: ports were guessed and none was met; it is tried again, and a forwarded UDP port on either side (`towline up --port`) solves it"
        }
        "no_address" => "not direct because the peer has told no address at which it could be met",
        "no_answer" => {
            "not direct because none of its addresses answers: a router or a firewall on one side lets nothing in; a forwarded UDP port on either side (`towline up --port`) solves it"
        }
        other => other,
    }
}

/// A kind of path.
pub(crate) fn path_kind(kind: &str) -> &str {
    match kind {
        "lan" => "local network",
        "direct_v6" => "direct, IPv6",
        "direct_v4" => "direct, IPv4",
        "turn" => "through a TURN server",
        "relay" => "through the server",
        other => other,
    }
}

/// How a link stood.
pub(crate) fn sight(sight: &LinkSightView) -> String {
    match sight {
        LinkSightView::Away => "away".to_owned(),
        LinkSightView::Connecting => "connecting".to_owned(),
        LinkSightView::Up { path } => format!("connected: {}", path_kind(path)),
        LinkSightView::Waiting { fault } => format!("ended: {}", self::fault(fault)),
        LinkSightView::Impostor => "another device answered in its place".to_owned(),
    }
}

/// Why a folder's directory cannot be used.
fn fault_of_root(fault: &str) -> &str {
    match fault {
        "missing" => "its directory is gone; bring it back, or remove the folder",
        "not_directory" => "its place is not a directory any more",
        "nested" => "it lies in another synced folder",
        "wrong_marker" => "its directory holds another folder, or its .towline marker is gone",
        "no_access" => "this user may not read or write its directory",
        "read_only" => "its disk is read-only",
        other => other,
    }
}

/// What a folder is doing.
pub(crate) fn folder(state: &FolderStateView, needs: u64, mode: ModeView) -> String {
    match state {
        FolderStateView::Waiting if mode == ModeView::SendOnly => {
            format!("{needs} differ at peers; `towline override` makes them follow")
        }
        FolderStateView::Opening => "opening".to_owned(),
        FolderStateView::Paused { fault } => {
            let why = fault_of_root(fault);
            format!("paused: {why}")
        }
        FolderStateView::PausedByPerson => "paused".to_owned(),
        FolderStateView::Scanning => "looking for changes".to_owned(),
        FolderStateView::Syncing => format!("syncing, {needs} to go"),
        FolderStateView::Waiting => {
            format!("waiting for {needs} that no connected peer has or this disk refuses")
        }
        FolderStateView::InSync => "in sync".to_owned(),
    }
}

/// Who has set the signal servers, where nobody changes that here.
pub(crate) const fn servers_set_by(set_by: ServersSetByView) -> Option<&'static str> {
    match set_by {
        ServersSetByView::Administrator => {
            Some("This computer's administrator has set them, so they cannot be changed here.")
        }
        ServersSetByView::Start => Some(
            "Whoever started this device has set them (--server or its config.toml), so they cannot be changed here.",
        ),
        ServersSetByView::Person | ServersSetByView::Build => None,
    }
}

/// Which way a folder's changes go, where it is not both.
pub(crate) const fn mode(mode: ModeView) -> Option<&'static str> {
    match mode {
        ModeView::TwoWay => None,
        ModeView::SendOnly => Some("send-only: peers' changes are not carried out here"),
        ModeView::ReceiveOnly => Some("receive-only: what is changed here is not told"),
    }
}

/// Why an entry waits.
pub(crate) fn held_back(reason: &str) -> &str {
    match reason {
        "unreadable" => "unreadable for this user; change its permissions",
        "unwritable" => "this user may not write there; change the directory's permissions",
        "name" => "this disk cannot hold such a name; rename it",
        "kind" => "neither file, directory nor link; such things are not synced",
        "attributes" => {
            "its extended attributes are too many or too large for this disk or to travel; remove some"
        }
        "disk_full" => "the disk is full; make room and it goes on by itself",
        "read_only" => "the disk is read-only",
        "spoiled" => {
            "its bytes are gone from this disk; it comes back from whoever has it, or save it anew"
        }
        "ignored" => {
            "it was deleted elsewhere and stays for what is ignored in it; remove that, or the rule"
        }
        other => other,
    }
}

/// The compare string in one line.
pub(crate) fn compare(peer: &PeerView) -> String {
    let symbols = peer
        .compare
        .iter()
        .map(|symbol| format!("{} {}", symbol.emoji, symbol.word));
    symbols.collect::<Vec<_>>().join("  ")
}

/// A number of bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A Unix time in milliseconds as `2026-11-20 19:02:07 UTC`.
pub(crate) fn moment(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    // Days are counted in eras of 400 years that begin in March, so that a leap day ends a year.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Whole seconds until a Unix time in milliseconds; 0 when it has passed.
pub(crate) fn seconds_until(unix_ms: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    unix_ms.saturating_sub(now_ms).div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_dates_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_782_400_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(moment(1_609_459_199_999), "2020-12-31 23:59:59 UTC");
        assert_eq!(moment(1_709_251_200_000), "2024-03-01 00:00:00 UTC");
    }
}
