//! A process that commits is killed at random moments: no half file under any final name.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Names the root for the process that is to be killed.
const ROOT_VARIABLE: &str = "TOWLINE_TEST_KILL_ROOT";

/// Kills in one run.
const KILLS: u64 = 30;

/// A file that proves itself: its hash in its first line.
fn self_proving(seed: u64) -> String {
    let body = format!("{seed:x} ").repeat(1 + (seed as usize * 7919) % 9000);
    format!("{}\n{body}", blake3::hash(body.as_bytes()))
}

fn assert_whole(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (hash, body) = text
        .split_once('\n')
        .unwrap_or_else(|| panic!("half: {path:?}"));
    assert_eq!(
        hash,
        blake3::hash(body.as_bytes()).to_string(),
        "half: {path:?}"
    );
}

/// Files that get another name again and again.
const MOVED: usize = 8;

/// The two names of a file that is moved.
fn names_of(file: usize) -> [RelPath; 2] {
    [
        format!("moved-a/{file}"),
        format!("moved-b/{}/x", file % 3 * 8 + file),
    ]
    .map(|text| rel(&text))
}

/// Moves a file from the name that it has to the other.
fn there_and_back(root: &Root, file: usize) -> Option<Move> {
    let [one, other] = names_of(file);
    let mut parents = super::super::parents::Parents::new(root);
    let (from, to, mark) = match (parents.mark(&one), parents.mark(&other)) {
        (Ok(mark), Err(_)) => (one, other, mark),
        (Err(_), Ok(mark)) => (other, one, mark),
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => return None,
    };
    let content = file_content(&fs::read_to_string(root.path().join(from.as_str())).unwrap());
    Some(Move {
        to: step(to.as_str(), Expected::Nothing, content),
        from: step(
            from.as_str(),
            Expected::Stamped(mark.stamp),
            Content::Absent,
        ),
    })
}

#[test]
fn a_process_to_be_killed() {
    let Ok(path) = std::env::var(ROOT_VARIABLE) else {
        return;
    };
    let root = Arc::new(Root::open(&RootPath(path), FOLDER).unwrap());
    for round in 0_u64.. {
        let batch = (0..24).map(|file| {
            let path = rel(&format!("d{}/f{file}", file % 3));
            let text = self_proving(round * 31 + file);
            let there = super::super::parents::Parents::new(&root).mark(&path);
            let expected = match there {
                Ok(mark) => Expected::Stamped(mark.stamp),
                Err(_) => Expected::Nothing,
            };
            let mut step = step(path.as_str(), expected, file_content(&text));
            if file % 5 == 0 && expected != Expected::Nothing {
                step.keep = Some(rel(&format!("kept/{}", round * 31 + file)));
            }
            let staged =
                Staged::whole(&root, FileShape::of(&step).unwrap(), text.as_bytes()).unwrap();
            Ready {
                step,
                staged: Some(staged),
            }
        });
        for (path, outcome) in commit_batch(&root, batch.collect()) {
            assert!(
                is_done(&outcome) || outcome == Outcome::Stale,
                "{path}: {outcome:?}"
            );
        }
        let moves: Vec<Move> = (0..MOVED)
            .filter_map(|file| there_and_back(&root, file))
            .collect();
        assert_eq!(moves.len(), MOVED);
        let moved = move_files(&root, moves);
        assert!(moved.left.is_empty());
        assert!(moved.outcomes.iter().all(|(_, outcome)| is_done(outcome)));
        if round == 1 {
            eprintln!("begun");
        }
    }
}

#[test]
fn kill_at_any_moment_leaves_whole_files() {
    let TestRoot { directory, root } = TestRoot::new();
    drop(root);
    for file in 0..MOVED {
        let [name, _] = names_of(file);
        let place = directory.path().join(name.as_str());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, self_proving(file as u64)).unwrap();
    }
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut names = std::collections::BTreeSet::new();
    let mut versions = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "disk::tests::kill::a_process_to_be_killed",
                "--nocapture",
            ])
            .env(ROOT_VARIABLE, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("begun")),
            "child died in round {kill}"
        );
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // The moment of the kill is the point of the test; nothing is waited for.
        std::thread::sleep(Duration::from_micros((random >> 33) % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let present = whole_files(directory.path());
        assert!(
            names.is_subset(&present),
            "a file is missing after kill {kill}"
        );
        names = present
            .into_iter()
            .filter(|name| !name.starts_with("kept"))
            .collect();
        assert_eq!(names.len(), 24);
        assert_each_moved_file_has_one_name(directory.path());
        versions += assert_versions_are_whole_and_named(directory.path());
    }
    // A slow machine keeps none before the first kills.
    assert!(versions > 0);
    let root = Root::open(&root_path(directory.path()), FOLDER).unwrap();
    drop(root);
    assert_eq!(
        fs::read_dir(directory.path().join(".towline/tmp"))
            .unwrap()
            .count(),
        0
    );
}

/// Names of all files, each proved to be whole.
fn whole_files(root: &Path) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    for directory in ["d0", "d1", "d2", "kept"] {
        let Ok(entries) = fs::read_dir(root.join(directory)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            assert_whole(&entry.path());
            names.insert(format!(
                "{directory}/{}",
                entry.file_name().to_str().unwrap()
            ));
        }
    }
    names
}

fn assert_each_moved_file_has_one_name(root: &Path) {
    for file in 0..MOVED {
        let places = names_of(file).map(|name| root.join(name.as_str()));
        let there: Vec<_> = places.iter().filter(|place| place.exists()).collect();
        assert_eq!(there.len(), 1, "names of a moved file");
        assert_eq!(
            fs::read_to_string(there[0]).unwrap(),
            self_proving(file as u64)
        );
    }
}

/// Every version is a whole file, and everything in the store has its name; how many there are.
fn assert_versions_are_whole_and_named(root: &Path) -> usize {
    let opened = Root::open(&root_path(root), FOLDER).unwrap();
    let (found, more) = opened
        .history(&super::super::Of::All, None, usize::MAX)
        .unwrap();
    assert!(!more);
    for version in &found {
        let id = version.kept.id;
        assert_whole(&root.join(format!(".towline/versions/{}/{}", id.day, id.number)));
    }
    let in_store: usize = opened_days(root).iter().map(|day| numbers_in(day)).sum();
    assert_eq!(found.len(), in_store, "a version without its name");
    in_store
}

fn opened_days(root: &Path) -> Vec<PathBuf> {
    let days = fs::read_dir(root.join(".towline/versions"))
        .into_iter()
        .flatten();
    days.map(|day| day.unwrap().path()).collect()
}

/// Versions in a day's directory: everything but the names.
fn numbers_in(day: &Path) -> usize {
    fs::read_dir(day).unwrap().count() - 1
}
