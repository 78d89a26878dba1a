//! The notifications of macOS and Windows, through Tauri's plugin.

use tauri::{AppHandle, Builder, Wry};
use tauri_plugin_notification::{Action, ActionPerformed, ActionType, NotificationExt};
use tokio::sync::mpsc;
use tracing::debug;

use super::{Notice, open};

/// The app with what notices need.
pub(crate) fn prepared(builder: Builder<Wry>) -> Builder<Wry> {
    builder.plugin(tauri_plugin_notification::init())
}

/// Shows notices as they come, for as long as the app runs.
pub(crate) async fn show_all(app: AppHandle, mut waiting: mpsc::Receiver<Notice>) {
    let opener = app.clone();
    let heard = app.notification().on_action(move |performed| {
        if let Some(tag) = opened(performed) {
            open(&opener, tag);
        }
    });
    if let Err(error) = heard {
        debug!(%error, "notices cannot be opened");
    }
    while let Some(notice) = waiting.recv().await {
        if let Err(error) = show(&app, notice) {
            debug!(%error, "a notice is not shown");
        }
    }
}

fn show(app: &AppHandle, notice: Notice) -> tauri_plugin_notification::Result<()> {
    let mut actions = vec![Action::builder(OPEN, notice.open).build()];
    actions.extend(
        notice
            .later
            .map(|later| Action::builder(LATER, later).build()),
    );
    // Buttons belong to a kind of notice there; each notice is a kind of its own.
    let kind = ActionType::builder(&notice.tag).actions(actions).build();
    app.notification().register_action_types(vec![kind])?;
    app.notification()
        .builder()
        .title(notice.title)
        .body(notice.body)
        .action_type_id(&notice.tag)
        .extra(TAG, &notice.tag)
        .show()
}

/// The tag of the notice that somebody has opened, by a click or its button.
fn opened(performed: &ActionPerformed) -> Option<String> {
    if performed.action_id() == LATER {
        return None;
    }
    let tag = performed.notification()?.extra().get(TAG)?;
    tag.as_str().map(str::to_owned)
}

/// The action of the button that opens a notice.
const OPEN: &str = "open";

/// The action of the button that puts a notice off.
const LATER: &str = "later";

/// Under which name a notice carries its tag.
const TAG: &str = "tag";
