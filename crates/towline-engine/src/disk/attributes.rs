//! Extended attributes of a root's files: read with what a scan finds, written before a file takes its
//! place.
//!
//! A person chooses per folder whether they are kept, and a filesystem whether it can. Only where both
//! do, a stamp says that they were shown; anywhere else nothing of them is told, and so no loss either.
//! Files in the version store and in the conflict inbox have theirs by their renames and links.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;

use towline_core::io::{Found, HeldReason, Outcome};
use towline_core::records::{AttributeKeeping, Beside};
use towline_wire::entry::{Attributes, Content};
use towline_wire::rel_path::RelPath;

use super::commit::Ready;
use super::handle::{Directory, mark_of, read_attributes, write_attributes};
use super::hash::Reading;
use super::outcome::held_reason;
use super::parents::{Missing, Parents};
use super::root::Root;
use super::traits::ExtendedAttributes;

impl Root {
    /// Keeps extended attributes from now on, or leaves them alone.
    pub(super) fn keep_attributes(&self, keeping: AttributeKeeping) {
        let is_kept = keeping == AttributeKeeping::On;
        self.keeps_attributes.store(is_kept, Ordering::Relaxed);
    }

    /// What is known of the attributes of a file that is read or written now.
    pub(super) fn beside(&self) -> Beside {
        match (
            self.keeps_attributes.load(Ordering::Relaxed),
            self.traits.attributes,
        ) {
            (false, _) => Beside::Unasked,
            (true, ExtendedAttributes::Kept) => Beside::Shown,
            (true, ExtendedAttributes::Lost) => Beside::Unheld,
        }
    }
}

/// The attributes of a file that was read, if its marks are still the same after looking at them.
pub(super) fn beside_reading(
    beside: Beside,
    (directory, name): (&Directory, &str),
    reading: Reading,
) -> io::Result<(Reading, Attributes)> {
    let (Reading::Settled(_, mark), Beside::Shown) = (&reading, beside) else {
        return Ok((reading, Attributes::default()));
    };
    let file = directory.open_file(name)?;
    let attributes = read_attributes(&file)?;
    if mark_of(&file)? == *mark {
        Ok((reading, attributes))
    } else {
        Ok((Reading::Restless, Attributes::default()))
    }
}

/// Whether the file at a place has exactly these attributes; where none are kept here, any will do.
pub(super) fn are_shown(
    beside: Beside,
    (directory, name): (&Directory, &str),
    wanted: Option<&Attributes>,
) -> io::Result<bool> {
    match (beside, wanted) {
        (Beside::Shown, Some(wanted)) => {
            Ok(read_attributes(&directory.open_file(name)?)? == *wanted)
        }
        (Beside::Shown, None) | (Beside::Unasked | Beside::Unheld, _) => Ok(true),
    }
}

/// Gives all staged files of a batch their attributes; those that the disk refuses, with the reason.
pub(super) fn write_staged(
    root: &Root,
    beside: Beside,
    batch: &[Ready],
) -> BTreeMap<RelPath, HeldReason> {
    let mut refused = BTreeMap::new();
    if beside != Beside::Shown {
        return refused;
    }
    for ready in batch {
        if let (Some(staged), Some(wanted)) = (&ready.staged, ready.step.content.attributes()) {
            let opened = root.temporary().open_writable(staged.name());
            if let Err(fault) = opened.and_then(|file| write_attributes(&file, wanted)) {
                refused.insert(ready.step.path.clone(), held_reason(&fault));
            }
        }
    }
    refused
}

/// Notes what is known of the attributes of all that a batch has put into its place.
pub(super) fn note_outcomes(root: &Root, beside: Beside, outcomes: &mut [(RelPath, Outcome)]) {
    let mut parents = Parents::new(root);
    for (_, outcome) in outcomes {
        if let Outcome::Done { stamp, kept } = outcome {
            *stamp = stamp.map(|stamp| stamp.beside(beside));
            if let (Beside::Shown, Some(kept)) = (beside, kept) {
                note_kept(&mut parents, kept);
            }
        }
    }
}

/// Looks at the attributes of a copy that was kept. Where it does not hold still, nothing is known of them.
fn note_kept(parents: &mut Parents<'_>, kept: &mut Found) {
    let looked = parents
        .of(&kept.path, Missing::Refuse)
        .and_then(|directory| directory.open_file(kept.path.file_name()))
        .and_then(|file| Ok((read_attributes(&file)?, mark_of(&file)?)));
    if let (Content::File { attributes, .. }, Ok((seen, mark))) = (&mut kept.content, looked)
        && mark.stamp == kept.stamp
    {
        *attributes = seen;
        kept.stamp = kept.stamp.beside(Beside::Shown);
    }
}

/// Gives a copy the attributes of what it is copied from, where a second name is not to be had.
pub(super) fn copy(root: &Root, from: &File, to: &File) -> io::Result<()> {
    match root.beside() {
        Beside::Shown => write_attributes(to, &read_attributes(from)?),
        Beside::Unasked | Beside::Unheld => Ok(()),
    }
}
