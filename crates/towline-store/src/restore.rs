//! What a device finds when it starts: itself, its peers, its folders. No rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rusqlite::{Connection, Row};
use towline_core::folder::rules::RulesMark;
use towline_core::records::{
    Activity, BrakeRecord, Contact, DeviceSettings, FolderRecord, FolderSettings, PeerRecord,
    Restored, RestoredFolder, RootPath, Verification,
};
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};

use crate::columns::{
    DAY_SECONDS, blob, braking_from, decode, device_from, doubt_from, presence_from, today,
};
use crate::error::StoreError;
use crate::{settings, totals};

/// What is saved from a damaged database.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) name: String,
    pub(crate) settings: DeviceSettings,
    pub(crate) peers: Vec<PeerRecord>,
    pub(crate) folders: Vec<FolderRecord>,
}

/// Reads everything but rows, ascending by id.
pub(crate) fn restored(connection: &Connection) -> Result<Restored, StoreError> {
    let (name, incarnation, text) = connection.query_row(
        "SELECT name, incarnation, settings FROM device",
        [],
        |row| {
            let incarnation = Incarnation(row.get::<_, i64>(1)?.cast_unsigned());
            Ok((row.get(0)?, incarnation, row.get::<_, String>(2)?))
        },
    )?;
    Ok(Restored {
        name,
        settings: settings::device_settings(&text)?,
        incarnation,
        peers: peers(connection)?,
        folders: folders(connection)?,
    })
}

/// The ids of all folders, ascending.
pub(crate) fn folder_ids(connection: &Connection) -> Result<Vec<FolderId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT folder FROM folders ORDER BY folder")?;
    let mut found = statement.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        ids.push(FolderId::from_bytes(row.get(0)?));
    }
    Ok(ids)
}

/// What a person has set up, as far as a damaged database still tells: the device's name, peers and
/// folders. Reads none of the large tables, which are most likely to be damaged.
pub(crate) fn saved(connection: &Connection) -> Result<Saved, StoreError> {
    let name = connection.query_row("SELECT name FROM device", [], |row| row.get(0))?;
    let text = connection
        .query_row("SELECT settings FROM device", [], |row| {
            row.get::<_, String>(0)
        })
        .map_err(StoreError::from);
    // A store of the first version has no settings, and is as readable as any other.
    let mut statement = connection
        .prepare("SELECT id, folder, label, root, settings FROM folders ORDER BY folder")
        .or_else(|_| {
            connection.prepare("SELECT id, folder, label, root, '{}' FROM folders ORDER BY folder")
        })?;
    let mut found = statement.query([])?;
    let mut folders = Vec::new();
    while let Some(row) = found.next()? {
        folders.push(FolderRecord {
            id: FolderId::from_bytes(row.get(1)?),
            label: row.get(2)?,
            root: RootPath(row.get(3)?),
            shared_with: shared_with(connection, row.get(0)?)?,
            settings: saved_settings(&row.get::<_, String>(4)?),
        });
    }
    Ok(Saved {
        name,
        settings: text
            .and_then(|text| settings::device_settings(&text))
            .unwrap_or_default(),
        peers: peers(connection)?,
        folders,
    })
}

/// The settings of a folder in a damaged database. Where they cannot be read the folder waits for its
/// person, who may have wanted it to keep still.
fn saved_settings(text: &str) -> FolderSettings {
    settings::folder_settings(text).unwrap_or_else(|_| FolderSettings {
        activity: Activity::Paused,
        ..FolderSettings::default()
    })
}

fn peers(connection: &Connection) -> Result<Vec<PeerRecord>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT key, name, compare, verified, addresses, servers, places
         FROM peers JOIN devices ON devices.id = device ORDER BY key",
    )?;
    let mut found = statement.query([])?;
    let mut peers = Vec::new();
    while let Some(row) = found.next()? {
        peers.push(peer_from(row)?);
    }
    Ok(peers)
}

