//! One test's directories, gone when it has passed and kept to look at when it has failed.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

/// A directory with everything that one test makes.
#[derive(Debug)]
pub(crate) struct World {
    path: PathBuf,
}

impl World {
    /// An empty world. Other users may look into it: some devices run as another one.
    pub(crate) fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("tl-{test}-{}", process::id()));
        // Left by a process of the same number that failed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a world can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let path = path.canonicalize().expect("it exists");
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it; nothing is made.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A new directory in it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.place(name);
        fs::create_dir_all(&path).expect("a directory can be made");
        path
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            show_logs(&self.path);
        } else {
            // What cannot be removed lies in the system's directory for temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Shows the end of each log to whoever looks at the failure.
fn show_logs(world: &Path) {
    let mut said = format!("the world is kept in {}\n", world.display());
    let logs = fs::read_dir(world)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    for log in logs.filter(|path| path.extension().is_some_and(|end| end == "log")) {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(LINES_SHOWN)..)
            .unwrap_or_default();
        said.push_str(&format!("--- {}\n{}\n", log.display(), last.join("\n")));
    }
    // Standard error is how a failed test speaks; when it is closed nobody listens.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
}

/// Lines of a log that are shown: 30.
const LINES_SHOWN: usize = 30;
