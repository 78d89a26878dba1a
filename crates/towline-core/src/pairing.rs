//! Two strangers become peers by a code: the mailbox, SPAKE2, confirmation, cards.
//!
//! The creator shows the code (`creator`: ExpectMailbox, ExpectJoiner, ExpectPeerKey,
//! ExpectConfirm, ExpectCard, ExpectKept, ExpectDurable), the joiner enters it (`joiner`:
//! ExpectMailbox, ExpectPeerKey, ExpectConfirm, ExpectCard, ExpectReveal, ExpectDurable). Whatever
//! the other side does out of order ends the pairing and burns the mailbox. Once it has proved the
//! secret only what is provably its own word counts, a farewell too; the rest is dropped.
//!
//! Who keeps whom first: the joiner, as soon as it has seen everything; it says `Kept` once that is
//! durable, and then the creator keeps it too. When `Kept` stays out for `stage::KEPT_PATIENCE`, the
//! creator, which has proof of everything by then, keeps the joiner all the same. So a joiner never
//! has a peer that does not know it. The other way round can happen when the creator's last
//! message is lost for good: the joiner reports `PeerGone`, the creator has a peer that stays away,
//! and the next code between the two replaces it. Messages lost with a session are said again when
//! the mailbox reports `Joined` anew, and a repeated message is taken once.
//!
//! This machine knows nothing of the signal server's messages nor of the local network; it asks for a
//! mailbox and sends opaque bytes through it. How they travel is decided by `carrier`.

mod creator;
mod exchange;
mod joiner;
mod stage;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use towline_wire::card::{Capabilities, Card, DeviceName};
use towline_wire::code::{HALF_LETTERS_MAX, HALF_LETTERS_MIN, PairingCode, Slot};
use towline_wire::ids::DeviceId;
use towline_wire::limits::CODE_SECONDS;
use towline_wire::link_uri::LinkUri;
use towline_wire::pairing::{CompareString, PairingMessage, RefuseReason};
use towline_wire::server_url::ServerUrl;

use crate::clock::Moment;
use crate::identity::Identity;
use crate::records::{PeerRecord, Verification};
use crate::snapshot::{PairingFault, PairingSummary};

use creator::Creator;
use exchange::Farewell;
use joiner::Joiner;
use stage::{Stage, Stop, Surroundings, Turn};

/// What the pairing wants from whoever carries its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxRequest {
    /// Opens a mailbox; answered by `Opened`.
    Open,
    /// Claims the mailbox of this slot; answered by `Joined`. The second part names another server
    /// than the home server: `host`, `host:port` or a whole WebSocket URL.
    Claim(Slot, Option<String>),
    /// Sends bytes to the other side of the mailbox.
    Send(Vec<u8>),
    /// Both sides are peers: the mailbox goes and the claim's token comes back.
    Done,
    /// The pairing is over without success: the mailbox is burned.
    Burn,
}

/// How the two sides of a pairing reach each other. It is a part of what both must have seen alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through a mailbox of the signal server.
    Server,
    /// Straight over the local network.
    Nearby,
}

/// What the carrier of the mailbox has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxEvent {
    /// The mailbox is open.
    Opened {
        /// The code's first half.
        slot: Slot,
        /// For how long.
        lasts: Duration,
        /// At which server; `None` where only devices nearby find it.
        server: Option<ServerUrl>,
    },
    /// Somebody is on the other side; again when one of both had been away for a while.
    Joined(Way),
    /// Bytes from the other side.
    Received(Vec<u8>),
    /// It is over.
    Failed(PairingFault),
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingWish {
    /// Show a code.
    Start,
    /// Enter a code.
    Join(PairingCode),
    /// Use a link that somebody made.
    JoinLink(LinkUri),
    /// Stop, and clear the last outcome.
    Cancel,
}

/// What the pairing tells its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingNews {
    /// For whoever carries the mailbox.
    Mailbox(MailboxRequest),
    /// A new peer: make it durable, then call [`Pairing::handle_durable`].
    Paired(PeerRecord),
}

