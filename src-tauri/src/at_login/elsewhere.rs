//! A launch agent of macOS, or a value of Windows' registry, through a library.

use std::io;

use auto_launch::{AutoLaunch, AutoLaunchBuilder, MacOSLaunchMode, WindowsEnableMode};

use super::{AtLogin, Start};

/// Whether the system starts the app.
pub(crate) fn ask(start: &Start) -> io::Result<AtLogin> {
    let is_enabled = launch(start)?.is_enabled().map_err(io::Error::other)?;
    Ok(if is_enabled {
        AtLogin::Started
    } else {
        AtLogin::NotStarted
    })
}

/// Has the system start the app, or no longer.
pub(crate) fn set(start: &Start, wanted: AtLogin) -> io::Result<()> {
    let done = match wanted {
        AtLogin::Started => launch(start)?.enable(),
        // What is off already cannot be removed.
        AtLogin::NotStarted if ask(start)? == AtLogin::NotStarted => Ok(()),
        AtLogin::NotStarted => launch(start)?.disable(),
    };
    done.map_err(io::Error::other)
}

fn launch(start: &Start) -> io::Result<AutoLaunch> {
    let arguments: Vec<_> = start.arguments.iter().map(|each| written(each)).collect();
    // On macOS the library looks whether the program is there, and so gets its name as it is.
    let program = if cfg!(windows) {
        written(&start.program)
    } else {
        start.program.clone()
    };
    AutoLaunchBuilder::new()
        .set_app_name(&start.identifier)
        .set_app_path(&program)
        .set_args(&arguments)
        .set_macos_launch_mode(MacOSLaunchMode::LaunchAgent)
        .set_windows_enable_mode(WindowsEnableMode::CurrentUser)
        .build()
        .map_err(io::Error::other)
}

/// The library puts all into one line for Windows, where blanks part arguments; no path there holds a
/// quotation mark.
#[cfg(windows)]
fn written(argument: &str) -> String {
    if argument.contains(char::is_whitespace) {
        format!("\"{argument}\"")
    } else {
        argument.to_owned()
    }
}

/// The library puts each argument into XML for macOS as it stands.
#[cfg(not(windows))]
fn written(argument: &str) -> String {
    argument.replace('&', "&amp;").replace('<', "&lt;")
}
