//! What must be true when a world has come to rest, by what people did and by what lies on disks.
//!
//! What is seen while the world runs ([`Rule::Ends`], [`Rule::RestartIsSilent`], [`Rule::Durable`],
//! [`Rule::OnlySharers`]) is judged there; everything else is judged here. Devices are held against
//! each other along the edges of the world where the folder is shared. A disk that does not see case
//! may lack a path whose twin lies there, if it says so; then whoever knows only that disk lacks it,
//! too. Times are compared in the steps of the coarser disk.

use std::collections::{BTreeMap, BTreeSet};

use towline_core::io::HeldReason;
use towline_core::records::Reach;
use towline_wire::entry::{Content, UnixNanos};
use towline_wire::rel_path::{MARKER_DIRECTORY, RelPath};

use crate::faults::Times;
use crate::ledger::Key;
use crate::rule::Rule;
use crate::topology::Edge;
use crate::tree::Tree;
use crate::world::World;

/// A broken rule and what was seen.
pub(crate) type Broken = (Rule, String);

/// What all replicas must have in common at a path.
pub(crate) type Shown = (Content, Option<UnixNanos>);

/// The text in the name of a conflict copy.
const MARK: &str = ".conflict-";

/// Whether a name is that of a conflict copy, wherever it lies.
pub(crate) fn is_copy(path: &RelPath) -> bool {
    path.as_str().contains(MARK)
}

/// The trees as people see them: directories and symlinks have no synced time.
pub(crate) fn shown(tree: &Tree) -> BTreeMap<RelPath, Shown> {
    tree.iter()
        .map(|(path, node)| (path.clone(), as_shown(node.kind.content(), node.mtime)))
        .collect()
}

fn as_shown(content: Content, mtime: UnixNanos) -> Shown {
    let mtime = matches!(content, Content::File { .. }).then_some(mtime);
    (content, mtime)
}

fn is_same(one: &Shown, other: &Shown, times: Times) -> bool {
    let step = |mtime: &Option<UnixNanos>| mtime.map(|mtime| mtime.0.div_euclid(times.step()));
    one.0 == other.0 && step(&one.1) == step(&other.1)
}

/// What a seat holds back for its name, as it says.
fn held_names(world: &World, seat: usize) -> BTreeSet<String> {
    held_back(world, seat)
        .into_iter()
        .filter(|(_, reason)| *reason == HeldReason::Name)
        .map(|(path, _)| path)
        .collect()
}

fn held_back(world: &World, seat: usize) -> Vec<(String, HeldReason)> {
    let folders = world.snapshot(seat).map(|snapshot| snapshot.folders);
    folders
        .into_iter()
        .flatten()
        .filter(|folder| Some(folder.record.id) == world.folder)
        .flat_map(|folder| folder.held_back)
        .map(|held| (held.path, held.reason))
        .collect()
}

/// Whether a seat may lack a path: a twin lies in its way, and the seat says that it holds it back.
fn may_lack(tree: &Tree, held: &BTreeSet<String>, path: &RelPath) -> bool {
    let is_held = std::iter::successors(Some(path.clone()), RelPath::parent)
        .any(|part| held.contains(part.as_str()));
    is_held && tree.twin_in_the_way(path).is_some()
}

/// Whether a directory lies at a seat only because of something in it that the other may lack. The
/// other one wanted it gone, and cannot hold what would bring it back there.
fn is_kept_for(there: &Tree, here: &Tree, held: &BTreeSet<String>, path: &RelPath) -> bool {
    let below = there.below(path);
    below.iter().any(|inner| may_lack(here, held, inner))
}

