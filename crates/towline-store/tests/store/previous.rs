//! Stores of programs that people have: an update opens them, and nothing that is in them is lost.
//!
//! `tests/homes` holds real files, frozen. `0.1.0.db` is the store of a device of that version with a peer and
//! a folder in sync; `schema-1.db` holds the same rows, as far as the first schema had them. Each release adds its own.

use std::fs;
use std::path::Path;

use towline_core::records::Totals;
use towline_store::{Opened, Store};
use towline_wire::ids::{Incarnation, Sequence};

use crate::sample::FRESH;

/// What every one of them holds.
const PEER: &str = "Attic";
const FOLDER: &str = "tree";
const ROOT: &str = "/tmp/mig/tree";

#[test]
fn a_store_of_every_version_before_opens_with_all_that_is_in_it() {
    let homes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/homes");
    let mut lives = Vec::new();
    for file in ["schema-1.db", "0.1.0.db"] {
        let home = tempfile::tempdir().unwrap();
        fs::copy(homes.join(file), home.path().join("towline.db")).unwrap();
        let (store, opened) = Store::open(home.path(), FRESH).unwrap();
        assert_eq!(opened, Opened::Existing, "{file}");
        let first = store.restored().unwrap();
        // A new life would look at everything anew; an update is none.
        assert_ne!(first.incarnation, FRESH, "{file}");
        lives.push(first.incarnation);
        let [peer] = &*first.peers else {
            panic!("{file}: {:?}", first.peers)
        };
        assert_eq!(peer.name.as_str(), PEER, "{file}");
        let [folder] = &*first.folders else {
            panic!("{file}: {:?}", first.folders)
        };
        assert_eq!(folder.record.label.as_str(), FOLDER, "{file}");
        assert_eq!(folder.record.root.0.as_str(), ROOT, "{file}");
        assert!(folder.last_sequence > Sequence(0), "{file}");
        let expected = Totals {
            files: 2,
            directories: 1,
            symlinks: 1,
            bytes: 21,
            ..Totals::default()
        };
        assert_eq!(folder.totals, expected, "{file}");
        assert_eq!(folder.have.len(), 1, "{file}");
        drop(store);
        // The second start of the new version finds what the first one has left.
        let (store, opened) = Store::open(home.path(), Incarnation(7)).unwrap();
        assert_eq!(opened, Opened::Existing, "{file}");
        assert_eq!(store.restored().unwrap(), first, "{file}");
    }
    assert_eq!(lives[0], lives[1]);
}
