//! The audit log: what happened at the doors, one JSON object per line, for who answers for the server.
//!
//! It holds no code, payload, key or address: a device is told by the first eight characters of its id, a network by
//! a keyed hash whose key is drawn anew each day and written nowhere, so that the lines of one day can be put
//! together and those of two days cannot. The hub never waits for it: what comes too fast is counted and left out.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::reload::Hangups;
use crate::rendezvous::{ConnectionId, Note, Origin};

/// Where lines are given in. One without a file keeps and writes nothing.
#[derive(Debug, Default)]
pub(super) struct Audit(Option<Open>);

#[derive(Debug)]
struct Open {
    lines: mpsc::Sender<Line>,
    networks: HashMap<ConnectionId, String>,
    day: Day,
    allowance: Allowance,
}

/// A day and the key of its hashes.
#[derive(Debug)]
struct Day {
    number: u64,
    key: [u8; 32],
}

/// How many lines were written in this second, and how many were left out since the last one.
#[derive(Debug, Default)]
struct Allowance {
    second: u64,
    written: u32,
    left_out: u64,
}

#[derive(Debug)]
enum Line {
    Text(String),
    /// Somebody has moved the file away.
    OpenAgain,
}

/// Writes what is given in, in a thread of its own.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    waiting: mpsc::Receiver<Line>,
}

/// Asks for the file to be opened again on SIGHUP.
#[derive(Debug)]
pub(super) struct Renewal(mpsc::Sender<Line>);

impl Audit {
    /// Opens the file, behind what is in it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Writer, Renewal)> {
        let (lines, waiting) = mpsc::channel(LINES_WAITING_MAX);
        let writer = Writer {
            path: path.to_owned(),
            file: open(path)?,
            waiting,
        };
        let renewal = Renewal(lines.clone());
        let open = Open {
            lines,
            networks: HashMap::new(),
            day: Day::begin(today())?,
            allowance: Allowance::default(),
        };
        Ok((Self(Some(open)), writer, renewal))
    }

    /// A connection is there, from this address.
    pub(super) fn arrived(&mut self, connection: ConnectionId, origin: Origin) {
        if let Some(open) = &mut self.0 {
            let network = open.day.hash(origin);
            open.networks.insert(connection, network);
        }
    }

    /// A connection is gone.
    pub(super) fn left(&mut self, connection: ConnectionId) {
        if let Some(open) = &mut self.0 {
            open.networks.remove(&connection);
        }
    }

    /// Something happened. Gives how many lines were left out for want of room.
    pub(super) fn note(&mut self, note: &Note, connection: Option<ConnectionId>) -> u64 {
        let Some(open) = &mut self.0 else { return 0 };
        let network = connection.and_then(|connection| open.networks.get(&connection));
        let device = match note {
            Note::Registered { who } => Some(who.short()),
            Note::DeviceReplaced { device } => Some(device.short()),
            Note::RegisterFailed
            | Note::AccessDenied
            | Note::CodeCreated
            | Note::CodeClaimed
            | Note::CodeFailed
            | Note::CodeExpired
            | Note::PairingDone
            | Note::RoomCreated
            | Note::RoomJoined
            | Note::RoomRefused
            | Note::RoomClosed
            | Note::ChannelComplete
            | Note::LimitHit => None,
        };
        let fields = json!({
            "event": note.event(),
            "connection": connection.map(|connection| connection.0),
            "network": network,
            "device": device,
        });
        open.write(fields)
    }

    /// The server itself does something.
    pub(super) fn server(&mut self, event: &'static str) {
        if let Some(open) = &mut self.0 {
            open.write(json!({"event": event, "version": env!("CARGO_PKG_VERSION")}));
        }
    }
}

impl Open {
    fn write(&mut self, mut fields: serde_json::Value) -> u64 {
        let now = unix_now();
        if now.as_secs() / SECONDS_A_DAY != self.day.number
            && let Ok(day) = Day::begin(now.as_secs() / SECONDS_A_DAY)
        {
            // Connections of yesterday keep their names of yesterday; new ones have another key.
            self.day = day;
        }
        if self.allowance.second != now.as_secs() {
            self.allowance.second = now.as_secs();
            self.allowance.written = 0;
        }
        self.allowance.written += 1;
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
            let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            fields.insert("unix_ms".to_owned(), millis.into());
            if self.allowance.left_out > 0 {
                fields.insert("left_out".to_owned(), self.allowance.left_out.into());
            }
        }
        let fits = self.allowance.written <= LINES_A_SECOND;
        if fits && self.lines.try_send(Line::Text(fields.to_string())).is_ok() {
            self.allowance.left_out = 0;
            return 0;
        }
        self.allowance.left_out += 1;
        1
    }
}

