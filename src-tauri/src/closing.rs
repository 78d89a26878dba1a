//! What becomes of the app when its window is closed.
//!
//! Where a tray shows the sign the window only goes out of sight, unless its person wants the app to
//! end; without one it always ends, for nobody could find it. What the person wants is kept in the
//! home; what cannot be read or kept is no reason to show no window. Until the person has
//! said it, the page asks after the first time that the window went out of sight ([`Told::asks`]).
//! Whatever ends the app: the window stays until the engine has finished what it writes, and whoever
//! starts the app meanwhile has a window of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tauri::{AppHandle, Manager, State};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::device::Device;
use crate::tray::{Tray, Wish};
use crate::{frame, instance};

/// The file in the home.
const FILE: &str = "closing.json";

/// How long a window without a sign stays out of sight: 10 s, because at log-in panels begin
/// beside us and may take that long. Longer would leave people without a way to find it.
const GRACE: Duration = Duration::from_secs(10);

/// What closing the window does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Closing {
    /// The window goes out of sight, the app goes on.
    Stay,
    /// The app ends.
    Quit,
}

/// What the page is told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// Whether a tray shows the sign; where none does, closing ends the app.
    tray: bool,
    /// What closing does while one does.
    closing: Closing,
    /// Whether the window went out of sight and its person has not said yet what closing shall do.
    asks: bool,
}

/// What the person wants, and whether there is something to ask.
#[derive(Debug)]
pub(crate) struct Closings {
    home: PathBuf,
    state: watch::Sender<Asked>,
}

/// How it stands with the person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It was not needed so far.
    Never,
    /// The window went out of sight without it.
    Open,
    /// This is it.
    Said(Closing),
}

impl Closings {
    /// What was kept in `home`.
    pub(crate) fn new(home: &Path) -> Self {
        let state = kept(home).map_or(Asked::Never, Asked::Said);
        Self {
            home: home.to_owned(),
            state: watch::Sender::new(state),
        }
    }

    /// Does this from now on, and keeps it.
    pub(crate) fn choose(&self, closing: Closing) -> std::io::Result<()> {
        fs::write(self.home.join(FILE), serde_json::to_vec(&closing)?)?;
        self.state.send_replace(Asked::Said(closing));
        Ok(())
    }

    /// Calls `tell` with how it stands now and after every change, until it says that nobody hears.
    pub(crate) async fn follow(
        &self,
        tray: &Tray,
        mut tell: impl FnMut(Told) -> tauri::Result<()>,
    ) {
        let (mut state, mut shown) = (self.state.subscribe(), tray.shown());
        loop {
            let told = told(*state.borrow_and_update(), *shown.borrow_and_update());
            // A page that is gone needs nothing more.
            if tell(told).is_err() {
                return;
            }
            tokio::select! {
                // The senders live as long as the app.
                _ = state.changed() => {}
                _ = shown.changed() => {}
            }
        }
    }

    fn closing(&self, tray: &Tray) -> Closing {
        let told = told(*self.state.borrow(), *tray.shown().borrow());
        if told.tray {
            told.closing
        } else {
            Closing::Quit
        }
    }

    fn went_out_of_sight(&self) {
        self.state.send_if_modified(|state| {
            let is_first = *state == Asked::Never;
            if is_first {
                *state = Asked::Open;
            }
            is_first
        });
    }
}

/// Closes the window: it goes out of sight, or the app ends.
pub(crate) fn close(app: &AppHandle) {
    let closings: State<'_, Closings> = app.state();
    match (
        closings.closing(&app.state::<Tray>()),
        instance::window(app),
    ) {
        (Closing::Stay, Some(window)) => {
            frame::keep(&window, &closings.home);
            match window.hide() {
                Ok(()) => closings.went_out_of_sight(),
                Err(error) => warn!(%error, "the window cannot be hidden"),
            }
        }
        (Closing::Stay | Closing::Quit, _) => quit(app),
    }
}

/// Ends the app in good order.
pub(crate) fn quit(app: &AppHandle) {
    let device: State<'_, Arc<Device>> = app.state();
    if let Some(window) = instance::window(app)
        && window.is_visible().unwrap_or(false)
    {
        frame::keep(&window, device.home());
    }
    // Who starts now has a window of its own.
    tauri_plugin_single_instance::destroy(app);
    device.quit();
}