/// This device as a pairing introduces it.
#[derive(Debug, Clone, Copy)]
pub struct Ourselves<'a> {
    /// Its key.
    pub identity: &'a Identity,
    /// Its name.
    pub name: &'a str,
    /// Its signal servers, the preferred one first; a code without a server means that one.
    pub servers: &'a [ServerUrl],
    /// Where it listens now.
    pub addresses: &'a [SocketAddr],
}

/// The pairing of one device: at most one at a time.
pub struct Pairing {
    state: State,
    /// When codes of this device were burned by a wrong guess, the latest ones.
    burned_at: Vec<Moment>,
}

enum State {
    Idle,
    Live(Box<Stage>, Course),
    Paired(DeviceId),
    Failed(PairingFault),
}

/// What a pairing under way keeps beside its stage.
#[derive(Default)]
struct Course {
    /// When the stage has waited long enough; `None` when it waits for our own disk.
    deadline: Option<Moment>,
    /// When the code ends.
    expires_at: Moment,
    /// What the last turn said, for saying it again.
    said: Vec<Vec<u8>>,
    /// What was taken, for taking it once: four messages at most, then the pairing is over.
    taken: Vec<Vec<u8>>,
}

impl Pairing {
    /// No pairing.
    pub const fn new() -> Self {
        Self {
            state: State::Idle,
            burned_at: Vec::new(),
        }
    }

    /// Does what a person asked for. A pairing that still waits is burned first; one whose peer is
    /// just being made durable is past all wishes.
    pub fn handle_wish(
        &mut self,
        now: Moment,
        wish: PairingWish,
        us: &Ourselves<'_>,
    ) -> Vec<PairingNews> {
        if self.is_settled() {
            return Vec::new();
        }
        let is_own = self.is_own(&wish, us);
        let mut news = self.leave();
        match wish {
            PairingWish::Cancel => {}
            PairingWish::Join(_) | PairingWish::JoinLink(_) if is_own => {
                self.state = State::Failed(PairingFault::OwnCode);
            }
            PairingWish::Start => {
                let letters = self.secret_letters(now);
                self.begin(now, Stage::Creator(Creator::ExpectMailbox { letters }));
                news.push(PairingNews::Mailbox(MailboxRequest::Open));
            }
            PairingWish::Join(code) => {
                self.begin(now, Stage::Joiner(Joiner::of_code(&code)));
                news.push(PairingNews::Mailbox(MailboxRequest::Claim(
                    code.slot, code.host,
                )));
            }
            PairingWish::JoinLink(link) => {
                self.begin(now, Stage::Joiner(Joiner::of_link(&link)));
                let server = link.server.map(|server| server.to_string());
                news.push(PairingNews::Mailbox(MailboxRequest::Claim(
                    link.slot, server,
                )));
            }
        }
        news
    }

    /// Takes what the carrier of the mailbox has done.
    pub fn handle_mailbox(
        &mut self,
        now: Moment,
        event: MailboxEvent,
        us: &Ourselves<'_>,
        rng: &mut ChaCha20Rng,
    ) -> Vec<PairingNews> {
        if self.is_settled() {
            return Vec::new();
        }
        // Without a pairing this is late news of a mailbox that we have left.
        let Some((stage, mut course)) = self.take_live() else {
            return Vec::new();
        };
        let mut around = Surroundings { us, rng };
        let farewell = stage.farewell();
        let turn = match event {
            MailboxEvent::Opened {
                slot,
                lasts,
                server,
            } => {
                course.expires_at = now.after(lasts.min(CODE_LIFE));
                stage.opened(slot, server, &mut around)
            }
            MailboxEvent::Joined(_) if stage.is_met() => {
                let again = course.said.iter().cloned().map(send).collect();
                self.state = State::Live(Box::new(stage), course);
                return again;
            }
            MailboxEvent::Joined(way) => stage.joined(way, &mut around),
            MailboxEvent::Received(bytes) if course.taken.contains(&bytes) => {
                self.state = State::Live(Box::new(stage), course);
                return Vec::new();
            }
            MailboxEvent::Received(bytes) => {
                let message = PairingMessage::decode(&bytes);
                if !stage.is_genuine(&message) {
                    self.state = State::Live(Box::new(stage), course);
                    return Vec::new();
                }
                course.taken.push(bytes);
                match message {
                    Ok(PairingMessage::Refuse(refuse)) => Err(Stop::refused(refuse.reason)),
                    Ok(message) => stage.received(message, &mut around),
                    Err(_) => Err(Stop::protocol()),
                }
            }
            MailboxEvent::Failed(fault) => stage.lost(fault),
        };
        self.go_on(now, course, &farewell, turn)
    }

