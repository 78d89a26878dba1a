//! Entries, rows and actors as columns, both ways.
//!
//! Version vectors are blobs of (actor number, counter) pairs in the vector's own order, so equal
//! vectors are equal blobs; descents are blobs of (actor number, first, last), or NULL where there is none.
//! Unsigned numbers are kept as the same 64 bits. What cannot be read back
//! is damage of the file, never a panic.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use towline_core::records::{Beside, Braking, DiskStamp, Doubt, OurRow, Presence, Reach};
use towline_wire::entry::{
    Actor, Attributes, Content, Descent, Dot, Entry, Run, SymlinkTarget, UnixNanos, VersionVector,
};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

use crate::error::StoreError;

/// The columns of an entry, in the order in which [`entry_from`] reads them: 0 to 11.
macro_rules! entry_columns {
    () => {
        "path, version, author_actor, author_counter, kind, size, hash, executable, target, mtime,
         descent, attributes"
    };
}

/// The columns of our own rows, in the order in which [`our_row_from`] reads them: 0 to 18.
macro_rules! our_columns {
    () => {
        concat!(
            crate::columns::entry_columns!(),
            ", sequence, stamp_size, stamp_mtime, stamp_ctime, stamp_file_id, reach + spoiled,
             beside"
        )
    };
}

pub(crate) use {entry_columns, our_columns};

/// The numbers of actors that were used lately, so that rows need not join.
#[derive(Debug, Default)]
pub(crate) struct Actors {
    numbers: BTreeMap<Actor, i64>,
    actors: BTreeMap<i64, Actor>,
}

impl Actors {
    /// Forgets all; numbers that a rolled-back transaction gave out are no longer valid.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.actors.clear();
    }

    pub(crate) fn number(
        &mut self,
        connection: &Connection,
        actor: Actor,
    ) -> Result<i64, StoreError> {
        if let Some(number) = self.numbers.get(&actor) {
            return Ok(*number);
        }
        let device = device_number(connection, actor.device)?;
        let incarnation = actor.incarnation.0.cast_signed();
        let known = connection
            .prepare_cached("SELECT id FROM actors WHERE device = ?1 AND incarnation = ?2")?
            .query_row([device, incarnation], |row| row.get(0))
            .optional()?;
        let number = match known {
            Some(number) => number,
            None => connection
                .prepare_cached("INSERT INTO actors (device, incarnation) VALUES (?1, ?2)")?
                .insert([device, incarnation])?,
        };
        self.remember(number, actor);
        Ok(number)
    }

    pub(crate) fn actor(
        &mut self,
        connection: &Connection,
        number: i64,
    ) -> Result<Actor, StoreError> {
        if let Some(actor) = self.actors.get(&number) {
            return Ok(*actor);
        }
        let found = connection
            .prepare_cached(
                "SELECT key, incarnation FROM actors JOIN devices ON devices.id = device
                 WHERE actors.id = ?1",
            )?
            .query_row([number], |row| {
                let incarnation = Incarnation(row.get::<_, i64>(1)?.cast_unsigned());
                Ok(Actor {
                    device: device_from(row, 0)?,
                    incarnation,
                })
            })
            .optional()?;
        let actor = found.ok_or(StoreError::Impossible("actor"))?;
        self.remember(number, actor);
        Ok(actor)
    }

    fn remember(&mut self, number: i64, actor: Actor) {
        if self.actors.len() >= ACTORS_REMEMBERED {
            self.clear();
        }
        self.numbers.insert(actor, number);
        self.actors.insert(number, actor);
    }
}

/// An entry ready to be bound to a statement.
pub(crate) struct EntryColumns<'entry> {
    pub(crate) path: &'entry str,
    pub(crate) version: Vec<u8>,
    pub(crate) author_actor: i64,
    pub(crate) author_counter: i64,
    pub(crate) kind: i64,
    pub(crate) size: Option<i64>,
    pub(crate) hash: Option<&'entry [u8; 32]>,
    pub(crate) executable: Option<bool>,
    pub(crate) target: Option<&'entry str>,
    pub(crate) mtime: i64,
    pub(crate) descent: Option<Vec<u8>>,
    pub(crate) attributes: Option<Vec<u8>>,
}

