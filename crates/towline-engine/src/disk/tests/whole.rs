//! The front as the device loop uses it: requests in, events out.

use std::time::Duration;

use tokio::sync::mpsc;
use towline_core::folder::rules::RuleSet;
use towline_core::io::{AbsentRoot, Age, DiskEvent, ScanId};
use towline_wire::ids::{DeviceId, Incarnation, Sequence};

use super::super::Disk;
use super::*;

/// Events that may wait in these tests.
const EVENTS: usize = 16;

const US: DeviceId = DeviceId::from_public_key([1; 32]);
const NOBODY: DeviceId = DeviceId::from_public_key([2; 32]);

struct Running {
    events: mpsc::Receiver<(FolderId, DiskEvent)>,
    disk: Disk,
    rows: Rows,
    tasks: Tasks,
}

impl Running {
    fn start() -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let (rows, tasks) = (Rows::default(), Tasks::new());
        let disk = Disk::start(sender, Arc::new(rows.clone()), US, &tasks).unwrap();
        Self {
            events,
            disk,
            rows,
            tasks,
        }
    }

    /// The next event, within a deadline far beyond what it takes.
    async fn next(&mut self) -> DiskEvent {
        loop {
            let wait = tokio::time::timeout(Duration::from_secs(30), self.events.recv());
            let (folder, event) = wait.await.expect("no event").unwrap();
            assert_eq!(folder, FOLDER);
            // Told before every root.
            if event != DiskEvent::SharedRules(RuleSet::default()) {
                return event;
            }
        }
    }

    /// Waits for hints until one tells of `path`.
    async fn disturbed_at(&mut self, path: &str) {
        self.disturbed(|told| *told == rel(path)).await;
    }

    /// Waits for hints until a look at what they tell of looks at `path`.
    #[cfg(target_os = "linux")]
    async fn disturbed_over(&mut self, path: &str) {
        let path = rel(path);
        self.disturbed(|told| path == *told || path.is_below(told))
            .await;
    }

    async fn disturbed(&mut self, is_it: impl Fn(&RelPath) -> bool) {
        loop {
            match self.next().await {
                DiskEvent::Disturbed(ScanScope::All) => return,
                DiskEvent::Disturbed(ScanScope::Paths(paths)) => {
                    if paths.iter().any(&is_it) {
                        return;
                    }
                }
                other @ (DiskEvent::Prepared(_)
                | DiskEvent::Root(_)
                | DiskEvent::SharedRules(_)
                | DiskEvent::Scanned { .. }
                | DiskEvent::Applied { .. }) => panic!("{other:?}"),
            }
        }
    }

    /// Scans all, taking every page as the truth.
    async fn scan(&mut self, id: u64) -> Page {
        self.disk
            .scan(FOLDER, ScanId(id), ScanScope::All, Doubt::Nothing);
        let mut all = Page::default();
        loop {
            match self.next().await {
                DiskEvent::Scanned {
                    scan,
                    found,
                    absent,
                    lost,
                    overlooked,
                    held_back,
                    end,
                } => {
                    assert_eq!(scan, ScanId(id));
                    let page = Page {
                        found,
                        absent,
                        lost,
                        overlooked,
                        held_back,
                    };
                    self.rows.take(&page);
                    all.found.extend(page.found);
                    all.absent.extend(page.absent);
                    if end == PageEnd::End {
                        return all;
                    }
                    self.disk.continue_scan(FOLDER, scan);
                }
                DiskEvent::Disturbed(_) => {}
                other @ (DiskEvent::Prepared(_)
                | DiskEvent::Root(_)
                | DiskEvent::SharedRules(_)
                | DiskEvent::Applied { .. }) => panic!("{other:?}"),
            }
        }
    }

    /// Ends the disk off the runtime, as the engine does.
    async fn end(self) {
        let Self {
            events,
            disk,
            rows: _,
            tasks,
        } = self;
        drop(events);
        tokio::task::spawn_blocking(move || drop(disk))
            .await
            .unwrap();
        tasks.close().await;
        assert!(tasks.names().is_empty(), "threads are left");
    }
}

