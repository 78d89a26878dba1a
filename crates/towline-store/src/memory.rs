//! The same records in maps: what the real store is held against, and the simulator's own store.
//!
//! Written to be obviously right, not fast: sums are counted anew each time. Nothing is durable; a
//! crash between two outputs is a clone taken there.

use std::collections::{BTreeMap, BTreeSet};

use towline_core::folder::rules::RulesMark;
use towline_core::io::{IndexOf, NeedsOf, PageEnd, StoreReply, StoreRequest};
use towline_core::records::{
    BrakeRecord, Contact, Departure, DeviceSettings, DiskStamp, Doubt, Elsewhere, FolderRecord,
    Moved, Need, OurRow, PeerRecord, Place, Reach, Restored, RestoredFolder, StoreOp, Totals,
};
use towline_wire::entry::{Content, Entry};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

use crate::{Records, StoreError};

/// A store in memory.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    name: String,
    settings: DeviceSettings,
    incarnation: Incarnation,
    peers: BTreeMap<DeviceId, PeerRecord>,
    folders: BTreeMap<FolderId, Folder>,
}

#[derive(Debug, Clone)]
struct Folder {
    record: FolderRecord,
    ours: BTreeMap<RelPath, OurRow>,
    theirs: BTreeMap<(RelPath, DeviceId), Entry>,
    have: BTreeMap<DeviceId, (Incarnation, Sequence)>,
    needs: BTreeSet<RelPath>,
    needs_under: RulesMark,
    brakes: BTreeMap<DeviceId, BrakeRecord>,
    /// None is ever forgotten for its age: worlds in memory are small.
    departures: BTreeMap<RelPath, Departure>,
    doubt: Doubt,
    contacts: BTreeMap<DeviceId, Contact>,
}

