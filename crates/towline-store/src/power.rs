//! What a power cut puts in doubt: the last files that were written before it.
//!
//! The store knows how its last run ended, and in which boot of the machine that was. A run that did not
//! end, in another boot than this one, means that the machine may have gone down with bytes that were
//! never synced. Which rows that concerns is told by the clock of the disk they lie on: the newest change
//! time among them is no later than the cut, and what was synced in time is older than that by far.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use towline_wire::entry::UnixNanos;

use crate::error::StoreError;
use crate::home::LastStop;
use crate::store::Boot;

/// How long before the last write a power cut may reach: ten minutes. Systems write back what is older
/// than half a minute; slow disks with much to write take minutes. All that was written within is read
/// once, so more would only make the first scan after a cut longer.
const UNSYNCED_FOR: Duration = Duration::from_secs(600);

pub(crate) fn begin_boot(
    connection: &mut Connection,
    last_stop: LastStop,
    boot: Boot<'_>,
    now: UnixNanos,
) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before: String = transaction.query_row("SELECT boot FROM device", [], |row| row.get(0))?;
    let (name, is_another) = match boot {
        Boot::Named(name) => (name, before != name),
        Boot::Unknown => ("", true),
    };
    match last_stop {
        LastStop::Clean => {}
        LastStop::Unclean | LastStop::Suspect | LastStop::Torn if !is_another => {}
        // A doubt of before that nobody has looked into reaches further back.
        LastStop::Unclean | LastStop::Suspect | LastStop::Torn => {
            let reach = i64::try_from(UNSYNCED_FOR.as_nanos()).unwrap_or(i64::MAX);
            let doubted = transaction.execute(
                "UPDATE folders SET doubt = min(
                     coalesce(doubt, 9223372036854775807),
                     min(?1, (SELECT max(CASE stamp_ctime WHEN 0 THEN stamp_mtime ELSE stamp_ctime END)
                              FROM our_rows WHERE our_rows.folder = folders.id)) - ?2)
                 WHERE EXISTS (SELECT 1 FROM our_rows
                               WHERE our_rows.folder = folders.id AND stamp_ctime IS NOT NULL)",
                params![now.0, reach],
            )?;
            if doubted > 0 {
                tracing::warn!("the machine went down; what was written last is read again");
            }
        }
    }
    if before != name {
        transaction.execute("UPDATE device SET boot = ?1", [name])?;
    }
    transaction.commit()?;
    Ok(())
}
