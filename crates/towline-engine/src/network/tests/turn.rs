//! Addresses borrowed at TURN servers: a real coturn, and servers that answer as they like.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stun_types::attribute::{ErrorCode, Nonce, Realm};
use stun_types::message::{Message, MessageWriteVec};
use stun_types::prelude::{MessageWrite, MessageWriteExt};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use towline_core::io::{LendFault, NetworkEvent, NetworkRequest, Path};
use towline_wire::ice::{IceServers, TurnServer};
use towline_wire::turn_address::TurnAddress;

use super::nodes::{Node, connect, numbered, pair};

/// A coturn of our own on loopback, with its configuration in a directory of its own.
pub(super) struct Coturn {
    child: Child,
    pub(super) port: u16,
    home: tempfile::TempDir,
}

impl Coturn {
    /// Starts it with these lines of configuration and waits until it answers.
    pub(super) async fn start(lines: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let reserved = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = reserved.local_addr().unwrap().port();
        drop(reserved);
        let path = home.path().join("turnserver.conf");
        let mut file = File::create(&path).unwrap();
        write!(
            file,
            "listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port={port}\nallow-loopback-peers\n\
             no-cli\nno-tls\nno-dtls\nrealm=towline.test\nfingerprint\nlog-file=stdout\nno-rfc5780\n\
             userdb={}\npidfile={}\n{lines}\n",
            home.path().join("db").display(),
            home.path().join("pid").display(),
        )
        .unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let child = Command::new("turnserver")
            .arg("-c")
            .arg(&path)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn is installed (cargo xtask system)");
        let coturn = Self { child, port, home };
        coturn.answers().await;
        coturn
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Waits for the answer to a question of STUN, which is asked again until it comes.
    async fn answers(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(("127.0.0.1", self.port)).await.unwrap();
        let question =
            Message::builder_request(stun_types::message::BINDING, MessageWriteVec::new()).finish();
        for _ in 0..200 {
            let _refused = socket.send(&question).await;
            let mut answer = [0; 600];
            let heard = timeout(Duration::from_millis(100), socket.recv(&mut answer)).await;
            if matches!(heard, Ok(Ok(length)) if length > 20) {
                return;
            }
            // Its system refuses at once while nobody listens.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("coturn does not answer");
    }

    fn server(&self, transport: &str, username: &str, credential: &str) -> TurnServer {
        server(self.port, transport, username, credential)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn server(port: u16, transport: &str, username: &str, credential: &str) -> TurnServer {
    let list = serde_json::json!([{
        "urls": format!("turn:127.0.0.1:{port}?transport={transport}"),
        "username": username,
        "credential": credential,
    }]);
    IceServers::parse(&list.to_string()).unwrap().turn.remove(0)
}

const STATIC: &str = "lt-cred-mech\nuser=anna:secret";

impl Node {
    pub(super) async fn borrow(&mut self, server: TurnServer) -> Result<SocketAddrV4, LendFault> {
        self.network.request(NetworkRequest::Borrow(server));
        self.lent().await
    }

    async fn lent(&mut self) -> Result<SocketAddrV4, LendFault> {
        self.until(|event| match event {
            NetworkEvent::Borrowed(addr) => Some(Ok(*addr)),
            NetworkEvent::NotLent(fault) => Some(Err(*fault)),
            _ => None,
        })
        .await
    }

    /// Probes an address until it answers; what is lost on the way is sent again.
    pub(super) async fn prove_again(
        &mut self,
        peer: towline_wire::ids::DeviceId,
        addr: SocketAddr,
    ) {
        for _ in 0..100 {
            self.network.request(NetworkRequest::Probe(peer, addr));
            let answered = self.until(|event| match event {
                NetworkEvent::ProbeAnswered { from, .. } if *from == addr => Some(()),
                _ => None,
            });
            if timeout(Duration::from_millis(200), answered).await.is_ok() {
                return;
            }
        }
        panic!("no answer");
    }
}

/// The peer's address by what is lent to us.
pub(super) fn by_ours(addr: SocketAddr) -> SocketAddr {
    let SocketAddr::V4(addr) = addr else {
        panic!("{addr}")
    };
    TurnAddress::Ours(addr).written()
}

pub(super) async fn talk(from: &Node, to: &mut Node) {
    for number in 0..200 {
        from.network
            .request(NetworkRequest::Send(to.id, numbered(number)));
        assert_eq!(to.received().await, numbered(number));
    }
}

#[tokio::test]
async fn process_a_path_goes_by_an_address_that_coturn_lends_to_either_side() {
    let coturn = Coturn::start(STATIC).await;
    for (transport, owner_dials) in [("udp", true), ("udp", false), ("tcp", true), ("tcp", false)] {
        let (mut dialer, mut acceptor) = pair().await;
        let (owner, other) = if owner_dials {
            (&mut dialer, &mut acceptor)
        } else {
            (&mut acceptor, &mut dialer)
        };
        let lent = owner
            .borrow(coturn.server(transport, "anna", "secret"))
            .await
            .unwrap();
        let theirs = TurnAddress::Theirs(lent).written();
        let ours = by_ours(other.addr());
        owner.prove_again(other.id, ours).await;
        other.prove_again(owner.id, theirs).await;
        let path = Path::Direct(if owner_dials { ours } else { theirs });
        connect(&mut dialer, &mut acceptor, path).await;
        talk(&dialer, &mut acceptor).await;
        talk(&acceptor, &mut dialer).await;
        dialer.network.close().await;
        acceptor.network.close().await;
    }
}

#[tokio::test]
async fn process_both_sides_may_borrow() {
    let coturn = Coturn::start(STATIC).await;
    let (mut dialer, mut acceptor) = pair().await;
    let server = || coturn.server("udp", "anna", "secret");
    let at_dialer = dialer.borrow(server()).await.unwrap();
    let at_acceptor = acceptor.borrow(server()).await.unwrap();
    let there = TurnAddress::Ours(at_acceptor).written();
    let back = TurnAddress::Ours(at_dialer).written();
    acceptor
        .network
        .request(NetworkRequest::Probe(dialer.id, back));
    dialer.prove_again(acceptor.id, there).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(there)).await;
    talk(&dialer, &mut acceptor).await;
    talk(&acceptor, &mut dialer).await;
}

#[tokio::test]
async fn process_nobody_is_let_in_to_whom_nothing_was_sent() {
    let coturn = Coturn::start(STATIC).await;
    let (mut owner, mut other) = pair().await;
    let lent = owner
        .borrow(coturn.server("udp", "anna", "secret"))
        .await
        .unwrap();
    let theirs = TurnAddress::Theirs(lent).written();
    other
        .network
        .request(NetworkRequest::Probe(owner.id, theirs));
    // The server answers in order: a second loan shows that the probe had its time.
    let server = coturn.server("udp", "anna", "secret");
    let mut third = Node::open(3).await;
    third.borrow(server).await.unwrap();
    owner.prove_again(other.id, by_ours(other.addr())).await;
    other.prove_again(owner.id, theirs).await;
}

#[tokio::test]
async fn process_a_wrong_password_is_told_and_so_is_one_that_has_expired() {
    let coturn = Coturn::start(STATIC).await;
    let mut node = Node::open(1).await;
    for transport in ["udp", "tcp"] {
        for (username, credential) in [("anna", "wrong"), ("berta", "secret")] {
            let server = coturn.server(transport, username, credential);
            assert_eq!(
                node.borrow(server).await,
                Err(LendFault::Login),
                "{transport}"
            );
        }
    }
    let timed = Coturn::start("use-auth-secret\nstatic-auth-secret=shared").await;
    // The HMAC-SHA1 of the name under what is shared: until 2038, and until 2001.
    for (username, credential, expected) in [
        ("2147480000:anna", "epqE4C4xQoyDtTNrArDLfCgotTI=", None),
        (
            "1000000000:anna",
            "uhlbxSIgFno2vvs5MTaJXA1pz7Y=",
            Some(LendFault::Login),
        ),
    ] {
        let server = timed.server("udp", username, credential);
        assert_eq!(node.borrow(server).await.err(), expected);
    }
}

#[tokio::test]
async fn process_a_server_that_refuses_or_is_not_there_is_told() {
    let coturn = Coturn::start(&format!("{STATIC}\nuser-quota=1")).await;
    let mut node = Node::open(1).await;
    let mut other = Node::open(2).await;
    let server = || coturn.server("udp", "anna", "secret");
    node.borrow(server()).await.unwrap();
    assert_eq!(other.borrow(server()).await, Err(LendFault::Refused(486)));
    // What is given back is free again.
    node.network.request(NetworkRequest::GiveBack);
    let mut given = other.borrow(server()).await;
    for _ in 0..50 {
        if given.is_ok() {
            break;
        }
        given = other.borrow(server()).await;
    }
    assert!(given.is_ok(), "{given:?}");
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let nobody = server_at(port, "udp");
    assert_eq!(node.borrow(nobody).await, Err(LendFault::Unreachable));
    let nobody = server_at(port, "tcp");
    assert_eq!(node.borrow(nobody).await, Err(LendFault::Unreachable));
}

#[tokio::test]
async fn process_a_server_that_is_killed_is_gone_and_another_one_takes_its_place() {
    let mut coturn = Coturn::start(STATIC).await;
    let (mut dialer, mut acceptor) = pair().await;
    dialer
        .borrow(coturn.server("udp", "anna", "secret"))
        .await
        .unwrap();
    let there = by_ours(acceptor.addr());
    dialer.prove_again(acceptor.id, there).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(there)).await;
    coturn.kill();
    let mut number = 0;
    let fault = loop {
        number += 1;
        dialer
            .network
            .request(NetworkRequest::Send(acceptor.id, numbered(number)));
        if let Ok(told) = timeout(Duration::from_millis(50), dialer.lent()).await {
            break told;
        }
    };
    assert_eq!(fault, Err(LendFault::Gone));
    // The connection outlives it: what was not told is told by the next server.
    let next = Coturn::start(STATIC).await;
    let server = next.server("tcp", "anna", "secret");
    dialer.borrow(server).await.unwrap();
    dialer.prove_again(acceptor.id, there).await;
    for expected in 1..=number {
        assert_eq!(acceptor.received().await, numbered(expected));
    }
}

fn server_at(port: u16, transport: &str) -> TurnServer {
    server(port, transport, "anna", "secret")
}

/// What a server of a test answers to a datagram.
type Answer = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// A server that answers as it likes; its port.
async fn server_that(mut answer: Answer) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            for reply in answer(&buffer[..length]) {
                let _lost = socket.send_to(&reply, from).await;
            }
        }
    });
    port
}

