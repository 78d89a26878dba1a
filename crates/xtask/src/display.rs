//! A display that nobody looks at, for windows that are driven.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::processes::Running;

/// An X server without a screen; gone when dropped.
#[derive(Debug)]
pub(crate) struct Display {
    number: String,
    _server: Running,
}

impl Display {
    /// Starts one; what it says is in `logs`.
    pub(crate) fn open(logs: &Path) -> Result<Self> {
        Self::start(Command::new("Xvfb"), logs)
    }

    /// Starts one whose pixels lie in a file `Xvfb_screen0` of the directory `memory`.
    pub(crate) fn open_seen(logs: &Path, memory: &Path) -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.arg("-fbdir").arg(memory);
        Self::start(command, logs)
    }

    fn start(mut command: Command, logs: &Path) -> Result<Self> {
        command.args(["-displayfd", "1", "-screen", "0", SCREEN]);
        command.args(["-noreset", "-nolisten", "tcp"]);
        let mut server = Running::start("xvfb", &mut command, logs)?;
        let number = server.wait_for_line(is_number, DISPLAY_WITHIN)?;
        Ok(Self {
            number,
            _server: server,
        })
    }

    /// What windows find in `DISPLAY`.
    pub(crate) fn name(&self) -> String {
        format!(":{}", self.number)
    }
}

/// Xvfb says which display it took once it serves it.
fn is_number(line: &str) -> bool {
    !line.is_empty() && line.chars().all(|c| c.is_ascii_digit())
}

/// Room for two windows of the app side by side.
const SCREEN: &str = "1600x1000x24";

/// Xvfb needs a tenth of a second; 20 s only end a wait for something broken.
const DISPLAY_WITHIN: Duration = Duration::from_secs(20);
