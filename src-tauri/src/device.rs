//! The device behind the window, wherever its engine runs.
//!
//! When an engine runs on this home already (a daemon, another window) the window attaches to it;
//! otherwise it runs one in this process. Either way the page is a client of the local socket, so
//! there is one way to follow and to command. What the page is told is one of [`Told`], the latest
//! only: `Starting`, then `View` after every change (the engine paces them), then `Ended`, or
//! `Failed` when there was nothing to show. From there [`Device::start`] begins again. `Ending` is
//! the last word of all, until the process has ended.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use towline_engine::view::{
    AnswerView, CommandView, FolderSettingsView, FolderView, View, ViewError,
};
use towline_engine::{
    Engine, EngineFault, LocalClient, LocalError, Settings, StartError, diagnostics,
};
use tracing::{info, warn};

/// Where the device stands, as the page is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Told {
    /// Its engine is being reached or started.
    Starting,
    /// It runs.
    View {
        /// All that there is to see.
        view: Box<View>,
    },
    /// It could not be started.
    Failed {
        /// Why; the code begins with `start_`.
        error: ViewError,
    },
    /// It was told to end, and finishes what it writes.
    Ending,
    /// It ran, and has ended by itself.
    Ended {
        /// Why, unless somebody asked it to.
        error: Option<ViewError>,
    },
}

/// Where the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EnginePlace {
    /// In this process.
    Here,
    /// In another one, to which the window is attached.
    Elsewhere,
}

/// The device behind the window.
#[derive(Debug)]
pub(crate) struct Device {
    settings: Settings,
    engine: watch::Sender<EnginePlace>,
    told: watch::Sender<Told>,
    start: Notify,
    quit: watch::Sender<bool>,
}

