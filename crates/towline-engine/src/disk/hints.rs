//! Gathers hints that something changed, and says when it is time to look.
//!
//! A hint waits until its folder was quiet for a moment, but never long: one save makes a handful
//! of events, an unpacked archive makes thousands. The moment is short when all that waits is
//! finished: a few files that were closed after writing, or renamed to their place, and not the same
//! again and again. What must wait longer (a file that is being written) has a time of its own.
//! Bounded: too many paths become "look at all". Pure; time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use towline_core::io::ScanScope;
use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;

use super::watch::Stage;

/// Quiet time after which hints are passed on: 100 ms. Shorter sees half of a save by rename;
/// longer is felt by a person who watches both screens.
const QUIET_FOR: Duration = Duration::from_millis(100);

/// The same where every change is finished: 20 ms, the age that a file must have before it is read.
/// Shorter would only wait there; longer is felt as above.
const QUIET_FOR_FINISHED: Duration = Duration::from_millis(20);

/// Paths up to which the short time holds: 16, some files saved together. More are a program at work,
/// whose files are better looked at together.
const FINISHED_PATHS_MAX: usize = 16;

/// How long a path that was passed on must rest until the short time holds for it again: 500 ms. A
/// file that is written and closed many times a second is sent twice a second, not fifty times.
const FINISHED_APART: Duration = Duration::from_millis(500);

/// Longest time that a hint waits for quiet: 500 ms.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Paths that wait per folder: 4096. Beyond it one look at everything is cheaper, and what hints
/// hold stays below a megabyte or two.
const PATHS_MAX: usize = 4096;

/// Least time between two looks at everything that lost events ask for: 10 s. A look makes events
/// of its own on some systems, and must not feed itself.
const ALL_APART: Duration = Duration::from_secs(10);

/// Hints of all folders.
#[derive(Debug, Default)]
pub(super) struct Hints(BTreeMap<FolderId, Waiting>);

/// What is to be looked at now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) scope: ScanScope,
    /// Those of its paths from which something went meanwhile, though something may lie there again.
    pub(super) gone: BTreeSet<RelPath>,
}

/// Whether something has gone from a path since it was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    Nothing,
    Something,
}

#[derive(Debug, Default)]
struct Waiting {
    paths: BTreeMap<RelPath, (Stage, Went)>,
    /// When paths were passed on, as far as it matters for their next hint.
    passed: BTreeMap<RelPath, Instant>,
    /// First and latest hint among `paths`.
    since: Option<(Instant, Instant)>,
    /// When everything is to be looked at.
    all_at: Option<Instant>,
    last_all: Option<Instant>,
    later: Vec<(Instant, ScanScope)>,
}

impl Hints {
    /// Something happened at a path.
    pub(super) fn add(
        &mut self,
        folder: FolderId,
        path: RelPath,
        (stage, went): (Stage, Went),
        now: Instant,
    ) {
        let waiting = self.0.entry(folder).or_default();
        if waiting.all_at.is_some_and(|at| at <= now + WAIT_MAX) {
            return;
        }
        let rested = |at: &Instant| now.saturating_duration_since(*at) >= FINISHED_APART;
        let stage = match stage {
            Stage::Finished if waiting.passed.get(&path).is_none_or(rested) => Stage::Finished,
            Stage::Finished | Stage::Underway => Stage::Underway,
        };
        let before = waiting.paths.get(&path).map(|(_, went)| *went);
        let went = match before {
            Some(Went::Something) => Went::Something,
            Some(Went::Nothing) | None => went,
        };
        waiting.paths.insert(path, (stage, went));
        let first = waiting.since.map_or(now, |(first, _)| first);
        waiting.since = Some((first, now));
        if waiting.paths.len() > PATHS_MAX {
            waiting.want_all(now);
        }
    }

    /// Events were lost: anything may have happened.
    pub(super) fn add_all(&mut self, folder: FolderId, now: Instant) {
        self.0.entry(folder).or_default().want_all(now);
    }

    /// Something is to be looked at after a while.
    pub(super) fn add_later(&mut self, folder: FolderId, scope: ScanScope, at: Instant) {
        self.0.entry(folder).or_default().later.push((at, scope));
    }

    /// Drops every hint of a folder.
    pub(super) fn forget(&mut self, folder: FolderId) {
        self.0.remove(&folder);
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(Waiting::due_at).min()
    }

    /// Takes what is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(FolderId, Due)> {
        let mut all = Vec::new();
        for (folder, waiting) in &mut self.0 {
            all.extend(waiting.take_due(now).map(|due| (*folder, due)));
        }
        all
    }
}

