//! Long absence: what a device that was away for long would bring back waits for a person.
//!
//! An edit beats a delete, which is right while people remember both. A device that comes back after a
//! year knows nothing of what was cleaned up meanwhile, and everything that it had changed before it
//! left would lie in everybody's folder again, unasked. So each device remembers when it last met each
//! peer in a folder, to the day; one that was away for longer than [`ABSENCE`] is *back*, and for
//! [`REVIEW`] what it would bring back here waits: a live entry of its own where we have a delete that it
//! did not know. Everything else that it has written is carried out as ever.
//!
//! A person lets it come back or buries it, as with a mass change. When all that waited is decided and
//! the time is over, the device is like any other. Who has met it in between is not concerned: what such
//! a device lets through, it has let through for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_wire::entry::{Content, UnixNanos};
use towline_wire::ids::DeviceId;

use crate::clock::Moment;
use crate::folder::plan::{Action, Planned, PlannedStep};
use crate::records::{Contact, Need, Presence, Reach};

/// An absence is long after 60 days: a holiday or a stay in repair is shorter, and who cleans up after
/// two months does not expect that to be undone.
const ABSENCE: Duration = Duration::from_secs(60 * 24 * 3600);

/// How long what a device would bring back waits after its return: a day. Its first look at a large
/// folder and the way of its index to us take hours at most.
const REVIEW: Duration = Duration::from_secs(24 * 3600);

/// How exactly the last contact is kept: to the day, so that a folder at rest costs one write a day.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Who would bring back what was deleted here; `None` for most steps. A person's delete keeps the time of
/// what went. One without a time is a step of a plan: a directory has made way for what comes now.
///
/// What follows a moved file brings nothing back: it is an edit of what lies here under another name.
pub(crate) fn revives(need: &Need, planned: &PlannedStep) -> Option<DeviceId> {
    if planned.follows.is_some() {
        return None;
    }
    let row = need.ours.as_ref()?;
    let shall = &planned.step.content;
    let was_deleted = row.entry.content == Content::Absent
        && row.reach == Reach::Everyone
        && row.entry.mtime != UnixNanos::default()
        && row.entry.version.iter().next().is_some();
    if !was_deleted || *shall == Content::Absent {
        return None;
    }
    let knew = need
        .theirs
        .iter()
        .any(|(_, entry)| entry.content.same_bytes(shall) && entry.version.knows(row.entry.author));
    (!knew).then_some(planned.becomes.author.actor.device)
}

/// The same of what is planned.
pub(crate) fn revived_by(need: &Need, planned: &Planned) -> Option<DeviceId> {
    match &planned.action {
        Action::Step(step) => revives(need, step),
        Action::Settled | Action::Adopt { .. } | Action::Wait(_) => None,
    }
}

/// What is known of one peer.
#[derive(Debug, Clone, Copy)]
struct Known {
    presence: Presence,
    /// At this moment the last contact had been so long ago.
    silent: (Moment, Duration),
    /// When the last contact was made durable.
    noted: Moment,
    /// When a return is over.
    until: Moment,
}

impl Known {
    fn silence(&self, now: Moment) -> Duration {
        let (at, silent_for) = self.silent;
        silent_for.saturating_add(now.since(at))
    }

    const fn contact(&self) -> Contact {
        Contact {
            presence: self.presence,
            silent_for: Duration::ZERO,
        }
    }
}

/// The peers of one folder, and what of theirs waits.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    restored: BTreeMap<DeviceId, Contact>,
    known: BTreeMap<DeviceId, Known>,
    unsaved: BTreeSet<DeviceId>,
    /// What waits, as the last whole walk has met it, and as the present one does.
    waiting: BTreeMap<DeviceId, u64>,
    counting: BTreeMap<DeviceId, u64>,
}

impl Absences {
    pub(crate) fn new(restored: BTreeMap<DeviceId, Contact>) -> Self {
        Self {
            restored,
            ..Self::default()
        }
    }

