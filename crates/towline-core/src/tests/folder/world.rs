//! A small world for folders: stores, disks and links in memory, every delay drawn from one seed.

mod agree;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::entry::{Actor, Attributes, Content, Entry, SymlinkTarget, UnixNanos};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::peer::Control;
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::rules::{RULES_FILE, RuleSet, Rules, RulesMark, Shape};
use crate::folder::{Folder, FolderInput};
use crate::io::{
    ApplyId, DiskEvent, DiskRequest, Expected, Found, HeldReason, IndexOf, NeedsOf, NetworkRequest,
    Outcome, Output, PageEnd, RootFault, ScanId, ScanScope, Step, StoreRequest,
};
use crate::outbox::Outbox;
use crate::records::{
    AttributeKeeping, Beside, BrakeRecord, Contact, Departure, DiskStamp, Doubt, Elsewhere,
    FolderRecord, FolderSettings, Moved, Need, OurRow, Place, Reach, RestoredFolder, RootPath,
    StoreOp, Totals,
};

pub(crate) use store::Store;
use store::{hash_of, perform};

pub(crate) const FOLDER: FolderId = FolderId::from_bytes([7; 16]);

pub(crate) fn device(name: u8) -> DeviceId {
    DeviceId::from_public_key([name; 32])
}

pub(crate) fn actor(name: u8) -> Actor {
    Actor {
        device: device(name),
        incarnation: Incarnation(1),
    }
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

pub(crate) fn hash(text: &str) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(text.as_bytes()).as_bytes())
}

pub(crate) fn file(text: &str) -> Content {
    Content::File {
        size: text.len() as u64,
        hash: hash(text),
        executable: false,
        attributes: Attributes::default(),
    }
}

pub(crate) fn symlink(text: &str) -> Content {
    Content::Symlink {
        target: SymlinkTarget::parse(text).unwrap(),
    }
}

fn parent_entry(at: &RelPath) -> Option<RelPath> {
    at.parent().filter(|_| !at.is_in_inbox())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mtime: UnixNanos,
    stamp: DiskStamp,
}

/// Whether our own writes come back through the watcher.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Echo {
    #[default]
    Heard,
    Silent,
}

/// Whether a filesystem keeps attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Holds {
    #[default]
    Attributes,
    NoAttributes,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) nodes: BTreeMap<RelPath, Node>,
    writes: u64,
    scan: Option<(ScanId, VecDeque<RelPath>)>,
    applies: Vec<(ApplyId, VecDeque<Step>)>,
    pub(crate) events: VecDeque<DiskEvent>,
    pub(crate) fault: Option<RootFault>,
    /// What it does not let anybody make or remove.
    pub(crate) refuses: BTreeMap<RelPath, HeldReason>,
    pub(crate) echo: Echo,
    pub(crate) scans: u64,
    doubt: Doubt,
    /// What is absent and was removed by nobody.
    pub(crate) lost: BTreeSet<RelPath>,
    pub(crate) steps: u64,
    /// Files that got another name as one.
    pub(crate) moves: u64,
    heeded: Rules,
    keeping: AttributeKeeping,
    /// Whether its filesystem keeps attributes at all.
    pub(crate) holds: Holds,
    /// Texts that rules files may have, by hash: nodes know their hash alone.
    texts: BTreeMap<ContentHash, String>,
    told: RuleSet,
}

impl Disk {
    pub(crate) fn put(&mut self, at: &RelPath, content: Content, mtime: i64) {
        self.writes += 1;
        let mtime = UnixNanos(mtime);
        let stamp = DiskStamp {
            size: 0,
            mtime,
            ctime: UnixNanos(0),
            file_id: self.writes,
            beside: Beside::Unasked,
        };
        self.nodes.insert(
            at.clone(),
            Node {
                content,
                mtime,
                stamp,
            },
        );
    }

    /// What is known of attributes where they are looked at.
    fn beside(&self) -> Beside {
        match (self.keeping, self.holds) {
            (AttributeKeeping::Off, _) => Beside::Unasked,
            (AttributeKeeping::On, Holds::Attributes) => Beside::Shown,
            (AttributeKeeping::On, Holds::NoAttributes) => Beside::Unheld,
        }
    }