impl MemoryStore {
    /// A new store, as [`crate::Opened::New`] is.
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            name: String::new(),
            settings: DeviceSettings::default(),
            incarnation,
            peers: BTreeMap::new(),
            folders: BTreeMap::new(),
        }
    }

    /// Our rows of a folder, by path, tombstones included; `None` without a record of the folder.
    pub fn our_rows(&self, folder: FolderId) -> Option<&BTreeMap<RelPath, OurRow>> {
        self.folders.get(&folder).map(|folder| &folder.ours)
    }

    /// Carries out one operation and returns the folders that it touches.
    fn apply(&mut self, op: StoreOp) -> Vec<FolderId> {
        match op {
            StoreOp::PutDeviceSettings(settings) => {
                self.settings = settings;
                Vec::new()
            }
            StoreOp::PutDeviceName(name) => {
                self.name = name;
                Vec::new()
            }
            StoreOp::BeginIncarnation(incarnation) => {
                self.incarnation = incarnation;
                Vec::new()
            }
            StoreOp::PutPeer(record) => {
                self.peers.insert(record.id, record);
                Vec::new()
            }
            StoreOp::RemovePeer(device) => {
                self.peers.remove(&device);
                for folder in self.folders.values_mut() {
                    folder.forget(device);
                    folder.record.shared_with.remove(&device);
                }
                self.folders.keys().copied().collect()
            }
            StoreOp::PutFolder(record) => {
                let id = record.id;
                match self.folders.get_mut(&id) {
                    Some(folder) => folder.record = record,
                    None => {
                        self.folders.insert(id, Folder::new(record));
                    }
                }
                vec![id]
            }
            StoreOp::RemoveFolder(id) => {
                self.folders.remove(&id);
                Vec::new()
            }
            StoreOp::PutOurRows { folder, rows } => self.on(folder, |folder| {
                for row in rows {
                    let lies = row.entry.content != Content::Absent;
                    let path = row.entry.path.clone();
                    let before = folder.ours.insert(path.clone(), row);
                    let went = |row: OurRow| row.entry.content == Content::Absent;
                    if lies && before.is_some_and(went) {
                        folder.departures.remove(&path);
                    }
                }
            }),
            StoreOp::PutStamps { folder, stamps } => self.on(folder, |folder| {
                for (path, stamp) in stamps {
                    if let Some(row) = folder.ours.get_mut(&path) {
                        row.stamp = Some(stamp);
                    }
                }
            }),
            StoreOp::PutPeerRows {
                folder,
                device,
                incarnation,
                up_to,
                entries,
            } => self.on(folder, |folder| {
                folder.put_theirs(device, (incarnation, up_to), entries);
            }),
            StoreOp::ForgetPeerRows { folder, device } => {
                self.on(folder, |folder| folder.forget(device))
            }
            StoreOp::PutBrakes { folder, brakes } => self.on(folder, |folder| {
                folder.brakes.extend(brakes);
            }),
            StoreOp::PutDepartures { folder, departures } => self.on(folder, |folder| {
                for one in departures {
                    let others = folder.departures.values_mut();
                    others.for_each(|other| other.moved_on(&one));
                    folder.departures.insert(one.path.clone(), one);
                }
            }),
            StoreOp::PutContacts { folder, contacts } => self.on(folder, |folder| {
                folder.contacts.extend(contacts);
            }),
            StoreOp::AddNeeds { folder, paths } => self.on(folder, |folder| {
                folder.needs.extend(paths);
            }),
            StoreOp::SettleNeeds { folder, paths } => self.on(folder, |folder| {
                for path in paths {
                    folder.needs.remove(&path);
                }
            }),
            StoreOp::RenewNeeds { folder, under } => self.on(folder, |folder| {
                folder.renew(under);
            }),
            StoreOp::PutDoubt { folder, doubt } => self.on(folder, |folder| {
                folder.doubt = doubt;
            }),
            StoreOp::ForgetStamps { folder, paths } => self.on(folder, |folder| {
                for path in paths {
                    if let Some(row) = folder.ours.get_mut(&path) {
                        row.stamp = None;
                    }
                }
            }),
        }
    }

    fn on(&mut self, id: FolderId, change: impl FnOnce(&mut Folder)) -> Vec<FolderId> {
        if let Some(folder) = self.folders.get_mut(&id) {
            change(folder);
        }
        vec![id]
    }
}

impl Folder {
    const fn new(record: FolderRecord) -> Self {
        Self {
            record,
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            have: BTreeMap::new(),
            needs: BTreeSet::new(),
            needs_under: RulesMark(0),
            brakes: BTreeMap::new(),
            departures: BTreeMap::new(),
            doubt: Doubt::Nothing,
            contacts: BTreeMap::new(),
        }
    }

    fn put_theirs(
        &mut self,
        device: DeviceId,
        position: (Incarnation, Sequence),
        entries: Vec<Entry>,
    ) {
        if self
            .have
            .get(&device)
            .is_some_and(|kept| kept.0 != position.0)
        {
            self.forget(device);
        }
        self.have.insert(device, position);
        for entry in entries {
            if self.ours.get(&entry.path).map(|ours| &ours.entry) != Some(&entry) {
                self.needs.insert(entry.path.clone());
            }
            self.theirs.insert((entry.path.clone(), device), entry);
        }
    }

    fn renew(&mut self, under: RulesMark) {
        self.needs_under = under;
        for ((path, _), entry) in &self.theirs {
            if self.ours.get(path).map(|ours| &ours.entry) != Some(entry) {
                self.needs.insert(path.clone());
            }
        }
    }

    /// A need at a path where no other peer says anything goes with the peer's row, unless what lies
    /// there is to give way whoever comes.
    fn forget(&mut self, device: DeviceId) {
        let said = |folder: &Self| -> BTreeSet<RelPath> {
            folder.theirs.keys().map(|(path, _)| path.clone()).collect()
        };
        let before = said(self);
        self.theirs.retain(|(_, whose), _| *whose != device);
        self.have.remove(&device);
        self.contacts.remove(&device);
        for path in before.difference(&said(self)) {
            let ours = self.ours.get(path);
            if ours.is_none_or(|row| row.reach != Reach::Spoiled) {
                self.needs.remove(path);
            }
        }
    }

