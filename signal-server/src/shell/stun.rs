//! Answers STUN binding requests (RFC 8489): says from which address a packet came, and nothing else.
//!
//! No state, no log, no software name. An answer is 12 bytes longer than the shortest question, 60 against 48
//! bytes with their headers, so it is no tool against a third party, and nothing is counted by address.

use std::net::SocketAddr;
use std::sync::Arc;

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass, MessageType, MessageWriteVec};
use stun_types::prelude::{MessageWrite, MessageWriteExt};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// The longest question that is read: 576 bytes, what every network carries. What is longer is cut and so no
/// STUN.
const QUESTION_BYTES_MAX: usize = 576;

/// Answers until `cancel`.
pub(super) async fn answer_until(
    socket: UdpSocket,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) {
    let mut buffer = [0; QUESTION_BYTES_MAX];
    loop {
        let received = tokio::select! {
            () = cancel.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // An error tells of an earlier answer that reached nobody.
        let Ok((length, from)) = received else {
            continue;
        };
        if let Some(answer) = buffer
            .get(..length)
            .and_then(|question| answer(question, from))
        {
            metrics.answered_stun();
            // Lost like any packet where the socket is busy.
            let _ = socket.try_send_to(&answer, from);
        }
    }
}

/// What is said to a question; nothing to what is none.
pub(super) fn answer(question: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let question = Message::from_bytes(question).ok()?;
    let asks = MessageType::from_class_method(MessageClass::Request, BINDING);
    if question.get_type() != asks {
        return None;
    }
    let mut answer = Message::builder_success(&question, MessageWriteVec::new());
    let seen = XorMappedAddress::new(
        SocketAddr::new(from.ip().to_canonical(), from.port()),
        question.transaction_id(),
    );
    answer.add_attribute(&seen).ok()?;
    Some(answer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_told_its_address_and_anything_else_nothing() {
        let from: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        let asks = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let told = answer(&asks, from).unwrap();
        let told = Message::from_bytes(&told).unwrap();
        let seen = told.attribute::<XorMappedAddress>().unwrap();
        assert_eq!(seen.addr(told.transaction_id()), from);
        assert_eq!(answer(&told_bytes(&asks, from), from), None, "an answer");
        assert_eq!(answer(&asks[..19], from), None);
        assert_eq!(answer(&[0; 20], from), None);
    }

    fn told_bytes(asks: &[u8], from: SocketAddr) -> Vec<u8> {
        answer(asks, from).unwrap()
    }
}
