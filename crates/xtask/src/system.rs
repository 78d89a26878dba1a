//! What this machine has, what a chore needs, and how to get from one to the other.
//!
//! On Debian and its relatives missing packages are installed with apt, through sudo unless we are
//! root. On other systems the chore says what is needed and goes on as far as it comes: compilers
//! and test runners say clearly enough what they miss.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;

/// Options of `cargo xtask system`.
#[derive(Debug, Args)]
pub(crate) struct SystemArgs {
    /// Installs what is missing for everything that the repository can do.
    #[arg(long)]
    install: bool,
}

/// Runs the chore.
pub(crate) fn system(repo: &Repo, args: &SystemArgs) -> Result<()> {
    if args.install {
        ensure_packages(repo, Purpose::ALL)?;
    }
    for program in PROGRAMS {
        say(format!("{program:<22} {}", version_of(program)));
    }
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" };
    say(format!("{:<22} {}", "a display", yes_or_no(has_display())));
    let window = yes_or_no(can_build_window());
    say(format!("{:<22} {window}", "can build the window"));
    for purpose in Purpose::ALL {
        let missing = match PackageTool::find() {
            PackageTool::Apt => missing_packages(purpose.debian_packages())?,
            PackageTool::Unknown => purpose.debian_packages().to_vec(),
        };
        let state = match missing.as_slice() {
            [] => "everything is here".to_owned(),
            missing => format!("needs {}", missing.join(" ")),
        };
        say(format!("{:<22} {state}", purpose.label()));
    }
    Ok(())
}

/// What packages are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Compiling everything that has no window.
    Headless,
    /// Tests against a real Secret Service.
    Keyring,
    /// Compiling and starting the desktop app.
    Window,
    /// Driving the app's window on a display of its own.
    WindowTests,
    /// The programs that benchmarks compare with.
    Benchmarks,
}

impl Purpose {
    /// Every purpose.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Headless,
        Self::Keyring,
        Self::Window,
        Self::WindowTests,
        Self::Benchmarks,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Headless => "compiling",
            Self::Keyring => "keyring tests",
            Self::Window => "the window",
            Self::WindowTests => "window tests",
            Self::Benchmarks => "benchmarks",
        }
    }

    /// Names in Debian 12.
    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Headless => &["build-essential", "pkg-config"],
            Self::Keyring => &["dbus", "gnome-keyring", "libsecret-tools"],
            Self::Window => &[
                "file",
                "libayatana-appindicator3-dev",
                "libdbus-1-dev",
                "librsvg2-dev",
                "libwebkit2gtk-4.1-dev",
            ],
            Self::WindowTests => &[
                "chromium",
                "dbus",
                "dbus-x11",
                "fonts-dejavu-core",
                "fonts-inter",
                "fonts-noto-color-emoji",
                "imagemagick",
                "openbox",
                "webkit2gtk-driver",
                "wmctrl",
                "x11-utils",
                "xdotool",
                "xvfb",
            ],
            Self::Benchmarks => &["curl", "rsync", "syncthing"],
        }
    }

    /// What people install where there is no apt.
    fn elsewhere(self) -> &'static str {
        if cfg!(target_os = "macos") {
            match self {
                Self::Headless => "Xcode's command line tools (`xcode-select --install`)",
                Self::Keyring | Self::Window => "nothing: it is part of macOS",
                Self::WindowTests => "not possible: macOS has no WebDriver for app windows",
                Self::Benchmarks => "rsync and syncthing, from Homebrew",
            }
        } else if cfg!(windows) {
            match self {
                Self::Headless => "Visual Studio's build tools with the C++ workload",
                Self::Keyring => "nothing: it is part of Windows",
                Self::Window => "the WebView2 runtime (part of Windows 11)",
                Self::WindowTests => "msedgedriver in the version of the WebView2 runtime",
                Self::Benchmarks => "rsync and syncthing",
            }
        } else {
            match self {
                Self::Headless => "a C compiler, make, pkg-config",
                Self::Keyring => "D-Bus, gnome-keyring, secret-tool",
                Self::Window => "headers of WebKitGTK 4.1, D-Bus, librsvg and ayatana-appindicator",
                Self::WindowTests => "WebKitWebDriver, Xvfb, dbus-run-session, ImageMagick, wmctrl",
                Self::Benchmarks => "rsync, syncthing",
            }
        }
    }
}

