//! A rendezvous with virtual time and clients that remember what they heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use towline_wire::code::Slot;
use towline_wire::ice::IceServers;
use towline_wire::ids::DeviceId;
use towline_wire::packet::{ChannelId, Ecn, Packet, PacketKind};
use towline_wire::signal::{
    ClientMessage, CloseCode, HostName, Nonce, RegisterProof, Registration, Request, ServerMessage,
    SignalId, proof_message,
};

use crate::rendezvous::{ConnectionId, Door, Input, Moment, Origin, Output, Rendezvous, Settings};

pub(super) struct World {
    pub(super) rendezvous: Rendezvous,
    pub(super) now: Moment,
    pub(super) pings: BTreeSet<ConnectionId>,
    pub(super) pauses: BTreeSet<ConnectionId>,
    connections: u64,
    heard: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    forwarded: BTreeMap<ConnectionId, Vec<Bytes>>,
    closed: BTreeMap<ConnectionId, CloseCode>,
}

#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) connection: ConnectionId,
    pub(super) id: SignalId,
}

pub(super) fn device_key(number: u64) -> SigningKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    SigningKey::from_bytes(&seed)
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self {
            rendezvous: Rendezvous::new([1; 32], settings),
            now: Moment::START,
            pings: BTreeSet::new(),
            pauses: BTreeSet::new(),
            connections: 0,
            heard: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    pub(super) fn id_of(number: u64) -> DeviceId {
        DeviceId::from_public_key(device_key(number).verifying_key().to_bytes())
    }

    pub(super) fn proof(number: u64, host: &str, nonce: &Nonce) -> ClientMessage {
        let (device, host) = (Self::id_of(number), HostName::parse(host).unwrap());
        let signature = device_key(number)
            .sign(&proof_message(1, &host, nonce, &device))
            .to_bytes();
        ClientMessage::register(Registration::Device {
            device,
            proof: RegisterProof {
                version: 1,
                host,
                signature,
            },
        })
    }

    pub(super) fn input(&mut self, input: Input) {
        self.rendezvous.handle_input(self.now, input);
        self.drain_outputs();
    }

    pub(super) fn say(&mut self, connection: ConnectionId, message: ClientMessage) {
        let request = Request::new(message);
        let size_bytes = request.to_json().len();
        self.input(Input::Requested {
            connection,
            request: Ok(request),
            size_bytes,
        });
    }

    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        self.input(Input::Disconnected { connection });
    }

    pub(super) fn open(&mut self, door: Door) -> ConnectionId {
        self.open_from(door, [10, 0, 0, 1])
    }

    fn open_from(&mut self, door: Door, address: [u8; 4]) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let origin = Origin::new(IpAddr::from(address), IpAddr::from([192, 0, 2, 7]));
        self.input(Input::Connected {
            connection,
            origin,
            door,
        });
        connection
    }

    pub(super) fn connect(&mut self, address: [u8; 4]) -> (ConnectionId, Nonce) {
        let connection = self.open_from(Door::Signal, address);
        let heard = self.heard(connection);
        let [ServerMessage::Hello { nonce, .. }] = heard[..] else {
            panic!("no hello: {heard:?}")
        };
        (connection, nonce)
    }

    pub(super) fn device(&mut self, number: u64) -> Client {
        self.device_at(number, [10, 0, 0, 1])
    }

    /// Registers a device; what it hears after `registered` can still be asked for.
    pub(super) fn device_at(&mut self, number: u64, address: [u8; 4]) -> Client {
        let (connection, nonce) = self.connect(address);
        self.say(connection, Self::proof(number, "192.0.2.7", &nonce));
        let id = SignalId::Device(Self::id_of(number));
        let first = self.heard.get_mut(&connection).map(|heard| heard.remove(0));
        assert_eq!(
            first,
            Some(ServerMessage::Registered {
                device_id: id,
                ice: IceServers::default()
            })
        );
        Client { connection, id }
    }

    /// A device comes and is perhaps not let in.
    pub(super) fn registers(&mut self, number: u64) -> Option<CloseCode> {
        let (connection, nonce) = self.connect([10, 0, 0, 1]);
        self.say(connection, Self::proof(number, "192.0.2.7", &nonce));
        self.closed(connection)
    }

    pub(super) fn guest(&mut self) -> Client {
        let (connection, _) = self.connect([10, 0, 0, 2]);
        self.input(Input::from_text(
            connection,
            r#"{"type":"register","device_id":"abc"}"#,
        ));
        let [ServerMessage::Registered { device_id: id, .. }] = self.heard(connection)[..] else {
            panic!()
        };
        assert_eq!(id.device(), None);
        Client { connection, id }
    }

    pub(super) fn watching_pair(&mut self) -> (Client, Client) {
        let (alice, bob) = (self.device(1), self.device(2));
        self.say(
            alice.connection,
            ClientMessage::Watch {
                peers: vec![bob.id],
            },
        );
        self.say(
            bob.connection,
            ClientMessage::Watch {
                peers: vec![alice.id],
            },
        );
        self.heard(alice.connection);
        self.heard(bob.connection);
        (alice, bob)
    }

    /// Opens a relay channel and both its ends.
    pub(super) fn channel(
        &mut self,
        alice: &Client,
        bob: &Client,
    ) -> ((ConnectionId, ChannelId), (ConnectionId, ChannelId)) {
        self.say(alice.connection, ClientMessage::RelayOpen { to: bob.id });
        let mut ends = [alice, bob].map(|client| {
            let heard = self.heard(client.connection);
            let [
                ServerMessage::RelayReady {
                    channel,
                    token,
                    url,
                    ..
                },
            ] = &heard[..]
            else {
                panic!("{heard:?}")
            };
            assert_eq!(*url, format!("/relay/{channel}"));
            (
                self.open(Door::Relay {
                    channel: *channel,
                    token: token.clone(),
                }),
                *channel,
            )
        });
        let [one, other] = &mut ends;
        (*one, *other)
    }

    pub(super) fn code(&mut self, connection: ConnectionId) -> Slot {
        self.say(connection, ClientMessage::CreatePairingCode);
        let heard = self.heard(connection);
        let [ServerMessage::PairingCode { code, .. }] = &heard[..] else {
            panic!("no code: {heard:?}")
        };
        code.clone()
    }

    pub(super) fn packet(&self, channel: ChannelId, datagram: &[u8]) -> Bytes {
        Self::packet_in(channel, datagram)
    }

    pub(super) fn packet_in(channel: ChannelId, datagram: &[u8]) -> Bytes {
        let packet = Packet {
            kind: PacketKind::Data,
            ecn: Ecn::NotCapable,
            channel,
            datagram,
        };
        [packet.header().as_slice(), datagram].concat().into()
    }

    /// Lets time pass, stopping at every timeout.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(due) = self.rendezvous.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.rendezvous.handle_timeout(self.now);
            self.drain_outputs();
        }
        self.now = end;
    }

    /// Lets time pass while every client answers pings.
    pub(super) fn pass_alive(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.pass(Duration::from_secs(1).min(end.since(self.now)));
            for connection in std::mem::take(&mut self.pings) {
                self.input(Input::Alive { connection });
            }
        }
    }

    pub(super) fn heard(&mut self, connection: ConnectionId) -> Vec<ServerMessage> {
        self.heard.remove(&connection).unwrap_or_default()
    }

    pub(super) fn forwarded(&mut self, connection: ConnectionId) -> Vec<Bytes> {
        self.forwarded.remove(&connection).unwrap_or_default()
    }

    pub(super) fn closed(&self, connection: ConnectionId) -> Option<CloseCode> {
        self.closed.get(&connection).copied()
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.rendezvous.poll_output() {
            match output {
                Output::Send { connection, notice } => {
                    self.heard
                        .entry(connection)
                        .or_default()
                        .push(notice.message);
                }
                Output::Forward { connection, packet } => {
                    self.forwarded.entry(connection).or_default().push(packet);
                }
                Output::Ping { connection } => {
                    self.pings.insert(connection);
                }
                Output::Pause { connection, .. } => {
                    self.pauses.insert(connection);
                }
                Output::Close { connection, code } => {
                    self.closed.insert(connection, code);
                }
                Output::Note { .. } => {}
                Output::Ask { .. } | Output::Publish { .. } => panic!("it is alone"),
            }
        }
    }
}
