//! The store on a thread of its own, answering strictly in order.
//!
//! Batches that wait together are made durable together: one transaction and one sync for all of
//! them (group commit). What the store cannot do any more is fatal: `Broken` is the last answer.

use tokio::sync::mpsc as async_mpsc;
use towline_core::io::{BatchId, Input, StoreReply, StoreRequest};
use towline_core::records::StoreOp;
use towline_store::Store;
use tracing::error;

use crate::tasks::Tasks;

/// Requests that may wait for the store: 256. The core has one decision under way per folder and a
/// few index pages per peer; more than this many would only hide a slow disk. When it is full the
/// loop keeps the rest in order until there is room.
const REQUESTS_MAX: usize = 256;

/// Batches in one transaction: 64. Bounds how long the first of them waits for its answer.
const GROUP_MAX: usize = 64;

/// The sending side, owned by the loop.
#[derive(Debug)]
pub(crate) struct Ledger {
    requests: async_mpsc::Sender<StoreRequest>,
}

impl Ledger {
    /// Moves `store` to its thread; answers arrive in `inputs`.
    pub(crate) fn start(
        store: Store,
        inputs: async_mpsc::Sender<Input>,
        tasks: &Tasks,
    ) -> std::io::Result<Self> {
        let (requests, waiting) = async_mpsc::channel(REQUESTS_MAX);
        tasks.spawn_thread("store", move || work(store, waiting, &inputs))?;
        Ok(Self { requests })
    }

    /// Room for one more request; waits until there is.
    pub(crate) async fn room(&self) -> Option<async_mpsc::Permit<'_, StoreRequest>> {
        self.requests.reserve().await.ok()
    }
}

/// Answers until nobody can ask any more.
fn work(
    mut store: Store,
    mut waiting: async_mpsc::Receiver<StoreRequest>,
    inputs: &async_mpsc::Sender<Input>,
) {
    let mut next = waiting.blocking_recv();
    while let Some(request) = next.take() {
        let replies = match request {
            StoreRequest::Persist(batch, operations) => {
                let mut group: Vec<(BatchId, Vec<StoreOp>)> = vec![(batch, operations)];
                while group.len() < GROUP_MAX {
                    match waiting.try_recv() {
                        Ok(StoreRequest::Persist(batch, operations)) => {
                            group.push((batch, operations))
                        }
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                store.persist_all(group)
            }
            load @ (StoreRequest::LoadRows(..)
            | StoreRequest::LoadNeeds { .. }
            | StoreRequest::LoadIndex { .. }) => store.handle(load).map(|reply| vec![reply]),
        };
        let replies = replies.unwrap_or_else(|fault| {
            error!(%fault, "the store cannot go on");
            vec![StoreReply::Broken]
        });
        for reply in replies {
            let broken = reply == StoreReply::Broken;
            if inputs.blocking_send(Input::Store(reply)).is_err() || broken {
                return;
            }
        }
        if next.is_none() {
            next = waiting.blocking_recv();
        }
    }
}
