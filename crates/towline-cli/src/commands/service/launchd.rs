//! macOS: a launch agent of this user.
//!
//! launchd starts it at once and at each login, and again when it ended badly. It has never run: what is written here
//! follows launchd.plist(5) and launchctl(1).

use std::path::PathBuf;
use std::process::Command;

use directories::BaseDirs;

use super::written::{self, MARK};
use super::{Change, Found, Installed, Plan, Reach, State};
use crate::output::Failure;

pub(super) fn install(plan: &Plan) -> Result<Installed, Failure> {
    let file = file(plan.reach)?;
    let change = written::write(&file, &agent(plan))?;
    match look(plan.reach)?.state {
        State::Running | State::Starting if change == Change::None => {}
        State::Absent => {
            launchctl(&["bootstrap", &domain()?, &file.to_string_lossy()])?;
        }
        State::Running | State::Starting | State::Stopped | State::Failed => {
            launchctl(&["bootout", &target()?])?;
            launchctl(&["bootstrap", &domain()?, &file.to_string_lossy()])?;
        }
    }
    Ok(Installed {
        found: look(plan.reach)?,
        change,
        hint: None,
    })
}

pub(super) fn remove(reach: Reach) -> Result<Found, Failure> {
    let mut found = look(reach)?;
    if found.state != State::Absent {
        launchctl(&["bootout", &target()?])?;
    }
    let file = file(reach)?;
    if written::is_ours(&file) {
        written::remove(&file)?;
    }
    found.state = State::Absent;
    Ok(found)
}

pub(super) fn look(reach: Reach) -> Result<Found, Failure> {
    let file = file(reach)?;
    let printed = Command::new("launchctl")
        .args(["print", &target()?])
        .output();
    let state = match printed {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            if said.lines().any(|line| line.trim() == "state = running") {
                State::Running
            } else {
                State::Stopped
            }
        }
        Ok(_) => State::Absent,
        Err(error) => return Err(launchd(&error.to_string())),
    };
    let file = if state == State::Absent && !file.exists() {
        String::new()
    } else {
        file.to_string_lossy().into_owned()
    };
    Ok(Found { reach, state, file })
}

pub(super) fn usual_owner() -> Option<String> {
    None
}

pub(super) fn home_of(_user: &str) -> Result<PathBuf, Failure> {
    Err(user_only())
}

/// The property list.
fn agent(plan: &Plan) -> String {
    let words = plan.words();
    let words = words.iter().map(|word| {
        let word = word.replace('&', "&amp;").replace('<', "&lt;");
        format!("    <string>{word}</string>\n")
    });
    let words: String = words.collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- {MARK}; `towline service remove` takes it away. -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
{words}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ProcessType</key>
  <string>Background</string>
  <key>ExitTimeOut</key>
  <integer>60</integer>
</dict>
</plist>
"#
    )
}

fn file(reach: Reach) -> Result<PathBuf, Failure> {
    match reach {
        Reach::User => {}
        Reach::System => return Err(user_only()),
    }
    let directories = BaseDirs::new().ok_or_else(|| launchd("this user has no home directory"))?;
    let agents = directories.home_dir().join("Library/LaunchAgents");
    Ok(agents.join(format!("{LABEL}.plist")))
}

/// Where this user's agents live while somebody is logged in.
fn domain() -> Result<String, Failure> {
    let output = Command::new("id").arg("-u").output();
    let output = output.map_err(|error| launchd(&error.to_string()))?;
    Ok(format!(
        "gui/{}",
        String::from_utf8_lossy(&output.stdout).trim()
    ))
}

fn target() -> Result<String, Failure> {
    Ok(format!("{}/{LABEL}", domain()?))
}

fn launchctl(words: &[&str]) -> Result<(), Failure> {
    let output = Command::new("launchctl").args(words).output();
    let output = output.map_err(|error| launchd(&error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(launchd(String::from_utf8_lossy(&output.stderr).trim()))
}

fn launchd(reason: &str) -> Failure {
    Failure::new("launchd", format!("launchd did not do it: {reason}"))
}

fn user_only() -> Failure {
    Failure::new(
        "no_services",
        "on macOS only services of one user are made so far; leave --system out".to_owned(),
    )
}

const LABEL: &str = "dev.towline.daemon";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_starts_the_program_with_its_home() {
        let plan = Plan {
            reach: Reach::User,
            program: "/opt/towline".into(),
            home: "/Users/a & b".into(),
            owner: None,
            options: Vec::new(),
        };
        let text = agent(&plan);
        assert!(text.contains(
            "    <string>/opt/towline</string>\n    <string>--home</string>\n    \
             <string>/Users/a &amp; b</string>\n    <string>up</string>\n  </array>"
        ));
        assert!(text.contains(MARK));
    }
}