impl<'entry> EntryColumns<'entry> {
    /// Encodes an entry, giving numbers to actors that are new.
    pub(crate) fn of(
        entry: &'entry Entry,
        connection: &Connection,
        actors: &mut Actors,
    ) -> Result<Self, StoreError> {
        let mut counters = Vec::new();
        for (actor, counter) in entry.version.iter() {
            counters.push((actors.number(connection, actor)?, counter));
        }
        let mut runs = Vec::new();
        for Run { actor, first, last } in entry.descent.runs() {
            runs.push((actors.number(connection, *actor)?, *first, *last));
        }
        let descent = (!runs.is_empty()).then(|| encode(&runs)).transpose()?;
        let mut columns = Self {
            path: entry.path.as_str(),
            version: encode(&counters)?,
            author_actor: actors.number(connection, entry.author.actor)?,
            author_counter: entry.author.counter.cast_signed(),
            kind: KIND_ABSENT,
            size: None,
            hash: None,
            executable: None,
            target: None,
            mtime: entry.mtime.0,
            descent,
            attributes: None,
        };
        match &entry.content {
            Content::Absent => {}
            Content::Symlink { target } => {
                columns.kind = KIND_SYMLINK;
                columns.target = Some(target.as_str());
            }
            Content::File {
                size,
                hash,
                executable,
                attributes,
            } => {
                columns.kind = KIND_FILE;
                columns.size = Some(size.cast_signed());
                columns.hash = Some(hash.as_bytes());
                columns.executable = Some(*executable);
                if !attributes.is_empty() {
                    columns.attributes = Some(encode(attributes)?);
                }
            }
            Content::Directory => columns.kind = KIND_DIRECTORY,
        }
        Ok(columns)
    }
}

/// Reads [`entry_columns`].
pub(crate) fn entry_from(
    row: &Row<'_>,
    connection: &Connection,
    actors: &mut Actors,
) -> Result<Entry, StoreError> {
    let counters: Vec<(i64, u64)> = decode(blob(row, 1)?, "version")?;
    let mut version = Vec::with_capacity(counters.len());
    for (number, counter) in counters {
        version.push((actors.actor(connection, number)?, counter));
    }
    let version =
        VersionVector::try_from(version).map_err(|_| StoreError::Impossible("version"))?;
    Ok(Entry {
        path: path_from(row, 0)?,
        descent: descent_from(row, &version, connection, actors)?,
        version,
        author: Dot {
            actor: actors.actor(connection, row.get(2)?)?,
            counter: row.get::<_, i64>(3)?.cast_unsigned(),
        },
        content: content_from(row)?,
        mtime: UnixNanos(row.get(9)?),
    })
}

fn descent_from(
    row: &Row<'_>,
    version: &VersionVector,
    connection: &Connection,
    actors: &mut Actors,
) -> Result<Descent, StoreError> {
    if row.get_ref(10)? == ValueRef::Null {
        return Ok(Descent::none());
    }
    let told: Vec<(i64, u64, u64)> = decode(blob(row, 10)?, "descent")?;
    let mut runs = Vec::with_capacity(told.len());
    for (number, first, last) in told {
        let actor = actors.actor(connection, number)?;
        runs.push(Run { actor, first, last });
    }
    Descent::of_history(runs, version).map_err(|_| StoreError::Impossible("descent"))
}

/// Reads [`our_columns`].
pub(crate) fn our_row_from(
    row: &Row<'_>,
    connection: &Connection,
    actors: &mut Actors,
) -> Result<OurRow, StoreError> {
    Ok(OurRow {
        entry: entry_from(row, connection, actors)?,
        sequence: Sequence(row.get::<_, i64>(12)?.cast_unsigned()),
        stamp: stamp_from(row, 13)?
            .map(|stamp| Ok::<_, StoreError>(stamp.beside(beside_from(row, 18)?)))
            .transpose()?,
        reach: reach_from(row, 17)?,
    })
}

