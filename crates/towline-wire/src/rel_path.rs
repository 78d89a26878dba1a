//! A path inside a folder, as peers name it.
//!
//! Relative, `/` between components, UTF-8 kept byte-exact. Parsing refuses whatever could leave
//! the root or touch our own marker directory, so code behind the door need not look again. All that
//! passes of the marker directory are copies in the conflict inbox.

pub mod inbox;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX};

/// The directory in every root that is ours: the marker, temporary files, kept versions. Never synced
/// but for the conflict inbox in it.
pub const MARKER_DIRECTORY: &str = ".towline";

/// Why a text is not a path inside a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelPathError {
    /// The text is empty, or has an empty, `.` or `..` component.
    #[error("path has an empty or relative component")]
    Component,
    /// The text holds a NUL byte.
    #[error("path holds a NUL byte")]
    Nul,
    /// The text or one of its components exceeds its limit.
    #[error("path is too long")]
    TooLong,
    /// The first component is our marker directory, in whatever case, and the text is no copy in the
    /// conflict inbox.
    #[error("path lies in the marker directory")]
    Marker,
}

/// A path inside a folder, never empty. Orders by bytes, so a directory sorts before its children.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

impl RelPath {
    /// Parses a `/`-separated path; refuses what could leave the root.
    pub fn parse(text: impl Into<String>) -> Result<Self, RelPathError> {
        let text = text.into();
        if text.len() > PATH_BYTES_MAX {
            return Err(RelPathError::TooLong);
        }
        if text.contains('\0') {
            return Err(RelPathError::Nul);
        }
        for component in text.split('/') {
            if matches!(component, "" | "." | "..") {
                return Err(RelPathError::Component);
            }
            if component.len() > PATH_COMPONENT_BYTES_MAX {
                return Err(RelPathError::TooLong);
            }
        }
        // On a filesystem that ignores case another spelling would reach our own files.
        if text
            .split('/')
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case(MARKER_DIRECTORY))
            && !inbox::is_copy(&text)
        {
            return Err(RelPathError::Marker);
        }
        Ok(Self(text))
    }

    /// The path as text with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components from the root down; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory that holds this entry, or `None` at the top of the folder. That of a copy in the
    /// conflict inbox is no entry, and no path that could be parsed.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The path of a child of this directory.
    pub fn join(&self, name: &str) -> Result<Self, RelPathError> {
        Self::parse(format!("{}/{name}", self.0))
    }

    /// The same directory with another last component.
    pub fn with_file_name(&self, name: &str) -> Result<Self, RelPathError> {
        match self.0.rsplit_once('/') {
            Some((parent, _)) => Self::parse(format!("{parent}/{name}")),
            None => Self::parse(name),
        }
    }

    /// Whether this path lies below `directory` (a path is not below itself).
    pub fn is_below(&self, directory: &Self) -> bool {
        self.0
            .strip_prefix(directory.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Number of components; 1 at the top of the folder.
    pub fn depth(&self) -> usize {
        self.components().count()
    }
}

impl TryFrom<String> for RelPath {
    type Error = RelPathError;

    fn try_from(text: String) -> Result<Self, RelPathError> {
        Self::parse(text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame;

    /// Texts that come close to what is refused, and any others.
    fn text() -> impl Strategy<Value = String> {
        let component = prop_oneof![
            4 => "[a-c.ä]{1,3}",
            1 => any::<String>(),
            1 => prop::sample::select(vec![
                "", ".", "..", "...", "\0", ".towline", ".TowLine", "conflicts",
                ".conflict-abcdefgh-0123ab", ".conflict-abcdefgh-0123ab.txt", "a.txt",
            ])
            .prop_map(str::to_owned),
            1 => (250..260_usize).prop_map(|len| "x".repeat(len)),
        ];
        let copy = "[a-c]{1,2}(/[a-c]{1,2}){0,2}"
            .prop_map(|path| format!(".towline/conflicts/{path}/.conflict-abcdefgh-0123ab"));
        prop_oneof![
            8 => prop::collection::vec(component, 1..6).prop_map(|parts| parts.join("/")),
            1 => copy,
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_parsed_stays_below_the_root_and_is_printed_as_it_came(text in text()) {
            let bytes = frame::encode(&text, usize::MAX).unwrap();
            let decoded = frame::decode::<RelPath>(&bytes[frame::PREFIX_BYTES..]);
            let Ok(path) = RelPath::parse(text.as_str()) else {
                prop_assert!(decoded.is_err(), "the door takes what the parser refuses");
                return Ok(());
            };
            prop_assert_eq!(decoded.as_ref(), Ok(&path));
            prop_assert_eq!(path.as_str(), &text);
            prop_assert!(!text.starts_with('/') && !text.contains('\0'));
            prop_assert!(text.len() <= PATH_BYTES_MAX);
            for component in path.components() {
                prop_assert!(!matches!(component, "" | "." | ".."));
                prop_assert!(component.len() <= PATH_COMPONENT_BYTES_MAX);
            }
            let first = path.components().next().unwrap();
            prop_assert!(!first.eq_ignore_ascii_case(MARKER_DIRECTORY) || path.is_in_inbox());
        }

        #[test]
        fn a_path_is_the_child_of_its_parent_by_its_last_name(text in text()) {
            let Ok(path) = RelPath::parse(text) else {
                return Ok(());
            };
            prop_assert_eq!(path.with_file_name(path.file_name()), Ok(path.clone()));
            prop_assert!(!path.is_below(&path));
            let Some(parent) = path.parent() else {
                prop_assert_eq!((path.depth(), path.file_name()), (1, path.as_str()));
                return Ok(());
            };
            prop_assert_eq!(parent.join(path.file_name()), Ok(path.clone()));
            prop_assert!(path.is_below(&parent) && !parent.is_below(&path) && parent < path);
            prop_assert_eq!(parent.depth() + 1, path.depth());
            // What holds a copy in the inbox is no entry.
            prop_assert_eq!(RelPath::parse(parent.as_str()).is_ok(), !path.is_in_inbox());
        }
    }

    #[test]
    fn the_marker_directory_is_refused_in_any_case_and_only_at_the_top() {
        for text in [".towline", ".towline/folder", ".Towline/folder", ".TOWLINE"] {
            assert_eq!(RelPath::parse(text), Err(RelPathError::Marker), "{text}");
        }
        for text in [".towline2", "a/.towline", "towline"] {
            assert!(RelPath::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn nothing_of_the_marker_directory_but_copies_in_the_inbox_is_a_path() {
        let copy = ".towline/conflicts/a/b.txt/.conflict-abcdefgh-0123ab.txt";
        assert!(RelPath::parse(copy).is_ok());
        for text in [
            ".towline/conflicts",
            ".towline/conflicts/a",
            ".towline/conflicts/.conflict-abcdefgh-0123ab",
            ".towline/conflicts/a/.conflict-abcdefgh-0123ab/b",
            ".towline/conflicts/a/.conflict-abcdefgh-0123a",
            ".towline/conflicts/a/.conflict-ABCDEFGH-0123ab",
            ".towline/conflicts/a/.conflict-abcdefgh-0123AB",
            ".towline/conflicts/a/.conflict-abcdefgh-0123ab-",
            ".towline/conflicts/a/.conflict-abcdefgh-0123ab.txt",
            ".towline/conflicts/a.txt/.conflict-abcdefgh-0123ab",
            ".towline/conflicts/a/conflict-abcdefgh-0123ab",
            ".towline/conflicts/.towline/.conflict-abcdefgh-0123ab",
            ".towline/conflicts/.towline/folder/.conflict-abcdefgh-0123ab",
            ".towline/conflicts/.conflict-b/.conflict-abcdefgh-0123ab",
            ".towline/Conflicts/a/.conflict-abcdefgh-0123ab",
            ".Towline/conflicts/a/.conflict-abcdefgh-0123ab",
            ".towline/versions/a/.conflict-abcdefgh-0123ab",
            ".towline/tmp/.conflict-abcdefgh-0123ab",
        ] {
            assert_eq!(RelPath::parse(text), Err(RelPathError::Marker), "{text}");
        }
        let out = ".towline/conflicts/../a/.conflict-abcdefgh-0123ab";
        assert_eq!(RelPath::parse(out), Err(RelPathError::Component));
        // The path within is judged as any other.
        let inner = ".towline/conflicts/.TowLine/x/.conflict-abcdefgh-0123ab";
        assert_eq!(RelPath::parse(inner), Err(RelPathError::Marker));
    }

    #[test]
    fn what_could_leave_the_root_is_refused() {
        for text in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"] {
            assert_eq!(RelPath::parse(text), Err(RelPathError::Component), "{text}");
        }
        assert_eq!(RelPath::parse("a\0b"), Err(RelPathError::Nul));
        let long = "a".repeat(PATH_COMPONENT_BYTES_MAX + 1);
        assert_eq!(RelPath::parse(long), Err(RelPathError::TooLong));
    }
}
