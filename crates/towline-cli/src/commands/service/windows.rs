//! Windows: a service of the computer, under an account of its own.
//!
//! The service control manager starts it with the computer, and again when it ended badly. Its account, which Windows
//! makes with it, may enter nothing but its home until an administrator lets it into the folders. It has never run: what
//! is written here follows the documents of the manager and of icacls.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use windows_service::Error;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState,
    ServiceStatus, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::{Change, Found, Installed, Plan, Reach, State};
use crate::controlled::NAME;
use crate::output::Failure;

pub(super) fn install(plan: &Plan) -> Result<Installed, Failure> {
    if plan.owner.as_deref() != Some(ACCOUNT) {
        return Err(own_account());
    }
    let before = look(plan.reach)?;
    let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let service = match before.state {
        State::Absent => manager
            .create_service(&info(plan), ServiceAccess::ALL_ACCESS)
            .map_err(|error| refused(&error))?,
        State::Stopped | State::Starting | State::Running | State::Failed => {
            ours(&manager, ServiceAccess::ALL_ACCESS)?
        }
    };
    let change = match before.state {
        State::Absent => Change::Made,
        State::Stopped | State::Starting | State::Running | State::Failed => {
            let was = command(&service)?;
            service
                .change_config(&info(plan))
                .map_err(|error| refused(&error))?;
            if was == command(&service)? {
                Change::None
            } else {
                Change::Renewed
            }
        }
    };
    describe(&service).map_err(|error| refused(&error))?;
    shut(&plan.home)?;
    let runs = matches!(before.state, State::Running | State::Starting);
    if runs && change != Change::None {
        stop(&service)?;
    }
    if !(runs && change == Change::None) {
        service.start::<OsString>(&[]).map_err(|error| {
            Failure::new(
                "not_started",
                format!("the service is made and does not start: {}", reason(&error)),
            )
        })?;
    }
    Ok(Installed {
        found: look(plan.reach)?,
        change,
        hint: Some(
            "Let it into each folder: icacls FOLDER /grant \"NT SERVICE\\Towline:(OI)(CI)M\"; and give `towline` the home above with --home, as an administrator.",
        ),
    })
}

pub(super) fn remove(reach: Reach) -> Result<Found, Failure> {
    let found = look(reach)?;
    if found.state == State::Absent {
        return Ok(found);
    }
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let service = ours(&manager, ServiceAccess::ALL_ACCESS)?;
    if found.state != State::Stopped && found.state != State::Failed {
        stop(&service)?;
    }
    service.delete().map_err(|error| refused(&error))?;
    Ok(Found {
        state: State::Absent,
        ..found
    })
}

pub(super) fn look(reach: Reach) -> Result<Found, Failure> {
    match reach {
        Reach::System => {}
        Reach::User => return Err(computer_only()),
    }
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let service = match manager.open_service(NAME, ServiceAccess::QUERY_STATUS) {
        Ok(service) => service,
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(DOES_NOT_EXIST) => {
            return Ok(Found {
                reach,
                state: State::Absent,
                file: String::new(),
            });
        }
        Err(error) => return Err(refused(&error)),
    };
    let status = service.query_status().map_err(|error| refused(&error))?;
    Ok(Found {
        reach,
        state: state(&status),
        file: format!("HKLM\\SYSTEM\\CurrentControlSet\\Services\\{NAME}"),
    })
}

/// Whose files are synced where nobody is named: what its own account may enter.
pub(super) fn usual_owner() -> Option<String> {
    Some(ACCOUNT.to_owned())
}

pub(super) fn home_of(user: &str) -> Result<PathBuf, Failure> {
    if user != ACCOUNT {
        return Err(own_account());
    }
    let data = env::var_os("ProgramData")
        .ok_or_else(|| Failure::new("home", "Windows names no %ProgramData%".to_owned()))?;
    Ok(Path::new(&data).join("towline").join("device"))
}

fn state(status: &ServiceStatus) -> State {
    match status.current_state {
        ServiceState::Stopped if status.exit_code == ServiceExitCode::NO_ERROR => State::Stopped,
        ServiceState::Stopped => State::Failed,
        ServiceState::StartPending => State::Starting,
        ServiceState::StopPending
        | ServiceState::Running
        | ServiceState::ContinuePending
        | ServiceState::PausePending
        | ServiceState::Paused => State::Running,
    }
}

fn info(plan: &Plan) -> ServiceInfo {
    let words = plan.words();
    let arguments = words.iter().skip(1).map(OsString::from);
    ServiceInfo {
        name: NAME.into(),
        display_name: NAME.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: plan.program.clone(),
        launch_arguments: arguments.chain(["--controlled".into()]).collect(),
        dependencies: Vec::new(),
        account_name: Some(ACCOUNT.into()),
        account_password: None,
    }
}

