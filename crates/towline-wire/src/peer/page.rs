//! How the entries of an index page are written: what many of them share is said once.
//!
//! Each entry is told by how it differs from those before it in the same page. Its history (vector,
//! author and descent) is a reference to an equal one, or follows; so is each actor of it. Its path shares a
//! head and a tail with the path before, its time is the distance from the last time of the same kind.
//! Entries of one rename, or of one copied tree, cost little more than their hashes.
//!
//! A reader holds references against what was said, and what a page holds when it is written out in
//! full against [`INDEX_PAGE_ENTRIES_MAX`] and [`INDEX_PAGE_BYTES_MAX`], before it goes on: a small
//! page cannot be blown up. What is read is never longer when it is written again.

use std::collections::BTreeMap;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use crate::entry::{
    Actor, Attributes, Content, Descent, Dot, Entry, RUNS_MAX, Run, SymlinkTarget, UnixNanos,
    VersionVector,
};
use crate::ids::{ContentHash, DeviceId, Incarnation};
use crate::limits::{
    ATTRIBUTES_MAX, INDEX_PAGE_BYTES_MAX, INDEX_PAGE_ENTRIES_MAX, VERSION_ACTORS_MAX,
};
use crate::rel_path::RelPath;

/// Why bytes are not the entries of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// They end where more must come.
    #[error("page ends within an entry")]
    CutShort,
    /// Bytes are left over.
    #[error("page goes on after its last entry")]
    LeftOver,
    /// A number above 64 bits, or with zeros in front.
    #[error("page holds a number that is not written as it must be")]
    Number,
    /// More entries than [`INDEX_PAGE_ENTRIES_MAX`].
    #[error("page has too many entries")]
    TooManyEntries,
    /// Written out in full, the entries exceed [`INDEX_PAGE_BYTES_MAX`].
    #[error("page holds more than its limit when it is written out")]
    TooLarge,
    /// Something refers to what was not said before.
    #[error("page refers to what it has not said")]
    Reference,
    /// An author outside of the vector that lies in it, a path that shares more than it says, or no
    /// attributes where some are announced.
    #[error("page says at length what it could refer to")]
    Lengthy,
    /// A history that cannot be.
    #[error("page holds a history that cannot be")]
    History,
    /// Attributes that a file cannot have.
    #[error("page holds attributes that cannot be")]
    Attributes,
    /// A path or the target of a symlink that is none.
    #[error("page holds a path that is none")]
    Path,
}

/// Writes entries; a page of more than the limits is written, and refused by whoever reads it.
pub fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut page = Packer::default();
    page.number(entries.len() as u64);
    for entry in entries {
        page.entry(entry);
    }
    page.bytes
}

/// Reads entries; all bytes must be used.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Entry>, PageError> {
    let mut page = Unpacker {
        rest: bytes,
        said: Said::default(),
        histories: Vec::new(),
        actors: Vec::new(),
    };
    let count = usize::try_from(page.number()?).unwrap_or(usize::MAX);
    if count > INDEX_PAGE_ENTRIES_MAX {
        return Err(PageError::TooManyEntries);
    }
    let mut entries = Vec::new();
    let mut room = INDEX_PAGE_BYTES_MAX;
    for _ in 0..count {
        let entry = page.entry()?;
        room = room
            .checked_sub(entry.full_bytes())
            .ok_or(PageError::TooLarge)?;
        entries.push(entry);
    }
    if !page.rest.is_empty() {
        return Err(PageError::LeftOver);
    }
    Ok(entries)
}

/// For `#[serde(with)]`: the entries are one run of bytes.
pub(super) fn serialize<S: Serializer>(
    entries: &[Entry],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&pack(entries))
}

/// For `#[serde(with)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Entry>, D::Error> {
    deserializer.deserialize_bytes(Packed)
}

struct Packed;

impl Visitor<'_> for Packed {
    type Value = Vec<Entry>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the entries of an index page")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<Entry>, E> {
        unpack(bytes).map_err(E::custom)
    }
}

/// What lies at a path: an entry's first number is seven times that of its history, and this. Files
/// that have attributes are kinds of their own, so that others say nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Absent,
    Symlink,
    File,
    Executable,
    Directory,
    FileBeside,
    ExecutableBeside,
}