    /// A content as it can be read, or written, here.
    fn through(&self, content: &Content) -> Content {
        match self.beside() {
            Beside::Shown => content.clone(),
            Beside::Unasked | Beside::Unheld => {
                content.clone().with_attributes(Attributes::default())
            }
        }
    }

    fn is_as_known(&self, row: &OurRow, node: &Node) -> bool {
        row.stamp.is_some_and(|stamp| {
            stamp == node.stamp && (self.beside() != Beside::Shown || stamp.beside == Beside::Shown)
        })
    }

    pub(crate) fn remove(&mut self, at: &RelPath) {
        self.nodes
            .retain(|path, _| path != at && !path.is_below(at));
    }

    /// Steps that were given and are not carried out.
    pub(crate) fn steps(&self) -> usize {
        self.applies.iter().map(|(_, steps)| steps.len()).sum()
    }

    pub(crate) fn disturb(&mut self, at: &RelPath) {
        let scope = ScanScope::Paths(BTreeSet::from([at.clone()]));
        self.events.push_back(DiskEvent::Disturbed(scope));
    }

    fn is_directory(&self, at: &RelPath) -> bool {
        self.nodes
            .get(at)
            .is_some_and(|node| node.content == Content::Directory)
    }

    /// Makes what is missing above a path; `false` where something else is in the way. Directories in
    /// the conflict inbox are no entries.
    fn make_parents(&mut self, at: &RelPath) -> bool {
        let Some(parent) = parent_entry(at) else {
            return true;
        };
        if !self.nodes.contains_key(&parent) && self.make_parents(&parent) {
            self.put(&parent, Content::Directory, 0);
        }
        self.is_directory(&parent)
    }

    fn request(&mut self, request: DiskRequest, rows: &BTreeMap<RelPath, OurRow>) {
        match request {
            DiskRequest::Heed(rules) => self.heeded = rules,
            DiskRequest::KeepAttributes(keeping) => self.keeping = keeping,
            DiskRequest::Open(_) => {
                self.heeded = Rules::default();
                self.keeping = AttributeKeeping::Off;
                self.tell_rules();
                self.events
                    .push_back(DiskEvent::Root(self.fault.map_or(Ok(None), Err)));
            }
            DiskRequest::Scan(id, scope, doubt) => {
                self.doubt = doubt;
                self.scans += 1;
                self.tell_rules();
                let all = self
                    .nodes
                    .keys()
                    .chain(rows.keys())
                    .cloned()
                    .collect::<BTreeSet<_>>();
                let paths = match scope {
                    ScanScope::All => all.into_iter().collect(),
                    ScanScope::Paths(paths) => all
                        .into_iter()
                        .filter(|at| {
                            let known = rows.get(at).map(|row| &row.entry.content);
                            let on_the_way = known != Some(&Content::Directory);
                            paths.iter().any(|path| {
                                at == path || at.is_below(path) || on_the_way && path.is_below(at)
                            })
                        })
                        .collect(),
                };
                self.scan = Some((id, paths));
                // Two pages are out at a time, as on a real disk.
                self.scan_page(rows);
                self.scan_page(rows);
            }
            DiskRequest::ContinueScan(_) => self.scan_page(rows),
            DiskRequest::Apply(id, steps) => {
                self.applies.push((id, steps.into()));
                let mut taken = BTreeSet::new();
                for step in self.applies.iter().flat_map(|(_, steps)| steps) {
                    assert!(taken.insert(&step.path), "two steps at {}", step.path);
                }
            }
            DiskRequest::NoteAge(_) => {}
            DiskRequest::Close => {
                self.scan = None;
                self.applies.clear();
            }
            DiskRequest::Prepare { .. } => panic!("not asked by a folder"),
        }
    }

    pub(crate) fn shared_text(&self) -> String {
        let node = self.nodes.get(&path(RULES_FILE));
        let hash = node.and_then(|node| hash_of(&node.content));
        hash.map_or(String::new(), |hash| self.texts[&hash].clone())
    }

    /// Tells the shared rules when they are others than were told.
    fn tell_rules(&mut self) {
        let text = self.shared_text();
        if self.told.text() != text {
            self.told = RuleSet::parse(&text);
            self.events
                .push_back(DiskEvent::SharedRules(self.told.clone()));
        }
    }

