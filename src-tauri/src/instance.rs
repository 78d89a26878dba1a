//! One window for each home.
//!
//! A second start on the same home (from the menu, by a link) brings the window that is there to
//! the front, gives it the link and ends; it never comes as far as an engine. Another home is another
//! device, so it is another app: the home is part of the identifier by which starts know each other,
//! except the usual one, which goes by the name that the system knows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Manager, WebviewWindow, Wry};
use tracing::{debug, info};

use crate::arguments::Arguments;
use crate::device::Device;
use crate::frame;
use crate::links::Links;

/// The label of the one window.
const WINDOW: &str = "main";

/// The identifier of the app that shows the device at `home`.
pub(crate) fn identifier(plain: &str, home: &Path, usual: Option<&Path>) -> String {
    if usual == Some(home) {
        return plain.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    whole(home).hash(&mut hasher);
    // A part of a bus name must not begin with a digit.
    format!("{plain}.home{:016x}", hasher.finish())
}

/// Ends a second start. Plugins begin in their order, and this one must be the first.
pub(crate) fn only_one() -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::init(|app, started_with, _| {
        info!("started a second time");
        // It has understood them itself; whatever it lacks now is not worth more than the window.
        let arguments = Arguments::try_parse_from(started_with).ok();
        if arguments.as_ref().is_some_and(Arguments::is_hidden) {
            return;
        }
        if let Some(link) = arguments.and_then(|mut arguments| arguments.take_link()) {
            app.state::<Links>().open(link);
        }
        raise(app);
    })
}

/// The window, unless it is closed already.
pub(crate) fn window(app: &AppHandle) -> Option<WebviewWindow> {
    app.get_webview_window(WINDOW)
}

/// Shows the window in front of others.
pub(crate) fn raise(app: &AppHandle) {
    let Some(window) = window(app) else {
        debug!("no window to raise: the app ends");
        return;
    };
    let device = app.state::<Arc<Device>>();
    if let Err(error) = bring_to_front(&window, device.home()) {
        debug!(%error, "the window cannot be raised");
    }
}

fn bring_to_front(window: &WebviewWindow, home: &Path) -> tauri::Result<()> {
    window.unminimize()?;
    if !window.is_visible()? {
        frame::show(window, home)?;
    }
    window.set_focus()
}

/// The same home however it is named, as far as names tell.
fn whole(home: &Path) -> PathBuf {
    std::path::absolute(home).unwrap_or_else(|_| home.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(home: &str) -> String {
        let usual = Path::new("/home/ada/.local/share/towline");
        identifier("dev.towline.desktop", Path::new(home), Some(usual))
    }

    #[test]
    fn the_usual_home_goes_by_the_plain_name() {
        assert_eq!(of("/home/ada/.local/share/towline"), "dev.towline.desktop");
    }

    #[test]
    fn each_other_home_has_a_name_of_its_own_however_it_is_written() {
        let other = of("/srv/towline");
        assert_ne!(other, of("/srv/towline-too"));
        assert_eq!(other, of("/srv/./towline/"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(of("towline"), of(here.join("towline").to_str().unwrap()));
    }

    #[test]
    fn a_name_fits_onto_the_bus() {
        let other = of("/srv/towline");
        let parts: Vec<_> = other.split('.').collect();
        assert_eq!(parts.len(), 4);
        assert!(parts.iter().all(|part| {
            part.starts_with(|first: char| first.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric())
        }));
    }
}
