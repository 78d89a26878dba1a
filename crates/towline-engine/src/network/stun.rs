//! Asks STUN servers from which address this device's UDP sockets are seen (RFC 8489).
//!
//! A question leaves from the very socket that carries everything else, so the answer tells where peers reach
//! that. An answer counts when it comes from where the question went and bears its transaction, which are 96
//! random bits. A name is asked for one address of each family; one that leads to this machine itself is
//! followed only where the name says so, and what is no address of one host never.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{
    BINDING, MAGIC_COOKIE, Message, MessageClass, MessageType, MessageWriteVec, TransactionId,
};
use stun_types::prelude::{MessageWrite, MessageWriteExt};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use towline_core::io::{NetworkEvent, StunServer};
use towline_wire::card::listenable;
use tracing::debug;

use super::path_socket::PathSocket;
use super::routes::Through;

/// Questions that wait for an answer: 16, some seconds' worth. An older one is forgotten for a newer one.
const WAITING_MAX: usize = 16;

/// Bytes of a STUN message's header.
const HEADER_BYTES: usize = 20;

/// A datagram that looks like STUN.
#[derive(Debug)]
pub(super) struct StunDatagram {
    pub(super) from: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// The longest answer that is looked at: 576 bytes, what every network carries.
const ANSWER_BYTES_MAX: usize = 576;

impl StunDatagram {
    /// The datagram, if it looks like STUN: the first two bits clear and the fixed cookie.
    pub(super) fn of(bytes: &[u8], from: SocketAddr) -> Option<Self> {
        let head = bytes.first_chunk::<HEADER_BYTES>()?;
        let [first, _, _, _, cookie @ ..] = head;
        let looks_so = first & 0xc0 == 0 && cookie.starts_with(&MAGIC_COOKIE.to_be_bytes());
        (looks_so && bytes.len() <= ANSWER_BYTES_MAX).then(|| Self {
            from,
            bytes: bytes.to_vec(),
        })
    }
}

/// Asks, and knows the answers.
pub(super) struct StunClient {
    socket: Arc<PathSocket>,
    waiting: Mutex<VecDeque<Question>>,
}

#[derive(Debug)]
struct Question {
    server: StunServer,
    to: SocketAddr,
    transaction: TransactionId,
}

impl StunClient {
    pub(super) fn new(socket: Arc<PathSocket>) -> Self {
        Self {
            socket,
            waiting: Mutex::new(VecDeque::new()),
        }
    }

    /// Asks a server once on each address family that it and we have.
    pub(super) async fn ask(&self, server: StunServer) {
        let found = match lookup_host((server.host.as_str(), server.port)).await {
            Ok(found) => found.collect(),
            Err(error) => {
                debug!(%error, "a STUN server's name leads nowhere");
                return;
            }
        };
        let found = usable(&server.host, found);
        for is_v4 in [true, false] {
            if let Some(to) = found.iter().find(|addr| addr.is_ipv4() == is_v4) {
                self.ask_at(server.clone(), *to);
            }
        }
    }

    fn ask_at(&self, server: StunServer, to: SocketAddr) {
        let message = Message::builder_request(BINDING, MessageWriteVec::new());
        let transaction = message.transaction_id();
        let bytes = message.finish();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(Question {
            server,
            to,
            transaction,
        });
        drop(waiting);
        self.socket.send_aside(to, None, Through::Main, &bytes);
    }

    /// Matches answers to questions, until nobody sends any.
    pub(super) async fn run(
        self: Arc<Self>,
        mut answers: mpsc::Receiver<StunDatagram>,
        events: mpsc::Sender<NetworkEvent>,
    ) {
        while let Some(answer) = answers.recv().await {
            let Some((server, from)) = self.opened(&answer) else {
                continue;
            };
            let told = NetworkEvent::Reflected { server, from };
            if events.send(told).await.is_err() {
                return;
            }
        }
    }

    fn opened(&self, answer: &StunDatagram) -> Option<(StunServer, SocketAddr)> {
        let (transaction, seen) = said(&answer.bytes)?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_its = |asked: &Question| asked.transaction == transaction && asked.to == answer.from;
        let at = waiting.iter().position(is_its)?;
        let question = waiting.remove(at)?;
        Some((question.server, seen))
    }
}

/// What an answer says, and to which question.
fn said(bytes: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    let message = Message::from_bytes(bytes).ok()?;
    let success = MessageType::from_class_method(MessageClass::Success, BINDING);
    if message.get_type() != success {
        return None;
    }
    let transaction = message.transaction_id();
    let seen = message.attribute::<XorMappedAddress>().ok()?;
    Some((transaction, seen.addr(transaction)))
}

/// Takes what may come to a socket that has asked.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    let from = SocketAddr::from(([192, 0, 2, 1], 3478));
    if let Some(answer) = StunDatagram::of(bytes, from) {
        said(&answer.bytes);
    }
}

/// Answers as servers give them.
#[cfg(any(test, fuzzing))]
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let asks = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
    let answers = ["198.51.100.7:4000", "[2001:db8::7]:4000"].into_iter();
    answers
        .filter_map(|seen| {
            let question = Message::from_bytes(&asks).ok()?;
            let mut answer = Message::builder_success(&question, MessageWriteVec::new());
            let seen = XorMappedAddress::new(seen.parse().ok()?, question.transaction_id());
            answer.add_attribute(&seen).ok()?;
            Some(answer.finish())
        })
        .chain([asks.clone()])
        .collect()
}

/// Where a question may go, of where a name leads.
pub(super) fn usable(host: &str, found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let names_this_machine = host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let mut usable = listenable(found);
    usable.retain(|addr| names_this_machine || !addr.ip().to_canonical().is_loopback());
    usable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_bears_the_cookie_is_stun() {
        let from = addr("192.0.2.1:3478");
        let message = Message::builder_request(BINDING, MessageWriteVec::new());
        let mut bytes = message.finish();
        assert!(StunDatagram::of(&bytes, from).is_some());
        assert!(StunDatagram::of(&bytes[..19], from).is_none());
        bytes[0] |= 0x40;
        assert!(StunDatagram::of(&bytes, from).is_none(), "QUIC");
        bytes[0] &= !0x40;
        bytes[5] ^= 1;
        assert!(StunDatagram::of(&bytes, from).is_none(), "another cookie");
    }

    #[test]
    fn a_name_leads_to_this_machine_only_where_it_says_so() {
        let found = || {
            vec![
                addr("127.0.0.1:3478"),
                addr("192.0.2.1:3478"),
                addr("224.0.0.1:3478"),
            ]
        };
        assert_eq!(usable("stun.example", found()), [addr("192.0.2.1:3478")]);
        let local = usable("localhost", found());
        assert_eq!(local, [addr("127.0.0.1:3478"), addr("192.0.2.1:3478")]);
    }
}