fn describe(service: &Service) -> Result<(), Error> {
    let again = ServiceAction {
        action_type: ServiceActionType::Restart,
        delay: Duration::from_secs(5),
    };
    service.set_description("Keeps folders in sync")?;
    service.set_delayed_auto_start(true)?;
    service.set_preshutdown_timeout(STOPPING)?;
    service.set_failure_actions_on_non_crash_failures(true)?;
    service.update_failure_actions(ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(Duration::from_secs(300)),
        reboot_msg: None,
        command: None,
        actions: Some(vec![again]),
    })
}

/// Makes the home, which only the service and administrators may enter: its key may be a file. One that was there
/// keeps who may enter it, and lets the service in.
fn shut(home: &Path) -> Result<(), Failure> {
    let failed = |why: String| Failure::new("home", format!("{}: {why}", home.display()));
    let is_new = !home.exists();
    fs::create_dir_all(home).map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new("icacls");
    command.arg(home);
    if is_new {
        command.arg("/inheritance:r");
    }
    let whole = |account: &str| format!("{account}:(OI)(CI)F");
    command.arg("/grant:r").arg(whole(ACCOUNT));
    if is_new {
        command.args([ADMINISTRATORS, SYSTEM].map(whole));
    }
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stdout);
    Err(failed(why.trim().replace(['\r', '\n'], " ")))
}

/// Asks it to stop, and waits until its writes are finished.
fn stop(service: &Service) -> Result<(), Failure> {
    service.stop().map_err(|error| refused(&error))?;
    let begun = Instant::now();
    while begun.elapsed() < STOPPING {
        let status = service.query_status().map_err(|error| refused(&error))?;
        if status.current_state == ServiceState::Stopped {
            return Ok(());
        }
        thread::sleep(GLANCE);
    }
    Err(Failure::new(
        "services",
        "the service does not stop; try again in a while".to_owned(),
    ))
}

/// The service of that name, if it was made here.
fn ours(manager: &ServiceManager, access: ServiceAccess) -> Result<Service, Failure> {
    let service = manager
        .open_service(NAME, access)
        .map_err(|error| refused(&error))?;
    let config = service.query_config().map_err(|error| refused(&error))?;
    let is_ours = config
        .account_name
        .is_some_and(|account| account.eq_ignore_ascii_case(ACCOUNT));
    if is_ours {
        return Ok(service);
    }
    Err(Failure::new(
        "foreign_service",
        format!("there is a service {NAME} that was not made here; it is left alone"),
    ))
}

/// What it is started with.
fn command(service: &Service) -> Result<PathBuf, Failure> {
    let config = service.query_config().map_err(|error| refused(&error))?;
    Ok(config.executable_path)
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, Failure> {
    ServiceManager::local_computer(None::<&str>, access).map_err(|error| refused(&error))
}

fn refused(error: &Error) -> Failure {
    if let Error::Winapi(error) = error
        && error.raw_os_error() == Some(ACCESS_DENIED)
    {
        return Failure::new(
            "no_rights",
            "Windows lets only administrators do this: begin `towline` in a prompt of an administrator"
                .to_owned(),
        );
    }
    Failure::new(
        "services",
        format!("Windows did not do it: {}", reason(error)),
    )
}

fn reason(error: &Error) -> String {
    if let Error::Winapi(error) = error {
        return error.to_string();
    }
    error.to_string()
}

fn computer_only() -> Failure {
    Failure::new(
        "no_services",
        "on Windows services are of the computer: add --system, in a prompt of an administrator"
            .to_owned(),
    )
}

fn own_account() -> Failure {
    Failure::new(
        "no_user",
        format!(
            "on Windows the service has an account of its own, {ACCOUNT}; leave --user out, and let it into the folders"
        ),
    )
}

/// An account that Windows makes with the service of that name; it has no password.
const ACCOUNT: &str = "NT SERVICE\\Towline";

/// Groups as icacls takes them in every language of Windows: by their well-known identifiers.
const ADMINISTRATORS: &str = "*S-1-5-32-544";
const SYSTEM: &str = "*S-1-5-18";

/// `ERROR_ACCESS_DENIED`.
const ACCESS_DENIED: i32 = 5;

/// `ERROR_SERVICE_DOES_NOT_EXIST`.
const DOES_NOT_EXIST: i32 = 1060;

/// How long it may take to finish its writes.
const STOPPING: Duration = Duration::from_secs(60);

/// How often it is looked whether it has.
const GLANCE: Duration = Duration::from_millis(100);
