//! The command line alone: one static program with its manual, completions and units, as an archive, and as packages
//! that need no window.
//!
//! Where Rust's library for musl is installed the program is linked with musl, else with the C library that is here:
//! both are static. The latter asks for names by `/etc/hosts` and name servers only. The packages are put together by
//! `dpkg-deb` and `rpmbuild`, which know their formats best.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::{Kind, place, scratch, version};
use crate::binaries;
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// Builds the program, and packs it in each of these ways.
pub(super) fn make(repo: &Repo, kinds: &[Kind]) -> Result<Ending> {
    let program = binaries::build_static_command_line(repo)?;
    let directory = scratch("headless");
    let packed = pack(repo, kinds, &program, &directory);
    // What cannot be removed is left to the system, as everything in its directory for such things.
    let _ = fs::remove_dir_all(&directory);
    Ok(Ending::Passed(packed?.join(", ")))
}

fn pack(repo: &Repo, kinds: &[Kind], program: &Path, directory: &Path) -> Result<Vec<String>> {
    let extras = directory.join("extras");
    fs::create_dir_all(&extras).with_context(|| format!("making {}", extras.display()))?;
    run::capture(Command::new(program).arg("package-files").arg(&extras))?;
    let mut made = Vec::new();
    for kind in kinds {
        let path = match kind {
            Kind::Archive => archive(repo, program, &extras, directory)?,
            Kind::Deb => deb(repo, program, &extras, directory)?,
            Kind::Rpm => rpm(repo, program, &extras, directory)?,
            // It has a window by its nature.
            Kind::Appimage => continue,
        };
        let bytes = fs::metadata(path)?.len() as f64;
        made.push(format!("{} of {:.1} MB", kind.word(), bytes / 1e6));
    }
    Ok(made)
}

/// What people unpack anywhere.
fn archive(repo: &Repo, program: &Path, extras: &Path, directory: &Path) -> Result<PathBuf> {
    let name = format!(
        "towline-{}-{}-linux",
        version(repo)?,
        std::env::consts::ARCH
    );
    let tree = directory.join(&name);
    fs::create_dir_all(&tree)?;
    fs::copy(program, tree.join("towline"))?;
    for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(repo.path(file), tree.join(file))?;
    }
    fs::copy(
        repo.path(PACKAGING).join("README.md"),
        tree.join("README.md"),
    )?;
    copy_all(extras, &tree)?;
    may_be_read(&tree)?;
    let path = place(repo)?.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    // Without the time at which it ran.
    tar.args(["--create", "--use-compress-program=gzip --no-name"]);
    tar.args(["--sort=name", "--mtime=@0"]);
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "--file"]);
    tar.arg(&path).arg("--directory").arg(directory).arg(&name);
    run::capture(&mut tar)?;
    Ok(path)
}

fn deb(repo: &Repo, program: &Path, extras: &Path, directory: &Path) -> Result<PathBuf> {
    let tree = installed(repo, program, extras, &directory.join("deb"))?;
    let architecture = run::capture(Command::new("dpkg").arg("--print-architecture"))?;
    let control = fs::read_to_string(repo.path(PACKAGING).join("control"))?;
    let version = packaged(&version(repo)?);
    let control = control
        .replace("@VERSION@", &version)
        .replace("@ARCHITECTURE@", &architecture);
    fs::create_dir_all(tree.join("DEBIAN"))?;
    fs::write(tree.join("DEBIAN/control"), control)?;
    may_be_read(&tree)?;
    let name = format!("towline-cli_{version}_{architecture}.deb");
    let path = place(repo)?.join(name);
    let mut build = Command::new("dpkg-deb");
    // Times of files no newer than the beginning of times, so that the same files are the same bytes.
    build.env("SOURCE_DATE_EPOCH", "0");
    build.args(["--build", "--root-owner-group", "-Zxz"]);
    run::capture(build.arg(&tree).arg(&path))?;
    Ok(path)
}

