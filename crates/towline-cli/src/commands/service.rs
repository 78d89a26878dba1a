//! `towline service`: has the system keep this device running.
//!
//! What is written is one file, named after Towline and marked as made here; a file of that name that somebody else
//! wrote is left alone. Each system has a leaf with the same functions: `systemd` on Linux, `launchd` on macOS, `windows`,
//! which writes to its service manager instead, and `nothing` elsewhere. Installing again changes what has to change; removing leaves the
//! device's key, index and folders where they are.

#[cfg(any(target_os = "macos", test))]
#[cfg_attr(
    not(target_os = "macos"),
    expect(dead_code, reason = "only its text is looked at")
)]
mod launchd;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod nothing;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(windows)]
mod windows;
#[cfg(unix)]
mod written;

use std::env;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use towline_engine::LocalClient;

#[cfg(target_os = "macos")]
use launchd as place;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
use nothing as place;
#[cfg(target_os = "linux")]
use systemd as place;
#[cfg(windows)]
use windows as place;

use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::{Arguments, default_home};

#[cfg(target_os = "linux")]
pub(crate) use systemd::packaged_units;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Run this device from now on, and again after each login or start of the computer.
    Install {
        #[command(flatten)]
        reach: ReachArguments,
        /// Whose files it syncs [default: who called sudo; not on Windows, where it has an account of its own].
        #[arg(long, value_name = "NAME", requires = "system")]
        user: Option<String>,
        /// Options of `towline up`, which any user of this computer may see: what is secret belongs into config.toml.
        #[arg(last = true, value_name = "OPTIONS")]
        options: Vec<String>,
    },
    /// End it, and do not run it again; what it has synced and what it knows stays.
    Remove {
        #[command(flatten)]
        reach: ReachArguments,
    },
    /// Say whether there is one, and whether it runs.
    Status {
        #[command(flatten)]
        reach: ReachArguments,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ReachArguments {
    /// Of the computer, which runs it before anybody logs in, instead of this user's.
    #[arg(long)]
    system: bool,
}

/// When a service runs, and who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reach {
    /// While this user is logged in.
    User,
    /// While the computer is on; root makes it.
    System,
}

/// What shall run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    reach: Reach,
    program: PathBuf,
    home: PathBuf,
    /// Who runs it, where that is not who installs it.
    owner: Option<String>,
    /// Options of `towline up`.
    options: Vec<String>,
}

impl Plan {
    /// The program and its arguments.
    fn words(&self) -> Vec<String> {
        let paths = [self.program.as_path(), Path::new("--home"), &self.home];
        let words = paths.map(|path| path.to_string_lossy().into_owned());
        let up = ["up".to_owned()];
        let options = self.options.iter().cloned();
        words.into_iter().chain(up).chain(options).collect()
    }
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Found {
    reach: Reach,
    state: State,
    /// The file that says what runs; empty where there is none.
    file: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Absent,
    Stopped,
    /// Not yet up, or between two tries.
    Starting,
    Running,
    Failed,
}

/// What installing did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Installed {
    #[serde(flatten)]
    found: Found,
    change: Change,
    /// What the person should know beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Made,
    /// It was there, and said something else.
    Renewed,
    None,
}

pub(crate) async fn run(
    home: Option<PathBuf>,
    action: ServiceAction,
    output: &Output,
) -> Result<(), Failure> {
    match action {
        ServiceAction::Install {
            reach,
            user,
            options,
        } => install(&plan(reach.into(), home, user, options)?, output).await,
        ServiceAction::Remove { reach } => {
            let found = place::remove(reach.into())?;
            output.say(&found, || removed(&found));
            Ok(())
        }
        ServiceAction::Status { reach } => {
            let found = place::look(reach.into())?;
            output.say(&found, || status(&found));
            Ok(())
        }
    }
}

async fn install(plan: &Plan, output: &Output) -> Result<(), Failure> {
    let is_ours = match place::look(plan.reach)?.state {
        State::Running | State::Starting => true,
        State::Absent | State::Stopped | State::Failed => false,
    };
    if !is_ours && LocalClient::connect(&plan.home).await.is_ok() {
        return Err(Failure::new(
            "already_running",
            "this device runs already, and not as a service; end it (`towline stop`) and try again"
                .to_owned(),
        ));
    }
    let installed = place::install(plan)?;
    output.say(&installed, || words(&installed, plan));
    Ok(())
}

