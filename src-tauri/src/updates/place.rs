//! Where the app lies, and how a new version comes there.
//!
//! What is one file (an AppImage, a program that somebody copied) is replaced by a rename: whatever ends this
//! process or this computer at any moment, the old file is there, or the new one, and never a part. Packages and
//! the bundles of other systems are installed by Tauri's updater.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tauri::utils::config::BundleType;
use tauri::utils::platform::bundle_type;
use tauri::{AppHandle, Manager};
use tempfile::{Builder, NamedTempFile};

/// What is done with a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// The app is replaced, and nobody is asked for anything.
    Replaced,
    /// The system installs a package, for which it wants an administrator's password.
    Package,
    /// The app lies where this user may not write.
    ReadOnly,
}

impl Place {
    /// What can be done where this app lies.
    pub(crate) fn of(app: &AppHandle) -> Self {
        match bundle_type() {
            Some(BundleType::Deb | BundleType::Rpm) => Self::Package,
            // They replace what lies elsewhere, with the system's help.
            Some(BundleType::App | BundleType::Dmg | BundleType::Msi | BundleType::Nsis) => {
                Self::Replaced
            }
            Some(BundleType::AppImage) | None => match file(app) {
                Ok(file) if beside(&file).is_ok() => Self::Replaced,
                Ok(_) | Err(_) => Self::ReadOnly,
            },
        }
    }
}

/// The file that is the whole app, where it is one.
pub(super) fn single_file(app: &AppHandle) -> io::Result<Option<PathBuf>> {
    let is_single = match bundle_type() {
        Some(BundleType::AppImage) | None => cfg!(target_os = "linux"),
        Some(
            BundleType::Deb
            | BundleType::Rpm
            | BundleType::App
            | BundleType::Dmg
            | BundleType::Msi
            | BundleType::Nsis,
        ) => false,
    };
    is_single.then(|| file(app)).transpose()
}

/// Puts `bytes` in the place of a program, whole or not at all.
pub(super) fn replace(program: &Path, bytes: &[u8]) -> io::Result<()> {
    let permissions = fs::metadata(program)?.permissions();
    let mut next = beside(program)?;
    next.write_all(bytes)?;
    next.as_file().set_permissions(permissions)?;
    next.as_file().sync_all()?;
    next.persist(program).map_err(|error| error.error)?;
    let directory = program.parent().map(fs::File::open).transpose()?;
    directory.map_or(Ok(()), |directory| directory.sync_all())
}

/// A new file in the same directory, gone again when it is not kept.
fn beside(program: &Path) -> io::Result<NamedTempFile> {
    let directory = program.parent().unwrap_or(Path::new("/"));
    Builder::new()
        .prefix(".towline-update-")
        .tempfile_in(directory)
}

fn file(app: &AppHandle) -> io::Result<PathBuf> {
    match app.env().appimage {
        Some(appimage) => Ok(PathBuf::from(appimage)),
        None => tauri::process::current_binary(&app.env()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_replaced_with_its_permissions_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("towline-app");
        fs::write(&program, "old").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // Whoever runs the old one keeps it.
        let running = fs::File::open(&program).unwrap();
        replace(&program, b"new and longer").unwrap();
        assert_eq!(fs::read(&program).unwrap(), b"new and longer");
        assert_eq!(
            fs::metadata(&program).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(io::read_to_string(running).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("gone");
        assert!(replace(&program, b"new").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
