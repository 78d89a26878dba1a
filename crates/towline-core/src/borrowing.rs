//! The address that a TURN server lends this device (RFC 8656): when one is borrowed, at which server, and
//! when it is given back.
//!
//! Nothing is asked of a server before some link wants it ([`crate::link`]), because whoever lends addresses sees
//! who asks and bears the traffic; and one that no link has wanted for [`LINGER`] is given back. There is one at a
//! time for all peers: the first server, in their order, that lends one. When all have refused it is tried
//! again after a pause that grows.
//!
//! What a signal server has told holds for the network where it was told: the name by which a TURN server knows us
//! is seen in clear there, and another network is not to see it, too. The server tells another one where we are then.

use std::net::SocketAddrV4;
use std::time::Duration;

use towline_wire::ice::{IceServers, TurnServer};

use crate::clock::Moment;
use crate::io::{LendFault, NetworkRequest};
use crate::outbox::Outbox;
use crate::report::{LenderReport, LenderState};

/// What is borrowed where.
#[derive(Debug, Default)]
pub(crate) struct Borrowing {
    /// Those that are set, then those that signal servers tell.
    lenders: Vec<Lender>,
    set: usize,
    state: State,
    /// Since when no link wants it.
    unwanted_since: Option<Moment>,
    /// Times that all have refused, in a row.
    refusals: u32,
}

#[derive(Debug)]
struct Lender {
    server: TurnServer,
    /// Why it lent nothing when it was last asked.
    fault: Option<LendFault>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nobody wants one.
    #[default]
    Rest,
    /// This one of the lenders was asked.
    Asking(usize),
    /// This one of them lends that.
    Has(usize, SocketAddrV4),
    /// All have refused.
    Paused { until: Moment },
}

impl Borrowing {
    /// With what a person has set.
    pub(crate) fn new(set: IceServers) -> Self {
        let lenders: Vec<Lender> = set.turn.into_iter().map(Lender::new).collect();
        Self {
            set: lenders.len(),
            lenders,
            ..Self::default()
        }
    }

    /// A signal server tells of these, in place of those that were told before. One that has lent or refused and
    /// is told again keeps its place; only what it wants to see may be new.
    pub(crate) fn told(&mut self, servers: Vec<TurnServer>, outbox: &mut Outbox) {
        let before: Vec<Lender> = self.lenders.drain(self.set..).collect();
        let current = match self.state {
            State::Asking(at) | State::Has(at, _) => at.checked_sub(self.set),
            State::Rest | State::Paused { .. } => None,
        };
        let current = current.and_then(|at| before.get(at));
        let is_same = |server: &TurnServer, lender: &Lender| {
            (&server.place, server.transport) == (&lender.server.place, lender.server.transport)
        };
        let now_at = current.map(|lender| servers.iter().position(|told| is_same(told, lender)));
        match (now_at, &mut self.state) {
            (Some(Some(place)), State::Asking(at) | State::Has(at, _)) => *at = self.set + place,
            // Whoever lent it is not to be used any more.
            (Some(None), _) => {
                outbox.network(NetworkRequest::GiveBack);
                self.state = State::Rest;
            }
            (Some(Some(_)) | None, _) => {}
        }
        if let (State::Paused { until }, false) = (&mut self.state, servers.is_empty()) {
            *until = Moment::default();
        }
        self.lenders.extend(servers.into_iter().map(Lender::new));
    }

    /// Whether some link wants an address now; does what is due.
    pub(crate) fn want(&mut self, now: Moment, wanted: bool, outbox: &mut Outbox) {
        self.unwanted_since = match (wanted, self.unwanted_since) {
            (true, _) => None,
            (false, Some(since)) => Some(since),
            (false, None) => Some(now),
        };
        match self.state {
            State::Rest if wanted => self.ask(now, 0, outbox),
            State::Paused { until } if wanted && now >= until => self.ask(now, 0, outbox),
            State::Asking(_) | State::Has(..) if self.is_over(now) => {
                outbox.network(NetworkRequest::GiveBack);
                self.state = State::Rest;
                self.refusals = 0;
            }
            State::Rest | State::Paused { .. } | State::Asking(_) | State::Has(..) => {}
        }
    }

