//! Opening a home: locked, newer, damaged, not a directory, forbidden.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use towline_core::io::{IndexOf, StoreReply, StoreRequest};
use towline_core::records::{Contact, Doubt, Restored, StoreOp, Totals};
use towline_store::{Boot, NEWEST_VERSION, OpenError, Opened, Records, Store, StoreError};
use towline_wire::entry::UnixNanos;
use towline_wire::ids::{Incarnation, Sequence};

use crate::sample::{
    FRESH, bytes, device, entry, folder, folder_record, new_store, our, path, peer_record, persist,
    put_ours,
};

const SECOND_LIFE: Incarnation = Incarnation(2);

fn database(home: &Path) -> PathBuf {
    home.join("towline.db")
}

/// A closed store with enough rows for a few dozen pages.
fn filled_home() -> tempfile::TempDir {
    let (home, mut store) = new_store();
    persist(&mut store, vec![StoreOp::PutFolder(folder_record(1))]);
    let rows = (1..=500).map(|number| {
        our(
            entry(
                &format!("some/longer/name/{number}"),
                &[(1, number)],
                bytes(1, 3),
            ),
            number,
        )
    });
    persist(&mut store, vec![put_ours(rows.collect())]);
    home
}

/// Opens a damaged home: a new store under the fresh incarnation, the old bytes kept aside.
fn assert_rebuilt(home: &Path) {
    let damaged = fs::read(database(home)).unwrap();
    let (store, opened) = Store::open(home, SECOND_LIFE).unwrap();
    let Opened::Rebuilt { kept_aside } = opened else {
        panic!("not rebuilt: {opened:?}")
    };
    assert_eq!(fs::read(kept_aside).unwrap(), damaged);
    let restored = store.restored().unwrap();
    assert_eq!(restored.incarnation, SECOND_LIFE);
    for folder in &restored.folders {
        assert_eq!(
            (folder.last_sequence, folder.totals),
            (Sequence(0), Totals::default())
        );
        assert!(folder.have.is_empty());
    }
    drop(store);
    assert_eq!(Store::open(home, FRESH).unwrap().1, Opened::Existing);
}

#[test]
fn peers_and_folders_of_a_truncated_file_are_saved_without_rows() {
    let home = filled_home();
    let (store, _) = Store::open(home.path(), FRESH).unwrap();
    let before = store.restored().unwrap();
    drop(store);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(database(home.path()))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() - 5000).unwrap();
    drop(file);
    assert_rebuilt(home.path());
    let (store, _) = Store::open(home.path(), FRESH).unwrap();
    let after = store.restored().unwrap();
    assert_eq!((&after.name, &after.peers), (&before.name, &before.peers));
    let records = |restored: &Restored| {
        restored
            .folders
            .iter()
            .map(|folder| folder.record.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(records(&after), records(&before));
    assert!(!after.folders.is_empty());
}

#[test]
fn a_missing_home_is_made() {
    let above = tempfile::tempdir().unwrap();
    let home = above.path().join("not/yet");
    assert_eq!(Store::open(&home, FRESH).unwrap().1, Opened::New);
    let (store, opened) = Store::open(&home, SECOND_LIFE).unwrap();
    assert_eq!(opened, Opened::Existing);
    assert_eq!(store.restored().unwrap().incarnation, FRESH);
}

#[test]
fn a_second_owner_is_refused_until_the_first_is_gone() {
    let (home, store) = new_store();
    let refused = Store::open(home.path(), SECOND_LIFE);
    assert!(matches!(refused, Err(OpenError::Locked)));
    drop(store);
    assert_eq!(
        Store::open(home.path(), SECOND_LIFE).unwrap().1,
        Opened::Existing
    );
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let home = filled_home();
    let newer = Connection::open(database(home.path())).unwrap();
    newer
        .pragma_update(None, "user_version", NEWEST_VERSION + 1)
        .unwrap();
    drop(newer);
    let before = fs::read(database(home.path())).unwrap();
    let refused = Store::open(home.path(), SECOND_LIFE);
    assert!(matches!(refused, Err(OpenError::Newer { found, known })
        if found == NEWEST_VERSION + 1 && known == NEWEST_VERSION));
    assert_eq!(fs::read(database(home.path())).unwrap(), before);
}

#[test]
fn garbage_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    fs::write(database(home.path()), b"this is no database, ".repeat(1000)).unwrap();
    assert_rebuilt(home.path());
    fs::write(database(home.path()), b"nor is this, ".repeat(1000)).unwrap();
    assert_rebuilt(home.path());
    assert!(home.path().join("towline-damaged-1.db").exists());
    assert!(home.path().join("towline-damaged-2.db").exists());
}

#[test]
fn a_database_of_another_program_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    let other = Connection::open(database(home.path())).unwrap();
    other.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(other);
    assert_rebuilt(home.path());
}

#[test]
fn a_truncated_file_is_kept_aside() {
    let home = filled_home();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(database(home.path()))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    drop(file);
    assert_rebuilt(home.path());
}

