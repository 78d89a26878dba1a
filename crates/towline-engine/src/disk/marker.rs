//! The marker in a root: the text by which we know that this place is the folder.
//!
//! `.towline/folder` holds two lines, the format's version and the folder's id. It tells an empty
//! mount point, or another disk under the same path, from our folder, so that neither is taken for
//! "everything was deleted".

use std::io::{self, Read};

use towline_wire::ids::FolderId;

use super::handle::{Directory, new_file_mode};

/// The marker's name in the marker directory.
const MARKER: &str = "folder";

/// The name under which a marker is written before it gets its own.
const NEW_MARKER: &str = "folder.new";

/// First line of the marker; another number means a Towline that we do not know.
const FORMAT: &str = "towline folder 1";

/// Most bytes that we read of a marker: 256, three times its length.
const MARKER_BYTES_MAX: u64 = 256;

/// What a marker directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// There is no marker.
    None,
    /// It names this folder.
    Folder(FolderId),
    /// Something lies there that we did not write.
    Unknown,
}

/// Reads the marker in the marker directory.
pub(super) fn read(directory: &Directory) -> io::Result<Marker> {
    let file = match directory.open_file(MARKER) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Marker::None),
        Err(fault) => return Err(fault),
    };
    let mut bytes = Vec::new();
    file.take(MARKER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(parse(&bytes).map_or(Marker::Unknown, Marker::Folder))
}

/// Writes the marker, durably and whole or not at all.
pub(super) fn write(directory: &Directory, folder: FolderId) -> io::Result<()> {
    use std::io::Write;
    match directory.remove_file(NEW_MARKER) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        Ok(()) | Err(_) => {}
    }
    let mut file = directory.create_file(NEW_MARKER, new_file_mode(false))?;
    file.write_all(format!("{FORMAT}\n{folder}\n").as_bytes())?;
    file.sync_all()?;
    directory.rename(NEW_MARKER, directory, MARKER)?;
    directory.sync()
}

fn parse(bytes: &[u8]) -> Option<FolderId> {
    let (format, id) = std::str::from_utf8(bytes)
        .ok()?
        .trim_end()
        .split_once('\n')?;
    if format.trim_end() == FORMAT {
        id.parse().ok()
    } else {
        None
    }
}

/// Takes what a marker may hold.
#[cfg(any(test, fuzzing))]
pub(super) fn enter(bytes: &[u8]) {
    if let Some(folder) = parse(bytes) {
        assert_eq!(
            parse(format!("{FORMAT}\n{folder}\n").as_bytes()),
            Some(folder)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_text_is_a_marker() {
        let folder = FolderId::from_bytes([7; 16]);
        assert_eq!(
            parse(format!("{FORMAT}\n{folder}\n").as_bytes()),
            Some(folder)
        );
        assert_eq!(
            parse(format!("{FORMAT}\r\n{folder}\r\n").as_bytes()),
            Some(folder)
        );
        for text in [
            "",
            "towline folder 2\n00",
            "towline folder 1\n",
            "\u{0}",
            "towline folder 1\nxyz",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
