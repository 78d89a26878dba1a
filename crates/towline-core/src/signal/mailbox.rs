//! The mailbox of the one pairing of a device, as the session carries it.
//!
//! Asked for without a session it waits [`SERVER_PATIENCE`] for one. It outlives a reconnect: the
//! server says again how it stands, and a mailbox of which it says nothing is gone.

use std::time::Duration;

use towline_wire::code::Slot;
use towline_wire::server_url::ServerUrl;
use towline_wire::signal::{ClientMessage, PairingFailure, SignalId};

use super::registered::Addressee;
use super::{ANSWER_PATIENCE, Session, SessionNews, State};
use crate::clock::Moment;
use crate::io::SignalRequest;
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, MailboxRequest};
use crate::snapshot::PairingFault;

/// What the mailbox waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mailbox {
    /// There is none.
    None,
    /// A session.
    ExpectServer { wanted: Wanted, deadline: Moment },
    /// The slot.
    ExpectSlot { deadline: Moment },
    /// The outcome of the claim.
    ExpectClaim { deadline: Moment },
    /// A joiner. With a deadline, the server's word after a reconnect that it still has the mailbox.
    ExpectJoiner {
        slot: Slot,
        deadline: Option<Moment>,
    },
    /// Nothing: messages pass.
    Joined { peer: SignalId },
}

/// What is asked of the server first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Open,
    Claim(Slot),
}

impl Mailbox {
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            Self::None | Self::Joined { .. } => None,
            Self::ExpectServer { deadline, .. }
            | Self::ExpectSlot { deadline }
            | Self::ExpectClaim { deadline } => Some(*deadline),
            Self::ExpectJoiner { deadline, .. } => *deadline,
        }
    }

    /// Whether `id` is on the other side.
    pub(super) fn is_with(&self, id: SignalId) -> bool {
        matches!(self, Self::Joined { peer } if *peer == id)
    }

    /// Whether a request of the mailbox is at the server.
    pub(super) const fn is_asking(&self) -> bool {
        matches!(self, Self::ExpectSlot { .. } | Self::ExpectClaim { .. })
    }
}

impl Session {
    /// Does what the pairing wants.
    pub(super) fn mailbox_wanted(
        &mut self,
        now: Moment,
        request: MailboxRequest,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        match request {
            MailboxRequest::Open => self.begin(now, Wanted::Open, None, outbox, &mut news),
            MailboxRequest::Claim(slot, named) => match named.as_deref().map(server_named) {
                Some(None) => news.push(failed(PairingFault::ServerUnreachable)),
                Some(Some(server)) => {
                    self.begin(now, Wanted::Claim(slot), Some(server), outbox, &mut news)
                }
                None => self.begin(now, Wanted::Claim(slot), None, outbox, &mut news),
            },
            MailboxRequest::Send(bytes) => {
                // Without a session the bytes are lost; the pairing says them again when it is back.
                if let Mailbox::Joined { peer } = self.mailbox {
                    self.relay(peer, Addressee::Pairing, &bytes, outbox);
                }
            }
            MailboxRequest::Done => self.end(now, ClientMessage::PairingDone, outbox, &mut news),
            MailboxRequest::Burn => {
                self.end(now, ClientMessage::CancelPairingCode, outbox, &mut news)
            }
        }
        news
    }