/// Installs what is missing for `purposes`, or says what a person has to install.
///
/// Fails only when an installation was tried and went wrong.
pub(crate) fn ensure_packages(repo: &Repo, purposes: &[Purpose]) -> Result<()> {
    match PackageTool::find() {
        PackageTool::Apt => {}
        PackageTool::Unknown => {
            for purpose in purposes {
                say(format!("   {}: {}", purpose.label(), purpose.elsewhere()));
            }
            return Ok(());
        }
    }
    let mut wanted: Vec<_> = purposes
        .iter()
        .flat_map(|purpose| purpose.debian_packages())
        .copied()
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let missing = missing_packages(&wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    say(format!("   missing: {}", missing.join(" ")));
    let logs = repo.artifacts()?;
    run::logged(
        apt()?.arg("update"),
        "reading Debian's list of packages",
        &logs.join("apt-update.log"),
    )?;
    run::logged(
        apt()?
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing),
        "installing them",
        &logs.join("apt-install.log"),
    )
}

/// Whether windows can be shown to the person who started us.
pub(crate) fn has_display() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Whether the desktop app can be compiled here.
pub(crate) fn can_build_window() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    run::succeeds(Command::new("pkg-config").args(["--exists", "webkit2gtk-4.1"]))
}

/// Whether `program` can be started from the search path.
pub(crate) fn has_program(program: &str) -> bool {
    let Some(path) = env::var_os("PATH") else {
        return false;
    };
    env::split_paths(&path).any(|directory| {
        let file = directory.join(program);
        file.is_file() || file.with_extension(env::consts::EXE_EXTENSION).is_file()
    })
}

/// How this system installs packages, as far as we can help with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageTool {
    Apt,
    Unknown,
}

impl PackageTool {
    fn find() -> Self {
        if has_program("apt-get") && has_program("dpkg-query") {
            Self::Apt
        } else {
            Self::Unknown
        }
    }
}

/// Those of `wanted` that dpkg does not know as installed.
fn missing_packages<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    // The exit status only says that one of the packages is unknown, which is no failure here.
    let output = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat",
            "${Package} ${db:Status-Status}\\n",
        ])
        .args(wanted)
        .output()
        .context("asking dpkg what is installed")?;
    Ok(not_installed(
        wanted,
        &String::from_utf8_lossy(&output.stdout),
    ))
}

fn not_installed<'a>(wanted: &[&'a str], answer: &str) -> Vec<&'a str> {
    let is_missing = |name: &&&str| {
        let installed = format!("{name} installed");
        !answer.lines().any(|line| line == installed)
    };
    wanted.iter().filter(is_missing).copied().collect()
}

/// apt-get as root, asking nothing, waiting its turn when another installation runs.
fn apt() -> Result<Command> {
    let is_root = run::capture(Command::new("id").arg("-u"))? == "0";
    let mut command = if is_root {
        Command::new("env")
    } else if has_program("sudo") {
        let mut command = Command::new("sudo");
        command.arg("env");
        command
    } else {
        bail!("packages are missing; install them as root, or install sudo");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command.args(["-o", APT_LOCK_TIMEOUT]);
    Ok(command)
}

fn version_of(program: &str) -> String {
    if !has_program(program) {
        return "not here".to_owned();
    }
    let answer = run::capture(Command::new(program).arg("--version"));
    let first_line = answer
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    first_line.unwrap_or_else(|| "does not tell its version".to_owned())
}

/// Programs worth naming when somebody asks what this machine has.
const PROGRAMS: &[&str] = &[
    "cargo",
    "cargo-nextest",
    "node",
    "npm",
    "rsync",
    "syncthing",
];

/// Five minutes: as long as another installation may reasonably hold apt's lock.
const APT_LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_installed_and_unknown_packages_are_missing() {
        let answer = "xvfb installed\nfile config-files\ndbus installed\n";
        let missing = not_installed(&["xvfb", "file", "dbus", "wmctrl"], answer);
        assert_eq!(missing, ["file", "wmctrl"]);
    }

    #[test]
    fn a_program_that_does_not_exist_is_not_here() {
        assert!(!has_program("no-such-program-here"));
        assert!(has_program("cargo"));
    }
}
