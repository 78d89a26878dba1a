//! What somebody on the way sees: a capture of one interface by tcpdump, and what of it could tell that two
//! captures are of one device.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::PATIENCE;
use super::running::Running;

/// Bytes of a datagram that are looked at: its headers and what a sender could repeat after them.
const HEAD_BYTES: usize = 64;

/// Bytes that are no chance when two captures share them at one place: 6.
const TELLING_BYTES: usize = 6;

/// Datagrams after which is asked whether they are enough: more than a device sends while it finds out that it has
/// moved.
const ASKED_EVERY: usize = 250;

/// Where names are announced on a local network.
const MDNS_PORT: u16 = 5353;

/// The attribute of STUN messages that holds a name.
const USERNAME: [u8; 2] = [0, 6];

/// What every device says in its announcements.
const COMMON_LABELS: [&str; 5] = ["_towline", "_udp", "local", "_services", "_dns-sd"];

/// A running capture.
#[derive(Debug)]
pub(crate) struct Capture {
    running: Running,
    file: PathBuf,
}

/// What a datagram is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A packet of a connection that stands.
    Short,
    /// A packet of a handshake.
    Long,
    Probe,
    Stun,
    Mdns,
    Other,
}

/// What a capture shows.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What is at which place in datagrams of a kind.
    telling: BTreeSet<(Kind, usize, Vec<u8>)>,
    /// Datagrams of each kind from each address.
    counts: BTreeMap<(Kind, String), usize>,
    /// By which names each address is known to a TURN server.
    turn_names: BTreeSet<(String, Vec<u8>)>,
}

impl Capture {
    /// Begins; `command` runs a shell where the interface is.
    pub(crate) fn begin(mut command: Command, interface: &str, file: PathBuf) -> Self {
        let line = format!(
            "exec tcpdump -n -q -l -Z root --immediate-mode -U -s 256 -i {interface} --print -w {} udp 2>&1",
            file.display()
        );
        command.args(["sh", "-c", &line]);
        let running = Running::start("tcpdump", command, &file.with_extension("log"));
        running.line("that it listens", PATIENCE, |line| {
            line.contains("listening on")
        });
        Self { running, file }
    }

    /// Ends it as soon as it shows enough, which is asked every [`ASKED_EVERY`] datagrams.
    pub(crate) fn end(self, is_enough: impl Fn(&Seen) -> bool) -> Seen {
        self.end_when(ASKED_EVERY, is_enough)
    }

    /// The same, asked after each datagram: where there are few.
    pub(crate) fn end_soon(self, is_enough: impl Fn(&Seen) -> bool) -> Seen {
        self.end_when(1, is_enough)
    }

    fn end_when(self, every: usize, is_enough: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for _ in 0..every {
                let line = self.running.next_line(PATIENCE);
                line.expect("datagrams pass");
            }
            let seen = Seen::of(&fs::read(&self.file).expect("a capture"));
            if is_enough(&seen) {
                self.running.kill();
                return seen;
            }
            assert!(Instant::now() < deadline, "only {:?}", seen.counts);
        }
    }
}

