//! The store of one home: opened by one process, asked in order.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use towline_core::io::{BatchId, StoreReply, StoreRequest};
use towline_core::records::{Restored, StoreOp};
use towline_wire::entry::UnixNanos;
use towline_wire::ids::Incarnation;

use crate::batch::Batch;
use crate::columns::Actors;
use crate::error::{OpenError, StoreError};
use crate::home::{Home, HomeLock, LastStop};
use crate::reader::Reader;
use crate::schema::{self, Check, FileState};
use crate::{load, power, restore};

/// Keeps a device's records, and answers for them. What the core and the simulator need of a store.
pub trait Records {
    /// Does what is asked and answers; [`StoreReply::Broken`] when it cannot.
    fn reply_to(&mut self, request: StoreRequest) -> StoreReply;

    /// What is kept, as a starting device finds it.
    fn restored(&self) -> Result<Restored, StoreError>;
}

/// What opening a home found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was no store; a new one lives under the fresh incarnation, with an empty device name.
    New,
    /// The store of an earlier run.
    Existing,
    /// The store was damaged; a new one lives under the fresh incarnation. It begins with the name,
    /// the peers and the folders of the damaged one where these can still be read, and without rows.
    Rebuilt {
        /// Where the damaged database lies now.
        kept_aside: PathBuf,
    },
}

/// The durable store of one home. Dropping it closes the database, then gives up the home.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    actors: Actors,
    home: Home,
    last_stop: LastStop,
    _lock: HomeLock,
}

/// A boot of the machine: what one boot wrote and did not sync, the next one may not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot<'a> {
    /// This one, by a name that no other boot has.
    Named(&'a str),
    /// The system does not tell: it may be any.
    Unknown,
}

impl Store {
    /// Opens the store in the directory `home`, making both when they are missing, and owns the home
    /// until dropped. `fresh` is a random incarnation, used only when a new store begins.
    ///
    /// After an unclean stop every page is checked (about a second per million entries).
    ///
    /// # Errors
    /// When somebody else has the home, a newer build wrote the store, or the disk does not let us.
    /// A damaged database is no error but [`Opened::Rebuilt`].
    pub fn open(home: &Path, fresh: Incarnation) -> Result<(Self, Opened), OpenError> {
        let home = Home::at(home)?;
        let lock = home.lock()?;
        let last_stop = home.last_stop();
        let check = match last_stop {
            LastStop::Clean => Check::Nothing,
            LastStop::Unclean => Check::Quick,
            LastStop::Suspect => Check::Whole,
            LastStop::Torn => {
                let kept_aside = home.keep_aside()?;
                return Self::begin_anew(home, (last_stop, lock), fresh, kept_aside);
            }
        };
        home.touch_database()?;
        match open_checked(&home, check, fresh) {
            Ok((connection, state)) => {
                home.trust()?;
                let opened = match state {
                    FileState::New => Opened::New,
                    FileState::Existing => Opened::Existing,
                };
                Ok((Self::with(connection, home, (last_stop, lock)), opened))
            }
            Err(OpenError::Store(error)) if error.blames_file() => {
                let kept_aside = home.keep_aside()?;
                Self::begin_anew(home, (last_stop, lock), fresh, kept_aside)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes in which boot of the machine the store is used from now on, durably. After a run that did
    /// not end, in another boot, what was written last before is put in doubt: the machine may have
    /// lost what was not synced. A run that was killed alone loses nothing. `now` is the wall clock.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn begin_boot(&mut self, boot: Boot<'_>, now: UnixNanos) -> Result<(), StoreError> {
        let begun = power::begin_boot(&mut self.connection, self.last_stop, boot, now);
        self.home.note(begun)
    }

    /// Everything but rows, for a starting device.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn restored(&self) -> Result<Restored, StoreError> {
        self.home.note(restore::restored(&self.connection))
    }

    /// Does what is asked and answers. A `Persist` is durable when this returns.
    ///
    /// # Errors
    /// See [`StoreError`]; of a failed batch nothing is kept.
    pub fn handle(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let answer = match request {
            StoreRequest::Persist(batch, ops) => {
                let mut replies = self.persist_all(vec![(batch, ops)])?;
                return replies.pop().ok_or(StoreError::Impossible("answer"));
            }
            StoreRequest::LoadRows(folder, paths) => {
                load::rows(&self.connection, &mut self.actors, folder, &paths)
            }
            StoreRequest::LoadNeeds {
                folder,
                of,
                after,
                limit,
            } => load::needs(
                &self.connection,
                &mut self.actors,
                (folder, of),
                after.as_ref(),
                limit,
            ),
            StoreRequest::LoadIndex {
                folder,
                peer,
                of,
                after,
                limit,
            } => load::index(
                &self.connection,
                &mut self.actors,
                (folder, peer, of),
                after,
                limit,
            ),
        };
        self.home.note(answer)
    }

    /// Makes several batches durable in one transaction with one sync, and answers each with the
    /// sums as they are after it.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing of any of the batches is kept.
    pub fn persist_all(
        &mut self,
        batches: Vec<(BatchId, Vec<StoreOp>)>,
    ) -> Result<Vec<StoreReply>, StoreError> {
        let result = self.commit(batches);
        if result.is_err() {
            self.actors.clear();
        }
        self.home.note(result)
    }

    /// Opens a second, read-only view of the same rows, for another thread. It sees every batch that
    /// was answered before it is asked.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        self.home.note(Reader::open(self.home.clone()))
    }

