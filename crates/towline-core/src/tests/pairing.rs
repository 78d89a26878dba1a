//! Two pairing machines joined by a toy mailbox that a test may cut, tap or forge.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::code::{PairingCode, Slot};
use towline_wire::pairing::{
    PAIRING_VERSIONS, PairingMessage, Refuse, RefuseReason, SHARE_BYTES, SecretKind, Share,
};
use towline_wire::server_url::ServerUrl;
use towline_wire::version::VersionRange;

use crate::clock::Moment;
use crate::identity::Identity;
use crate::pairing::{MailboxEvent, MailboxRequest, Ourselves, Pairing, PairingNews, PairingWish};
use crate::records::PeerRecord;
use crate::snapshot::{PairingFault, PairingSummary};

/// One device: its pairing and what it has been told to keep.
struct Side {
    identity: Identity,
    name: &'static str,
    servers: Vec<ServerUrl>,
    pairing: Pairing,
    rng: ChaCha20Rng,
    kept: Vec<PeerRecord>,
    /// What it wants of its mailbox and nobody has done yet.
    wants: VecDeque<MailboxRequest>,
}

impl Side {
    fn new(seed: u8, name: &'static str) -> Self {
        Self {
            identity: Identity::from_seed(&[seed; 32]),
            name,
            servers: vec![HOME.parse().unwrap()],
            pairing: Pairing::new(),
            rng: ChaCha20Rng::from_seed([seed; 32]),
            kept: Vec::new(),
            wants: VecDeque::new(),
        }
    }

    fn wish(&mut self, now: Moment, wish: PairingWish) {
        let address = ["192.168.1.2:4000".parse().unwrap()];
        let us = Ourselves {
            identity: &self.identity,
            name: self.name,
            servers: &self.servers,
            addresses: &address,
        };
        let news = self.pairing.handle_wish(now, wish, &us);
        self.take(news);
    }

    fn event(&mut self, now: Moment, event: MailboxEvent) {
        let address = ["192.168.1.2:4000".parse().unwrap()];
        let us = Ourselves {
            identity: &self.identity,
            name: self.name,
            servers: &self.servers,
            addresses: &address,
        };
        let news = self.pairing.handle_mailbox(now, event, &us, &mut self.rng);
        self.take(news);
    }

    fn timeout(&mut self, now: Moment) {
        let news = self.pairing.handle_timeout(now);
        self.take(news);
    }

    /// Carries news out as a device does: peers are made durable at once.
    fn take(&mut self, news: Vec<PairingNews>) {
        for news in news {
            match news {
                PairingNews::Mailbox(request) => self.wants.push_back(request),
                PairingNews::Paired(peer) => {
                    self.kept.push(peer);
                    let news = self.pairing.handle_durable();
                    self.take(news);
                }
            }
        }
    }

    fn code(&self) -> PairingCode {
        let summary = self.pairing.summary();
        let PairingSummary::Waiting { code, .. } = summary else {
            panic!("no code in {summary:?}");
        };
        code
    }

    fn failed(&self) -> PairingFault {
        let summary = self.pairing.summary();
        let PairingSummary::Failed(fault) = summary else {
            panic!("not failed but {summary:?}");
        };
        fault
    }
}

const HOME: &str = "ws://127.0.0.1:9000/ws";

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn slot() -> Slot {
    Slot::parse("ABC").unwrap()
}

fn opened() -> MailboxEvent {
    opened_for(Duration::from_secs(300))
}

fn opened_for(lasts: Duration) -> MailboxEvent {
    MailboxEvent::Opened {
        slot: slot(),
        lasts,
        server: HOME.parse().unwrap(),
    }
}

/// A creator whose code is on the screen, and a fresh joiner.
fn waiting() -> (Side, Side) {
    let (mut creator, joiner) = (Side::new(1, "desk"), Side::new(2, "lap"));
    creator.wish(at(0), PairingWish::Start);
    assert_eq!(
        creator.wants.drain(..).collect::<Vec<_>>(),
        [MailboxRequest::Open]
    );
    assert_eq!(creator.pairing.summary(), PairingSummary::Opening);
    creator.event(at(0), opened());
    (creator, joiner)
}

/// Both are in the mailbox.
fn meet(creator: &mut Side, joiner: &mut Side) {
    assert!(
        matches!(joiner.wants.pop_front(), Some(MailboxRequest::Claim(claimed, _)) if claimed == slot())
    );
    creator.event(at(1), MailboxEvent::Joined);
    joiner.event(at(1), MailboxEvent::Joined);
}

