//! What a scan needs to know of our index: the live rows of one folder, in path order.
//!
//! The store's reader gives them; tests keep them in memory.

use towline_core::records::OurRow;
use towline_wire::ids::{ContentHash, FolderId};
use towline_wire::rel_path::RelPath;

/// Our live rows (no tombstones) of one folder. Rows may change between calls; each call shows one
/// moment at or after the call before.
pub(crate) trait KnownRows: Send {
    /// The live row at a path.
    fn row(&mut self, path: &RelPath) -> Option<OurRow>;

    /// The first `limit` live rows below `directory` (`None`: the whole folder) whose path is
    /// greater than `after`, ascending by the bytes of the path.
    fn below(
        &mut self,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Vec<OurRow>;

    /// For each hash, where our rows say that a file with these bytes lies; some of many.
    fn with_bytes(&mut self, hashes: &[ContentHash]) -> Vec<Vec<RelPath>>;
}

/// Opens the rows of a folder for a scan.
pub(crate) trait OpenRows: Send + Sync {
    /// The rows of this folder.
    fn open_rows(&self, folder: FolderId) -> Box<dyn KnownRows>;
}
