//! `towline history` and `towline restore`: what peers' changes replaced or deleted, and back again.

use std::path::Path;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::{Span, Timestamp, Zoned};
use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, CommandView, VersionView};

use super::folder::find_folder;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// Which versions are listed.
pub(crate) enum HistoryOf {
    /// Those of one path.
    Path(String),
    /// Those below a directory, or all.
    Below(Option<String>),
    /// The newest of every path below a directory, or of all, where nothing lies now.
    Deleted(Option<String>),
}

/// A moment of the past, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Reads a moment as people name it.
    fn read(text: &str, now: &Zoned) -> Option<Self> {
        let stamp = if let Some(seconds) = text.strip_prefix('@') {
            Timestamp::from_second(seconds.parse().ok()?).ok()?
        } else if let Ok(stamp) = Timestamp::from_str(text) {
            stamp
        } else if let Ok(local) = DateTime::from_str(text) {
            local.to_zoned(now.time_zone().clone()).ok()?.timestamp()
        } else {
            let ago = Span::from_str(text).ok()?.abs();
            now.checked_sub(ago).ok()?.timestamp()
        };
        (stamp <= now.timestamp())
            .then(|| u64::try_from(stamp.as_millisecond()).ok())
            .flatten()
            .map(Self)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, &Zoned::now()).ok_or_else(|| {
            "a moment is in the past, like \"2026-11-20 19:02\", \"2h\" or \"3 days\"".to_owned()
        })
    }
}

/// Lists versions, older than one or all, so many.
pub(crate) async fn list(
    home: &Path,
    folder: &str,
    of: HistoryOf,
    (before, limit): (Option<String>, u32),
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let below = |directory, deleted, (folder, before)| CommandView::HistoryBelow {
        folder,
        directory,
        deleted,
        before,
        limit,
    };
    let command = match of {
        HistoryOf::Path(path) => CommandView::History {
            folder,
            path: Some(path),
            before,
            limit,
        },
        HistoryOf::Below(directory) => below(directory, false, (folder, before)),
        HistoryOf::Deleted(directory) => below(directory, true, (folder, before)),
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

/// Brings a folder or a directory back to a moment; shows how far it is, and ends it on an interrupt.
pub(crate) async fn restore_to(
    home: &Path,
    folder: &str,
    path: Option<String>,
    Moment(at_ms): Moment,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let mut watcher = LocalClient::connect(home).await?;
    let folder = find_folder(&watcher.watch().await?, folder)?.id.clone();
    let command = CommandView::RestoreTo {
        folder: folder.clone(),
        path,
        at_ms,
    };
    let mut answer = std::pin::pin!(client.command(command));
    let mut cancelled = false;
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer?,
            view = watcher.next_view() => {
                let view = view?;
                let now = view.folders.iter().find(|known| known.id == folder);
                if let Some(restoring) = now.and_then(|folder| folder.restoring) {
                    output.progress(&restoring, || {
                        format!("{} of {} files", restoring.done, restoring.total)
                    });
                }
            }
            interrupted = tokio::signal::ctrl_c(), if !cancelled => {
                cancelled = interrupted.is_ok();
                let folder = folder.clone();
                LocalClient::connect(home)
                    .await?
                    .command(CommandView::CancelRestore { folder })
                    .await?;
            }
        }
    };
    output.say(&answer, || {
        let AnswerView::RestoredTo { files, failed } = &answer else {
            return String::new();
        };
        let rest = match failed {
            0 => "what gave way is kept, and the peers get them too".to_owned(),
            failed => format!(
                "{failed} stay as they are, because something is in the way; `towline history` still \
                 lists them"
            ),
        };
        format!("{files} files are as they were; {rest}.")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_name_them() {
        let now: Zoned = "2026-11-27T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let read = |text| Moment::read(text, &now).map(|moment| moment.0);
        let noon = u64::try_from(now.timestamp().as_millisecond()).unwrap();
        assert_eq!(read("2026-11-27 12:00"), Some(noon));
        assert_eq!(read("2026-11-27T11:00:00Z"), Some(noon));
        assert_eq!(read("@7"), Some(7000));
        assert_eq!(read("2h"), Some(noon - 7_200_000));
        assert_eq!(read("3 days"), Some(noon - 3 * 86_400_000));
        assert_eq!(read("2026-11-27"), Some(noon - 12 * 3_600_000));
        assert_eq!(read("2026-11-28"), None, "not yet");
        assert_eq!(read("yesterday"), None);
    }
}