/// Passes one thing on from one side; `tap` may change a message or drop it.
fn carry(from: &mut Side, to: &mut Side, tap: &mut dyn FnMut(Vec<u8>) -> Option<Vec<u8>>) -> bool {
    match from.wants.pop_front() {
        Some(MailboxRequest::Send(bytes)) => {
            if let Some(bytes) = tap(bytes) {
                to.event(at(1), MailboxEvent::Received(bytes));
            }
        }
        Some(MailboxRequest::Burn) => to.event(at(1), MailboxEvent::Failed(PairingFault::PeerGone)),
        Some(MailboxRequest::Done | MailboxRequest::Open | MailboxRequest::Claim(..)) => {}
        None => return false,
    }
    true
}

/// Passes everything on until both are silent.
fn run(creator: &mut Side, joiner: &mut Side) {
    while carry(creator, joiner, &mut Some) || carry(joiner, creator, &mut Some) {}
}

fn assert_paired(creator: &Side, joiner: &Side) {
    let [of_creator] = &creator.kept[..] else {
        panic!("creator keeps {:?}", creator.kept)
    };
    let [of_joiner] = &joiner.kept[..] else {
        panic!("joiner keeps {:?}", joiner.kept)
    };
    assert_eq!(of_creator.id, joiner.identity.id());
    assert_eq!(of_joiner.id, creator.identity.id());
    assert_eq!(of_creator.compare, of_joiner.compare);
    assert_eq!(
        (of_creator.name.as_str(), of_joiner.name.as_str()),
        ("lap", "desk")
    );
    assert_eq!(of_creator.addresses, ["192.168.1.2:4000".parse().unwrap()]);
    assert_eq!(of_creator.servers, ["ws://127.0.0.1:9000/ws"]);
    assert_eq!(
        creator.pairing.summary(),
        PairingSummary::Paired(joiner.identity.id())
    );
    assert_eq!(
        joiner.pairing.summary(),
        PairingSummary::Paired(creator.identity.id())
    );
}

#[test]
fn two_devices_pair_by_a_typed_code_and_show_the_same_string() {
    let (mut creator, mut joiner) = waiting();
    let code = creator.code().reveal().to_lowercase().parse().unwrap();
    joiner.wish(at(1), PairingWish::Join(code));
    assert_eq!(joiner.pairing.summary(), PairingSummary::Joining);
    meet(&mut creator, &mut joiner);
    assert_eq!(creator.pairing.summary(), PairingSummary::Proving);
    run(&mut creator, &mut joiner);
    assert_paired(&creator, &joiner);
    assert_eq!(creator.pairing.poll_timeout(), None);
}

#[test]
fn two_devices_pair_by_a_link() {
    let (mut creator, mut joiner) = waiting();
    let PairingSummary::Waiting { link, .. } = creator.pairing.summary() else {
        panic!("no link")
    };
    joiner.wish(at(1), PairingWish::JoinLink(link.reveal().parse().unwrap()));
    meet(&mut creator, &mut joiner);
    run(&mut creator, &mut joiner);
    assert_paired(&creator, &joiner);
}

#[test]
fn every_pairing_shows_another_string() {
    let compare = |seed| {
        let (mut creator, mut joiner) = waiting();
        joiner.rng = ChaCha20Rng::from_seed([seed; 32]);
        joiner.wish(at(1), PairingWish::Join(creator.code()));
        meet(&mut creator, &mut joiner);
        run(&mut creator, &mut joiner);
        creator.kept.remove(0).compare
    };
    assert_ne!(compare(3), compare(4));
}

fn wrong(code: &PairingCode) -> PairingCode {
    let secret = if code.secret.reveal() == "AAA" {
        "AAB"
    } else {
        "AAA"
    };
    format!("{}-{secret}", code.slot).parse().unwrap()
}

#[test]
fn a_wrong_code_burns_the_mailbox_on_both_sides() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(wrong(&creator.code())));
    meet(&mut creator, &mut joiner);
    carry(&mut joiner, &mut creator, &mut Some);
    carry(&mut creator, &mut joiner, &mut Some);
    carry(&mut joiner, &mut creator, &mut Some);
    assert_eq!(creator.failed(), PairingFault::CodeInvalid);
    assert_eq!(creator.wants.back(), Some(&MailboxRequest::Burn));
    carry(&mut creator, &mut joiner, &mut Some);
    assert_eq!(joiner.failed(), PairingFault::CodeInvalid);
    assert_eq!(joiner.wants.back(), Some(&MailboxRequest::Burn));
    run(&mut creator, &mut joiner);
    assert!(creator.kept.is_empty() && joiner.kept.is_empty());
}