/// Asks for the name and the password, as every server does first.
fn challenge(question: &[u8]) -> Vec<u8> {
    let message = Message::from_bytes(question).unwrap();
    let mut reply = Message::builder_error(&message, MessageWriteVec::new());
    let code = ErrorCode::builder(401).build().unwrap();
    reply.add_attribute(&code).unwrap();
    reply
        .add_attribute(&Realm::new("towline.test").unwrap())
        .unwrap();
    reply.add_attribute(&Nonce::new("nonce").unwrap()).unwrap();
    reply.finish()
}

#[tokio::test]
async fn process_servers_that_answer_rubbish_cost_a_fault_and_nothing_else() {
    let noise = |question: &[u8], seed: usize| -> Vec<u8> {
        let mut bytes = challenge(question);
        let place = seed * 7919 % bytes.len();
        bytes[place] = bytes[place].wrapping_add(u8::try_from(seed % 255).unwrap() | 1);
        bytes
    };
    let mut seed = 0;
    let servers: Vec<(&str, Answer)> = vec![
        (
            "text",
            Box::new(|_| vec![b"HTTP/1.1 400 Bad Request".to_vec()]),
        ),
        ("nothing in it", Box::new(|_| vec![Vec::new()])),
        ("the question", Box::new(|question| vec![question.to_vec()])),
        (
            "longer than anything",
            Box::new(|_| vec![vec![0x40; 60_000], vec![0; 60_000]]),
        ),
        (
            "half",
            Box::new(|question| vec![challenge(question)[..30].to_vec()]),
        ),
        (
            "many",
            Box::new(|question| {
                let mut all = vec![vec![0x40, 0, 0, 4, 1, 2, 3, 4]; 300];
                all.push(question.to_vec());
                all
            }),
        ),
        (
            "asks for the password again and again",
            Box::new(|question| vec![challenge(question)]),
        ),
        (
            "one byte is another",
            Box::new(move |question| {
                (0..50)
                    .map(|_| {
                        seed += 1;
                        noise(question, seed)
                    })
                    .collect()
            }),
        ),
    ];
    let tried = servers
        .into_iter()
        .zip(1..)
        .map(|((what, answer), seed)| async move {
            let mut node = Node::open(seed).await;
            let port = server_that(answer).await;
            let fault = node.borrow(server_at(port, "udp")).await;
            assert!(
                matches!(
                    fault,
                    Err(LendFault::Protocol
                        | LendFault::Login
                        | LendFault::Refused(_)
                        | LendFault::Silent)
                ),
                "{what}: {fault:?}"
            );
            node
        });
    let nodes = futures_util::future::join_all(tried).await;
    // All still work with one that is good.
    let coturn = Coturn::start(STATIC).await;
    for mut node in nodes {
        let good = coturn.server("udp", "anna", "secret");
        node.borrow(good).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let mut node = Node::open(1).await;
    let port = server_that(Box::new(|_| Vec::new())).await;
    assert_eq!(
        node.borrow(server_at(port, "udp")).await,
        Err(LendFault::Silent)
    );
}
