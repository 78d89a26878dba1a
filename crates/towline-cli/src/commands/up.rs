//! `towline up`: runs the engine until it is told to stop.

use std::io::IsTerminal;
use std::path::PathBuf;

use serde::Serialize;
use towline_engine::view::{KeyPlace, ScopeView, StoreCondition, View};
use towline_engine::{Engine, LogForm, Settings, begin_log};

use super::update;
use crate::UpArguments;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::web::{self, Web};

/// What a script gets when the engine runs.
#[derive(Debug, Serialize)]
struct Up<'a> {
    event: &'static str,
    home: &'a str,
    /// Where browsers are served; `towline web` gives a link that opens it.
    web: Option<&'a str>,
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
    let prepared = web::prepare(arguments.web)
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let settings = Settings {
        metrics: arguments.metrics,
        ..arguments.options.settings(home.clone())
    };
    let (at, proxy) = (home.clone(), settings.proxy.clone());
    let engine = Engine::start(settings)
        .await
        .map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let web = prepared.map(|prepared| Web::open(prepared, engine.handle().clone()));
    let view = engine.handle().view();
    let home = home.to_string_lossy();
    output.say(
        &Up {
            event: "up",
            home: &home,
            web: web.as_ref().map(Web::base).as_deref(),
            view: &view,
        },
        || greeting(&home, &view) + &browsers(web.as_ref()),
    );
    tell_service_manager();
    tokio::select! {
        () = engine.handle().stopped() => {}
        () = asked_to_stop() => {}
        // It ends only with the engine.
        () = update::watch(&at, proxy.as_deref(), engine.handle(), output) => {}
    }
    if let Some(web) = web {
        web.close().await;
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

/// How a browser opens the device. The link is for a person who looks: a log would keep it for others.
fn browsers(web: Option<&Web>) -> String {
    let Some(web) = web else {
        return String::new();
    };
    let base = web.base();
    if !Web::has_pages() {
        return format!(
            "\nThis build holds no pages for browsers (its UI had not been built); scripts reach the API at {base}api/."
        );
    }
    let link = web.link().ok().filter(|_| std::io::stdout().is_terminal());
    match link {
        Some(link) => format!(
            "\nIn a browser: {link}\nThat link is good once, for five minutes; `towline web` makes another."
        ),
        None => format!("\nIn a browser: {base} by the link that `towline web` makes."),
    }
}

/// systemd waits for this before it calls a service started; without one nobody is told.
#[cfg(target_os = "linux")]
fn tell_service_manager() {
    // Where it cannot be told, it waits in vain and says so itself.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// So does Windows' service manager.
#[cfg(windows)]
fn tell_service_manager() {
    crate::controlled::ready();
}

#[cfg(not(any(target_os = "linux", windows)))]
fn tell_service_manager() {}

async fn asked_to_stop() {
    tokio::select! {
        () = asked_by_system() => {}
        () = asked_by_person() => {}
    }
}

#[cfg(unix)]
async fn asked_by_system() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(windows)]
async fn asked_by_system() {
    crate::controlled::asked_to_stop().await;
}

async fn asked_by_person() {
    // Without signals only `towline stop` ends the engine.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