#[test]
fn a_creator_that_guesses_learns_nothing_and_burns_the_mailbox() {
    // Somebody answers in the creator's place without knowing the secret.
    let (mut creator, mut joiner) = waiting();
    let (mut guesser, _) = waiting();
    guesser.wish(at(0), PairingWish::Start);
    guesser.event(at(0), opened());
    guesser.wants.clear();
    assert_ne!(guesser.code(), creator.code());
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    creator.wants.clear();
    meet(&mut guesser, &mut joiner);
    run(&mut guesser, &mut joiner);
    assert_eq!(guesser.failed(), PairingFault::CodeInvalid);
    assert_eq!(joiner.failed(), PairingFault::CodeInvalid);
}

#[test]
fn after_two_burned_codes_the_secret_is_longer_for_ten_minutes() {
    let (mut creator, _) = waiting();
    for _ in 0..2 {
        assert_eq!(creator.code().secret.reveal().len(), 3);
        let mut joiner = Side::new(2, "lap");
        joiner.wish(at(1), PairingWish::Join(wrong(&creator.code())));
        meet(&mut creator, &mut joiner);
        run(&mut creator, &mut joiner);
        assert_eq!(creator.failed(), PairingFault::CodeInvalid);
        creator.wish(at(2), PairingWish::Start);
        creator.wants.clear();
        creator.event(at(2), opened());
    }
    assert_eq!(creator.code().secret.reveal().len(), 4);
    let mut joiner = Side::new(2, "lap");
    joiner.wish(at(2), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    run(&mut creator, &mut joiner);
    assert_paired(&creator, &joiner);

    creator.wish(at(700), PairingWish::Start);
    creator.event(at(700), opened());
    assert_eq!(creator.code().secret.reveal().len(), 3);
}

#[test]
fn a_code_ends_after_five_minutes() {
    let (mut creator, _) = waiting();
    assert_eq!(creator.pairing.poll_timeout(), Some(at(300)));
    creator.timeout(at(299));
    assert_eq!(creator.code().slot, slot());
    creator.timeout(at(300));
    assert_eq!(creator.failed(), PairingFault::Expired);
    assert_eq!(creator.wants, [MailboxRequest::Burn]);
}

#[test]
fn a_code_ends_when_the_server_says_but_never_after_five_minutes() {
    for (told, ends) in [(2, 2), (300, 300), (900, 300)] {
        let mut creator = Side::new(1, "desk");
        creator.wish(at(0), PairingWish::Start);
        creator.event(at(10), opened_for(Duration::from_secs(told)));
        assert_eq!(creator.pairing.poll_timeout(), Some(at(10 + ends)));
        creator.timeout(at(10 + ends));
        assert_eq!(creator.failed(), PairingFault::Expired);
    }
}

#[test]
fn a_silent_other_side_is_not_waited_for_longer_than_a_step() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    joiner.timeout(joiner.pairing.poll_timeout().unwrap());
    assert_eq!(joiner.failed(), PairingFault::PeerGone);
    creator.timeout(creator.pairing.poll_timeout().unwrap());
    assert_eq!(creator.failed(), PairingFault::PeerGone);
}

#[test]
fn a_carrier_that_never_answers_means_no_server() {
    let mut joiner = Side::new(2, "lap");
    joiner.wish(at(0), PairingWish::Join("ABC-234".parse().unwrap()));
    joiner.timeout(joiner.pairing.poll_timeout().unwrap());
    assert_eq!(joiner.failed(), PairingFault::ServerUnreachable);
}

#[test]
fn a_code_names_the_server_where_its_mailbox_is_unless_it_is_the_preferred_one() {
    let shown = |server: &str| {
        let mut creator = Side::new(1, "desk");
        creator.wish(at(0), PairingWish::Start);
        creator.event(
            at(0),
            MailboxEvent::Opened {
                slot: slot(),
                lasts: Duration::from_secs(300),
                server: server.parse().unwrap(),
            },
        );
        let summary = creator.pairing.summary();
        let PairingSummary::Waiting { code, link, .. } = summary else {
            panic!("no code in {summary:?}");
        };
        (code.host, link.server.to_string())
    };
    assert_eq!(shown(HOME), (None, HOME.to_owned()));
    let other = "wss://other.example:8443/ws";
    let name = Some("other.example:8443".to_owned());
    assert_eq!(shown(other), (name, other.to_owned()));
    // What cannot be said in short is said by the link alone.
    let long = "wss://other.example/path";
    assert_eq!(shown(long), (None, long.to_owned()));
}

