//! How the devices of a world come to know each other and to share a folder.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::command::{Answer, Command};
use towline_core::records::{FolderRecord, PeerRecord, RootPath, StoreOp, Verification};
use towline_core::snapshot::PairingSummary;
use towline_wire::code::{CodeSecret, PairingCode};
use towline_wire::ids::FolderId;
use towline_wire::pairing::CompareString;

use super::World;
use crate::mutation::Mutation;
use crate::rule::Rule;

impl World {
    pub(super) fn give_peers(&mut self) {
        let folder = FolderId::from_bytes(self.dice.bytes());
        self.folder = Some(folder);
        for seat in 0..self.seats.len() {
            let mut operations = Vec::new();
            let mut shared_with = BTreeSet::new();
            for edge in self.edges.clone() {
                let Some(peer) = edge.from(seat) else {
                    continue;
                };
                let id = self.seat(peer).id;
                if edge.is_shared() {
                    shared_with.insert(id);
                }
                operations.push(StoreOp::PutPeer(PeerRecord {
                    id,
                    name: format!("device {peer}"),
                    compare: CompareString::from_bits(7),
                    verification: Verification::NotVerified,
                    addresses: super::network::address_of(peer).into_iter().collect(),
                    servers: vec![super::server::URL.to_owned()],
                    places: Vec::new(),
                }));
            }
            operations.push(StoreOp::PutFolder(FolderRecord {
                id: folder,
                label: "shared".to_owned(),
                root: RootPath("/shared".to_owned()),
                shared_with,
                settings: self.habits.settings_of(seat),
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

    pub(super) fn make_peers(&mut self) {
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
        for edge in self.edges.clone() {
            self.pair(edge.one, edge.other);
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
                Rule::FolderIsAdded,
                format!("{:?}", self.reply_to(0, command)),
            );
        };
        self.folder = Some(folder);
        for edge in self.edges.clone() {
            if edge.is_shared() {
                self.share(edge.one, edge.other);
            }
        }
    }

    /// Shares the folder between two, whoever of them has it.
    pub(super) fn share(&mut self, one: usize, other: usize) {
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
            return self.violate(Rule::InvitationArrives, what);
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
    pub(super) fn start_pairing(&mut self, creator: usize) -> Option<PairingCode> {
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

    pub(super) fn code(&self, seat: usize) -> Option<PairingCode> {
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

    pub(super) fn pairing(&self, seat: usize) -> Option<PairingSummary> {
        self.snapshot(seat).map(|snapshot| snapshot.pairing)
    }

    pub(super) fn pair(&mut self, creator: usize, joiner: usize) {
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
        self.violate(Rule::Pairs, what);
    }

    /// Enters a code; whether both are peers then.
    pub(super) fn join(&mut self, creator: usize, joiner: usize, code: PairingCode) -> bool {
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

    pub(super) fn compare(&mut self, one: usize, other: usize) {
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
            self.violate(Rule::SameString, what);
        }
    }

    /// A code that must not work (any more) is entered.
    pub(super) fn must_fail(
        &mut self,
        creator: usize,
        joiner: usize,
        code: PairingCode,
        why: &str,
    ) {
        self.join(creator, joiner, code);
        let strangers =
            |world: &Self, seat: usize| world.seat(seat).shelf.restored().peers.is_empty();
        if !strangers(self, creator) || !strangers(self, joiner) {
            self.violate(Rule::OnlyFriends, why.to_owned());
        }
    }

    pub(super) fn guess_wrong(&mut self, creator: usize, guesser: usize) {
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

    pub(super) fn let_expire(&mut self, creator: usize, joiner: usize) {
        let Some(code) = self.start_pairing(creator) else {
            return;
        };
        self.pass(Duration::from_secs(301));
        self.must_fail(creator, joiner, code, "an expired code");
        self.pass(Duration::from_secs(130));
    }

    pub(super) fn cancel(&mut self, creator: usize, joiner: usize) {
        let Some(code) = self.start_pairing(creator) else {
            return;
        };
        self.command(creator, Command::CancelPairing);
        self.pass(Duration::from_secs(2));
        self.must_fail(creator, joiner, code, "a cancelled code");
        self.pass(Duration::from_secs(130));
    }
}
