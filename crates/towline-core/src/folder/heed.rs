//! Which ignore rules hold in the folder, and what follows when others do.
//!
//! The disk tells the shared rules before it tells that the root is open, and whenever they are others;
//! local ones come with the settings. With other rules the disk is told, all is looked at again, and
//! every path at which a peer's record differs is a need again: needs at ignored paths are settled as
//! they come up. The store remembers under which rules its list of needs was made, so that rules that
//! change while the device is off have the same effect.
//!
//! Becoming ignored deletes nothing. A row at an ignored path stays as it is and only loses its stamp:
//! nobody looks whether it is still true. Where such a row is looked at again and nothing lies there,
//! that is no delete by a person. It is a need, and what peers have comes back.

use towline_wire::rel_path::RelPath;

use crate::folder::look::Root;
use crate::folder::observe::Sighting;
use crate::folder::rules::{RuleSet, Rules, Shape};
use crate::folder::{Folder, Job};
use crate::io::DiskRequest;
use crate::outbox::Outbox;
use crate::records::{AttributeKeeping, Need, OurRow};

use std::collections::BTreeMap;

impl Folder {
    /// The disk has read the rules that travel with the folder.
    pub(super) fn shared_rules(&mut self, shared: RuleSet, outbox: &mut Outbox) {
        if self.rules.shared != shared {
            self.rules.shared = shared;
            self.heed(outbox);
        }
    }

    /// The settings are others, perhaps with other rules for this device.
    pub(super) fn local_rules(&mut self, outbox: &mut Outbox) {
        let text = &self.record.settings.local_rules;
        if self.rules.local.text() != text {
            self.rules.local = RuleSet::parse(text);
            self.heed(outbox);
        }
    }

    /// The root is open, and its disk heeds no rules yet.
    pub(super) fn heed_anew(&mut self, outbox: &mut Outbox) {
        self.heeded = Rules::default();
        self.tell_keeping(outbox);
        self.heed(outbox);
    }

    /// The settings are others, perhaps with another choice for attributes: then all is looked at again.
    pub(super) fn attributes_chosen(&mut self, before: AttributeKeeping, outbox: &mut Outbox) {
        if before == self.record.settings.attributes {
            return;
        }
        match self.look.root() {
            Root::Unseen | Root::Seen => {
                self.tell_keeping(outbox);
                self.look.want_all();
            }
            Root::Opening | Root::Paused(_) | Root::Closed => {}
        }
    }

    fn tell_keeping(&self, outbox: &mut Outbox) {
        let keeping = self.record.settings.attributes;
        outbox.disk(self.record.id, DiskRequest::KeepAttributes(keeping));
    }

    /// Has everything follow the rules that hold, once there is a root to follow them.
    fn heed(&mut self, outbox: &mut Outbox) {
        match self.look.root() {
            Root::Unseen | Root::Seen => {}
            Root::Opening | Root::Paused(_) | Root::Closed => return,
        }
        if self.rules != self.heeded {
            self.heeded = self.rules.clone();
            outbox.disk(self.record.id, DiskRequest::Heed(self.rules.clone()));
            self.look.want_all();
            self.walk.release_all();
        }
        let under = self.rules.mark();
        if under != self.needs_under {
            self.needs_under = under;
            self.jobs.push_back(Job::RenewNeeds(under));
        }
    }

    /// Takes from a page of a scan what the rules that hold by now ignore; it may have begun under
    /// others.
    pub(super) fn without_ignored(
        &self,
        mut sighting: Sighting,
        rows: &BTreeMap<RelPath, OurRow>,
    ) -> Sighting {
        if self.rules.is_empty() {
            return sighting;
        }
        let rules = &self.rules;
        sighting
            .found
            .retain(|found| !rules.ignore(&found.path, Shape::of(&found.content)));
        let is_looked_at = |path: &RelPath| {
            let row = rows.get(path).map(|row| Shape::of(&row.entry.content));
            !rules.ignore(path, row.unwrap_or(Shape::Other))
        };
        sighting.absent.retain(is_looked_at);
        sighting.lost.retain(is_looked_at);
        sighting
    }
}

/// Whether a need lies at a path that is ignored, as what we have there or as what a peer has.
pub(super) fn is_ignored(rules: &Rules, need: &Need) -> bool {
    if rules.is_empty() {
        return false;
    }
    let ours = need.ours.iter().map(|row| &row.entry);
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    let mut shapes = ours.chain(theirs).map(|entry| Shape::of(&entry.content));
    let is_directory = shapes.any(|shape| shape == Shape::Directory);
    rules.ignore(&need.path, Shape::Other)
        || (is_directory && rules.ignore(&need.path, Shape::Directory))
}
