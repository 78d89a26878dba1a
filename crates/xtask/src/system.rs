//! What this machine has, what a chore needs, and how to get from one to the other.
//!
//! On Debian and its relatives missing packages are installed with apt, through sudo unless we are
//! root. On other systems the chore says what to do (`supply` knows how) and goes on as far as it
//! comes: compilers and test runners say clearly enough what they miss.

mod supply;

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;
use supply::{Machine, Sign, Supply};

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
        let lacks = lacks(*purpose)?;
        if lacks.is_empty() {
            say(format!("{:<22} everything is here", purpose.label()));
        }
        for lack in lacks {
            say(format!("{:<22} {lack}", purpose.label()));
        }
    }
    Ok(())
}

/// What a purpose lacks here, or what to do about it.
pub(crate) fn lacks(purpose: Purpose) -> Result<Vec<String>> {
    let mut lacks = Vec::new();
    for supply in supplies(purpose) {
        match supply {
            Supply::Complete => {}
            Supply::Apt(packages) => {
                let missing = missing_packages(&packages)?;
                if !missing.is_empty() {
                    lacks.push(format!("lacks {}", missing.join(" ")));
                }
            }
            Supply::Told(sentence) => lacks.push(sentence),
        }
    }
    Ok(lacks)
}

/// What packages are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Compiling everything that has no window.
    Headless,
    /// Tests with real processes: a Secret Service, network namespaces, small disks.
    ProcessTests,
    /// Compiling and starting the desktop app.
    Window,
    /// Driving the app's window on a display of its own.
    WindowTests,
    /// The programs that benchmarks compare with.
    Benchmarks,
    /// Networks with routers in namespaces.
    Lab,
    /// What reads the files of `signal-server/deploy`.
    Deployment,
    /// What makes bundles and looks into them.
    Bundles,
}

impl Purpose {
    /// Every purpose.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Headless,
        Self::ProcessTests,
        Self::Window,
        Self::WindowTests,
        Self::Benchmarks,
        Self::Lab,
        Self::Deployment,
        Self::Bundles,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Headless => "compiling",
            Self::ProcessTests => "tests of processes",
            Self::Window => "the window",
            Self::WindowTests => "window tests",
            Self::Benchmarks => "benchmarks",
            Self::Lab => "network lab",
            Self::Deployment => "deployment",
            Self::Bundles => "bundles",
        }
    }
}

/// Installs what is missing for `purposes`, or says what a person has to install.
///
/// Fails only when an installation was tried and went wrong.
pub(crate) fn ensure_packages(repo: &Repo, purposes: &[Purpose]) -> Result<()> {
    let mut wanted = Vec::new();
    for purpose in purposes {
        for supply in supplies(*purpose) {
            match supply {
                Supply::Complete => {}
                Supply::Apt(packages) => wanted.extend(packages),
                Supply::Told(sentence) => say(format!("   {}: {sentence}", purpose.label())),
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
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
    is_here(Sign::Library("webkit2gtk-4.1"))
}

/// Whether `program` can be started from the search path.
pub(crate) fn has_program(program: &str) -> bool {
    find_program(program).is_some()
}

/// Where a program lies.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .flat_map(|file| [file.with_extension(env::consts::EXE_EXTENSION), file])
        .find(|file| file.is_file())
}

/// How what `purpose` needs comes to this machine.
fn supplies(purpose: Purpose) -> Vec<Supply> {
    // Systems other than Linux have no such file, and need none.
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let machine = Machine {
        os: env::consts::OS,
        os_release: &os_release,
        has: &is_here,
    };
    machine.supplies(purpose)
}

fn is_here(sign: Sign) -> bool {
    match sign {
        Sign::Program(program) => has_program(program),
        Sign::Library(library) => {
            run::succeeds(Command::new("pkg-config").args(["--exists", library]))
        }
        Sign::Browser => BROWSERS.iter().copied().any(has_program),
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

/// The browsers that `ui/e2e/browser.mjs` looks for on Linux.
const BROWSERS: &[&str] = &["chromium", "google-chrome", "chromium-browser"];

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