    pub(crate) fn is_ignored(&self, at: &RelPath) -> bool {
        let content = self.nodes.get(at).map(|node| &node.content);
        let shape = content.map_or(Shape::Other, Shape::of);
        self.heeded.ignore(at, shape)
    }

    /// Four paths to a page, so that small trees have several.
    fn scan_page(&mut self, rows: &BTreeMap<RelPath, OurRow>) {
        let Some((scan, mut paths)) = self.scan.take() else {
            return;
        };
        let (mut found, mut absent, mut overlooked) = (Vec::new(), Vec::new(), Vec::new());
        let mut lost = Vec::new();
        for at in paths.drain(..paths.len().min(4)) {
            let row = rows.get(&at);
            let live = row.is_some_and(|row| row.entry.content != Content::Absent);
            let shape = row.map_or(Shape::Other, |row| Shape::of(&row.entry.content));
            if self.is_ignored(&at) || live && self.heeded.ignore(&at, shape) {
                if row.is_some_and(|row| row.stamp.is_some()) {
                    overlooked.push(at);
                }
                continue;
            }
            match self.nodes.get(&at) {
                None if live && self.lost.contains(&at) => lost.push(at),
                None if live => absent.push(at),
                None => {}
                Some(node)
                    if live
                        && self.is_as_known(row.unwrap(), node)
                        && !self.doubt.covers(node.stamp) => {}
                Some(Node {
                    content,
                    mtime,
                    stamp,
                }) => found.push(Found {
                    path: at,
                    content: self.through(content),
                    mtime: *mtime,
                    stamp: stamp.beside(self.beside()),
                }),
            }
        }
        let end = if paths.is_empty() {
            PageEnd::End
        } else {
            PageEnd::More
        };
        self.events.push_back(DiskEvent::Scanned {
            scan,
            found,
            absent,
            lost,
            overlooked,
            held_back: vec![],
            end,
        });
        if end == PageEnd::More {
            self.scan = Some((scan, paths));
        }
    }

    fn carry_out(&mut self, step: &Step, reachable: &BTreeSet<ContentHash>) -> Outcome {
        self.steps += 1;
        let made = Shape::of(&step.content);
        if self.is_ignored(&step.path) || self.heeded.ignore(&step.path, made) {
            return Outcome::Held(HeldReason::Ignored);
        }
        if let Some(reason) = self.refuses.get(&step.path) {
            return Outcome::Held(*reason);
        }
        let lies = self.nodes.get(&step.path).cloned();
        let as_expected = match (&lies, step.expected) {
            (None, Expected::Nothing) => true,
            (Some(node), Expected::Directory) => node.content == Content::Directory,
            (Some(node), Expected::Stamped(stamp)) => node.stamp == stamp,
            (None, Expected::Directory | Expected::Stamped(_)) | (Some(_), Expected::Nothing) => {
                false
            }
        };
        let parent_stands = step.content == Content::Absent || self.make_parents(&step.path);
        let occupant = step.keep.as_ref().and_then(|keep| self.nodes.get(keep));
        let has_room = occupant.is_none_or(|occupant| {
            lies.as_ref()
                .is_some_and(|node| node.content.same_bytes(&occupant.content))
        });
        if !as_expected || !has_room || !parent_stands {
            return Outcome::Stale;
        }
        if let Some(hash) = hash_of(&step.content)
            && !reachable.contains(&hash)
            && !self
                .nodes
                .values()
                .any(|node| hash_of(&node.content) == Some(hash))
        {
            return Outcome::NoSource;
        }
        if self.nodes.keys().any(|at| at.is_below(&step.path)) {
            assert_eq!(
                step.content,
                Content::Absent,
                "a directory is replaced in one step"
            );
            let mut below = self.nodes.keys().filter(|at| at.is_below(&step.path));
            // A directory that is not ignored holds nothing else, or is of no account.
            if below.all(|at| self.is_ignored(at) || self.is_directory(at)) {
                return Outcome::Held(HeldReason::Ignored);
            }
            return Outcome::NotEmpty;
        }
        let kept = step.keep.clone().zip(lies).map(|(path, node)| {
            let node = self.nodes.entry(path.clone()).or_insert(node).clone();
            Found {
                path,
                content: self.through(&node.content),
                mtime: node.mtime,
                stamp: node.stamp.beside(self.beside()),
            }
        });
        self.nodes.remove(&step.path);
        if step.content == Content::Absent {
            return Outcome::Done { stamp: None, kept };
        }
        self.put(&step.path, self.through(&step.content), step.mtime.0);
        let stamp = Some(self.nodes[&step.path].stamp.beside(self.beside()));
        if self.echo == Echo::Heard {
            self.disturb(&step.path);
        }
        Outcome::Done { stamp, kept }
    }

