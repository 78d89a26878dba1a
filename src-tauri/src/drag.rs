//! What people drag onto the window: a folder that they want to keep in sync.
//!
//! While something of a disk is held over the window, and when it is dropped or taken away, the page
//! is told; it shows what would happen. One directory counts. Everything else is refused with a code,
//! when it is dropped and not before: until then nothing is looked at. Nothing is done with a folder
//! here; the page asks the person what it is for.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tauri::DragDropEvent;
use towline_engine::view::ViewError;

/// How a drag stands, as the page is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Drag {
    /// Something is held over the window.
    Over,
    /// It was taken away.
    Away,
    /// A directory was dropped, and so is chosen as in the system's dialog.
    Chosen {
        /// Where it lies.
        path: String,
    },
    /// Something else was dropped.
    Refused {
        /// Why it is of no use.
        error: ViewError,
    },
}

impl Drag {
    /// How it stands after an event; `None` when that changes nothing.
    pub(crate) fn after(event: &DragDropEvent) -> Option<Self> {
        match event {
            // Text and pictures from elsewhere are nothing of a disk; fields may take them.
            DragDropEvent::Enter { paths, .. } => (!paths.is_empty()).then_some(Self::Over),
            DragDropEvent::Over { .. } => None,
            DragDropEvent::Drop { paths, .. } => Some(Self::dropped(paths)),
            DragDropEvent::Leave => Some(Self::Away),
            // Tauri's to extend.
            _ => None,
        }
    }

    fn dropped(paths: &[PathBuf]) -> Self {
        let outcome = match paths {
            [] => return Self::Away,
            [path] => directory(path),
            [_, _, ..] => Err("dropped_several"),
        };
        match outcome {
            Ok(path) => Self::Chosen { path },
            Err(code) => Self::Refused {
                error: ViewError::new(code),
            },
        }
    }
}

/// The directory at `path` as text, which is how paths travel to the engine, or the code of what it is
/// instead.
fn directory(path: &Path) -> Result<String, &'static str> {
    let Some(text) = path.to_str() else {
        return Err("path_not_text");
    };
    // A link of a browser comes as a path, too.
    if path.is_absolute() && path.is_dir() {
        return Ok(text.to_owned());
    }
    if path.is_absolute() && path.exists() {
        return Err("dropped_file");
    }
    // Where names are told as text, letters that are none have been replaced on the way.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("path_not_text");
    }
    Err("dropped_nowhere")
}

#[cfg(test)]
mod tests {
    use tauri::PhysicalPosition;

    use super::*;

    fn dropped(paths: &[PathBuf]) -> Drag {
        let event = DragDropEvent::Drop {
            paths: paths.to_vec(),
            position: PhysicalPosition::new(1.0, 1.0),
        };
        Drag::after(&event).unwrap()
    }

    fn refused(paths: &[PathBuf]) -> String {
        match dropped(paths) {
            Drag::Refused { error } => error.code,
            other @ (Drag::Over | Drag::Away | Drag::Chosen { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_directory_is_dropped_as_text() {
        let place = tempfile::tempdir().unwrap();
        let photos = place.path().join("Photos of Zoë");
        std::fs::create_dir(&photos).unwrap();
        let path = photos.to_str().unwrap().to_owned();
        let told = dropped(&[photos]);
        assert_eq!(told, Drag::Chosen { path: path.clone() });
        let json = serde_json::to_value(told).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": "chosen", "path": path }));
    }

    #[test]
    fn what_is_no_single_directory_is_refused_with_the_reason() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("letter.odt");
        std::fs::write(&file, "Dear").unwrap();
        assert_eq!(refused(std::slice::from_ref(&file)), "dropped_file");
        assert_eq!(
            refused(&[place.path().into(), place.path().into()]),
            "dropped_several"
        );
        assert_eq!(refused(&[place.path().join("gone")]), "dropped_nowhere");
        assert_eq!(
            refused(&["https://towline.example/".into()]),
            "dropped_nowhere"
        );
        assert_eq!(
            refused(&[place.path().join("caf\u{fffd}")]),
            "path_not_text"
        );
    }

    #[test]
    fn only_what_lies_on_a_disk_is_told_while_it_is_held() {
        let position = PhysicalPosition::new(1.0, 1.0);
        let enter = |paths| DragDropEvent::Enter { paths, position };
        let after = |event| Drag::after(&event);
        assert_eq!(after(enter(vec!["/home/ada".into()])), Some(Drag::Over));
        assert_eq!(after(enter(Vec::new())), None);
        assert_eq!(after(DragDropEvent::Over { position }), None);
        assert_eq!(after(DragDropEvent::Leave), Some(Drag::Away));
        assert_eq!(dropped(&[]), Drag::Away);
    }
}
