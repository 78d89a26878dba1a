//! `towline rules`: what a folder ignores, and what other rules would.

use std::io::Read;
use std::path::{Path, PathBuf};

use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, CommandView};

use super::folder::find_folder;
use crate::output::{Failure, Output};
use crate::plain::plain;

/// Files with shared and with local rules.
type Texts = (Option<PathBuf>, Option<PathBuf>);

/// Shows both texts.
pub(crate) async fn show(home: &Path, folder: &str, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let answer = client.command(CommandView::Rules { folder }).await?;
    output.say(&answer, || {
        let AnswerView::Rules { shared, local } = &answer else {
            return String::new();
        };
        let part = |title: &str, text: &str| {
            let lines: Vec<String> = text
                .lines()
                .map(|line| format!("  {}", plain(line)))
                .collect();
            if lines.is_empty() {
                format!("{title}: none")
            } else {
                format!("{title}:\n{}", lines.join("\n"))
            }
        };
        format!(
            "{}\n{}",
            part("On every device (.towlineignore)", shared),
            part("On this device", local)
        )
    });
    Ok(())
}

/// Replaces one text or both.
pub(crate) async fn set(
    home: &Path,
    folder: &str,
    (shared, local): Texts,
    output: &Output,
) -> Result<(), Failure> {
    if shared.is_none() && local.is_none() {
        let what = "name a file with --shared or --local; - reads standard input";
        return Err(Failure::new("rules", what.to_owned()));
    }
    let (shared, local) = (read(shared)?, read(local)?);
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let found = find_folder(&view, folder)?;
    let (folder, mut settings) = (found.id.clone(), found.settings.clone());
    let mut answer = AnswerView::Accepted;
    if let Some(local) = local {
        settings.local_rules = local;
        let settings = Box::new(settings);
        let folder = folder.clone();
        let command = CommandView::ConfigureFolder { folder, settings };
        answer = client.command(command).await?;
    }
    if let Some(shared) = shared {
        answer = client
            .command(CommandView::SetRules { folder, shared })
            .await?;
    }
    output.say(&answer, || {
        "The rules hold from now on; what they ignore is left as it is, everywhere.".to_owned()
    });
    Ok(())
}

/// Shows what rules would ignore.
pub(crate) async fn test(
    home: &Path,
    folder: &str,
    (shared, local): Texts,
    limit: u32,
    output: &Output,
) -> Result<(), Failure> {
    let (shared, local) = (read(shared)?, read(local)?);
    let mut client = LocalClient::connect(home).await?;
    let folder = find_folder(&client.view().await?, folder)?.id.clone();
    let present = client.command(CommandView::Rules {
        folder: folder.clone(),
    });
    let AnswerView::Rules {
        shared: present_shared,
        local: present_local,
    } = present.await?
    else {
        let what = "the engine answers something else; is it of another version?";
        return Err(Failure::new("malformed", what.to_owned()));
    };
    let command = CommandView::PreviewRules {
        folder,
        shared: shared.unwrap_or(present_shared),
        local: local.unwrap_or(present_local),
        limit,
    };
    let answer = client.command(command).await?;
    output.say(&answer, || {
        let AnswerView::Matches {
            paths,
            count,
            bad_lines,
        } = &answer
        else {
            return String::new();
        };
        matches(paths, *count, bad_lines)
    });
    Ok(())
}

fn matches(paths: &[String], count: u64, bad_lines: &[(String, u32)]) -> String {
    let mut lines: Vec<String> = bad_lines
        .iter()
        .map(|(rules, line)| {
            format!("Line {line} of the {rules} rules is no rule; it is passed over.")
        })
        .collect();
    lines.push(match count {
        0 => "Nothing that lies here would be ignored.".to_owned(),
        1 => "One entry here would be ignored:".to_owned(),
        _ => format!("{count} entries here would be ignored, with all that lies in them:"),
    });
    lines.extend(paths.iter().map(|path| format!("  {}", plain(path))));
    if count > paths.len() as u64 {
        lines.push("  ...".to_owned());
    }
    lines.join("\n")
}

fn read(file: Option<PathBuf>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(&file)
    };
    let because = |error| format!("cannot read {}: {error}", file.display());
    read.map(Some)
        .map_err(|error| Failure::new("rules_file", because(error)))
}
