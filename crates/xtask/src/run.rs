//! Running commands to their end.
//!
//! Three ways: with the terminal handed over, quietly for the answer, and passed through while some
//! lines are kept. Standard input is always closed: a chore must never wait for a person who is not
//! there. A command that ends badly is an error that names it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::report::{Spinner, say};

/// Runs with output going straight to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {}", name(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// Runs for what it prints on standard output, without the last line break.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", name(command)))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}\n{reason}", line(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// Whether the command can be started and ends well; what it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs with output passed through, and returns those lines that `keep` wants, even when the
/// command fails: the verdict is the second part of the answer.
pub(crate) fn keeping(
    command: &mut Command,
    keep: impl Fn(&str) -> bool,
) -> Result<(Vec<String>, Result<()>)> {
    let mut kept = Vec::new();
    let verdict = each_line(command, |text| {
        say(text);
        if keep(text) {
            kept.push(text.trim().to_owned());
        }
        Ok(())
    })?;
    Ok((kept, verdict))
}

/// Runs behind a spinner; the output goes to the file `log`, and its end to the terminal when the
/// command fails.
pub(crate) fn logged(command: &mut Command, what: &str, log: &Path) -> Result<()> {
    let mut file =
        File::create(log).with_context(|| format!("making the log {}", log.display()))?;
    let spinner = Spinner::start(what);
    let mut tail: Vec<String> = Vec::new();
    let verdict = each_line(command, |text| {
        spinner.detail(text);
        if tail.len() == TAIL_LINES {
            tail.remove(0);
        }
        tail.push(text.to_owned());
        writeln!(file, "{text}").context("writing a log")
    })?;
    drop(spinner);
    if verdict.is_err() {
        for text in &tail {
            say(format!("   {text}"));
        }
    }
    verdict.with_context(|| format!("{what}; the whole log is {}", log.display()))
}

/// Calls `see` for each line of both outputs as it arrives. The outer error is ours, the inner one
/// is the command's.
fn each_line(command: &mut Command, mut see: impl FnMut(&str) -> Result<()>) -> Result<Result<()>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", name(command)))?;
    let out = child.stdout.take().context("no standard output")?;
    let err = child.stderr.take().context("no standard error")?;
    let (lines, arrived) = mpsc::sync_channel::<String>(LINES_WAITING_MAX);
    let more_lines = lines.clone();
    let readers = [
        thread::spawn(move || pass_on(BufReader::new(out), &lines)),
        thread::spawn(move || pass_on(BufReader::new(err), &more_lines)),
    ];
    let seen = arrived.iter().try_for_each(|text| see(&text));
    drop(arrived);
    if seen.is_err() {
        // It fails only when the process has ended by itself, which is as good.
        let _ = child.kill();
    }
    for reader in readers {
        reader.join().map_err(|_| anyhow!("a reader panicked"))?;
    }
    let status = child.wait().context("waiting for a command to end")?;
    seen?;
    Ok(if status.success() {
        Ok(())
    } else {
        Err(anyhow!("`{}` ended with {status}", line(command)))
    })
}

/// Sends each line; ends with the output, or when nobody listens any more.
fn pass_on(mut output: impl BufRead, lines: &mpsc::SyncSender<String>) {
    let mut bytes = Vec::new();
    while output
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|read| read > 0)
    {
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if lines.send(text).is_err() {
            return;
        }
        bytes.clear();
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let mut words = vec![name(command)];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Lines read but not yet shown: 64. The reader waits when it is full, and the command with it.
const LINES_WAITING_MAX: usize = 64;

/// Lines of a failed command's log that are shown: 25, about a screen.
const TAIL_LINES: usize = 25;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_also_when_the_command_fails() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        let (kept, verdict) = keeping(&mut command, |text| text == "two").unwrap();
        assert_eq!(kept, ["two"]);
        assert!(verdict.unwrap_err().to_string().contains("exit status: 3"));
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
    }
}