impl Seen {
    fn of(capture: &[u8]) -> Self {
        let mut seen = Self::default();
        // The file's header has 24 bytes, each packet's 16 (pcap-savefile(5)).
        let mut rest = capture.get(24..).unwrap_or_default();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let length = [header[8], header[9], header[10], header[11]];
            let length = u32::from_le_bytes(length) as usize;
            let Some(frame) = after.get(..length) else {
                break;
            };
            if let Some(datagram) = Datagram::of(frame) {
                seen.take(&datagram);
            }
            rest = &after[length..];
        }
        seen
    }

    fn take(&mut self, datagram: &Datagram<'_>) {
        let kind = datagram.kind();
        *self
            .counts
            .entry((kind, datagram.from.clone()))
            .or_default() += 1;
        if let Some(name) = datagram.turn_name() {
            let name = (datagram.from.clone(), name.to_vec());
            self.turn_names.insert(name);
        }
        let head = datagram.bytes;
        let head = &head[..head.len().min(HEAD_BYTES)];
        // What every program of the kind says: flags, QUIC's version and lengths, STUN's cookie, a probe's magic.
        let (from, to) = match kind {
            Kind::Short | Kind::Probe => (1, head.len()),
            Kind::Long => (6, head.len()),
            Kind::Stun => (8, 20),
            Kind::Other => (0, head.len()),
            Kind::Mdns => {
                for label in labels(datagram.bytes) {
                    self.telling.insert((kind, 0, label));
                }
                return;
            }
        };
        let body = head.get(from..to).unwrap_or_default();
        for (at, bytes) in body.windows(TELLING_BYTES).enumerate() {
            // The padding of large probes.
            if bytes.iter().any(|byte| *byte != 0) {
                self.telling.insert((kind, from + at, bytes.to_vec()));
            }
        }
    }

    /// Datagrams of a kind from an address.
    pub(crate) fn count(&self, kind: Kind, from: &str) -> usize {
        let of = self.counts.get(&(kind, from.to_owned()));
        of.copied().unwrap_or_default()
    }

    /// By which names an address is known to a TURN server: what is behind the time in them.
    pub(crate) fn turn_names(&self, from: &str) -> BTreeSet<Vec<u8>> {
        let of = self.turn_names.iter().filter(|(host, _)| host == from);
        of.map(|(_, name)| name.clone()).collect()
    }

    /// What this and another capture have in common.
    pub(crate) fn shared_with(&self, other: &Self) -> Vec<String> {
        let common = self.telling.intersection(&other.telling);
        let told = common.map(|(kind, at, bytes)| format!("{kind:?} at {at}: {bytes:02x?}"));
        told.collect()
    }
}

/// One datagram.
struct Datagram<'a> {
    from: String,
    ports: [u16; 2],
    bytes: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// The one in an Ethernet frame.
    fn of(frame: &'a [u8]) -> Option<Self> {
        let packet = frame.get(14..)?;
        let (from, udp) = match packet.first()? >> 4 {
            4 => {
                let source = packet.get(12..16)?;
                let length = usize::from(packet.first()? & 15) * 4;
                let source: Vec<String> = source.iter().map(u8::to_string).collect();
                (source.join("."), packet.get(length..)?)
            }
            6 => (format!("{:02x?}", packet.get(8..24)?), packet.get(40..)?),
            _ => return None,
        };
        let port = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
        Some(Self {
            from,
            ports: [port(0)?, port(2)?],
            bytes: udp.get(8..)?,
        })
    }

    fn kind(&self) -> Kind {
        if self.ports.contains(&MDNS_PORT) {
            return Kind::Mdns;
        }
        match self.bytes {
            [0x2e, ..] => Kind::Probe,
            [_, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => Kind::Stun,
            [first, ..] if first & 0xc0 == 0xc0 => Kind::Long,
            [first, ..] if first & 0xc0 == 0x40 => Kind::Short,
            _ => Kind::Other,
        }
    }

    /// The USERNAME of a STUN message without the time before it (RFC 8489, section 14.3).
    fn turn_name(&self) -> Option<&'a [u8]> {
        if self.kind() != Kind::Stun {
            return None;
        }
        let mut rest = self.bytes.get(20..)?;
        while let Some((header, after)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
            if header[..2] == USERNAME {
                let name = after.get(..length)?;
                let colon = name.iter().position(|byte| *byte == b':');
                return name.get(colon.map_or(0, |at| at + 1)..);
            }
            rest = after.get(length.next_multiple_of(4)..)?;
        }
        None
    }
}

/// Runs of letters in an announcement that are no label of everybody's: a random one, if they mean nothing.
fn labels(message: &[u8]) -> Vec<Vec<u8>> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    message
        .split(|byte| !is_letter(byte))
        .filter(|run| run.len() >= TELLING_BYTES)
        .filter(|run| {
            let run = String::from_utf8_lossy(run);
            !COMMON_LABELS.iter().any(|label| run.ends_with(label))
        })
        .map(<[u8]>::to_vec)
        .collect()
}