    /// A server lends this.
    pub(crate) fn borrowed(&mut self, addr: SocketAddrV4) {
        if let State::Asking(at) | State::Has(at, _) = self.state {
            self.state = State::Has(at, addr);
            self.refusals = 0;
            if let Some(lender) = self.lenders.get_mut(at) {
                lender.fault = None;
            }
        }
    }

    /// The server that was asked lends nothing, or no longer.
    pub(crate) fn not_lent(&mut self, now: Moment, fault: LendFault, outbox: &mut Outbox) {
        let (at, next) = match self.state {
            State::Asking(at) => (at, at + 1),
            State::Has(at, _) => (at, 0),
            State::Rest | State::Paused { .. } => return,
        };
        if let Some(lender) = self.lenders.get_mut(at) {
            lender.fault = Some(fault);
        }
        self.ask(now, next, outbox);
    }

    /// This device is elsewhere in the network: what was lent to its former address does not reach it, and what it was
    /// told there it does not use here.
    pub(crate) fn moved(&mut self, now: Moment, outbox: &mut Outbox) {
        self.lenders.truncate(self.set);
        match self.state {
            State::Asking(_) | State::Has(..) if self.lenders.is_empty() => {
                outbox.network(NetworkRequest::GiveBack);
                self.state = State::Rest;
                self.refusals = 0;
            }
            State::Asking(_) | State::Has(..) | State::Paused { .. } => {
                self.refusals = 0;
                self.ask(now, 0, outbox);
            }
            State::Rest => {}
        }
    }

    /// What is lent now.
    pub(crate) const fn address(&self) -> Option<SocketAddrV4> {
        match self.state {
            State::Has(_, addr) => Some(addr),
            State::Rest | State::Asking(_) | State::Paused { .. } => None,
        }
    }

    /// Whether it waits for a link to want something, and could get it.
    pub(crate) fn is_resting(&self) -> bool {
        self.state == State::Rest && !self.lenders.is_empty()
    }

    /// When [`Self::want`] is to be asked again, if what is wanted stays as it is.
    pub(crate) fn poll_timeout(&self) -> Option<Moment> {
        match (self.state, self.unwanted_since) {
            (State::Asking(_) | State::Has(..), Some(since)) => Some(since.after(LINGER)),
            (State::Paused { until }, None) => Some(until),
            (State::Asking(_) | State::Has(..), None)
            | (State::Paused { .. }, Some(_))
            | (State::Rest, _) => None,
        }
    }

    /// How each server stands.
    pub(crate) fn report(&self) -> Vec<LenderReport> {
        let all = self.lenders.iter().enumerate();
        all.map(|(at, lender)| LenderReport {
            place: lender.server.place.clone(),
            transport: lender.server.transport,
            state: match (self.state, lender.fault) {
                (State::Has(has, addr), _) if has == at => LenderState::Lends(addr),
                (State::Asking(asked), _) if asked == at => LenderState::Asked,
                (_, Some(fault)) => LenderState::Refuses(fault),
                (_, None) => LenderState::NotAsked,
            },
        })
        .collect()
    }

    fn ask(&mut self, now: Moment, at: usize, outbox: &mut Outbox) {
        self.state = match self.lenders.get(at) {
            Some(lender) => {
                outbox.network(NetworkRequest::Borrow(lender.server.clone()));
                State::Asking(at)
            }
            None if self.lenders.is_empty() => State::Rest,
            None => {
                let pause = FIRST_PAUSE * (1 << self.refusals.min(5));
                self.refusals = self.refusals.saturating_add(1);
                State::Paused {
                    until: now.after(pause.min(LONGEST_PAUSE)),
                }
            }
        };
    }

    fn is_over(&self, now: Moment) -> bool {
        self.unwanted_since
            .is_some_and(|since| now.since(since) >= LINGER)
    }
}

impl Lender {
    const fn new(server: TurnServer) -> Self {
        Self {
            server,
            fault: None,
        }
    }
}

/// How long what nobody wants is kept: 60 s, so that a direct path that comes and goes does not cost an address each
/// time.
const LINGER: Duration = Duration::from_secs(60);

