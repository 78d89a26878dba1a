//! The watcher goes with directories, however fast they move.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use proptest::prelude::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use towline_wire::rel_path::RelPath;

use crate::disk::watch::{Hint, Watcher};
use crate::tasks::Tasks;

/// Longer than any event takes to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What somebody does with directories, by numbers that choose among those that are there.
#[derive(Debug, Clone)]
enum Act {
    Make(usize, usize),
    MakeDeep(usize, usize),
    Move(usize, usize, usize),
    Exchange(usize, usize),
    Replace(usize),
    Delete(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let any = || 0..64_usize;
    let act = prop_oneof![
        (any(), any()).prop_map(|(above, name)| Act::Make(above, name)),
        (any(), any()).prop_map(|(above, name)| Act::MakeDeep(above, name)),
        (any(), any(), any()).prop_map(|(from, above, name)| Act::Move(from, above, name)),
        (any(), any()).prop_map(|(one, other)| Act::Exchange(one, other)),
        any().prop_map(Act::Replace),
        any().prop_map(Act::Delete),
    ];
    prop::collection::vec(act, 1..120)
}

/// A watched directory with a place beside it that is not.
struct Watched {
    directory: tempfile::TempDir,
    tasks: Tasks,
    hints: Receiver<Hint>,
    watcher: Watcher,
}

impl Watched {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["root", "aside"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir_all(root.join("b/a")).unwrap();
        let tasks = Tasks::new();
        let (sender, hints) = channel();
        let told = move |hint| {
            // The test may have ended.
            let _ = sender.send(hint);
        };
        let watcher = Watcher::start(&root, &tasks, told).unwrap();
        Self {
            directory,
            tasks,
            hints,
            watcher,
        }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn act(&self, number: usize, act: &Act) {
        let all = directories(&self.root());
        let some = |which: usize| &all[which % all.len()];
        let named = |above: usize, name: usize| some(above).join(NAMES[name % NAMES.len()]);
        let aside = self.directory.path().join("aside").join(number.to_string());
        // Much of this is impossible, depending on what came before.
        let _ = match act {
            Act::Make(above, name) => fs::create_dir(named(*above, *name)),
            Act::MakeDeep(above, name) => fs::create_dir_all(named(*above, *name).join("x/y/z")),
            Act::Move(from, above, name) => fs::rename(some(*from), named(*above, *name)),
            Act::Exchange(one, other) => exchange(some(*one), some(*other)),
            Act::Replace(one) if some(*one) == &self.root() => Ok(()),
            Act::Replace(one) => {
                fs::create_dir_all(aside.join("new")).unwrap();
                exchange(&aside, some(*one))
            }
            Act::Delete(one) if some(*one) == &self.root() => Ok(()),
            Act::Delete(one) => fs::remove_dir_all(some(*one)),
        };
    }

    /// Asserts that something new in each directory is seen where it is, once all that came before
    /// is known: until then a directory may be hinted at as a whole.
    fn must_see_everything(&self) {
        fs::write(self.root().join("settled"), "").unwrap();
        let settled = RelPath::parse("settled").unwrap();
        let is_it = |hint| matches!(hint, Hint::At(path, _) if path == settled);
        while !is_it(self.hints.recv_timeout(PATIENCE).unwrap()) {}
        let all = directories(&self.root());
        let mut wanted = BTreeSet::new();
        for directory in &all {
            let probe = directory.join("probe");
            fs::write(&probe, "").unwrap();
            let below = probe.strip_prefix(self.root()).unwrap();
            wanted.insert(RelPath::parse(below.to_str().unwrap()).unwrap());
        }
        while !wanted.is_empty() {
            match self.hints.recv_timeout(PATIENCE) {
                Ok(Hint::At(path, _)) => {
                    wanted.remove(&path);
                }
                Ok(Hint::Gone(..) | Hint::Root | Hint::Lost) => {}
                Err(_) => panic!("not seen: {wanted:?}"),
            }
        }
    }

    async fn end(self) {
        drop(self.watcher);
        self.tasks.close().await;
        assert!(self.tasks.names().is_empty(), "its thread is left");
    }
}

fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// All directories, the root first.
fn directories(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut at = 0;
    while let Some(directory) = found.get(at).cloned() {
        let entries = fs::read_dir(directory).unwrap().flatten();
        let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        below.retain(|path| path.is_dir());
        below.sort();
        found.extend(below);
        at += 1;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn whatever_directories_do_each_is_watched_where_it_is(acts in acts()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let watched = Watched::new();
            for (number, act) in acts.iter().enumerate() {
                watched.act(number, act);
            }
            watched.must_see_everything();
            watched.end().await;
        });
    }
}

/// Names are few, so that directories meet.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
