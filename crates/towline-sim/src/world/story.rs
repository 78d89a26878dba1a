//! The life of a world: people pair their devices, share a folder, live, and come to rest.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::command::{Answer, Command};
use towline_core::records::{FolderRecord, PeerRecord, RootPath, StoreOp, Verification};
use towline_core::snapshot::PairingSummary;
use towline_wire::code::{CodeSecret, PairingCode};
use towline_wire::ids::FolderId;
use towline_wire::pairing::CompareString;

use super::person::{Act, CONTENT_MARK, Mood, NAMES};
use super::{Event, Report, Shape, World};
use crate::mutation::Mutation;
use crate::oracle;

/// How long a world may take to come to rest: the longest pauses between retries are a minute, and
/// a few of them may follow each other.
const REST_WITHIN: Duration = Duration::from_secs(20 * 60);

/// How long it may take until a device that came back is connected again: half a second to miss
/// its former life, and some round trips. By silence alone it would be 15 s.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// How the devices come to know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acquaintance {
    /// They are peers before the world begins.
    Given,
    /// Their people pair them.
    Made,
}

impl World {
    /// Lives the whole life of a seed's world.
    pub fn run(seed: u64, shape: Shape) -> Report {
        let mut world = Self::new(seed, shape);
        world.live();
        let Self {
            log, violations, ..
        } = world;
        Report {
            hash: log.hash(),
            violations,
            lines: log.into_lines(),
        }
    }

    fn live(&mut self) {
        self.secrets.push(CONTENT_MARK.to_owned());
        self.secrets.extend(NAMES.map(str::to_owned));
        let devices = if self.dice.chance(45) { 3 } else { 2 };
        let guesses = self.shape.mutation == Some(Mutation::WrongGuessNotBurned);
        let made = guesses || self.dice.chance(30);
        for _ in 0..devices {
            let seat = self.add_seat();
            self.furnish(seat);
        }
        let pairs = self.draw_pairs(devices);
        self.after(Duration::from_secs(1), Event::Tick);
        let acquaintance = if made {
            Acquaintance::Made
        } else {
            Acquaintance::Given
        };
        match acquaintance {
            Acquaintance::Given => self.give_peers(&pairs),
            Acquaintance::Made => self.make_peers(&pairs),
        }
        if !self.violations.is_empty() {
            return;
        }
        self.live_on();
        if acquaintance == Acquaintance::Made && self.dice.chance(30) {
            self.part_and_meet(&pairs);
        }
        self.come_to_rest(&pairs);
    }

