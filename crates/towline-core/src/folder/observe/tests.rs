//! What a page means that is older than the rows it is held against.

use std::collections::BTreeMap;

use towline_wire::entry::{Content, Descent, Entry, SymlinkTarget, UnixNanos, VersionVector};
use towline_wire::ids::Sequence;
use towline_wire::rel_path::RelPath;

use super::{Departures, Gone, Observed, Sighting, observe};
use crate::folder::quarantine::Suspicion;
use crate::io::Found;
use crate::records::{Beside, DiskStamp, Doubt, Mode, OurRow, Reach};
use crate::tests::folder::world::{actor, file, path};

fn stamp(ctime: i64) -> DiskStamp {
    DiskStamp {
        size: 0,
        mtime: UnixNanos(1),
        ctime: UnixNanos(ctime),
        file_id: 9,
        beside: Beside::Unasked,
    }
}

/// A row that a step made after our row number four.
fn row(content: Content) -> (RelPath, OurRow) {
    let mut version = VersionVector::default();
    let author = version.bump(actor(2));
    let entry = Entry {
        path: path("a"),
        version,
        author,
        content,
        mtime: UnixNanos(1),
        descent: Descent::none(),
    };
    let row = OurRow {
        entry,
        sequence: Sequence(5),
        stamp: Some(stamp(2)),
        reach: Reach::Everyone,
    };
    (path("a"), row)
}

fn found(content: Content, ctime: i64) -> Sighting {
    let found = Found {
        path: path("a"),
        content,
        mtime: UnixNanos(1),
        stamp: stamp(ctime),
    };
    Sighting {
        found: vec![found],
        ..Sighting::default()
    }
}

fn observed(sighting: Sighting, since: u64) -> Observed {
    let rows = BTreeMap::from([row(file("new"))]);
    let nothing_in_doubt = Suspicion {
        doubt: Doubt::Nothing,
        up_to: Sequence(0),
    };
    observe(
        sighting,
        &rows,
        &|_| false,
        Departures::Now,
        (&Gone::default(), Sequence(since)),
        (actor(1), Mode::TwoWay, nothing_in_doubt),
    )
}

#[test]
fn what_was_seen_before_a_step_that_has_ended_is_looked_at_again() {
    let absent = Sighting {
        absent: vec![path("a")],
        ..Sighting::default()
    };
    let sightings = [found(file("old"), 1), found(file("new"), 1), absent];
    let again = Observed {
        again: vec![path("a")],
        ..Observed::default()
    };
    for sighting in sightings {
        assert_eq!(observed(sighting.clone(), 4), again);
        let judged = observed(sighting, 5);
        assert_eq!(judged.again, []);
        assert_eq!(judged.drafts.len() + judged.stamps.len(), 1);
    }
}

#[test]
fn what_is_as_the_younger_row_says_needs_no_other_look() {
    assert_eq!(observed(found(file("new"), 2), 4), Observed::default());
}

#[test]
fn what_the_disk_calls_lost_is_merely_absent_where_no_power_cut_can_have_taken_it() {
    let link = Content::Symlink {
        target: SymlinkTarget::parse("elsewhere").unwrap(),
    };
    for content in [file("new"), link] {
        let rows = BTreeMap::from([row(content)]);
        let judged = |doubt, up_to| {
            let sighting = Sighting {
                lost: vec![path("a")],
                ..Sighting::default()
            };
            let up_to = Sequence(up_to);
            let sighting = sighting.lost_by(&rows, Suspicion { doubt, up_to });
            (sighting.lost.len(), sighting.absent.len())
        };
        let doubt = Doubt::Since(UnixNanos(0));
        assert_eq!(judged(doubt, 5), (1, 0));
        assert_eq!(judged(doubt, 4), (0, 1), "seen since the start");
        assert_eq!(judged(Doubt::Nothing, 5), (0, 1));
    }
}
