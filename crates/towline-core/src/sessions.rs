//! At which signal servers this device is, and through which of them it meets a peer.
//!
//! A device is at all of its own servers at once, so nothing has to be waited for when one fails, and
//! two devices that share any server meet there, whatever each of them prefers. What one has to say to
//! a peer goes through the first server, in its own order, that sees the peer; a packet channel that did
//! not come is asked for at the next one.
//!
//! Two devices that share no server meet all the same: each visits the servers that the other one has named
//! when they were paired, so that one of both reaching the other's is enough. A visited server learns who
//! is visited there, and nothing of other peers. A code that names another server still takes one more session there,
//! for as long as that pairing lasts.
//!
//! Every session is a [`Session`] with a state of its own.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use towline_wire::ids::DeviceId;
use towline_wire::server_url::ServerUrl;

use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{SessionId, SignalEvent, StunServer};
use crate::outbox::Outbox;
use crate::pairing::MailboxRequest;
use crate::signal::{Moved, Session, SessionInput, SessionNews, server_named};
use crate::snapshot::{ServerState, ServerSummary};

/// What happens to the sessions. The device routes these.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionsInput {
    /// The device has started.
    Start,
    /// The socket of a session.
    Signal(SessionId, SignalEvent),
    /// This device is elsewhere in the network than before.
    Moved(Moved),
    /// A peer does not answer, so perhaps nobody can.
    Doubt,
    /// The whole set of peers whose presence matters, each with the servers that it has named.
    Watch(BTreeMap<DeviceId, Vec<ServerUrl>>),
    /// The pairing wants something of its mailbox.
    Mailbox(MailboxRequest),
    /// A link wants to tell its peer something (already sealed).
    Tell(DeviceId, Vec<u8>),
    /// A link wants a packet channel.
    WantRelay(DeviceId),
}

/// Whether a device goes to servers that are not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// To those of peers that share none with it, and to those that codes name.
    Allowed,
    /// To none: somebody has said where it meets, and nowhere else.
    Forbidden,
}

/// All sessions of a device.
#[derive(Debug)]
pub struct Sessions {
    /// Those at its own servers in the order of preference, then the one for codes that name another
    /// server, then those at servers of peers. A session's place is its id.
    all: Vec<Session>,
    own: usize,
    elsewhere: Elsewhere,
    peers: BTreeMap<DeviceId, Vec<ServerUrl>>,
    /// Peers of whom it was told that they are there.
    present: BTreeSet<DeviceId>,
    /// Where the mailbox of the pairing is.
    mailbox: SessionId,
    /// Where a packet channel with a peer was asked for last, and has not come.
    asked: BTreeMap<DeviceId, SessionId>,
    /// The STUN servers that each own server has named.
    stun: BTreeMap<SessionId, Vec<StunServer>>,
    visits: Visits,
}

/// Whether the visits are those that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visits {
    Settled,
    /// Something changed, or a session is still in the way.
    Due,
}

impl Sessions {
    /// Sessions that are not started. Of the servers the first [`OWN_SERVERS_MAX`] count, each host and
    /// port once: a server lets a device in once, and the newest session wins.
    pub fn new(identity: &Identity, servers: &[ServerUrl], elsewhere: Elsewhere) -> Self {
        let own = own_servers(servers);
        let homes = own.iter().cloned().map(Some);
        let others = std::iter::repeat_n(None, 1 + VISITS_MAX);
        let all = homes.chain(others).enumerate().map(|(place, home)| {
            let id = SessionId(u8::try_from(place).unwrap_or(u8::MAX));
            Session::new(id, identity.clone(), home)
        });
        Self {
            all: all.collect(),
            own: own.len(),
            elsewhere,
            peers: BTreeMap::new(),
            present: BTreeSet::new(),
            mailbox: SessionId::default(),
            asked: BTreeMap::new(),
            stun: BTreeMap::new(),
            visits: Visits::Settled,
        }
    }

