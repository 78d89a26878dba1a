//! The log of a device: what shells write to their standard error, and what its home keeps.
//!
//! The home keeps the lines of a week, a file for each day (UTC), from `info` on whatever the person asks
//! for on standard error: no name, address or key stands in such lines, so that they can be sent to those
//! who help ([`crate::diagnostics`]). A log that cannot be kept is no reason not to start.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::{fs, io};

use tracing::warn;
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::engine::make_home;

/// Codes, tokens and sealed messages pass through WebSockets, whose library tells all of it at `trace`. That is not
/// compiled, so that nobody can ask for it.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize);

/// How lines on standard error look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Begins the log of the device at `home`: on standard error what `RUST_LOG` asks for, and in the home.
/// Once in a process.
pub fn begin_log(home: &Path, form: LogForm) {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let seen = EnvFilter::try_new(directives(asked.as_deref())).unwrap_or_else(|_| usual());
    let lines = fmt::layer().with_writer(io::stderr);
    let shown = match form {
        LogForm::Json => lines.json().with_filter(seen).boxed(),
        LogForm::Text => lines
            .with_ansi(io::stderr().is_terminal())
            .with_filter(seen)
            .boxed(),
    };
    let file = file(home);
    let (kept, fault) = match file {
        Ok(file) => {
            let lines = fmt::layer().with_writer(file).with_ansi(false);
            (Some(lines.with_filter(usual())), None)
        }
        Err(error) => (None, Some(error)),
    };
    registry().with(shown).with(kept).init();
    if let Some(error) = fault {
        warn!(%error, "no log is kept");
    }
}

/// Where the device at `home` keeps its log.
#[must_use]
pub fn log_directory(home: &Path) -> PathBuf {
    home.join("logs")
}

/// The latest lines that the device at `home` has kept, at most `bytes_max` bytes of them, oldest first.
/// What cannot be read is left out.
#[must_use]
pub fn kept_log(home: &Path, bytes_max: usize) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(log_directory(home))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|end| end == "log"));
    // The name of a file is its day.
    files.sort();
    let mut text = String::new();
    for file in files.iter().rev() {
        let bytes = fs::read(file).unwrap_or_default();
        text.insert_str(0, &String::from_utf8_lossy(&bytes));
        if text.len() >= bytes_max {
            break;
        }
    }
    // From the beginning of a line on.
    let over = text.len().saturating_sub(bytes_max);
    let cut = text.char_indices().find(|(place, _)| {
        *place >= over && (*place == 0 || text.as_bytes().get(place - 1) == Some(&b'\n'))
    });
    text.split_off(cut.map_or(text.len(), |(place, _)| place))
}

fn file(home: &Path) -> Result<RollingFileAppender, LogFileError> {
    make_home(home)?;
    Ok(RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("towline")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(log_directory(home))?)
}

#[derive(Debug, thiserror::Error)]
enum LogFileError {
    #[error(transparent)]
    Home(#[from] io::Error),
    #[error(transparent)]
    File(#[from] InitError),
}

/// Directives for what a person asked for, or `info`.
///
/// quinn's sockets warn of what cannot be sent with the address of the peer, and addresses belong to no log
/// above debug. The parser of STUN warns of every message that is none, and anybody can send those. A person who
/// names `quinn_udp` or `stun_types` gets it all the same.
fn directives(asked: Option<&str>) -> String {
    let asked = asked.map(str::trim).filter(|asked| !asked.is_empty());
    format!(
        "quinn_udp=error,stun_types=error,{}",
        asked.unwrap_or("info")
    )
}

fn usual() -> EnvFilter {
    EnvFilter::new(directives(None))
}

/// Days of which the log is kept: a week, for a person who tells on Monday what went wrong on Friday.
const DAYS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(home: &Path, day: &str, text: &str) {
        fs::create_dir_all(log_directory(home)).unwrap();
        fs::write(log_directory(home).join(format!("towline.{day}.log")), text).unwrap();
    }

    #[test]
    fn the_latest_lines_are_read_whole_and_in_their_order() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(kept_log(home.path(), 100), "");
        written(home.path(), "2026-03-02", "three\nfour ü\n");
        written(home.path(), "2026-03-01", "one\ntwo\n");
        fs::write(log_directory(home.path()).join("else.txt"), "else").unwrap();
        assert_eq!(kept_log(home.path(), 100), "one\ntwo\nthree\nfour ü\n");
        assert_eq!(kept_log(home.path(), 20), "two\nthree\nfour ü\n");
        assert_eq!(kept_log(home.path(), 8), "four ü\n");
        assert_eq!(kept_log(home.path(), 3), "");
    }

    #[test]
    fn what_a_person_asks_for_comes_after_what_is_never_told() {
        assert_eq!(directives(None), "quinn_udp=error,stun_types=error,info");
        assert_eq!(directives(Some(" ")), directives(None));
        assert!(directives(Some("debug,quinn_udp=warn")).ends_with(",debug,quinn_udp=warn"));
    }

    #[cfg(unix)]
    #[test]
    fn a_log_is_kept_where_only_its_person_reads() {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;

        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        let mut log = file(&home).unwrap();
        log.write_all(b"a line\n").unwrap();
        drop(log);
        assert_eq!(kept_log(&home, 100), "a line\n");
        let mode = fs::metadata(&home).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
