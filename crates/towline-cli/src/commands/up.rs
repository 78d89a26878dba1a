//! `towline up`: runs the engine until it is told to stop.

use std::path::PathBuf;

use serde::Serialize;
use towline_engine::view::{KeyPlace, ScopeView, StoreCondition, View};
use towline_engine::{Engine, LogForm, Settings, begin_log};

use crate::UpArguments;
use crate::output::{Failure, Output};
use crate::plain::plain;

/// What a script gets when the engine runs.
#[derive(Debug, Serialize)]
struct Up<'a> {
    event: &'static str,
    home: &'a str,
    view: &'a View,
}

pub(crate) async fn run(
    home: PathBuf,
    arguments: UpArguments,
    output: &Output,
) -> Result<(), Failure> {
    let form = if arguments.log_json {
        LogForm::Json
    } else {
        LogForm::Text
    };
    begin_log(&home, form);
    let settings = Settings {
        metrics: arguments.metrics,
        ..arguments.options.settings(home.clone())
    };
    let engine = Engine::start(settings)
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let view = engine.handle().view();
    let home = home.to_string_lossy();
    output.say(
        &Up {
            event: "up",
            home: &home,
            view: &view,
        },
        || greeting(&home, &view),
    );
    tokio::select! {
        () = engine.handle().stopped() => {}
        () = asked_to_stop() => {}
    }
    engine
        .stop()
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))
}

fn greeting(home: &str, view: &View) -> String {
    let key = match view.device.key_place {
        KeyPlace::Keyring => "its key is in the system keyring",
        KeyPlace::File => "its key is in a file that only this user may read (no usable keyring)",
    };
    let store = match view.device.store {
        StoreCondition::New => {
            "\nThis is a new device: `towline pair` shows a code for another one."
        }
        StoreCondition::Whole => "",
        StoreCondition::Rebuilt => {
            "\nIts index was damaged: it was kept aside and is rebuilt from the folders; nothing is deleted. Look whether all peers and folders are listed; those that are not are paired and accepted again."
        }
    };
    let server = match (view.server.url.as_deref(), view.device.scope) {
        (Some(url), _) => plain(url),
        (None, ScopeView::LocalNetwork) => "none; nothing leaves the local network".to_owned(),
        (None, ScopeView::Everywhere) => "none; name one with `towline servers add`".to_owned(),
    };
    format!(
        "Towline is up: {} in {}; {key}.\nSignal server: {server}.{store}",
        plain(&view.device.name),
        plain(home),
    )
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without signals only `towline stop` ends the engine.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
