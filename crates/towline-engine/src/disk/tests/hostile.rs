//! Links that lead out, parents that move, places that may not be read or written, full disks.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use rustix::process::geteuid;
use rustix::thread::set_thread_uid;
use towline_core::io::HeldReason;

use super::super::parents::{Missing, Parents};
use super::super::{StageFault, StagedFile};
use super::*;

#[test]
fn no_step_leaves_the_root_through_a_link() {
    let place = TestRoot::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("there"), "outside").unwrap();
    symlink(outside.path(), place.at("a")).unwrap();
    place.write("d/f", "inside");
    symlink("d", place.at("inner")).unwrap();
    let stamp = {
        place.write("probe", "x");
        place.stamp("probe")
    };
    let mut keeping = place.file("probe", Expected::Stamped(stamp), "y");
    keeping.step.keep = Some(rel("a/kept"));
    let outcomes = place.commit(vec![
        place.file("a/x", Expected::Nothing, "theirs"),
        place.file("a/there", Expected::Nothing, "theirs"),
        without_bytes("a/dir", Expected::Nothing, Content::Directory),
        without_bytes("a/link", Expected::Nothing, link_content("x")),
        without_bytes("a/there", Expected::Nothing, Content::Absent),
        place.file("inner/x", Expected::Nothing, "theirs"),
        keeping,
    ]);
    assert!(
        outcomes.values().all(|outcome| *outcome == Outcome::Stale),
        "{outcomes:?}"
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(
        fs::read_to_string(outside.path().join("there")).unwrap(),
        "outside"
    );
    assert_eq!(fs::read_dir(place.at("d")).unwrap().count(), 1);
    assert_eq!(place.read("probe"), "x");
    // A scan through the link sees nothing of it.
    let rows = Rows::default();
    let found = scan_paths(&place.root, &rows, &["a/there", "inner/f"]);
    assert!(found.found().is_empty(), "{found:?}");
}

#[test]
fn a_link_in_the_place_itself_is_replaced_not_followed() {
    let place = TestRoot::new();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "outside").unwrap();
    symlink(&victim, place.at("f")).unwrap();
    let ready = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    assert!(is_done(&place.commit_one(ready)));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "outside");
    assert_eq!(place.read("f"), "theirs");
}

#[test]
fn a_parent_replaced_in_mid_batch_is_noticed() {
    let place = TestRoot::new();
    let outside = tempfile::tempdir().unwrap();
    place.write("a/b/f", "x");
    let mut parents = Parents::new(&place.root);
    assert!(parents.of(&rel("a/b/f"), Missing::Refuse).is_ok());
    // The directory is carried away, and a link lies in its place.
    fs::rename(place.at("a"), outside.path().join("a")).unwrap();
    symlink(outside.path().join("a"), place.at("a")).unwrap();
    let fault = parents.of(&rel("a/b/g"), Missing::Make).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::NotADirectory);
    // A new directory of the same name is the one that is used.
    fs::remove_file(place.at("a")).unwrap();
    let directory = parents.of(&rel("a/b/g"), Missing::Make).unwrap();
    directory.create_file("g", 0o600).unwrap();
    assert!(place.exists("a/b/g") && !outside.path().join("a/b/g").exists());
}

/// Runs on a thread whose user may not do everything: root's rights are dropped for it alone.
fn as_common_user<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if geteuid().is_root() {
                set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).unwrap();
            }
            work()
        });
        thread.join().unwrap()
    })
}

const NOBODY: u32 = 65534;

