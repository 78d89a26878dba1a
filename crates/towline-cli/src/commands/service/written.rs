//! The file that says what runs: written whole or not at all, and only over one that was made here.

use std::fs;
use std::io;
use std::path::Path;

use super::Change;
use crate::output::Failure;
use crate::plain::plain;

/// Writes it, if it does not say so already.
pub(super) fn write(path: &Path, text: &str) -> Result<Change, Failure> {
    let change = match fs::read_to_string(path) {
        Ok(there) if there == text => return Ok(Change::None),
        Ok(there) if there.contains(MARK) => Change::Renewed,
        Ok(_) => return Err(foreign(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Made,
        Err(error) => return Err(refused(path, &error)),
    };
    let beside = path.with_extension("new");
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&beside, text))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| refused(path, &error))?;
    Ok(change)
}

/// Whether it is there and was made here.
pub(super) fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}

/// Takes it away.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| refused(path, &error))
}

fn foreign(path: &Path) -> Failure {
    let path = plain(&path.to_string_lossy());
    Failure::new(
        "foreign_service",
        format!(
            "{path} was not made by `towline service install`; look what it is, and move it away"
        ),
    )
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let shown = plain(&path.to_string_lossy());
    if error.kind() == io::ErrorKind::PermissionDenied {
        let sentence = format!("this user may not write {shown}; with --system run it as root");
        return Failure::new("no_access", sentence);
    }
    Failure::new("service_file", format!("{shown}: {error}"))
}

/// Stands in every file that was made here.
pub(super) const MARK: &str = "made by `towline service install`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/towline.service");
        let text = format!("# {MARK}\n1");
        assert_eq!(write(&path, &text).unwrap(), Change::Made);
        assert_eq!(write(&path, &text).unwrap(), Change::None);
        assert_eq!(write(&path, &format!("{text}2")).unwrap(), Change::Renewed);
        assert!(is_ours(&path));
        fs::write(&path, "[Service]\n").unwrap();
        assert!(write(&path, &text).is_err());
        assert!(!is_ours(&path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "[Service]\n");
    }
}
