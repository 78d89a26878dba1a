//! kill -9 while batches are persisted: every answered batch is there, none is half there.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use towline_core::io::{BatchId, IndexOf, StoreReply, StoreRequest};
use towline_core::records::{OurRow, StoreOp};
use towline_store::{Opened, Records, Store};
use towline_wire::ids::Sequence;

use crate::sample::{
    FRESH, bytes, device, entry, folder, folder_record, persist, put_ours, put_theirs,
};

/// Where the child finds its home; without it the child's test does nothing.
const CHILD_HOME: &str = "TOWLINE_STORE_TEST_HOME";
const ROWS_PER_BATCH: u64 = 40;

#[test]
fn every_answered_batch_survives_kill_9_and_none_is_half_there() {
    let home = tempfile::tempdir().unwrap();
    let mut began = 0;
    for kill_after in [1, 7, 30, 61] {
        let acked = persist_until_killed(home.path(), kill_after);
        let (mut store, opened) = Store::open(home.path(), FRESH).unwrap();
        assert_eq!(opened, Opened::Existing);
        let restored = store.restored().unwrap();
        let kept = restored.folders.first().unwrap();
        let last = kept.last_sequence.0;
        assert!(
            last >= acked * ROWS_PER_BATCH,
            "batch {acked} was answered, {last} rows are kept"
        );
        assert_eq!(last % ROWS_PER_BATCH, 0, "half a batch is kept");
        assert_eq!((kept.totals.files, kept.totals.needs), (last, last));
        assert_eq!(kept.have[&device(2)].1, Sequence(last));
        let request = StoreRequest::LoadIndex {
            folder: folder(1),
            peer: device(2),
            of: IndexOf::Everything,
            after: Sequence(0),
            limit: usize::MAX,
        };
        let StoreReply::Index { rows, .. } = store.reply_to(request) else {
            panic!("no index")
        };
        assert_eq!(rows.len() as u64, last);
        assert!(last > began, "the child came no further");
        began = last;
    }
}

/// Returns the last batch that the child was told is durable.
fn persist_until_killed(home: &Path, kill_after: usize) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::persists_until_killed",
            "--nocapture",
        ])
        .env(CHILD_HOME, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acks = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("durable ")?.parse::<u64>().ok());
    let last = acks.by_ref().take(kill_after).last().unwrap();
    child.kill().unwrap();
    // What the child was told before it died counts as well.
    let last = acks.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

/// Not a test of its own: the process that the test above kills.
#[test]
fn persists_until_killed() {
    let Some(home) = env::var_os(CHILD_HOME) else {
        return;
    };
    let (mut store, _) = Store::open(Path::new(&home), FRESH).unwrap();
    persist(&mut store, vec![StoreOp::PutFolder(folder_record(1))]);
    let begun = store
        .restored()
        .unwrap()
        .folders
        .first()
        .unwrap()
        .last_sequence
        .0;
    for batch in begun / ROWS_PER_BATCH + 1.. {
        let sequences = (batch - 1) * ROWS_PER_BATCH + 1..=batch * ROWS_PER_BATCH;
        let rows: Vec<OurRow> = sequences.map(row).collect();
        let theirs = rows
            .iter()
            .map(|row| entry(row.entry.path.as_str(), &[(2, 1)], bytes(9, 9)));
        let ops = vec![
            put_theirs(2, 1, batch * ROWS_PER_BATCH, theirs.collect()),
            put_ours(rows),
        ];
        let reply = store.reply_to(StoreRequest::Persist(BatchId(batch), ops));
        let StoreReply::Persisted(BatchId(done), _) = reply else {
            panic!("not persisted")
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "\ndurable {done}").unwrap();
        out.flush().unwrap();
    }
}

fn row(sequence: u64) -> OurRow {
    crate::sample::our(
        entry(&format!("d/{sequence}"), &[(1, sequence)], bytes(1, 3)),
        sequence,
    )
}