    fn begin(
        &mut self,
        now: Moment,
        wanted: Wanted,
        server: Option<ServerUrl>,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        let elsewhere = server.filter(|server| {
            !self
                .home
                .as_ref()
                .is_some_and(|home| home.is_same_host(server))
        });
        if self.home.is_none() && elsewhere.is_none() {
            news.push(failed(PairingFault::ServerUnreachable));
            return;
        }
        let moves = elsewhere != self.detour;
        self.detour = elsewhere;
        self.mailbox = Mailbox::ExpectServer {
            wanted,
            deadline: now.after(SERVER_PATIENCE),
        };
        match self.state {
            State::Online { .. } if !moves => self.mailbox_reaches_server(now, outbox),
            // Somebody waits: the next try is now.
            State::NoServer | State::Waiting { .. } | State::Stopped { .. } => {
                self.connect(now, outbox);
            }
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. }
                if moves =>
            {
                self.move_to_target(now, outbox, news);
            }
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. }
            | State::Closing { .. } => {}
        }
    }

    /// There is a session now, perhaps again.
    pub(super) fn mailbox_reaches_server(&mut self, now: Moment, outbox: &mut Outbox) {
        let deadline = now.after(ANSWER_PATIENCE);
        match std::mem::replace(&mut self.mailbox, Mailbox::None) {
            Mailbox::ExpectServer {
                wanted: Wanted::Open,
                ..
            } => {
                outbox.signal(
                    self.id,
                    SignalRequest::Send(ClientMessage::CreatePairingCode),
                );
                self.mailbox = Mailbox::ExpectSlot { deadline };
            }
            Mailbox::ExpectServer {
                wanted: Wanted::Claim(code),
                ..
            } => {
                outbox.signal(
                    self.id,
                    SignalRequest::Send(ClientMessage::UsePairingCode { code }),
                );
                self.mailbox = Mailbox::ExpectClaim { deadline };
            }
            Mailbox::ExpectJoiner { slot, .. } => {
                self.mailbox = Mailbox::ExpectJoiner {
                    slot,
                    deadline: Some(deadline),
                };
            }
            // What was asked may have arrived before the session broke; its deadline stands.
            unchanged @ (Mailbox::None
            | Mailbox::ExpectSlot { .. }
            | Mailbox::ExpectClaim { .. }
            | Mailbox::Joined { .. }) => self.mailbox = unchanged,
        }
    }

    pub(super) fn mailbox_opened(
        &mut self,
        now: Moment,
        slot: Slot,
        lasts: Duration,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        if !self.is_fresh() {
            return;
        }
        match &self.mailbox {
            Mailbox::ExpectSlot { .. } => {
                self.mailbox = Mailbox::ExpectJoiner {
                    slot: slot.clone(),
                    deadline: None,
                };
                if let Some(server) = self.target().cloned() {
                    let opened = MailboxEvent::Opened {
                        slot,
                        lasts,
                        server,
                    };
                    news.push(SessionNews::Mailbox(opened));
                }
            }
            Mailbox::ExpectJoiner { slot: ours, .. } if *ours == slot => {
                self.mailbox = Mailbox::ExpectJoiner {
                    slot,
                    deadline: None,
                };
            }
            // The code on the screen opens nothing any more.
            Mailbox::ExpectJoiner { .. } => {
                self.mailbox_failed(now, PairingFault::Expired, outbox, news)
            }
            // Left before the answer came.
            Mailbox::None
            | Mailbox::ExpectServer { .. }
            | Mailbox::ExpectClaim { .. }
            | Mailbox::Joined { .. } => {}
        }
    }

    pub(super) fn mailbox_joined(&mut self, peer: SignalId, news: &mut Vec<SessionNews>) {
        if !self.is_fresh() {
            return;
        }
        match &self.mailbox {
            Mailbox::ExpectJoiner { .. } | Mailbox::ExpectClaim { .. } => {
                self.mailbox = Mailbox::Joined { peer }
            }
            Mailbox::Joined { peer: before } if *before == peer => {}
            // A mailbox has one joiner; and what we have left tells us nothing.
            Mailbox::Joined { .. }
            | Mailbox::None
            | Mailbox::ExpectServer { .. }
            | Mailbox::ExpectSlot { .. } => {
                return;
            }
        }
        news.push(SessionNews::Mailbox(MailboxEvent::Joined));
    }

    pub(super) fn mailbox_ended(
        &mut self,
        now: Moment,
        reason: PairingFailure,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        let fault = match reason {
            PairingFailure::CodeInvalid => PairingFault::CodeInvalid,
            PairingFailure::Expired => PairingFault::Expired,
            PairingFailure::Cancelled | PairingFailure::PeerLeft => PairingFault::PeerGone,
        };
        if fault == PairingFault::CodeInvalid && !self.is_fresh() {
            return;
        }
        match &self.mailbox {
            Mailbox::ExpectClaim { .. } if fault == PairingFault::CodeInvalid => {
                self.mailbox_failed(now, fault, outbox, news);
            }
            Mailbox::ExpectJoiner { .. } | Mailbox::Joined { .. } => {
                self.mailbox_failed(now, fault, outbox, news)
            }
            // The end of a mailbox that was left before.
            Mailbox::None
            | Mailbox::ExpectServer { .. }
            | Mailbox::ExpectSlot { .. }
            | Mailbox::ExpectClaim { .. } => {}
        }
    }

    pub(super) fn mailbox_failed(
        &mut self,
        now: Moment,
        fault: PairingFault,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        self.mailbox = Mailbox::None;
        news.push(failed(fault));
        self.end_detour(now, outbox, news);
    }

    /// Whether an answer of the server belongs to the mailbox of now. The server answers in the order
    /// of the requests, so the answers to those that were given up come first.
    pub(super) fn is_fresh(&mut self) -> bool {
        let fresh = self.stale_answers == 0;
        self.stale_answers = self.stale_answers.saturating_sub(1);
        fresh
    }

    /// The pairing is over; `word` tells the server, if it has anything of it.
    fn end(
        &mut self,
        now: Moment,
        word: ClientMessage,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        let online = matches!(self.state, State::Online { .. });
        if online && self.mailbox.is_asking() {
            self.stale_answers += 1;
        }
        match std::mem::replace(&mut self.mailbox, Mailbox::None) {
            Mailbox::None | Mailbox::ExpectServer { .. } => {}
            Mailbox::ExpectSlot { .. }
            | Mailbox::ExpectClaim { .. }
            | Mailbox::ExpectJoiner { .. }
            | Mailbox::Joined { .. } => {
                if online {
                    outbox.signal(self.id, SignalRequest::Send(word));
                }
            }
        }
        self.end_detour(now, outbox, news);
    }

    /// Goes back home.
    fn end_detour(&mut self, now: Moment, outbox: &mut Outbox, news: &mut Vec<SessionNews>) {
        if self.detour.take().is_some() {
            self.move_to_target(now, outbox, news);
        }
    }
}

const fn failed(fault: PairingFault) -> SessionNews {
    SessionNews::Mailbox(MailboxEvent::Failed(fault))
}

/// The server that a code or a link names.
pub(crate) fn server_named(name: &str) -> Option<ServerUrl> {
    if name.contains("://") {
        name.parse().ok()
    } else {
        ServerUrl::from_host(name).ok()
    }
}

/// How long a mailbox waits for a session: 10 s, a reconnect and its registration. A person waits
/// for it with the window open.
const SERVER_PATIENCE: Duration = Duration::from_secs(10);