impl Kind {
    /// How many there are.
    const COUNT: usize = 7;

    /// Splits an entry's first number into its kind and its history.
    const fn split(number: u64) -> (Self, u64) {
        let kind = match number % Self::COUNT as u64 {
            0 => Self::Absent,
            1 => Self::Symlink,
            2 => Self::File,
            3 => Self::Executable,
            4 => Self::Directory,
            5 => Self::FileBeside,
            _ => Self::ExecutableBeside,
        };
        (kind, number / Self::COUNT as u64)
    }

    fn of(content: &Content) -> Self {
        match content {
            Content::Absent => Self::Absent,
            Content::Symlink { .. } => Self::Symlink,
            Content::File {
                executable,
                attributes,
                ..
            } => match (executable, attributes.is_empty()) {
                (false, true) => Self::File,
                (true, true) => Self::Executable,
                (false, false) => Self::FileBeside,
                (true, false) => Self::ExecutableBeside,
            },
            Content::Directory => Self::Directory,
        }
    }
}

/// What the entry before has left behind: what the next one is told by.
#[derive(Debug, Default)]
struct Said {
    path: String,
    /// The last time of each kind.
    times: [i64; Kind::COUNT],
}

impl Said {
    /// Bytes that `path` shares with the path before, at its head and then at its tail; the longest
    /// head, and then the longest tail that does not overlap it on either side.
    fn shared(&self, path: &str) -> (usize, usize) {
        let (old, new) = (self.path.as_bytes(), path.as_bytes());
        let same = |(left, right): &(&u8, &u8)| left == right;
        let head = old.iter().zip(new).take_while(same).count();
        let (old, new) = (&old[head..], &new[head..]);
        let tail = old.iter().rev().zip(new.iter().rev());
        (head, tail.take_while(same).count())
    }

    /// Takes what `entry` leaves behind and gives the time before.
    fn next(&mut self, kind: Kind, path: &RelPath, mtime: UnixNanos) {
        self.times[kind as usize] = mtime.0;
        self.path.clear();
        self.path.push_str(path.as_str());
    }
}

// --- writing -------------------------------------------------------------------------------------

#[derive(Default)]
struct Packer<'a> {
    bytes: Vec<u8>,
    said: Said,
    histories: BTreeMap<History<'a>, u64>,
    actors: BTreeMap<Actor, u64>,
}

/// A history that was said.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct History<'a> {
    counters: &'a [(Actor, u64)],
    author: Dot,
    descent: &'a Descent,
}

impl<'a> Packer<'a> {
    fn entry(&mut self, entry: &'a Entry) {
        let kind = Kind::of(&entry.content);
        let next = self.histories.len() as u64;
        let history = History {
            counters: entry.version.counters(),
            author: entry.author,
            descent: &entry.descent,
        };
        let number = *self.histories.entry(history).or_insert(next);
        self.number(number * Kind::COUNT as u64 + kind as u64);
        if number == next {
            self.history(&entry.version, entry.author);
            self.descent(&entry.version, &entry.descent);
        }
        let path = entry.path.as_str().as_bytes();
        let (head, tail) = self.said.shared(entry.path.as_str());
        self.number(head as u64);
        self.number(tail as u64);
        self.run(&path[head..path.len() - tail]);
        let distance = entry.mtime.0.wrapping_sub(self.said.times[kind as usize]);
        // The sign goes to the lowest bit, so that small distances either way are short.
        self.number(((distance << 1) ^ (distance >> 63)).cast_unsigned());
        match &entry.content {
            Content::Absent | Content::Directory => {}
            Content::Symlink { target } => self.run(target.as_str().as_bytes()),
            Content::File {
                size,
                hash,
                attributes,
                executable: _,
            } => {
                self.number(*size);
                self.bytes.extend_from_slice(hash.as_bytes());
                self.attributes(attributes);
            }
        }
        self.said.next(kind, &entry.path, entry.mtime);
    }

