//! The notifications of Linux desktops: whoever has the name `org.freedesktop.Notifications` on the
//! session bus shows them (Desktop Notifications Specification 1.2).
//!
//! The bus is asked for when there is something to show, and again after it was lost. A server says
//! what it can: without actions nothing can be opened, and only where text is markup it is escaped.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt;
use tauri::{AppHandle, Builder, Wry};
use tokio::sync::mpsc;
use tracing::debug;
use zbus::zvariant::Value;
use zbus::{Connection, proxy};

use super::{Notice, open};

/// The app with what notices need: nothing here.
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder
}

/// Shows notices as they come, for as long as the app runs.
pub(crate) async fn show_all(app: AppHandle, mut waiting: mpsc::Receiver<Notice>) {
    while let Some(first) = waiting.recv().await {
        let shown = match Connection::session().await {
            Ok(bus) => show_on(&bus, first, &mut waiting, |tag| open(&app, tag)).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = shown {
            debug!(%fault, "a notice is not shown");
        }
    }
}

/// Shows `first` and all that follow on this bus, until the bus is lost or no more can come; a notice
/// that cannot be shown is an error. What is opened is told by its tag.
async fn show_on(
    bus: &Connection,
    first: Notice,
    waiting: &mut mpsc::Receiver<Notice>,
    opened: impl Fn(String),
) -> zbus::Result<()> {
    let server = NotificationsProxy::new(bus).await?;
    let mut invoked = server.receive_action_invoked().await?;
    let mut closed = server.receive_notification_closed().await?;
    let mut tags_by_number = BTreeMap::new();
    show(&server, first, &mut tags_by_number).await?;
    loop {
        tokio::select! {
            // What is opened is closed at once: its opening comes first, and is to be looked at first.
            biased;
            signal = invoked.next() => {
                let Some(signal) = signal else { return Ok(()) };
                let said = signal.args()?;
                let tag = tags_by_number.get(&said.number).cloned();
                // Those of other programs are heard, too.
                let Some(tag) = tag else { continue };
                if [CLICK, OPEN].contains(&said.action) {
                    opened(tag);
                }
                // Servers close what was answered, or leave that to whoever showed it.
                if let Err(fault) = server.close_notification(said.number).await {
                    debug!(%fault, "a notice is closed already");
                }
            }
            signal = closed.next() => {
                let Some(signal) = signal else { return Ok(()) };
                tags_by_number.remove(&signal.args()?.number);
            }
            notice = waiting.recv() => match notice {
                Some(notice) => show(&server, notice, &mut tags_by_number).await?,
                None => return Ok(()),
            },
        }
    }
}

/// Shows one notice, in the place of the one under its tag.
async fn show(
    server: &NotificationsProxy<'_>,
    notice: Notice,
    tags_by_number: &mut BTreeMap<u32, String>,
) -> zbus::Result<()> {
    let abilities = server.get_capabilities().await?;
    let can = |ability: &str| abilities.iter().any(|each| each == ability);
    let former = tags_by_number.iter().find(|(_, tag)| **tag == notice.tag);
    let replaced = former.map_or(NONE, |(number, _)| *number);
    let mut actions = Vec::new();
    if can("actions") {
        actions.extend([CLICK, &notice.open, OPEN, &notice.open]);
        if let Some(later) = &notice.later {
            actions.extend([LATER, later]);
        }
    }
    let body = if can("body-markup") {
        escaped(&notice.body)
    } else {
        notice.body.clone()
    };
    let hints = HashMap::from([("desktop-entry", Value::from(DESKTOP_ENTRY))]);
    let number = server
        .notify(
            APP,
            replaced,
            ICON,
            &notice.title,
            &body,
            &actions,
            hints,
            AS_THE_SERVER_DOES,
        )
        .await?;
    tags_by_number.remove(&replaced);
    tags_by_number.insert(number, notice.tag);
    Ok(())
}

/// Plain text as markup, so that a name can neither be a link nor break the text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The part of a notification server that is used.
#[proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
trait Notifications {
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;

    #[expect(clippy::too_many_arguments, reason = "the specification has them")]
    fn notify(
        &self,
        app: &str,
        replaced: u32,
        icon: &str,
        title: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, Value<'_>>,
        timeout_ms: i32,
    ) -> zbus::Result<u32>;

    fn close_notification(&self, number: u32) -> zbus::Result<()>;

    #[zbus(signal)]
    fn action_invoked(&self, number: u32, action: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    fn notification_closed(&self, number: u32, reason: u32) -> zbus::Result<()>;
}

/// The action that a click on the notice itself is, by the specification.
const CLICK: &str = "default";

/// The action of the button that opens a notice.
const OPEN: &str = "open";

/// The action of the button that puts a notice off.
const LATER: &str = "later";

/// What no notice has as its number.
const NONE: u32 = 0;

/// How long a notice stays: as long as the server thinks right.
const AS_THE_SERVER_DOES: i32 = -1;

/// Who tells, as people know it.
const APP: &str = "Towline";

/// The icon that the packages install.
const ICON: &str = "towline-app";

/// The desktop file that the packages install, without its ending.
const DESKTOP_ENTRY: &str = "Towline";

#[cfg(test)]
mod tests;