    /// Takes that the peer of the last [`PairingNews::Paired`] is durable.
    pub fn handle_durable(&mut self) -> Vec<PairingNews> {
        if !self.is_settled() {
            return Vec::new();
        }
        let settled = self.take_live().and_then(|(stage, _)| stage.durable());
        let Some((peer, last_word)) = settled else {
            return Vec::new();
        };
        self.state = State::Paired(peer);
        let last_word = last_word.map(|message| send(message.encode()));
        last_word
            .into_iter()
            .chain([PairingNews::Mailbox(MailboxRequest::Done)])
            .collect()
    }

    /// Takes that time has passed.
    pub fn handle_timeout(&mut self, now: Moment) -> Vec<PairingNews> {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let Some((stage, course)) = self.take_live() else {
            return Vec::new();
        };
        let fault = if now >= course.expires_at {
            PairingFault::Expired
        } else {
            stage.late_fault()
        };
        let tell = stage.is_met().then_some(RefuseReason::GaveUp);
        let farewell = stage.farewell();
        let turn = stage.lost(fault).map_err(|stop| Stop { tell, ..stop });
        self.go_on(now, course, &farewell, turn)
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        match &self.state {
            State::Live(_, course) => course.deadline,
            State::Idle | State::Paired(_) | State::Failed(_) => None,
        }
    }

    /// What a person sees of it.
    pub fn summary(&self) -> PairingSummary {
        match &self.state {
            State::Idle => PairingSummary::Idle,
            State::Live(stage, course) => stage.summary(course.expires_at),
            State::Paired(peer) => PairingSummary::Paired(*peer),
            State::Failed(fault) => PairingSummary::Failed(*fault),
        }
    }

    /// Whether the new peer is decided and being made durable.
    fn is_settled(&self) -> bool {
        matches!(&self.state, State::Live(stage, _) if stage.is_settled())
    }

