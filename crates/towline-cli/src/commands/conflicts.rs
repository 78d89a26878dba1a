//! `towline conflicts`: which files have versions that were written without knowing of each other, and
//! which of them stay.

use std::path::Path;

use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, CommandView, ConflictView, KeepView, SideView, View};

use super::folder::find_folder;
use crate::Choice;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// What a script gets of `conflicts`: all of them, however many pages they were.
#[derive(Debug, Serialize)]
struct Listing {
    conflicts: Vec<ConflictView>,
}

/// Conflicts that are asked for at a time: as many as one answer has.
const PAGE: u32 = 1000;

/// How the name of a losing version begins in its directory.
const VERSION_PREFIX: &str = ".conflict-";

pub(crate) async fn list(home: &Path, folder: &str, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let folder = find_folder(&view, folder)?.id.clone();
    let conflicts = all(&mut client, &folder).await?;
    let listing = Listing { conflicts };
    output.say(&listing, || lines(&listing.conflicts, &view));
    Ok(())
}

pub(crate) async fn keep(
    home: &Path,
    folder: &str,
    path: Option<String>,
    choice: Choice,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let keep = match choice {
        Choice {
            loser: Some(loser), ..
        } => {
            let conflicts = all(&mut client, &folder).await?;
            let of_path = conflicts
                .iter()
                .find(|conflict| Some(&conflict.path) == path.as_ref());
            KeepView::Loser {
                path: find_loser(of_path, &loser)?.path.clone(),
            }
        }
        Choice { all: true, .. } => KeepView::All,
        Choice { .. } => KeepView::Winner,
    };
    let command = CommandView::Resolve { folder, path, keep };
    let answer = client.command(command).await?;
    output.say(&answer, || {
        let AnswerView::Resolved { conflicts } = &answer else {
            return String::new();
        };
        let decided = match conflicts {
            1 => "The conflict is decided".to_owned(),
            many => format!("{many} conflicts are decided"),
        };
        format!("{decided}; the peers get it too, and what gave way is kept for `towline restore`.")
    });
    Ok(())
}

async fn all(client: &mut LocalClient, folder: &str) -> Result<Vec<ConflictView>, Failure> {
    let mut conflicts: Vec<ConflictView> = Vec::new();
    loop {
        let command = CommandView::Conflicts {
            folder: folder.to_owned(),
            after: conflicts.last().map(|last| last.path.clone()),
            limit: PAGE,
        };
        let AnswerView::Conflicts {
            conflicts: page,
            more,
        } = client.command(command).await?
        else {
            return Ok(conflicts);
        };
        let is_last = !more || page.is_empty();
        conflicts.extend(page);
        if is_last {
            return Ok(conflicts);
        }
    }
}

fn find_loser<'a>(conflict: Option<&'a ConflictView>, text: &str) -> Result<&'a SideView, Failure> {
    let losers = conflict.map_or(&[][..], |conflict| &conflict.losers);
    let mut matching = losers
        .iter()
        .filter(|side| side.path == text || name(side).starts_with(text));
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Failure::new(
            "ambiguous",
            format!("several versions match {text:?}; use more of the name"),
        )),
        (None, _) => Err(Failure::new(
            "unknown_conflict",
            words::refusal("unknown_conflict", None),
        )),
    }
}

/// A losing version's short name, unique for its file.
fn name(side: &SideView) -> &str {
    let file_name = side.path.rsplit('/').next().unwrap_or(&side.path);
    let name = file_name.strip_prefix(VERSION_PREFIX).unwrap_or(file_name);
    name.split('.').next().unwrap_or(name)
}

fn lines(conflicts: &[ConflictView], view: &View) -> String {
    if conflicts.is_empty() {
        return "Nothing is in conflict.".to_owned();
    }
    let mut lines = Vec::new();
    for conflict in conflicts {
        lines.push(plain(&conflict.path));
        match &conflict.winner {
            Some(winner) => lines.push(line("in its place", winner, view)),
            None => lines.push("    in its place: nothing; it was deleted".to_owned()),
        }
        for side in &conflict.losers {
            lines.push(line(name(side), side, view));
        }
    }
    lines.push(
        "`towline conflicts keep FOLDER PATH` with --winner, --loser VERSION or --all decides."
            .to_owned(),
    );
    lines.join("\n")
}

fn line(name: &str, side: &SideView, view: &View) -> String {
    let what = match side.kind.as_str() {
        "file" => words::bytes(side.size),
        other => other.to_owned(),
    };
    format!(
        "    {:<15}  {}  {what:>10}  by {}",
        plain(name),
        words::moment(u64::try_from(side.mtime_ms).unwrap_or(0)),
        author(&side.device, view)
    )
}

fn author(device: &str, view: &View) -> String {
    if device == view.device.id {
        return "this device".to_owned();
    }
    let peer = view.peers.iter().find(|peer| peer.id == device);
    // A device that is no peer is named by the beginning of its id.
    peer.map_or_else(
        || plain(device.get(..8).unwrap_or(device)),
        |peer| plain(&peer.name),
    )
}
