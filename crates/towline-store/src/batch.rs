//! The operations of a batch, inside its transaction.
//!
//! Operations on rows of a folder without a record change nothing: there is nothing that the rows
//! would belong to. The caller commits, or drops the transaction on an error.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use towline_core::folder::rules::RulesMark;
use towline_core::records::{
    BrakeRecord, Contact, DiskStamp, Doubt, FolderRecord, OurRow, PeerRecord, StoreOp, Totals,
    Verification,
};
use towline_wire::entry::Entry;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

use crate::columns::{
    Actors, EntryColumns, KIND_ABSENT, beside_column, braking_column, device_number, doubt_column,
    encode, folder_number, known_device, presence_column, reach_column, reach_columns,
    stamp_columns, today,
};
use crate::error::StoreError;
use crate::load::Lookup;
use crate::totals::{Counts, RowColumns};
use crate::{departures, load, restore, settings, totals};

/// A batch that is being carried out.
pub(crate) struct Batch<'store> {
    connection: &'store Connection,
    actors: &'store mut Actors,
    touched: BTreeSet<FolderId>,
}

impl<'store> Batch<'store> {
    /// Begins a batch inside the connection's open transaction.
    pub(crate) const fn begin(connection: &'store Connection, actors: &'store mut Actors) -> Self {
        Self {
            connection,
            actors,
            touched: BTreeSet::new(),
        }
    }

    /// Carries out one operation.
    pub(crate) fn apply(&mut self, op: StoreOp) -> Result<(), StoreError> {
        match op {
            StoreOp::PutDeviceName(name) => {
                self.connection
                    .execute("UPDATE device SET name = ?1", [name])?;
                Ok(())
            }
            StoreOp::PutDeviceSettings(settings) => {
                self.connection.execute(
                    "UPDATE device SET settings = ?1",
                    [settings::device_text(&settings)?],
                )?;
                Ok(())
            }
            StoreOp::BeginIncarnation(incarnation) => {
                self.connection.execute(
                    "UPDATE device SET incarnation = ?1",
                    [incarnation.0.cast_signed()],
                )?;
                Ok(())
            }
            StoreOp::PutPeer(record) => self.put_peer(&record),
            StoreOp::RemovePeer(device) => self.remove_peer(device),
            StoreOp::PutFolder(record) => self.put_folder(&record),
            StoreOp::RemoveFolder(folder) => self.remove_folder(folder),
            StoreOp::PutOurRows { folder, rows } => self.put_our_rows(folder, &rows),
            StoreOp::PutStamps { folder, stamps } => self.put_stamps(folder, &stamps),
            StoreOp::PutPeerRows {
                folder,
                device,
                incarnation,
                up_to,
                entries,
            } => self.put_peer_rows(folder, device, (incarnation, up_to), &entries),
            StoreOp::ForgetPeerRows { folder, device } => self.forget_peer_rows(folder, device),
            StoreOp::PutBrakes { folder, brakes } => self.put_brakes(folder, &brakes),
            StoreOp::PutDepartures { folder, departures } => {
                let Some(number) = self.touch(folder)? else {
                    return Ok(());
                };
                departures::put(self.connection, self.actors, number, &departures)
            }
            StoreOp::PutContacts { folder, contacts } => self.put_contacts(folder, &contacts),
            StoreOp::AddNeeds { folder, paths } => self.add_needs(folder, &paths),
            StoreOp::SettleNeeds { folder, paths } => self.settle_needs(folder, &paths),
            StoreOp::RenewNeeds { folder, under } => self.renew_needs(folder, under),
            StoreOp::PutDoubt { folder, doubt } => self.put_doubt(folder, doubt),
            StoreOp::ForgetStamps { folder, paths } => self.forget_stamps(folder, &paths),
        }
    }

    /// The sums of every folder that was touched and is still there, ascending.
    pub(crate) fn totals(self) -> Result<Vec<(FolderId, Totals)>, StoreError> {
        let mut sums = Vec::with_capacity(self.touched.len());
        for folder in self.touched {
            if let Some(number) = folder_number(self.connection, folder)? {
                sums.push((folder, totals::load(self.connection, number)?));
            }
        }
        Ok(sums)
    }

