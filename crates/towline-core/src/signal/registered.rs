//! What a server says on a registered session, and what passes through it to others.

use std::time::Duration;

use data_encoding::BASE64;
use towline_wire::limits::RELAY_PAYLOAD_BYTES_MAX;
use towline_wire::signal::{ClientMessage, ErrorCode, Payload, ServerMessage, SignalId};

use super::{Session, SessionNews, State};
use crate::clock::Moment;
use crate::io::{SignalFault, SignalRequest};
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, Way};
use crate::snapshot::PairingFault;

impl Session {
    pub(super) fn online_message(
        &mut self,
        now: Moment,
        message: ServerMessage,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        match message {
            ServerMessage::PairingCode { code, expires_in } => {
                let lasts = Duration::from_secs(expires_in);
                self.mailbox_opened(now, code, lasts, outbox, news)
            }
            ServerMessage::Paired { peer_id } => self.mailbox_joined(peer_id, news),
            ServerMessage::PairingFailed { reason } => {
                self.mailbox_ended(now, reason, outbox, news)
            }
            ServerMessage::Relayed { from, payload, .. } => self.relayed(from, &payload, news),
            ServerMessage::PeerConnected { peer_id } => {
                if let Some(peer) = peer_id.device().filter(|peer| self.watch.contains(peer))
                    && self.online.insert(peer)
                {
                    news.push(SessionNews::Online(peer));
                }
                if self.mailbox.is_with(peer_id) {
                    news.push(SessionNews::Mailbox(MailboxEvent::Joined(Way::Server)));
                }
            }
            ServerMessage::PeerDisconnected { peer_id } => {
                if let Some(peer) = peer_id.device().filter(|peer| self.online.remove(peer)) {
                    news.push(SessionNews::Offline(peer));
                }
            }
            ServerMessage::RelayReady {
                peer_id,
                channel,
                url,
                token,
            } => {
                // A server speaks for itself only, and never takes the encryption away.
                let url = self.target().and_then(|server| {
                    let joined = server.join(&url).ok()?;
                    let kept =
                        joined.is_same_host(server) && joined.is_secure() == server.is_secure();
                    kept.then_some(joined)
                });
                if let (Some(peer), Some(url)) = (peer_id.device(), url) {
                    let token = token.reveal();
                    news.push(SessionNews::RelayReady {
                        peer,
                        url: url.to_string(),
                        channel: channel.0,
                        token,
                    });
                }
            }
            ServerMessage::IceServers { ice } => news.push(SessionNews::Lenders(ice.turn)),
            ServerMessage::Draining { reconnect_after_ms } => {
                outbox.signal(self.id, SignalRequest::Disconnect);
                self.all_offline(news);
                let wait = Duration::from_millis(reconnect_after_ms).min(DRAIN_WAIT_MAX);
                self.state = State::Waiting {
                    fault: SignalFault::Closed,
                    retry_at: now.after(wait),
                };
            }
            ServerMessage::Error { code, .. } => self.refused(now, code, outbox, news),
            // A pong has done its work by arriving; being slowed down needs nothing from us; a device enters
            // no rooms; the others are said once and were.
            ServerMessage::Pong { .. }
            | ServerMessage::RoomCreated { .. }
            | ServerMessage::JoinedRoom { .. }
            | ServerMessage::PeerJoined { .. }
            | ServerMessage::PeerLeft { .. }
            | ServerMessage::LeftRoom { .. }
            | ServerMessage::RateLimited { .. }
            | ServerMessage::Hello { .. }
            | ServerMessage::Registered { .. } => {}
        }
    }

    /// The server refused a request. It is the mailbox' when that waits for an answer; a link finds
    /// out by itself that nothing came of what it wanted.
    fn refused(
        &mut self,
        now: Moment,
        code: ErrorCode,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        let fault = match code {
            ErrorCode::RateLimited => PairingFault::RateLimited,
            ErrorCode::CodeInvalid => PairingFault::CodeInvalid,
            ErrorCode::Unavailable | ErrorCode::Internal => PairingFault::ServerUnreachable,
            ErrorCode::InvalidMessage
            | ErrorCode::NotRegistered
            | ErrorCode::AlreadyRegistered
            | ErrorCode::BadProof
            | ErrorCode::AccessDenied
            | ErrorCode::RoomNotFound
            | ErrorCode::RoomFull
            | ErrorCode::NotInRoom
            | ErrorCode::PeerOffline
            | ErrorCode::TooLarge => return,
        };
        if self.is_fresh() && self.mailbox.is_asking() {
            self.mailbox_failed(now, fault, outbox, news);
        }
    }

    fn relayed(&self, from: SignalId, payload: &Payload, news: &mut Vec<SessionNews>) {
        let bytes = payload
            .as_text()
            .and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let Some((first, bytes)) = bytes.as_deref().and_then(|bytes| bytes.split_first()) else {
            return;
        };
        if *first == Addressee::Pairing.byte() && self.mailbox.is_with(from) {
            news.push(SessionNews::Mailbox(MailboxEvent::Received(bytes.to_vec())));
        } else if *first == Addressee::Link.byte()
            && let Some(peer) = from.device().filter(|peer| self.watch.contains(peer))
        {
            news.push(SessionNews::Told(peer, bytes.to_vec()));
        }
    }

    /// Sends bytes to somebody through the server; lost when there is no session.
    pub(super) fn relay(
        &self,
        to: SignalId,
        addressee: Addressee,
        bytes: &[u8],
        outbox: &mut Outbox,
    ) {
        let payload = BASE64.encode(&[&[addressee.byte()], bytes].concat());
        if self.is_online() && payload.len() + 2 <= RELAY_PAYLOAD_BYTES_MAX {
            outbox.signal(
                self.id,
                SignalRequest::Send(ClientMessage::relay(to, Payload::from_text(&payload))),
            );
        }
    }
}

/// For whom on the other device a relayed payload is: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressee {
    Pairing,
    Link,
}

impl Addressee {
    const fn byte(self) -> u8 {
        match self {
            Self::Pairing => 1,
            Self::Link => 2,
        }
    }
}

/// The longest wait that a draining server can ask for: 60 s.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(60);
