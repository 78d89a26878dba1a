//! How networks change while devices are connected, and how soon bytes flow again.

use std::time::Duration;

use super::{Event, Internet};

/// Bytes that are to flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    from: usize,
    to: usize,
    pub(super) came_at: Duration,
}

/// Pause between two frames of a flow.
const FLOW_APART: Duration = Duration::from_millis(100);

impl Internet {
    pub(super) fn changes(&mut self) {}

    pub(super) fn flow_begins(&mut self, from: usize, to: usize) {
        let is_new = self.flow.is_none();
        self.flow = Some(Flow {
            from,
            to,
            came_at: self.now,
        });
        if is_new {
            self.after(FLOW_APART, Event::Flow);
        }
    }

    pub(super) fn flows(&mut self) {
        let Some(flow) = self.flow else { return };
        if !self.hosts[flow.from].sleeps(self.now) {
            self.send_bulk(flow.from, flow.to);
        }
        self.after(FLOW_APART, Event::Flow);
    }

    pub(super) fn bulk_came(&mut self, from: usize, to: usize) {
        let now = self.now;
        if let Some(flow) = &mut self.flow
            && (flow.from, flow.to) == (from, to)
        {
            flow.came_at = now;
        }
    }
}