    /// Time begins to be counted.
    pub(crate) fn start(&mut self, now: Moment) {
        for (device, contact) in std::mem::take(&mut self.restored) {
            let known = Known {
                presence: contact.presence,
                silent: (now, contact.silent_for),
                noted: now,
                until: now.after(REVIEW),
            };
            self.known.insert(device, known);
        }
    }

    /// A peer is there: the first contact ever, one more, or a return.
    pub(crate) fn joined(&mut self, now: Moment, device: DeviceId) {
        let silence = self.known.get(&device).map(|known| known.silence(now));
        let presence = match (self.presence(device), silence) {
            (Presence::Steady, Some(silence)) if silence >= ABSENCE => Presence::Back,
            (presence, Some(_) | None) => presence,
        };
        let is_news = presence != self.presence(device) || silence.is_none();
        let until = match self.known.get(&device) {
            Some(known) if !is_news => known.until,
            Some(_) | None => now.after(REVIEW),
        };
        let noted = self.known.get(&device).map_or(now, |known| known.noted);
        let known = Known {
            presence,
            silent: (now, Duration::ZERO),
            noted,
            until,
        };
        self.known.insert(device, known);
        if is_news || silence.is_some_and(|silence| silence >= NOTED_EVERY) {
            self.note(now, device);
        }
    }

    /// These peers are there now; who has been back for long enough, and has nothing that waits, is like
    /// any other.
    pub(crate) fn present(&mut self, now: Moment, connected: &BTreeSet<DeviceId>) {
        for device in connected {
            let waits = self.waiting.get(device).copied().unwrap_or_default();
            let Some(known) = self.known.get_mut(device) else {
                continue;
            };
            known.silent = (now, Duration::ZERO);
            let is_over = known.presence == Presence::Back && waits == 0 && known.until <= now;
            if is_over {
                known.presence = Presence::Steady;
            }
            if is_over || now.since(known.noted) >= NOTED_EVERY {
                self.note(now, *device);
            }
        }
    }

    /// Whether what a device would bring back waits.
    pub(crate) fn holds(&self, device: DeviceId) -> bool {
        self.presence(device) == Presence::Back
    }

    /// Whether something of a device waits, as far as is known.
    pub(crate) fn waits(&self, device: DeviceId) -> u64 {
        self.waiting.get(&device).copied().unwrap_or_default()
    }

    /// Everybody of whom something waits.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.waiting.keys().copied()
    }

    /// Something waits that a walk has met.
    pub(crate) fn count(&mut self, device: DeviceId) {
        *self.counting.entry(device).or_default() += 1;
    }

    /// A walk has met everything.
    pub(crate) fn counted(&mut self) {
        self.waiting = std::mem::take(&mut self.counting);
    }

    /// What a walk has met that was broken off counts for nothing.
    pub(crate) fn begin_counting(&mut self) {
        self.counting.clear();
    }

    /// A person lets what a device would bring back come.
    pub(crate) fn release(&mut self, now: Moment, device: DeviceId) {
        self.waiting.remove(&device);
        if let Some(known) = self.known.get_mut(&device) {
            known.presence = Presence::Steady;
            self.note(now, device);
        }
    }

    /// A peer is none any more.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.known.remove(&device);
        self.unsaved.remove(&device);
        self.waiting.remove(&device);
    }

    /// Takes what is to be made durable.
    pub(crate) fn take_unsaved(&mut self) -> Vec<(DeviceId, Contact)> {
        let devices = std::mem::take(&mut self.unsaved);
        let contact = |device| Some((device, self.known.get(&device)?.contact()));
        devices.into_iter().filter_map(contact).collect()
    }

    fn presence(&self, device: DeviceId) -> Presence {
        let known = self.known.get(&device);
        known.map_or(Presence::Steady, |known| known.presence)
    }

    fn note(&mut self, now: Moment, device: DeviceId) {
        if let Some(known) = self.known.get_mut(&device) {
            known.noted = now;
            self.unsaved.insert(device);
        }
    }
}