    fn put_peer(&self, record: &PeerRecord) -> Result<(), StoreError> {
        let PeerRecord {
            id,
            name,
            compare,
            verification,
            addresses,
            servers,
            places,
        } = record;
        let verified = match verification {
            Verification::NotVerified => false,
            Verification::Verified => true,
        };
        // As text, because the binary form would lose the interface of a link-local address.
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO peers (device, name, compare, verified, addresses, servers, places)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                device_number(self.connection, *id)?,
                name,
                encode(compare)?,
                verified,
                encode(&addresses)?,
                encode(servers)?,
                places.join("\n"),
            ])?;
        Ok(())
    }

    fn remove_peer(&mut self, device: DeviceId) -> Result<(), StoreError> {
        for folder in restore::folder_ids(self.connection)? {
            self.forget_peer_rows(folder, device)?;
        }
        if let Some(number) = known_device(self.connection, device)? {
            self.connection
                .execute("DELETE FROM shared_with WHERE device = ?1", [number])?;
            self.connection
                .execute("DELETE FROM peers WHERE device = ?1", [number])?;
        }
        Ok(())
    }

    fn put_folder(&mut self, record: &FolderRecord) -> Result<(), StoreError> {
        let FolderRecord {
            id,
            label,
            root,
            shared_with,
            settings,
        } = record;
        self.connection
            .prepare_cached(
                "INSERT INTO folders (folder, label, root, settings) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (folder) DO UPDATE SET label = excluded.label, root = excluded.root,
                     settings = excluded.settings",
            )?
            .execute(params![
                id.as_bytes(),
                label,
                root.0,
                settings::folder_text(settings)?
            ])?;
        let Some(folder) = self.touch(*id)? else {
            return Ok(());
        };
        self.connection
            .execute("DELETE FROM shared_with WHERE folder = ?1", [folder])?;
        for device in shared_with {
            self.connection
                .prepare_cached("INSERT INTO shared_with (folder, device) VALUES (?1, ?2)")?
                .execute([folder, device_number(self.connection, *device)?])?;
        }
        Ok(())
    }

    fn remove_folder(&self, id: FolderId) -> Result<(), StoreError> {
        let Some(folder) = folder_number(self.connection, id)? else {
            return Ok(());
        };
        for delete in [
            "DELETE FROM needs WHERE folder = ?1",
            "DELETE FROM positions WHERE folder = ?1",
            "DELETE FROM peer_rows WHERE folder = ?1",
            "DELETE FROM our_rows WHERE folder = ?1",
            "DELETE FROM shared_with WHERE folder = ?1",
            "DELETE FROM brakes WHERE folder = ?1",
            "DELETE FROM departures WHERE folder = ?1",
            "DELETE FROM contacts WHERE folder = ?1",
            "DELETE FROM folders WHERE id = ?1",
        ] {
            self.connection.execute(delete, [folder])?;
        }
        Ok(())
    }

    fn put_our_rows(&mut self, id: FolderId, rows: &[OurRow]) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let mut find = self.connection.prepare_cached(
            "SELECT id, kind, size, reach + spoiled FROM our_rows WHERE folder = ?1 AND path = ?2",
        )?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO our_rows (version, author_actor, author_counter, kind, size, hash,
                 executable, target, mtime, sequence, stamp_size, stamp_mtime, stamp_ctime,
                 stamp_file_id, reach, spoiled, descent, attributes, beside, folder, path)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)",
        )?;
        let mut update = self.connection.prepare_cached(
            "UPDATE our_rows SET version = ?1, author_actor = ?2, author_counter = ?3, kind = ?4,
                 size = ?5, hash = ?6, executable = ?7, target = ?8, mtime = ?9, sequence = ?10,
                 stamp_size = ?11, stamp_mtime = ?12, stamp_ctime = ?13, stamp_file_id = ?14,
                 reach = ?15, spoiled = ?16, descent = ?17, attributes = ?18, beside = ?19
             WHERE id = ?20",
        )?;
        let mut sums = totals::load(self.connection, folder)?;
        for OurRow {
            entry,
            sequence,
            stamp,
            reach,
        } in rows
        {
            let path = &entry.path;
            let entry = EntryColumns::of(entry, self.connection, self.actors)?;
            let old: Option<(i64, i64, Option<i64>, i64)> = find
                .query_row(params![folder, entry.path], |row| row.try_into())
                .optional()?;
            let [stamp_size, stamp_mtime, stamp_ctime, stamp_file_id] = stamp_columns(*stamp);
            let statement = if old.is_some() {
                &mut update
            } else {
                &mut insert
            };
            statement.raw_bind_parameter(1, &entry.version)?;
            statement.raw_bind_parameter(2, entry.author_actor)?;
            statement.raw_bind_parameter(3, entry.author_counter)?;
            statement.raw_bind_parameter(4, entry.kind)?;
            statement.raw_bind_parameter(5, entry.size)?;
            statement.raw_bind_parameter(6, entry.hash)?;
            statement.raw_bind_parameter(7, entry.executable)?;
            statement.raw_bind_parameter(8, entry.target)?;
            statement.raw_bind_parameter(9, entry.mtime)?;
            statement.raw_bind_parameter(10, sequence.0.cast_signed())?;
            statement.raw_bind_parameter(11, stamp_size)?;
            statement.raw_bind_parameter(12, stamp_mtime)?;
            statement.raw_bind_parameter(13, stamp_ctime)?;
            statement.raw_bind_parameter(14, stamp_file_id)?;
            let (kept_reach, spoiled) = reach_columns(*reach);
            statement.raw_bind_parameter(15, kept_reach)?;
            statement.raw_bind_parameter(16, spoiled)?;
            statement.raw_bind_parameter(17, &entry.descent)?;
            statement.raw_bind_parameter(18, &entry.attributes)?;
            statement.raw_bind_parameter(19, beside_column(*stamp))?;
            if let Some((number, ..)) = old {
                statement.raw_bind_parameter(20, number)?;
            } else {
                statement.raw_bind_parameter(20, folder)?;
                statement.raw_bind_parameter(21, entry.path)?;
            }
            statement.raw_execute()?;
            let now = RowColumns(entry.kind, entry.size, reach_column(*reach));
            if now.lies() && old.is_some_and(|(_, kind, ..)| kind == KIND_ABSENT) {
                departures::forget(self.connection, folder, entry.path)?;
            }
            let before = old.map(|(_, kind, size, reach)| RowColumns(kind, size, reach));
            if let Some(conflicted) = path.conflicted() {
                let counts = if before.as_ref().is_some_and(RowColumns::lies) != now.lies()
                    && !totals::has_other_copy(self.connection, folder, &conflicted, entry.path)?
                {
                    Counts::Conflict
                } else {
                    Counts::Nothing
                };
                totals::move_copy(&mut sums, before, now, counts);
                continue;
            }
            if let Some(before) = before {
                totals::take(&mut sums, before);
            }
            totals::add(&mut sums, now);
        }
        totals::save(self.connection, folder, &sums)
    }

    fn put_stamps(
        &mut self,
        id: FolderId,
        stamps: &[(RelPath, DiskStamp)],
    ) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let mut update = self.connection.prepare_cached(
            "UPDATE our_rows SET stamp_size = ?3, stamp_mtime = ?4, stamp_ctime = ?5,
                 stamp_file_id = ?6, beside = ?7
             WHERE folder = ?1 AND path = ?2",
        )?;
        for (path, stamp) in stamps {
            let [size, mtime, ctime, file_id] = stamp_columns(Some(*stamp));
            let beside = beside_column(Some(*stamp));
            update.execute(params![
                folder,
                path.as_str(),
                size,
                mtime,
                ctime,
                file_id,
                beside
            ])?;
        }
        Ok(())
    }

    fn put_peer_rows(
        &mut self,
        id: FolderId,
        device: DeviceId,
        (incarnation, up_to): (Incarnation, Sequence),
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let number = device_number(self.connection, device)?;
        let kept: Option<i64> = self
            .connection
            .prepare_cached("SELECT incarnation FROM positions WHERE folder = ?1 AND device = ?2")?
            .query_row([folder, number], |row| row.get(0))
            .optional()?;
        if kept.is_some_and(|kept| kept.cast_unsigned() != incarnation.0) {
            self.forget_peer_rows(id, device)?;
        }
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO positions (folder, device, incarnation, up_to)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute([
                folder,
                number,
                incarnation.0.cast_signed(),
                up_to.0.cast_signed(),
            ])?;

        let mut sums = totals::load(self.connection, folder)?;
        let connection = self.connection;
        let mut put = connection.prepare_cached(PUT_PEER_ROW)?;
        let mut look = Lookup::prepare(connection, folder, load::OUR_ROW)?;
        let mut need = connection.prepare_cached(INSERT_NEED)?;
        for entry in entries {
            let columns = EntryColumns::of(entry, connection, self.actors)?;
            put.execute(params![
                folder,
                number,
                columns.path,
                columns.version,
                columns.author_actor,
                columns.author_counter,
                columns.kind,
                columns.size,
                columns.hash,
                columns.executable,
                columns.target,
                columns.mtime,
                columns.descent,
                columns.attributes,
            ])?;
            let ours = look.our_row(self.actors, &entry.path)?;
            if ours.is_none_or(|ours| ours.entry != *entry) {
                sums.needs += changed(need.execute(params![folder, entry.path.as_str()])?);
            }
        }
        totals::save(self.connection, folder, &sums)
    }

    /// A need at a path where no other peer says anything goes with the peer's row, unless what lies
    /// there is to give way whoever comes.
    fn forget_peer_rows(&mut self, id: FolderId, device: DeviceId) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let Some(device) = known_device(self.connection, device)? else {
            return Ok(());
        };
        let mut sums = totals::load(self.connection, folder)?;
        let gone = self
            .connection
            .prepare_cached(
                "DELETE FROM needs WHERE folder = ?1
                 AND EXISTS (SELECT 1 FROM peer_rows AS of_peer WHERE of_peer.folder = ?1
                     AND of_peer.path = needs.path AND of_peer.device = ?2)
                 AND NOT EXISTS (SELECT 1 FROM peer_rows AS of_other WHERE of_other.folder = ?1
                     AND of_other.path = needs.path AND of_other.device <> ?2)
                 AND NOT EXISTS (SELECT 1 FROM our_rows WHERE our_rows.folder = ?1
                     AND our_rows.path = needs.path AND spoiled = 1)",
            )?
            .execute([folder, device])?;
        sums.needs = sums.needs.wrapping_sub(changed(gone));
        totals::save(self.connection, folder, &sums)?;
        self.connection
            .prepare_cached("DELETE FROM peer_rows WHERE folder = ?1 AND device = ?2")?
            .execute([folder, device])?;
        self.connection
            .prepare_cached("DELETE FROM positions WHERE folder = ?1 AND device = ?2")?
            .execute([folder, device])?;
        self.connection
            .prepare_cached("DELETE FROM contacts WHERE folder = ?1 AND device = ?2")?
            .execute([folder, device])?;
        Ok(())
    }

    fn put_brakes(
        &mut self,
        id: FolderId,
        brakes: &[(DeviceId, BrakeRecord)],
    ) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        for (device, BrakeRecord { braking, carried }) in brakes {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO brakes (folder, device, braking, carried)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute([
                    folder,
                    device_number(self.connection, *device)?,
                    braking_column(*braking),
                    carried.cast_signed(),
                ])?;
        }
        Ok(())
    }

    fn put_contacts(
        &mut self,
        id: FolderId,
        contacts: &[(DeviceId, Contact)],
    ) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let today = today();
        for (device, contact) in contacts {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO contacts (folder, device, presence, met)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute([
                    folder,
                    device_number(self.connection, *device)?,
                    presence_column(contact.presence),
                    today,
                ])?;
        }
        Ok(())
    }

    fn add_needs(&mut self, id: FolderId, paths: &[RelPath]) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let mut need = self.connection.prepare_cached(INSERT_NEED)?;
        let mut sums = totals::load(self.connection, folder)?;
        for path in paths {
            sums.needs += changed(need.execute(params![folder, path.as_str()])?);
        }
        totals::save(self.connection, folder, &sums)
    }

    fn settle_needs(&mut self, id: FolderId, paths: &[RelPath]) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let mut settle = self
            .connection
            .prepare_cached("DELETE FROM needs WHERE folder = ?1 AND path = ?2")?;
        let mut sums = totals::load(self.connection, folder)?;
        for path in paths {
            let gone = settle.execute(params![folder, path.as_str()])?;
            sums.needs = sums.needs.wrapping_sub(changed(gone));
        }
        totals::save(self.connection, folder, &sums)
    }

    /// Equal records are equal in every column, see `columns`.
    fn renew_needs(&mut self, id: FolderId, under: RulesMark) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let renewed = self
            .connection
            .prepare_cached(
                "INSERT INTO needs (folder, path)
                 SELECT DISTINCT theirs.folder, theirs.path FROM peer_rows AS theirs
                 LEFT JOIN our_rows AS ours
                     ON ours.folder = theirs.folder AND ours.path = theirs.path
                 WHERE theirs.folder = ?1
                     AND (ours.version IS NOT theirs.version
                         OR ours.author_actor IS NOT theirs.author_actor
                         OR ours.author_counter IS NOT theirs.author_counter
                         OR ours.kind IS NOT theirs.kind OR ours.size IS NOT theirs.size
                         OR ours.hash IS NOT theirs.hash
                         OR ours.executable IS NOT theirs.executable
                         OR ours.target IS NOT theirs.target OR ours.mtime IS NOT theirs.mtime
                         OR ours.attributes IS NOT theirs.attributes)
                 ON CONFLICT DO NOTHING",
            )?
            .execute([folder])?;
        let mut sums = totals::load(self.connection, folder)?;
        sums.needs += changed(renewed);
        totals::save(self.connection, folder, &sums)?;
        self.connection
            .prepare_cached("UPDATE folders SET needs_under = ?2 WHERE id = ?1")?
            .execute([folder, under.0.cast_signed()])?;
        Ok(())
    }

    fn put_doubt(&mut self, id: FolderId, doubt: Doubt) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        self.connection
            .prepare_cached("UPDATE folders SET doubt = ?2 WHERE id = ?1")?
            .execute(params![folder, doubt_column(doubt)])?;
        Ok(())
    }

    fn forget_stamps(&mut self, id: FolderId, paths: &[RelPath]) -> Result<(), StoreError> {
        let Some(folder) = self.touch(id)? else {
            return Ok(());
        };
        let mut update = self.connection.prepare_cached(
            "UPDATE our_rows SET stamp_size = NULL, stamp_mtime = NULL, stamp_ctime = NULL,
                 stamp_file_id = NULL
             WHERE folder = ?1 AND path = ?2",
        )?;
        for path in paths {
            update.execute(params![folder, path.as_str()])?;
        }
        Ok(())
    }

    /// Notes that the batch touches a folder, and finds its number.
    fn touch(&mut self, folder: FolderId) -> Result<Option<i64>, StoreError> {
        self.touched.insert(folder);
        folder_number(self.connection, folder)
    }
}

const PUT_PEER_ROW: &str = "INSERT OR REPLACE INTO peer_rows (folder, device, path, version,
     author_actor, author_counter, kind, size, hash, executable, target, mtime, descent, attributes)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const INSERT_NEED: &str = "INSERT INTO needs (folder, path) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// A count of rows as sums keep it; `usize` is never wider than 64 bits.
const fn changed(rows: usize) -> u64 {
    rows as u64
}
