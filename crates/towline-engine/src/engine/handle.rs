//! How shells reach a running device: commands and questions, answered by its loop or beside it, and views.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use towline_core::command::{Answer, Command, Refusal};
use towline_wire::ids::{DeviceId, FolderId};

use crate::doctor::{self, Examined};
use crate::folders::{Inbox, Listings};
use crate::past::Past;
use crate::view::{
    self, AnswerView, Asked, CommandView, FolderSettingsView, NetworkView, View, ViewError,
};

/// Reaches a running device; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) questions: mpsc::Sender<Question>,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) shown: watch::Receiver<Shown>,
    pub(super) home: Arc<Path>,
    pub(super) stop: CancellationToken,
    pub(super) links: Arc<OnceLock<Arc<dyn MakeLink>>>,
}

/// Makes links by which a browser reaches this device, where a shell serves one.
pub trait MakeLink: fmt::Debug + Send + Sync {
    /// A new link. Whoever opens it first may do all that a shell may.
    fn link(&self) -> Result<String, ViewError>;
}

/// What is read beside the loop, of the present life.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) past: Past,
    pub(super) inbox: Inbox,
    pub(super) listings: Listings,
}

/// What the device's loop is asked.
#[derive(Debug)]
pub(super) enum Question {
    /// A command, which it may refuse.
    Command(Command, oneshot::Sender<Result<Answer, Refusal>>),
    /// How it is connected.
    Network(oneshot::Sender<NetworkView>),
    /// What the doctor wants to know.
    Examine(oneshot::Sender<Examined>),
}

impl Handle {
    /// Gives a command and waits for its answer.
    pub async fn command(&self, command: CommandView) -> Result<AnswerView, ViewError> {
        let command = match view::command(command)? {
            Asked::Device(command) => command,
            Asked::Network => {
                let network = self.network().await?;
                return Ok(AnswerView::Network(Box::new(network)));
            }
            Asked::Findings => {
                let (reply, answer) = oneshot::channel();
                self.ask(Question::Examine(reply)).await?;
                let examined = answer.await.map_err(|_| stopping())?;
                let findings = doctor::findings(&self.view(), &examined, &self.home);
                return Ok(AnswerView::Findings { findings });
            }
            Asked::Past(folder, asked) => {
                self.known(folder)?;
                return self.shown().past.ask(folder, asked).await;
            }
            Asked::Inbox(folder, asked) => {
                self.known(folder)?;
                let devices = self.known_devices();
                return self.shown().inbox.ask(folder, asked, devices).await;
            }
            Asked::Rules(folder, asked) => {
                let local = self.settings_of(folder)?.local_rules;
                return self.shown().listings.ask_rules(folder, asked, local).await;
            }
            Asked::Files(folder, asked) => {
                self.known(folder)?;
                return self.shown().listings.files(folder, asked).await;
            }
            Asked::Held(folder, asked) => {
                let id = folder.to_string();
                let views = self.views.borrow();
                let folder = views.folders.iter().find(|known| known.id == id);
                return folder
                    .map(|known| view::held(&known.held_back, &asked))
                    .ok_or_else(|| ViewError::new("unknown_folder"));
            }
        };
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Command(command, reply)).await?;
        match answer.await.map_err(|_| stopping())? {
            Ok(answer) => Ok(view::answer(answer)),
            Err(refusal) => Err(view::refusal(refusal)),
        }
    }

    /// How the device is connected.
    pub async fn network(&self) -> Result<NetworkView, ViewError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Network(reply)).await?;
        answer.await.map_err(|_| stopping())
    }

    async fn ask(&self, question: Question) -> Result<(), ViewError> {
        let asked = self.questions.send(question).await;
        asked.map_err(|_| stopping())
    }

    fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    /// What is set for a folder, if it is on this device.
    fn settings_of(&self, folder: FolderId) -> Result<FolderSettingsView, ViewError> {
        let id = folder.to_string();
        let view = self.views.borrow();
        let known = view.folders.iter().find(|known| known.id == id);
        known
            .map(|folder| folder.settings.clone())
            .ok_or_else(|| ViewError::new("unknown_folder"))
    }

    /// Refuses a folder that is not on this device.
    fn known(&self, folder: FolderId) -> Result<(), ViewError> {
        let id = folder.to_string();
        let views = self.views.borrow();
        if views.folders.iter().any(|known| known.id == id) {
            Ok(())
        } else {
            Err(ViewError::new("unknown_folder"))
        }
    }

    /// The devices whose names a person knows.
    fn known_devices(&self) -> Vec<DeviceId> {
        let view = self.views.borrow();
        let peers = view.peers.iter().map(|peer| &peer.id);
        let ids = peers.chain([&view.device.id]);
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// The latest view.
    pub fn view(&self) -> View {
        (**self.views.borrow()).clone()
    }

    /// The latest view, and each one after it (those that were missed are skipped).
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Has links made for whoever asks on the local socket; the first who offers stays.
    pub fn offer_links(&self, maker: Arc<dyn MakeLink>) {
        // A second one has nothing that the first has not.
        let _kept = self.links.set(maker);
    }

    /// A new link for a browser.
    pub(crate) fn link(&self) -> Result<String, ViewError> {
        let maker = self.links.get();
        maker.ok_or_else(|| ViewError::new("no_web"))?.link()
    }

    /// Asks the device to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the device was asked to end, or has ended.
    pub async fn stopped(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.questions.closed() => {}
        }
    }
}

fn stopping() -> ViewError {
    ViewError::new("stopping")
}