    /// A file that only changes its name is moved where nothing stands against it, else copied; and
    /// goes from its old name if the new one was made.
    fn move_or_copy(
        &mut self,
        step: &Step,
        removal: &Step,
        reachable: &BTreeSet<ContentHash>,
    ) -> Vec<(RelPath, Outcome)> {
        let from = self.nodes.get(&removal.path).cloned();
        let from = from.filter(|node| {
            let has_attributes = node.content == self.through(&step.content);
            removal.expected == Expected::Stamped(node.stamp)
                && (self.beside() != Beside::Shown || has_attributes)
        });
        if let Some(node) = &from {
            let is_same = node.content.same_beside_attributes(&step.content);
            assert!(is_same, "something else is moved");
            assert_eq!(node.mtime, step.mtime, "its time is another");
        }
        let mut made = self.carry_out(step, reachable);
        let is_made = matches!(made, Outcome::Done { .. });
        if let (
            Outcome::Done {
                stamp: Some(stamp), ..
            },
            Some(node),
        ) = (&mut made, from)
        {
            self.moves += 1;
            stamp.file_id = node.stamp.file_id;
            self.nodes.get_mut(&step.path).unwrap().stamp.file_id = stamp.file_id;
        }
        let gone = if is_made {
            self.carry_out(removal, reachable)
        } else {
            Outcome::Stale
        };
        vec![(step.path.clone(), made), (removal.path.clone(), gone)]
    }
}

#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) id: DeviceId,
    pub(crate) folder: Folder,
    pub(crate) store: Store,
    pub(crate) disk: Disk,
    outbox: Outbox,
    /// What the store has not done yet.
    requests: VecDeque<StoreRequest>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) wires: BTreeMap<(usize, usize), VecDeque<Control>>,
    pub(crate) linked: BTreeSet<(usize, usize)>,
    rng: ChaCha8Rng,
    pub(crate) hangups: u64,
}

