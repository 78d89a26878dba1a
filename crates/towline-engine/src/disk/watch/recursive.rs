//! Watches a tree where the system itself watches below a directory, as macOS and Windows do.

use std::path::Path;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use towline_wire::rel_path::RelPath;

use super::{Hint, Stage, WatchFault};
use crate::tasks::Tasks;

/// Watches one root until it is dropped.
pub(in crate::disk) struct Events {
    /// Held for its life alone.
    _watcher: RecommendedWatcher,
}

impl Events {
    /// Begins to watch. The watcher has a thread of its own.
    pub(in crate::disk) fn start(
        root: &Path,
        _tasks: &Tasks,
        hint: impl Fn(Hint) + Send + 'static,
    ) -> Result<Self, WatchFault> {
        let base = root.to_owned();
        let on_event = move |event: notify::Result<notify::Event>| match event {
            Ok(event) => hints_of(&base, &event, &hint),
            Err(_) => hint(Hint::Lost),
        };
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(on_event, config).map_err(fault_of)?;
        watcher
            .watch(root, RecursiveMode::Recursive)
            .map_err(fault_of)?;
        Ok(Self { _watcher: watcher })
    }
}

fn fault_of(fault: notify::Error) -> WatchFault {
    match fault.kind {
        ErrorKind::MaxFilesWatch => WatchFault::Limit,
        ErrorKind::Io(fault) if fault.kind() == std::io::ErrorKind::StorageFull => {
            WatchFault::Limit
        }
        ErrorKind::Io(_)
        | ErrorKind::Generic(_)
        | ErrorKind::PathNotFound
        | ErrorKind::WatchNotFound
        | ErrorKind::InvalidConfig(_) => WatchFault::Unsupported,
    }
}

fn hints_of(root: &Path, event: &notify::Event, hint: &impl Fn(Hint)) {
    if event.need_rescan() {
        hint(Hint::Lost);
        return;
    }
    let stage = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => Stage::Finished,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => Stage::Underway,
        EventKind::Access(_) => return,
    };
    for path in &event.paths {
        match hint_at(root, path, stage) {
            Some(Hint::At(path, stage)) if tells_of_going(event.kind) => {
                hint(Hint::Gone(path, stage));
            }
            Some(other @ (Hint::At(..) | Hint::Gone(..) | Hint::Root | Hint::Lost)) => hint(other),
            None => {}
        }
    }
}

/// Whether a directory may have gone from the paths of an event. Which of two names one went from is not
/// always told, nor whether it was a file.
const fn tells_of_going(kind: EventKind) -> bool {
    match kind {
        EventKind::Remove(RemoveKind::File) => false,
        EventKind::Remove(RemoveKind::Folder | RemoveKind::Any | RemoveKind::Other)
        | EventKind::Modify(ModifyKind::Name(
            RenameMode::From | RenameMode::Both | RenameMode::Any | RenameMode::Other,
        )) => true,
        EventKind::Any
        | EventKind::Access(_)
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Other => false,
    }
}

fn hint_at(root: &Path, path: &Path, stage: Stage) -> Option<Hint> {
    let below = path.strip_prefix(root).ok()?;
    let mut text = String::new();
    for component in below.components() {
        // A name that is no text is looked at with the directory that holds it.
        let Some(name) = component.as_os_str().to_str() else {
            break;
        };
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(name);
    }
    if text.is_empty() {
        return Some(if below.as_os_str().is_empty() {
            Hint::Root
        } else {
            Hint::Lost
        });
    }
    // What is no path is ours, or cannot be synced.
    let path = RelPath::parse(text).ok()?;
    Some(Hint::At(path, stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_our_own_directory_are_ignored() {
        let root = Path::new("/r");
        let at = |text: &str| hint_at(root, Path::new(text), Stage::Underway);
        let path = |text: &str| Some(Hint::At(RelPath::parse(text).unwrap(), Stage::Underway));
        assert_eq!(at("/r/.towline/tmp/new-1"), None);
        assert_eq!(at("/r/.towline"), None);
        assert_eq!(at("/r/.towline/conflicts/a"), None);
        let copy = ".towline/conflicts/a/.conflict-abcdefgh-0123ab";
        assert_eq!(at(&format!("/r/{copy}")), path(copy));
        assert_eq!(at("/r/a/.towline"), path("a/.towline"));
        assert_eq!(at("/r/a/b"), path("a/b"));
        assert_eq!(at("/r"), Some(Hint::Root));
        assert_eq!(at("/elsewhere"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_hints_at_its_directory() {
        use std::os::unix::ffi::OsStringExt;
        let name = std::ffi::OsString::from_vec(vec![b'x', 0xff]);
        let root = Path::new("/r");
        let at = |path: &Path| hint_at(root, path, Stage::Finished);
        let inner = Some(Hint::At(RelPath::parse("a").unwrap(), Stage::Finished));
        assert_eq!(at(&root.join("a").join(&name)), inner);
        assert_eq!(at(&root.join(&name)), Some(Hint::Lost));
    }
}
