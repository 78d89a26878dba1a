//! `towline pause`, `towline resume`, `towline folder mode`, `towline folder attributes`: what a person sets for a folder; and
//! `towline override`, `towline revert`: what follows where sides differ.
//!
//! Settings are replaced as a whole, so each command takes what the view shows and changes one thing.

use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{CommandView, FolderSettingsView, FolderView, ModeView};

use super::folder::find_folder;
use crate::output::{Failure, Output};
use crate::{KeepingName, ModeName};

/// Whether a pause begins or ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pause {
    Begin,
    End,
}

/// Pauses a folder, or lets it go on.
pub(crate) async fn set_paused(
    home: &Path,
    folder: &str,
    pause: Pause,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let (paused, done) = match pause {
        Pause::Begin => (true, "Paused; `towline resume` lets it go on."),
        Pause::End => (false, "It goes on where it was."),
    };
    let command = with(find_folder(&view, folder)?, |settings| {
        settings.paused = paused;
    });
    let answer = client.command(command).await?;
    output.say(&answer, || done.to_owned());
    Ok(())
}

/// Makes what lies here what all peers shall have.
pub(crate) async fn override_peers(
    home: &Path,
    folder: &str,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let answer = client.command(CommandView::Override { folder }).await?;
    output.say(&answer, || {
        "The peers follow; what they had goes to their versions.".to_owned()
    });
    Ok(())
}

/// Undoes what was changed here.
pub(crate) async fn revert(home: &Path, folder: &str, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let answer = client.command(CommandView::Revert { folder }).await?;
    output.say(&answer, || {
        "It becomes what the peers have; `towline history` lists what was here.".to_owned()
    });
    Ok(())
}

/// Which way a folder's changes go, and what a person is told of it.
pub(crate) fn with_mode(folder: &FolderView, mode: ModeName) -> (CommandView, &'static str) {
    let (mode, done) = match mode {
        ModeName::TwoWay => (ModeView::TwoWay, "Changes go both ways."),
        ModeName::SendOnly => (
            ModeView::SendOnly,
            "Changes go from here only; `towline override` makes peers follow where they differ.",
        ),
        ModeName::ReceiveOnly => (
            ModeView::ReceiveOnly,
            "Changes come to here only; `towline revert` undoes what is changed here.",
        ),
    };
    (with(folder, |settings| settings.mode = mode), done)
}

/// Whether a folder's files keep their extended attributes, and what a person is told of it.
pub(crate) fn with_attributes(
    folder: &FolderView,
    keeping: KeepingName,
) -> (CommandView, &'static str) {
    let (attributes, done) = match keeping {
        KeepingName::Keep => (
            true,
            "Extended attributes are kept here and told to peers that keep them, too.",
        ),
        KeepingName::Leave => (
            false,
            "Extended attributes are left alone here; what peers have of them is passed on.",
        ),
    };
    let command = with(folder, |settings| settings.attributes = attributes);
    (command, done)
}

/// The command that changes one thing of what is set for a folder.
pub(super) fn with(
    folder: &FolderView,
    change: impl FnOnce(&mut FolderSettingsView),
) -> CommandView {
    let mut settings = folder.settings.clone();
    change(&mut settings);
    CommandView::ConfigureFolder {
        folder: folder.id.clone(),
        settings: Box::new(settings),
    }
}
