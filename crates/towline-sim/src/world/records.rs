//! The stores of a world: requests on their way to the shelf, and answers on their way back.

use std::time::Duration;

use towline_core::io::{Input, StoreReply, StoreRequest};
use towline_core::records::StoreOp;

use super::{Event, World};
use crate::mutation::Mutation;

impl World {
    pub(super) fn store_asked(&mut self, seat: usize, request: StoreRequest) {
        let request = self.forged(request);
        if let StoreRequest::Persist(_, operations) = &request {
            let touches = |operation: &StoreOp| match operation {
                StoreOp::PutOurRows { .. }
                | StoreOp::PutStamps { .. }
                | StoreOp::PutPeerRows { .. }
                | StoreOp::ForgetPeerRows { .. }
                | StoreOp::AddNeeds { .. }
                | StoreOp::PutBrakes { .. }
                | StoreOp::SettleNeeds { .. }
                | StoreOp::RenewNeeds { .. }
                | StoreOp::ForgetStamps { .. } => true,
                StoreOp::PutDoubt { .. }
                | StoreOp::PutContacts { .. }
                | StoreOp::PutDeviceName(_)
                | StoreOp::PutDeviceSettings(_)
                | StoreOp::BeginIncarnation(_)
                | StoreOp::PutPeer(_)
                | StoreOp::RemovePeer(_)
                | StoreOp::PutFolder(_)
                | StoreOp::RemoveFolder(_) => false,
            };
            self.work.rows += u64::from(operations.iter().any(touches));
            if operations
                .iter()
                .any(|one| matches!(one, StoreOp::BeginIncarnation(_)))
            {
                self.seat_mut(seat).backup = None;
            }
        }
        let mut early = None;
        if let Some(believed) = &mut self.seat_mut(seat).believed
            && let StoreRequest::Persist(..) = &request
        {
            early = Some(believed.reply(request.clone()));
        }
        match (self.shape.mutation, &request) {
            (Some(Mutation::OutputsBeforePersist), StoreRequest::Persist(..)) => {
                if let Some(reply) = early {
                    self.deliver(seat, Duration::from_micros(1), Input::Store(reply));
                }
            }
            (Some(Mutation::IndexBeforeDurable), StoreRequest::LoadIndex { .. }) => {
                let believed = self.seat_mut(seat).believed.as_mut();
                if let Some(reply) = believed.map(|shelf| shelf.reply(request.clone())) {
                    return self.deliver(seat, Duration::from_micros(1), Input::Store(reply));
                }
            }
            _ => {}
        }
        let place = self.seat_mut(seat);
        place.requests.push_back(request);
        if place.requests.len() == 1 {
            self.store_wakes(seat);
        }
    }

    pub(super) fn store_wakes(&mut self, seat: usize) {
        let slow = self.dice.chance(self.faults.slow_store_percent);
        let delay = if slow {
            self.dice.millis(20, 400)
        } else {
            self.dice.micros(50, 4000)
        };
        let run = self.seat(seat).run;
        self.after(delay, Event::Store { seat, run });
    }

    /// The next request reaches the shelf: from now on a batch is durable. The answer comes later.
    pub(super) fn store_next(&mut self, seat: usize) {
        let place = self.seat_mut(seat);
        let Some(request) = place.requests.pop_front() else {
            return;
        };
        let reply = place.shelf.reply(request);
        let wears = matches!(reply, StoreReply::Persisted(..));
        let waits = !place.requests.is_empty();
        let told_early = self.shape.mutation == Some(Mutation::OutputsBeforePersist)
            && matches!(reply, StoreReply::Persisted(..));
        if !told_early {
            let delay = self.dice.micros(10, 2000);
            let now = self.now;
            let place = self.seat_mut(seat);
            place.answers_until = place.answers_until.max(now + delay);
            let wait = place.answers_until - now;
            self.deliver(seat, wait, Input::Store(reply));
        }
        if waits {
            self.store_wakes(seat);
        }
        if wears {
            self.wears(seat);
        }
    }
}