    fn history(&mut self, version: &VersionVector, author: Dot) {
        self.number(version.iter().count() as u64);
        for (actor, counter) in version.iter() {
            self.actor(actor);
            self.number(counter);
        }
        match place_of(version, author) {
            Some((place, behind)) => {
                self.number(place as u64 + 1);
                self.number(behind);
            }
            None => {
                self.number(0);
                self.actor(author.actor);
                self.number(author.counter);
            }
        }
    }

    /// What the history does not know cannot be told, and is left out.
    fn descent(&mut self, version: &VersionVector, descent: &Descent) {
        let placed = |run: &Run| Some((position_of(version, run.actor)?, *run));
        let runs: Vec<(usize, Run)> = descent.runs().iter().filter_map(placed).collect();
        self.number(runs.len() as u64);
        for (place, run) in runs {
            self.number(place as u64);
            self.number(run.first);
            self.number(run.last - run.first);
        }
    }

    fn actor(&mut self, actor: Actor) {
        let next = self.actors.len() as u64;
        let number = *self.actors.entry(actor).or_insert(next);
        self.number(number);
        if number == next {
            self.bytes.extend_from_slice(actor.device.as_bytes());
            let incarnation = actor.incarnation.0.to_le_bytes();
            self.bytes.extend_from_slice(&incarnation);
        }
    }

    fn attributes(&mut self, attributes: &Attributes) {
        if attributes.is_empty() {
            return;
        }
        self.number(attributes.iter().count() as u64);
        for (name, value) in attributes.iter() {
            self.run(name.as_bytes());
            self.run(value);
        }
    }

    fn run(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }
}

/// Where in the vector the author's actor stands, and by how many writes of it the author is older.
fn place_of(version: &VersionVector, author: Dot) -> Option<(usize, u64)> {
    let place = position_of(version, author.actor)?;
    let behind = version.counter(author.actor).checked_sub(author.counter)?;
    Some((place, behind))
}

fn position_of(version: &VersionVector, actor: Actor) -> Option<usize> {
    version.iter().position(|(known, _)| known == actor)
}

// --- reading -------------------------------------------------------------------------------------

struct Unpacker<'a> {
    rest: &'a [u8],
    said: Said,
    histories: Vec<(VersionVector, Dot, Descent)>,
    actors: Vec<Actor>,
}

impl<'a> Unpacker<'a> {
    fn entry(&mut self) -> Result<Entry, PageError> {
        let (kind, history) = Kind::split(self.number()?);
        let (version, author, descent) = self.history_at(history)?;
        let path = self.path()?;
        let coded = self.number()?;
        let distance = (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed();
        let mtime = UnixNanos(self.said.times[kind as usize].wrapping_add(distance));
        let content = match kind {
            Kind::Absent => Content::Absent,
            Kind::Directory => Content::Directory,
            Kind::Symlink => {
                let text = self.run()?.to_vec();
                let text = String::from_utf8(text).map_err(|_| PageError::Path)?;
                let target = SymlinkTarget::parse(text).map_err(|_| PageError::Path)?;
                Content::Symlink { target }
            }
            Kind::File | Kind::Executable | Kind::FileBeside | Kind::ExecutableBeside => {
                Content::File {
                    size: self.number()?,
                    hash: ContentHash::from_bytes(self.array()?),
                    executable: matches!(kind, Kind::Executable | Kind::ExecutableBeside),
                    attributes: match kind {
                        Kind::FileBeside | Kind::ExecutableBeside => self.attributes()?,
                        Kind::File
                        | Kind::Executable
                        | Kind::Absent
                        | Kind::Symlink
                        | Kind::Directory => Attributes::default(),
                    },
                }
            }
        };
        self.said.next(kind, &path, mtime);
        Ok(Entry {
            path,
            version,
            author,
            content,
            mtime,
            descent,
        })
    }

    fn attributes(&mut self) -> Result<Attributes, PageError> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > ATTRIBUTES_MAX {
            return Err(PageError::Attributes);
        }
        let mut all = Vec::new();
        for _ in 0..count {
            let name = String::from_utf8(self.run()?.to_vec());
            all.push((
                name.map_err(|_| PageError::Attributes)?,
                self.run()?.to_vec(),
            ));
        }
        let all = Attributes::try_from(all).map_err(|_| PageError::Attributes)?;
        if all.is_empty() {
            return Err(PageError::Lengthy);
        }
        Ok(all)
    }