/// Why the world is not at rest, if it is not: replicas that differ, an index that is not true, or
/// needs that are left.
pub(crate) fn disagreement(world: &mut World) -> Option<Broken> {
    let trees: Vec<_> = world.seats.iter().map(|seat| shown(&seat.tree)).collect();
    let held: Vec<_> = (0..trees.len())
        .map(|seat| held_names(world, seat))
        .collect();
    let mut lacking: Vec<BTreeSet<&RelPath>> = vec![BTreeSet::new(); trees.len()];
    // Who has what another one lacks may wait for it.
    let mut waiting = lacking.clone();
    for edge in world.edges.iter().filter(|edge| edge.is_shared()) {
        for (seat, other) in edge.both_ways() {
            let times = coarser(world, edge);
            for (path, there) in &trees[other] {
                let what = match trees[seat].get(path) {
                    Some(here) if is_same(here, there, times) => continue,
                    None if may_lack(&world.seats[seat].tree, &held[seat], path)
                        || is_kept_for(
                            &world.seats[other].tree,
                            &world.seats[seat].tree,
                            &held[seat],
                            path,
                        ) =>
                    {
                        lacking[seat].insert(path);
                        waiting[other].insert(path);
                        continue;
                    }
                    here => format!("{seat} against {other}: {path}: {here:?} against {there:?}"),
                };
                return Some((Rule::Agree, what));
            }
        }
    }
    let given_up: Vec<_> = (0..trees.len())
        .map(|seat| given_up_around(world, seat))
        .collect();
    let may_need: Vec<_> = lacking
        .iter()
        .zip(&waiting)
        .zip(given_up)
        .map(|((lacking, waiting), given_up)| {
            // A directory that others keep only for what it holds is not needed itself.
            let least = u64::from(!lacking.is_empty());
            let most = lacking.union(waiting).count() + given_up;
            least..=most as u64
        })
        .collect();
    for (seat, tree) in trees.iter().enumerate() {
        if let Some(broken) = index_is_disk(world, seat, tree) {
            return Some(broken);
        }
        let restored = world.seats[seat].shelf.restored();
        let ours = restored
            .folders
            .iter()
            .find(|ours| Some(ours.record.id) == world.folder);
        let needs = ours.map(|ours| ours.totals.needs);
        if needs.is_none_or(|needs| !may_need[seat].contains(&needs)) {
            let what = format!("{seat} needs {needs:?} and lacks {:?}", lacking[seat]);
            return Some((Rule::NothingNeeded, what));
        }
    }
    None
}

/// Whether a device asks in vain, now and then, for what people took away where that is told to nobody.
pub(crate) fn something_is_given_up(world: &mut World) -> bool {
    (0..world.seats.len()).any(|seat| given_up_around(world, seat) > 0)
}

/// How much people took away on devices beside this one that only receive: they do not tell, and who has
/// forgotten that it took the same away asks them for it.
fn given_up_around(world: &mut World, seat: usize) -> usize {
    let Some(folder) = world.folder.filter(|_| world.has_forgotten) else {
        return 0;
    };
    let ways = world.edges.iter().filter(|edge| edge.is_shared());
    let beside = ways
        .flat_map(Edge::both_ways)
        .filter(|(one, _)| *one == seat);
    let receivers: Vec<usize> = beside
        .map(|(_, other)| other)
        .filter(|other| world.keeps_to_itself(*other))
        .collect();
    let mut given_up = BTreeSet::new();
    for receiver in receivers {
        world.seats[receiver].shelf.with_rows(folder, |rows| {
            let taken = rows.iter().filter(|(_, row)| {
                row.reach != Reach::Everyone
                    && row.entry.content == Content::Absent
                    && !row.entry.version.is_empty()
            });
            given_up.extend(taken.map(|(path, _)| path.clone()));
        });
    }
    let tree = &world.seats[seat].tree;
    given_up.retain(|path| tree.get(path).is_none());
    given_up.len()
}

fn coarser(world: &World, edge: &Edge) -> Times {
    let times = |seat: usize| world.seats[seat].tree.disk().times;
    let (one, other) = (times(edge.one), times(edge.other));
    if one.step() < other.step() {
        other
    } else {
        one
    }
}

fn index_is_disk(
    world: &mut World,
    seat: usize,
    tree: &BTreeMap<RelPath, Shown>,
) -> Option<Broken> {
    let folder = world.folder?;
    let place = &mut world.seats[seat];
    let times = place.tree.disk().times;
    let rows: BTreeMap<RelPath, Shown> = place.shelf.with_rows(folder, |rows| {
        rows.iter()
            .filter(|(_, row)| row.entry.content != Content::Absent)
            .map(|(path, row)| {
                let shown = as_shown(row.entry.content.clone(), row.entry.mtime);
                (path.clone(), shown)
            })
            .collect()
    });
    let paths: BTreeSet<&RelPath> = rows.keys().chain(tree.keys()).collect();
    let is_wrong = |path: &&&RelPath| match (rows.get(**path), tree.get(**path)) {
        (Some(row), Some(here)) => !is_same(row, here, times),
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    };
    let path = paths.iter().find(is_wrong)?;
    let (row, here) = (rows.get(*path), tree.get(*path));
    let what = format!("{seat}, index against disk: {path}: {row:?} against {here:?}");
    Some((Rule::IndexIsDisk, what))
}

