//! Whether the system starts the app when its person logs in.
//!
//! Only the system knows: it is asked each time, and nothing is remembered here, because people switch it
//! off in the system's own settings, too. What is started is this program (an `AppImage` by the file that
//! it lies in), without showing its window, on the home of this window. Each home is started by itself. Leaf files
//! hold what differs between systems.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tauri::{AppHandle, Manager};

use crate::arguments::default_home;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{ask, set};
#[cfg(target_os = "linux")]
pub(crate) use linux::{ask, set};

/// Whether the app is started when its person logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AtLogin {
    /// It is.
    Started,
    /// It is not.
    NotStarted,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// By which the system tells it from the app of another home.
    identifier: String,
    program: String,
    arguments: Vec<String>,
}

impl Start {
    /// The app with this home. Systems keep what they start as text, so a path that is none is an error.
    pub(crate) fn of(app: &AppHandle, home: &Path) -> io::Result<Self> {
        let program = tauri::process::current_binary(&app.env())?;
        Ok(Self {
            identifier: app.config().identifier.clone(),
            program: text(&program)?,
            arguments: arguments(home, default_home().as_deref())?,
        })
    }
}

/// With what the app of a home is started.
fn arguments(home: &Path, usual: Option<&Path>) -> io::Result<Vec<String>> {
    let mut arguments = vec![HIDDEN.to_owned()];
    if usual != Some(home) {
        let home = std::path::absolute(home)?;
        arguments.extend(["--home".to_owned(), text(&home)?]);
    }
    Ok(arguments)
}

fn text(path: &Path) -> io::Result<String> {
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r']));
    let text =
        text.ok_or_else(|| io::Error::other("a path cannot be written as a line of text"))?;
    Ok(text.to_owned())
}

/// Starts without showing the window.
const HIDDEN: &str = "--hidden";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_named_unless_it_is_the_usual_one() {
        let usual = Path::new("/home/ada/.local/share/towline");
        let of = |home| arguments(Path::new(home), Some(usual)).unwrap();
        assert_eq!(of("/home/ada/.local/share/towline"), ["--hidden"]);
        assert_eq!(of("/srv/barn"), ["--hidden", "--home", "/srv/barn"]);
        let here = std::env::current_dir().unwrap().join("barn");
        assert_eq!(of("barn"), ["--hidden", "--home", here.to_str().unwrap()]);
    }

    #[test]
    fn a_path_of_two_lines_is_an_error() {
        assert!(arguments(Path::new("/srv/barn\nExec=evil"), None).is_err());
    }
}