#[tokio::test]
async fn the_watcher_sees_create_modify_rename_and_delete() {
    let place = TestRoot::new();
    let mut running = Running::start();
    running.disk.prepare(
        FOLDER,
        root_path(place.directory.path()),
        Vec::new(),
        AbsentRoot::Refused,
    );
    assert_eq!(running.next().await, DiskEvent::Prepared(Ok(())));
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    place.write("f", "one");
    running.disturbed_at("f").await;
    place.write("f", "two");
    running.disturbed_at("f").await;
    fs::rename(place.at("f"), place.at("g")).unwrap();
    running.disturbed_at("f").await;
    place.write("g", "three");
    running.disturbed_at("g").await;
    fs::remove_file(place.at("g")).unwrap();
    running.disturbed_at("g").await;
    fs::create_dir(place.at("d")).unwrap();
    running.disturbed_at("d").await;
    place.write("d/x", "inside");
    running.disturbed_at("d/x").await;
    fs::rename(place.at("d"), place.at("e")).unwrap();
    running.disturbed_at("d").await;
    place.write("e/x", "changed in the renamed directory");
    running.disturbed_at("e/x").await;
    running.end().await;
}

#[tokio::test]
async fn own_writes_and_temporary_files_do_not_disturb() {
    let place = TestRoot::new();
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    let root = running.disk.root(FOLDER).unwrap();
    let text = "ours";
    let step = step("d/ours", Expected::Nothing, file_content(text));
    let staged = Staged::whole(&root, FileShape::of(&step).unwrap(), text.as_bytes()).unwrap();
    let batch = vec![
        without_bytes("d", Expected::Nothing, Content::Directory),
        Ready {
            step,
            staged: Some(staged),
        },
    ];
    let outcomes = running
        .disk
        .pool()
        .run(move || commit_batch(&root, batch))
        .await
        .unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| is_done(outcome)));
    place.write("theirs", "theirs");
    let DiskEvent::Disturbed(scope) = running.next().await else {
        panic!()
    };
    assert_eq!(scope, ScanScope::Paths([rel("theirs")].into()));
    running.end().await;
}

// Elsewhere a watcher watches a whole tree at once.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_fills_a_directory_as_soon_as_we_have_made_it_is_seen() {
    let place = TestRoot::new();
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    let root = running.disk.root(FOLDER).unwrap();
    for number in 0..20 {
        let directories = ["", "/a", "/a/b", "/a/b/c"].map(|below| format!("{number}{below}"));
        let theirs = format!("{number}/a/b/c/theirs");
        let somebody = std::thread::spawn({
            let theirs = place.at(&theirs);
            move || while fs::write(&theirs, "theirs").is_err() {}
        });
        let batch = directories
            .iter()
            .map(|path| without_bytes(path, Expected::Nothing, Content::Directory))
            .collect();
        let outcomes = commit_batch(&root, batch);
        assert!(outcomes.iter().all(|(_, outcome)| is_done(outcome)));
        running.disturbed_over(&theirs).await;
        somebody.join().unwrap();
    }
    running.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_takes_away_a_directory_that_we_make_again_at_once_is_seen() {
    let place = TestRoot::new();
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    let root = running.disk.root(FOLDER).unwrap();
    place.write("d/theirs", "theirs");
    running.disturbed_over("d").await;
    running.scan(1).await;
    let aside = tempfile::tempdir_in(place.directory.path().parent().unwrap()).unwrap();
    for number in 0..5 {
        fs::rename(place.at("d"), aside.path().join(number.to_string())).unwrap();
        let again = without_bytes("d", Expected::Nothing, Content::Directory);
        let outcomes = commit_batch(&root, vec![again]);
        assert!(outcomes.iter().all(|(_, outcome)| is_done(outcome)));
        running.disturbed_over("d").await;
    }
    running.end().await;
}

#[tokio::test]
async fn who_removes_what_was_made_where_we_removed_something_is_seen() {
    let place = TestRoot::new();
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    let root = running.disk.root(FOLDER).unwrap();
    let steps = [
        without_bytes("d", Expected::Nothing, Content::Directory),
        without_bytes("d", Expected::Directory, Content::Absent),
    ];
    for step in steps {
        let root = Arc::clone(&root);
        let outcomes = running
            .disk
            .pool()
            .run(move || commit_batch(&root, vec![step]))
            .await
            .unwrap();
        assert!(outcomes.iter().all(|(_, outcome)| is_done(outcome)));
    }
    fs::create_dir(place.at("d")).unwrap();
    running.disturbed_at("d").await;
    fs::remove_dir(place.at("d")).unwrap();
    running.disturbed_at("d").await;
    running.end().await;
}

