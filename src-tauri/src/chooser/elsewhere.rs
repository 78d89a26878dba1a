//! The dialog of macOS and Windows, through Tauri's plugin.

use std::path::PathBuf;

use tauri::{Builder, WebviewWindow, Wry};
use tauri_plugin_dialog::DialogExt;

/// The app with what the dialog needs.
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(tauri_plugin_dialog::init())
}

/// Shows the dialog and tells what was chosen once it is closed.
pub(super) fn ask(
    window: WebviewWindow,
    title: String,
    begin: PathBuf,
    tell: impl FnOnce(Option<PathBuf>) + Send + 'static,
) {
    window
        .dialog()
        .file()
        .set_parent(&window)
        .set_title(title)
        .set_directory(begin)
        .pick_folder(|directory| tell(directory.and_then(|chosen| chosen.into_path().ok())));
}