    fn commit(
        &mut self,
        batches: Vec<(BatchId, Vec<StoreOp>)>,
    ) -> Result<Vec<StoreReply>, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut replies = Vec::with_capacity(batches.len());
        for (id, ops) in batches {
            let mut batch = Batch::begin(&transaction, &mut self.actors);
            for op in ops {
                batch.apply(op)?;
            }
            replies.push(StoreReply::Persisted(id, batch.totals()?));
        }
        transaction.commit()?;
        Ok(replies)
    }

    fn begin_anew(
        home: Home,
        held: (LastStop, HomeLock),
        fresh: Incarnation,
        kept_aside: PathBuf,
    ) -> Result<(Self, Opened), OpenError> {
        tracing::warn!("the store is damaged and kept aside, a new one begins");
        home.touch_database()?;
        let (connection, _) = schema::open_database(&home.database(), Check::Nothing, fresh)?;
        home.trust()?;
        let mut store = Self::with(connection, home, held);
        let saved = saved_from(&kept_aside);
        store
            .commit(vec![(BatchId(0), saved)])
            .map_err(OpenError::from)?;
        Ok((store, Opened::Rebuilt { kept_aside }))
    }

    fn with(connection: Connection, home: Home, held: (LastStop, HomeLock)) -> Self {
        let (last_stop, lock) = held;
        Self {
            connection,
            actors: Actors::default(),
            home,
            last_stop,
            _lock: lock,
        }
    }
}

/// Opens the database and reads what every start reads, so that damage there is found here; after a
/// run that met damage also every row, because SQLite's own checks do not know what rows mean.
/// Who the device is, its peers and its folders, as far as a damaged database still tells. All or
/// nothing: half of them would look like a person's choice.
fn saved_from(damaged: &Path) -> Vec<StoreOp> {
    let read = schema::open_damaged(damaged).and_then(|connection| restore::saved(&connection));
    let Ok(saved) = read.inspect_err(|fault| tracing::warn!(%fault, "peers and folders are lost"))
    else {
        return Vec::new();
    };
    let name = std::iter::once(StoreOp::PutDeviceName(saved.name));
    let settings = std::iter::once(StoreOp::PutDeviceSettings(saved.settings));
    let peers = saved.peers.into_iter().map(StoreOp::PutPeer);
    let folders = saved.folders.into_iter().map(StoreOp::PutFolder);
    name.chain(settings).chain(peers).chain(folders).collect()
}

fn open_checked(
    home: &Home,
    check: Check,
    fresh: Incarnation,
) -> Result<(Connection, FileState), OpenError> {
    let (connection, state) = schema::open_database(&home.database(), check, fresh)?;
    restore::restored(&connection)?;
    match check {
        Check::Nothing | Check::Quick => {}
        Check::Whole => load::every_row(&connection)?,
    }
    Ok((connection, state))
}

impl Records for Store {
    fn reply_to(&mut self, request: StoreRequest) -> StoreReply {
        self.handle(request).unwrap_or_else(|error| {
            tracing::error!(%error, "the store cannot be used any more");
            StoreReply::Broken
        })
    }

    fn restored(&self) -> Result<Restored, StoreError> {
        Self::restored(self)
    }
}

#[cfg(test)]
mod tests;