/// Whether something is held back: after a restart it is tried once more.
pub(crate) fn something_is_held_back(world: &World) -> bool {
    (0..world.seats.len()).any(|seat| !held_back(world, seat).is_empty())
}

/// Everything that must be true at rest.
pub(crate) fn check(world: &mut World) -> Option<Broken> {
    disagreement(world)
        .or_else(|| nothing_lost(world))
        .or_else(|| nothing_invented(world))
        .or_else(|| deletes_stay(world))
        .or_else(|| conflicts_stay(world))
        .or_else(|| nothing_strays(world))
        .or_else(|| held_is_told(world))
        .or_else(|| only_friends(world))
}

/// What was written and not taken away is there: at its path, as a conflict copy, or somewhere else.
/// Where it was written, something must lie, or it lies where a file was moved from there.
fn nothing_lost(world: &World) -> Option<Broken> {
    if world.is_overridden() {
        return None;
    }
    let mut live: BTreeMap<Key, BTreeSet<&RelPath>> = BTreeMap::new();
    let mut paths: BTreeSet<&RelPath> = BTreeSet::new();
    for (path, node) in world.seats.iter().flat_map(|seat| seat.tree.iter()) {
        paths.insert(path);
        if let Some(key) = Key::of(&node.kind.content()) {
            live.entry(key).or_default().insert(path);
        }
    }
    for birth in world.ledger.living() {
        // Who has not noted a step takes what people write after it for an edit of what it took away.
        // Who has forgotten that bytes were replaced takes them for the old ones when people bring them back
        // to where they were.
        let may_seem_old =
            || world.ledger.may_seem_overtaken(birth) || world.ledger.was_brought_back(birth);
        if world.has_forgotten && may_seem_old() {
            continue;
        }
        let places = live.get(&birth.key);
        if birth.key != Key::Directory && places.is_none() {
            let what = format!("{:?}, written at {}, is nowhere", birth.key, birth.path);
            return Some((Rule::NothingLost, what));
        }
        let here = paths.contains(&birth.path);
        let kept = |path: &&RelPath| is_copy(path);
        let copied =
            birth.key != Key::Directory && places.is_some_and(|places| places.iter().any(kept));
        let follows = |place: &&RelPath| world.ledger.leads(&birth.path, place);
        let followed = places.is_some_and(|places| places.iter().any(follows));
        if !here && !copied && !followed {
            let what = format!("nobody deleted {:?} at {}", birth.key, birth.path);
            return Some((Rule::NoInventedDelete, what));
        }
    }
    None
}

/// What is there was written by somebody, or is all that a power cut has left of it.
fn nothing_invented(world: &World) -> Option<Broken> {
    let all = world.seats.iter().flat_map(|seat| seat.tree.iter());
    all.map(|(path, node)| (path, node.kind.content()))
        .find(|(_, content)| !world.ledger.was_born(content) && !world.is_all_that_is_left(content))
        .map(|(path, content)| (Rule::NoPhantom, format!("{path} holds {content:?}")))
}

/// What a person took away stays away, unless somebody brought it back. Who loses a store takes part
/// anew, and who is killed or paused before it has noted a step takes what the step made for an edit: both may
/// bring back what others delete meanwhile. Directories return with what lies in them. Who decides for a losing
/// version moves it back to where it lost: there it may lose anew, and is kept anew.
fn deletes_stay(world: &World) -> Option<Broken> {
    if world.has_forgotten || world.is_overridden() {
        return None;
    }
    for (number, seat) in world.seats.iter().enumerate() {
        for (path, node) in seat.tree.iter().filter(|(_, node)| !node.is_directory()) {
            let content = node.kind.content();
            let lost = conflicted(path);
            let may_lose_anew = lost.is_some_and(|lost| world.ledger.has_arrived(&content, &lost));
            if world.ledger.is_gone(&content, path) && !may_lose_anew {
                let what = format!("{number} has {path} with {content:?} again");
                return Some((Rule::DeleteStays, what));
            }
        }
    }
    None
}