/// Reads the four columns of a stamp from `first` on, without what is known of attributes.
pub(crate) fn stamp_from(row: &Row<'_>, first: usize) -> Result<Option<DiskStamp>, StoreError> {
    let Some(size) = row.get::<_, Option<i64>>(first)? else {
        return Ok(None);
    };
    Ok(Some(DiskStamp {
        size: size.cast_unsigned(),
        mtime: UnixNanos(row.get(first + 1)?),
        ctime: UnixNanos(row.get(first + 2)?),
        file_id: row.get::<_, i64>(first + 3)?.cast_unsigned(),
        beside: Beside::default(),
    }))
}

/// The four columns of a stamp: size, mtime, ctime, file id.
pub(crate) fn stamp_columns(stamp: Option<DiskStamp>) -> [Option<i64>; 4] {
    match stamp {
        Some(DiskStamp {
            size,
            mtime,
            ctime,
            file_id,
            beside: _,
        }) => [
            Some(size.cast_signed()),
            Some(mtime.0),
            Some(ctime.0),
            Some(file_id.cast_signed()),
        ],
        None => [None; 4],
    }
}

/// What is known of attributes as its column.
pub(crate) fn beside_column(stamp: Option<DiskStamp>) -> i64 {
    match stamp.map(|stamp| stamp.beside).unwrap_or_default() {
        Beside::Unasked => 0,
        Beside::Shown => 1,
        Beside::Unheld => 2,
    }
}

fn beside_from(row: &Row<'_>, column: usize) -> Result<Beside, StoreError> {
    match row.get(column)? {
        0 => Ok(Beside::Unasked),
        1 => Ok(Beside::Shown),
        2 => Ok(Beside::Unheld),
        _ => Err(StoreError::Impossible("attributes")),
    }
}

/// A reach as its two columns together: `reach + spoiled`.
pub(crate) const fn reach_column(reach: Reach) -> i64 {
    match reach {
        Reach::Everyone => 0,
        Reach::Changed => 1,
        Reach::Added => 2,
        Reach::Yields => 3,
        Reach::Spoiled => 4,
    }
}

/// The two columns of a reach.
pub(crate) const fn reach_columns(reach: Reach) -> (i64, bool) {
    match reach {
        Reach::Spoiled => (reach_column(Reach::Yields), true),
        Reach::Everyone | Reach::Changed | Reach::Added | Reach::Yields => {
            (reach_column(reach), false)
        }
    }
}

/// A doubt as its column.
pub(crate) const fn doubt_column(doubt: Doubt) -> Option<i64> {
    match doubt {
        Doubt::Nothing => None,
        Doubt::Since(since) => Some(since.0),
    }
}

/// Reads a doubt.
pub(crate) fn doubt_from(row: &Row<'_>, column: usize) -> Result<Doubt, StoreError> {
    let since: Option<i64> = row.get(column)?;
    Ok(since.map_or(Doubt::Nothing, |since| Doubt::Since(UnixNanos(since))))
}

/// A brake's state as its column.
pub(crate) const fn braking_column(braking: Braking) -> i64 {
    match braking {
        Braking::Counting => 0,
        Braking::Engaged => 1,
        Braking::Released => 2,
    }
}

/// Reads a brake's state.
pub(crate) fn braking_from(row: &Row<'_>, column: usize) -> Result<Braking, StoreError> {
    match row.get(column)? {
        0 => Ok(Braking::Counting),
        1 => Ok(Braking::Engaged),
        2 => Ok(Braking::Released),
        _ => Err(StoreError::Impossible("brake")),
    }
}

/// A presence as its column.
pub(crate) const fn presence_column(presence: Presence) -> i64 {
    match presence {
        Presence::Steady => 0,
        Presence::Back => 1,
    }
}

/// Reads a presence.
pub(crate) fn presence_from(row: &Row<'_>, column: usize) -> Result<Presence, StoreError> {
    match row.get(column)? {
        0 => Ok(Presence::Steady),
        1 => Ok(Presence::Back),
        _ => Err(StoreError::Impossible("presence")),
    }
}

