//! How this device is connected, as far as somebody asks: a mirror of the core's report.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towline_core::io::{LendFault, LinkFault, Path};
use towline_core::link::{ConnectTimes, LinkChange, LinkCounts, LinkSample, LinkSight};
use towline_core::path_kind::PathKind;
use towline_core::report::{
    CandidateOrigin, CandidateReport, CandidateState, LenderReport, LenderState, LinkReport,
    NetworkReport, Obstacle, Outside,
};
use towline_core::snapshot::LinkState;
use towline_wire::peer::Mapping;
use towline_wire::turn_address::TurnAddress;
use ts_rs::TS;

use super::translate::UnixClock;
use super::{LinkView, PathView};

/// Everything about this device's connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct NetworkView {
    /// Where this device listens.
    pub local: Vec<String>,
    /// What STUN servers show of the way out.
    pub outside: OutsideView,
    /// From where others see this device, a port of the router first.
    pub reflexive: Vec<String>,
    /// Whether the router keeps one port towards everybody.
    pub mapping: MappingView,
    /// The port that the router gives on demand.
    pub mapped: Option<String>,
    /// The TURN servers that it may borrow an address from, the preferred one first.
    pub turn: Vec<TurnServerView>,
    /// Each peer's link, by name.
    pub links: Vec<LinkReportView>,
}

/// A TURN server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TurnServerView {
    /// Its host and port.
    pub server: String,
    /// How it is spoken to: `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// How it stands.
    pub state: TurnStateView,
}

/// How a TURN server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TurnStateView {
    /// Nothing was wanted of it.
    NotAsked,
    /// Its answer is awaited.
    Asked,
    /// It lends an address.
    Lends {
        /// Which one.
        address: String,
    },
    /// It lent nothing when it was last asked.
    Refuses {
        /// Why: `unreachable`, `silent`, `login`, `certificate`, `refused`, `protocol` or `gone`.
        fault: String,
        /// The code of a refusal (RFC 8656).
        code: Option<u16>,
    },
}

/// What STUN servers show of the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OutsideView {
    /// No server was there to ask.
    NotAsked,
    /// The answer is still awaited.
    Asking,
    /// UDP goes out and comes back.
    Seen,
    /// Nothing comes back: UDP is most likely blocked.
    Silent,
}

/// Whether a router keeps one port towards everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MappingView {
    /// Not known: fewer than two STUN servers answer.
    Unknown,
    /// It does, or does not translate at all: direct paths are found.
    Same,
    /// Another port towards each address: direct paths are found with luck, or with a port of the router.
    Varies,
}

/// One peer's link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LinkReportView {
    /// The peer's id.
    pub peer: String,
    /// Its name.
    pub name: String,
    /// How the link stands.
    pub link: LinkView,
    /// Why it is relayed: `searching`, `no_udp_here`, `no_udp_there`, `both_vary`, `ports_guessed`,
    /// `no_address` or `no_answer`; `null` when it is not.
    pub obstacle: Option<String>,
    /// What was counted since the device started.
    pub counts: LinkCountsView,
    /// What happened, oldest first.
    pub history: Vec<LinkChangeView>,
    /// How the connections were, oldest first.
    pub samples: Vec<LinkSampleView>,
    /// The addresses that are tried.
    pub candidates: Vec<CandidateView>,
}

/// What is counted of one peer since the device started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LinkCountsView {
    /// Tries that have come to an end.
    #[ts(type = "number")]
    pub attempts: u64,
    /// Connections that came to stand, whoever dialled.
    #[ts(type = "number")]
    pub established: u64,
    /// Tries that failed, by reason.
    pub failed: Vec<CountView>,
    /// Connections that ended, by reason.
    pub lost: Vec<CountView>,
    /// How often a path of a kind was taken: `lan`, `direct_v6`, `direct_v4`, `turn` or `relay`.
    pub taken: Vec<CountView>,
    /// How long the latest connection took to come to stand.
    pub connect_ms: Option<f64>,
    /// How many took at most so long, and longer than the bound before.
    pub connect_within: Vec<ConnectBucketView>,
    /// How many took longer than every bound.
    #[ts(type = "number")]
    pub connect_longer: u64,
    /// The sum of all times to connect.
    pub connect_sum_ms: f64,
    /// Addresses told to the peer.
    #[ts(type = "number")]
    pub candidates_sent: u64,
    /// Addresses that the peer has told.
    #[ts(type = "number")]
    pub candidates_received: u64,
    /// Probes sent.
    #[ts(type = "number")]
    pub probes_sent: u64,
    /// Probes that came back.
    #[ts(type = "number")]
    pub probes_answered: u64,
}

/// How often something was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CountView {
    /// What.
    pub of: String,
    /// How often.
    #[ts(type = "number")]
    pub count: u64,
}

/// A bucket of times to connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ConnectBucketView {
    /// The upper bound.
    pub bound_ms: f64,
    /// How many are in it.
    #[ts(type = "number")]
    pub count: u64,
}

