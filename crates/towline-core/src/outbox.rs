//! Outputs on their way out, and those that wait until a batch is durable.
//!
//! Every machine writes into the one outbox of its device, so outputs leave in the order in which
//! they were decided. What relies on a batch is handed over together with it and leaves only after
//! the batch has been persisted; a crash before that leaves nobody told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::peer::Control;

use crate::io::{
    BatchId, DiskRequest, NetworkRequest, Output, SessionId, SignalRequest, StoreRequest,
};
use crate::records::StoreOp;

/// The outputs of one device.
#[derive(Debug, Default)]
pub struct Outbox {
    ready: VecDeque<Output>,
    held: BTreeMap<BatchId, Vec<Output>>,
    last_batch: u64,
    at_fault: BTreeSet<DeviceId>,
}

impl Outbox {
    /// Takes the next output that may leave.
    pub fn pop(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    /// Lets an output leave now.
    pub fn push(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    /// Makes `operations` durable, and lets `then` leave afterwards. The answer is `Persisted` with
    /// the returned id.
    pub fn persist(&mut self, operations: Vec<StoreOp>, then: Vec<Output>) -> BatchId {
        self.last_batch += 1;
        let batch = BatchId(self.last_batch);
        self.held.insert(batch, then);
        self.push(Output::Store(StoreRequest::Persist(batch, operations)));
        batch
    }

    /// Lets leave what waited for `batch`.
    pub fn release(&mut self, batch: BatchId) {
        self.ready
            .extend(self.held.remove(&batch).unwrap_or_default());
    }

    /// Asks the store.
    pub fn store(&mut self, request: StoreRequest) {
        self.push(Output::Store(request));
    }

    /// Asks the disk under a folder.
    pub fn disk(&mut self, folder: FolderId, request: DiskRequest) {
        self.push(Output::Disk(folder, request));
    }

    /// Asks the network.
    pub fn network(&mut self, request: NetworkRequest) {
        self.push(Output::Network(request));
    }

    /// Sends a control frame to a connected peer.
    pub fn send(&mut self, peer: DeviceId, frame: Control) {
        self.network(NetworkRequest::Send(peer, frame));
    }

    /// Says that a peer broke the protocol. The device ends its link before it takes the next input.
    pub fn blame(&mut self, peer: DeviceId) {
        self.at_fault.insert(peer);
    }

    /// Takes who broke the protocol.
    pub fn take_blamed(&mut self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut self.at_fault)
    }

    /// Asks a session with a signal server.
    pub fn signal(&mut self, session: SessionId, request: SignalRequest) {
        self.push(Output::Signal(session, request));
    }
}