impl Waiting {
    fn want_all(&mut self, now: Instant) {
        let earliest = self.last_all.map_or(now + QUIET_FOR, |last| {
            (last + ALL_APART).max(now + QUIET_FOR)
        });
        self.all_at.get_or_insert(earliest);
        self.paths.clear();
        self.since = None;
    }

    fn paths_due_at(&self) -> Option<Instant> {
        self.since
            .map(|(first, latest)| (latest + self.quiet_for()).min(first + WAIT_MAX))
    }

    fn quiet_for(&self) -> Duration {
        let finished = self.paths.len() <= FINISHED_PATHS_MAX
            && (self.paths.values()).all(|(stage, _)| *stage == Stage::Finished);
        if finished {
            QUIET_FOR_FINISHED
        } else {
            QUIET_FOR
        }
    }

    /// Takes the paths that wait, and remembers them as far as that is cheap.
    fn take_paths(&mut self, now: Instant) -> BTreeMap<RelPath, (Stage, Went)> {
        self.since = None;
        self.passed
            .retain(|_, at| now.saturating_duration_since(*at) < FINISHED_APART);
        let paths = std::mem::take(&mut self.paths);
        // More than that are not finished soon whatever their past.
        if paths.len() + self.passed.len() <= PATHS_MAX {
            self.passed
                .extend(paths.keys().map(|path| (path.clone(), now)));
        }
        paths
    }

    fn due_at(&self) -> Option<Instant> {
        let later = self.later.iter().map(|(at, _)| *at).min();
        [self.paths_due_at(), self.all_at, later]
            .into_iter()
            .flatten()
            .min()
    }