    /// Takes what happened.
    pub fn handle_input(
        &mut self,
        now: Moment,
        input: SessionsInput,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            news: Vec::new(),
        };
        match input {
            SessionsInput::Start => self.each(&SessionInput::Start, &mut turn),
            SessionsInput::Moved(how) => self.each(&SessionInput::Moved(how), &mut turn),
            SessionsInput::Doubt => self.each(&SessionInput::Doubt, &mut turn),
            SessionsInput::Signal(id, event) => {
                self.one(id, SessionInput::Signal(event), &mut turn);
            }
            SessionsInput::Watch(peers) => self.watch(peers, &mut turn),
            SessionsInput::Mailbox(request) => self.mailbox_wanted(request, &mut turn),
            SessionsInput::Tell(peer, bytes) => {
                let first = self.seeing(peer).next();
                if let Some(id) = first {
                    self.one(id, SessionInput::Tell(peer, bytes), &mut turn);
                }
            }
            SessionsInput::WantRelay(peer) => self.want_relay(peer, &mut turn),
        }
        self.settle(&mut turn);
        turn.news
    }

    /// Takes that time has passed.
    pub fn handle_timeout(
        &mut self,
        now: Moment,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            news: Vec::new(),
        };
        for id in self.ids() {
            if let Some(session) = self.all.get_mut(usize::from(id.0)) {
                let news = session.handle_timeout(now, turn.rng, turn.outbox);
                self.take(id, news, &mut turn);
            }
        }
        self.settle(&mut turn);
        turn.news
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.all.iter().filter_map(Session::poll_timeout).min()
    }

    /// What a person sees: the own server that is in use first, then the others.
    pub fn summary(&self) -> (ServerSummary, Vec<ServerSummary>) {
        let used = self.preferred();
        let of = |session: &Session| ServerSummary {
            url: session.target().cloned(),
            state: session.summary(),
        };
        let others = self.all.iter().filter(|session| session.id() != used);
        let others = others.map(of).filter(|server| server.url.is_some());
        let used = self.session(used).map_or(
            ServerSummary {
                url: None,
                state: ServerState::None,
            },
            of,
        );
        (used, others.collect())
    }

    /// Whether this device may go to a server that a code or a link names.
    pub fn may_go_to(&self, server: &ServerUrl) -> bool {
        self.elsewhere == Elsewhere::Allowed || self.is_own(server)
    }

    fn ids(&self) -> Vec<SessionId> {
        self.all.iter().map(Session::id).collect()
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.all.get(usize::from(id.0))
    }

    /// The first own server that works; else the first that may yet; else the first. Without any the session for codes.
    fn preferred(&self) -> SessionId {
        let own = || self.all.iter().take(self.own);
        let works = own().find(|session| session.is_online());
        let may = || own().find(|session| session.may_come());
        let first = works.or_else(may).or_else(|| self.all.first());
        first.map_or_else(SessionId::default, Session::id)
    }

    fn errand(&self) -> SessionId {
        SessionId(u8::try_from(self.own).unwrap_or(u8::MAX))
    }

    /// The sessions that see a peer, in the order of preference.
    fn seeing(&self, peer: DeviceId) -> impl Iterator<Item = SessionId> {
        let seeing = self.all.iter().filter(move |session| session.sees(peer));
        seeing.map(Session::id)
    }

    fn each(&mut self, input: &SessionInput, turn: &mut Turn<'_>) {
        for id in self.ids() {
            self.one(id, input.clone(), turn);
        }
    }

    fn one(&mut self, id: SessionId, input: SessionInput, turn: &mut Turn<'_>) {
        if let Some(session) = self.all.get_mut(usize::from(id.0)) {
            let news = session.handle_input(turn.now, input, turn.rng, turn.outbox);
            self.take(id, news, turn);
        }
    }

    /// Passes on what a session tells, as if there were one.
    fn take(&mut self, id: SessionId, news: Vec<SessionNews>, turn: &mut Turn<'_>) {
        for item in news {
            match item {
                SessionNews::Mailbox(_) if id != self.mailbox => {}
                SessionNews::Online(peer) => {
                    if self.present.insert(peer) {
                        turn.news.push(item);
                    }
                }
                SessionNews::Offline(peer) => {
                    if self.seeing(peer).next().is_none() && self.present.remove(&peer) {
                        turn.news.push(item);
                    }
                }
                SessionNews::Stun(servers) => self.stun_named(id, servers, turn),
                // As with STUN, only own servers count; of those the latest that names any.
                SessionNews::Lenders(servers) => {
                    let is_own = self.own > usize::from(id.0);
                    if is_own {
                        turn.news.push(SessionNews::Lenders(servers));
                    }
                }
                SessionNews::RelayReady { peer, .. } => {
                    self.asked.remove(&peer);
                    turn.news.push(item);
                }
                SessionNews::Mailbox(_) | SessionNews::Told(..) => turn.news.push(item),
            }
        }
    }

    /// Only own servers tell us whom to ask, those that greet us now before those of before.
    fn stun_named(&mut self, id: SessionId, servers: Vec<StunServer>, turn: &mut Turn<'_>) {
        if self.own > usize::from(id.0) || self.own == 0 {
            self.stun.insert(id, servers);
        }
        let (here, gone): (Vec<_>, Vec<_>) = self
            .stun
            .iter()
            .partition(|(id, _)| self.session(**id).is_some_and(Session::is_greeted));
        let mut named: Vec<StunServer> = Vec::new();
        for server in here.into_iter().chain(gone).flat_map(|(_, named)| named) {
            if !named.contains(server) {
                named.push(server.clone());
            }
        }
        turn.news.push(SessionNews::Stun(named));
    }

    fn mailbox_wanted(&mut self, request: MailboxRequest, turn: &mut Turn<'_>) {
        match &request {
            MailboxRequest::Open | MailboxRequest::Claim(_, None) => {
                self.mailbox = self.preferred();
            }
            MailboxRequest::Claim(_, Some(named)) => {
                let server = server_named(named);
                let here = self.all.iter().find(|session| {
                    let home = session.home().zip(server.as_ref());
                    home.is_some_and(|(home, server)| home.is_same_host(server))
                });
                self.mailbox = here.map_or_else(|| self.errand(), Session::id);
            }
            MailboxRequest::Send(_) | MailboxRequest::Done | MailboxRequest::Burn => {}
        }
        self.one(self.mailbox, SessionInput::Mailbox(request), turn);
    }

    fn want_relay(&mut self, peer: DeviceId, turn: &mut Turn<'_>) {
        let last = self.asked.get(&peer).copied();
        let next = last.and_then(|last| self.seeing(peer).find(|id| *id > last));
        let next = next.or_else(|| self.seeing(peer).next());
        if let Some(id) = next {
            self.asked.insert(peer, id);
            self.one(id, SessionInput::WantRelay(peer), turn);
        }
    }

    fn watch(&mut self, peers: BTreeMap<DeviceId, Vec<ServerUrl>>, turn: &mut Turn<'_>) {
        self.present.retain(|peer| peers.contains_key(peer));
        self.asked.retain(|peer, _| peers.contains_key(peer));
        let all: BTreeSet<DeviceId> = peers.keys().copied().collect();
        self.peers = peers;
        for id in self.ids().into_iter().take(self.own) {
            self.one(id, SessionInput::Watch(all.clone()), turn);
        }
        self.visits = Visits::Due;
    }

    /// Goes where peers are to be met, and leaves where none is any more.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        if self.visits == Visits::Settled {
            return;
        }
        self.visits = Visits::Settled;
        let mut wanted = self.wanted();
        for id in self.ids().into_iter().skip(self.own + 1) {
            let home = self.session(id).and_then(Session::home).cloned();
            let Some(home) = home else { continue };
            let is_there = |(server, _): &(ServerUrl, _)| server.is_same_host(&home);
            let known = wanted.iter().position(is_there);
            let peers = known.map(|at| wanted.remove(at).1);
            self.visit(id, peers.map(|peers| (home, peers)), turn);
        }
        for (server, peers) in wanted {
            let errand = self.session(self.errand());
            let errand = errand.filter(|session| !session.is_free());
            // One that closes was there until now.
            let is_there = |session: &Session| {
                let target = session.target();
                target.is_none_or(|there| there.is_same_host(&server))
            };
            let is_met = errand.is_some_and(is_there);
            let mut visits = self.all.iter().skip(self.own + 1);
            let free = visits.find(|session| session.is_free()).map(Session::id);
            match free {
                // A second session would end the first, and with it a pairing.
                Some(id) if !is_met => self.visit(id, Some((server, peers)), turn),
                Some(_) | None => self.visits = Visits::Due,
            }
        }
    }

    /// The servers to be visited, and whom there.
    fn wanted(&self) -> Vec<(ServerUrl, BTreeSet<DeviceId>)> {
        let mut wanted: Vec<(ServerUrl, BTreeSet<DeviceId>)> = Vec::new();
        if self.elsewhere == Elsewhere::Forbidden {
            return wanted;
        }
        for (peer, servers) in &self.peers {
            let shares_one = servers.iter().any(|server| self.is_own(server));
            let strange = servers.iter().take(OWN_SERVERS_MAX);
            for server in strange.filter(|server| !shares_one && self.may_visit(server)) {
                let mut known = wanted.iter_mut();
                if let Some((_, peers)) = known.find(|(known, _)| known.is_same_host(server)) {
                    peers.insert(*peer);
                } else if wanted.len() < VISITS_MAX {
                    wanted.push((server.clone(), BTreeSet::from([*peer])));
                }
            }
        }
        wanted
    }

    fn homes(&self) -> impl Iterator<Item = &ServerUrl> {
        self.all.iter().take(self.own).filter_map(Session::home)
    }

    fn is_own(&self, server: &ServerUrl) -> bool {
        self.homes().any(|home| home.is_same_host(server))
    }

    /// A peer's word alone makes us neither speak in clear nor to this computer itself.
    fn may_visit(&self, server: &ServerUrl) -> bool {
        let clear = server.is_secure() || self.homes().any(|home| !home.is_secure());
        let far = !server.is_loopback() || self.homes().any(ServerUrl::is_loopback);
        clear && far
    }

    /// Is at this server for these peers from now on, or nowhere.
    fn visit(
        &mut self,
        id: SessionId,
        wanted: Option<(ServerUrl, BTreeSet<DeviceId>)>,
        turn: &mut Turn<'_>,
    ) {
        let Some(session) = self.all.get_mut(usize::from(id.0)) else {
            return;
        };
        let (home, peers) = wanted.unzip();
        let mut news = session.go_home_to(turn.now, home, turn.outbox);
        let peers = SessionInput::Watch(peers.unwrap_or_default());
        news.extend(session.handle_input(turn.now, peers, turn.rng, turn.outbox));
        self.take(id, news, turn);
    }
}

/// What one handling may use and fill.
struct Turn<'a> {
    now: Moment,
    rng: &'a mut ChaCha20Rng,
    outbox: &'a mut Outbox,
    news: Vec<SessionNews>,
}

/// The servers that count, of those that are configured.
pub fn own_servers(servers: &[ServerUrl]) -> Vec<ServerUrl> {
    let mut own: Vec<ServerUrl> = Vec::new();
    for server in servers {
        if own.len() < OWN_SERVERS_MAX && !own.iter().any(|known| known.is_same_host(server)) {
            own.push(server.clone());
        }
    }
    own
}

/// Own servers: three, one and two to fall back on. Each costs a quiet connection; a card has room for four.
pub const OWN_SERVERS_MAX: usize = 3;

/// Servers that are visited: eight. Peers beyond that are met where they visit us.
const VISITS_MAX: usize = 8;
