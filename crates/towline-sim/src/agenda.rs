//! What is still to happen in a world, in the order of its clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// Events by when they are due; of two at the same time the one that was entered first comes first.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    entered: u64,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: BTreeMap<u64, E>,
}

impl<E> Agenda<E> {
    pub(crate) const fn new() -> Self {
        Self {
            entered: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
        }
    }

    /// Enters what happens at `when`.
    pub(crate) fn enter(&mut self, when: Duration, event: E) {
        self.entered += 1;
        self.queue.push(Reverse((when, self.entered)));
        self.events.insert(self.entered, event);
    }

    /// Takes what happens next, if that is not after `end`.
    pub(crate) fn next_until(&mut self, end: Duration) -> Option<(Duration, E)> {
        let Reverse((when, number)) = *self.queue.peek()?;
        if when > end {
            return None;
        }
        self.queue.pop();
        Some((when, self.events.remove(&number)?))
    }
}