    fn take_due(&mut self, now: Instant) -> Option<Due> {
        let mut all = false;
        let mut hinted = BTreeMap::new();
        if self.all_at.is_some_and(|at| at <= now) {
            self.all_at = None;
            self.last_all = Some(now);
            all = true;
        }
        if all || self.paths_due_at().is_some_and(|at| at <= now) {
            hinted = self.take_paths(now);
        }
        let is_gone = |(_, went): &(Stage, Went)| *went == Went::Something;
        let gone = hinted.iter().filter(|(_, how)| is_gone(how));
        let gone = gone.map(|(path, _)| path.clone()).collect();
        let mut paths: BTreeSet<RelPath> = hinted.into_keys().collect();
        self.later.retain(|(at, scope)| {
            if *at > now {
                return true;
            }
            match scope {
                ScanScope::All => all = true,
                ScanScope::Paths(more) => paths.extend(more.iter().cloned()),
            }
            false
        });
        let scope = if all {
            ScanScope::All
        } else if paths.is_empty() {
            return None;
        } else {
            ScanScope::Paths(paths)
        };
        Some(Due { scope, gone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: FolderId = FolderId::from_bytes([1; 16]);

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// What is due, where nothing has gone.
    fn due(hints: &mut Hints, now: Instant) -> Vec<(FolderId, ScanScope)> {
        let due = hints.take_due(now).into_iter();
        due.map(|(folder, due)| {
            assert!(due.gone.is_empty());
            (folder, due.scope)
        })
        .collect()
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn hints_wait_for_quiet_but_not_for_ever() {
        let start = Instant::now();
        let mut hints = Hints::default();
        for step in 0..10 {
            hints.add(
                FOLDER,
                path("a"),
                (Stage::Underway, Went::Nothing),
                start + ms(step * 60),
            );
            let at_500 = start + ms(step * 60);
            let due = due(&mut hints, at_500);
            assert_eq!(due.is_empty(), step * 60 < 500, "at {} ms", step * 60);
            if !due.is_empty() {
                return;
            }
        }
        panic!("never due");
    }

    #[test]
    fn a_quiet_folder_is_due_after_100_ms() {
        let start = Instant::now();
        let mut hints = Hints::default();
        hints.add(FOLDER, path("a"), (Stage::Underway, Went::Nothing), start);
        hints.add(
            FOLDER,
            path("b"),
            (Stage::Finished, Went::Nothing),
            start + ms(10),
        );
        assert_eq!(hints.next_due(), Some(start + ms(110)));
        assert!(due(&mut hints, start + ms(109)).is_empty());
        let paths = [path("a"), path("b")].into();
        assert_eq!(
            due(&mut hints, start + ms(110)),
            vec![(FOLDER, ScanScope::Paths(paths))]
        );
        assert_eq!(hints.next_due(), None);
    }

    #[test]
    fn a_finished_save_is_due_after_20_ms() {
        let start = Instant::now();
        let mut hints = Hints::default();
        hints.add(FOLDER, path("a"), (Stage::Underway, Went::Nothing), start);
        hints.add(
            FOLDER,
            path("a"),
            (Stage::Finished, Went::Nothing),
            start + ms(3),
        );
        assert_eq!(hints.next_due(), Some(start + ms(23)));
        hints.add(
            FOLDER,
            path("b"),
            (Stage::Underway, Went::Nothing),
            start + ms(5),
        );
        assert_eq!(hints.next_due(), Some(start + ms(105)));
        hints.add(
            FOLDER,
            path("b"),
            (Stage::Finished, Went::Nothing),
            start + ms(9),
        );
        assert!(due(&mut hints, start + ms(28)).is_empty());
        let paths = [path("a"), path("b")].into();
        assert_eq!(
            due(&mut hints, start + ms(29)),
            vec![(FOLDER, ScanScope::Paths(paths))]
        );
    }

    #[test]
    fn a_file_that_is_saved_again_and_again_waits_longer() {
        let start = Instant::now();
        let mut hints = Hints::default();
        let save = |hints: &mut Hints, at: Instant| {
            hints.add(FOLDER, path("a"), (Stage::Finished, Went::Nothing), at);
            hints.next_due().unwrap() - at
        };
        assert_eq!(save(&mut hints, start), ms(20));
        assert_eq!(due(&mut hints, start + ms(20)).len(), 1);
        assert_eq!(save(&mut hints, start + ms(40)), ms(100));
        assert_eq!(due(&mut hints, start + ms(140)).len(), 1);
        assert_eq!(save(&mut hints, start + ms(640)), ms(20));
    }

    #[test]
    fn many_finished_files_are_looked_at_together() {
        let start = Instant::now();
        let mut hints = Hints::default();
        for number in 0..=FINISHED_PATHS_MAX {
            hints.add(
                FOLDER,
                path(&format!("f{number}")),
                (Stage::Finished, Went::Nothing),
                start,
            );
        }
        assert_eq!(hints.next_due(), Some(start + ms(100)));
    }

    #[test]
    fn too_many_paths_become_all() {
        let start = Instant::now();
        let mut hints = Hints::default();
        for number in 0..=PATHS_MAX {
            hints.add(
                FOLDER,
                path(&format!("f{number}")),
                (Stage::Finished, Went::Nothing),
                start,
            );
        }
        assert_eq!(
            due(&mut hints, start + WAIT_MAX),
            vec![(FOLDER, ScanScope::All)]
        );
    }

    #[test]
    fn lost_events_do_not_make_looks_chase_each_other() {
        let start = Instant::now();
        let mut hints = Hints::default();
        hints.add_all(FOLDER, start);
        assert_eq!(
            due(&mut hints, start + ms(100)),
            vec![(FOLDER, ScanScope::All)]
        );
        hints.add_all(FOLDER, start + ms(200));
        assert!(due(&mut hints, start + ms(5000)).is_empty());
        hints.add(
            FOLDER,
            path("a"),
            (Stage::Underway, Went::Nothing),
            start + ms(5000),
        );
        let paths = [path("a")].into();
        assert_eq!(
            due(&mut hints, start + ms(5100)),
            vec![(FOLDER, ScanScope::Paths(paths))]
        );
        assert_eq!(
            due(&mut hints, start + ms(10_100)),
            vec![(FOLDER, ScanScope::All)]
        );
    }

    #[test]
    fn what_went_from_a_path_is_told_with_it_whatever_came_after() {
        let start = Instant::now();
        let mut hints = Hints::default();
        hints.add(FOLDER, path("a"), (Stage::Underway, Went::Something), start);
        hints.add(FOLDER, path("a"), (Stage::Finished, Went::Nothing), start);
        hints.add(FOLDER, path("b"), (Stage::Finished, Went::Nothing), start);
        let due = Due {
            scope: ScanScope::Paths([path("a"), path("b")].into()),
            gone: [path("a")].into(),
        };
        assert_eq!(hints.take_due(start + ms(20)), vec![(FOLDER, due)]);
        hints.add(
            FOLDER,
            path("a"),
            (Stage::Underway, Went::Nothing),
            start + ms(30),
        );
        let due = Due {
            scope: ScanScope::Paths([path("a")].into()),
            gone: [].into(),
        };
        assert_eq!(hints.take_due(start + ms(130)), vec![(FOLDER, due)]);
    }
}