    fn take_live(&mut self) -> Option<(Stage, Course)> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Live(stage, course) => Some((*stage, course)),
            over @ (State::Idle | State::Paired(_) | State::Failed(_)) => {
                self.state = over;
                None
            }
        }
    }

    fn begin(&mut self, now: Moment, stage: Stage) {
        let expires_at = now.after(CODE_LIFE);
        let deadline = stage.patience().map(|wait| now.after(wait));
        self.state = State::Live(
            Box::new(stage),
            Course {
                deadline,
                expires_at,
                ..Course::default()
            },
        );
    }

    /// Ends what is, without a fault.
    fn leave(&mut self) -> Vec<PairingNews> {
        let live = self.take_live();
        self.state = State::Idle;
        let Some((stage, _)) = live else {
            return Vec::new();
        };
        let parting = stage
            .is_met()
            .then(|| send(stage.farewell().refuse(RefuseReason::GaveUp).encode()));
        parting
            .into_iter()
            .chain([PairingNews::Mailbox(MailboxRequest::Burn)])
            .collect()
    }

    /// Takes the turn's next stage, or ends the pairing.
    fn go_on(
        &mut self,
        now: Moment,
        mut course: Course,
        farewell: &Farewell,
        turn: Result<Turn<Stage>, Stop>,
    ) -> Vec<PairingNews> {
        match turn {
            Ok(turn) => {
                course.said = turn.say.iter().map(PairingMessage::encode).collect();
                course.deadline = turn
                    .next
                    .patience()
                    .map(|wait| now.after(wait).min(course.expires_at));
                let said = course.said.iter().cloned().map(send);
                let news = said.chain(turn.paired.map(PairingNews::Paired)).collect();
                self.state = State::Live(Box::new(turn.next), course);
                news
            }
            Err(Stop { fault, tell }) => {
                if tell == Some(RefuseReason::WrongSecret) {
                    self.burned_at
                        .retain(|moment| now.since(*moment) < BURNED_MEMORY);
                    self.burned_at.push(now);
                }
                self.state = State::Failed(fault);
                let told = tell.map(|reason| send(farewell.refuse(reason).encode()));
                told.into_iter()
                    .chain([PairingNews::Mailbox(MailboxRequest::Burn)])
                    .collect()
            }
        }
    }

    /// Letters of the next secret: more of them while somebody seems to be guessing.
    fn secret_letters(&self, now: Moment) -> usize {
        let burned = self
            .burned_at
            .iter()
            .filter(|moment| now.since(**moment) < BURNED_MEMORY)
            .count();
        if burned >= BURNED_FEW {
            HALF_LETTERS_MAX
        } else {
            HALF_LETTERS_MIN
        }
    }

    /// Whether the wish is to enter the code that this device shows.
    fn is_own(&self, wish: &PairingWish, us: &Ourselves<'_>) -> bool {
        let State::Live(stage, _) = &self.state else {
            return false;
        };
        let Some((code, link)) = stage.shown() else {
            return false;
        };
        match wish {
            PairingWish::Join(typed) => {
                let named = typed.host.as_deref().map(ServerUrl::from_host);
                let named = named.and_then(Result::ok);
                let server = named.as_ref().or(us.servers.first());
                let here = match (server, &link.server) {
                    (Some(server), Some(ours)) => server.is_same_host(ours),
                    (None, Some(_)) => false,
                    // One that only devices nearby find.
                    (Some(_) | None, None) => named.is_none(),
                };
                here && typed.slot == code.slot
            }
            PairingWish::JoinLink(used) => {
                let same_server = match (&used.server, &link.server) {
                    (Some(used), Some(ours)) => used.is_same_host(ours),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                used.slot == link.slot && same_server
            }
            PairingWish::Start | PairingWish::Cancel => false,
        }
    }
}

impl Default for Pairing {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the stage only: everything else may be secret.
impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pairing").field(&self.summary()).finish()
    }
}

impl Ourselves<'_> {
    fn card(&self) -> Card {
        Card {
            device: self.identity.id(),
            name: DeviceName::cleaned(self.name),
            capabilities: Capabilities::default(),
            servers: self.servers.to_vec(),
            addresses: self.addresses.to_vec(),
        }
    }

    /// The record of the peer that showed `card`, unless it is this device itself.
    fn record_of(&self, card: Card, compare: CompareString) -> Result<PeerRecord, Stop> {
        if card.device == self.identity.id() {
            return Err(Stop {
                fault: PairingFault::OwnCode,
                tell: Some(RefuseReason::GaveUp),
            });
        }
        if self.identity.pair_key(card.device).is_none() {
            // A point that would make every signature hold is nobody's key.
            return Err(Stop::protocol());
        }
        Ok(PeerRecord {
            id: card.device,
            name: card.name.into(),
            compare,
            verification: Verification::NotVerified,
            addresses: card.addresses,
            places: Vec::new(),
            servers: card.servers.into_iter().map(String::from).collect(),
        })
    }
}

fn send(bytes: Vec<u8>) -> PairingNews {
    PairingNews::Mailbox(MailboxRequest::Send(bytes))
}

/// Life of a code, counted from the moment when its mailbox opened.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(CODE_SECONDS);

/// How long a burned code is remembered: ten minutes.
const BURNED_MEMORY: Duration = Duration::from_secs(600);

/// Burned codes within [`BURNED_MEMORY`] after which secrets get a letter more: 2. One is a typing
/// mistake; with 15 bits two more guesses would still be harmless, but somebody is trying.
const BURNED_FEW: usize = 2;