/// Ends the app in good order when the system asks it to, as at the end of a person's session.
#[cfg(unix)]
pub(crate) async fn heed_system(app: &AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut asked) => {
            // None comes any more where signals are not to be had.
            if asked.recv().await.is_some() {
                info!("the system asks the app to end");
                quit(app);
            }
        }
        Err(error) => warn!(%error, "the system ends the app without asking"),
    }
}

/// Does what a person wishes of the sign.
pub(crate) fn heed(app: &AppHandle, wish: Wish) {
    let device = Arc::clone(&app.state::<Arc<Device>>());
    match wish {
        Wish::Open => instance::raise(app),
        Wish::Pause => {
            tauri::async_runtime::spawn(async move { device.pause().await });
        }
        Wish::Resume => {
            tauri::async_runtime::spawn(async move { device.resume().await });
        }
        Wish::Quit => quit(app),
    }
}

/// Brings a window back that is out of sight while nobody shows the sign: as a small one among the other
/// windows, because nobody has asked for it.
pub(crate) async fn stay_within_reach(app: &AppHandle) {
    let mut shown = app.state::<Tray>().shown();
    // The sender lives as long as the app.
    while shown.wait_for(|is_shown| !is_shown).await.is_ok() {
        let comes = shown.wait_for(|is_shown| *is_shown);
        if tokio::time::timeout(GRACE, comes).await.is_err() {
            bring_back(app);
        }
        if shown.wait_for(|is_shown| *is_shown).await.is_err() {
            return;
        }
    }
}

fn bring_back(app: &AppHandle) {
    let on_main_thread = app.clone();
    let asked = app.run_on_main_thread(move || {
        let Some(window) = instance::window(&on_main_thread) else {
            return;
        };
        let device: State<'_, Arc<Device>> = on_main_thread.state();
        let shown = match window.is_visible() {
            Ok(false) => {
                info!("nobody shows the sign, the window comes back");
                frame::show_minimized(&window, device.home())
            }
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = shown {
            warn!(%error, "the window cannot be brought back");
        }
    });
    if let Err(error) = asked {
        debug!(%error, "no window to bring back: the app ends");
    }
}

fn told(state: Asked, tray: bool) -> Told {
    let (closing, asks) = match state {
        Asked::Never => (Closing::Stay, false),
        Asked::Open => (Closing::Stay, true),
        Asked::Said(closing) => (closing, false),
    };
    Told {
        tray,
        closing,
        asks,
    }
}

fn kept(home: &Path) -> Option<Closing> {
    let json = fs::read(home.join(FILE)).ok()?;
    serde_json::from_slice(&json)
        .inspect_err(|error| debug!(%error, "nobody knows what closing shall do"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tray(is_shown: bool) -> Tray {
        let tray = Tray::new();
        tray.set_shown(is_shown);
        tray
    }

    #[test]
    fn without_a_tray_closing_ends_the_app_whatever_is_wanted() {
        let home = tempfile::tempdir().unwrap();
        let closings = Closings::new(home.path());
        assert_eq!(closings.closing(&tray(false)), Closing::Quit);
        assert_eq!(closings.closing(&tray(true)), Closing::Stay);
        closings.choose(Closing::Stay).unwrap();
        assert_eq!(closings.closing(&tray(false)), Closing::Quit);
    }

    #[test]
    fn what_a_person_wants_is_kept() {
        let home = tempfile::tempdir().unwrap();
        for wanted in [Closing::Quit, Closing::Stay] {
            Closings::new(home.path()).choose(wanted).unwrap();
            let closings = Closings::new(home.path());
            assert_eq!(closings.closing(&tray(true)), wanted);
        }
    }

    #[test]
    fn a_torn_file_says_nothing() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), "\"qu").unwrap();
        assert_eq!(kept(home.path()), None);
    }

    #[tokio::test]
    async fn the_page_asks_once_the_window_went_out_of_sight_and_until_there_is_an_answer() {
        let home = tempfile::tempdir().unwrap();
        let closings = Closings::new(home.path());
        let tray = tray(true);
        let mut asked = Vec::new();
        closings
            .follow(&tray, |told| {
                asked.push(told.asks);
                match asked.len() {
                    1 => closings.went_out_of_sight(),
                    2 => closings.choose(Closing::Stay).unwrap(),
                    _ => return Err(tauri::Error::WindowNotFound),
                }
                Ok(())
            })
            .await;
        closings.went_out_of_sight();
        assert_eq!(asked, [false, true, false]);
        assert!(!told(*closings.state.borrow(), true).asks);
    }
}