#[test]
fn a_device_without_a_server_shows_no_code() {
    let mut creator = Side::new(1, "desk");
    creator.servers.clear();
    creator.wish(at(0), PairingWish::Start);
    assert_eq!(creator.failed(), PairingFault::ServerUnreachable);
    assert!(creator.wants.is_empty());
}

#[test]
fn ones_own_code_is_told_apart() {
    for host in ["", "@127.0.0.1:9000"] {
        let (mut creator, _) = waiting();
        let code = format!("{}{host}", creator.code().reveal())
            .parse()
            .unwrap();
        creator.wish(at(1), PairingWish::Join(code));
        assert_eq!(creator.failed(), PairingFault::OwnCode);
        assert_eq!(creator.wants, [MailboxRequest::Burn]);
    }
}

#[test]
fn a_twin_with_the_same_key_is_told_apart() {
    let (mut creator, _) = waiting();
    let mut twin = Side::new(1, "desk");
    twin.rng = ChaCha20Rng::from_seed([9; 32]);
    twin.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut twin);
    run(&mut creator, &mut twin);
    assert_eq!(creator.failed(), PairingFault::OwnCode);
    assert!(creator.kept.is_empty() && twin.kept.is_empty());
}

#[test]
fn stopping_burns_the_mailbox_and_tells_the_other_side() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    creator.wish(at(1), PairingWish::Cancel);
    assert_eq!(creator.pairing.summary(), PairingSummary::Idle);
    run(&mut creator, &mut joiner);
    assert_eq!(joiner.failed(), PairingFault::PeerGone);
    joiner.wish(at(2), PairingWish::Cancel);
    assert_eq!(joiner.pairing.summary(), PairingSummary::Idle);
}

#[test]
fn a_new_code_replaces_the_one_that_waits() {
    let (mut creator, _) = waiting();
    creator.wish(at(5), PairingWish::Start);
    assert_eq!(creator.wants, [MailboxRequest::Burn, MailboxRequest::Open]);
    assert_eq!(creator.pairing.summary(), PairingSummary::Opening);
}

#[test]
fn without_a_common_version_both_sides_say_so() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    let mut newer = |bytes: Vec<u8>| match PairingMessage::decode(&bytes) {
        Ok(PairingMessage::Share(share)) => {
            let versions = VersionRange {
                oldest: 7,
                newest: 9,
            };
            Some(PairingMessage::Share(Share { versions, ..share }).encode())
        }
        _ => Some(bytes),
    };
    carry(&mut joiner, &mut creator, &mut newer);
    assert_eq!(creator.failed(), PairingFault::Version);
    run(&mut creator, &mut joiner);
    assert_eq!(joiner.failed(), PairingFault::Version);
}

#[test]
fn changed_versions_are_noticed_though_both_sides_agree() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    let mut wider = |bytes: Vec<u8>| match PairingMessage::decode(&bytes) {
        Ok(PairingMessage::Share(share)) => {
            let versions = VersionRange {
                newest: PAIRING_VERSIONS.newest + 1,
                ..PAIRING_VERSIONS
            };
            Some(PairingMessage::Share(Share { versions, ..share }).encode())
        }
        _ => Some(bytes),
    };
    carry(&mut joiner, &mut creator, &mut wider);
    run(&mut creator, &mut joiner);
    assert_eq!(creator.failed(), PairingFault::CodeInvalid);
}

#[test]
fn a_man_in_the_middle_who_guessed_the_code_shows_other_strings() {
    // He knows the secret, so he pairs with both; only the compare strings give him away.
    let (mut creator, mut joiner) = waiting();
    let mut to_creator = Side::new(8, "lap");
    let mut to_joiner = Side::new(8, "desk");
    to_creator.wish(at(1), PairingWish::Join(creator.code()));
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    // A creator with the same random numbers as the true one makes the same secret.
    to_joiner.rng = ChaCha20Rng::from_seed([1; 32]);
    to_joiner.wish(at(0), PairingWish::Start);
    to_joiner.wants.clear();
    to_joiner.event(at(0), opened());
    assert_eq!(to_joiner.code(), creator.code());
    meet(&mut creator, &mut to_creator);
    run(&mut creator, &mut to_creator);
    meet(&mut to_joiner, &mut joiner);
    run(&mut to_joiner, &mut joiner);
    assert_ne!(creator.kept[0].compare, joiner.kept[0].compare);
}