impl World {
    /// Devices 1, 2, ... with empty folders, all linked, at rest.
    pub(crate) fn new(devices: u8, seed: u64) -> Self {
        let replicas = (1..=devices)
            .map(|name| replica(name, &BTreeMap::new()))
            .collect();
        let mut world = Self {
            now: Moment::default(),
            replicas,
            wires: BTreeMap::new(),
            linked: BTreeSet::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            hangups: 0,
        };
        for at in 0..world.replicas.len() {
            world.input(at, FolderInput::Start);
        }
        for (left, right) in world.pairs() {
            world.link(left, right);
        }
        world.settle();
        world
    }

    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let count = self.replicas.len();
        (0..count)
            .flat_map(|left| (left + 1..count).map(move |right| (left, right)))
            .collect()
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u32()).unwrap() % bound
    }

    pub(crate) fn link(&mut self, left: usize, right: usize) {
        for (from, to) in [(left, right), (right, left)] {
            self.linked.insert((from, to));
            self.wires.insert((from, to), VecDeque::new());
            let have = self.replicas[to].folder.have(self.replicas[from].id);
            let peer = self.replicas[to].id;
            self.input(from, FolderInput::PeerJoined(peer, have));
        }
    }

    pub(crate) fn unlink(&mut self, left: usize, right: usize) {
        for (from, to) in [(left, right), (right, left)] {
            if self.linked.remove(&(from, to)) {
                self.wires.remove(&(from, to));
                let peer = self.replicas[to].id;
                self.input(from, FolderInput::PeerLeft(peer));
            }
        }
    }

    /// Kills a device and starts it again with its store and disk.
    pub(crate) fn restart(&mut self, at: usize) {
        let others: Vec<usize> = (0..self.replicas.len())
            .filter(|other| *other != at)
            .collect();
        let was: Vec<usize> = others
            .into_iter()
            .filter(|other| self.linked.contains(&(at, *other)))
            .collect();
        for other in &was {
            self.unlink(at, *other);
        }
        let name = self.replicas[at].id.as_bytes()[0];
        let mut again = replica(name, &self.replicas[at].store.have);
        std::mem::swap(&mut again.store, &mut self.replicas[at].store);
        std::mem::swap(&mut again.disk.nodes, &mut self.replicas[at].disk.nodes);
        std::mem::swap(&mut again.disk.texts, &mut self.replicas[at].disk.texts);
        again.disk.holds = self.replicas[at].disk.holds;
        again.disk.writes = self.replicas[at].disk.writes;
        again.disk.lost = std::mem::take(&mut self.replicas[at].disk.lost);
        again.folder = Folder::new(restored(name, &again.store), actor(name));
        self.replicas[at] = again;
        self.input(at, FolderInput::Start);
        for other in was {
            self.link(at, other);
        }
    }

    /// The machine under a device goes down, and its disk comes back with other bytes in one place and
    /// the same marks. Everything else that was written before is in doubt, too.
    pub(crate) fn lose_power(&mut self, at: usize, spoiled: &str, left: Content) {
        let replica = &mut self.replicas[at];
        replica.store.doubt = Doubt::Since(UnixNanos(0));
        match left {
            Content::Absent => {
                replica.disk.remove(&path(spoiled));
                replica.disk.lost.insert(path(spoiled));
            }
            left @ (Content::Directory | Content::File { .. } | Content::Symlink { .. }) => {
                replica.disk.nodes.get_mut(&path(spoiled)).unwrap().content = left;
            }
        }
    }

    /// A person writes the rules that travel with the folder.
    pub(crate) fn share_rules(&mut self, at: usize, text: &str, mtime: i64) {
        for replica in &mut self.replicas {
            replica.disk.texts.insert(hash(text), text.to_owned());
        }
        self.write(at, RULES_FILE, file(text), mtime);
    }

    /// A person sets something for the folder on one device.
    pub(crate) fn configure(&mut self, at: usize, change: impl FnOnce(&mut FolderSettings)) {
        let settings = &mut self.replicas[at].store.settings;
        change(settings);
        let settings = settings.clone();
        self.input(at, FolderInput::Configured(settings));
    }

    pub(crate) fn input(&mut self, at: usize, input: FolderInput) {
        let replica = &mut self.replicas[at];
        replica.folder.handle(self.now, input, &mut replica.outbox);
        self.perform(at);
    }

    fn perform(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        self.hangups += replica.outbox.take_blamed().len() as u64;
        while let Some(output) = replica.outbox.pop() {
            match output {
                Output::Store(request) => replica.requests.push_back(request),
                Output::Disk(_, request) => {
                    replica.disk.request(request, &replica.store.rows);
                }
                Output::Network(NetworkRequest::Send(peer, frame)) => {
                    let to = usize::from(peer.as_bytes()[0]) - 1;
                    if let Some(wire) = self.wires.get_mut(&(at, to)) {
                        wire.push_back(frame);
                    }
                }
                other @ (Output::Network(_) | Output::Signal(..) | Output::Reply(..)) => {
                    panic!("not a folder's output: {other:?}")
                }
            }
        }
    }

    /// Lets one thing happen; `false` when nothing is left to happen.
    pub(crate) fn step(&mut self) -> bool {
        let mut choices = Vec::new();
        for (at, replica) in self.replicas.iter().enumerate() {
            if !replica.requests.is_empty() {
                choices.push(Choice::Store(at));
            }
            if !replica.disk.events.is_empty() {
                choices.push(Choice::Event(at));
            }
            for index in 0..replica.disk.applies.len() {
                choices.push(Choice::Apply(at, index));
            }
        }
        for (&(from, to), wire) in &self.wires {
            if !wire.is_empty() {
                choices.push(Choice::Frame(from, to));
            }
        }
        if choices.is_empty() {
            return false;
        }
        let chosen = self.below(choices.len());
        self.happen(choices.swap_remove(chosen));
        true
    }

    /// Whether our row of a path is the next that the store is to write.
    pub(crate) fn makes_durable(&self, at: usize, text: &str) -> bool {
        let puts = |operation: &StoreOp| {
            let is_it = |row: &OurRow| row.entry.path == path(text);
            matches!(operation, StoreOp::PutOurRows { rows, .. } if rows.iter().any(is_it))
        };
        match self.replicas[at].requests.front() {
            Some(StoreRequest::Persist(_, operations)) => operations.iter().any(puts),
            Some(
                StoreRequest::LoadRows(..)
                | StoreRequest::LoadNeeds { .. }
                | StoreRequest::LoadIndex { .. },
            )
            | None => false,
        }
    }

    /// A device hears everything from its disk, before its store does anything more.
    pub(crate) fn hear(&mut self, at: usize) {
        while !self.replicas[at].disk.events.is_empty() {
            self.happen(Choice::Event(at));
        }
    }

    fn happen(&mut self, choice: Choice) {
        match choice {
            Choice::Store(at) => {
                let replica = &mut self.replicas[at];
                let request = replica.requests.pop_front().unwrap();
                let reply = perform(&mut replica.store, request);
                if let FolderInput::Persisted(batch) = &reply {
                    replica.outbox.release(*batch);
                    if !replica.folder.owns(*batch) {
                        // Who was met; nobody waits for that.
                        return;
                    }
                    replica.folder.note_totals(replica.store.totals());
                }
                self.input(at, reply);
            }
            Choice::Event(at) => {
                let event = self.replicas[at].disk.events.pop_front().unwrap();
                self.input(at, FolderInput::Disk(event));
            }
            Choice::Apply(at, index) => self.apply(at, index),
            Choice::Frame(from, to) => {
                let frame = self
                    .wires
                    .get_mut(&(from, to))
                    .unwrap()
                    .pop_front()
                    .unwrap();
                let peer = self.replicas[from].id;
                match frame {
                    Control::Index(page) => self.input(to, FolderInput::PageReceived(peer, page)),
                    Control::IndexAck {
                        incarnation, up_to, ..
                    } => {
                        self.input(to, FolderInput::PageAcked(peer, incarnation, up_to));
                    }
                    Control::Hello(_)
                    | Control::Folders(_)
                    | Control::Addresses(_)
                    | Control::Prove(_)
                    | Control::Vouch(_)
                    | Control::Twin(_)
                    | Control::Reflection(_)
                    | Control::Scatter
                    | Control::Scattered(_)
                    | Control::Servers(_)
                    | Control::WayOut(_) => {
                        panic!("not a folder's frame")
                    }
                }
            }
        }
    }

    /// Carries out all steps of a device and tells it of the last one only, before its store does anything more;
    /// of the others it is told as it goes on.
    pub(crate) fn tell_last_step_first(&mut self, at: usize) {
        self.hear(at);
        while !self.replicas[at].disk.applies.is_empty() {
            self.apply(at, 0);
        }
        let last = self.replicas[at].disk.events.pop_back().unwrap();
        self.input(at, FolderInput::Disk(last));
        while !self.replicas[at].requests.is_empty() {
            self.happen(Choice::Store(at));
        }
    }

    fn apply(&mut self, at: usize, index: usize) {
        let (apply, steps) = &mut self.replicas[at].disk.applies[index];
        let apply = *apply;
        let step = steps.pop_front();
        let moved_from = step.as_ref().and_then(|step| step.moved_from.clone());
        // The removal comes right after the step that it is done with.
        let removal = moved_from.map(|from| {
            let removal = steps.pop_front().unwrap();
            assert_eq!((&removal.path, &removal.content), (&from, &Content::Absent));
            removal
        });
        if steps.is_empty() {
            self.replicas[at].disk.applies.swap_remove(index);
        }
        let Some(step) = step else { return };
        let reachable = self
            .replicas
            .iter()
            .enumerate()
            .filter(|(other, replica)| {
                step.sources.contains(&replica.id) && self.linked.contains(&(at, *other))
            })
            .flat_map(|(_, replica)| replica.disk.nodes.values())
            .filter_map(|node| hash_of(&node.content))
            .collect();
        let disk = &mut self.replicas[at].disk;
        let outcomes = match removal {
            Some(removal) => disk.move_or_copy(&step, &removal, &reachable),
            None => vec![(step.path.clone(), disk.carry_out(&step, &reachable))],
        };
        disk.tell_rules();
        disk.events
            .push_back(DiskEvent::Applied { apply, outcomes });
    }

    /// Lets everything happen until nothing is left, retries included; panics when it never ends.
    pub(crate) fn settle(&mut self) {
        for _ in 0..60 {
            let mut events = 0;
            while self.step() {
                events += 1;
                assert!(events < 200_000, "it does not end");
            }
            // An hourly rescan is not a retry.
            let horizon = self.now.after(std::time::Duration::from_secs(120));
            let due = self
                .replicas
                .iter()
                .filter_map(|replica| replica.folder.poll_timeout());
            let Some(next) = due.min().filter(|at| *at < horizon) else {
                return;
            };
            self.advance_to(next);
        }
    }

    pub(crate) fn advance_to(&mut self, moment: Moment) {
        self.now = moment;
        for at in 0..self.replicas.len() {
            let replica = &mut self.replicas[at];
            replica.folder.handle_timeout(self.now, &mut replica.outbox);
            self.perform(at);
        }
    }

    // --- people ----------------------------------------------------------------------------------

    /// A person writes; missing parents are made, a directory in the way goes.
    pub(crate) fn write(&mut self, at: usize, text: &str, content: Content, mtime: i64) {
        let target = path(text);
        let disk = &mut self.replicas[at].disk;
        let mut parents: Vec<RelPath> =
            std::iter::successors(parent_entry(&target), RelPath::parent).collect();
        parents.reverse();
        for parent in parents {
            if !disk.is_directory(&parent) {
                disk.put(&parent, Content::Directory, 0);
                disk.disturb(&parent);
            }
        }
        if content == Content::Directory && disk.is_directory(&target) {
            return;
        }
        disk.remove(&target);
        disk.put(&target, content, mtime);
        disk.disturb(&target);
    }

    pub(crate) fn delete(&mut self, at: usize, text: &str) {
        let disk = &mut self.replicas[at].disk;
        disk.remove(&path(text));
        disk.disturb(&path(text));
    }

    /// A person moves a file over another; the watcher tells of both at once.
    pub(crate) fn move_over(&mut self, at: usize, from: &RelPath, to: &RelPath) {
        let disk = &mut self.replicas[at].disk;
        let node = disk.nodes.remove(from).unwrap();
        disk.nodes.insert(to.clone(), node);
        let both = BTreeSet::from([from.clone(), to.clone()]);
        disk.events
            .push_back(DiskEvent::Disturbed(ScanScope::Paths(both)));
    }

    /// A person renames something with all below it; the watcher tells of both names at once.
    pub(crate) fn rename(&mut self, at: usize, from: &str, to: &str) {
        let (from, to) = (path(from), path(to));
        let disk = &mut self.replicas[at].disk;
        disk.remove(&to);
        let moving: Vec<RelPath> = disk.nodes.keys().cloned().collect();
        for old in moving {
            if old == from || old.is_below(&from) {
                let node = disk.nodes.remove(&old).unwrap();
                let new = format!("{to}{}", &old.as_str()[from.as_str().len()..]);
                disk.nodes.insert(path(&new), node);
            }
        }
        let both = BTreeSet::from([from, to]);
        disk.events
            .push_back(DiskEvent::Disturbed(ScanScope::Paths(both)));
    }
}

enum Choice {
    Store(usize),
    Event(usize),
    Apply(usize, usize),
    Frame(usize, usize),
}

fn replica(name: u8, have: &BTreeMap<DeviceId, (Incarnation, Sequence)>) -> Replica {
    let store = Store {
        have: have.clone(),
        ..Store::default()
    };
    Replica {
        id: device(name),
        folder: Folder::new(restored(name, &store), actor(name)),
        store,
        disk: Disk::default(),
        outbox: Outbox::default(),
        requests: VecDeque::new(),
    }
}

pub(crate) fn restored(name: u8, store: &Store) -> RestoredFolder {
    let shared_with = (1..=3).filter(|other| *other != name).map(device).collect();
    RestoredFolder {
        record: FolderRecord {
            id: FOLDER,
            label: "Papers".to_owned(),
            root: RootPath("/papers".to_owned()),
            shared_with,
            settings: store.settings.clone(),
        },
        last_sequence: store
            .rows
            .values()
            .map(|row| row.sequence)
            .max()
            .unwrap_or_default(),
        have: store.have.clone(),
        needs_under: store.needs_under,
        totals: store.totals(),
        brakes: store.brakes.clone(),
        doubt: store.doubt,
        contacts: store.contacts.clone(),
    }
}