#[tokio::test]
async fn at_most_two_pages_are_out() {
    let place = TestRoot::new();
    for number in 0..2600 {
        place.write(&format!("{number}"), "");
    }
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    running
        .disk
        .scan(FOLDER, ScanId(1), ScanScope::All, Doubt::Nothing);
    for _ in 0..2 {
        assert!(matches!(
            running.next().await,
            DiskEvent::Scanned {
                end: PageEnd::More,
                ..
            }
        ));
    }
    // Whatever else is asked is answered first: the scan waits.
    running.disk.prepare(
        FOLDER,
        root_path(place.directory.path()),
        Vec::new(),
        AbsentRoot::Refused,
    );
    assert_eq!(running.next().await, DiskEvent::Prepared(Ok(())));
    running.disk.continue_scan(FOLDER, ScanId(1));
    assert!(matches!(
        running.next().await,
        DiskEvent::Scanned {
            end: PageEnd::More,
            ..
        }
    ));
    running.disk.close(FOLDER);
    running.disk.continue_scan(FOLDER, ScanId(1));
    assert!(running.disk.root(FOLDER).is_none());
    running.end().await;
}

#[tokio::test]
async fn a_lost_root_is_told_once_and_comes_back_by_itself() {
    let place = TestRoot::new();
    place.write("f", "text");
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    assert_eq!(running.scan(1).await.found.len(), 1);
    let aside = tempfile::tempdir().unwrap();
    let moved = aside.path().join("moved");
    fs::rename(place.directory.path(), &moved).unwrap();
    running.disk.doubt(FOLDER);
    loop {
        match running.next().await {
            DiskEvent::Root(fault) => {
                assert_eq!(fault, Err(RootFault::Missing));
                break;
            }
            DiskEvent::Disturbed(_) => {}
            other @ (DiskEvent::Prepared(_)
            | DiskEvent::SharedRules(_)
            | DiskEvent::Scanned { .. }
            | DiskEvent::Applied { .. }) => panic!("{other:?}"),
        }
    }
    fs::rename(&moved, place.directory.path()).unwrap();
    running.disk.doubt(FOLDER);
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    let again = running.scan(2).await;
    assert!(again.found.is_empty() && again.absent.is_empty());
    running.end().await;
}

#[tokio::test]
async fn a_root_that_cannot_be_opened_says_why_once() {
    let place = TestRoot::new();
    fs::write(place.at(".towline/folder"), "junk").unwrap();
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    let wrong = DiskEvent::Root(Err(RootFault::WrongMarker));
    assert_eq!(running.next().await, wrong);
    running.disk.doubt(FOLDER);
    running.disk.prepare(
        FOLDER,
        root_path(place.directory.path()),
        Vec::new(),
        AbsentRoot::Refused,
    );
    assert_eq!(
        running.next().await,
        DiskEvent::Prepared(Err(RootFault::WrongMarker))
    );
    running.end().await;
}

#[tokio::test]
async fn a_root_remembers_the_age_of_each_device_s_store() {
    let place = TestRoot::new();
    let age = |sequence| Age {
        incarnation: Incarnation(u64::MAX),
        sequence: Sequence(sequence),
    };
    assert_eq!(place.root.age(US), None);
    let (first, second) = (place.root.next_note(), place.root.next_note());
    place.root.note_age(US, age(8), second).unwrap();
    place.root.note_age(US, age(7), first).unwrap();
    assert_eq!(
        place.root.age(US),
        Some(age(8)),
        "a note that was overtaken"
    );
    assert_eq!(place.root.age(NOBODY), None);

    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(Some(age(8)))));
    running.end().await;
}

#[tokio::test]
async fn rules_are_told_before_the_root_and_when_they_change() {
    let place = TestRoot::new();
    place.write(".towlineignore", "*.tmp\n");
    let mut running = Running::start();
    running.disk.open(FOLDER, root_path(place.directory.path()));
    let told = |text: &str| DiskEvent::SharedRules(RuleSet::parse(text));
    assert_eq!(running.next().await, told("*.tmp\n"));
    assert_eq!(running.next().await, DiskEvent::Root(Ok(None)));
    place.write(".towlineignore", "*.log\n");
    running.disturbed_at(".towlineignore").await;
    let scope = ScanScope::Paths([rel(".towlineignore")].into());
    running.disk.scan(FOLDER, ScanId(1), scope, Doubt::Nothing);
    loop {
        let event = running.next().await;
        if event == told("*.log\n") {
            break;
        }
        assert!(matches!(event, DiskEvent::Disturbed(_)), "{event:?}");
    }
    running.end().await;
}
