//! One running device: how it begins, how it begins anew, and how it ends.
//!
//! A device lives once or several times while its engine runs: a life is put together in `birth`, and its loop,
//! which owns the core, is in `life`. Some settings only hold from the next life on; the engine then ends this one
//! in good order and begins another. Shells keep their `handle` and the local socket through all of them; how a
//! device runs and why one cannot start is said in `settings`.

mod birth;
mod handle;
mod life;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use interprocess::local_socket::tokio::Listener;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::tasks::Tasks;
use crate::{local, metrics};

use life::{Desk, Ending, Life};

pub(crate) use birth::random;
pub use handle::{Handle, MakeLink};
pub use settings::{EngineFault, Settings, StartError, StoreBroken};

/// Questions that may wait for the loop: 64; shells wait when it is full.
const QUESTIONS_MAX: usize = 64;

/// A running device.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    tasks: Tasks,
    ended: oneshot::Receiver<Result<(), EngineFault>>,
}

impl Engine {
    /// Starts the device that lives at `settings.home`.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        make_home(&settings.home)
            .map_err(|error| StartError::Home(settings.home.clone(), error))?;
        let tasks = Tasks::new();
        let life = Life::begin(&settings, None, tasks.child()).await?;
        let local = local::listen(&settings.home)
            .map_err(|error| StartError::Local(settings.home.clone(), error))?;
        let metrics_door = match settings.metrics {
            Some(addr) => {
                let bound = TcpListener::bind(addr).await;
                Some(bound.map_err(|error| StartError::Metrics(addr, error))?)
            }
            None => None,
        };
        let (publish, views) = watch::channel(Arc::new(life.view(0)));
        let (show, shown) = watch::channel(life.shown());
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let stop = CancellationToken::new();
        let handle = Handle {
            questions,
            views,
            shown,
            home: Arc::from(settings.home.as_path()),
            stop: stop.clone(),
            links: Arc::default(),
        };
        let desk = Desk {
            asked,
            stop,
            publish,
            show,
            number: 0,
        };
        let (end, ended) = oneshot::channel();
        let (all, own) = (tasks.clone(), settings);
        tasks.spawn("device", async move {
            // Nobody waits for the end of a device whose engine was dropped.
            let _unheard = end.send(live(&own, life, desk, &all).await);
        });
        serve_locally(local, &handle, &tasks);
        if let Some(listener) = metrics_door {
            metrics::serve(listener, handle.views(), &tasks);
        }
        info!("device started");
        Ok(Self {
            handle,
            tasks,
            ended,
        })
    }

    /// Reaches this device.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the device in good order.
    pub async fn stop(self) -> Result<(), EngineFault> {
        self.handle.stop();
        // A loop that was dropped has nothing to tell.
        let outcome = self.ended.await.unwrap_or(Ok(()));
        self.tasks.close().await;
        info!("device stopped");
        outcome
    }
}

/// One life after the other, until somebody ends the device or nothing more can live.
async fn live(
    settings: &Settings,
    mut life: Life,
    mut desk: Desk,
    tasks: &Tasks,
) -> Result<(), EngineFault> {
    let outcome = loop {
        let key = match life.run(&mut desk).await {
            Ending::Stopped => break Ok(()),
            Ending::StoreBroken => break Err(EngineFault::Store(StoreBroken)),
            Ending::Anew(key) => key,
        };
        info!("the device begins anew, with other settings");
        life = match Life::begin(settings, Some(*key), tasks.child()).await {
            Ok(life) => life,
            Err(error) => {
                error!(%error, "the device cannot begin anew");
                break Err(EngineFault::Start(error));
            }
        };
        desk.show.send_replace(life.shown());
    };
    desk.stop.cancel();
    outcome
}

fn serve_locally(listener: Listener, handle: &Handle, tasks: &Tasks) {
    tasks.spawn(
        "local socket",
        local::serve(listener, handle.clone(), tasks.clone()),
    );
}

pub(crate) fn make_home(home: &Path) -> io::Result<()> {
    fs::create_dir_all(home)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
