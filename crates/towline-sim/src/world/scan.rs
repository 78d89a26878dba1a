//! Scans of a disk. A scan merges the tree with the store's rows a page at a time: it looks, reads
//! for a while, and tells only what is still so after reading. Between all of this people and crashes
//! come.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use towline_core::io::{DiskEvent, Found, HeldBack, HeldReason, Input, PageEnd, ScanId, ScanScope};
use towline_core::records::{Doubt, OurRow};
use towline_wire::entry::Content;
use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;

use super::{Event, World};
use crate::tree::{Kind, Node, Presence, Tree};

/// A scan under way.
#[derive(Debug)]
pub(super) struct Scanning {
    pub(super) scan: ScanId,
    pub(super) folder: FolderId,
    pub(super) scope: ScanScope,
    pub(super) doubt: Doubt,
    pub(super) after: Option<RelPath>,
    /// What the present page saw.
    pub(super) page: Look,
    pub(super) restless: BTreeSet<RelPath>,
}

/// What one look saw.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) found: Vec<Found>,
    pub(super) absent: Vec<RelPath>,
    pub(super) held_back: Vec<HeldBack>,
    pub(super) last: Option<RelPath>,
    pub(super) end: Option<PageEnd>,
}

impl World {
    pub(super) fn scan_on(&mut self, seat: usize, scan: ScanId) {
        let run = self.seat(seat).run;
        let wait = self.dice.micros(100, 20_000);
        self.after(
            wait,
            Event::ScanLook {
                seat,
                run,
                scan: scan.0,
            },
        );
    }

    pub(super) fn scan_look(&mut self, seat: usize, scan: u64) {
        let most = self.dice.between(2, 25);
        let bug = self.scan_bug();
        let place = self.seat_mut(seat);
        let Some(scanning) = place
            .scanning
            .as_mut()
            .filter(|running| running.scan.0 == scan)
        else {
            return;
        };
        let tree = &place.tree;
        let look = place.shelf.with_rows(scanning.folder, |rows| {
            let (scope, doubt) = (&scanning.scope, scanning.doubt);
            let mut look = look(tree, rows, (scope, doubt), scanning.after.as_ref(), most);
            bug.bend(&mut look, &scanning.scope, tree, rows, scanning.scan.0);
            look
        });
        let reading: Vec<RelPath> = look.found.iter().map(|found| found.path.clone()).collect();
        scanning.page = look;
        let run = place.run;
        let wait = self.dice.micros(100, 60_000);
        for path in reading {
            self.tempt(seat, &path, wait);
        }
        self.after(wait, Event::ScanTell { seat, run, scan });
    }

    pub(super) fn scan_tell(&mut self, seat: usize, scan: u64) {
        let bug = self.scan_bug();
        let place = self.seat_mut(seat);
        let Some(scanning) = place
            .scanning
            .as_mut()
            .filter(|running| running.scan.0 == scan)
        else {
            return;
        };
        if place.tree.presence != Presence::There && !bug.sees_an_empty_root() {
            // Abandoned; that the root is gone was told already.
            place.scanning = None;
            return;
        }
        let Look {
            found,
            absent,
            held_back,
            last,
            end,
        } = std::mem::take(&mut scanning.page);
        let tree = &place.tree;
        let (found, changed): (Vec<Found>, Vec<Found>) = found
            .into_iter()
            .map(|found| bug.after_reading(found, tree))
            .partition(|found| {
                tree.get(&found.path)
                    .is_some_and(|node| node.stamp() == found.stamp)
            });
        let (absent, back): (Vec<RelPath>, Vec<RelPath>) = absent
            .into_iter()
            .partition(|path| bug.believes_absence() || tree.get(path).is_none());
        scanning
            .restless
            .extend(changed.into_iter().map(|found| found.path));
        scanning.restless.extend(back);
        scanning.after = last;
        let (folder, scan) = (scanning.folder, scanning.scan);
        let end = end.unwrap_or(PageEnd::End);
        let mut restless = BTreeSet::new();
        if end == PageEnd::End {
            restless = std::mem::take(&mut scanning.restless);
            place.scanning = None;
        }
        let event = DiskEvent::Scanned {
            scan,
            found,
            absent,
            lost: Vec::new(),
            overlooked: Vec::new(),
            held_back,
            end,
        };
        let wait = self.dice.micros(10, 3000);
        self.deliver(seat, wait, Input::Disk(folder, event));
        if !restless.is_empty() {
            let disturbed = DiskEvent::Disturbed(ScanScope::Paths(restless));
            self.deliver(seat, wait * 2, Input::Disk(folder, disturbed));
        }
    }
}

fn look(
    tree: &Tree,
    rows: &BTreeMap<RelPath, OurRow>,
    (scope, doubt): (&ScanScope, Doubt),
    after: Option<&RelPath>,
    most: usize,
) -> Look {
    let is_known_directory = |path: &RelPath| {
        rows.get(path)
            .is_some_and(|row| row.entry.content == Content::Directory)
    };
    let is_in = |path: &RelPath| match scope {
        ScanScope::All => true,
        ScanScope::Paths(paths) => {
            paths.contains(path)
                || paths.iter().any(|target| path.is_below(target))
                // Directories on the way that we do not know yet.
                || (!is_known_directory(path) && paths.iter().any(|target| target.is_below(path)))
        }
    };
    let live = |row: &OurRow| row.entry.content != Content::Absent;
    let on_disk = tree.after(after).map(|(path, _)| path);
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let known = rows
        .range::<RelPath, _>((start, Bound::Unbounded))
        .filter(|(_, row)| live(row))
        .map(|(path, _)| path);
    let all: BTreeSet<&RelPath> = on_disk.chain(known).filter(|path| is_in(path)).collect();
    let mut look = Look {
        end: Some(PageEnd::End),
        ..Look::default()
    };
    for (count, path) in all.into_iter().enumerate() {
        if count == most {
            look.end = Some(PageEnd::More);
            break;
        }
        look.last = Some(path.clone());
        match tree.lock_of(path) {
            // What lies below what cannot be read is unknown.
            Some(lock) if lock != path => continue,
            Some(lock) => look.held_back.push(HeldBack {
                path: lock.as_str().to_owned(),
                reason: HeldReason::Unreadable,
            }),
            None => {}
        }
        match (tree.get(path), rows.get(path)) {
            (None, _) => look.absent.push(path.clone()),
            (Some(node), row) => {
                let unreadable = !node.is_directory() && tree.lock_of(path).is_some();
                if !unreadable && !row.is_some_and(|row| is_unchanged(row, node, doubt)) {
                    look.found.push(Found {
                        path: path.clone(),
                        content: node.kind.content(),
                        mtime: node.mtime,
                        stamp: node.stamp(),
                    });
                }
            }
        }
    }
    look
}

fn is_unchanged(row: &OurRow, node: &Node, doubt: Doubt) -> bool {
    match (&row.entry.content, &node.kind) {
        (Content::Directory, Kind::Directory) => true,
        (Content::File { .. }, Kind::File { .. }) | (Content::Symlink { .. }, Kind::Symlink(_)) => {
            row.stamp == Some(node.stamp()) && !doubt.covers(node.stamp())
        }
        (
            Content::Absent | Content::Directory | Content::File { .. } | Content::Symlink { .. },
            Kind::File { .. } | Kind::Directory | Kind::Symlink(_),
        ) => false,
    }
}