fn rpm(repo: &Repo, program: &Path, extras: &Path, directory: &Path) -> Result<PathBuf> {
    let tree = installed(repo, program, extras, &directory.join("rpm"))?;
    may_be_read(&tree)?;
    let version = packaged(&version(repo)?);
    let mut files = Vec::new();
    for entry in WalkDir::new(&tree).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let inside = entry.path().strip_prefix(&tree)?;
            files.push(format!("/{}", inside.to_string_lossy()));
        }
    }
    let spec = fs::read_to_string(repo.path(PACKAGING).join("towline-cli.spec"))?;
    let spec = spec
        .replace("@VERSION@", &version)
        .replace("@TREE@", &tree.to_string_lossy())
        .replace("@FILES@", &files.join("\n"));
    let recipe = directory.join("towline-cli.spec");
    fs::write(&recipe, spec)?;
    let out = directory.join("rpms");
    let mut build = Command::new("rpmbuild");
    build.arg("-bb").arg("--define");
    build.arg(format!("_topdir {}", directory.join("rpmbuild").display()));
    build
        .arg("--define")
        .arg(format!("_rpmdir {}", out.display()));
    run::capture(build.arg(&recipe))?;
    for entry in WalkDir::new(&out) {
        let entry = entry?;
        if entry.path().extension().is_some_and(|end| end == "rpm") {
            let path = place(repo)?.join(entry.file_name());
            fs::copy(entry.path(), &path)?;
            return Ok(path);
        }
    }
    bail!("rpmbuild made no rpm")
}

/// The tree of files as a package installs it.
fn installed(repo: &Repo, program: &Path, extras: &Path, tree: &Path) -> Result<PathBuf> {
    let documents = tree.join("usr/share/doc/towline-cli");
    fs::create_dir_all(&documents)?;
    fs::create_dir_all(tree.join("usr/bin"))?;
    fs::copy(program, tree.join(PROGRAM))?;
    for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(repo.path(file), documents.join(file))?;
    }
    fs::copy(repo.path(COPYRIGHT), documents.join("copyright"))?;
    copy_all(extras, &tree.join("usr"))?;
    Ok(tree.to_owned())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut copy = Command::new("cp");
    run::capture(copy.arg("--recursive").arg(from.join(".")).arg(to))?;
    Ok(())
}

/// Everybody reads all of it, and runs the program, whatever mask we are run with.
fn may_be_read(tree: &Path) -> Result<()> {
    let mut chmod = Command::new("chmod");
    run::capture(chmod.args(["--recursive", "u=rwX,go=rX"]).arg(tree))?;
    Ok(())
}

/// A version as packages order them: what is before a release comes before it.
fn packaged(version: &str) -> String {
    version.replace('-', "~")
}

/// What goes into packages of the command line.
const PACKAGING: &str = "crates/towline-cli/packaging";

const COPYRIGHT: &str = "src-tauri/packaging/copyright";

const PROGRAM: &str = "usr/bin/towline";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_built_as_the_archive_and_with_our_toolchain() {
        let repo = Repo::find().unwrap();
        let read = |name: &str| fs::read_to_string(repo.path(name)).unwrap();
        let dockerfile = read(&format!("{PACKAGING}/Dockerfile"));
        let toolchain: toml::Table = read("rust-toolchain.toml").parse().unwrap();
        let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
        assert!(dockerfile.contains(&format!("FROM rust:{channel}-")));
        assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}\n")));
        assert!(dockerfile.contains(&format!("RUSTFLAGS=\"{}\"", binaries::STATIC)));
        assert!(dockerfile.contains("--release --package towline-cli --bin towline --target"));
    }

    #[test]
    fn packages_have_no_place_left_open_and_shut_the_desktops_out() {
        let repo = Repo::find().unwrap();
        for name in ["control", "towline-cli.spec"] {
            let text = fs::read_to_string(repo.path(PACKAGING).join(name)).unwrap();
            assert!(text.contains("\nConflicts: towline\n"), "{name}");
            let known = ["@VERSION@", "@ARCHITECTURE@", "@TREE@", "@FILES@"];
            let filled = known
                .iter()
                .fold(text, |text, place| text.replace(place, "x"));
            assert!(!filled.contains('@'), "{filled}");
        }
    }

    #[test]
    fn what_comes_before_a_release_is_older() {
        assert_eq!(packaged("0.2.0-beta.1"), "0.2.0~beta.1");
    }
}