/// Something that happened to a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LinkChangeView {
    /// When.
    #[ts(type = "number")]
    pub at_ms: u64,
    /// How it stood from then on.
    #[serde(flatten)]
    pub to: LinkSightView,
}

/// How a link stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkSightView {
    /// The peer was not known to be reachable.
    Away,
    /// It was being tried.
    Connecting,
    /// Connected.
    Up {
        /// `lan`, `direct_v6`, `direct_v4`, `turn` or `relay`.
        path: String,
    },
    /// A try or the connection had ended.
    Waiting {
        /// Why, as in a link.
        fault: String,
    },
    /// Somebody else's key had answered.
    Impostor,
}

/// How a connection was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LinkSampleView {
    /// When.
    #[ts(type = "number")]
    pub at_ms: u64,
    /// Round-trip time in milliseconds.
    pub rtt_ms: f64,
    /// Bytes received since the sample before.
    #[ts(type = "number")]
    pub received_bytes: u64,
    /// Bytes sent since the sample before.
    #[ts(type = "number")]
    pub sent_bytes: u64,
}

/// One address of a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CandidateView {
    /// The address.
    pub address: String,
    /// The kind of path that it would be.
    pub path: String,
    /// How it became known: `kept`, `told` or `heard`.
    pub origin: String,
    /// `untried`, `silent` or `answers`.
    pub state: String,
    /// The round-trip time of its last answer, while it counts.
    pub rtt_ms: Option<f64>,
}

/// The view of a report.
pub(crate) fn network(report: &NetworkReport, clock: UnixClock) -> NetworkView {
    NetworkView {
        local: report.local.iter().map(ToString::to_string).collect(),
        outside: match report.outside {
            Outside::NotAsked => OutsideView::NotAsked,
            Outside::Asking => OutsideView::Asking,
            Outside::Seen => OutsideView::Seen,
            Outside::Silent => OutsideView::Silent,
        },
        reflexive: report.reflexive.iter().map(ToString::to_string).collect(),
        mapping: match report.mapping {
            Mapping::Unknown => MappingView::Unknown,
            Mapping::Same => MappingView::Same,
            Mapping::Varies => MappingView::Varies,
        },
        mapped: report.mapped.map(|addr| addr.to_string()),
        turn: report.lenders.iter().map(TurnServerView::from).collect(),
        links: report
            .links
            .iter()
            .map(|one| link_report(one, clock))
            .collect(),
    }
}

/// The view of how a link stands.
pub(super) fn link(state: &LinkState, clock: UnixClock) -> LinkView {
    match state {
        LinkState::Away => LinkView::Away,
        LinkState::Connecting => LinkView::Connecting,
        LinkState::Up {
            path,
            rtt,
            received_bytes,
            sent_bytes,
        } => LinkView::Up {
            path: match path {
                Path::Direct(address) => match PathKind::of_address(*address) {
                    PathKind::Lan => PathView::Lan {
                        address: address.to_string(),
                    },
                    PathKind::DirectV6 | PathKind::DirectV4 => PathView::Direct {
                        address: address.to_string(),
                    },
                    PathKind::Turn => PathView::Turn {
                        address: spoken(*address),
                    },
                    PathKind::Relay => PathView::Relayed,
                },
                Path::Relay => PathView::Relayed,
            },
            rtt_ms: rtt.map(millis),
            received_bytes: *received_bytes,
            sent_bytes: *sent_bytes,
        },
        LinkState::Waiting {
            fault: why,
            retry_at,
        } => LinkView::Waiting {
            fault: match why {
                // To a person both are an end; that it comes back is seen.
                LinkFault::Restarted => fault(LinkFault::Closed),
                LinkFault::TimedOut
                | LinkFault::Closed
                | LinkFault::Refused
                | LinkFault::Impostor
                | LinkFault::Protocol
                | LinkFault::Version => fault(*why),
            }
            .to_owned(),
            retry_at_ms: clock.ms(*retry_at),
        },
        LinkState::Impostor => LinkView::Impostor,
    }
}

fn link_report(report: &LinkReport, clock: UnixClock) -> LinkReportView {
    LinkReportView {
        peer: report.peer.to_string(),
        name: report.name.clone(),
        link: link(&report.state, clock),
        obstacle: report.obstacle.map(|obstacle| {
            match obstacle {
                Obstacle::Searching => "searching",
                Obstacle::NoUdpHere => "no_udp_here",
                Obstacle::NoUdpThere => "no_udp_there",
                Obstacle::BothVary => "both_vary",
                Obstacle::PortsGuessed => "ports_guessed",
                Obstacle::NoAddress => "no_address",
                Obstacle::NoAnswer => "no_answer",
            }
            .to_owned()
        }),
        counts: (&report.counts).into(),
        history: report
            .history
            .iter()
            .map(|change| LinkChangeView {
                at_ms: clock.ms(change.at),
                to: change.into(),
            })
            .collect(),
        samples: report
            .samples
            .iter()
            .map(|sample: &LinkSample| LinkSampleView {
                at_ms: clock.ms(sample.at),
                rtt_ms: millis(sample.rtt),
                received_bytes: sample.received_bytes,
                sent_bytes: sample.sent_bytes,
            })
            .collect(),
        candidates: report.candidates.iter().map(CandidateView::from).collect(),
    }
}