impl Device {
    /// A device that does not run yet.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            engine: watch::Sender::new(EnginePlace::Here),
            told: watch::Sender::new(Told::Starting),
            start: Notify::new(),
            quit: watch::Sender::new(false),
        }
    }

    /// Runs or follows the device, as often as the person starts it, until [`Device::quit`].
    pub(crate) async fn live(&self) {
        let mut quit = self.quit.subscribe();
        loop {
            self.told.send_replace(Told::Starting);
            let end = self.live_once().await;
            if *quit.borrow() {
                return;
            }
            self.told.send_replace(end);
            tokio::select! {
                () = self.start.notified() => {}
                // The sender lives as long as `self`.
                _ = quit.wait_for(|quit| *quit) => return,
            }
        }
    }

    /// Where the device stands now, and each change.
    pub(crate) fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// Where the device lives.
    pub(crate) fn home(&self) -> &Path {
        &self.settings.home
    }

    /// The proxy that the app was started with.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.settings.proxy.as_deref()
    }

    /// Where the engine of the latest view runs.
    pub(crate) fn engine(&self) -> EnginePlace {
        *self.engine.borrow()
    }

    /// Starts the device again after its end.
    pub(crate) fn start(&self) {
        self.start.notify_one();
    }

    /// Ends an engine of this process in good order; one that runs elsewhere goes on.
    pub(crate) fn quit(&self) {
        self.quit.send_replace(true);
    }

    /// Gives the device a command.
    pub(crate) async fn command(&self, command: CommandView) -> Result<AnswerView, ViewError> {
        let mut client = LocalClient::connect(&self.settings.home)
            .await
            .map_err(refusal)?;
        client.command(command).await.map_err(refusal)
    }

    /// How it stands, for somebody who helps; without names.
    pub(crate) async fn diagnostics(&self) -> Result<Value, ViewError> {
        let AnswerView::Network(network) = self.command(CommandView::Network).await? else {
            return Err(ViewError::new("malformed"));
        };
        let AnswerView::Findings { findings } = self.command(CommandView::Examine).await? else {
            return Err(ViewError::new("malformed"));
        };
        match &*self.told.borrow() {
            Told::View { view } => Ok(diagnostics(self.home(), view, &network, &findings)),
            Told::Starting | Told::Failed { .. } | Told::Ending | Told::Ended { .. } => {
                Err(ViewError::new("stopping"))
            }
        }
    }

    /// Pauses all folders.
    pub(crate) async fn pause(&self) {
        self.configure_folders(|settings| settings.paused = true)
            .await;
    }

    /// Resumes all folders.
    pub(crate) async fn resume(&self) {
        self.configure_folders(|settings| settings.paused = false)
            .await;
    }

    async fn configure_folders(&self, change: fn(&mut FolderSettingsView)) {
        for FolderView { id, settings, .. } in self.folders() {
            let mut wanted = settings.clone();
            change(&mut wanted);
            if wanted == settings {
                continue;
            }
            let command = CommandView::ConfigureFolder {
                folder: id,
                settings: Box::new(wanted),
            };
            if let Err(ViewError { code, .. }) = self.command(command).await {
                warn!(code, "a folder stays as it was");
            }
        }
    }

    fn folders(&self) -> Vec<FolderView> {
        match &*self.told.borrow() {
            Told::View { view } => view.folders.clone(),
            Told::Starting | Told::Failed { .. } | Told::Ending | Told::Ended { .. } => Vec::new(),
        }
    }

    /// A folder of the latest view.
    pub(crate) fn folder(&self, id: &str) -> Option<FolderView> {
        self.folders().into_iter().find(|folder| folder.id == id)
    }

    /// The signal servers of the latest view; none before there is one.
    pub(crate) fn servers(&self) -> Vec<String> {
        servers(&self.told.borrow()).to_vec()
    }

    /// Waits until the latest view has other signal servers than these.
    pub(crate) async fn has_other_servers(&self, before: &[String]) {
        let mut told = self.told.subscribe();
        // The sender lives as long as `self`.
        let _lives = told.wait_for(|told| servers(told) != before).await;
    }

    /// Waits until the device runs.
    pub(crate) async fn running(&self) {
        let mut told = self.told.subscribe();
        // The sender lives as long as `self`.
        let _lives = told
            .wait_for(|told| matches!(told, Told::View { .. }))
            .await;
    }

    async fn live_once(&self) -> Told {
        let home = &self.settings.home;
        let engine = match LocalClient::connect(home).await {
            Ok(_client) => {
                info!("attached to the engine that runs on this home");
                None
            }
            Err(_) => match Engine::start(self.settings.clone()).await {
                Ok(engine) => Some(engine),
                Err(error) => {
                    return Told::Failed {
                        error: start_refusal(&error),
                    };
                }
            },
        };
        self.engine.send_replace(match engine {
            Some(_) => EnginePlace::Here,
            None => EnginePlace::Elsewhere,
        });
        let mut quit = self.quit.subscribe();
        tokio::select! {
            // The sender lives as long as `self`.
            _ = quit.wait_for(|quit| *quit) => {
                self.told.send_replace(Told::Ending);
            }
            end = self.follow(home) => {
                if let Err(error) = end {
                    warn!(%error, "the engine is gone");
                }
            }
        }
        let outcome = match engine {
            Some(engine) => engine.stop().await,
            None => Ok(()),
        };
        Told::Ended {
            error: outcome.err().map(|fault| match fault {
                EngineFault::Store(_) => ViewError::new("store"),
                EngineFault::Start(error) => start_refusal(&error),
            }),
        }
    }

    /// Tells every view until the engine is gone.
    async fn follow(&self, home: &Path) -> Result<(), LocalError> {
        let mut client = LocalClient::connect(home).await?;
        let mut view = client.watch().await?;
        loop {
            self.told.send_replace(Told::View {
                view: Box::new(view),
            });
            view = client.next_view().await?;
        }
    }
}

fn refusal(error: LocalError) -> ViewError {
    match error {
        LocalError::Refused(error) => error,
        LocalError::NotRunning(_) | LocalError::Io(_) => ViewError::new("stopping"),
        LocalError::Protocol => ViewError::new("malformed"),
    }
}

fn servers(told: &Told) -> &[String] {
    match told {
        Told::View { view } => &view.server.own,
        Told::Starting | Told::Failed { .. } | Told::Ending | Told::Ended { .. } => &[],
    }
}

