//! `towline folder`: shares folders.

use std::path::{Path, PathBuf};

use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{CommandView, FolderView, InvitationView, View};

use super::peers::short;
use super::{Pick, find_peer, pick};
use crate::FolderAction;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// What a script gets of `folder list`.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    folders: &'a [FolderView],
    invitations: &'a [InvitationView],
}

pub(crate) async fn run(home: &Path, action: FolderAction, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let (command, done) = match action {
        FolderAction::List => {
            let listing = Listing {
                folders: &view.folders,
                invitations: &view.invitations,
            };
            output.say(&listing, || list(&view));
            return Ok(());
        }
        FolderAction::Add { path, label } => {
            let root = absolute(path)?;
            let label = label.unwrap_or_default();
            (
                CommandView::AddFolder { root, label },
                "The folder is added; `towline folder invite` shares it with a peer.",
            )
        }
        FolderAction::Invite { folder, peer } => {
            let folder = find_folder(&view, &folder)?.id.clone();
            let peer = find_peer(&view, &peer)?.id.clone();
            (
                CommandView::InvitePeer { folder, peer },
                "Invited; the peer accepts with `towline folder accept`.",
            )
        }
        FolderAction::Accept { folder, path, peer } => {
            let invitation = find_invitation(&view, &folder, peer.as_deref())?;
            let command = CommandView::AcceptInvitation {
                peer: invitation.peer.clone(),
                folder: invitation.folder.clone(),
                root: absolute(path)?,
            };
            (command, "Accepted; the files are coming.")
        }
        FolderAction::Remove { folder } => {
            let folder = find_folder(&view, &folder)?.id.clone();
            (
                CommandView::RemoveFolder { folder },
                "No longer synced on this device; its files stay.",
            )
        }
        FolderAction::Rescan { folder } => {
            let folder = find_folder(&view, &folder)?.id.clone();
            (CommandView::Rescan { folder }, "Looking for changes.")
        }
        FolderAction::Mode { folder, mode } => {
            super::settings::with_mode(find_folder(&view, &folder)?, mode)
        }
        FolderAction::Attributes { folder, keeping } => {
            super::settings::with_attributes(find_folder(&view, &folder)?, keeping)
        }
    };
    let answer = client.command(command).await?;
    output.say(&answer, || done.to_owned());
    Ok(())
}

/// All folders and invitations.
pub(crate) fn list(view: &View) -> String {
    let mut lines = Vec::new();
    for folder in &view.folders {
        lines.push(format!(
            "{}  ({})  {}\n    {}\n    {} files, {}",
            plain(&folder.label),
            short(&folder.id),
            words::folder(&folder.state, folder.needs, folder.settings.mode),
            plain(&folder.root),
            folder.files,
            words::bytes(folder.bytes)
        ));
        if folder.conflicts > 0 {
            lines.push(format!(
                "    {} in conflict: `towline conflicts {}` lists them",
                folder.conflicts,
                short(&folder.id)
            ));
        }
        if let Some(way) = words::mode(folder.settings.mode) {
            lines.push(format!("    {way}"));
        }
        if folder.settings.attributes {
            lines.push("    keeps extended attributes".to_owned());
        }
        if folder.spoiled > 0 {
            lines.push(format!(
                "    {} taken by a power cut; what it left is kept, `towline history` shows it",
                folder.spoiled
            ));
        }
        if folder.local_changes > 0 {
            lines.push(format!(
                "    {} changed here and not told; `towline revert` undoes them",
                folder.local_changes
            ));
        }
        let braked = super::brake::lines(view, folder);
        lines.extend(
            braked
                .into_iter()
                .map(|line| format!("    waits for a yes: {line}")),
        );
        for part in &folder.peers {
            let name = view
                .peers
                .iter()
                .find(|peer| peer.id == part.id)
                .map_or("?".to_owned(), |peer| plain(&peer.name));
            lines.push(format!("    with {name}: {}", part.state));
        }
        for held in &folder.held_back {
            lines.push(format!(
                "    held back: {} ({})",
                plain(&held.path),
                words::held_back(&held.reason)
            ));
        }
    }
    for invitation in &view.invitations {
        let name = view
            .peers
            .iter()
            .find(|peer| peer.id == invitation.peer)
            .map_or("?".to_owned(), |peer| plain(&peer.name));
        lines.push(format!(
            "Invitation: {} ({}) from {name}; `towline folder accept {} PATH` takes part",
            plain(&invitation.label),
            short(&invitation.folder),
            short(&invitation.folder)
        ));
    }
    if lines.is_empty() {
        return "No folders yet: `towline folder add PATH`.".to_owned();
    }
    lines.join("\n")
}