#[test]
fn one_flipped_bit_in_any_message_pairs_nobody_wrongly() {
    for message in 0..8 {
        for byte in [0, 1, 5, 20, 33] {
            let (mut creator, mut joiner) = waiting();
            joiner.wish(at(1), PairingWish::Join(creator.code()));
            meet(&mut creator, &mut joiner);
            let mut count = 0;
            let mut flip = |mut bytes: Vec<u8>| {
                if count == message {
                    let byte = byte % bytes.len();
                    bytes[byte] ^= 1;
                }
                count += 1;
                Some(bytes)
            };
            while carry(&mut creator, &mut joiner, &mut flip)
                || carry(&mut joiner, &mut creator, &mut flip)
            {}
            // Only the last message, which carries nothing but the word that all is well, may be lost.
            let last = message == 7;
            assert_eq!(
                (creator.kept.len(), joiner.kept.len()),
                (0, usize::from(last)),
                "{message} {byte}"
            );
        }
    }
}

#[test]
fn when_the_last_word_is_lost_the_creator_keeps_the_joiner_all_the_same() {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    let mut count = 0;
    let mut lose_the_last = |bytes| {
        count += 1;
        (count < 8).then_some(bytes)
    };
    while carry(&mut creator, &mut joiner, &mut lose_the_last)
        || carry(&mut joiner, &mut creator, &mut lose_the_last)
    {}
    assert_eq!((creator.kept.len(), joiner.kept.len()), (0, 1));
    creator.timeout(creator.pairing.poll_timeout().unwrap());
    assert_paired(&creator, &joiner);
}

#[test]
fn what_is_lost_with_a_session_is_said_again() {
    for lost in 0..8 {
        let (mut creator, mut joiner) = waiting();
        joiner.wish(at(1), PairingWish::Join(creator.code()));
        meet(&mut creator, &mut joiner);
        let mut count = 0;
        let mut until_lost = |bytes| {
            count += 1;
            (count <= lost).then_some(bytes)
        };
        while carry(&mut creator, &mut joiner, &mut until_lost)
            || carry(&mut joiner, &mut creator, &mut until_lost)
        {}
        // One of them comes back; both are told that the other is there.
        creator.event(at(2), MailboxEvent::Joined);
        joiner.event(at(2), MailboxEvent::Joined);
        run(&mut creator, &mut joiner);
        if creator.kept.is_empty() {
            creator.timeout(creator.pairing.poll_timeout().unwrap());
        }
        assert_paired(&creator, &joiner);
    }
}

const REASONS: [RefuseReason; 4] = [
    RefuseReason::WrongSecret,
    RefuseReason::Version,
    RefuseReason::Protocol,
    RefuseReason::GaveUp,
];

/// What a server, or whoever sits in its place, can say without knowing the secret.
fn forgeries() -> Vec<Vec<u8>> {
    let refuse =
        |proof| REASONS.map(|reason| PairingMessage::Refuse(Refuse { reason, proof }).encode());
    let unsealed = [
        PairingMessage::Confirm([7; 32]).encode(),
        PairingMessage::Sealed(vec![7; 40]).encode(),
        vec![0xff; 3],
    ];
    [&refuse(None)[..], &refuse(Some([7; 32])), &unsealed].concat()
}

/// Both sides after so many messages, one at a time.
fn after(messages: usize) -> (Side, Side) {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    let mut passed = 0;
    while passed < messages {
        let mut count = |bytes| {
            passed += 1;
            Some(bytes)
        };
        if creator.wants.is_empty() {
            assert!(carry(&mut joiner, &mut creator, &mut count));
        } else {
            carry(&mut creator, &mut joiner, &mut count);
        }
    }
    (creator, joiner)
}

#[test]
fn nobody_else_ends_a_pairing_once_both_have_proved_the_secret() {
    // The creator has the joiner's proof after three messages, the joiner the creator's after four.
    for messages in 3..8 {
        let (mut creator, mut joiner) = after(messages);
        for forged in forgeries() {
            creator.event(at(1), MailboxEvent::Received(forged.clone()));
            if messages > 3 {
                joiner.event(at(1), MailboxEvent::Received(forged));
            }
        }
        run(&mut creator, &mut joiner);
        assert_paired(&creator, &joiner);
    }
}

