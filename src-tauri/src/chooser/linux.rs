//! The dialog of GTK, which asks the desktop's portal in its place inside a sandbox only; no portal
//! is needed elsewhere.
//!
//! Tauri's plugin would leave the dialog without a parent here, so that it may lie behind the window
//! and be opened twice.

use std::path::{Path, PathBuf};

use gtk::glib::MainContext;
use gtk::prelude::{FileChooserExt, NativeDialogExt, NativeDialogExtManual};
use gtk::{FileChooserAction, FileChooserNative, ResponseType};
use tauri::{Builder, WebviewWindow, Wry};
use tracing::warn;

/// The app with what the dialog needs: nothing here.
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder
}

/// Shows the dialog on GTK's thread and tells what was chosen once it is closed.
pub(super) fn ask(
    window: WebviewWindow,
    title: String,
    begin: PathBuf,
    tell: impl FnOnce(Option<PathBuf>) + Send + 'static,
) {
    let on_main_thread = window.clone();
    let asked = on_main_thread.run_on_main_thread(move || {
        MainContext::default().spawn_local(async move {
            tell(answer(&window, &title, &begin).await);
        });
    });
    if let Err(error) = asked {
        warn!(%error, "no dialog: the window is closing");
    }
}

async fn answer(window: &WebviewWindow, title: &str, begin: &Path) -> Option<PathBuf> {
    let parent = window.gtk_window().ok();
    let dialog = FileChooserNative::new(
        Some(title),
        parent.as_ref(),
        FileChooserAction::SelectFolder,
        None,
        None,
    );
    dialog.set_modal(true);
    dialog.set_current_folder(begin);
    let response = dialog.run_future().await;
    let chosen = (response == ResponseType::Accept).then(|| dialog.filename());
    dialog.destroy();
    chosen.flatten()
}
