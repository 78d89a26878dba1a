//! What a person can send to those who help: how a device stands, without names.
//!
//! Everything is picked by hand: counts, states and settings. Peers, folders and servers are numbers, in the
//! order of the view. No name, label, path, address, key or code is in it, and whatever is added to a view later
//! is not in it until somebody adds it here. Lines of the log hold none of these by the rules of logging: they
//! tell of peers and folders by the first characters of their ids.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::logs::kept_log;
use crate::view::{
    FindingView, FolderView, LinkReportView, LinkView, NetworkView, PeerView, ServerStateView, View,
};

/// How the device at `home` stands, and the latest lines of its log, for somebody who helps; a JSON object.
#[must_use]
pub fn diagnostics(
    home: &Path,
    view: &View,
    network: &NetworkView,
    findings: &[FindingView],
) -> Value {
    let log = kept_log(home, LOG_BYTES_MAX);
    let mut told = standing(view, network, findings);
    if let Some(told) = told.as_object_mut() {
        told.insert("log".to_owned(), log.lines().collect());
    }
    told
}

fn standing(view: &View, network: &NetworkView, findings: &[FindingView]) -> Value {
    let device = &view.device;
    let states = std::iter::once(&view.server.state)
        .chain(view.server.others.iter().map(|other| &other.state));
    json!({
        "version": device.version,
        "system": { "os": std::env::consts::OS, "architecture": std::env::consts::ARCH },
        "device": {
            "key_place": device.key_place,
            "store": device.store,
            "identity": device.identity,
            "scope": device.scope,
            "scope_lock": device.scope_lock,
            "discovery": device.discovery,
            "settings": device.settings,
            "traffic": device.traffic,
        },
        "servers": states.map(server).collect::<Vec<_>>(),
        "servers_set_by": view.server.set_by,
        "is_proxied": view.server.proxy.is_some(),
        "network": {
            "outside": network.outside,
            "mapping": network.mapping,
            "local": network.local.len(),
            "reflexive": network.reflexive.len(),
            "is_mapped": network.mapped.is_some(),
            "turn": network.turn.iter().map(|turn| word(&turn.state, "state")).collect::<Vec<_>>(),
        },
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        "peers": view.peers.iter().map(|peer| of_peer(peer, network)).collect::<Vec<_>>(),
        "folders": view.folders.iter().map(|folder| of_folder(folder, view)).collect::<Vec<_>>(),
        "invitations": view.invitations.len(),
    })
}

fn server(state: &ServerStateView) -> Value {
    let fault = match state {
        ServerStateView::None | ServerStateView::Connecting | ServerStateView::Online => None,
        ServerStateView::Offline { fault, .. } | ServerStateView::Stopped { fault } => Some(fault),
    };
    json!({ "state": word(state, "state"), "fault": fault })
}

fn finding(found: &FindingView) -> Value {
    json!({ "check": word(&found.finding, "check"), "verdict": found.verdict })
}

fn of_peer(peer: &PeerView, network: &NetworkView) -> Value {
    let report = network.links.iter().find(|link| link.peer == peer.id);
    json!({
        "is_verified": peer.verified,
        "identity": peer.identity,
        "places": peer.places.len() + peer.places_set.len(),
        "link": of_link(&peer.link),
        "counts": peer.counts,
        "report": report.map(of_report),
    })
}

fn of_link(link: &LinkView) -> Value {
    match link {
        LinkView::Away | LinkView::Connecting | LinkView::Impostor => {
            json!({ "state": word(link, "state") })
        }
        LinkView::Waiting { fault, .. } => json!({ "state": word(link, "state"), "fault": fault }),
        LinkView::Up {
            path,
            rtt_ms,
            received_bytes,
            sent_bytes,
        } => json!({
            "state": word(link, "state"),
            "path": word(path, "kind"),
            "rtt_ms": rtt_ms,
            "received_bytes": received_bytes,
            "sent_bytes": sent_bytes,
        }),
    }
}

