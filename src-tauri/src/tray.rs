//! The sign of the app in the desktop's tray, where there is one.
//!
//! It shows how the device stands by its shape, and has a menu. What it says and what can be chosen
//! comes from the page, which has the words; this only carries it to the desktop and tells what a person
//! wishes. Whether somebody shows the sign is followed, because without it a window that is out of
//! sight could not be found ([`Tray::shown`]). Leaf files hold what differs between systems: `linux` speaks with the
//! desktop's host on the session bus, `elsewhere` is Tauri's.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use serde::Deserialize;
use tauri::AppHandle;
use tauri::image::Image;
use tauri::include_image;
use tokio::sync::watch;

#[cfg(not(target_os = "linux"))]
use elsewhere::live;
#[cfg(target_os = "linux")]
use linux::live;

/// What the sign shows and says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Sign {
    /// How the device stands, told by the shape.
    standing: Standing,
    /// The same in words.
    state: String,
    /// The name of the app.
    title: String,
    /// What a person can choose, in the order of the menu.
    choices: Vec<Choice>,
}

/// How a device stands, as `ui/src/text/states.ts` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Good,
    Working,
    Idle,
    Wait,
    Trouble,
}

/// A wish that can be chosen, in words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Choice {
    wish: Wish,
    text: String,
}

/// What a person wishes of the sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// To see the window.
    Open,
    /// To pause all folders.
    Pause,
    /// To resume all folders.
    Resume,
    /// To end the app.
    Quit,
}

/// The sign, and whether anybody shows it.
#[derive(Debug)]
pub(crate) struct Tray {
    sign: watch::Sender<Option<Sign>>,
    is_shown: watch::Sender<bool>,
}

impl Tray {
    /// A sign that says nothing yet, and is therefore not shown.
    pub(crate) fn new() -> Self {
        Self {
            sign: watch::Sender::new(None),
            is_shown: watch::Sender::new(false),
        }
    }

    /// Shows and says this from now on.
    pub(crate) fn say(&self, sign: Sign) {
        self.sign.send_if_modified(|last| {
            let differs = last.as_ref() != Some(&sign);
            *last = Some(sign);
            differs
        });
    }

    /// Whether a person can find the sign, now and after every change.
    pub(crate) fn shown(&self) -> watch::Receiver<bool> {
        self.is_shown.subscribe()
    }

    /// Keeps the sign in the tray, as long as there is one; `heed` hears what people wish, on the
    /// thread of the windows.
    pub(crate) async fn live(&self, app: &AppHandle, heed: fn(&AppHandle, Wish)) {
        live(self, app, heed).await;
        self.set_shown(false);
    }

    /// Says whether a person can find the sign.
    pub(crate) fn set_shown(&self, is_shown: bool) {
        self.is_shown
            .send_if_modified(|last| std::mem::replace(last, is_shown) != is_shown);
    }
}

/// A line of the sign's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// How the device stands, to be read only.
    State,
    /// Parts the state from what can be chosen.
    BelowState,
    /// Can be chosen.
    Choice(Wish),
    /// Parts the end of the app from what is chosen more often.
    AboveQuit,
}

impl Line {
    /// The lines of a sign's menu, from the top.
    fn of(sign: &Sign) -> Vec<Self> {
        let choices = sign.choices.iter().flat_map(|choice| match choice.wish {
            Wish::Open | Wish::Pause | Wish::Resume => vec![Self::Choice(choice.wish)],
            Wish::Quit => vec![Self::AboveQuit, Self::Choice(choice.wish)],
        });
        [Self::State, Self::BelowState]
            .into_iter()
            .chain(choices)
            .collect()
    }

    /// What it says in a sign's menu; nothing where it only parts others, or is not there.
    fn text(self, sign: &Sign) -> Option<&str> {
        match self {
            Self::State => Some(&sign.state),
            Self::BelowState | Self::AboveQuit => None,
            Self::Choice(wish) => {
                let choice = sign.choices.iter().find(|choice| choice.wish == wish)?;
                Some(&choice.text)
            }
        }
    }
}

/// The shape of a standing, the smallest first. Light with a dark rim, so that one drawing is seen on light panels
/// and on dark ones: desktops do not tell which theirs is. The sizes are those of common panels (22 pixels, 16 on
/// screens of twice the density) and one to be made smaller.
fn pictures(standing: Standing) -> [Image<'static>; 3] {
    match standing {
        Standing::Good => [
            include_image!("icons/tray/good-22.png"),
            include_image!("icons/tray/good-32.png"),
            include_image!("icons/tray/good-64.png"),
        ],
        Standing::Working => [
            include_image!("icons/tray/working-22.png"),
            include_image!("icons/tray/working-32.png"),
            include_image!("icons/tray/working-64.png"),
        ],
        Standing::Idle => [
            include_image!("icons/tray/idle-22.png"),
            include_image!("icons/tray/idle-32.png"),
            include_image!("icons/tray/idle-64.png"),
        ],
        Standing::Wait => [
            include_image!("icons/tray/wait-22.png"),
            include_image!("icons/tray/wait-32.png"),
            include_image!("icons/tray/wait-64.png"),
        ],
        Standing::Trouble => [
            include_image!("icons/tray/trouble-22.png"),
            include_image!("icons/tray/trouble-32.png"),
            include_image!("icons/tray/trouble-64.png"),
        ],
    }
}