    fn history_at(&mut self, number: u64) -> Result<(VersionVector, Dot, Descent), PageError> {
        let at = usize::try_from(number).map_err(|_| PageError::Reference)?;
        if at == self.histories.len() {
            let (version, author) = self.history()?;
            let descent = self.descent(&version)?;
            self.histories.push((version, author, descent));
        }
        let known = self.histories.get(at);
        known.cloned().ok_or(PageError::Reference)
    }

    fn history(&mut self) -> Result<(VersionVector, Dot), PageError> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > VERSION_ACTORS_MAX {
            return Err(PageError::History);
        }
        let mut counters = Vec::new();
        for _ in 0..count {
            counters.push((self.actor()?, self.number()?));
        }
        let version = VersionVector::try_from(counters).map_err(|_| PageError::History)?;
        let place = usize::try_from(self.number()?).map_err(|_| PageError::Reference)?;
        let author = match place.checked_sub(1) {
            Some(place) => {
                let (actor, known) = version.iter().nth(place).ok_or(PageError::Reference)?;
                let counter = known.checked_sub(self.number()?);
                let counter = counter.ok_or(PageError::Reference)?;
                Dot { actor, counter }
            }
            None => {
                let (actor, counter) = (self.actor()?, self.number()?);
                let author = Dot { actor, counter };
                if place_of(&version, author).is_some() {
                    return Err(PageError::Lengthy);
                }
                author
            }
        };
        Ok((version, author))
    }

    fn descent(&mut self, version: &VersionVector) -> Result<Descent, PageError> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count > RUNS_MAX {
            return Err(PageError::History);
        }
        let mut runs = Vec::new();
        for _ in 0..count {
            let place = usize::try_from(self.number()?).map_err(|_| PageError::Reference)?;
            let (actor, _) = version.iter().nth(place).ok_or(PageError::Reference)?;
            let (first, more) = (self.number()?, self.number()?);
            let last = first.checked_add(more).ok_or(PageError::History)?;
            runs.push(Run { actor, first, last });
        }
        Descent::of_history(runs, version).map_err(|_| PageError::History)
    }

    fn actor(&mut self) -> Result<Actor, PageError> {
        let at = usize::try_from(self.number()?).map_err(|_| PageError::Reference)?;
        if at == self.actors.len() {
            let actor = Actor {
                device: DeviceId::from_public_key(self.array()?),
                incarnation: Incarnation(u64::from_le_bytes(self.array()?)),
            };
            self.actors.push(actor);
        }
        self.actors.get(at).copied().ok_or(PageError::Reference)
    }

    fn path(&mut self) -> Result<RelPath, PageError> {
        let number = |number: u64| usize::try_from(number).map_err(|_| PageError::Reference);
        let (head, tail) = (number(self.number()?)?, number(self.number()?)?);
        let middle = self.run()?;
        let old = self.said.path.as_bytes();
        let after = old.get(head..).ok_or(PageError::Reference)?;
        let until = after.len().checked_sub(tail);
        let until = until.ok_or(PageError::Reference)?;
        let bytes = [&old[..head], middle, &after[until..]].concat();
        let text = String::from_utf8(bytes).map_err(|_| PageError::Path)?;
        if self.said.shared(&text) != (head, tail) {
            return Err(PageError::Lengthy);
        }
        RelPath::parse(text).map_err(|_| PageError::Path)
    }

    fn run(&mut self) -> Result<&'a [u8], PageError> {
        let length = usize::try_from(self.number()?).map_err(|_| PageError::CutShort)?;
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PageError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| PageError::CutShort)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PageError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(PageError::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Seven bits a byte, the lowest first; a byte that is not the last has its highest bit set, and
    /// the last of several is not zero.
    fn number(&mut self) -> Result<u64, PageError> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            let digit = u64::from(byte & 0x7f);
            if (digit << shift) >> shift != digit || (byte == 0 && shift > 0) {
                return Err(PageError::Number);
            }
            number |= digit << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(PageError::Number)
    }
}

#[cfg(test)]
mod tests;
