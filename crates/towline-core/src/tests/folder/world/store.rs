//! The store of a replica in these tests: rows in maps, answers at once.

use super::*;

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) rows: BTreeMap<RelPath, OurRow>,
    pub(crate) theirs: BTreeMap<RelPath, BTreeMap<DeviceId, Entry>>,
    pub(crate) have: BTreeMap<DeviceId, (Incarnation, Sequence)>,
    pub(crate) needs: BTreeSet<RelPath>,
    pub(crate) persisted: u64,
    pub(crate) settings: FolderSettings,
    pub(super) needs_under: RulesMark,
    pub(crate) brakes: BTreeMap<DeviceId, BrakeRecord>,
    pub(crate) departures: BTreeMap<RelPath, Departure>,
    pub(crate) doubt: Doubt,
    pub(crate) contacts: BTreeMap<DeviceId, Contact>,
}

impl Store {
    pub(super) fn totals(&self) -> Totals {
        Totals {
            needs: self.needs.len() as u64,
            files: self
                .rows
                .values()
                .filter_map(|row| hash_of(&row.entry.content))
                .count() as u64,
            local_changes: self.rows.values().filter(|row| is_local(row)).count() as u64,
            ..Totals::default()
        }
    }

    pub(super) fn perform(&mut self, op: StoreOp) {
        match op {
            StoreOp::PutOurRows { rows, .. } => {
                for row in rows {
                    if row.entry.content != Content::Absent {
                        self.departures.remove(&row.entry.path);
                    }
                    self.rows.insert(row.entry.path.clone(), row);
                }
            }
            StoreOp::PutStamps { stamps, .. } => {
                for (path, stamp) in stamps {
                    self.rows.get_mut(&path).unwrap().stamp = Some(stamp);
                }
            }
            StoreOp::PutPeerRows {
                device,
                incarnation,
                up_to,
                entries,
                ..
            } => {
                if self
                    .have
                    .get(&device)
                    .is_some_and(|(known, _)| *known != incarnation)
                {
                    self.forget(device);
                }
                self.have.insert(device, (incarnation, up_to));
                for entry in entries {
                    if self.rows.get(&entry.path).map(|row| &row.entry) != Some(&entry) {
                        self.needs.insert(entry.path.clone());
                    }
                    self.theirs
                        .entry(entry.path.clone())
                        .or_default()
                        .insert(device, entry);
                }
            }
            StoreOp::ForgetPeerRows { device, .. } => self.forget(device),
            StoreOp::PutBrakes { brakes, .. } => self.brakes.extend(brakes),
            StoreOp::PutDepartures { departures, .. } => {
                for one in departures {
                    let others = self.departures.values_mut();
                    others.for_each(|other| other.moved_on(&one));
                    self.departures.insert(one.path.clone(), one);
                }
            }
            StoreOp::PutContacts { contacts, .. } => self.contacts.extend(contacts),
            StoreOp::AddNeeds { paths, .. } => self.needs.extend(paths),
            StoreOp::SettleNeeds { paths, .. } => {
                for path in paths {
                    self.needs.remove(&path);
                }
            }
            StoreOp::RenewNeeds { under, .. } => {
                self.needs_under = under;
                for (path, theirs) in &self.theirs {
                    let ours = self.rows.get(path).map(|row| &row.entry);
                    if theirs.values().any(|entry| Some(entry) != ours) {
                        self.needs.insert(path.clone());
                    }
                }
            }
            StoreOp::PutDoubt { doubt, .. } => self.doubt = doubt,
            StoreOp::ForgetStamps { paths, .. } => {
                for path in paths {
                    self.rows.get_mut(&path).unwrap().stamp = None;
                }
            }
            StoreOp::PutDeviceName(_)
            | StoreOp::BeginIncarnation(_)
            | StoreOp::PutPeer(_)
            | StoreOp::RemovePeer(_)
            | StoreOp::PutFolder(_)
            | StoreOp::PutDeviceSettings(_)
            | StoreOp::RemoveFolder(_) => panic!("not a folder's business"),
        }
    }

    pub(super) fn forget(&mut self, device: DeviceId) {
        self.have.remove(&device);
        for rows in self.theirs.values_mut() {
            rows.remove(&device);
        }
    }

    pub(super) fn elsewhere(&self, path: &RelPath) -> Elsewhere {
        let ours = self.rows.get(path).map(|row| &row.entry.content);
        let Some(hash) = ours.and_then(hash_of) else {
            return Elsewhere::Nowhere;
        };
        let mut others = self.rows.values().filter(|row| {
            let at = &row.entry.path;
            at != path && !self.needs.contains(at) && hash_of(&row.entry.content) == Some(hash)
        });
        match others.next() {
            Some(_) => Elsewhere::Stays,
            None => Elsewhere::Nowhere,
        }
    }

