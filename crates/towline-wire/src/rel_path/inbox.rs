//! The conflict inbox: where bytes lie that lost a conflict.
//!
//! `.towline/conflicts/<path>/.conflict-<author>-<digits><extension>`. A copy there is synced like
//! everything else and hidden from people, and copies are all of the marker directory that ever
//! crosses the network. Their directories are no entries of a folder, so that nobody has to agree on
//! them: whoever puts a copy there makes them, whoever takes the last one away removes them.
//!
//! The path that is in conflict stands in the copy's path as it is, so it is known again however long
//! it is. No component of it begins as a copy does; so no copy lies below another one, and those of
//! one path are side by side in the order of paths.

use crate::ids::DeviceId;

use super::{MARKER_DIRECTORY, RelPath};

/// The inbox's directory in the marker directory.
pub const INBOX_DIRECTORY: &str = "conflicts";

/// How the name of a copy begins.
const COPY_PREFIX: &str = ".conflict-";

/// Characters of a device in the name of a copy: as many as [`DeviceId::short`] has.
const AUTHOR_LEN: usize = 8;

/// Digits of a hash in the name of a copy: its beginning, half of it, or all.
const DIGITS: [usize; 3] = [6, 32, 64];

/// Longest extension with its dot: 32 bytes. A longer "extension" is part of a sentence.
pub const EXTENSION_BYTES_MAX: usize = 32;

impl RelPath {
    /// Where a copy of what lay at this path lies in the inbox. `None` where that would be no path: it
    /// is too long, in the inbox itself, or has a component that looks like a copy.
    pub fn in_inbox(&self, author: DeviceId, digits: &str) -> Option<Self> {
        let (_, extension) = split(self.file_name());
        let author = author.short();
        Self::parse(format!(
            "{}{author}-{digits}{extension}",
            self.inbox_prefix()
        ))
        .ok()
    }

    /// Whether this is a copy in the inbox.
    pub fn is_in_inbox(&self) -> bool {
        self.as_str()
            .strip_prefix(MARKER_DIRECTORY)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// The path in conflict of a copy in the inbox; `None` elsewhere.
    pub fn conflicted(&self) -> Option<Self> {
        if !self.is_in_inbox() {
            return None;
        }
        let (path, _) = parts(self.as_str())?;
        Some(Self(path.to_owned()))
    }

    /// The first characters of the device that wrote a copy in the inbox; `None` elsewhere.
    pub fn conflict_author(&self) -> Option<&str> {
        if !self.is_in_inbox() {
            return None;
        }
        let (_, copy) = parts(self.as_str())?;
        copy.strip_prefix(COPY_PREFIX)?.get(..AUTHOR_LEN)
    }

    /// The text with which all copies of this path in the inbox begin, and nothing else does.
    pub fn inbox_prefix(&self) -> String {
        format!("{MARKER_DIRECTORY}/{INBOX_DIRECTORY}/{self}/{COPY_PREFIX}")
    }
}

/// Whether a text is a copy in the inbox.
pub(super) fn is_copy(text: &str) -> bool {
    parts(text).is_some_and(|(path, copy)| {
        is_copy_name(copy, path)
            && !path.split('/').any(|name| name.starts_with(COPY_PREFIX))
            && RelPath::parse(path).is_ok_and(|path| !path.is_in_inbox())
    })
}

/// Whether a text with a `/` at its end is a directory in which copies can lie, or the inbox, or what
/// holds it.
pub fn may_hold_copies(directory: &str) -> bool {
    if directory == format!("{MARKER_DIRECTORY}/") || directory == inbox() {
        return true;
    }
    directory.strip_prefix(&inbox()).is_some_and(|path| {
        !path.split('/').any(|name| name.starts_with(COPY_PREFIX))
            && RelPath::parse(path.trim_end_matches('/')).is_ok_and(|path| !path.is_in_inbox())
    })
}

/// The text with which all paths in the inbox begin.
pub fn inbox() -> String {
    format!("{MARKER_DIRECTORY}/{INBOX_DIRECTORY}/")
}

/// Splits a name into its stem and its extension with the dot; a leading dot begins no extension.
pub fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX => name.split_at(dot),
        Some(_) | None => (name, ""),
    }
}

