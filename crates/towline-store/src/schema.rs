//! Opening a database file: settings of the connection, identity of the file, migrations.
//!
//! Migrations are numbered from 1, frozen once released, and run together in one transaction; the
//! number of the last one is the file's `user_version`. A file without an `application_id` and
//! without tables is a new store.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use towline_wire::ids::Incarnation;

use crate::error::{OpenError, StoreError};

/// What an opened file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileState {
    /// It was empty and now holds a new store.
    New,
    /// It holds a store, now at the newest version.
    Existing,
}

/// How much of a file is read before it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Only what opening reads.
    Nothing,
    /// Every page, but not that indexes match their tables: after an unclean stop.
    Quick,
    /// Every page and every index: after a run that met damage.
    Whole,
}

/// Opens the file for reading and writing, at the newest version. A newer file is left as it is.
pub(crate) fn open_database(
    file: &Path,
    check: Check,
    fresh: Incarnation,
) -> Result<(Connection, FileState), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(StoreError::from)?;
    settle(&connection, WRITER_CACHE_KIB)?;
    let version = version_of(&connection)?;
    let Some(pending) = MIGRATIONS.get(version..) else {
        let found = u32::try_from(version).unwrap_or(u32::MAX);
        return Err(OpenError::Newer {
            found,
            known: NEWEST_VERSION,
        });
    };
    make_durable(&connection)?;
    check_pages(&connection, check)?;
    migrate(&mut connection, pending, fresh)?;
    Ok((
        connection,
        if version == 0 {
            FileState::New
        } else {
            FileState::Existing
        },
    ))
}

/// Opens the file of an open store for reading only, beside its owner.
pub(crate) fn open_reader(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    settle(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

/// Opens a damaged file for reading what can still be read: as far as it goes, instead of not at all.
pub(crate) fn open_damaged(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    // Before anything else: every other statement reads the schema first, and refuses a short file.
    connection.pragma_update(None, "writable_schema", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn settle(connection: &Connection, cache_kib: i64) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Without it SQLite compiles a statement anew for each set of parameters, because a parameter
    // could decide whether the partial index by content serves: two thirds of the store's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Negative means KiB, positive would mean pages.
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Views and triggers that a hostile file could bring may not call functions.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn check_pages(connection: &Connection, check: Check) -> Result<(), StoreError> {
    let pragma = match check {
        Check::Nothing => return Ok(()),
        Check::Quick => "PRAGMA quick_check(1)",
        Check::Whole => "PRAGMA integrity_check(1)",
    };
    let verdict: String = connection.query_row(pragma, [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(StoreError::Impossible("page"))
    }
}

/// The version of the file's store; 0 for a file that is still empty.
fn version_of(connection: &Connection) -> Result<usize, StoreError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, 1.., _) => {
            usize::try_from(version).map_err(|_| StoreError::Impossible("version"))
        }
        _ => Err(StoreError::Impossible("application id")),
    }
}

fn make_durable(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Only macOS needs it: there a plain sync does not reach the medium.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    Ok(())
}

fn migrate(
    connection: &mut Connection,
    pending: &[&str],
    fresh: Incarnation,
) -> Result<(), StoreError> {
    if pending.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.execute(
        "INSERT INTO device (only, name, incarnation) VALUES (0, '', ?1) ON CONFLICT DO NOTHING",
        [fresh.0.cast_signed()],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", NEWEST_VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// All migrations, oldest first. The one at index n makes version n + 1.
const MIGRATIONS: [&str; 9] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
];

/// The version of stores that this build writes.
pub const NEWEST_VERSION: u32 = MIGRATIONS.len() as u32;

/// "TWLN", so that a file of another program is recognised.
const APPLICATION_ID: i64 = 0x5457_4C4E;

/// Page cache of the writing connection: 8 MiB, the pages that a batch of 1000 rows touches in a
/// folder of a million. A whole device must stay below 60 MiB.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// Page cache of a reading connection: 2 MiB; readers walk directories or ask for single rows.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Pages in the write-ahead log at which a commit moves them into the database: 4000, 16 MiB. In a
/// folder of a million a batch of 1000 rows touches about 1000 pages all over the file, so fewer
/// would write and sync the database on every batch; more would only lengthen recovery.
const CHECKPOINT_PAGES: i64 = 4000;

/// How much of the write-ahead log stays on disk after a checkpoint: 16 MiB, where checkpoints begin.
/// Larger batches (a removed folder) grow it only for a while.
const WAL_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// How long a connection waits for another one of this process: 10 s. Readers never block the
/// writer; only a checkpoint or recovery may take a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Prepared statements that a connection keeps: more than this crate has.
const STATEMENTS_KEPT: usize = 64;

#[cfg(test)]
mod tests;