fn peer_from(row: &Row<'_>) -> Result<PeerRecord, StoreError> {
    let addresses: Vec<String> = decode(blob(row, 4)?, "address")?;
    Ok(PeerRecord {
        id: device_from(row, 0)?,
        name: row.get(1)?,
        compare: decode(blob(row, 2)?, "compare string")?,
        verification: if row.get(3)? {
            Verification::Verified
        } else {
            Verification::NotVerified
        },
        addresses: addresses
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Impossible("address"))?,
        servers: decode(blob(row, 5)?, "server")?,
        places: row
            .get::<_, String>(6)?
            .lines()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Impossible("place"))?,
    })
}

fn folders(connection: &Connection) -> Result<Vec<RestoredFolder>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT id, folder, label, root,
             (SELECT max(sequence) FROM our_rows WHERE our_rows.folder = folders.id),
             files, directories, symlinks, bytes, needs, local_changes, conflicts, settings,
             needs_under, doubt
         FROM folders ORDER BY folder",
    )?;
    let mut found = statement.query([])?;
    let mut folders = Vec::new();
    while let Some(row) = found.next()? {
        let number: i64 = row.get(0)?;
        let last: Option<i64> = row.get(4)?;
        folders.push(RestoredFolder {
            record: FolderRecord {
                id: FolderId::from_bytes(row.get(1)?),
                label: row.get(2)?,
                root: RootPath(row.get(3)?),
                shared_with: shared_with(connection, number)?,
                settings: settings::folder_settings(&row.get::<_, String>(12)?)?,
            },
            last_sequence: Sequence(last.unwrap_or(0).cast_unsigned()),
            have: positions(connection, number)?,
            needs_under: RulesMark(row.get::<_, i64>(13)?.cast_unsigned()),
            totals: totals::from_row(row, 5)?,
            brakes: brakes(connection, number)?,
            doubt: doubt_from(row, 14)?,
            contacts: contacts(connection, number)?,
        });
    }
    Ok(folders)
}

fn brakes(
    connection: &Connection,
    folder: i64,
) -> Result<BTreeMap<DeviceId, BrakeRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, braking, carried FROM brakes JOIN devices ON devices.id = device
         WHERE folder = ?1",
    )?;
    let mut found = statement.query([folder])?;
    let mut brakes = BTreeMap::new();
    while let Some(row) = found.next()? {
        let record = BrakeRecord {
            braking: braking_from(row, 1)?,
            carried: row.get::<_, i64>(2)?.cast_unsigned(),
        };
        brakes.insert(device_from(row, 0)?, record);
    }
    Ok(brakes)
}

fn contacts(
    connection: &Connection,
    folder: i64,
) -> Result<BTreeMap<DeviceId, Contact>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, presence, met FROM contacts JOIN devices ON devices.id = device
         WHERE folder = ?1",
    )?;
    let today = today();
    let mut found = statement.query([folder])?;
    let mut contacts = BTreeMap::new();
    while let Some(row) = found.next()? {
        // A clock that went back has met nobody in the future.
        let days = today.saturating_sub(row.get(2)?).max(0).unsigned_abs();
        let contact = Contact {
            presence: presence_from(row, 1)?,
            silent_for: Duration::from_secs(days.saturating_mul(DAY_SECONDS)),
        };
        contacts.insert(device_from(row, 0)?, contact);
    }
    Ok(contacts)
}

fn shared_with(connection: &Connection, folder: i64) -> Result<BTreeSet<DeviceId>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM shared_with JOIN devices ON devices.id = device WHERE folder = ?1",
    )?;
    Ok(statement
        .query_map([folder], |row| device_from(row, 0))?
        .collect::<Result<_, _>>()?)
}

fn positions(
    connection: &Connection,
    folder: i64,
) -> Result<BTreeMap<DeviceId, (Incarnation, Sequence)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, incarnation, up_to FROM positions JOIN devices ON devices.id = device
         WHERE folder = ?1",
    )?;
    let found = statement.query_map([folder], |row| {
        let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok((
            device_from(row, 0)?,
            (Incarnation(number(1)?), Sequence(number(2)?)),
        ))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