/// The path and the copy's name.
fn parts(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(MARKER_DIRECTORY)?
        .strip_prefix('/')?
        .strip_prefix(INBOX_DIRECTORY)?
        .strip_prefix('/')?
        .rsplit_once('/')
}

fn is_copy_name(name: &str, path: &str) -> bool {
    let Some((author, rest)) = name
        .strip_prefix(COPY_PREFIX)
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    let (_, extension) = split(path.rsplit('/').next().unwrap_or(path));
    let Some(digits) = rest.strip_suffix(extension) else {
        return false;
    };
    author.len() == AUTHOR_LEN
        && author
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
        && DIGITS.contains(&digits.len())
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    const AUTHOR: DeviceId = DeviceId::from_public_key([7; 32]);

    #[test]
    fn a_copy_tells_its_path_and_its_author() {
        for text in [
            "a",
            "report.txt",
            "docs/report.tar.gz",
            ".hidden",
            "d/e/f.x y",
        ] {
            let copy = path(text).in_inbox(AUTHOR, "0123ab").unwrap();
            assert!(copy.is_in_inbox());
            assert_eq!(copy.conflicted(), Some(path(text)), "{copy}");
            assert_eq!(copy.conflict_author(), Some(AUTHOR.short().as_str()));
            assert!(copy.as_str().starts_with(&path(text).inbox_prefix()));
            let (directory, _) = copy.as_str().rsplit_once('/').unwrap();
            assert!(may_hold_copies(&format!("{directory}/")));
        }
        assert_eq!(
            path("docs/report.tar.gz")
                .in_inbox(AUTHOR, "0123ab")
                .unwrap()
                .file_name(),
            format!(".conflict-{}-0123ab.gz", AUTHOR.short())
        );
    }

    #[test]
    fn a_name_of_any_length_is_known_again() {
        let long = path(&format!("{}.txt", "x".repeat(251)));
        assert_eq!(
            long.in_inbox(AUTHOR, "0123ab").unwrap().conflicted(),
            Some(long)
        );
        let deep = path(
            "d/".repeat(2046)
                .replacen('d', "ddd", 1)
                .trim_end_matches('/'),
        );
        assert_eq!(deep.in_inbox(AUTHOR, "0123ab"), None);
    }

    #[test]
    fn a_copy_of_a_copy_has_no_place() {
        let copy = path("a").in_inbox(AUTHOR, "0123ab").unwrap();
        assert_eq!(copy.in_inbox(AUTHOR, "0123ab"), None);
        assert_eq!(path("a/.conflict-b/c").in_inbox(AUTHOR, "0123ab"), None);
        assert_eq!(path("a/.conflict-").in_inbox(AUTHOR, "0123ab"), None);
    }

    #[test]
    fn only_the_ways_into_the_inbox_may_hold_copies() {
        for text in [
            ".towline/",
            ".towline/conflicts/",
            ".towline/conflicts/a/b/",
        ] {
            assert!(may_hold_copies(text), "{text}");
        }
        for text in [
            ".towline/tmp/",
            ".towline/conflicts2/",
            ".Towline/",
            "a/",
            ".towline/conflicts/.towline/",
            ".towline/conflicts/a/.conflict-x/",
            ".towline/conflicts/../",
        ] {
            assert!(!may_hold_copies(text), "{text}");
        }
    }

    #[test]
    fn an_extension_is_short_and_never_the_whole_name() {
        assert_eq!(split("a.b.c"), ("a.b", ".c"));
        assert_eq!(split(".profile"), (".profile", ""));
        let sentence = format!("a. {}", "b".repeat(40));
        assert_eq!(split(&sentence), (sentence.as_str(), ""));
    }
}
