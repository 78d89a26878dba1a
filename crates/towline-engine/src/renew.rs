//! A new identity for a home: a new key, and an index that begins anew.
//!
//! For one of two computers that have one key. Nothing of the former device's index stays, because its
//! counters name writes of both: the folders are looked through like those of a new device, and what
//! lies there joins what peers have, with nothing deleted and every difference kept. Peers know the
//! former key, so they are forgotten and paired again. The key in the system's keyring stays there: the
//! other computer's home may name the same entry.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use towline_core::io::{BatchId, StoreRequest};
use towline_core::records::{FolderRecord, Restored, StoreOp};
use towline_store::{OpenError, Store};
use towline_wire::ids::Incarnation;

use crate::engine::{StartError, random};
use crate::key::{self, NewKey};
use crate::tasks::Tasks;

/// Why a device gets no new identity.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// No device lives at the home.
    #[error("no Towline device lives in {0}; name its home with --home")]
    NoDevice(PathBuf),
    /// It runs, or its key or its store cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl RenewError {
    /// A stable code: `no_device`, or one of [`StartError::code`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoDevice(_) => "no_device",
            Self::Start(error) => error.code(),
        }
    }
}

/// Gives the device at `home` a new identity; its new id. Nothing is changed unless a key can be kept.
///
/// # Errors
/// When there is no device at `home`, it runs, or the disk or the keyring does not let us.
pub async fn renew_identity(home: &Path) -> Result<String, RenewError> {
    if !home.join("key").exists() {
        return Err(RenewError::NoDevice(home.to_owned()));
    }
    Ok(renew(home).await?)
}

async fn renew(home: &Path) -> Result<String, StartError> {
    let fresh = Incarnation(u64::from_le_bytes(*random::<8>()?));
    let (mut store, _) = Store::open(home, fresh)?;
    let restored = store.restored().map_err(OpenError::from)?;
    let key = make_key(home).await?;
    let again = StoreRequest::Persist(BatchId(1), beginning(restored, fresh));
    store.handle(again).map_err(OpenError::from)?;
    Ok(key.keep(home)?.id().to_string())
}

/// Makes a key on a thread, because keyrings block.
async fn make_key(home: &Path) -> Result<NewKey, StartError> {
    let home = home.to_owned();
    let (send, made) = oneshot::channel();
    Tasks::new()
        .spawn_thread("keyring", move || {
            // Whoever asked waits for it.
            let _unheard = send.send(key::make_like(&home));
        })
        .map_err(StartError::System)?;
    let gone = |_| StartError::System(io::ErrorKind::UnexpectedEof.into());
    Ok(made.await.map_err(gone)??)
}

/// What makes of a device's store that of a new one which has the same folders in the same places.
fn beginning(restored: Restored, fresh: Incarnation) -> Vec<StoreOp> {
    let peers = restored.peers.into_iter().map(|peer| peer.id);
    let folders = restored.folders.into_iter().flat_map(|folder| {
        let record = FolderRecord {
            shared_with: BTreeSet::new(),
            ..folder.record
        };
        [StoreOp::RemoveFolder(record.id), StoreOp::PutFolder(record)]
    });
    peers
        .map(StoreOp::RemovePeer)
        .chain(folders)
        .chain([StoreOp::BeginIncarnation(fresh)])
        .collect()
}
