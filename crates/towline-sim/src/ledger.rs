//! What people did: the only truth that the oracle believes.
//!
//! A *birth* is content that a person wrote at a path. It is *consumed* when a person, looking at
//! those bytes on the disk of any device, deletes or replaces them. What was born and not consumed
//! must live somewhere at the end; what lives at the end must have been born.
//!
//! Who moves a file writes nothing new. So bytes that a person moved count as taken away, too, when somebody
//! else takes them away under a name that they had before and writes a file there themselves: that is an edit,
//! and it follows to where they lie now. What was born at a name from which somebody moved a file may lie there.
//!
//! Who takes something away and brings the same back to the same place, perhaps while nobody looks,
//! takes back only what they did themselves: another person's delete in between stands.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::Content;
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use crate::oracle::is_copy;

/// What counts as the same content: the executable bit and times are beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    File(ContentHash),
    Link(String),
    Directory,
}

/// Content that a person wrote at a path.
#[derive(Debug, Clone)]
pub(crate) struct Birth {
    pub(crate) key: Key,
    pub(crate) path: RelPath,
    /// The seats whose people have written it.
    by: BTreeSet<usize>,
    /// The seats whose people have taken it away.
    consumed_by: BTreeSet<usize>,
    /// The seats whose people, looking at it, have written another file over it where it was born.
    edited_by: BTreeSet<usize>,
    end: End,
}

/// How surely content that was born at a path is away from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody took it away.
    Open,
    /// Somebody wrote it again or changed what is beside its bytes: who takes it away need not know of
    /// that, and then it stays.
    Doubtful,
    /// A person took it away from where it was born, and nobody else has touched it.
    Gone,
}

/// All births.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    births: Vec<Birth>,
    by_key: BTreeMap<Key, Vec<usize>>,
    /// What a seat's person took away from where nobody had written it, and what counts as consumed
    /// by that.
    taken: BTreeMap<(Key, RelPath, usize), Vec<usize>>,
    /// From where to where people have moved files, and who has moved what there.
    moves: BTreeMap<RelPath, BTreeSet<RelPath>>,
    moved: BTreeMap<(Key, RelPath), BTreeSet<usize>>,
    /// What people have moved, and to where.
    arrivals: BTreeSet<(Key, RelPath)>,
    /// Where somebody has written of whom nobody else hears.
    written_alone: BTreeSet<RelPath>,
}

impl Key {
    pub(crate) fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Absent => None,
            Content::File { hash, .. } => Some(Self::File(*hash)),
            Content::Symlink { target } => Some(Self::Link(target.as_str().to_owned())),
            Content::Directory => Some(Self::Directory),
        }
    }
}

impl Ledger {
    /// Somebody at a seat wrote this at this path.
    pub(crate) fn born(&mut self, content: &Content, path: &RelPath, seat: usize) {
        let Some(key) = Key::of(content) else { return };
        if let Some(birth) = self.born_at(&key, path) {
            birth.by.insert(seat);
            birth.consumed_by.remove(&seat);
            birth.end = End::Doubtful;
            return;
        }
        if let Some(consumed) = self.taken.remove(&(key.clone(), path.clone(), seat)) {
            // Brought back to where it was: only what this person did is taken back.
            for at in consumed {
                if let Some(birth) = self.births.get_mut(at) {
                    birth.consumed_by.remove(&seat);
                    birth.end = End::Doubtful;
                }
            }
            return;
        }
        let of_key = self.by_key.entry(key.clone()).or_default();
        of_key.push(self.births.len());
        let (path, consumed_by) = (path.clone(), BTreeSet::new());
        self.births.push(Birth {
            key,
            path,
            by: BTreeSet::from([seat]),
            consumed_by,
            edited_by: BTreeSet::new(),
            end: End::Open,
        });
    }

