//! Two whole devices pair through a toy server, on stores that a test holds back: nobody acts on a
//! new peer before it is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use towline_wire::code::Slot;
use towline_wire::ice::IceServers;
use towline_wire::ids::{DeviceId, Incarnation};
use towline_wire::signal::{ClientMessage, Nonce, ServerMessage};

use super::session::greeting;
use crate::clock::Moment;
use crate::command::{Command, CommandId};
use crate::device::{Birth, Device};
use crate::identity::Identity;
use crate::io::{
    BatchId, Discovery, Input, NetworkRequest, Output, SessionId, SignalEvent, SignalRequest,
    StoreReply, StoreRequest,
};
use crate::records::{DeviceSettings, Restored, ScopeRule, ServersRule, StoreOp};
use crate::sessions::Elsewhere;
use crate::snapshot::PairingSummary;

/// A device, what its store has not yet made durable, and what it has done to the world.
struct Seat {
    device: Device,
    unsynced: VecDeque<(BatchId, Vec<StoreOp>)>,
    said: Vec<ClientMessage>,
    network: Vec<NetworkRequest>,
}

impl Seat {
    fn new(seed: u8) -> Self {
        let birth = Birth {
            seed: [seed; 32],
            identity: Identity::from_seed(&[seed; 32]),
            restored: Restored {
                name: "Anna".to_owned(),
                settings: DeviceSettings::default(),
                incarnation: Incarnation(1),
                peers: Vec::new(),
                folders: Vec::new(),
            },
            servers: vec!["ws://127.0.0.1:9000/ws".parse().unwrap()],
            servers_rule: ServersRule::Chosen,
            elsewhere: Elsewhere::Allowed,
            ice: IceServers::default(),
            places: BTreeMap::new(),
            scope: ScopeRule::Chosen,
            discovery: Discovery::Off,
        };
        let mut seat = Self {
            device: Device::new(Moment::default(), birth),
            unsynced: VecDeque::new(),
            said: Vec::new(),
            network: Vec::new(),
        };
        seat.input(Input::Signal(SessionId::default(), SignalEvent::Opened));
        seat.hear(greeting(Nonce::from_bytes([7; 32]), &[]));
        let device_id = seat.id().into();
        seat.hear(ServerMessage::Registered {
            device_id,
            ice: IceServers::default(),
        });
        seat
    }

    fn id(&self) -> DeviceId {
        self.device.snapshot(Moment::default()).device.id
    }

    fn pairing(&self) -> PairingSummary {
        self.device.snapshot(Moment::default()).pairing
    }

    fn input(&mut self, input: Input) {
        self.device.handle_input(Moment::default(), input);
        while let Some(output) = self.device.poll_output() {
            match output {
                Output::Store(StoreRequest::Persist(batch, operations)) => {
                    self.unsynced.push_back((batch, operations));
                }
                Output::Signal(_, SignalRequest::Send(message)) => self.said.push(message),
                Output::Network(request) => self.network.push(request),
                Output::Store(_) | Output::Signal(..) | Output::Disk(..) | Output::Reply(..) => {}
            }
        }
    }

    fn hear(&mut self, message: ServerMessage) {
        self.input(Input::Signal(
            SessionId::default(),
            SignalEvent::Message(message),
        ));
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(CommandId(1), command));
    }

    /// The store says that its oldest batch is durable.
    fn sync(&mut self) {
        let (batch, _) = self.unsynced.pop_front().expect("a batch waits");
        self.input(Input::Store(StoreReply::Persisted(batch, Vec::new())));
    }

    /// Whether anything was done that only a peer is owed.
    fn acts_on(&self, peer: DeviceId) -> bool {
        let trusts = self
            .network
            .iter()
            .any(|request| *request == NetworkRequest::Trust(BTreeSet::from([peer])));
        let watches = self.said.contains(&ClientMessage::Watch {
            peers: vec![peer.into()],
        });
        let peers = self.device.snapshot(Moment::default()).peers;
        trusts || watches || !peers.is_empty()
    }
}

/// Passes on what both say through their mailbox.
fn relay(creator: &mut Seat, joiner: &mut Seat) {
    loop {
        let (one, other) = (
            std::mem::take(&mut creator.said),
            std::mem::take(&mut joiner.said),
        );
        let (from, to, said) = if one.is_empty() {
            creator.said = one;
            (joiner.id(), &mut *creator, other)
        } else {
            joiner.said = other;
            (creator.id(), &mut *joiner, one)
        };
        let mut passed = false;
        for message in said {
            if let ClientMessage::Relay { name, payload, .. } = message {
                passed = true;
                let from = from.into();
                to.hear(ServerMessage::Relayed {
                    name,
                    from,
                    payload,
                });
            }
        }
        if !passed && creator.said.is_empty() && joiner.said.is_empty() {
            return;
        }
    }
}

#[test]
fn nobody_acts_on_a_new_peer_before_it_is_durable() {
    let (mut creator, mut joiner) = (Seat::new(1), Seat::new(2));
    creator.command(Command::StartPairing);
    creator.hear(ServerMessage::PairingCode {
        code: Slot::parse("ABC").unwrap(),
        expires_in: 300,
    });
    let PairingSummary::Waiting { code, .. } = creator.pairing() else {
        panic!("no code")
    };
    joiner.command(Command::JoinPairing(code));
    let (one, other) = (creator.id(), joiner.id());
    creator.said.clear();
    joiner.said.clear();
    creator.hear(ServerMessage::Paired {
        peer_id: other.into(),
    });
    joiner.hear(ServerMessage::Paired {
        peer_id: one.into(),
    });
    relay(&mut creator, &mut joiner);

    // The joiner is first; the creator waits for its word.
    assert!(matches!(&joiner.unsynced[0].1[..], [StoreOp::PutPeer(peer)] if peer.id == one));
    assert!(creator.unsynced.is_empty());
    assert!(!joiner.acts_on(one));
    joiner.sync();
    assert!(joiner.acts_on(one));
    assert_eq!(joiner.pairing(), PairingSummary::Paired(one));

    joiner
        .said
        .retain(|message| matches!(message, ClientMessage::Relay { .. }));
    relay(&mut creator, &mut joiner);
    assert!(matches!(&creator.unsynced[0].1[..], [StoreOp::PutPeer(peer)] if peer.id == other));
    assert!(!creator.acts_on(other));
    creator.sync();
    assert!(creator.acts_on(other));
    assert_eq!(creator.pairing(), PairingSummary::Paired(other));
}
