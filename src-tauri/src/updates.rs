//! Updates of the app: asked for at the start and daily, shown to the page, installed when the device has ended.
//!
//! What happens is decided in `machine`; here it is done. Who publishes, which channel holds and what a manifest
//! must be is the engine's (`towline_engine::updates`); fetching and checking a release is Tauri's updater's,
//! and so is installing it, but where `place` says otherwise. Nothing is installed while an engine of this process lives: [`Updates::finish`] is
//! called when the device has ended, and never before. An engine of another process is not touched.

mod fetch;
mod machine;
mod place;
mod told;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tauri::AppHandle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use towline_engine::FileError;
use towline_engine::updates::{
    Asking, Kept, Publisher, Release, UpdateRule, UpdateSettings, next_check,
};
use towline_engine::view::{BecauseView, ScopeView, TrafficRuleView, TrafficView};
use tracing::{debug, info, warn};

use crate::device::{Device, EnginePlace, Told};
use fetch::Fetched;
use machine::{Effect, Input, Machine, OffWhy, State, When};
use place::Place;

pub(crate) use told::{UpdatesTold, Wish};

/// Inputs that may wait for their turn: 64. Pieces of a download are dropped when it is full, wishes wait.
const INPUTS_MAX: usize = 64;

/// How the process ends after the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As its person wished.
    Exit,
    /// To begin again, in the version that lies there now.
    Restart,
}

/// The updates of this app.
#[derive(Debug)]
pub(crate) struct Updates {
    device: Arc<Device>,
    publisher: Option<Publisher>,
    told: watch::Sender<UpdatesTold>,
    inputs: mpsc::Sender<Input>,
    waiting: Mutex<Option<mpsc::Receiver<Input>>>,
    /// The release that was found last, to fetch it.
    release: Mutex<Option<Release>>,
    /// What was fetched, to install it.
    fetched: Mutex<Option<Fetched>>,
}

impl Updates {
    /// Updates of the app that shows this device; nothing happens before [`Updates::live`].
    pub(crate) fn new(device: Arc<Device>, version: String) -> Self {
        let kept = Kept::read(device.home());
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        Self {
            told: watch::Sender::new(UpdatesTold::new(version, &kept)),
            publisher: Publisher::of_this_build(),
            inputs,
            waiting: Mutex::new(Some(waiting)),
            release: Mutex::default(),
            fetched: Mutex::default(),
            device,
        }
    }

    /// Where updates stand now, and each change.
    pub(crate) fn told(&self) -> watch::Receiver<UpdatesTold> {
        self.told.subscribe()
    }

    /// Does what the person wants.
    pub(crate) async fn wish(&self, wish: Wish) {
        let home = self.device.home();
        let mut kept = Kept::read(home);
        let input = match wish {
            Wish::Check => Input::Due,
            Wish::Install { when } => Input::Install(when),
            Wish::Follow { channel } => {
                kept.channel = channel;
                kept.write(home);
                Input::Due
            }
            Wish::Ask { asking } => {
                kept.asking = asking;
                kept.write(home);
                self.told.send_modify(|told| told.asking = asking);
                return;
            }
        };
        // The loop lives as long as the app.
        let _ = self.inputs.send(input).await;
    }