    /// What was born at a path; at most one birth of each content.
    fn born_at(&mut self, key: &Key, path: &RelPath) -> Option<&mut Birth> {
        let of_key = self.by_key.get(key)?;
        let is_here = |at: &&usize| {
            self.births
                .get(**at)
                .is_some_and(|birth| birth.path == *path)
        };
        let at = *of_key.iter().find(is_here)?;
        self.births.get_mut(at)
    }

    /// A person took this away from this path, where it was born or to where it has followed. Bytes at a path
    /// where they were never born are a conflict copy or a directory's move that crossed with theirs: then it
    /// may have been the last of them, and all births of these bytes count as consumed. So it is at the name of a
    /// conflict copy to which a person has moved them: the same bytes that lose elsewhere later are kept by what lies there.
    pub(crate) fn consumed(&mut self, content: &Content, path: &RelPath, seat: usize) {
        let Some(key) = Key::of(content) else { return };
        let Some(of_key) = self.by_key.get(&key) else {
            return;
        };
        let births = || {
            let known = of_key.iter().copied();
            known.filter_map(|at| Some((at, &self.births.get(at)?.path)))
        };
        let here = births().any(|(_, born)| born == path);
        let may_be_last = (!here || is_copy(path)) && key != Key::Directory;
        // What was written under a former name may have followed here.
        let may_be_it = |born: &RelPath| born == path || may_be_last || self.leads(born, path);
        let all: Vec<usize> = births()
            .filter(|(_, born)| may_be_it(born))
            .map(|(at, _)| at)
            .collect();
        let mut newly = Vec::new();
        for at in all {
            if let Some(birth) = self.births.get_mut(at) {
                if birth.consumed_by.insert(seat) {
                    newly.push(at);
                }
                if birth.path == *path {
                    birth.end = match birth.end {
                        End::Open | End::Gone => End::Gone,
                        End::Doubtful => End::Doubtful,
                    };
                }
            }
        }
        if !here {
            self.taken.insert((key, path.clone(), seat), newly);
        }
    }

    /// A person wrote a file over another one.
    pub(crate) fn edited(&mut self, before: &Content, path: &RelPath, seat: usize) {
        let Some(key @ Key::File(_)) = Key::of(before) else {
            return;
        };
        if let Some(birth) = self.born_at(&key, path) {
            birth.edited_by.insert(seat);
        }
    }

    /// A person moved this; where it is a file, what others write under its name follows it.
    pub(crate) fn moved(&mut self, content: &Content, from: &RelPath, to: &RelPath, seat: usize) {
        let Some(key) = Key::of(content) else { return };
        self.arrivals.insert((key.clone(), to.clone()));
        if !matches!(key, Key::File(_)) {
            return;
        }
        let places = self.moves.entry(from.clone()).or_default();
        places.insert(to.clone());
        let movers = self.moved.entry((key, to.clone())).or_default();
        movers.insert(seat);
    }

    /// Everywhere to where a file may have been moved that lay at a path.
    fn places_after(&self, path: &RelPath) -> BTreeSet<&RelPath> {
        let mut places = BTreeSet::new();
        let mut next: Vec<&RelPath> = self.moves.get(path).into_iter().flatten().collect();
        while let Some(place) = next.pop() {
            if places.insert(place) {
                next.extend(self.moves.get(place).into_iter().flatten());
            }
        }
        places
    }

    /// Whether what was born at a path may lie at another one because a file was moved from here to there.
    pub(crate) fn leads(&self, from: &RelPath, to: &RelPath) -> bool {
        self.places_after(from).contains(to)
    }

    /// Whether these moved bytes were replaced under a name that they had before: by somebody who wrote over
    /// them there, or who took them away and wrote a file there. Who moved them takes them away, too.
    fn is_overtaken(&self, birth: &Birth) -> bool {
        self.formers(birth).any(|(former, movers)| {
            let writers = self.writers_on_the_way(former, birth);
            let mut others = others_than(movers, &former.consumed_by);
            !former.edited_by.is_empty() || others.any(|seat| writers.contains(seat))
        })
    }

