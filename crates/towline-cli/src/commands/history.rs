//! `towline history` and `towline restore`: what peers' changes replaced or deleted, and back again.

use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, CommandView, VersionView};

use super::folder::find_folder;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// Lists versions: of one path or of all, older than one or all, so many.
pub(crate) async fn list(
    home: &Path,
    folder: &str,
    (path, before, limit): (Option<String>, Option<String>, u32),
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let command = CommandView::History {
        folder,
        path,
        before,
        limit,
    };
    let answer = client.command(command).await?;
    output.say(&answer, || {
        let AnswerView::Versions { versions, more } = &answer else {
            return String::new();
        };
        lines(versions, *more)
    });
    Ok(())
}

pub(crate) async fn restore(
    home: &Path,
    folder: &str,
    path: String,
    version: Option<String>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let command = CommandView::Restore {
        folder,
        path,
        version,
    };
    let answer = client.command(command).await?;
    output.say(&answer, || {
        "It is back; what lay there is kept, and the peers get it too.".to_owned()
    });
    Ok(())
}

fn lines(versions: &[VersionView], more: bool) -> String {
    let Some(last) = versions.last() else {
        return "Nothing was replaced or deleted by a peer here, as far back as is kept."
            .to_owned();
    };
    let line = |version: &VersionView| {
        format!(
            "{:<12}  {}  {:>10}  {}",
            version.id,
            words::moment(version.kept_at_ms),
            words::bytes(version.size),
            plain(&version.path)
        )
    };
    let mut lines: Vec<String> = versions.iter().map(line).collect();
    if more {
        lines.push(format!("There are older ones: --before {}", last.id));
    }
    lines.join("\n")
}
