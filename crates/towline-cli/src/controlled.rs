//! This device as a service of Windows: its service control manager says when to end, and is told how it stands.
//!
//! The manager starts the process with `up --controlled`, which `towline service install` has told it. It has never run.

use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use clap::Parser;
use tokio::sync::Notify;
use tracing::error;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::service_dispatcher;

use crate::output::{Failure, Output};
use crate::{Arguments, Wish};

/// What the service is called.
pub(crate) const NAME: &str = "Towline";

/// Who is told how the device stands, where somebody is.
static MANAGER: OnceLock<ServiceStatusHandle> = OnceLock::new();

/// Wakes who waits for the manager's word to end.
static ASKED: Notify = Notify::const_new();

/// Runs the device until the manager has it end.
pub(crate) fn run(output: &Output) -> ExitCode {
    match service_dispatcher::start(NAME, begin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => {
            output.failure(&Failure::new(
                "not_controlled",
                "--controlled is for Windows' service manager; leave it out".to_owned(),
            ));
            ExitCode::FAILURE
        }
    }
}

/// The device is up.
pub(crate) fn ready() {
    tell(ServiceState::Running, ServiceExitCode::NO_ERROR);
}

/// Waits until the manager wants the device to end; for ever where there is none.
pub(crate) async fn asked_to_stop() {
    ASKED.notified().await;
}

/// Called by the manager on a thread of its own; its words repeat the name.
extern "system" fn begin(_count: u32, _words: *mut *mut u16) {
    let heed = |control| {
        if matches!(control, ServiceControl::Stop | ServiceControl::Preshutdown) {
            tell(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
            ASKED.notify_one();
        } else if control != ServiceControl::Interrogate {
            return ServiceControlHandlerResult::NotImplemented;
        }
        ServiceControlHandlerResult::NoError
    };
    let Ok(manager) = service_control_handler::register(NAME, heed) else {
        return;
    };
    // It begins once.
    let _ = MANAGER.set(manager);
    tell(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let Arguments { home, json, wish } = Arguments::parse();
    let outcome = match wish {
        Wish::Device(command) => crate::run(home, command, &Output::new(json)),
        Wish::Serve { .. } => Ok(()),
    };
    let code = match outcome {
        Ok(()) => ServiceExitCode::NO_ERROR,
        Err(failure) => {
            error!(why = failure.message(), "the service has failed");
            // Any that is not zero has it started again.
            ServiceExitCode::ServiceSpecific(1)
        }
    };
    tell(ServiceState::Stopped, code);
}

fn tell(state: ServiceState, exit_code: ServiceExitCode) {
    let Some(manager) = MANAGER.get() else {
        return;
    };
    let (controls_accepted, wait_hint) = match state {
        ServiceState::Running => (
            ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN,
            Duration::ZERO,
        ),
        // An index that was damaged is read anew before the device is up.
        ServiceState::StartPending => (ServiceControlAccept::empty(), Duration::from_secs(300)),
        // Writes that have begun are finished.
        ServiceState::StopPending => (ServiceControlAccept::empty(), Duration::from_secs(60)),
        ServiceState::Stopped
        | ServiceState::Paused
        | ServiceState::PausePending
        | ServiceState::ContinuePending => (ServiceControlAccept::empty(), Duration::ZERO),
    };
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code,
        checkpoint: 0,
        wait_hint,
        process_id: None,
    };
    if let Err(why) = manager.set_service_status(status) {
        error!(%why, "the service manager does not hear");
    }
}
