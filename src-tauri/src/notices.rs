//! Tells the person of something while they look elsewhere, by the system's own notifications.
//!
//! What is told, when, and in which words is the page's to decide. A notice that is opened brings the
//! window to the front and is told to the page, which goes where it leads; one that is put off is only
//! taken away. Leaf files hold what differs between systems. Where a system shows no notifications
//! nobody is told, and the window shows all of it as before.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use serde::Deserialize;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager};
use tokio::sync::mpsc;
use tracing::debug;

use crate::instance;
use crate::tidings::Tidings;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{prepared, show_all};
#[cfg(target_os = "linux")]
pub(crate) use linux::{prepared, show_all};

/// Something to tell, in the page's words.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Notice {
    /// How the page knows it; a notice takes the place of the one that is shown under its tag.
    tag: String,
    /// What has happened, in one line.
    title: String,
    /// What it means, as plain text.
    body: String,
    /// What the button says that opens it, as a click does.
    open: String,
    /// What the button says that puts it off, for what cannot be put off by looking away.
    later: Option<String>,
}

/// Notices on their way to the system, and back to the page when they are opened.
#[derive(Debug)]
pub(crate) struct Notices {
    waiting: mpsc::Sender<Notice>,
    opened: Tidings<String>,
}

impl Notices {
    /// No notices yet, and where [`show_all`] gets those that come.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (waiting, shown) = mpsc::channel(WAITING_MAX);
        let opened = Tidings::new(None);
        (Self { waiting, opened }, shown)
    }

    /// Shows a notice as soon as the system does.
    pub(crate) fn show(&self, notice: Notice) {
        if self.waiting.try_send(notice).is_err() {
            debug!("the system takes no notices, one is dropped");
        }
    }

    /// The page hears from now on which notices are opened, by their tags.
    pub(crate) fn tell(&self, channel: Channel<String>) {
        self.opened.listen(channel);
    }
}

/// Notices that wait for the system: the page makes few, so 16 wait only where nobody takes them. More
/// are dropped; what they tell stands in the window.
const WAITING_MAX: usize = 16;

/// Brings the person to what a notice told of.
fn open(app: &AppHandle, tag: String) {
    app.state::<Notices>().opened.tell(tag);
    instance::raise(app);
}