fn of_report(report: &LinkReportView) -> Value {
    let tried: Vec<_> = report
        .candidates
        .iter()
        .map(|each| json!({ "path": each.path, "origin": each.origin, "state": each.state, "rtt_ms": each.rtt_ms }))
        .collect();
    json!({ "obstacle": report.obstacle, "history": report.history, "candidates": tried })
}

fn of_folder(folder: &FolderView, view: &View) -> Value {
    let settings = &folder.settings;
    let reasons: Vec<_> = folder.held_back.iter().map(|held| &held.reason).collect();
    // A peer by its place in the list of peers.
    let takes_part = |id: &str| view.peers.iter().position(|peer| peer.id == id);
    let peers: Vec<_> = folder
        .peers
        .iter()
        .map(|peer| json!({ "peer": takes_part(&peer.id), "state": peer.state }))
        .collect();
    json!({
        "state": folder.state,
        "mode": settings.mode,
        "paused": settings.paused,
        "brake": settings.brake,
        "retention": settings.retention,
        "limits": settings.limits,
        "conflict_place": settings.conflicts,
        "attributes": settings.attributes,
        "has_local_rules": !settings.local_rules.is_empty(),
        "files": folder.files,
        "directories": folder.directories,
        "bytes": folder.bytes,
        "needs": folder.needs,
        "conflicts": folder.conflicts,
        "transfer": folder.transfer,
        "restoring": folder.restoring,
        "held_back": reasons,
        "spoiled": folder.spoiled,
        "local_changes": folder.local_changes,
        "braked": folder.braked.len(),
        "peers": peers,
    })
}

/// The word by which a state is told apart from others, without what it holds.
fn word(state: &impl Serialize, tag: &str) -> Option<Value> {
    serde_json::to_value(state).ok()?.get(tag).cloned()
}