fn start_refusal(error: &StartError) -> ViewError {
    let code = match error {
        StartError::Home(..) => "start_home",
        StartError::Store(_) => "start_store",
        StartError::Key(_) => "start_key",
        // The window itself serves no metrics.
        StartError::Network(_) | StartError::Metrics(..) => "start_network",
        StartError::ServerUrl(_) => "start_server",
        StartError::File(_) => "start_settings",
        StartError::Proxy(_) => "start_proxy",
        StartError::IceServers(_) => "start_settings",
        StartError::Local(..) => "start_local",
        StartError::System(_) => "start_system",
    };
    ViewError {
        code: code.to_owned(),
        detail: Some(error.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn device(home: &Path, server: Option<&str>) -> Device {
        Device::new(Settings {
            name: Some("Desk".to_owned()),
            servers: server.map(|url| vec![url.to_owned()]),
            ..Settings::alone(home.to_owned())
        })
    }

    pub(crate) async fn wait_for(
        told: &mut watch::Receiver<Told>,
        is_it: fn(&Told) -> bool,
    ) -> Told {
        let waiting = told.wait_for(is_it);
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
        found.expect("in time").expect("the device lives").clone()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_device_is_shown_commanded_and_ended() {
        let home = tempfile::tempdir().expect("a directory");
        let device = device(home.path(), None);
        let mut told = device.told();
        tokio::join!(device.live(), async {
            wait_for(&mut told, |told| matches!(told, Told::View { .. })).await;
            let name = CommandView::NameDevice {
                name: "Tower".to_owned(),
            };
            assert_eq!(device.command(name).await, Ok(AnswerView::Accepted));
            let is_named =
                |told: &Told| matches!(told, Told::View { view } if view.device.name == "Tower");
            wait_for(&mut told, is_named).await;
            device.quit();
        });
        assert!(matches!(&*told.borrow(), Told::Ending));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_folders_are_paused_and_resumed() {
        let home = tempfile::tempdir().expect("a directory");
        let device = device(home.path(), None);
        let mut told = device.told();
        tokio::join!(device.live(), async {
            wait_for(&mut told, |told| matches!(told, Told::View { .. })).await;
            for name in ["Garden", "Shed"] {
                let root = home.path().join(name);
                std::fs::create_dir(&root).expect("a root");
                let add = CommandView::AddFolder {
                    root: root.to_string_lossy().into_owned(),
                    label: name.to_owned(),
                };
                device.command(add).await.expect("a folder");
            }
            fn are_paused(told: &Told, wanted: bool) -> bool {
                matches!(told, Told::View { view } if view.folders.len() == 2
                    && view.folders.iter().all(|folder| folder.settings.paused == wanted))
            }
            wait_for(&mut told, |told| are_paused(told, false)).await;
            device.pause().await;
            wait_for(&mut told, |told| are_paused(told, true)).await;
            device.resume().await;
            wait_for(&mut told, |told| are_paused(told, false)).await;
            device.quit();
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_second_window_attaches_to_the_first_ones_engine() {
        let home = tempfile::tempdir().expect("a directory");
        let (first, second) = (device(home.path(), None), device(home.path(), None));
        let (mut told, mut told_too) = (first.told(), second.told());
        tokio::join!(first.live(), async {
            wait_for(&mut told, |told| matches!(told, Told::View { .. })).await;
            tokio::join!(second.live(), async {
                wait_for(&mut told_too, |told| matches!(told, Told::View { .. })).await;
                second.quit();
            });
            assert_eq!(
                first.command(CommandView::CancelPairing).await,
                Ok(AnswerView::Accepted)
            );
            first.quit();
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wrong_server_address_fails_with_a_code_and_the_address() {
        let home = tempfile::tempdir().expect("a directory");
        let device = device(home.path(), Some("not an address"));
        let mut told = device.told();
        tokio::join!(device.live(), async {
            let failed = wait_for(&mut told, |told| matches!(told, Told::Failed { .. })).await;
            let json = serde_json::to_value(&failed).expect("JSON");
            assert_eq!(json["error"]["code"], "start_server");
            assert!(
                json["error"]["detail"]
                    .to_string()
                    .contains("not an address")
            );
            device.quit();
        });
    }
}
