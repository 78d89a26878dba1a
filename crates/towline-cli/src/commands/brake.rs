//! `towline brake`: what of peers waits for a person, mass changes and what comes back after a long absence.

use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{
    BrakeView, BrakedView, CommandView, FolderSettingsView, FolderView, View,
};

use super::folder::find_folder;
use super::peers::short;
use super::{find_peer, settings};
use crate::BrakeAction;
use crate::output::{Failure, Output};
use crate::plain::plain;

pub(crate) async fn run(
    home: &Path,
    folder: Option<String>,
    action: Option<BrakeAction>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let (command, done) = match action {
        None => {
            let folder = find_folder(&view, &folder.unwrap_or_default())?;
            output.say(&folder.braked, || {
                if folder.braked.is_empty() {
                    return "Nothing waits.".to_owned();
                }
                lines(&view, folder).join("\n")
            });
            return Ok(());
        }
        Some(BrakeAction::Release { folder, peer }) => {
            let (folder, peer) = named(&view, &folder, &peer)?;
            (
                CommandView::ReleaseBrake { folder, peer },
                "It goes on; what it takes away goes to the versions.",
            )
        }
        Some(BrakeAction::Undo { folder, peer }) => {
            let (folder, peer) = named(&view, &folder, &peer)?;
            (
                CommandView::UndoBraked { folder, peer },
                "What is here stays as it is, on every device.",
            )
        }
        Some(BrakeAction::Set {
            folder,
            entries,
            percent,
            off,
        }) => {
            let folder = find_folder(&view, &folder)?;
            let command = settings::with(folder, |settings| {
                let before = settings.brake.or(FolderSettingsView::default().brake);
                settings.brake = before.filter(|_| !off).map(|before| BrakeView {
                    entries_max: entries.unwrap_or(before.entries_max),
                    percent_max: percent.unwrap_or(before.percent_max),
                });
            });
            (command, "It holds from now on.")
        }
    };
    let answer = client.command(command).await?;
    output.say(&answer, || done.to_owned());
    Ok(())
}

/// What waits in a folder, one line each.
pub(crate) fn lines(view: &View, folder: &FolderView) -> Vec<String> {
    let line = |braked: &BrakedView| {
        let peer = &braked.peer;
        format!(
            "{} {}; `towline brake release {} {}` lets it go on, `towline brake undo ...` keeps here what is here, everywhere",
            name(view, peer),
            change(braked),
            short(&folder.id),
            short(peer)
        )
    };
    folder.braked.iter().map(line).collect()
}

/// What a device would do here, for after its name.
fn change(braked: &BrakedView) -> String {
    let BrakedView {
        peer: _,
        deletes,
        overwrites,
        revives,
    } = braked;
    match (deletes + overwrites, *revives) {
        (_, 0) => format!("deletes {deletes} and overwrites {overwrites}"),
        (0, _) => format!("was away for long and brings back {revives} that were deleted"),
        (_, _) => format!(
            "deletes {deletes}, overwrites {overwrites} and brings back {revives} that were deleted"
        ),
    }
}

/// What a device is called; its id where it is no peer of this one.
fn name(view: &View, id: &str) -> String {
    let known = view.peers.iter().find(|peer| peer.id == id);
    known.map_or_else(|| short(id).to_owned(), |peer| plain(&peer.name))
}

/// The ids of the folder and of the device that a person means. Who made a mass change need not be a peer
/// of this device.
fn named(view: &View, folder: &str, peer: &str) -> Result<(String, String), Failure> {
    let folder = find_folder(view, folder)?;
    let mut strangers = folder.braked.iter().map(|braked| &braked.peer);
    let stranger = strangers.find(|id| !peer.is_empty() && id.starts_with(peer));
    let id = match stranger {
        Some(id) => id.clone(),
        None => find_peer(view, peer)?.id.clone(),
    };
    Ok((folder.id.clone(), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_change_and_what_comes_back_are_told_apart() {
        let told = |deletes, overwrites, revives| {
            change(&BrakedView {
                peer: "7".repeat(32),
                deletes,
                overwrites,
                revives,
            })
        };
        assert_eq!(told(1204, 3, 0), "deletes 1204 and overwrites 3");
        assert_eq!(
            told(0, 0, 12),
            "was away for long and brings back 12 that were deleted"
        );
        assert_eq!(
            told(1, 2, 3),
            "deletes 1, overwrites 2 and brings back 3 that were deleted"
        );
    }
}