/// Half a megabyte of the log: some thousand lines, days of a device that works, and little enough to be sent.
const LOG_BYTES_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A view in which everything that belongs to a person has a word of its own.
    fn private() -> (View, NetworkView, Vec<FindingView>) {
        let counts = json!({
            "attempts": 3, "established": 2, "failed": [{ "of": "timed_out", "count": 1 }], "lost": [], "taken": [],
            "connect_ms": 12.5, "connect_within": [], "connect_longer": 0, "connect_sum_ms": 12.5,
            "candidates_sent": 1, "candidates_received": 1, "probes_sent": 1, "probes_answered": 1
        });
        let link = json!({
            "state": "up", "path": { "kind": "direct", "address": "private-address" }, "rtt_ms": 4.0,
            "received_bytes": 7, "sent_bytes": 8
        });
        let limits = json!({ "send": null, "receive": null });
        let view = json!({
            "revision": 5,
            "device": {
                "id": "private-id", "name": "private-name", "key_place": "keyring", "store": "whole",
                "version": "0.1.0", "identity": "single", "scope": "everywhere", "scope_lock": "open",
                "discovery": "on", "begins_anew": false,
                "settings": { "limits": limits, "schedule": [], "metered_network": "system", "metered_rule": null },
                "traffic": { "rule": { "rule": "limit", "send": null, "receive": null }, "because": "always" }
            },
            "server": {
                "url": "wss://private-server", "proxy": "private-proxy", "own": ["wss://private-own"],
                "set_by": "person", "usual": "wss://private-usual",
                "state": { "state": "offline", "fault": "unreachable", "retry_at_ms": 9 },
                "others": [{ "url": "wss://private-other", "proxy": null, "state": { "state": "online" } }]
            },
            "pairing": {
                "state": "waiting", "code": "private-code", "link": "private-link", "qr_svg": "private-qr",
                "meeting": "server", "expires_at_ms": 9
            },
            "peers": [{
                "id": "private-peer", "name": "private-peer-name", "compare": [{ "emoji": "private", "word": "private" }],
                "verified": true, "places": ["private-place"], "places_set": [], "link": link, "counts": counts,
                "identity": "single"
            }],
            "folders": [{
                "id": "private-folder", "label": "private-label", "root": "/private/root",
                "settings": {
                    "mode": "two_way", "paused": false, "brake": { "entries_max": 1000, "percent_max": 25 },
                    "retention": { "staggered": false, "days": 30, "bytes_max": 1, "disk_percent_max": 10 },
                    "local_rules": "private-rule", "limits": limits, "conflicts": "inbox", "attributes": false
                },
                "state": { "state": "paused", "fault": "missing" }, "files": 1, "directories": 2, "bytes": 3,
                "needs": 4, "conflicts": 5,
                "transfer": { "fetched_bytes": 1, "reused_bytes": 2, "files": 3, "wanted_bytes": 4, "bytes_per_second": 5 },
                "restoring": null, "held_back": [{ "path": "private-path", "reason": "name" }], "spoiled": 0,
                "local_changes": 0, "braked": [], "peers": [{ "id": "private-peer", "state": "connected" }]
            }],
            "invitations": [{ "peer": "private-peer", "folder": "private-folder", "label": "private-label" }]
        });
        let network = json!({
            "local": ["private-local"], "outside": "seen", "reflexive": ["private-reflexive"], "mapping": "same",
            "mapped": "private-mapped",
            "turn": [{
                "server": "private-turn", "transport": "UDP", "state": { "state": "lends", "address": "private-lent" }
            }],
            "links": [{
                "peer": "private-peer", "name": "private-peer-name", "link": link, "obstacle": "searching", "counts": counts,
                "history": [{ "at_ms": 1, "state": "up", "path": "relay" }], "samples": [],
                "candidates": [{
                    "address": "private-candidate", "path": "lan", "origin": "told", "state": "answers", "rtt_ms": 0.5
                }]
            }]
        });
        let findings = json!([
            { "verdict": "bad", "check": "server", "url": "wss://private-server", "state": "unreachable" },
            { "verdict": "fine", "check": "port_mapping", "external": "private-mapped", "asked": true }
        ]);
        (
            serde_json::from_value(view).unwrap(),
            serde_json::from_value(network).unwrap(),
            serde_json::from_value(findings).unwrap(),
        )
    }

    #[test]
    fn nothing_that_belongs_to_a_person_is_told() {
        let (view, network, findings) = private();
        let text = standing(&view, &network, &findings).to_string();
        assert!(!text.contains("private"), "{text}");
    }

    #[test]
    fn the_log_is_told_line_by_line() {
        let home = tempfile::tempdir().unwrap();
        let logs = crate::log_directory(home.path());
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::write(logs.join("towline.2026-03-01.log"), "one\ntwo\n").unwrap();
        let (view, network, findings) = private();
        let told = diagnostics(home.path(), &view, &network, &findings);
        assert_eq!(told["log"], json!(["one", "two"]));
        assert_eq!(told["version"], json!("0.1.0"));
    }

    #[test]
    fn what_helps_is_told() {
        let (view, network, findings) = private();
        let told = standing(&view, &network, &findings);
        for (place, value) in [
            ("/version", json!("0.1.0")),
            (
                "/servers/0",
                json!({ "state": "offline", "fault": "unreachable" }),
            ),
            ("/servers/1/state", json!("online")),
            ("/is_proxied", json!(true)),
            ("/network/turn/0", json!("lends")),
            (
                "/findings/0",
                json!({ "check": "server", "verdict": "bad" }),
            ),
            ("/peers/0/link/path", json!("direct")),
            ("/peers/0/counts/failed/0/of", json!("timed_out")),
            ("/peers/0/report/candidates/0/state", json!("answers")),
            ("/folders/0/state/fault", json!("missing")),
            ("/folders/0/held_back/0", json!("name")),
            ("/folders/0/has_local_rules", json!(true)),
            (
                "/folders/0/peers/0",
                json!({ "peer": 0, "state": "connected" }),
            ),
        ] {
            assert_eq!(told.pointer(place), Some(&value), "{place} in {told}");
        }
    }
}