    /// Whether somebody who had not moved these bytes wrote a file under a name that they had before, be it that
    /// they were moved or have followed a file that was. A device that has not noted that it took them away
    /// there takes that for an edit of them.
    pub(crate) fn may_seem_overtaken(&self, birth: &Birth) -> bool {
        let was_moved_under = self.formers(birth).any(|(former, movers)| {
            let writers = self.writers_on_the_way(former, birth);
            others_than(movers, &writers).next().is_some()
        });
        was_moved_under || self.is_written_after(birth)
    }

    /// Whether a file was moved from where this was born, and another one written there later.
    fn is_written_after(&self, birth: &Birth) -> bool {
        let is_this = |other: &&Birth| other.path == birth.path && other.key == birth.key;
        let mut later = self.births.iter().skip_while(|other| !is_this(other));
        let is_file_here = |other: &Birth| {
            other.path == birth.path && other.key != birth.key && matches!(other.key, Key::File(_))
        };
        self.moves.contains_key(&birth.path) && later.any(is_file_here)
    }

    /// Whether somebody moved these bytes back to where they had been written.
    pub(crate) fn was_brought_back(&self, birth: &Birth) -> bool {
        let here = (birth.key.clone(), birth.path.clone());
        self.arrivals.contains(&here)
    }

    /// Whether somebody moved this here.
    pub(crate) fn has_arrived(&self, content: &Content, path: &RelPath) -> bool {
        let key = Key::of(content);
        key.is_some_and(|key| self.arrivals.contains(&(key, path.clone())))
    }

