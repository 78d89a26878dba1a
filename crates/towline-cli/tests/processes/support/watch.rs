//! Waiting for what a device shows: its view now, and again after every change.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::running::Running;
use super::{Device, PATIENCE};

/// One `status --watch`.
#[derive(Debug)]
pub(crate) struct Watch {
    name: String,
    running: Running,
}

impl Watch {
    pub(crate) fn new(device: &Device) -> Self {
        let mut command = device.command();
        command.args(["status", "--watch"]);
        let running = Running::start("status --watch", command, &device.log());
        Self {
            name: device.name.clone(),
            running,
        }
    }

    /// The next view, if one comes in time.
    pub(crate) fn next(&self, within: Duration) -> Option<Value> {
        let line = self.running.next_line(within)?;
        Some(serde_json::from_str(&line).expect("a view is JSON"))
    }

    /// The next view that `is_it` accepts.
    pub(crate) fn until(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.until_within(what, PATIENCE, is_it)
    }

    /// The next view that `is_it` accepts, within a time of its own.
    pub(crate) fn until_within(
        &self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + within;
        let mut last = Value::Null;
        while let Some(view) = self.next(deadline.saturating_duration_since(Instant::now())) {
            if is_it(&view) {
                return view;
            }
            last = view;
        }
        panic!(
            "{}: {what} was not seen within {within:?}; last: {last:#}",
            self.name
        )
    }

    /// Looks on for `time`, through all views that come; `false` when the device ended meanwhile.
    pub(crate) fn look_on(&self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline
            && self
                .next(deadline.saturating_duration_since(Instant::now()))
                .is_some()
        {}
    }
}

/// Whether the device is registered with its server.
pub(crate) fn is_online(view: &Value) -> bool {
    view["server"]["state"]["state"] == "online"
}

/// Whether the device is registered with its server, if it has one.
pub(crate) fn has_its_server(view: &Value) -> bool {
    is_online(view) || view["server"]["state"]["state"] == "none"
}

/// The link with the peer of that name.
pub(crate) fn link<'a>(view: &'a Value, peer: &str) -> &'a Value {
    let peers = view["peers"].as_array().expect("a view has peers");
    peers
        .iter()
        .find(|known| known["name"] == peer)
        .map_or(&Value::Null, |known| &known["link"])
}

/// Whether that peer is connected.
pub(crate) fn is_connected(view: &Value, peer: &str) -> bool {
    link(view, peer)["state"] == "up"
}

/// The first folder; `null` when there is none.
pub(crate) fn folder(view: &Value) -> &Value {
    &view["folders"][0]
}

/// Whether the first folder has all that connected peers have.
pub(crate) fn is_in_sync(view: &Value) -> bool {
    folder(view)["state"]["state"] == "in_sync"
}

/// A number of the first folder.
pub(crate) fn count(view: &Value, name: &str) -> u64 {
    folder(view)[name].as_u64().unwrap_or_default()
}

/// The kind of the path to the first peer.
pub(crate) fn path(view: &Value) -> Option<&str> {
    view["peers"][0]["link"]["path"]["kind"].as_str()
}