/// The one folder that a person means by a label or the beginning of an id.
pub(crate) fn find_folder<'a>(view: &'a View, text: &str) -> Result<&'a FolderView, Failure> {
    pick(&view.folders, text, |folder| (&folder.label, &folder.id)).map_err(|several| match several
    {
        Pick::None => Failure::new(
            "unknown_folder",
            format!("there is no folder {text:?}; `towline folder list` lists them"),
        ),
        Pick::Several => Failure::new(
            "ambiguous",
            format!("several folders match {text:?}; use more of the id"),
        ),
    })
}

fn find_invitation<'a>(
    view: &'a View,
    text: &str,
    peer: Option<&str>,
) -> Result<&'a InvitationView, Failure> {
    let from = peer.map(|peer| find_peer(view, peer)).transpose()?;
    let offered = view
        .invitations
        .iter()
        .filter(|offer| from.is_none_or(|peer| peer.id == offer.peer));
    pick(offered, text, |offer| (&offer.label, &offer.folder)).map_err(|several| match several {
        Pick::None => Failure::new(
            "unknown_invitation",
            format!("no peer shares {text:?}; `towline folder list` shows invitations"),
        ),
        Pick::Several => Failure::new(
            "ambiguous",
            "several peers share it; name one with --peer".to_owned(),
        ),
    })
}

fn absolute(path: PathBuf) -> Result<String, Failure> {
    let path = std::path::absolute(&path)
        .map_err(|error| Failure::new("path", format!("cannot use {}: {error}", path.display())))?;
    path.into_os_string().into_string().map_err(|path| {
        Failure::new(
            "path",
            format!(
                "{} is not valid UTF-8; name another directory",
                Path::new(&path).display()
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use towline_engine::view::{DeviceSettingsView, FolderSettingsView};

    #[test]
    fn names_from_peers_and_disks_stay_on_their_line() {
        let evil = "a\u{1b}[2K\rin sync\nfake";
        let id = "7".repeat(32);
        let view = json!({
            "revision": 1,
            "device": { "id": id, "name": evil, "key_place": "file", "store": "whole",
                "identity": "single", "scope": "everywhere", "scope_lock": "open", "discovery": "off", "begins_anew": false,
                "settings": DeviceSettingsView::default(),
                "traffic": { "rule": { "rule": "pause" }, "because": "schedule" },
                "version": "0.1.0" },
            "server": { "url": null, "proxy": null, "state": { "state": "none" }, "own": [],
                "set_by": "build", "usual": null, "others": [] },
            "pairing": { "state": "idle" },
            "peers": [{ "id": id, "name": evil, "compare": [], "verified": false, "places": [], "places_set": [],
                "identity": "single", "link": { "state": "away" },
                "counts": { "attempts": 0, "established": 0, "failed": [], "lost": [], "taken": [],
                    "connect_ms": null, "connect_within": [], "connect_longer": 0,
                    "connect_sum_ms": 0.0, "candidates_sent": 0, "candidates_received": 0,
                    "probes_sent": 0, "probes_answered": 0 } }],
            "folders": [{ "id": id, "label": evil, "root": evil, "state": { "state": "in_sync" },
                "settings": FolderSettingsView::default(), "spoiled": 0, "local_changes": 0,
                "braked": [],
                "files": 0, "directories": 0, "bytes": 0, "needs": 0, "conflicts": 0,
                "transfer": { "fetched_bytes": 0, "reused_bytes": 0, "files": 0,
                    "wanted_bytes": 0, "bytes_per_second": 0 },
                "restoring": null,
                "held_back": [{ "path": evil, "reason": "name" }],
                "peers": [{ "id": id, "state": "away" }] }],
            "invitations": [{ "peer": id, "folder": id, "label": evil }],
        });
        let view: View = serde_json::from_value(view).unwrap();
        let listed = list(&view);
        assert_eq!(listed.lines().count(), 6, "{listed}");
        assert!(
            !listed.contains('\u{1b}') && !listed.contains('\r'),
            "{listed}"
        );
        let listed = super::super::peers::list(&view.peers);
        assert_eq!(listed.lines().count(), 3, "{listed}");
    }
}