    /// The same bytes at names from which they were moved to where these lie, and who has moved them here.
    fn formers<'a>(
        &'a self,
        birth: &'a Birth,
    ) -> impl Iterator<Item = (&'a Birth, &'a BTreeSet<usize>)> {
        let movers = self.moved.get(&(birth.key.clone(), birth.path.clone()));
        movers.into_iter().flat_map(move |movers| {
            let of_key = self.by_key.get(&birth.key).into_iter().flatten();
            of_key
                .filter_map(|at| self.births.get(*at))
                .filter(|former| self.leads(&former.path, &birth.path))
                .map(move |former| (former, movers))
        })
    }

    /// Who wrote a file where these bytes were born, or on their way from there to where they were moved.
    fn writers_on_the_way(&self, former: &Birth, moved: &Birth) -> BTreeSet<usize> {
        let mut names = self.places_after(&former.path);
        names.retain(|name| self.leads(name, &moved.path));
        names.insert(&former.path);
        let is_file = |other: &&Birth| matches!(other.key, Key::File(_));
        self.births
            .iter()
            .filter(|other| names.contains(&other.path) && other.key != former.key)
            .filter(is_file)
            .flat_map(|other| other.by.iter().copied())
            .collect()
    }

    /// A person took away what a power cut had left of this: it may be gone now, or come back.
    pub(crate) fn doubted(&mut self, content: &Content, path: &RelPath, seat: usize) {
        let Some(key) = Key::of(content) else { return };
        let Some(of_key) = self.by_key.get(&key) else {
            return;
        };
        let is_here = |at: &usize| {
            self.births
                .get(*at)
                .is_some_and(|birth| birth.path == *path)
        };
        // As with what is consumed: here it may have been the last of it.
        let may_be_last = is_copy(path) || !of_key.iter().any(is_here);
        for at in of_key {
            if let Some(birth) = self.births.get_mut(*at)
                && (birth.path == *path || may_be_last)
            {
                birth.consumed_by.insert(seat);
                birth.end = End::Doubtful;
            }
        }
    }

    /// A person took away what may be the last of these bytes, where that is told to nobody: they need not
    /// live anywhere, and may.
    pub(crate) fn given_up(&mut self, content: &Content, seat: usize) {
        let Some(key) = Key::of(content) else { return };
        for at in self.by_key.get(&key).into_iter().flatten() {
            if let Some(birth) = self.births.get_mut(*at) {
                birth.consumed_by.insert(seat);
            }
        }
    }

    /// A person changed what is beside the bytes: whoever takes them away elsewhere, not knowing of it,
    /// may find them there again.
    pub(crate) fn touched(&mut self, content: &Content, path: &RelPath) {
        let Some(key) = Key::of(content) else { return };
        if let Some(birth) = self.born_at(&key, path) {
            birth.end = End::Doubtful;
        }
    }

    /// Whether a person took this away from here for good. What somebody wrote, or changed beside its bytes,
    /// under a name from which a file was moved here may have followed, and stays then.
    pub(crate) fn is_gone(&self, content: &Content, path: &RelPath) -> bool {
        let Some(key) = Key::of(content) else {
            return false;
        };
        let of_key = self.by_key.get(&key).into_iter().flatten();
        let births = of_key.filter_map(|at| self.births.get(*at));
        let mut followed = births.clone().filter(|birth| birth.end != End::Gone);
        let may_follow = followed.any(|birth| self.leads(&birth.path, path));
        let mut gone = births.filter(|birth| birth.path == *path && birth.end == End::Gone);
        !may_follow && gone.any(|birth| !self.may_be_in_a_circle(birth))
    }

    /// Whether what was taken away may have met two others in a circle: one has won over it, the other one was
    /// written over that, and loses against it. Then two records know of each other, and no longer of what:
    /// that one of them was taken away cannot be told from its having lost, so it comes back rather than being lost.
    fn may_be_in_a_circle(&self, gone: &Birth) -> bool {
        let is_other = |birth: &&Birth| birth.path == gone.path && birth.key != gone.key;
        let by_another = |by: &BTreeSet<usize>| by.difference(&gone.by).next().is_some();
        let mut others = self.births.iter().filter(is_other);
        others.any(|birth| by_another(&birth.by) && by_another(&birth.edited_by))
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = &Birth> {
        self.births
            .iter()
            .filter(|birth| birth.consumed_by.is_empty() && !self.is_overtaken(birth))
    }

    /// Whether nobody has taken this away from a path; where it was not born there, from nowhere.
    pub(crate) fn lives(&self, content: &Content, path: &RelPath) -> bool {
        let Some(key) = Key::of(content) else {
            return false;
        };
        let of_key = self.by_key.get(&key).into_iter().flatten();
        let is_here = |birth: &&Birth| birth.path == *path;
        let here = of_key
            .filter_map(|at| self.births.get(*at))
            .any(|birth| is_here(&birth));
        let mut living = self.living().filter(|birth| birth.key == key);
        living.any(|birth| !here || is_here(&birth))
    }

    /// Somebody wrote at a path where the folder only receives: it is no birth, and takes the name there.
    pub(crate) fn written_alone(&mut self, path: &RelPath) {
        self.written_alone.insert(path.clone());
    }

    /// Whether a person ever wrote at this path.
    pub(crate) fn was_written_at(&self, path: &RelPath) -> bool {
        let mut births = self.births.iter();
        births.any(|birth| birth.path == *path) || self.written_alone.contains(path)
    }

    pub(crate) fn was_born(&self, content: &Content) -> bool {
        Key::of(content).is_none_or(|key| self.by_key.contains_key(&key))
    }
}

/// Those seats of which one that moved something is another one: where two moved it, each is to the other.
fn others_than<'a>(
    movers: &'a BTreeSet<usize>,
    seats: &'a BTreeSet<usize>,
) -> impl Iterator<Item = &'a usize> {
    let is_other = |seat: &&usize| movers.len() > 1 || !movers.contains(seat);
    seats.iter().filter(is_other)
}

#[cfg(test)]
mod tests;