    /// Asks, fetches and tells, until the app ends. Runs once.
    pub(crate) async fn live(self: Arc<Self>, app: AppHandle) {
        let Some(mut waiting) = self.lock(&self.waiting).take() else {
            return;
        };
        // Found out by writing beside it, so once.
        let place = Place::of(&app);
        self.told.send_modify(|told| told.place = place);
        let mut machine = Machine::new();
        let mut device = self.device.told();
        let mut around = None;
        let mut asked = 0;
        let mut next = self.next(asked);
        loop {
            // Most of what a device tells changes nothing here.
            let is_around = Around::of(&self.device, &device.borrow_and_update());
            if is_around.is_some() && is_around != around {
                around = is_around;
                self.permit(around, &mut machine);
                self.tell(around, &machine);
            }
            let input = tokio::select! {
                Some(input) = waiting.recv() => input,
                () = tokio::time::sleep_until(next) => Input::Due,
                changed = device.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            if input == Input::Due {
                self.permit(around, &mut machine);
                asked += u32::from(around.is_some());
                next = self.next(asked);
            }
            let is_piece = matches!(input, Input::Progress { .. });
            let effect = machine.handle(input);
            if is_piece {
                let state = machine.state().clone();
                self.told.send_modify(|told| told.state = state);
            } else {
                self.tell(around, &machine);
            }
            if let Some(effect) = effect {
                self.perform(effect, &app);
            }
        }
    }

    /// Installs what was fetched, if its time has come. The device has ended.
    pub(crate) async fn finish(&self, app: &AppHandle) -> Ending {
        let state = self.told.borrow().state.clone();
        let (found, ending, when) = match state {
            State::Installing { found } => (found, Ending::Restart, When::Now),
            State::Ready { found } => (found, Ending::Exit, When::Quit),
            State::Off { .. }
            | State::Idle
            | State::Checking
            | State::Available { .. }
            | State::Downloading { .. }
            | State::Failed { .. } => return Ending::Exit,
        };
        let Some(fetched) = self.lock(&self.fetched).take() else {
            return ending;
        };
        let home = self.device.home();
        let mut kept = Kept::read(home);
        info!(version = %found.version, "an update is installed");
        let app = app.clone();
        let installing = move || fetched.install(&app, when);
        let outcome = tauri::async_runtime::spawn_blocking(installing).await;
        kept.failed = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(code)) => Some(code.to_owned()),
            Err(_) => Some("install".to_owned()),
        };
        if let Some(code) = &kept.failed {
            warn!(code, "the update is not installed");
        }
        kept.write(home);
        ending
    }

    fn perform(self: &Arc<Self>, effect: Effect, app: &AppHandle) {
        match effect {
            Effect::Check => {
                tauri::async_runtime::spawn(Arc::clone(self).check(app.clone()));
            }
            Effect::Download => {
                tauri::async_runtime::spawn(Arc::clone(self).download(app.clone()));
            }
            Effect::Discard => {
                self.lock(&self.fetched).take();
            }
            Effect::EndDevice => self.device.quit(),
        }
    }

    async fn check(self: Arc<Self>, app: AppHandle) {
        let here = &app.package_info().version;
        let answer = match (&self.publisher, self.settings()) {
            (Some(publisher), Ok(settings)) => publisher.newest(&settings, here).await,
            // It was forbidden meanwhile, and the answer is no longer waited for.
            (None, _) | (_, Err(_)) => Ok(None),
        };
        let home = self.device.home();
        let mut kept = Kept::read(home);
        let mut asking = kept.asking;
        let answer = match answer {
            Ok(newest) => {
                kept.answered(newest.as_ref(), SystemTime::now());
                // Not over and over what could not be installed, no password that nobody expects, and nothing that costs.
                let is_unwanted =
                    kept.failed.is_some() || self.told.borrow().place != Place::Replaced;
                if is_unwanted || is_dear(&self.device.told().borrow()) {
                    asking = Asking::Always;
                }
                kept.write(home);
                *self.lock(&self.release) = newest;
                Ok(kept.found)
            }
            Err(error) => {
                debug!(%error, "nobody knows of an update");
                Err(error.code())
            }
        };
        let _ = self.inputs.send(Input::Checked(answer, asking)).await;
    }

    async fn download(self: Arc<Self>, app: AppHandle) {
        let release = self.lock(&self.release).clone();
        let outcome = match (release, &self.publisher, self.settings()) {
            (Some(release), Some(publisher), Ok(settings)) => {
                let inputs = self.inputs.clone();
                fetch::fetch(&app, &release, publisher, &settings, move |input| {
                    // The next piece tells more.
                    let _ = inputs.try_send(input);
                })
                .await
            }
            (None, _, _) | (_, None, _) | (_, _, Err(_)) => Err("download"),
        };
        let outcome = outcome.map(|fetched| {
            *self.lock(&self.fetched) = Some(fetched);
        });
        let _ = self.inputs.send(Input::Downloaded(outcome)).await;
    }

    /// Tells the machine whether anybody may be asked, once that is known.
    fn permit(&self, around: Option<Around>, machine: &mut Machine) {
        let Some(around) = around else {
            return;
        };
        let forbidden = match (&self.publisher, self.settings()) {
            (None, _) => Some(OffWhy::Development),
            (Some(_), Err(_)) => Some(OffWhy::Unreadable),
            (Some(_), Ok(settings)) if settings.rule == UpdateRule::Off => Some(OffWhy::Rule),
            (Some(_), Ok(_)) => match around.scope {
                ScopeView::LocalNetwork => Some(OffWhy::LocalNetwork),
                ScopeView::Everywhere => None,
            },
        };
        let effect = machine.handle(forbidden.map_or(Input::Allowed, Input::Forbidden));
        if effect == Some(Effect::Discard) {
            self.lock(&self.fetched).take();
        }
    }

    fn tell(&self, around: Option<Around>, machine: &Machine) {
        let kept = Kept::read(self.device.home());
        let settings = self.settings().ok();
        self.told.send_modify(|told| {
            told.state = machine.state().clone();
            told.keep(&kept);
            if let Some(around) = around {
                told.engine = around.engine;
            }
            if let Some(settings) = &settings {
                told.follow(settings);
            }
        });
    }

    fn settings(&self) -> Result<UpdateSettings, FileError> {
        UpdateSettings::read(self.device.home(), self.device.proxy())
    }

    fn next(&self, asked: u32) -> Instant {
        let since = Kept::read(self.device.home()).since_answer(SystemTime::now());
        let draw = RandomState::new().hash_one(asked);
        // Its upper half is as random.
        Instant::now() + next_check(asked, since, (draw >> 32) as u32)
    }

    fn lock<'a, T>(&self, shared: &'a Mutex<T>) -> MutexGuard<'a, T> {
        // Nothing is left half done in there.
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nothing should come that nobody has asked for: nothing moves now, or the network costs by volume.
fn is_dear(told: &Told) -> bool {
    match told {
        Told::View { view } => costs(view.device.traffic),
        Told::Starting | Told::Failed { .. } | Told::Ending | Told::Ended { .. } => false,
    }
}

fn costs(TrafficView { rule, because }: TrafficView) -> bool {
    rule == TrafficRuleView::Pause || because == BecauseView::Metered
}

/// What of the device matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Around {
    scope: ScopeView,
    engine: EnginePlace,
}

impl Around {
    /// As long as nobody has told of the device, nobody knows.
    fn of(device: &Device, told: &Told) -> Option<Self> {
        match told {
            Told::View { view } => Some(Self {
                scope: view.device.scope,
                engine: device.engine(),
            }),
            Told::Starting | Told::Failed { .. } | Told::Ending | Told::Ended { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_engine::view::LimitsView;

    use super::*;

    #[test]
    fn nothing_comes_by_itself_while_files_wait_or_the_network_costs() {
        let limit = TrafficRuleView::Limit(LimitsView {
            send: None,
            receive: None,
        });
        let costs = |rule, because| costs(TrafficView { rule, because });
        assert!(!costs(limit, BecauseView::Always));
        assert!(!costs(limit, BecauseView::Schedule));
        assert!(costs(limit, BecauseView::Metered));
        assert!(costs(TrafficRuleView::Pause, BecauseView::Schedule));
    }
}