/// Gives everything of a root to the user of [`as_common_user`].
fn give_away(place: &TestRoot) {
    if geteuid().is_root() {
        let all = [
            place.directory.path().to_owned(),
            place.at(".towline"),
            place.at(".towline/tmp"),
            place.at(".towline/conflicts"),
        ];
        for path in all.iter().chain([&place.at(".towline/folder")]) {
            chown(path, Some(NOBODY), None).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_read_is_unknown_not_deleted() {
    let place = TestRoot::new();
    for path in ["closed/in/x", "closed/y", "file", "open"] {
        place.write(path, path);
    }
    give_away(&place);
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    let before = rows.paths();
    for path in ["closed", "file"] {
        fs::set_permissions(place.at(path), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let scanned = as_common_user(|| scan_all(&place.root, &rows));
    assert_eq!(
        scanned.held_back(),
        [
            ("closed", HeldReason::Unreadable),
            ("file", HeldReason::Unreadable)
        ]
    );
    assert!(scanned.absent().is_empty());
    assert_eq!(rows.paths(), before);
    let deep = as_common_user(|| scan_paths(&place.root, &rows, &["closed/in/x", "closed/y"]));
    assert!(
        deep.absent().is_empty() && deep.held_back().len() == 2,
        "{deep:?}"
    );
    assert_eq!(rows.paths(), before);
    fs::set_permissions(place.at("closed"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_root_that_may_not_be_read_or_written_is_refused() {
    let place = TestRoot::new();
    give_away(&place);
    let path = root_path(place.directory.path());
    assert!(as_common_user(|| Root::open(&path, FOLDER)).is_ok());
    fs::set_permissions(place.at(".towline"), fs::Permissions::from_mode(0o500)).unwrap();
    let read_only = as_common_user(|| Root::open(&path, FOLDER));
    assert_eq!(read_only.err(), Some(RootFault::NoAccess));
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let closed = as_common_user(|| Root::open(&path, FOLDER));
    assert_eq!(closed.err(), Some(RootFault::NoAccess));
    assert_eq!(
        as_common_user(|| place.root.check()),
        Err(RootFault::NoAccess)
    );
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_directory_that_may_not_be_written_holds_its_steps() {
    let place = TestRoot::new();
    place.write("closed/f", "old");
    give_away(&place);
    fs::set_permissions(place.at("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    let expected = Expected::Stamped(place.stamp("closed/f"));
    let outcomes = as_common_user(|| {
        place.commit(vec![
            place.file("closed/new", Expected::Nothing, "x"),
            place.file("closed/f", expected, "x"),
            place.file("free", Expected::Nothing, "x"),
        ])
    });
    let held = Outcome::Held(HeldReason::Unwritable);
    assert_eq!(outcomes[&rel("closed/new")], held);
    assert_eq!(outcomes[&rel("closed/f")], held);
    assert!(is_done(&outcomes[&rel("free")]));
    assert_eq!(place.read("closed/f"), "old");
}

#[test]
fn a_name_that_the_filesystem_refuses_is_held() {
    let place = TestRoot::new();
    // Longer than a path that we open, though each component is fine.
    let deep = vec!["d"; 300].join("/");
    let outcome = place.commit_one(place.file(&deep, Expected::Nothing, "x"));
    assert_eq!(outcome, Outcome::Held(HeldReason::Name));
    assert!(!place.exists("d"));
}

/// A small filesystem of its own, unmounted at the end.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// Mounts; `None` when this process may not, after the test has passed in a namespace where it
    /// may.
    fn mount_or_run_elsewhere(test: &str, options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "towline-test"])
            .arg(directory.path())
            .output()
            .unwrap();
        if mounted.status.success() {
            return Some(Self(directory));
        }
        assert!(
            !geteuid().is_root(),
            "{}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        let passed = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .status()
            .unwrap();
        assert!(passed.success());
        None
    }

    fn root(&self) -> Arc<Root> {
        let path = root_path(self.0.path());
        Root::prepare(&path, &[], FOLDER).unwrap();
        Arc::new(Root::open(&path, FOLDER).unwrap())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_holds_the_step_and_leaves_the_old_file() {
    let name = "disk::tests::hostile::a_full_disk_holds_the_step_and_leaves_the_old_file";
    let Some(disk) = Tmpfs::mount_or_run_elsewhere(name, "size=4m") else {
        return;
    };
    let root = disk.root();
    fs::write(disk.0.path().join("f"), "old").unwrap();
    let big = vec![7_u8; 8 * 1024 * 1024];
    let hash = ContentHash::from_bytes(*blake3::hash(&big).as_bytes());
    let shape = FileShape {
        size: big.len() as u64,
        hash,
        executable: false,
        mtime: LONG_AGO,
    };
    let full = StageFault::Held(HeldReason::DiskFull);
    assert_eq!(StagedFile::begin(&root, shape).err(), Some(full));
    assert_eq!(Staged::whole(&root, shape, &big).err(), Some(full));
    assert_eq!(fs::read_to_string(disk.0.path().join("f")).unwrap(), "old");
    // When there is room again, it goes on.
    let small = FileShape {
        size: 5,
        hash: ContentHash::from_bytes(*blake3::hash(b"small").as_bytes()),
        ..shape
    };
    let staged = Staged::whole(&root, small, b"small").unwrap();
    let content = Content::File {
        size: 5,
        hash: small.hash,
        executable: false,
        attributes: Attributes::default(),
    };
    let stamp = Parents::new(&root).mark(&rel("f")).unwrap().stamp;
    let ready = Ready {
        step: step("f", Expected::Stamped(stamp), content),
        staged: Some(staged),
    };
    assert!(
        commit_batch(&root, vec![ready])
            .iter()
            .all(|(_, outcome)| is_done(outcome))
    );
    assert_eq!(
        fs::read_to_string(disk.0.path().join("f")).unwrap(),
        "small"
    );
}

#[test]
fn a_read_only_disk_is_said_to_be_one() {
    let name = "disk::tests::hostile::a_read_only_disk_is_said_to_be_one";
    let Some(disk) = Tmpfs::mount_or_run_elsewhere(name, "size=4m") else {
        return;
    };
    let root = disk.root();
    fs::write(disk.0.path().join("f"), "old").unwrap();
    let shape = FileShape::of(&step("n", Expected::Nothing, file_content("new"))).unwrap();
    let staged = Staged::whole(&root, shape, b"new").unwrap();
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(disk.0.path())
        .status();
    assert!(remounted.unwrap().success());
    let path = root_path(disk.0.path());
    assert_eq!(Root::open(&path, FOLDER).err(), Some(RootFault::ReadOnly));
    assert_eq!(Root::prepare(&path, &[], FOLDER), Err(RootFault::ReadOnly));
    let read_only = StageFault::Held(HeldReason::ReadOnly);
    assert_eq!(Staged::whole(&root, shape, b"new").err(), Some(read_only));
    let ready = Ready {
        step: step("n", Expected::Nothing, file_content("new")),
        staged: Some(staged),
    };
    let stamp = Parents::new(&root).mark(&rel("f")).unwrap().stamp;
    let remove = without_bytes("f", Expected::Stamped(stamp), Content::Absent);
    for (path, outcome) in commit_batch(&root, vec![ready, remove]) {
        assert_eq!(outcome, Outcome::Held(HeldReason::ReadOnly), "{path}");
    }
    assert_eq!(fs::read_to_string(disk.0.path().join("f")).unwrap(), "old");
}

#[test]
fn an_unmounted_disk_is_lost_not_empty() {
    let name = "disk::tests::hostile::an_unmounted_disk_is_lost_not_empty";
    let Some(disk) = Tmpfs::mount_or_run_elsewhere(name, "size=4m") else {
        return;
    };
    let root = disk.root();
    fs::write(disk.0.path().join("f"), "text").unwrap();
    let rows = Rows::default();
    scan_all(&root, &rows);
    assert!(
        Command::new("umount")
            .arg("-l")
            .arg(disk.0.path())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(root.check(), Err(RootFault::WrongMarker));
    assert_eq!(
        scan(&root, &rows, ScanScope::All).err(),
        Some(RootFault::WrongMarker)
    );
    assert_eq!(rows.paths(), ["f"]);
    // So that the end has something to unmount.
    let again = Command::new("mount")
        .args(["-t", "tmpfs", "towline-test"])
        .arg(disk.0.path())
        .status();
    assert!(again.unwrap().success());
}