/// Today by the wall clock: days since 1970, 0 before.
pub(crate) fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| (since.as_secs() / DAY_SECONDS).cast_signed())
}

/// Seconds in a day.
pub(crate) const DAY_SECONDS: u64 = 24 * 3600;

/// Reads a reach.
pub(crate) fn reach_from(row: &Row<'_>, column: usize) -> Result<Reach, StoreError> {
    match row.get(column)? {
        0 => Ok(Reach::Everyone),
        1 => Ok(Reach::Changed),
        2 => Ok(Reach::Added),
        3 => Ok(Reach::Yields),
        4 => Ok(Reach::Spoiled),
        _ => Err(StoreError::Impossible("reach")),
    }
}

/// Reads a path.
pub(crate) fn path_from(row: &Row<'_>, column: usize) -> Result<RelPath, StoreError> {
    RelPath::parse(row.get::<_, String>(column)?).map_err(|_| StoreError::Impossible("path"))
}

/// Reads a device key. Fails as rusqlite does, for use inside its closures.
pub(crate) fn device_from(row: &Row<'_>, column: usize) -> rusqlite::Result<DeviceId> {
    Ok(DeviceId::from_public_key(row.get(column)?))
}

/// The number of a device, given out when it is new.
pub(crate) fn device_number(connection: &Connection, id: DeviceId) -> Result<i64, StoreError> {
    match known_device(connection, id)? {
        Some(number) => Ok(number),
        None => Ok(connection
            .prepare_cached("INSERT INTO devices (key) VALUES (?1)")?
            .insert([id.as_bytes()])?),
    }
}

/// The number of a device that was met before.
pub(crate) fn known_device(
    connection: &Connection,
    id: DeviceId,
) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM devices WHERE key = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// The number of a folder, if there is a record of it.
pub(crate) fn folder_number(
    connection: &Connection,
    id: FolderId,
) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM folders WHERE folder = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// A small record as a blob.
pub(crate) fn encode<T: serde::Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(record).map_err(|_| StoreError::Impossible("record"))
}

/// A small record from its blob; `what` names it in the error.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|_| StoreError::Impossible(what))
}

/// Borrows a blob column.
pub(crate) fn blob<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row [u8], StoreError> {
    let value = row.get_ref(column)?;
    Ok(value.as_blob().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })?)
}

fn content_from(row: &Row<'_>) -> Result<Content, StoreError> {
    match row.get(4)? {
        KIND_ABSENT => Ok(Content::Absent),
        KIND_SYMLINK => Ok(Content::Symlink {
            target: SymlinkTarget::parse(row.get::<_, String>(8)?)
                .map_err(|_| StoreError::Impossible("symlink target"))?,
        }),
        KIND_FILE => Ok(Content::File {
            size: row.get::<_, i64>(5)?.cast_unsigned(),
            hash: ContentHash::from_bytes(row.get(6)?),
            executable: row.get(7)?,
            attributes: attributes_from(row, 11)?,
        }),
        KIND_DIRECTORY => Ok(Content::Directory),
        _ => Err(StoreError::Impossible("kind")),
    }
}

fn attributes_from(row: &Row<'_>, column: usize) -> Result<Attributes, StoreError> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(Attributes::default()),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
            decode(blob(row, column)?, "attributes")
        }
    }
}

/// The `kind` of a tombstone.
pub(crate) const KIND_ABSENT: i64 = 0;
/// The `kind` of a symlink.
pub(crate) const KIND_SYMLINK: i64 = 1;
/// The `kind` of a file.
pub(crate) const KIND_FILE: i64 = 2;
/// The `kind` of a directory.
pub(crate) const KIND_DIRECTORY: i64 = 3;

/// Actors whose numbers are remembered: 4096, about 600 KiB. A healthy home has one per device and
/// incarnation; the bound only keeps a peer that invents actors from filling our memory.
const ACTORS_REMEMBERED: usize = 4096;