#[test]
fn an_empty_file_is_a_new_store() {
    let home = tempfile::tempdir().unwrap();
    fs::write(database(home.path()), b"").unwrap();
    assert_eq!(Store::open(home.path(), FRESH).unwrap().1, Opened::New);
}

#[test]
fn a_log_without_its_database_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("towline.db-wal"), b"what is left").unwrap();
    let (_store, opened) = Store::open(home.path(), FRESH).unwrap();
    assert!(matches!(opened, Opened::Rebuilt { .. }));
    let kept = fs::read(home.path().join("towline-damaged-1.db-wal")).unwrap();
    assert_eq!(kept, b"what is left");
}

/// Zeroes the page that holds our row of a path, beneath whatever holds the file.
fn zero_a_page_of_rows(home: &Path) {
    let bytes = fs::read(database(home)).unwrap();
    let needle = b"some/longer/name/250";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(database(home))
        .unwrap();
    file.seek(SeekFrom::Start((at / 4096 * 4096) as u64))
        .unwrap();
    file.write_all(&[0; 4096]).unwrap();
}

#[test]
fn a_zeroed_page_is_found_after_an_unclean_stop() {
    let home = filled_home();
    zero_a_page_of_rows(home.path());
    // The log that a killed process leaves behind.
    fs::write(home.path().join("towline.db-wal"), b"").unwrap();
    assert_rebuilt(home.path());
}

#[test]
fn only_another_boot_after_an_unclean_stop_puts_rows_in_doubt() {
    let home = filled_home();
    let minute = 60_000_000_000;
    let open = |boot, ending| {
        if ending == Ending::Killed {
            // The log that a killed process leaves behind.
            fs::write(home.path().join("towline.db-wal"), b"").unwrap();
        }
        let (mut store, _) = Store::open(home.path(), SECOND_LIFE).unwrap();
        store.begin_boot(boot, UnixNanos(90 * minute)).unwrap();
        let doubt = store.restored().unwrap().folders[0].doubt;
        (store, doubt)
    };
    let written_at = |store: &mut Store, minutes: u64| {
        let entry = entry("newest", &[(1, 1)], bytes(1, 3));
        persist(
            store,
            vec![put_ours(vec![our(entry, minutes * minute.cast_unsigned())])],
        );
    };
    let (mut store, doubt) = open(Boot::Named("one"), Ending::Stopped);
    assert_eq!(doubt, Doubt::Nothing);
    written_at(&mut store, 60);
    drop(store);
    let killed = open(Boot::Named("one"), Ending::Killed);
    assert_eq!(
        killed.1,
        Doubt::Nothing,
        "killed, but the machine stayed up"
    );
    drop(killed);
    let stopped = open(Boot::Named("two"), Ending::Stopped);
    assert_eq!(
        stopped.1,
        Doubt::Nothing,
        "it had ended before the machine did"
    );
    drop(stopped);
    let since = Doubt::Since(UnixNanos(50 * minute));
    assert_eq!(open(Boot::Named("three"), Ending::Killed).1, since);
    // Killed again before anybody looked: the doubt stays, and reaches as far.
    let (mut store, doubt) = open(Boot::Named("three"), Ending::Killed);
    assert_eq!(doubt, since);
    written_at(&mut store, 80);
    drop(store);
    let (mut store, doubt) = open(Boot::Unknown, Ending::Killed);
    assert_eq!(doubt, since);
    let end = StoreOp::PutDoubt {
        folder: folder(1),
        doubt: Doubt::Nothing,
    };
    persist(&mut store, vec![end]);
    // What bears a time that has not come yet reaches back from now.
    written_at(&mut store, 500);
    drop(store);
    let (_, doubt) = open(Boot::Unknown, Ending::Killed);
    assert_eq!(doubt, Doubt::Since(UnixNanos(80 * minute)));
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stopped,
    Killed,
}

#[test]
fn a_zeroed_page_met_while_running_is_kept_aside_at_the_next_start() {
    let home = filled_home();
    zero_a_page_of_rows(home.path());
    let (mut store, opened) = Store::open(home.path(), SECOND_LIFE).unwrap();
    assert_eq!(opened, Opened::Existing);
    let every_path = (1..=500).map(|number| path(&format!("some/longer/name/{number}")));
    let request = StoreRequest::LoadRows(folder(1), every_path.collect());
    let met = store.handle(request.clone());
    assert!(matches!(met, Err(StoreError::Damaged(_))));
    assert_eq!(store.reply_to(request), StoreReply::Broken);
    drop(store);
    assert_rebuilt(home.path());
}

#[test]
fn a_peer_that_cannot_be_read_back_is_found_when_opening() {
    let (home, mut store) = new_store();
    persist(&mut store, vec![StoreOp::PutPeer(peer_record(1))]);
    drop(store);
    change(home.path(), "UPDATE peers SET addresses = x'FF'");
    assert_rebuilt(home.path());
}

