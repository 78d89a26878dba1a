//! The AppImage: the files of the deb, with the app alone, behind a program that mounts them.
//!
//! It is thin: GTK and WebKit are the system's, as for the deb. A self-contained one needs tools that are downloaded when
//! they are used, and those are not here. What mounts the files is the runtime that the crate `appimage` carries; only
//! that file is taken from it, and its sum is known.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{place, scratch, version};
use crate::repo::Repo;
use crate::run;

/// Makes it of the desktop's deb and of the app as it was built, and says how large it is.
pub(super) fn make(repo: &Repo, deb: &Path, app: &Path) -> Result<String> {
    let directory = scratch("appimage");
    let made = assemble(repo, deb, app, &directory);
    // What cannot be removed is left to the system, as everything in its directory for such things.
    let _ = fs::remove_dir_all(&directory);
    let bytes = fs::metadata(made?)?.len();
    Ok(format!("AppImage of {:.1} MB", bytes as f64 / 1e6))
}

fn assemble(repo: &Repo, deb: &Path, app: &Path, directory: &Path) -> Result<PathBuf> {
    let root = directory.join("AppDir");
    fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
    run::capture(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(deb)
            .arg(&root),
    )?;
    fs::remove_file(root.join("usr/bin/towline")).context("leaving the command line out")?;
    let content = marked(fs::read(app).context("reading the app")?)?;
    // Over the one that knows itself in a deb, whose mode it keeps.
    fs::write(root.join(APP), content).context("writing the app")?;
    for (name, is) in [
        ("AppRun", APP),
        ("Towline.desktop", ENTRY),
        ("towline-app.png", ICON),
        (".DirIcon", ICON),
    ] {
        let mut link = Command::new("ln");
        run::capture(link.args(["--symbolic", is]).arg(root.join(name)))?;
    }
    let files = directory.join("files");
    let mut squash = Command::new("mksquashfs");
    squash.arg(&root).arg(&files);
    squash.args(["-root-owned", "-noappend", "-quiet", "-no-progress"]);
    // The runtime knows no other; no time of its own makes the same files the same bytes.
    squash.args(["-comp", "gzip", "-mkfs-time", "0", "-all-time", "0"]);
    run::capture(&mut squash)?;
    let mut image = fs::read(runtime(repo)?).context("reading the runtime")?;
    image.extend(fs::read(&files).context("reading what it mounts")?);
    let architecture = std::env::consts::ARCH;
    let name = format!("Towline-{}-{architecture}.AppImage", version(repo)?);
    let path = place(repo)?.join(name);
    fs::write(&path, image).context("writing the AppImage")?;
    run::capture(Command::new("chmod").arg("755").arg(&path))?;
    Ok(path)
}

/// The app with the mark by which it knows itself in an AppImage, as the bundler writes one for each kind.
fn marked(mut app: Vec<u8>) -> Result<Vec<u8>> {
    let places: Vec<usize> = app
        .windows(UNMARKED.len())
        .enumerate()
        .filter_map(|(place, bytes)| (bytes == UNMARKED).then_some(place))
        .collect();
    let &[place] = places.as_slice() else {
        bail!(
            "the app has {} places for the mark of its bundle",
            places.len()
        );
    };
    app.splice(place..place + UNMARKED.len(), OF_APPIMAGE.iter().copied());
    Ok(app)
}

/// Where the runtime lies once cargo has fetched the crate that carries it.
fn runtime(repo: &Repo) -> Result<PathBuf> {
    let dummy = repo.path("target/xtask/appimage-runtime");
    fs::create_dir_all(dummy.join("src")).context("making a place for the runtime")?;
    fs::write(dummy.join("Cargo.toml"), MANIFEST).context("naming the runtime's crate")?;
    fs::write(dummy.join("src/lib.rs"), "").context("naming the runtime's crate")?;
    let metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(&dummy)
        .exec()
        .context("fetching the crate with the runtime")?;
    let mut packages = metadata.packages.iter();
    let carrier = packages.find(|package| package.name.as_str() == "appimage");
    let carrier = carrier.context("the crate with the runtime did not come")?;
    let manifest = carrier.manifest_path.as_std_path();
    let directory = manifest.parent().context("a crate without a directory")?;
    let runtime = directory.join("assets/runtime-x86_64");
    let sum = run::capture(Command::new("sha256sum").arg(&runtime))?;
    if !sum.starts_with(RUNTIME_SUM) {
        bail!("the runtime is another one: {sum}");
    }
    Ok(runtime)
}

/// A package that needs the crate and nothing else, and is in no workspace.
const MANIFEST: &str = r#"[package]
name = "runtime"
version = "0.0.0"
edition = "2024"
[dependencies]
appimage = "=0.4.0"
[workspace]
"#;

const RUNTIME_SUM: &str = "328e0d745c5c6817048c27bc3e8314871703f8f47ffa81a37cb06cd95a94b323";

/// What Tauri has in an app that is in no bundle, and what an updater looks for.
const UNMARKED: &[u8] = b"__TAURI_BUNDLE_TYPE_VAR_UNK";
const OF_APPIMAGE: &[u8] = b"__TAURI_BUNDLE_TYPE_VAR_APP";

pub(super) const APP: &str = "usr/bin/towline-app";
pub(super) const ENTRY: &str = "usr/share/applications/Towline.desktop";
const ICON: &str = "usr/share/icons/hicolor/256x256/apps/towline-app.png";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_marked_once_and_stays_as_long() {
        let app = [b"code ", UNMARKED, b" code"].concat();
        assert_eq!(
            marked(app.clone()).unwrap(),
            [b"code ", OF_APPIMAGE, b" code"].concat()
        );
        assert!(marked(b"code".to_vec()).is_err());
        assert!(marked([app.clone(), app].concat()).is_err());
    }
}