    fn need(&self, path: &RelPath) -> Need {
        let theirs = self.said(path);
        let ours: BTreeSet<ContentHash> = self
            .ours
            .values()
            .filter(|row| !row.is_unseen())
            .filter_map(|row| hash_of(&row.entry))
            .collect();
        let held = theirs
            .iter()
            .filter_map(|(_, entry)| hash_of(entry))
            .filter(|hash| ours.contains(hash))
            .collect();
        Need {
            path: path.clone(),
            ours: self.ours.get(path).cloned(),
            elsewhere: self.elsewhere(path, &theirs),
            moved: self.moved(path),
            theirs,
            held,
        }
    }

    fn elsewhere(&self, path: &RelPath, theirs: &[(DeviceId, Entry)]) -> Elsewhere {
        let is_gone = theirs
            .iter()
            .any(|(_, entry)| entry.content == Content::Absent);
        let ours = self.ours.get(path).and_then(|row| hash_of(&row.entry));
        let stays = |row: &&OurRow| {
            row.entry.path != *path
                && hash_of(&row.entry) == ours
                && !self.needs.contains(&row.entry.path)
        };
        if is_gone && ours.is_some() && self.ours.values().any(|row| stays(&row)) {
            Elsewhere::Stays
        } else {
            Elsewhere::Nowhere
        }
    }

    fn moved(&self, path: &RelPath) -> Option<Moved> {
        let ours = self.ours.get(path);
        ours.filter(|row| row.entry.content == Content::Absent)?;
        let departure = self.departures.get(path)?;
        Some(Moved {
            departure: departure.clone(),
            place: self.place(departure),
        })
    }

    fn place(&self, departure: &Departure) -> Option<Place> {
        let marks = |stamp: DiskStamp| (stamp.file_id, stamp.mtime);
        let mut rows = self.ours.values();
        let ours = rows.find(|row| {
            row.reach == Reach::Everyone
                && hash_of(&row.entry) == Some(departure.hash)
                && row.stamp.map(marks) == Some((departure.file_id, departure.mtime))
        })?;
        Some(Place {
            theirs: self.said(&ours.entry.path),
            ours: ours.clone(),
        })
    }

    fn said(&self, path: &RelPath) -> Vec<(DeviceId, Entry)> {
        self.theirs
            .iter()
            .filter(|((at, _), _)| at == path)
            .map(|((_, device), entry)| (*device, entry.clone()))
            .collect()
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals {
            needs: self.needs.len() as u64,
            ..Totals::default()
        };
        let mut conflicts = BTreeSet::new();
        for row in self.ours.values() {
            totals.local_changes += u64::from(is_local(row));
            if let Some(path) = row.entry.path.conflicted() {
                if row.entry.content != Content::Absent {
                    conflicts.insert(path);
                }
                continue;
            }
            match &row.entry.content {
                Content::Absent => {}
                Content::Symlink { .. } => totals.symlinks += 1,
                Content::Directory => totals.directories += 1,
                Content::File { size, .. } => {
                    totals.files += 1;
                    totals.bytes = totals.bytes.wrapping_add(*size);
                }
            }
        }
        totals.conflicts = conflicts.len() as u64;
        totals
    }
}