impl From<&LinkCounts> for LinkCountsView {
    fn from(counts: &LinkCounts) -> Self {
        let buckets = ConnectTimes::BOUNDS.iter().zip(&counts.connect.within);
        Self {
            attempts: counts.attempts(),
            established: counts.established,
            failed: counted(&counts.failed, fault),
            lost: counted(&counts.lost, fault),
            taken: counted(&counts.taken, path_kind),
            connect_ms: counts.connect.latest.map(millis),
            connect_within: buckets
                .map(|(bound, count)| ConnectBucketView {
                    bound_ms: millis(*bound),
                    count: *count,
                })
                .collect(),
            connect_longer: counts.connect.longer,
            connect_sum_ms: millis(counts.connect.sum),
            candidates_sent: counts.addresses_told,
            candidates_received: counts.addresses_heard,
            probes_sent: counts.probes_sent,
            probes_answered: counts.probes_answered,
        }
    }
}

impl From<&LinkChange> for LinkSightView {
    fn from(change: &LinkChange) -> Self {
        match change.to {
            LinkSight::Away => Self::Away,
            LinkSight::Connecting => Self::Connecting,
            LinkSight::Up(_, kind) => Self::Up {
                path: path_kind(kind).to_owned(),
            },
            LinkSight::Waiting(why) => Self::Waiting {
                fault: fault(why).to_owned(),
            },
            LinkSight::Impostor => Self::Impostor,
        }
    }
}

impl From<&CandidateReport> for CandidateView {
    fn from(candidate: &CandidateReport) -> Self {
        let (state, rtt) = match candidate.state {
            CandidateState::Untried => ("untried", None),
            CandidateState::Silent => ("silent", None),
            CandidateState::Answers(rtt) => ("answers", Some(rtt)),
        };
        Self {
            address: spoken(candidate.addr),
            path: path_kind(PathKind::of_address(candidate.addr)).to_owned(),
            origin: match candidate.origin {
                CandidateOrigin::Kept => "kept",
                CandidateOrigin::Placed => "static",
                CandidateOrigin::Told => "told",
                CandidateOrigin::Heard => "heard",
            }
            .to_owned(),
            state: state.to_owned(),
            rtt_ms: rtt.map(millis),
        }
    }
}

/// An address as people know it: of one that is reached through a TURN server, that behind it.
fn spoken(addr: SocketAddr) -> String {
    TurnAddress::of(addr).map_or_else(|| addr.to_string(), |turn| turn.behind().to_string())
}

impl From<&LenderReport> for TurnServerView {
    fn from(lender: &LenderReport) -> Self {
        Self {
            server: lender.place.to_string(),
            transport: lender.transport.name().to_owned(),
            state: lender.state.into(),
        }
    }
}

impl From<LenderState> for TurnStateView {
    fn from(state: LenderState) -> Self {
        match state {
            LenderState::NotAsked => Self::NotAsked,
            LenderState::Asked => Self::Asked,
            LenderState::Lends(address) => Self::Lends {
                address: address.to_string(),
            },
            LenderState::Refuses(fault) => Self::Refuses {
                fault: match fault {
                    LendFault::Unreachable => "unreachable",
                    LendFault::Silent => "silent",
                    LendFault::Login => "login",
                    LendFault::Certificate => "certificate",
                    LendFault::Refused(_) => "refused",
                    LendFault::Protocol => "protocol",
                    LendFault::Gone => "gone",
                }
                .to_owned(),
                code: match fault {
                    LendFault::Refused(code) => Some(code),
                    LendFault::Unreachable
                    | LendFault::Silent
                    | LendFault::Login
                    | LendFault::Certificate
                    | LendFault::Protocol
                    | LendFault::Gone => None,
                },
            },
        }
    }
}

fn counted<K: Copy>(
    counts: &std::collections::BTreeMap<K, u64>,
    name: fn(K) -> &'static str,
) -> Vec<CountView> {
    let all = counts.iter();
    all.map(|(of, count)| CountView {
        of: name(*of).to_owned(),
        count: *count,
    })
    .collect()
}

const fn path_kind(kind: PathKind) -> &'static str {
    match kind {
        PathKind::Lan => "lan",
        PathKind::DirectV6 => "direct_v6",
        PathKind::DirectV4 => "direct_v4",
        PathKind::Turn => "turn",
        PathKind::Relay => "relay",
    }
}

/// A fault's code.
const fn fault(fault: LinkFault) -> &'static str {
    match fault {
        LinkFault::TimedOut => "timed_out",
        LinkFault::Closed => "closed",
        LinkFault::Restarted => "restarted",
        LinkFault::Refused => "refused",
        LinkFault::Impostor => "impostor",
        LinkFault::Protocol => "protocol",
        LinkFault::Version => "version",
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