impl Day {
    fn begin(number: u64) -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Self { number, key })
    }

    /// What stands for an address, on this day.
    fn hash(&self, origin: Origin) -> String {
        let address = origin.remote.to_string();
        let keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key);
        // HMAC takes keys of any length.
        let hash = keyed.map(|mut mac| {
            mac.update(address.as_bytes());
            mac.finalize().into_bytes()
        });
        let hash = hash.map(|hash| HEXLOWER.encode(hash.get(..8).unwrap_or_default()));
        hash.unwrap_or_default()
    }
}

impl Writer {
    /// Runs until nobody gives anything in any more.
    pub(super) fn run(mut self) {
        loop {
            let line = match self.waiting.try_recv() {
                Ok(line) => line,
                Err(_) => {
                    self.look(|file| file.flush());
                    match self.waiting.blocking_recv() {
                        Some(line) => line,
                        None => return,
                    }
                }
            };
            match line {
                Line::Text(text) => self.look(|file| writeln!(file, "{text}")),
                Line::OpenAgain => {
                    self.look(|file| file.flush());
                    match open(&self.path) {
                        Ok(file) => self.file = file,
                        Err(error) => {
                            tracing::error!(%error, "the audit log cannot be opened again")
                        }
                    }
                }
            }
        }
    }

    fn look(&mut self, what: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        if let Err(error) = what(&mut self.file) {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }
}

impl Renewal {
    /// Until `cancel`.
    pub(super) async fn until(self, cancel: CancellationToken) {
        let mut told = Hangups::catch();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = told.next() => {}
            }
            if self.0.send(Line::OpenAgain).await.is_err() {
                return;
            }
        }
    }
}

fn open(path: &Path) -> io::Result<BufWriter<File>> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path).map(BufWriter::new)
}

fn today() -> u64 {
    unix_now().as_secs() / SECONDS_A_DAY
}

fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

const SECONDS_A_DAY: u64 = 86_400;

/// Lines in a second: 100. A flood is told by its count.
const LINES_A_SECOND: u32 = 100;

/// Lines that wait for the disk: 1,024, about 200 KiB.
const LINES_WAITING_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(last: u8) -> Origin {
        Origin::new([203, 0, 113, last].into(), [192, 0, 2, 1].into())
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn one_network_has_one_name_a_day_and_no_address_is_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("audit");
        let (mut audit, writer, renewal) = Audit::open(&path).unwrap();
        for (connection, last) in [(1, 7), (2, 7), (3, 8)] {
            audit.arrived(ConnectionId(connection), origin(last));
            audit.note(&Note::CodeFailed, Some(ConnectionId(connection)));
        }
        drop((audit, renewal));
        writer.run();
        let networks: Vec<_> = lines(&path)
            .iter()
            .map(|line| line["network"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(networks[0], networks[1]);
        assert_ne!(networks[0], networks[2]);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("203.0"));
        let days = [Day::begin(1), Day::begin(2)].map(|day| day.unwrap().hash(origin(7)));
        assert_ne!(days[0], days[1]);
    }

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("audit");
        let (mut audit, writer, renewal) = Audit::open(&path).unwrap();
        let left_out: u64 = (0..5000).map(|_| audit.note(&Note::LimitHit, None)).sum();
        drop((audit, renewal));
        writer.run();
        let written = lines(&path).len() as u64;
        assert!(written + left_out == 5000 && left_out > 4000, "{written}");
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let place = tempfile::tempdir().unwrap();
        let (path, old) = (place.path().join("audit"), place.path().join("audit.1"));
        let (mut audit, writer, renewal) = Audit::open(&path).unwrap();
        audit.server("started");
        std::fs::rename(&path, &old).unwrap();
        renewal.0.try_send(Line::OpenAgain).unwrap();
        audit.server("stopped");
        drop((audit, renewal));
        writer.run();
        assert_eq!(lines(&old)[0]["event"], "started");
        assert_eq!(lines(&path)[0]["event"], "stopped");
    }
}
