//! What the page can ask of the shell. Each call is one of `ui/src/backend/index.ts`'s.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, State, WebviewWindow};
use tauri_plugin_opener::OpenerExt;
use tokio::sync::watch;
use towline_engine::log_directory;
use towline_engine::view::{AnswerView, CommandView, ViewError};
use tracing::warn;

use crate::at_login::{self, AtLogin, Start};
use crate::chooser::choose_directory;
use crate::closing::{self, Closing, Closings};
use crate::device::{Device, Told};
use crate::drag::Drag;
use crate::links::{Link, Links};
use crate::notices::{Notice, Notices};
use crate::server::{Server, ServerHere};
use crate::tidings::Tidings;
use crate::tray::{Sign, Tray};
use crate::updates::{Updates, UpdatesTold, Wish};

/// Tells the page where the device stands, now and after every change, the latest only.
#[tauri::command]
pub(crate) fn watch(device: State<'_, Arc<Device>>, channel: Channel<Told>) {
    tell_latest(device.told(), channel);
}

/// Gives the device a command.
#[tauri::command]
pub(crate) async fn command(
    device: State<'_, Arc<Device>>,
    command: CommandView,
) -> Result<AnswerView, ViewError> {
    device.command(command).await
}

/// Tells the page each link that somebody opens, and the one that waits.
#[tauri::command]
pub(crate) fn links(links: State<'_, Links>, channel: Channel<Link>) {
    links.tell(channel);
}

/// Tells the page how a drag onto the window stands.
#[tauri::command]
pub(crate) fn drags(drags: State<'_, Tidings<Drag>>, channel: Channel<Drag>) {
    drags.listen(channel);
}

/// Tells the person something while they look elsewhere.
#[tauri::command]
pub(crate) fn notify(notices: State<'_, Notices>, notice: Notice) {
    notices.show(notice);
}

/// Tells the page the tag of each notice that is opened.
#[tauri::command]
pub(crate) fn notices(notices: State<'_, Notices>, channel: Channel<String>) {
    notices.tell(channel);
}

/// Whether the system starts the app when the person logs in.
#[tauri::command]
pub(crate) fn at_login(
    app: AppHandle,
    device: State<'_, Arc<Device>>,
) -> Result<AtLogin, ViewError> {
    Start::of(&app, device.home())
        .and_then(|start| at_login::ask(&start))
        .map_err(|error| login_fault(&error, "at_login_unknown"))
}

/// Has the system start the app when the person logs in, or no longer.
#[tauri::command]
pub(crate) fn set_at_login(
    app: AppHandle,
    device: State<'_, Arc<Device>>,
    wanted: AtLogin,
) -> Result<(), ViewError> {
    Start::of(&app, device.home())
        .and_then(|start| at_login::set(&start, wanted))
        .map_err(|error| login_fault(&error, "at_login"))
}

fn login_fault(error: &io::Error, code: &str) -> ViewError {
    warn!(%error, "the system cannot be told what to start");
    ViewError::new(code)
}

/// Tells the page where updates stand, now and after every change, the latest only.
#[tauri::command]
pub(crate) fn updates(updates: State<'_, Arc<Updates>>, channel: Channel<UpdatesTold>) {
    tell_latest(updates.told(), channel);
}

/// Does with updates what the person wants; its effects are seen in what is told.
#[tauri::command]
pub(crate) async fn update(updates: State<'_, Arc<Updates>>, wish: Wish) -> Result<(), ViewError> {
    updates.wish(wish).await;
    Ok(())
}

/// Starts the device again after it failed or ended.
#[tauri::command]
pub(crate) fn start(device: State<'_, Arc<Device>>) {
    device.start();
}

/// Tells the page whether a signal server runs in this process, now and after every change, the latest only.
#[tauri::command]
pub(crate) fn server_here(server: State<'_, Arc<Server>>, channel: Channel<ServerHere>) {
    tell_latest(server.told(), channel);
}

/// Runs a signal server in this process, which the device then uses.
#[tauri::command]
pub(crate) async fn run_server(server: State<'_, Arc<Server>>) -> Result<(), ViewError> {
    server.run().await
}

