//! The packet channel of a real signal server, in this process: session, registration, relay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use signal_server::rendezvous::{self, Lending, LendingSecret};
use signal_server::shell::{Settings, Sockets, serve};
use stun_types::attribute::XorMappedAddress;
use stun_types::message::{Message, MessageWriteVec};
use stun_types::prelude::{MessageWrite, MessageWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use towline_core::io::{
    LendFault, NetworkEvent, NetworkRequest, Path, SessionId, SignalEvent, SignalRequest,
    StunServer,
};
use towline_wire::ice::{IceServers, TurnServer, TurnTransport};
use towline_wire::ids::DeviceId;
use towline_wire::place::Place;
use towline_wire::signal::{ClientMessage, HostName, ServerMessage, SignalId};

use super::nodes::{Node, connect, identity, numbered, pair};
use super::turn::{Coturn, by_ours, talk};
use crate::network::SignalClients;
use crate::network::signal_client::Told;
use crate::tasks::Tasks;

struct Session {
    client: SignalClients,
    events: mpsc::Receiver<Told>,
    /// What the server lets us use.
    ice: IceServers,
}

impl Session {
    /// Connects and registers as the device of this seed.
    async fn register(server: SocketAddr, seed: u8, tasks: &Tasks) -> Self {
        let (events, told) = mpsc::channel(16);
        let mut client = SignalClients::new(events, Arc::default(), Arc::default(), tasks.clone());
        client.request(
            SessionId(0),
            SignalRequest::Connect(format!("ws://{server}/ws")),
        );
        let mut session = Self {
            client,
            events: told,
            ice: IceServers::default(),
        };
        let nonce = session
            .until(|message| match message {
                ServerMessage::Hello { nonce, .. } => Some(nonce),
                _ => None,
            })
            .await;
        let identity = identity(seed);
        let host = HostName::parse("127.0.0.1").unwrap();
        session.say(ClientMessage::register(identity.registration(host, &nonce)));
        session.ice = session
            .until(|message| match message {
                ServerMessage::Registered { ice, .. } => Some(ice),
                _ => None,
            })
            .await;
        session
    }

    /// What of a real server's time is seen: it is this computer's.
    fn clock_ahead_s(&self) -> Option<i64> {
        self.client.times().ahead_by()
    }

    fn say(&mut self, message: ClientMessage) {
        self.client
            .request(SessionId(0), SignalRequest::Send(message));
    }

    async fn until<T>(&mut self, mut pick: impl FnMut(ServerMessage) -> Option<T>) -> T {
        let wait = async {
            loop {
                match self.events.recv().await.expect("the client lives").1 {
                    SignalEvent::Message(message) => {
                        if let Some(picked) = pick(message) {
                            return picked;
                        }
                    }
                    SignalEvent::Opened => {}
                    SignalEvent::Closed(fault) => panic!("session closed: {fault:?}"),
                }
            }
        };
        timeout(Duration::from_secs(30), wait)
            .await
            .expect("the message comes")
    }

    async fn channel(&mut self, server: SocketAddr, peer: DeviceId) -> NetworkRequest {
        self.until(|message| match message {
            ServerMessage::RelayReady {
                channel,
                url,
                token,
                ..
            } => Some(NetworkRequest::OpenRelay {
                peer,
                url: format!("ws://{server}{url}"),
                channel: channel.0,
                token: token.reveal(),
            }),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn a_real_server_says_from_where_it_sees_our_socket() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stun = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = StunServer {
        host: "127.0.0.1".to_owned(),
        port: stun.local_addr().unwrap().port(),
    };
    let cancel = tasks.cancelled().clone();
    tasks.spawn("server", async move {
        let sockets = Sockets {
            stun: vec![stun],
            ..listener.into()
        };
        serve(sockets, Settings::default(), cancel).await.unwrap();
    });
    let mut node = Node::open(1).await;
    node.network
        .request(NetworkRequest::AskStun(server.clone()));
    let seen = node
        .until(|event| match event {
            NetworkEvent::Reflected { server, from } => Some((server.clone(), *from)),
            _ => None,
        })
        .await;
    assert_eq!(seen, (server, node.addr()));
    tasks.close().await;
}

#[tokio::test]
async fn only_the_server_that_was_asked_is_heard_and_only_once() {
    let mut node = Node::open(1).await;
    let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = StunServer {
        host: "127.0.0.1".to_owned(),
        port: asked.local_addr().unwrap().port(),
    };
    node.network
        .request(NetworkRequest::AskStun(server.clone()));
    let mut question = [0; 64];
    let (length, from) = asked.recv_from(&mut question).await.unwrap();
    let said = |lie: &str| {
        let question = Message::from_bytes(&question[..length]).unwrap();
        let mut answer = Message::builder_success(&question, MessageWriteVec::new());
        let seen = XorMappedAddress::new(lie.parse().unwrap(), question.transaction_id());
        answer.add_attribute(&seen).unwrap();
        answer.finish()
    };
    stranger.send_to(&said("192.0.2.1:1"), from).await.unwrap();
    asked.send_to(&question[..length], from).await.unwrap();
    let mut forged = said("192.0.2.2:2");
    forged[19] ^= 1;
    asked.send_to(&forged, from).await.unwrap();
    asked.send_to(&said("192.0.2.3:3"), from).await.unwrap();
    asked.send_to(&said("192.0.2.4:4"), from).await.unwrap();
    let reflected = |event: &NetworkEvent| match event {
        NetworkEvent::Reflected { from, .. } => Some(*from),
        _ => None,
    };
    assert_eq!(node.until(reflected).await, "192.0.2.3:3".parse().unwrap());
    // A second question is answered next: nothing came in between.
    node.network.request(NetworkRequest::AskStun(server));
    let (length, _) = asked.recv_from(&mut question).await.unwrap();
    let question = Message::from_bytes(&question[..length]).unwrap();
    let mut answer = Message::builder_success(&question, MessageWriteVec::new());
    let seen = "192.0.2.5:5".parse().unwrap();
    let seen = XorMappedAddress::new(seen, question.transaction_id());
    answer.add_attribute(&seen).unwrap();
    asked.send_to(&answer.finish(), from).await.unwrap();
    assert_eq!(node.until(reflected).await, "192.0.2.5:5".parse().unwrap());
}

#[tokio::test]
async fn two_devices_meet_at_a_real_server_and_talk_through_its_relay() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let cancel = tasks.cancelled().clone();
    tasks.spawn("server", async move {
        serve(listener.into(), Settings::default(), cancel)
            .await
            .unwrap();
    });
    let seeds = if identity(1).id() < identity(2).id() {
        [1, 2]
    } else {
        [2, 1]
    };
    let mut dialer = Node::open(seeds[0]).await;
    let mut acceptor = Node::open(seeds[1]).await;
    dialer.trust(&[acceptor.id]);
    acceptor.trust(&[dialer.id]);
    let mut sessions = [
        Session::register(server, seeds[0], &tasks).await,
        Session::register(server, seeds[1], &tasks).await,
    ];
    let [ours, theirs] = &mut sessions;
    let ahead = ours.clock_ahead_s().expect("a server says its time");
    assert!(ahead.abs() <= 60, "{ahead}");
    ours.say(ClientMessage::Watch {
        peers: vec![SignalId::Device(acceptor.id)],
    });
    theirs.say(ClientMessage::Watch {
        peers: vec![SignalId::Device(dialer.id)],
    });
    ours.until(|message| matches!(message, ServerMessage::PeerConnected { .. }).then_some(()))
        .await;
    ours.say(ClientMessage::RelayOpen {
        to: SignalId::Device(acceptor.id),
    });
    dialer
        .network
        .request(ours.channel(server, acceptor.id).await);
    acceptor
        .network
        .request(theirs.channel(server, dialer.id).await);
    assert_eq!(dialer.next().await, NetworkEvent::RelayOpened(acceptor.id));
    assert_eq!(acceptor.next().await, NetworkEvent::RelayOpened(dialer.id));

    connect(&mut dialer, &mut acceptor, Path::Relay).await;
    for number in 0..100 {
        dialer
            .network
            .request(NetworkRequest::Send(acceptor.id, numbered(number)));
        assert_eq!(acceptor.received().await, numbered(number));
    }
    // One end leaves; the server closes the other.
    dialer
        .network
        .request(NetworkRequest::CloseRelay(acceptor.id));
    assert_eq!(acceptor.next().await, NetworkEvent::RelayClosed(dialer.id));
    tasks.close().await;
}

/// A signal server whose devices may borrow there, by credentials that live so long.
async fn lender(place: &Place, secret: &str, life: Duration, tasks: &Tasks) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings {
        rendezvous: rendezvous::Settings {
            lending: Some(Lending {
                servers: vec![(place.clone(), TurnTransport::Udp)],
                secret: LendingSecret::parse(secret).unwrap(),
                life,
            }),
            ..rendezvous::Settings::default()
        },
        ..Settings::default()
    };
    let cancel = tasks.cancelled().clone();
    tasks.spawn("server", async move {
        serve(listener.into(), settings, cancel).await.unwrap();
    });
    address
}

/// One secret is known to both servers, and nobody else says it.
#[tokio::test]
async fn process_coturn_lends_by_the_credentials_of_a_real_server_and_by_no_others() {
    const SECRET: &str = "north-north-north";
    let coturn = Coturn::start(&format!("use-auth-secret\nstatic-auth-secret={SECRET}")).await;
    let place: Place = format!("127.0.0.1:{}", coturn.port).parse().unwrap();
    for (secret, is_lent) in [(SECRET, true), ("south-south-south", false)] {
        let tasks = Tasks::new();
        let address = lender(&place, secret, Duration::from_secs(600), &tasks).await;
        let session = Session::register(address, 1, &tasks).await;
        let told = session.ice.turn.first().expect("a server is named").clone();
        let mut node = Node::open(1).await;
        assert_eq!(node.borrow(told).await.is_ok(), is_lent, "{secret}");
        node.network.close().await;
    }
}

/// Until when a credential holds, as its name says.
fn holds_until(server: &TurnServer) -> u64 {
    let name = server.username.reveal();
    let (until, _) = name.split_once(':').unwrap();
    until.parse().unwrap()
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// Credentials of four seconds, and an address that is refreshed once, when half of its twenty are over: the library
/// believes no server that gives less than ten minutes at a refresh, and ends what is borrowed with the first twenty.
#[tokio::test]
async fn process_what_coturn_lends_outlives_its_credentials_and_a_real_server_tells_new_ones_before()
 {
    const SECRET: &str = "north-north-north";
    let coturn = Coturn::start(&format!(
        "use-auth-secret\nstatic-auth-secret={SECRET}\nmax-allocate-lifetime=20\nverbose"
    ))
    .await;
    let place: Place = format!("127.0.0.1:{}", coturn.port).parse().unwrap();
    let tasks = Tasks::new();
    let address = lender(&place, SECRET, Duration::from_secs(4), &tasks).await;
    let (mut owner, mut other) = pair().await;
    let mut session = Session::register(address, 1, &tasks).await;
    let first = session.ice.turn.first().unwrap().clone();
    owner.borrow(first.clone()).await.unwrap();
    let there = by_ours(other.addr());
    owner.prove_again(other.id, there).await;
    connect(&mut owner, &mut other, Path::Direct(there)).await;

    // Its lines begin with the seconds since its start.
    let logged = |what: &str| {
        let log = coturn.log();
        let line = log.lines().find(|line| line.contains(what))?;
        line.split(':').next()?.parse::<u64>().ok()
    };
    let (mut newest, mut renewals) = (first.clone(), 0);
    let refreshed_at = loop {
        let told = session.until(|message| match message {
            ServerMessage::IceServers { ice } => ice.turn.first().cloned(),
            _ => None,
        });
        let told = told.await;
        assert!(unix_seconds() <= holds_until(&newest), "before they end");
        assert!(holds_until(&told) > holds_until(&newest));
        (newest, renewals) = (told, renewals + 1);
        talk(&owner, &mut other).await;
        talk(&other, &mut owner).await;
        if let Some(at) = logged("refreshed, realm=") {
            break at;
        }
        assert!(renewals < 10, "it is refreshed:\n{}", coturn.log());
    };
    let lent_at = logged("new, realm=").unwrap();
    assert!(refreshed_at - lent_at > 5, "when the first name was over");
    // Whoever is not let in by an address of before is asked for a name that holds.
    let mut late = Node::open(9).await;
    assert_eq!(late.borrow(first).await, Err(LendFault::Login));
    assert!(late.borrow(newest).await.is_ok());
    talk(&owner, &mut other).await;
    for node in [owner, other, late] {
        node.network.close().await;
    }
    tasks.close().await;
}