impl Records for MemoryStore {
    fn reply_to(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Persist(batch, ops) => {
                let touched: BTreeSet<FolderId> =
                    ops.into_iter().flat_map(|op| self.apply(op)).collect();
                let sums = |id: FolderId| self.folders.get(&id).map(|folder| (id, folder.totals()));
                StoreReply::Persisted(batch, touched.into_iter().filter_map(sums).collect())
            }
            StoreRequest::LoadRows(folder, paths) => {
                let ours = self.our_rows(folder);
                let row = |path: &RelPath| ours.and_then(|ours| ours.get(path)).cloned();
                StoreReply::Rows(folder, paths.iter().map(row).collect())
            }
            StoreRequest::LoadNeeds {
                folder,
                of,
                after,
                limit,
            } => {
                let needs = self.folders.get(&folder).map_or_else(Vec::new, |folder| {
                    let went = |path: &RelPath| folder.departures.contains_key(path);
                    let paths: BTreeSet<&RelPath> = match of {
                        NeedsOf::Everything | NeedsOf::Directories | NeedsOf::Ours => {
                            folder.needs.iter().collect()
                        }
                        NeedsOf::Local => {
                            let local = folder.ours.values().filter(|row| is_local(row));
                            local.map(|row| &row.entry.path).collect()
                        }
                    };
                    let later = paths
                        .into_iter()
                        .filter(|path| Some(*path) > after.as_ref());
                    let needs = later.map(|path| folder.need(path));
                    needs
                        .filter(|need| is_of(need, of) || (of == NeedsOf::Ours && went(&need.path)))
                        .collect()
                });
                let (needs, end) = page(needs, limit);
                StoreReply::Needs { folder, needs, end }
            }
            StoreRequest::LoadIndex {
                folder,
                peer,
                of,
                after,
                limit,
            } => {
                let mut rows: Vec<(Sequence, Entry)> = self
                    .our_rows(folder)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                    .filter(|row| row.sequence > after && is_in(row, of))
                    .map(|row| (row.sequence, row.entry.clone()))
                    .collect();
                rows.sort_by_key(|(sequence, _)| *sequence);
                let (rows, end) = page(rows, limit);
                StoreReply::Index {
                    folder,
                    peer,
                    rows,
                    end,
                }
            }
        }
    }

    fn restored(&self) -> Result<Restored, StoreError> {
        let restore = |folder: &Folder| RestoredFolder {
            record: folder.record.clone(),
            last_sequence: folder
                .ours
                .values()
                .map(|row| row.sequence)
                .max()
                .unwrap_or_default(),
            have: folder.have.clone(),
            needs_under: folder.needs_under,
            totals: folder.totals(),
            brakes: folder.brakes.clone(),
            doubt: folder.doubt,
            contacts: folder.contacts.clone(),
        };
        Ok(Restored {
            name: self.name.clone(),
            settings: self.settings.clone(),
            incarnation: self.incarnation,
            peers: self.peers.values().cloned().collect(),
            folders: self.folders.values().map(restore).collect(),
        })
    }
}

fn is_local(row: &OurRow) -> bool {
    row.reach.is_local(&row.entry.content)
}

fn is_in(row: &OurRow, of: IndexOf) -> bool {
    match of {
        IndexOf::Told => row.reach == Reach::Everyone,
        IndexOf::Everything => true,
    }
}

fn hash_of(entry: &Entry) -> Option<ContentHash> {
    match entry.content {
        Content::File { hash, .. } => Some(hash),
        Content::Absent | Content::Symlink { .. } | Content::Directory => None,
    }
}

fn is_of(need: &Need, of: NeedsOf) -> bool {
    match of {
        NeedsOf::Everything | NeedsOf::Local => true,
        NeedsOf::Ours => {
            let ours = need.ours.as_ref();
            ours.is_some_and(|row| row.entry.content != Content::Absent)
        }
        NeedsOf::Directories => need
            .theirs
            .iter()
            .any(|(_, entry)| entry.content == Content::Directory),
    }
}

fn page<T>(mut rows: Vec<T>, limit: usize) -> (Vec<T>, PageEnd) {
    let end = if rows.len() > limit {
        PageEnd::More
    } else {
        PageEnd::End
    };
    rows.truncate(limit);
    (rows, end)
}