/// Stops it for good.
#[tauri::command]
pub(crate) async fn stop_server(server: State<'_, Arc<Server>>) -> Result<(), ViewError> {
    server.stop().await
}

/// Lets the person choose a directory in the system's dialog, which begins at `shown`, the path in
/// the page; `null` when nothing was chosen. Paths travel to the engine as text, so a name that is
/// none is refused rather than changed.
#[tauri::command]
pub(crate) async fn pick_directory(
    window: WebviewWindow,
    title: String,
    shown: String,
) -> Result<Option<String>, ViewError> {
    let chosen = choose_directory(window, title, &shown).await;
    chosen.map(text).transpose()
}

/// Shows a synced folder in the system's file manager. The page names the folder, not a path, so
/// that it cannot open anything else.
#[tauri::command]
pub(crate) fn open_folder(
    app: AppHandle,
    device: State<'_, Arc<Device>>,
    folder: &str,
) -> Result<(), ViewError> {
    let folder = device
        .folder(folder)
        .ok_or_else(|| ViewError::new("unknown_folder"))?;
    app.opener()
        .open_path(folder.root, None::<&str>)
        .map_err(|_| ViewError::new("open"))
}

/// Shows the directory in which the log is kept.
#[tauri::command]
pub(crate) fn open_log(app: AppHandle, device: State<'_, Arc<Device>>) -> Result<(), ViewError> {
    let directory = text(log_directory(device.home()))?;
    app.opener()
        .open_path(directory, None::<&str>)
        .map_err(|_| ViewError::new("open"))
}

/// Writes what helps those who help into a directory that the person chooses; the path of the file, or
/// `null` when nothing was chosen. A file that is there already stays.
#[tauri::command]
pub(crate) async fn save_diagnostics(
    window: WebviewWindow,
    device: State<'_, Arc<Device>>,
    title: String,
) -> Result<Option<String>, ViewError> {
    let told = device.diagnostics().await?;
    let Some(directory) = choose_directory(window, title, "").await else {
        return Ok(None);
    };
    let now = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S");
    let path = directory.join(format!("towline-diagnostics-{now}.json"));
    let written = File::create_new(&path).and_then(|mut file| writeln!(file, "{told:#}"));
    written.map_err(|error| ViewError {
        code: "write".to_owned(),
        detail: Some(error.kind().to_string()),
    })?;
    text(path).map(Some)
}

fn text(path: PathBuf) -> Result<String, ViewError> {
    let text = path.into_os_string().into_string();
    text.map_err(|_| ViewError::new("path_not_text"))
}

/// Shows and says this in the desktop's tray.
#[tauri::command]
pub(crate) fn sign(tray: State<'_, Tray>, sign: Sign) {
    tray.say(sign);
}

/// Tells the page what closing the window does, now and after every change.
#[tauri::command]
pub(crate) fn closing(app: AppHandle, channel: Channel<closing::Told>) {
    tauri::async_runtime::spawn(async move {
        let closings: State<'_, Closings> = app.state();
        let tray: State<'_, Tray> = app.state();
        closings.follow(&tray, |told| channel.send(told)).await;
    });
}

/// Lets closing the window do this from now on.
#[tauri::command]
pub(crate) fn choose_closing(
    closings: State<'_, Closings>,
    closing: Closing,
) -> Result<(), ViewError> {
    closings.choose(closing).map_err(|error| ViewError {
        code: "not_kept".to_owned(),
        detail: Some(error.to_string()),
    })
}

/// Ends the app in good order.
#[tauri::command]
pub(crate) fn quit(app: AppHandle) {
    closing::quit(&app);
}

/// Tells the page how something stands, now and after every change, the latest only.
fn tell_latest<T>(mut told: watch::Receiver<T>, channel: Channel<T>)
where
    T: Clone + Serialize + Send + Sync + 'static,
{
    tauri::async_runtime::spawn(async move {
        loop {
            let latest = told.borrow_and_update().clone();
            // A page that is gone needs nothing more; what is gone changes no more.
            if channel.send(latest).is_err() || told.changed().await.is_err() {
                return;
            }
        }
    });
}