#[test]
fn what_a_side_said_itself_does_not_end_its_pairing() {
    let (mut creator, mut joiner) = after(7);
    let (mut twin, _) = after(7);
    twin.wish(at(1), PairingWish::Cancel);
    carry(&mut twin, &mut creator, &mut Some);
    run(&mut creator, &mut joiner);
    assert_paired(&creator, &joiner);
}

#[test]
fn before_there_is_proof_a_plain_refusal_ends_it() {
    for messages in 0..3 {
        let (mut creator, mut joiner) = after(messages);
        let gone = PairingMessage::Refuse(Refuse {
            reason: RefuseReason::GaveUp,
            proof: None,
        });
        creator.event(at(1), MailboxEvent::Received(gone.encode()));
        joiner.event(at(1), MailboxEvent::Received(gone.encode()));
        assert_eq!(creator.failed(), PairingFault::PeerGone, "{messages}");
        assert_eq!(joiner.failed(), PairingFault::PeerGone, "{messages}");
    }
}

#[test]
fn a_proved_farewell_ends_it_and_nobody_can_change_its_reason() {
    for messages in 3..7 {
        for from_joiner in [false, true] {
            let (mut creator, mut joiner) = after(messages);
            let (from, to) = if from_joiner {
                (&mut joiner, &mut creator)
            } else {
                (&mut creator, &mut joiner)
            };
            from.wants.clear();
            from.wish(at(1), PairingWish::Cancel);
            let Some(MailboxRequest::Send(farewell)) = from.wants.pop_front() else {
                panic!("nothing said after {messages} messages")
            };
            let Ok(PairingMessage::Refuse(Refuse { reason, proof })) =
                PairingMessage::decode(&farewell)
            else {
                panic!("no farewell after {messages} messages")
            };
            assert_eq!(reason, RefuseReason::GaveUp);
            assert!(proof.is_some());
            for reason in REASONS {
                if reason != RefuseReason::GaveUp && (from_joiner || messages > 3) {
                    let changed = PairingMessage::Refuse(Refuse { reason, proof });
                    to.event(at(1), MailboxEvent::Received(changed.encode()));
                }
            }
            to.event(at(1), MailboxEvent::Received(farewell));
            assert_eq!(to.failed(), PairingFault::PeerGone, "{messages}");
        }
    }
}

/// A side in each state in which it listens to the other side, by number.
fn in_state(number: usize) -> Side {
    let (mut creator, mut joiner) = waiting();
    joiner.wish(at(1), PairingWish::Join(creator.code()));
    meet(&mut creator, &mut joiner);
    let (first, second) = if number.is_multiple_of(2) {
        (1, 2)
    } else {
        (2, 1)
    };
    let mut left = number / 2;
    while left > 0 {
        let (a, b) = if first < second {
            (&mut joiner, &mut creator)
        } else {
            (&mut creator, &mut joiner)
        };
        if !carry(a, b, &mut Some) && !carry(b, a, &mut Some) {
            break;
        }
        left -= 1;
    }
    if number.is_multiple_of(2) {
        creator
    } else {
        joiner
    }
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(SecretKind::Typed), Just(SecretKind::Link)];
    let share = (
        kind,
        prop::collection::vec(any::<u8>(), SHARE_BYTES - 1),
        prop_oneof![Just(0x41), Just(0x42), any::<u8>()],
    )
        .prop_map(|(kind, point, side)| {
            let share = [vec![side], point].concat();
            PairingMessage::Share(Share {
                versions: PAIRING_VERSIONS,
                kind,
                share,
            })
            .encode()
        });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        share,
        any::<[u8; 32]>().prop_map(|tag| PairingMessage::Confirm(tag).encode()),
        prop::collection::vec(any::<u8>(), 0..200)
            .prop_map(|sealed| PairingMessage::Sealed(sealed).encode()),
    ]
}

proptest! {
    #[test]
    fn garbage_in_any_state_never_panics_and_never_pairs(
        state in 0..14_usize,
        messages in prop::collection::vec(message(), 1..6),
    ) {
        let mut side = in_state(state);
        let before = side.kept.len();
        for bytes in messages {
            side.event(at(1), MailboxEvent::Received(bytes));
        }
        prop_assert_eq!(side.kept.len(), before);
    }
}
