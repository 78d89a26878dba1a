//! What the named bugs make of what devices ask of the network, and of what it tells them. Everything here
//! does nothing without a mutation.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use towline_core::io::{Input, NetworkEvent, NetworkRequest, Path, SignalEvent};
use towline_wire::peer::Control;
use towline_wire::signal::{ClientMessage, ServerMessage};

use super::{Event, Internet};
use crate::mutation::LinkMutation;

/// The bug that is switched in, and what it needs to know.
#[derive(Debug)]
pub(super) struct Bug {
    mutation: Option<LinkMutation>,
    /// Hosts to which something has happened once.
    once: BTreeSet<(usize, u16)>,
    /// Addresses that have answered a host.
    answered: BTreeSet<(usize, SocketAddr)>,
}

/// How often a probe without an end goes out, and how far apart.
const AGAIN: u32 = 300;
const AGAIN_APART: Duration = Duration::from_millis(200);

impl Bug {
    pub(super) const fn new(mutation: Option<LinkMutation>) -> Self {
        Self {
            mutation,
            once: BTreeSet::new(),
            answered: BTreeSet::new(),
        }
    }

    pub(super) fn is(&self, mutation: LinkMutation) -> bool {
        self.mutation == Some(mutation)
    }
}

impl Internet {
    /// What becomes of an input; `None` swallows it.
    pub(super) fn bent_input(&mut self, host: usize, mut input: Input) -> Option<Input> {
        let Some(mutation) = self.bug.mutation else {
            return Some(input);
        };
        match (mutation, &mut input) {
            (
                LinkMutation::SilenceNotTold,
                Input::Network(NetworkEvent::Measured { silent_for, .. }),
            ) => *silent_for = Duration::ZERO,
            (
                LinkMutation::DisprovedStaysProved,
                Input::Network(NetworkEvent::ProbeAnswered { from, .. }),
            ) => {
                self.bug.answered.insert((host, *from));
            }
            (
                LinkMutation::HysteresisOff,
                Input::Network(NetworkEvent::ProbeAnswered { from, peer, .. }),
            ) => {
                let path = Path::Direct(*from);
                if let Some(peer) = self.host_of(*peer) {
                    self.select(host, peer, path);
                }
            }
            (
                LinkMutation::PeerReflexiveIgnored,
                Input::Network(NetworkEvent::ProbeHeard { .. }),
            )
            | (
                LinkMutation::AddressesNotHeard,
                Input::Network(NetworkEvent::Received(_, _, Control::Addresses(_)))
                | Input::Signal(_, SignalEvent::Message(ServerMessage::Relayed { .. })),
            ) => return None,
            (LinkMutation::MovesNotHeard, Input::Network(NetworkEvent::LocalAddresses(_))) => {
                return self.bug.once.insert((host, 0)).then_some(input);
            }
            (
                LinkMutation::FirstReflectionKept,
                Input::Network(NetworkEvent::Reflected { server, .. }),
            ) => return self.bug.once.insert((host, server.port)).then_some(input),
            (LinkMutation::GivenNotHeard, Input::Network(NetworkEvent::PortMapped(Some(_)))) => {
                return None;
            }
            (LinkMutation::FirstGivenKept, Input::Network(NetworkEvent::PortMapped(_))) => {
                return self.bug.once.insert((host, 0)).then_some(input);
            }
            (LinkMutation::LentNotHeard, Input::Network(NetworkEvent::Borrowed(_)))
            | (LinkMutation::LoanEndNotHeard, Input::Network(NetworkEvent::NotLent(_))) => {
                return None;
            }
            (_, _) => {}
        }
        Some(input)
    }

    /// What becomes of a request.
    pub(super) fn bent_request(
        &mut self,
        host: usize,
        request: NetworkRequest,
    ) -> Vec<NetworkRequest> {
        let Some(mutation) = self.bug.mutation else {
            return vec![request];
        };
        let selected = |internet: &Self, id| {
            let peer = internet.host_of(id)?;
            internet.hosts[host].selected.get(&peer).copied()
        };
        match (mutation, &request) {
            (LinkMutation::KeepaliveNeverSent, NetworkRequest::Probe(id, to)) => {
                if selected(self, *id) == Some(Path::Direct(*to)) {
                    return Vec::new();
                }
            }
            (LinkMutation::DeadPathKept, NetworkRequest::Select(id, Path::Relay)) => {
                if matches!(selected(self, *id), Some(Path::Direct(_))) {
                    return Vec::new();
                }
            }
            (LinkMutation::ProbesEightfold, NetworkRequest::Probe(..)) => {
                return std::iter::repeat_n(request, 8).collect();
            }
            (LinkMutation::BurstWithoutEnd, NetworkRequest::Probe(id, to)) => {
                if let Some(peer) = self.host_of(*id)
                    && self.bug.once.insert((host, to.port()))
                {
                    self.probes_again(host, peer, *to, AGAIN);
                }
            }
            (LinkMutation::AcceptorSilent, NetworkRequest::Probe(id, _)) => {
                if *id < self.hosts[host].id {
                    return Vec::new();
                }
            }
            (LinkMutation::NothingScattered, NetworkRequest::Scatter { .. })
            | (LinkMutation::LentKept, NetworkRequest::GiveBack) => return Vec::new(),
            (LinkMutation::UnprovedUsed, NetworkRequest::Probe(id, to)) => {
                let is_dialer = self.hosts[host].id < *id;
                if is_dialer && selected(self, *id) == Some(Path::Relay) {
                    return vec![NetworkRequest::Select(*id, Path::Direct(*to)), request];
                }
            }
            (LinkMutation::DisprovedStaysProved, NetworkRequest::Probe(id, to)) => {
                if self.bug.answered.contains(&(host, *to)) {
                    let rtt = Duration::from_millis(30);
                    let answered = NetworkEvent::ProbeAnswered {
                        peer: *id,
                        from: *to,
                        rtt,
                    };
                    self.deliver(host, rtt, Input::Network(answered));
                }
            }
            (_, _) => {}
        }
        vec![request]
    }

    pub(super) fn probes_again(&mut self, host: usize, peer: usize, to: SocketAddr, left: u32) {
        self.ping(host, peer, to);
        if left > 0 {
            let run = self.hosts[host].run;
            let left = left - 1;
            let again = Event::ProbeAgain {
                host,
                run,
                peer,
                to,
                left,
            };
            self.after(AGAIN_APART, again);
        }
    }

    /// Whether a message to the server is sent.
    pub(super) fn passes_to_server(&mut self, host: usize, message: &ClientMessage) -> bool {
        let asks_anew = self.bug.is(LinkMutation::RelayNeverAskedAnew)
            && matches!(message, ClientMessage::RelayOpen { .. })
            && !self.bug.once.insert((host, 0));
        !asks_anew
    }
}