fn plan(
    reach: Reach,
    home: Option<PathBuf>,
    user: Option<String>,
    options: Vec<String>,
) -> Result<Plan, Failure> {
    let as_given = ["towline", "up"].into_iter();
    let as_given = as_given.chain(options.iter().map(String::as_str));
    Arguments::try_parse_from(as_given)
        .map_err(|error| Failure::new("options", error.to_string().trim_end().to_owned()))?;
    let owner = match reach {
        Reach::User => None,
        Reach::System => Some(user.or_else(place::usual_owner).ok_or_else(|| {
            Failure::new("no_user", "say with --user whose files it syncs".to_owned())
        })?),
    };
    let home = match (home, &owner) {
        (Some(home), _) => std::path::absolute(home)
            .map_err(|error| Failure::new("home", format!("no such home can be: {error}")))?,
        (None, Some(owner)) => place::home_of(owner)?,
        (None, None) => default_home()?,
    };
    let program = env::current_exe()
        .map_err(|error| Failure::new("program", format!("where this program lies: {error}")))?;
    if program.to_str().is_none() || home.to_str().is_none() {
        return Err(Failure::new(
            "home",
            "the program and its home must lie where every letter of the path is text".to_owned(),
        ));
    }
    Ok(Plan {
        reach,
        program,
        home,
        owner,
        options,
    })
}

fn words(installed: &Installed, plan: &Plan) -> String {
    let file = plain(&installed.found.file);
    let what = match installed.change {
        Change::Made => "The service is made",
        Change::Renewed => "The service is made anew",
        Change::None => "The service is as it should be",
    };
    let when = when(installed.found.reach);
    let whose = plan.owner.as_deref().map_or_else(String::new, |owner| {
        format!(" It syncs files of {}.", plain(owner))
    });
    let hint = installed
        .hint
        .map_or_else(String::new, |hint| format!("\n{hint}"));
    format!(
        "{what} and {}; it starts again {when}.{whose}\n    {file}\n    home {}{hint}",
        state(installed.found.state),
        plain(&plan.home.to_string_lossy())
    )
}

fn removed(found: &Found) -> String {
    match found.state {
        State::Absent if found.file.is_empty() => "There is no service.".to_owned(),
        State::Absent => format!(
            "The service is gone ({}). Folders, key and index stay.",
            plain(&found.file)
        ),
        State::Stopped | State::Starting | State::Running | State::Failed => format!(
            "The service {} and does not start again; its file was not made here and stays ({}).",
            state(found.state),
            plain(&found.file)
        ),
    }
}

fn status(found: &Found) -> String {
    match found.state {
        State::Absent => "There is no service; `towline service install` makes one.".to_owned(),
        State::Stopped | State::Starting | State::Running | State::Failed => format!(
            "The service {}; it starts {}.\n    {}",
            state(found.state),
            when(found.reach),
            plain(&found.file)
        ),
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Absent => "is not there",
        State::Stopped => "is stopped",
        State::Starting => "is starting",
        State::Running => "runs",
        State::Failed => "has failed",
    }
}

fn when(reach: Reach) -> &'static str {
    match reach {
        Reach::User => "when this user logs in",
        Reach::System => "with the computer",
    }
}

impl From<ReachArguments> for Reach {
    fn from(arguments: ReachArguments) -> Self {
        if arguments.system {
            Self::System
        } else {
            Self::User
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_up_does_not_have_are_refused_before_anything_is_written() {
        let with = |options: &[&str]| {
            let options = options.iter().map(|&word| word.to_owned()).collect();
            plan(Reach::User, Some("/h".into()), None, options)
        };
        assert!(with(&["--server", "wss://a.example/ws"]).is_ok());
        let refused = with(&["--servr", "x"]).unwrap_err();
        assert!(format!("{refused:?}").contains("--servr"), "{refused:?}");
    }

    #[test]
    fn the_home_is_told_and_stands_before_what_up_is_told() {
        let options = vec!["--port".to_owned(), "0".to_owned()];
        let plan = plan(Reach::User, Some("/srv/x y".into()), None, options).unwrap();
        assert_eq!(
            plan.words()[1..],
            ["--home", "/srv/x y", "up", "--port", "0"]
        );
    }
}