    fn moved(&self, path: &RelPath) -> Option<Moved> {
        let row = self.rows.get(path)?;
        let departure = self.departures.get(path)?;
        (row.entry.content == Content::Absent).then(|| Moved {
            departure: departure.clone(),
            place: self.place(departure),
        })
    }

    fn place(&self, departure: &Departure) -> Option<Place> {
        let marks = |stamp: DiskStamp| (stamp.file_id, stamp.mtime);
        let mut rows = self.rows.values();
        let ours = rows.find(|row| {
            row.reach == Reach::Everyone
                && hash_of(&row.entry.content) == Some(departure.hash)
                && row.stamp.map(marks) == Some((departure.file_id, departure.mtime))
        })?;
        Some(Place {
            theirs: self.said(&ours.entry.path),
            ours: ours.clone(),
        })
    }

    fn said(&self, path: &RelPath) -> Vec<(DeviceId, Entry)> {
        let theirs = self.theirs.get(path).into_iter().flatten();
        theirs
            .map(|(device, entry)| (*device, entry.clone()))
            .collect()
    }

    pub(super) fn need(&self, path: &RelPath) -> Need {
        let theirs = self.said(path);
        let held = self
            .rows
            .values()
            .filter(|row| !row.is_unseen())
            .filter_map(|row| hash_of(&row.entry.content))
            .filter(|hash| {
                theirs
                    .iter()
                    .any(|(_, e)| hash_of(&e.content) == Some(*hash))
            })
            .collect();
        Need {
            path: path.clone(),
            ours: self.rows.get(path).cloned(),
            elsewhere: self.elsewhere(path),
            moved: self.moved(path),
            theirs,
            held,
        }
    }
}

pub(super) fn is_local(row: &OurRow) -> bool {
    row.reach.is_local(&row.entry.content)
}

pub(super) fn hash_of(content: &Content) -> Option<ContentHash> {
    match content {
        Content::File { hash, .. } => Some(*hash),
        Content::Absent | Content::Directory | Content::Symlink { .. } => None,
    }
}

pub(super) fn perform(store: &mut Store, request: StoreRequest) -> FolderInput {
    match request {
        StoreRequest::Persist(batch, operations) => {
            assert!(
                !operations.is_empty(),
                "an empty batch costs a sync for nothing"
            );
            store.persisted += 1;
            for operation in operations {
                store.perform(operation);
            }
            FolderInput::Persisted(batch)
        }
        StoreRequest::LoadRows(_, paths) => FolderInput::Rows(
            paths
                .iter()
                .map(|path| store.rows.get(path).cloned())
                .collect(),
        ),
        StoreRequest::LoadNeeds {
            of, after, limit, ..
        } => {
            let later = |path: &&RelPath| {
                let is_of = match of {
                    NeedsOf::Everything | NeedsOf::Local => true,
                    NeedsOf::Ours => {
                        store
                            .rows
                            .get(*path)
                            .is_some_and(|row| row.entry.content != Content::Absent)
                            || store.departures.contains_key(*path)
                    }
                    NeedsOf::Directories => store
                        .need(path)
                        .theirs
                        .iter()
                        .any(|(_, entry)| entry.content == Content::Directory),
                };
                is_of && after.as_ref().is_none_or(|after| *path > after)
            };
            // Three to a page, so that small trees have several.
            let limit = limit.min(3);
            let local = store.rows.values().filter(|row| is_local(row));
            let local: BTreeSet<RelPath> = local.map(|row| row.entry.path.clone()).collect();
            let list = match of {
                NeedsOf::Everything | NeedsOf::Directories | NeedsOf::Ours => &store.needs,
                NeedsOf::Local => &local,
            };
            let mut paths: Vec<&RelPath> = list.iter().filter(later).collect();
            let end = if paths.len() > limit {
                PageEnd::More
            } else {
                PageEnd::End
            };
            paths.truncate(limit);
            FolderInput::Needs(
                paths.into_iter().map(|path| store.need(path)).collect(),
                end,
            )
        }
        StoreRequest::LoadIndex {
            peer,
            of,
            after,
            limit,
            ..
        } => {
            let limit = limit.min(3);
            let mut rows: Vec<(Sequence, Entry)> = store
                .rows
                .values()
                .filter(|row| row.sequence > after)
                .filter(|row| of == IndexOf::Everything || row.reach == Reach::Everyone)
                .map(|row| (row.sequence, row.entry.clone()))
                .collect();
            rows.sort_by_key(|(sequence, _)| *sequence);
            let end = if rows.len() > limit {
                PageEnd::More
            } else {
                PageEnd::End
            };
            rows.truncate(limit);
            FolderInput::Index(peer, rows, end)
        }
    }
}