/// Where what a copy beside a file holds has lost.
fn conflicted(copy: &RelPath) -> Option<RelPath> {
    let (stem, rest) = copy.file_name().split_once(MARK)?;
    let extension = rest.find('.').and_then(|dot| rest.get(dot..));
    let name = format!("{stem}{}", extension.unwrap_or_default());
    let path = match copy.parent() {
        Some(directory) => format!("{directory}/{name}"),
        None => name,
    };
    RelPath::parse(&path).ok()
}

/// The same losing bytes of one path are kept once, whoever kept them. Where a power cut has taken a copy it
/// comes back, and what loses again before that is kept under another name.
fn conflicts_stay(world: &World) -> Option<Broken> {
    for seat in &world.seats {
        let mut copies: BTreeMap<(Option<RelPath>, String, Key), &RelPath> = BTreeMap::new();
        for (path, node) in seat.tree.iter() {
            let content = node.kind.content();
            let Some((original, rest)) = path.file_name().split_once(MARK) else {
                continue;
            };
            // Two who wrote the same bytes lose twice: a copy bears its author's name.
            let author = rest.split_once('-').map_or(rest, |(author, _)| author);
            // Where a person wrote to a copy, the next one finds its name taken.
            let is_ours = !world.ledger.was_written_at(path) && !world.was_spoiled(path);
            let Some(key) = Key::of(&content).filter(|_| is_ours) else {
                continue;
            };
            let copy = (path.parent(), format!("{original}{MARK}{author}"), key);
            if let Some(first) = copies.insert(copy, path) {
                let what = format!("{first} and {path} keep the same bytes");
                return Some((Rule::ConflictsStay, what));
            }
        }
    }
    None
}

/// Nothing lies where nothing may.
fn nothing_strays(world: &World) -> Option<Broken> {
    for (number, seat) in world.seats.iter().enumerate() {
        let tree = &seat.tree;
        // What a disk cannot hold is tried once after each start, and its bytes may come slowly.
        let used = seat.used_temporary();
        if let Some(left) = tree.temporary.iter().find(|left| !used.contains(left)) {
            let what = format!("{number} has the temporary file {left}");
            return Some((Rule::NoLitter, what));
        }
        if let Some(what) = tree.strayed.first() {
            return Some((Rule::InsideRoot, format!("{number}: {what}")));
        }
        let is_ours = |path: &RelPath| path.components().next() == Some(MARKER_DIRECTORY);
        let strays = |path: &RelPath| is_ours(path) && !path.is_in_inbox();
        if let Some((path, _)) = tree.iter().find(|(path, _)| strays(path)) {
            return Some((Rule::InsideRoot, format!("{number} has synced {path}")));
        }
    }
    None
}

/// When all is well only twins are held back.
fn held_is_told(world: &World) -> Option<Broken> {
    for (number, seat) in world.seats.iter().enumerate() {
        let is_due = |path: &str, reason| {
            let path = RelPath::parse(path).ok();
            let twin = path.and_then(|path| seat.tree.twin_in_the_way(&path));
            reason == HeldReason::Name && twin.is_some()
        };
        let told = held_back(world, number);
        if let Some((path, reason)) = told.iter().find(|(path, reason)| !is_due(path, *reason)) {
            let what = format!("{number} still holds back {path} as {reason:?}");
            return Some((Rule::HeldIsTold, what));
        }
    }
    None
}

/// Peers are those whose people paired them.
fn only_friends(world: &World) -> Option<Broken> {
    for (number, seat) in world.seats.iter().enumerate() {
        for peer in seat.shelf.restored().peers {
            let other = world.seat_of(peer.id);
            let friends = world
                .edges
                .iter()
                .any(|edge| other.is_some_and(|other| edge.joins(number, other)));
            if !friends {
                let what = format!("{number} has the peer {other:?}");
                return Some((Rule::OnlyFriends, what));
            }
        }
    }
    None
}
