//! What the named bugs make of inputs, of requests, and of what a device was.

use towline_core::device::{Birth, Device};
use towline_core::io::{Input, NetworkEvent, StoreRequest};
use towline_core::records::StoreOp;
use towline_wire::peer::Control;

use super::{Told, World};
use crate::mutation::Mutation;

impl World {
    /// What a mutation makes of an input.
    pub(super) fn bent(&mut self, seat: usize, mut input: Input) -> Option<Input> {
        if self.shape.mutation == Some(Mutation::ReusedSequence)
            && let Input::Network(NetworkEvent::Received(_, _, Control::Folders(statements))) =
                &mut input
        {
            let restored = self.seat(seat).shelf.restored();
            for statement in statements {
                let ours = restored
                    .folders
                    .iter()
                    .find(|ours| ours.record.id == statement.folder);
                if let (Some((_, sequence)), Some(ours)) = (&mut statement.have, ours) {
                    *sequence = (*sequence).min(ours.last_sequence);
                }
            }
        }
        Some(input)
    }
    /// What a mutation makes of a request to the store.
    pub(super) fn forged(&self, mut request: StoreRequest) -> StoreRequest {
        if self.shape.mutation == Some(Mutation::ForgottenCounter)
            && let StoreRequest::Persist(_, operations) = &mut request
        {
            for operation in operations {
                if let StoreOp::PutOurRows { rows, .. } = operation {
                    for row in rows {
                        forget_counter(&mut row.entry);
                    }
                }
            }
        }
        request
    }
}
/// Takes the last write off an entry's history, as if its counter had not been raised.
fn forget_counter(entry: &mut towline_wire::entry::Entry) {
    let author = entry.author;
    if author.counter < 2 || entry.version.counter(author.actor) != author.counter {
        return;
    }
    let counters: Vec<_> = entry
        .version
        .iter()
        .map(|(actor, counter)| {
            (
                actor,
                if actor == author.actor {
                    counter - 1
                } else {
                    counter
                },
            )
        })
        .collect();
    if let Ok(version) = counters.try_into() {
        entry.version = version;
        entry.author.counter -= 1;
    }
}

impl World {
    /// Under a mutation: the device is as it was when it had been told only so much.
    pub(crate) fn rewind(&mut self, seat: usize, mark: usize) {
        let place = self.seat_mut(seat);
        let Some(memory) = place.memory.clone() else {
            return;
        };
        let Some(first) = place.first_life.clone() else {
            return;
        };
        let (born, restored) = first;
        let birth = Birth {
            restored,
            ..Self::birth(place, place.birth_seed)
        };
        let mut device = Device::new(born, birth);
        while device.poll_output().is_some() {}
        for (now, told) in memory.into_iter().take(mark) {
            match told {
                Told::Input(input) => device.handle_input(now, input),
                Told::Timeout => device.handle_timeout(now),
            }
            while device.poll_output().is_some() {}
        }
        place.device = Some(device);
        place.due = None;
        self.arm(seat);
    }
}
