//! A copy of `/etc` that only chosen programs see; it is gone at the end, whatever happens.

use std::path::PathBuf;

use super::World;
use super::device::text;
use super::system::{as_root, try_as_root};

/// The copy.
#[derive(Debug)]
pub(crate) struct Etc {
    place: PathBuf,
}

impl Etc {
    /// Copies what there is.
    pub(crate) fn copy(world: &World) -> Self {
        let place = world.place("etc");
        as_root(&["cp", "-a", "/etc", text(&place)]);
        Self { place }
    }

    /// Writes a file of it, instead of what is there.
    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.place.join(file);
        let write = "mkdir -p \"${1%/*}\" && rm -f \"$1\" && printf %s \"$2\" > \"$1\"";
        as_root(&["sh", "-c", write, "sh", text(&path), content]);
    }

    /// The words before a command that sees the copy. They need root and mounts of their own, as behind
    /// `unshare --mount` or `ip netns exec`.
    pub(crate) fn words(&self) -> Vec<String> {
        let bind = format!("mount --bind {} /etc && exec \"$@\"", text(&self.place));
        ["sh".to_owned(), "-c".to_owned(), bind, "sh".to_owned()].into()
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        try_as_root(&["rm", "-rf", text(&self.place)]);
    }
}
