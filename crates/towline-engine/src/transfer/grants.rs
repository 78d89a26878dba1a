//! Which folders each peer may read, as the core last said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use towline_wire::ids::{DeviceId, FolderId};

/// The grants of all peers; a peer that is not named may read nothing.
#[derive(Debug, Default)]
pub(crate) struct Grants(RwLock<BTreeMap<DeviceId, BTreeSet<FolderId>>>);

impl Grants {
    /// Replaces what `peer` may read; streams that are open see it with their next request.
    pub(crate) fn set(&self, peer: DeviceId, folders: BTreeSet<FolderId>) {
        let mut grants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if folders.is_empty() {
            grants.remove(&peer);
        } else {
            grants.insert(peer, folders);
        }
    }

    /// Whether `peer` may read `folder` now.
    pub(crate) fn allows(&self, peer: DeviceId, folder: FolderId) -> bool {
        let grants = self.0.read().unwrap_or_else(PoisonError::into_inner);
        grants
            .get(&peer)
            .is_some_and(|folders| folders.contains(&folder))
    }
}