#[test]
fn a_row_that_cannot_be_read_back_is_kept_aside_at_the_next_start() {
    for wrong in [
        "version = x'FF'",
        "hash = x'00'",
        "path = '../escaped'",
        "author_actor = 1 << 40",
    ] {
        let home = filled_home();
        change(
            home.path(),
            &format!("UPDATE our_rows SET {wrong} WHERE sequence = 250"),
        );
        let (mut store, opened) = Store::open(home.path(), SECOND_LIFE).unwrap();
        assert_eq!(opened, Opened::Existing);
        let request = StoreRequest::LoadIndex {
            folder: folder(1),
            peer: device(1),
            of: IndexOf::Everything,
            after: Sequence(240),
            limit: 20,
        };
        assert_eq!(store.reply_to(request), StoreReply::Broken, "{wrong}");
        drop(store);
        assert_rebuilt(home.path());
    }
}

/// Changes a closed store behind our back.
fn change(home: &Path, sql: &str) {
    let database = Connection::open(database(home)).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    database.execute_batch(sql).unwrap();
}

#[test]
fn a_healthy_store_with_a_log_is_used_on() {
    let home = filled_home();
    fs::write(home.path().join("towline.db-wal"), b"").unwrap();
    let (mut store, opened) = Store::open(home.path(), SECOND_LIFE).unwrap();
    assert_eq!(opened, Opened::Existing);
    let asked = StoreRequest::LoadRows(folder(1), vec![path("some/longer/name/250")]);
    let StoreReply::Rows(_, rows) = store.reply_to(asked) else {
        panic!("no rows")
    };
    assert!(rows.iter().all(Option::is_some));
}

#[test]
fn a_home_that_is_no_directory_is_refused() {
    let above = tempfile::tempdir().unwrap();
    let home = above.path().join("file");
    fs::write(&home, b"mine").unwrap();
    assert!(matches!(
        Store::open(&home, FRESH),
        Err(OpenError::NotDirectory)
    ));
    assert!(matches!(
        Store::open(&home.join("below"), FRESH),
        Err(OpenError::NotDirectory)
    ));
    assert_eq!(fs::read(&home).unwrap(), b"mine");
}

/// Root may write everywhere but in the kernel's own filesystem.
#[cfg(target_os = "linux")]
#[test]
fn a_home_where_we_may_not_write_is_refused() {
    let refused = Store::open(Path::new("/sys/kernel/towline"), FRESH);
    assert!(
        matches!(refused, Err(OpenError::NoAccess(_))),
        "{refused:?}"
    );
}

#[test]
fn errors_of_the_disk_are_told_apart() {
    use std::io::{Error, ErrorKind};
    let told = |kind: ErrorKind| OpenError::from(Error::from(kind));
    assert!(matches!(told(ErrorKind::StorageFull), OpenError::DiskFull));
    assert!(matches!(
        told(ErrorKind::QuotaExceeded),
        OpenError::DiskFull
    ));
    assert!(matches!(
        told(ErrorKind::ReadOnlyFilesystem),
        OpenError::NoAccess(_)
    ));
    assert!(matches!(
        told(ErrorKind::PermissionDenied),
        OpenError::NoAccess(_)
    ));
    assert!(matches!(told(ErrorKind::Other), OpenError::Disk(_)));
}

#[test]
fn the_database_is_only_for_this_person() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let (home, _store) = new_store();
        for name in [
            "towline.db",
            "towline.db-wal",
            "towline.db-shm",
            "towline.lock",
        ] {
            let mode = home
                .path()
                .join(name)
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "{name} can be read by others");
        }
    }
}

#[test]
fn how_long_a_device_was_away_is_told_in_days_when_a_store_is_opened() {
    let (home, mut store) = new_store();
    persist(&mut store, vec![StoreOp::PutFolder(folder_record(1))]);
    let met = |name| {
        let contacts = vec![(device(name), Contact::default())];
        let folder = folder(1);
        StoreOp::PutContacts { folder, contacts }
    };
    persist(&mut store, vec![met(2), met(3)]);
    drop(store);
    let file = Connection::open(database(home.path())).unwrap();
    // One was met a hundred days ago, the other in a time that this clock has yet to reach.
    file.execute_batch(
        "UPDATE contacts SET met = met - 100 WHERE device = (SELECT min(device) FROM contacts)",
    )
    .unwrap();
    file.execute_batch(
        "UPDATE contacts SET met = met + 100 WHERE device = (SELECT max(device) FROM contacts)",
    )
    .unwrap();
    drop(file);
    let (store, _) = Store::open(home.path(), FRESH).unwrap();
    let contacts = &store.restored().unwrap().folders[0].contacts;
    let day = Duration::from_secs(24 * 3600);
    // Midnight may have passed since.
    assert!([day * 100, day * 101].contains(&contacts[&device(2)].silent_for));
    assert_eq!(contacts[&device(3)].silent_for, Duration::ZERO);
}
