//! Building the programs as shipped, and bundling them with the window.
//!
//! What is the same everywhere stands in `tauri.conf.json`; here is added what only a build knows: where the command
//! line was built, and which C library both programs need. `TOWLINE_DEFAULT_SERVER` reaches the app's build by
//! the environment.
//!
//! The bundler writes the kind of bundle into the app while it packs it, and leaves it there when it fails; a copy
//! is put back afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Kind, appimage, empty, place, version};
use crate::binaries::{self, Profile};
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// Builds and bundles.
pub(super) fn make(repo: &Repo, kinds: &[Kind]) -> Result<Ending> {
    let app = binaries::build_app(repo, Profile::Release)?;
    let towline = binaries::build_command_line(repo)?;
    let config = of_this_build(&towline, newest_of_both(&app, &towline)?);
    let from = beside(&app, "bundle")?;
    empty(&from)?;
    let kept = beside(&app, "towline-app.kept")?;
    fs::copy(&app, &kept).context("keeping a copy of the app")?;
    let words: Vec<&str> = kinds.iter().filter_map(|kind| bundled_as(*kind)).collect();
    // Found by its path and run in the root: the bundler looks for its settings beside the manifest.
    let mut bundler = repo.command(&repo.path(BUNDLER).to_string_lossy());
    bundler.args(["bundle", "--ci", "--no-sign", "--bundles", &words.join(",")]);
    bundler.args(["--config", &config.to_string()]);
    let log = repo.artifacts()?.join("dist-bundler.log");
    let bundled = run::logged(&mut bundler, "bundling", &log);
    fs::rename(&kept, &app).context("putting the app back")?;
    bundled?;
    let to = place(repo)?;
    let mut made = Vec::new();
    for kind in kinds {
        made.push(match kind {
            Kind::Deb | Kind::Rpm => take(&from.join(kind.word()), *kind, &to)?,
            Kind::Appimage => appimage::make(repo, &made_as(&from.join("deb"), Kind::Deb)?, &app)?,
            Kind::Archive => continue,
        });
    }
    Ok(Ending::Passed(format!(
        "{} {}",
        version(repo)?,
        made.join(", ")
    )))
}

/// What only this build knows.
fn of_this_build(towline: &Path, libc: Libc) -> Value {
    let files = json!({ "/usr/bin/towline": towline });
    let Libc(major, minor) = libc;
    json!({ "bundle": { "linux": {
        "deb": {
            "depends": [format!("libc6 (>= {major}.{minor})")],
            "files": files,
        },
        "rpm": {
            "depends": [format!("libc.so.6(GLIBC_{major}.{minor})(64bit)")],
            "files": files,
        },
    } } })
}

/// A version of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Libc(u32, u32);

fn newest_of_both(app: &Path, towline: &Path) -> Result<Libc> {
    let mut newest = None;
    for program in [app, towline] {
        let symbols = run::capture(Command::new("objdump").arg("-T").arg(program))?;
        newest = newest.max(newest_libc(&symbols));
    }
    newest.context("the programs name no version of the C library")
}

/// The newest version of which a program wants a symbol, as `objdump -T` lists them.
fn newest_libc(symbols: &str) -> Option<Libc> {
    let versions = symbols.split("GLIBC_").skip(1);
    let parsed = versions.filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (version, _) = rest.split_at(end.unwrap_or(rest.len()));
        let mut numbers = version.split('.').map(str::parse);
        Some(Libc(numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    parsed.max()
}

/// What the bundler makes for this kind; our AppImage is made of the deb.
fn bundled_as(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Deb | Kind::Appimage => Some("deb"),
        Kind::Rpm => Some("rpm"),
        Kind::Archive => None,
    }
}

/// Copies the one bundle that lies there, and says how large it is.
fn take(from: &Path, kind: Kind, to: &Path) -> Result<String> {
    let path = made_as(from, kind)?;
    let name = path.file_name().context("a bundle without a name")?;
    let bytes = fs::copy(&path, to.join(name)).context("copying a bundle")?;
    Ok(format!("{} of {:.1} MB", kind.word(), bytes as f64 / 1e6))
}

fn made_as(kind_directory: &Path, kind: Kind) -> Result<PathBuf> {
    for entry in fs::read_dir(kind_directory).context("looking for what was bundled")? {
        let path = entry.context("looking for what was bundled")?.path();
        if path.extension().is_some_and(|end| end == kind.word()) {
            return Ok(path);
        }
    }
    bail!("the bundler made no {}", kind.word())
}

fn beside(program: &Path, name: &str) -> Result<PathBuf> {
    let directory = program.parent().context("a program without a directory")?;
    Ok(directory.join(name))
}

/// The bundler, as npm installs it.
const BUNDLER: &str = "ui/node_modules/.bin/tauri";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts_by_numbers_and_not_by_letters() {
        let symbols = "DF *UND* (GLIBC_2.9) a\nDF *UND* (GLIBC_2.34) b\nDF *UND* (GLIBC_2.2.5) c\n\
                       DF *UND* (GLIBC_PRIVATE) d\nDF *UND* (GCC_4.2.0) e";
        assert_eq!(newest_libc(symbols), Some(Libc(2, 34)));
        assert_eq!(newest_libc("DF *UND* (GCC_4.2.0) e"), None);
    }

    #[test]
    fn both_kinds_hold_the_command_line_and_want_its_library() {
        let config = of_this_build(Path::new("/built/towline"), Libc(2, 34));
        let linux = &config["bundle"]["linux"];
        for kind in ["deb", "rpm"] {
            assert_eq!(linux[kind]["files"]["/usr/bin/towline"], "/built/towline");
        }
        assert_eq!(linux["deb"]["depends"][0], "libc6 (>= 2.34)");
        assert_eq!(linux["rpm"]["depends"][0], "libc.so.6(GLIBC_2.34)(64bit)");
    }
}
