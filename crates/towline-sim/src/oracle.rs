//! What must be true when a world has come to rest, by what people did and by what lies on disks.
//!
//! The numbers are those of the folder's promises: (1) all replicas are equal, (2) no byte is lost,
//! (3) nothing that nobody wrote, (4) it ends, (5) restart and rescan cause no operation, (7) the
//! index equals the disk and nothing is needed, (8) no delete is invented, and (9) nothing is told
//! before it is durable. (4), (5) and (9) are seen while the world runs.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Content, UnixNanos};
use towline_wire::rel_path::RelPath;

use crate::ledger::Key;
use crate::tree::Tree;
use crate::world::World;

/// A broken rule and what was seen.
type Broken = (&'static str, String);

/// What all replicas must have in common at a path.
pub(crate) type Shown = (Content, Option<UnixNanos>);

/// The trees as people see them: directories and symlinks have no synced time.
pub(crate) fn shown(tree: &Tree) -> BTreeMap<RelPath, Shown> {
    tree.iter()
        .map(|(path, node)| {
            let content = node.kind.content();
            let mtime = matches!(content, Content::File { .. }).then_some(node.mtime);
            (path.clone(), (content, mtime))
        })
        .collect()
}

fn first_difference(
    one: &BTreeMap<RelPath, Shown>,
    other: &BTreeMap<RelPath, Shown>,
) -> Option<String> {
    let paths: BTreeSet<&RelPath> = one.keys().chain(other.keys()).collect();
    paths
        .into_iter()
        .find(|path| one.get(*path) != other.get(*path))
        .map(|path| format!("{path}: {:?} against {:?}", one.get(path), other.get(path)))
}

/// Why the world is not at rest, if it is not: replicas that differ, an index that is not true, or
/// needs that are left.
pub(crate) fn disagreement(world: &mut World) -> Option<Broken> {
    let trees: Vec<_> = world.seats.iter().map(|seat| shown(&seat.tree)).collect();
    for (seat, tree) in trees.iter().enumerate().skip(1) {
        if let Some(difference) = trees
            .first()
            .and_then(|first| first_difference(first, tree))
        {
            return Some((
                "1: all replicas are equal",
                format!("0 against {seat}: {difference}"),
            ));
        }
    }
    let folder = world.folder?;
    for (number, seat) in world.seats.iter_mut().enumerate() {
        let rows: BTreeMap<RelPath, Shown> = seat
            .shelf
            .rows(folder)
            .into_iter()
            .filter(|(_, row)| row.entry.content != Content::Absent)
            .map(|(path, row)| {
                let is_file = matches!(row.entry.content, Content::File { .. });
                (
                    path,
                    (row.entry.content, is_file.then_some(row.entry.mtime)),
                )
            })
            .collect();
        if let Some(difference) = first_difference(&rows, &shown(&seat.tree)) {
            let what = format!("{number}, index against disk: {difference}");
            return Some(("7: the index equals the disk", what));
        }
        let restored = seat.shelf.restored();
        let ours = restored
            .folders
            .iter()
            .find(|ours| ours.record.id == folder);
        let needs = ours.map(|ours| ours.totals.needs);
        if needs != Some(0) {
            return Some(("7: nothing is needed", format!("{number} needs {needs:?}")));
        }
    }
    None
}

/// Everything that must be true at rest.
pub(crate) fn check(world: &mut World, pairs: &[(usize, usize)]) -> Option<Broken> {
    disagreement(world)
        .or_else(|| nothing_lost(world))
        .or_else(|| nothing_invented(world))
        .or_else(|| only_friends(world, pairs))
}

/// What was written and not taken away is there: at its path, as a conflict copy, or somewhere else.
/// Where it was written, something must lie.
fn nothing_lost(world: &World) -> Option<Broken> {
    if world.is_overridden() {
        return None;
    }
    let tree = &world.seats.first()?.tree;
    let mut live: BTreeMap<Key, Vec<&RelPath>> = BTreeMap::new();
    for (path, node) in tree.iter() {
        if let Some(key) = Key::of(&node.kind.content()) {
            live.entry(key).or_default().push(path);
        }
    }
    for birth in world.ledger.living() {
        let places = live.get(&birth.key);
        if birth.key != Key::Directory && places.is_none() {
            let what = format!("{:?}, written at {}, is nowhere", birth.key, birth.path);
            return Some(("2: no byte is lost", what));
        }
        let here = tree.get(&birth.path).is_some();
        let kept = |path: &&RelPath| path.as_str().contains(".conflict-");
        let copied =
            birth.key != Key::Directory && places.is_some_and(|places| places.iter().any(kept));
        if !here && !copied {
            let what = format!("nobody deleted {:?} at {}", birth.key, birth.path);
            return Some(("8: no delete is invented", what));
        }
    }
    None
}

/// What is there was written by somebody.
fn nothing_invented(world: &World) -> Option<Broken> {
    let tree = &world.seats.first()?.tree;
    tree.iter().find_map(|(path, node)| {
        let content = node.kind.content();
        (!world.ledger.was_born(&content)).then(|| {
            (
                "3: nothing that nobody wrote",
                format!("{path} holds {content:?}"),
            )
        })
    })
}

/// Peers are those whose people paired them.
fn only_friends(world: &World, pairs: &[(usize, usize)]) -> Option<Broken> {
    for (number, seat) in world.seats.iter().enumerate() {
        for peer in seat.shelf.restored().peers {
            let other = world.seat_of(peer.id);
            let friends = pairs.iter().any(|(one, two)| {
                (*one == number && Some(*two) == other) || (*two == number && Some(*one) == other)
            });
            if !friends {
                let what = format!("{number} has the peer {other:?}");
                return Some(("only the right code makes peers", what));
            }
        }
    }
    None
}
