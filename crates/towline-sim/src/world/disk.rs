//! The disk under a device's folder, as the engine's disk behaves: its root and its watcher.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::io::{Age, DiskEvent, DiskRequest, Input, RootFault, ScanScope};
use towline_core::records::Doubt;

use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;

use super::scan::{Look, Scanning};
use super::step::Applying;
use super::{Eyes, Seat, World};
use crate::mutation::Mutation;
use crate::tree::{Presence, Tree};

impl World {
    pub(super) fn disk_asked(&mut self, seat: usize, folder: FolderId, request: DiskRequest) {
        self.watch_disk(seat, &request);
        match request {
            DiskRequest::Prepare { others, .. } => {
                let tree = &mut self.seat_mut(seat).tree;
                let result = if !others.is_empty() {
                    Err(RootFault::Nested)
                } else if tree.marker.is_some_and(|marker| marker != folder) {
                    Err(RootFault::WrongMarker)
                } else {
                    tree.marker = Some(folder);
                    Ok(())
                };
                let wait = self.dice.millis(1, 20);
                self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Prepared(result)));
            }
            DiskRequest::Open(_) => {
                let place = self.seat_mut(seat);
                place.eyes = Eyes::Open;
                if place.tree.presence == Presence::There {
                    place.clean();
                }
                let result = root_state(&place.tree, folder);
                let wait = self.dice.millis(1, 20);
                self.tell_root(seat, folder, wait, result);
            }
            DiskRequest::Close => {
                self.has_forgotten |= self.people.is_busy();
                let place = self.seat_mut(seat);
                place.eyes = Eyes::Closed;
                place.scanning = None;
                place.applying.clear();
                place.clean();
            }
            DiskRequest::Scan(scan, scope, doubt) => {
                let scanning = Scanning {
                    scan,
                    folder,
                    scope,
                    doubt: if self.has(Mutation::MarksTrusted) {
                        Doubt::Nothing
                    } else {
                        doubt
                    },
                    after: None,
                    page: Look::default(),
                    restless: BTreeSet::new(),
                };
                self.seat_mut(seat).scanning = Some(scanning);
                self.scan_on(seat, scan);
            }
            DiskRequest::ContinueScan(scan) => self.scan_on(seat, scan),
            DiskRequest::Apply(apply, steps) => self.apply(seat, folder, apply, steps),
            // Nobody in these worlds has rules.
            DiskRequest::Heed(_) => {}
            DiskRequest::KeepAttributes(_) => {}
            DiskRequest::NoteAge(age) => {
                // The bug of a rollback that nobody notices takes the root's word as well.
                self.work.notes += 1;
                let remembers = !self.has(Mutation::ReusedSequence);
                let tree = &mut self.seat_mut(seat).tree;
                if remembers && tree.presence == Presence::There {
                    tree.age = Some(age);
                }
            }
        }
    }
    /// The watcher sees that something changed: soon, late, roughly or never.
    pub(super) fn disturb(&mut self, seat: usize, paths: BTreeSet<RelPath>) {
        let Some(folder) = self.folder else { return };
        if self.seat(seat).eyes == Eyes::Closed || !self.is_up(seat) || paths.is_empty() {
            return;
        }
        if self.dice.chance(self.faults.hints_lost_percent) {
            return;
        }
        let wait = if self.dice.chance(self.faults.hints_late_percent) {
            self.dice.millis(1000, 8000)
        } else {
            self.dice.millis(5, 300)
        };
        let scope = if self.dice.chance(self.faults.hints_rough_percent) {
            ScanScope::All
        } else {
            ScanScope::Paths(paths)
        };
        self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Disturbed(scope)));
    }

    /// A disk is unplugged, or comes back.
    pub(super) fn set_presence(&mut self, seat: usize, presence: Presence) {
        let Some(folder) = self.folder else { return };
        let unseen = self.has(Mutation::UnmountedIsEmpty);
        let place = self.seat_mut(seat);
        if place.tree.presence == presence {
            return;
        }
        place.tree.presence = presence;
        match presence {
            Presence::There => place.clean(),
            Presence::Away | Presence::Another if unseen => {}
            Presence::Away | Presence::Another => place.scanning = None,
        }
        let state = root_state(&place.tree, folder);
        if unseen {
            let all = DiskEvent::Disturbed(ScanScope::All);
            return self.deliver(seat, Duration::from_millis(1), Input::Disk(folder, all));
        }
        let place = self.seat(seat);
        if place.eyes == Eyes::Open && self.is_up(seat) {
            self.tell_root(seat, folder, Duration::from_millis(1), state);
        }
    }

    /// Tells how a root stands; what was seen later is told later.
    pub(super) fn tell_root(
        &mut self,
        seat: usize,
        folder: FolderId,
        wait: Duration,
        state: Result<Option<Age>, RootFault>,
    ) {
        let now = self.now;
        let place = self.seat_mut(seat);
        place.root_told_until = place.root_told_until.max(now + wait) + Duration::from_nanos(1);
        let wait = place.root_told_until - now;
        self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Root(state)));
    }
}

impl Seat {
    /// A root that is opened has no temporary files but those of steps under way.
    fn clean(&mut self) {
        let used = self.used_temporary();
        self.tree.temporary.retain(|number| used.contains(number));
    }

    /// Temporary files of steps under way.
    pub(crate) fn used_temporary(&self) -> BTreeSet<u64> {
        let steps = self.applying.values();
        steps.flat_map(Applying::temporary).collect()
    }
}

/// Whether a root can be used.
fn root_state(tree: &Tree, folder: FolderId) -> Result<Option<Age>, RootFault> {
    match (tree.presence, tree.marker) {
        (Presence::Away, _) => Err(RootFault::Missing),
        (Presence::Another, _) => Err(RootFault::WrongMarker),
        (Presence::There, Some(marker)) if marker == folder => Ok(tree.age),
        (Presence::There, Some(_) | None) => Err(RootFault::WrongMarker),
    }
}
