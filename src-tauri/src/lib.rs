//! The desktop shell: a window around the engine.
//!
//! It attaches to the engine that runs on this home already, or runs one itself (`device`), and
//! answers the page's calls (`commands`). There is one for each home (`instance`); links that people
//! open and folders that they drag onto the window go to the page (`links`, `drag`), and what the page
//! tells people who look elsewhere goes to the system (`notices`). Where its person wants one, a signal
//! server runs beside (`server`). It brings itself up to date (`updates`). It decides nothing about peers or folders and
//! has no words for people; the page has them. A closed window goes out of sight while the desktop's `tray` shows the app, and
//! else ends an engine of its own in good order (`closing`); the next window comes where it was (`frame`). How it is painted
//! depends on what the computer has for that (`painting`).

mod arguments;
mod at_login;
mod borders;
mod chooser;
mod closing;
mod commands;
mod device;
mod drag;
mod frame;
mod instance;
mod links;
mod notices;
#[cfg(target_os = "linux")]
mod painting;
mod server;
mod tidings;
mod tray;
mod updates;

use std::sync::Arc;

use tauri::{AppHandle, Manager, RunEvent, WindowEvent};
use towline_engine::{LogForm, begin_log};
use tracing::info;

pub use arguments::Arguments;
pub use arguments::ArgumentsError;

use closing::Closings;
use device::Device;
use drag::Drag;
use links::Links;
use notices::Notices;
use server::Server;
use tidings::Tidings;
use tray::Tray;
use updates::{Ending, Updates};

/// Why the shell cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// There is no home for the device.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// The system gives no window.
    #[error("no window can be opened: {0}")]
    Window(#[from] tauri::Error),
}

/// Shows the window, and the sign in the tray, until the app is ended.
pub fn run(mut arguments: Arguments) -> Result<(), ShellError> {
    #[cfg(target_os = "linux")]
    painting::prepare();
    let is_hidden = arguments.is_hidden();
    let links = Links::new(arguments.take_link());
    let settings = arguments.settings()?;
    begin_log(&settings.home, LogForm::Text);
    let mut context = tauri::generate_context!();
    let config = context.config_mut();
    let usual = arguments::default_home();
    config.identifier = instance::identifier(&config.identifier, &settings.home, usual.as_deref());
    let version = context.package_info().version.to_string();
    info!(version, "the app has started");
    let device = Arc::new(Device::new(settings));
    let server = Arc::new(Server::new(Arc::clone(&device)));
    let updates = Arc::new(Updates::new(Arc::clone(&device), version));
    let (notices, waiting) = Notices::new();
    let builder = tauri::Builder::default().plugin(instance::only_one());
    let app = notices::prepared(chooser::prepared(builder))
        .plugin(borders::kept())
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_updater::Builder::new().build())
        .manage(Arc::clone(&device))
        .manage(Arc::clone(&updates))
        .manage(links)
        .manage(Arc::clone(&server))
        .manage(Closings::new(device.home()))
        .manage(Tray::new())
        .manage(Tidings::<Drag>::new(None))
        .manage(notices)
        .setup(move |app| begin(app.handle(), is_hidden).map_err(Into::into))
        .invoke_handler(tauri::generate_handler![
            commands::watch,
            commands::command,
            commands::links,
            commands::drags,
            commands::notify,
            commands::notices,
            commands::at_login,
            commands::set_at_login,
            commands::updates,
            commands::update,
            commands::start,
            commands::server_here,
            commands::run_server,
            commands::stop_server,
            commands::pick_directory,
            commands::open_folder,
            commands::open_log,
            commands::save_diagnostics,
            commands::sign,
            commands::closing,
            commands::choose_closing,
            commands::quit,
        ])
        .build(context)?;
    tauri::async_runtime::spawn(async move { server.live().await });
    tauri::async_runtime::spawn(notices::show_all(app.handle().clone(), waiting));
    let handle = app.handle().clone();
    tauri::async_runtime::spawn(Arc::clone(&updates).live(handle.clone()));
    tauri::async_runtime::spawn(async move {
        device.live().await;
        end(&handle, updates.finish(&handle).await);
    });
    app.run(|app, event| on_event(app, &event));
    Ok(())
}

/// Shows the window, which is made unseen so that nobody sees it move to its place and nobody has to see it at all.
fn begin(app: &AppHandle, is_hidden: bool) -> tauri::Result<()> {
    let window = instance::window(app).ok_or(tauri::Error::WindowNotFound)?;
    let (tray_of, reach_of) = (app.clone(), app.clone());
    tauri::async_runtime::spawn(async move {
        tray_of.state::<Tray>().live(&tray_of, closing::heed).await;
    });
    tauri::async_runtime::spawn(async move { closing::stay_within_reach(&reach_of).await });
    #[cfg(unix)]
    {
        let ending = app.clone();
        tauri::async_runtime::spawn(async move { closing::heed_system(&ending).await });
    }
    if is_hidden {
        return Ok(());
    }
    frame::show(&window, app.state::<Arc<Device>>().home())
}

/// Ends the process, whose device has ended.
fn end(app: &AppHandle, ending: Ending) {
    match ending {
        Ending::Exit => app.exit(0),
        Ending::Restart => {
            if let Some(window) = instance::window(app) {
                frame::keep(&window, app.state::<Arc<Device>>().home());
            }
            // The next one must not take itself for a second start, and asks nothing that was asked already.
            tauri_plugin_single_instance::destroy(app);
            let mut env = app.env();
            env.args_os.retain(|argument| !links::is_link(argument));
            app.cleanup_before_exit();
            tauri::process::restart(&env);
        }
    }
}

/// A window that is closed stays until it is known what becomes of it; an exit waits until the device has ended.
fn on_event(app: &AppHandle, event: &RunEvent) {
    if let RunEvent::WindowEvent {
        event: WindowEvent::CloseRequested { api, .. },
        ..
    } = event
    {
        api.prevent_close();
        closing::close(app);
    }
    #[cfg(target_os = "macos")]
    if let RunEvent::Reopen { .. } = event {
        instance::raise(app);
    }
    if let RunEvent::WindowEvent {
        event: WindowEvent::DragDrop(event),
        ..
    } = event
        && let Some(drag) = Drag::after(event)
    {
        app.state::<Tidings<Drag>>().tell(drag);
    }
    #[cfg(target_os = "macos")]
    if let RunEvent::Opened { urls } = event {
        let links = app.state::<Links>();
        for link in urls.iter().filter_map(|url| url.as_str().parse().ok()) {
            links.open(link);
        }
        instance::raise(app);
    }
    if let RunEvent::ExitRequested {
        code: None, api, ..
    } = event
    {
        api.prevent_exit();
        closing::quit(app);
    }
}