    /// Every device with every other, or all with the first.
    fn draw_pairs(&mut self, devices: usize) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = (1..devices).map(|other| (0, other)).collect();
        if devices == 3 && self.dice.chance(60) {
            pairs.push((1, 2));
        }
        pairs
    }

    // --- acquaintance --------------------------------------------------------------------------------

    fn give_peers(&mut self, pairs: &[(usize, usize)]) {
        let folder = FolderId::from_bytes(self.dice.bytes());
        self.folder = Some(folder);
        for seat in 0..self.seats.len() {
            let peers: Vec<usize> = pairs
                .iter()
                .filter_map(|(one, other)| match seat {
                    seat if seat == *one => Some(*other),
                    seat if seat == *other => Some(*one),
                    _ => None,
                })
                .collect();
            let mut operations = Vec::new();
            let mut shared_with = BTreeSet::new();
            for peer in peers {
                let id = self.seat(peer).id;
                shared_with.insert(id);
                operations.push(StoreOp::PutPeer(PeerRecord {
                    id,
                    name: format!("device {peer}"),
                    compare: CompareString::from_bits(7),
                    verification: Verification::NotVerified,
                    addresses: super::network::address_of(peer).into_iter().collect(),
                    servers: vec![super::server::URL.to_owned()],
                }));
            }
            operations.push(StoreOp::PutFolder(FolderRecord {
                id: folder,
                label: "shared".to_owned(),
                root: RootPath("/shared".to_owned()),
                shared_with,
                settings: towline_core::records::FolderSettings::default(),
            }));
            let place = self.seat_mut(seat);
            place.shelf.put(operations);
            place.tree.marker = Some(folder);
            if place.believed.is_some() {
                place.believed = place.shelf.copy();
            }
            self.start(seat);
        }
    }

    fn make_peers(&mut self, pairs: &[(usize, usize)]) {
        for seat in 0..self.seats.len() {
            if self.shape.mutation == Some(Mutation::WrongGuessNotBurned) && seat == 0 {
                self.seat_mut(seat).memory = Some(Vec::new());
            }
            self.start(seat);
        }
        self.pass(Duration::from_secs(3));
        match self.dice.below(8) {
            0..3 => self.guess_wrong(0, 1),
            3 => self.let_expire(0, 1),
            4 => self.cancel(0, 1),
            _ => {}
        }
        self.seat_mut(0).memory = None;
        for (one, other) in pairs {
            self.pair(*one, *other);
        }
        let root = || RootPath("/shared".to_owned());
        let add = Command::AddFolder {
            root: root(),
            label: "shared".to_owned(),
        };
        let command = self.command(0, add);
        self.pass(Duration::from_secs(1));
        let Some(Ok(Answer::Folder(folder))) = self.reply_to(0, command) else {
            return self.violate(
                "a folder can be added",
                format!("{:?}", self.reply_to(0, command)),
            );
        };
        self.folder = Some(folder);
        for (one, other) in pairs {
            self.share(*one, *other);
        }
    }

    /// Shares the folder between two, whoever of them has it.
    fn share(&mut self, one: usize, other: usize) {
        let Some(folder) = self.folder else { return };
        let peer = self.seat(other).id;
        self.command(one, Command::InvitePeer(folder, peer));
        let host = self.seat(one).id;
        let invited = self.pass_until(Duration::from_secs(180), |world| {
            world.snapshot(other).is_some_and(|snapshot| {
                let invitations = &snapshot.invitations;
                invitations.iter().any(|invitation| invitation.peer == host)
                    || snapshot
                        .folders
                        .iter()
                        .any(|folder| folder.record.shared_with.contains(&host))
            })
        });
        if !invited {
            let what = format!("{other} never hears of {one}'s invitation");
            return self.violate("an invitation arrives", what);
        }
        let root = RootPath("/shared".to_owned());
        self.command(
            other,
            Command::AcceptInvitation {
                peer: host,
                folder,
                root,
            },
        );
        self.pass(Duration::from_secs(1));
    }

    /// Starts a pairing and reads the code.
    fn start_pairing(&mut self, creator: usize) -> Option<PairingCode> {
        self.command(creator, Command::StartPairing);
        let mut code = None;
        self.pass_until(Duration::from_secs(30), |world| {
            code = world.code(creator);
            code.is_some()
        });
        if let Some(code) = &code {
            self.secrets.push(code.reveal());
            self.secrets.push(code.reveal().replace('-', ""));
        }
        code
    }

    fn code(&self, seat: usize) -> Option<PairingCode> {
        match self.snapshot(seat)?.pairing {
            PairingSummary::Waiting { code, .. } => Some(code),
            PairingSummary::Idle
            | PairingSummary::Opening
            | PairingSummary::Joining
            | PairingSummary::Proving
            | PairingSummary::Paired(_)
            | PairingSummary::Failed(_) => None,
        }
    }

    fn pairing(&self, seat: usize) -> Option<PairingSummary> {
        self.snapshot(seat).map(|snapshot| snapshot.pairing)
    }

    fn pair(&mut self, creator: usize, joiner: usize) {
        for _ in 0..5 {
            let Some(code) = self.start_pairing(creator) else {
                continue;
            };
            if self.join(creator, joiner, code) {
                return self.compare(creator, joiner);
            }
            self.pass(Duration::from_secs(20));
        }
        let what = format!(
            "{creator} {:?}, {joiner} {:?}",
            self.pairing(creator),
            self.pairing(joiner)
        );
        self.violate("two people can pair", what);
    }

    /// Enters a code; whether both are peers then.
    fn join(&mut self, creator: usize, joiner: usize, code: PairingCode) -> bool {
        let (one, other) = (self.seat(creator).id, self.seat(joiner).id);
        self.command(joiner, Command::JoinPairing(code));
        self.pass_until(Duration::from_secs(60), |world| {
            matches!(
                world.pairing(joiner),
                Some(PairingSummary::Paired(_) | PairingSummary::Failed(_))
            )
        });
        self.pass(Duration::from_secs(1));
        self.pairing(creator) == Some(PairingSummary::Paired(other))
            && self.pairing(joiner) == Some(PairingSummary::Paired(one))
    }

    fn compare(&mut self, one: usize, other: usize) {
        let string = |world: &Self, seat: usize, peer: usize| {
            let id = world.seat(peer).id;
            let peers = world.seat(seat).shelf.restored().peers;
            peers
                .into_iter()
                .find(|record| record.id == id)
                .map(|record| record.compare)
        };
        let (ours, theirs) = (string(self, one, other), string(self, other, one));
        if ours.is_none() || ours != theirs {
            let what = format!("{one} shows {ours:?}, {other} shows {theirs:?}");
            self.violate("both show the same compare string, durably", what);
        }
    }

    /// A code that must not work (any more) is entered.
    fn must_fail(&mut self, creator: usize, joiner: usize, code: PairingCode, why: &str) {
        self.join(creator, joiner, code);
        let strangers =
            |world: &Self, seat: usize| world.seat(seat).shelf.restored().peers.is_empty();
        if !strangers(self, creator) || !strangers(self, joiner) {
            self.violate("only the right code makes peers", why.to_owned());
        }
    }

    fn guess_wrong(&mut self, creator: usize, guesser: usize) {
        let Some(code) = self.start_pairing(creator) else {
            return;
        };
        let mark = self.seat(creator).memory.as_ref().map(Vec::len);
        let secret = loop {
            let guess = CodeSecret::from_number(self.dice.number() as u32, 3);
            if guess.reveal() != code.secret.reveal() {
                break guess;
            }
        };
        let wrong = PairingCode {
            secret,
            ..code.clone()
        };
        self.must_fail(creator, guesser, wrong, "a wrong guess");
        if let Some(mark) = mark {
            self.rewind(creator, mark);
            self.reopen_mailbox(creator, code.slot.clone());
            self.pass(Duration::from_secs(1));
        }
        self.must_fail(creator, guesser, code, "a code after a wrong guess");
        self.pass(Duration::from_secs(130));
    }

    fn let_expire(&mut self, creator: usize, joiner: usize) {
        let Some(code) = self.start_pairing(creator) else {
            return;
        };
        self.pass(Duration::from_secs(301));
        self.must_fail(creator, joiner, code, "an expired code");
        self.pass(Duration::from_secs(130));
    }

    fn cancel(&mut self, creator: usize, joiner: usize) {
        let Some(code) = self.start_pairing(creator) else {
            return;
        };
        self.command(creator, Command::CancelPairing);
        self.pass(Duration::from_secs(2));
        self.must_fail(creator, joiner, code, "a cancelled code");
        self.pass(Duration::from_secs(130));
    }

    // --- life ----------------------------------------------------------------------------------------

    fn live_on(&mut self) {
        let lasts = self.dice.millis(5_000, 90_000);
        self.people.mood = Mood::Busy;
        let most = usize::try_from(lasts.as_millis()).unwrap_or(0);
        for _ in 0..self.dice.between(4, 30) {
            // People come in bursts.
            let begins = self.dice.millis(0, most);
            let seat = self.dice.below(self.seats.len());
            for _ in 0..self.dice.between(1, 2) {
                let wait = begins + self.dice.millis(0, 300);
                self.after(wait, Event::Act(Act::Any(seat)));
            }
            if self.dice.chance(12)
                && let Some(path) = self.meeting_place()
            {
                self.after(begins, Event::Act(Act::Duel(path)));
            }
        }
        if self.dice.chance(80) {
            self.draw_faults(lasts);
        }
        self.draw_habits(lasts);
        self.pass(lasts);
    }

    /// One person removes the other's device, both go on, and then they pair again.
    fn part_and_meet(&mut self, pairs: &[(usize, usize)]) {
        let Some((one, other)) = self.dice.pick(pairs).copied() else {
            return;
        };
        self.heal();
        self.resume_all();
        self.pass(Duration::from_secs(5));
        let peer = self.seat(other).id;
        self.command(one, Command::RemovePeer(peer));
        self.pass(Duration::from_secs(1));
        self.violate_if_peers(one, other);
        for _ in 0..4 {
            let seat = self.dice.below(self.seats.len());
            let wait = self.dice.millis(0, 10_000);
            self.after(wait, Event::Act(Act::Any(seat)));
        }
        self.pass(Duration::from_secs(12));
        if self.violations.is_empty() {
            self.pair(one, other);
            self.share(one, other);
        }
    }

    fn violate_if_peers(&mut self, one: usize, other: usize) {
        let id = self.seat(other).id;
        let still = |world: &Self| {
            let kept = world.seat(one).shelf.restored();
            let shared = kept
                .folders
                .iter()
                .any(|folder| folder.record.shared_with.contains(&id));
            shared || kept.peers.iter().any(|peer| peer.id == id)
        };
        if still(self) || self.seat(one).trust.contains(&id) {
            let what = format!("{one} removed {other} and still trusts it");
            self.violate("a removed peer is no peer", what);
        }
    }

    // --- rest ----------------------------------------------------------------------------------------

    fn come_to_rest(&mut self, pairs: &[(usize, usize)]) {
        self.people.mood = Mood::Quiet;
        self.heal();
        self.resume_all();
        self.pass(Duration::from_secs(2));
        self.rescan_all();
        if !self.rests(pairs) {
            return;
        }
        if let Some((rule, what)) = oracle::check(self, pairs) {
            return self.violate(rule, what);
        }
        let (work, outputs) = (self.work, self.outputs);
        self.pass(Duration::from_secs(120));
        if self.work != work {
            let what = format!("{:?} became {:?} with nobody there", work, self.work);
            return self.violate("4: it ends", what);
        }
        if self.outputs - outputs > 600 * self.seats.len() as u64 {
            let what = format!("{} outputs in two minutes of rest", self.outputs - outputs);
            return self.violate("4: it ends", what);
        }
        for seat in 0..self.seats.len() {
            self.crash(seat);
        }
        self.pass(Duration::from_secs(1));
        for seat in 0..self.seats.len() {
            self.start(seat);
        }
        self.pass(Duration::from_secs(40));
        self.rescan_all();
        self.pass(Duration::from_secs(20));
        if self.violations.is_empty() && self.work != work {
            let what = format!("{:?} became {:?}", work, self.work);
            return self.violate("5: restart and rescan cause no operation", what);
        }
        if let Some((rule, what)) = oracle::check(self, pairs) {
            return self.violate(rule, what);
        }
        self.come_back(pairs);
    }

    /// One device after the other crashes and starts again while everything else is well.
    fn come_back(&mut self, pairs: &[(usize, usize)]) {
        for seat in 0..self.seats.len() {
            self.crash(seat);
            let away = self.dice.millis(100, 5000);
            self.pass(away);
            self.start(seat);
            let connected = |world: &mut Self| {
                let mut pairs = pairs.iter();
                pairs.all(|(one, other)| world.are_connected(*one, *other))
            };
            if self.violations.is_empty() && !self.pass_until(BACK_WITHIN, connected) {
                let what = format!("{seat} is not connected {BACK_WITHIN:?} after its start");
                return self.violate("who comes back is connected again soon", what);
            }
        }
    }

    fn rescan_all(&mut self) {
        if let Some(folder) = self.folder {
            for seat in 0..self.seats.len() {
                self.command(seat, Command::Rescan(folder));
            }
        }
    }

    /// Lets time pass until all are connected, nothing is worked on any more and all agree.
    fn rests(&mut self, pairs: &[(usize, usize)]) -> bool {
        let begun = self.now;
        let mut quiet = 0;
        while self.now - begun < REST_WITHIN && self.violations.is_empty() {
            let work = self.work;
            self.pass(Duration::from_secs(5));
            let connected = pairs
                .iter()
                .all(|(one, other)| self.are_connected(*one, *other));
            quiet = if self.work == work && connected {
                quiet + 1
            } else {
                0
            };
            if quiet >= 3 && oracle::disagreement(self).is_none() {
                return true;
            }
        }
        if self.violations.is_empty() {
            let what = oracle::disagreement(self);
            let (rule, what) =
                what.unwrap_or_else(|| ("4: it ends", "work goes on and on".to_owned()));
            self.violate(rule, what);
        }
        false
    }
}