/// The first pause after all have refused: 30 s. It doubles: who has set a wrong password is told at once, and a
/// server is not asked for what it refuses.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause: 10 minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Output;

    const ADDR: &str = "198.51.100.9:5000";

    fn servers(hosts: &[&str]) -> Vec<TurnServer> {
        let servers = hosts.iter().map(|host| {
            format!(r#"{{"urls": "turn:{host}", "username": "u", "credential": "c"}}"#)
        });
        let list = format!("[{}]", servers.collect::<Vec<_>>().join(","));
        IceServers::parse(&list).unwrap().turn
    }

    fn set(hosts: &[&str]) -> Borrowing {
        Borrowing::new(IceServers {
            turn: servers(hosts),
            ..IceServers::default()
        })
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    /// What was asked: the host of each server, and `-` for what is given back.
    fn asked(outbox: &mut Outbox) -> String {
        let mut text = String::new();
        while let Some(output) = outbox.pop() {
            if let Output::Network(NetworkRequest::Borrow(server)) = output {
                text += server.place.host();
            } else {
                assert_eq!(output, Output::Network(NetworkRequest::GiveBack));
                text.push('-');
            }
        }
        text
    }

    #[test]
    fn nothing_is_borrowed_before_it_is_wanted_and_it_is_given_back_when_it_is_not() {
        let (mut borrowing, mut outbox) = (set(&["a", "b"]), Outbox::default());
        borrowing.want(at(0), false, &mut outbox);
        assert_eq!(asked(&mut outbox), "");
        borrowing.want(at(10), true, &mut outbox);
        borrowing.want(at(11), true, &mut outbox);
        assert_eq!(asked(&mut outbox), "a");
        borrowing.borrowed(ADDR.parse().unwrap());
        assert_eq!(borrowing.address(), ADDR.parse().ok());
        borrowing.want(at(20), false, &mut outbox);
        assert_eq!(borrowing.poll_timeout(), Some(at(80)));
        borrowing.want(at(40), true, &mut outbox);
        borrowing.want(at(50), false, &mut outbox);
        borrowing.want(at(109), false, &mut outbox);
        assert_eq!(asked(&mut outbox), "");
        borrowing.want(at(110), false, &mut outbox);
        assert_eq!(
            (asked(&mut outbox).as_str(), borrowing.address()),
            ("-", None)
        );
        // Its late word counts for nothing.
        borrowing.borrowed(ADDR.parse().unwrap());
        assert_eq!(borrowing.address(), None);
    }

    #[test]
    fn the_next_server_is_asked_and_after_the_last_one_there_is_a_pause_that_grows() {
        let (mut borrowing, mut outbox) = (set(&["a", "b"]), Outbox::default());
        let mut now = 0;
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            borrowing.want(at(now), true, &mut outbox);
            borrowing.not_lent(at(now), LendFault::Login, &mut outbox);
            borrowing.not_lent(at(now), LendFault::Silent, &mut outbox);
            assert_eq!(asked(&mut outbox), "ab");
            now += pause;
            assert_eq!(borrowing.poll_timeout(), Some(at(now)));
            borrowing.want(at(now - 1), true, &mut outbox);
            assert_eq!(asked(&mut outbox), "");
        }
        let states: Vec<_> = borrowing
            .report()
            .into_iter()
            .map(|lender| lender.state)
            .collect();
        assert_eq!(
            states,
            [
                LenderState::Refuses(LendFault::Login),
                LenderState::Refuses(LendFault::Silent)
            ]
        );
        borrowing.moved(at(now), &mut outbox);
        assert_eq!(asked(&mut outbox), "a", "another network is another try");
    }

    #[test]
    fn a_server_that_is_gone_is_asked_again_from_the_first_on() {
        let (mut borrowing, mut outbox) = (set(&["a", "b"]), Outbox::default());
        borrowing.want(at(0), true, &mut outbox);
        borrowing.not_lent(at(0), LendFault::Silent, &mut outbox);
        borrowing.borrowed(ADDR.parse().unwrap());
        borrowing.not_lent(at(9), LendFault::Gone, &mut outbox);
        assert_eq!(
            (asked(&mut outbox).as_str(), borrowing.address()),
            ("aba", None)
        );
    }

    #[test]
    fn what_a_signal_server_tells_comes_after_what_is_set_and_replaces_only_what_was_told() {
        let (mut borrowing, mut outbox) = (set(&["a"]), Outbox::default());
        borrowing.told(servers(&["b", "c"]), &mut outbox);
        borrowing.want(at(0), true, &mut outbox);
        borrowing.not_lent(at(0), LendFault::Silent, &mut outbox);
        borrowing.not_lent(at(0), LendFault::Silent, &mut outbox);
        assert_eq!(asked(&mut outbox), "abc");
        borrowing.borrowed(ADDR.parse().unwrap());
        // It has another place in the list, and still lends.
        borrowing.told(servers(&["c"]), &mut outbox);
        assert_eq!(borrowing.address(), ADDR.parse().ok());
        assert_eq!(borrowing.report().len(), 2);
        borrowing.told(servers(&["d"]), &mut outbox);
        assert_eq!(
            (asked(&mut outbox).as_str(), borrowing.address()),
            ("-", None)
        );
        borrowing.told(Vec::new(), &mut outbox);
        assert_eq!(borrowing.report().len(), 1);
    }

    #[test]
    fn new_credentials_leave_a_loan_alone_and_serve_when_it_is_refused() {
        let (mut borrowing, mut outbox) = (set(&[]), Outbox::default());
        let named = |username: &str| {
            let list =
                format!(r#"[{{"urls": "turn:a", "username": "{username}", "credential": "c"}}]"#);
            IceServers::parse(&list).unwrap().turn
        };
        borrowing.told(named("1000:x"), &mut outbox);
        borrowing.want(at(0), true, &mut outbox);
        borrowing.borrowed(ADDR.parse().unwrap());
        asked(&mut outbox);
        borrowing.told(named("2000:x"), &mut outbox);
        assert_eq!(borrowing.address(), ADDR.parse().ok());
        assert!(outbox.pop().is_none());
        // This server looks at the name's time again, and does not refresh what it has lent.
        borrowing.not_lent(at(1000), LendFault::Login, &mut outbox);
        let Some(Output::Network(NetworkRequest::Borrow(server))) = outbox.pop() else {
            panic!("it is asked again")
        };
        assert_eq!(server.username.reveal(), "2000:x");
    }

    #[test]
    fn what_was_told_in_one_network_is_not_used_in_another() {
        let (mut borrowing, mut outbox) = (set(&["a"]), Outbox::default());
        borrowing.told(servers(&["b"]), &mut outbox);
        borrowing.want(at(0), true, &mut outbox);
        borrowing.not_lent(at(0), LendFault::Silent, &mut outbox);
        borrowing.borrowed(ADDR.parse().unwrap());
        assert_eq!(asked(&mut outbox), "ab");
        borrowing.moved(at(1), &mut outbox);
        borrowing.not_lent(at(2), LendFault::Silent, &mut outbox);
        borrowing.want(at(2), true, &mut outbox);
        assert_eq!(asked(&mut outbox), "a", "in place of what `b` has lent");
        borrowing.told(servers(&["b"]), &mut outbox);
        borrowing.want(at(3), true, &mut outbox);
        assert_eq!(asked(&mut outbox), "a", "from the first on");

        let (mut borrowing, mut outbox) = (set(&[]), Outbox::default());
        borrowing.told(servers(&["b"]), &mut outbox);
        borrowing.want(at(0), true, &mut outbox);
        borrowing.borrowed(ADDR.parse().unwrap());
        borrowing.moved(at(1), &mut outbox);
        borrowing.want(at(2), true, &mut outbox);
        assert_eq!(asked(&mut outbox), "b-");
        assert_eq!(borrowing.address(), None);
        borrowing.told(servers(&["b"]), &mut outbox);
        borrowing.want(at(3), true, &mut outbox);
        assert_eq!(asked(&mut outbox), "b");
    }

    #[test]
    fn without_servers_nothing_is_done() {
        let (mut borrowing, mut outbox) = (set(&[]), Outbox::default());
        borrowing.want(at(0), true, &mut outbox);
        assert_eq!(
            (asked(&mut outbox).as_str(), borrowing.poll_timeout()),
            ("", None)
        );
    }
}
