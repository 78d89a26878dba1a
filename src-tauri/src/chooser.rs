//! Lets the person choose a directory in the system's dialog.
//!
//! The dialog belongs to the window: it stays above it, and the window takes no input until the
//! dialog is closed. It begins at the place that the page shows already, or at the nearest one
//! above it that exists, or at home. Leaf files hold what differs between systems: on `linux`
//! GTK is asked directly, `elsewhere` Tauri's plugin. Choosing changes nothing on the disk; whoever
//! gets the path decides what it is for.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::path::{Path, PathBuf};

use tauri::{Manager, WebviewWindow};
use tokio::sync::oneshot;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::prepared;
#[cfg(target_os = "linux")]
pub(crate) use linux::prepared;

#[cfg(not(target_os = "linux"))]
use elsewhere::ask;
#[cfg(target_os = "linux")]
use linux::ask;

/// Shows the dialog and waits for the person; `None` when nothing was chosen.
pub(crate) async fn choose_directory(
    window: WebviewWindow,
    title: String,
    shown: &str,
) -> Option<PathBuf> {
    let home = window.path().home_dir().unwrap_or_default();
    let begin = beginning(Path::new(shown), home);
    let (chosen, choice) = oneshot::channel();
    ask(window, title, begin, move |directory| {
        // Only a page that was closed meanwhile does not hear it.
        let _unheard = chosen.send(directory);
    });
    choice.await.ok().flatten()
}

/// The nearest directory at or above `shown` that exists, or `home` where none is shown.
fn beginning(shown: &Path, home: PathBuf) -> PathBuf {
    if !shown.is_absolute() {
        return home;
    }
    let exists = |place: &&Path| place.is_dir();
    shown
        .ancestors()
        .find(exists)
        .map_or(home, Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialog_begins_at_what_is_shown_or_the_nearest_place_above_it() {
        let place = tempfile::tempdir().unwrap();
        let photos = place.path().join("Photos");
        std::fs::create_dir(&photos).unwrap();
        let home = PathBuf::from("/home/ada");
        assert_eq!(beginning(&photos, home.clone()), photos);
        assert_eq!(beginning(&photos.join("2026/May"), home), photos);
    }

    #[test]
    fn the_dialog_begins_at_home_when_no_whole_path_is_shown() {
        let home = PathBuf::from("/home/ada");
        assert_eq!(beginning(Path::new(""), home.clone()), home);
        assert_eq!(beginning(Path::new("Photos"), home.clone()), home);
    }
}
