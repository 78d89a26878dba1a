//! What became of the tries to connect with one peer, and how the connection was.
//!
//! For people ("why is it slow?") and for whoever watches many devices. Counts run from the start of the
//! device; lists are short and drop their oldest. Nothing here decides anything: the link shows its state after
//! every handling ([`Metrics::see`]), and what has changed since is noted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::clock::Moment;
use crate::io::{ConnectionId, LinkFault};
use crate::path_kind::PathKind;

/// What is counted of one peer since the device started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Connections that came to stand, whoever dialled.
    pub established: u64,
    /// Tries of ours that failed, by reason.
    pub failed: BTreeMap<LinkFault, u64>,
    /// Connections that ended, by reason.
    pub lost: BTreeMap<LinkFault, u64>,
    /// How often a path of a kind was taken, the first one of a connection included.
    pub taken: BTreeMap<PathKind, u64>,
    /// How long it took to connect, from when the peer was known to be there.
    pub connect: ConnectTimes,
    /// Addresses of ours that the peer was told, again and again counted.
    pub addresses_told: u64,
    /// Addresses of its own that the peer has told.
    pub addresses_heard: u64,
    /// Probes sent.
    pub probes_sent: u64,
    /// Probes that came back.
    pub probes_answered: u64,
}

impl LinkCounts {
    /// Tries that have come to an end.
    pub fn attempts(&self) -> u64 {
        self.established + self.failed.values().sum::<u64>()
    }
}

/// Times to connect, as a histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectTimes {
    /// How many took at most the bound of the same place in [`ConnectTimes::BOUNDS`], and longer than the one before.
    pub within: [u64; Self::BOUNDS.len()],
    /// How many took longer than every bound.
    pub longer: u64,
    /// The sum of all.
    pub sum: Duration,
    /// The latest.
    pub latest: Option<Duration>,
}

impl ConnectTimes {
    /// The bounds: a LAN, a round trip or a few of a wide area, a search, and what people call broken.
    pub const BOUNDS: [Duration; 8] = [
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(300),
        Duration::from_secs(1),
        Duration::from_secs(3),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(120),
    ];

    fn note(&mut self, took: Duration) {
        let bounds = Self::BOUNDS.iter().zip(&mut self.within);
        let slot = bounds.into_iter().find(|(bound, _)| took <= **bound);
        *slot.map_or(&mut self.longer, |(_, count)| count) += 1;
        self.sum = self.sum.saturating_add(took);
        self.latest = Some(took);
    }
}

/// Something that happened to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkChange {
    /// When.
    pub at: Moment,
    /// What.
    pub to: LinkSight,
}

/// How a link stands, as far as its history tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSight {
    /// The peer is not known to be reachable.
    Away,
    /// It is being tried.
    Connecting,
    /// Connected, on a path of this kind.
    Up(ConnectionId, PathKind),
    /// The last try, or the connection, has ended for this reason; tried again later.
    Waiting(LinkFault),
    /// Somebody else's key answered.
    Impostor,
}

/// How the connection was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSample {
    /// When.
    pub at: Moment,
    /// The round-trip time.
    pub rtt: Duration,
    /// Bytes received since the sample before.
    pub received_bytes: u64,
    /// Bytes sent since the sample before.
    pub sent_bytes: u64,
}

/// What is known of one link's past.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) counts: LinkCounts,
    history: VecDeque<LinkChange>,
    samples: VecDeque<LinkSample>,
    /// What the connection had received and sent at the last sample.
    sampled: (u64, u64),
    /// Since when the peer is known to be there and not connected.
    sought_since: Option<Moment>,
}

impl Metrics {
    /// The peer is known to be there from now on.
    pub(super) fn reachable(&mut self, now: Moment) {
        self.sought_since = Some(now);
    }

    /// Notes how the link stands now.
    pub(super) fn see(&mut self, now: Moment, sight: LinkSight) {
        let before = self.history.back().map(|change| change.to);
        if before == Some(sight) || (before.is_none() && sight == LinkSight::Away) {
            return;
        }
        match sight {
            LinkSight::Up(connection, kind) => {
                *self.counts.taken.entry(kind).or_default() += 1;
                let stood = matches!(before, Some(LinkSight::Up(same, _)) if same == connection);
                if !stood {
                    self.counts.established += 1;
                    if let Some(since) = self.sought_since.take() {
                        self.counts.connect.note(now.since(since));
                    }
                    self.sampled = (0, 0);
                }
            }
            LinkSight::Connecting => {
                self.sought_since.get_or_insert(now);
            }
            LinkSight::Away => self.sought_since = None,
            LinkSight::Waiting(_) | LinkSight::Impostor => {}
        }
        self.history.push_back(LinkChange { at: now, to: sight });
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// A try of ours has failed.
    pub(super) fn failed(&mut self, fault: LinkFault) {
        *self.counts.failed.entry(fault).or_default() += 1;
    }

    /// A connection has ended.
    pub(super) fn lost(&mut self, fault: LinkFault) {
        *self.counts.lost.entry(fault).or_default() += 1;
    }

    /// Notes a measurement of the connection that stands, one of each [`SAMPLE_SPACING`].
    pub(super) fn measured(&mut self, now: Moment, rtt: Duration, received: u64, sent: u64) {
        let last = self.samples.back().map(|last| last.at);
        if last.is_some_and(|last| now.since(last) < SAMPLE_SPACING) {
            return;
        }
        let before = std::mem::replace(&mut self.sampled, (received, sent));
        self.samples.push_back(LinkSample {
            at: now,
            rtt,
            received_bytes: received.saturating_sub(before.0),
            sent_bytes: sent.saturating_sub(before.1),
        });
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// What happened, oldest first.
    pub(super) fn history(&self) -> Vec<LinkChange> {
        self.history.iter().copied().collect()
    }

    /// How the connections were, oldest first.
    pub(super) fn samples(&self) -> Vec<LinkSample> {
        self.samples.iter().copied().collect()
    }
}

/// Changes kept: 32, some hours of a restless network.
const HISTORY_MAX: usize = 32;

/// Measurements kept: 180, at least six minutes.
const SAMPLES_MAX: usize = 180;

/// Least time between two kept measurements: 2 s, a point in a plot a person looks at.
const SAMPLE_SPACING: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn a_connection_counts_once_however_often_its_path_changes() {
        let mut metrics = Metrics::default();
        metrics.see(at(0), LinkSight::Connecting);
        let up = |kind| LinkSight::Up(ConnectionId(1), kind);
        for (ms, kind) in [
            (80, PathKind::Relay),
            (90, PathKind::Relay),
            (900, PathKind::DirectV4),
        ] {
            metrics.see(at(ms), up(kind));
        }
        assert_eq!(metrics.counts.established, 1);
        assert_eq!(metrics.counts.taken[&PathKind::Relay], 1);
        assert_eq!(metrics.counts.taken[&PathKind::DirectV4], 1);
        assert_eq!(
            metrics.counts.connect.latest,
            Some(Duration::from_millis(80))
        );
        assert_eq!(metrics.counts.connect.within, [0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(metrics.history().len(), 3);
    }

    #[test]
    fn time_to_connect_begins_when_the_peer_comes() {
        let mut metrics = Metrics::default();
        metrics.see(at(0), LinkSight::Connecting);
        metrics.reachable(at(5000));
        metrics.see(at(5040), LinkSight::Up(ConnectionId(1), PathKind::Lan));
        assert_eq!(
            metrics.counts.connect.latest,
            Some(Duration::from_millis(40))
        );
        metrics.see(at(9000), LinkSight::Waiting(LinkFault::Closed));
        metrics.see(at(9500), LinkSight::Connecting);
        metrics.see(at(309_500), LinkSight::Up(ConnectionId(2), PathKind::Lan));
        assert_eq!(metrics.counts.connect.longer, 1);
    }

    #[test]
    fn a_sample_holds_what_was_carried_since_the_one_before() {
        let mut metrics = Metrics::default();
        let mut measure = |connection, ms, received| {
            metrics.see(
                at(ms),
                LinkSight::Up(ConnectionId(connection), PathKind::Lan),
            );
            metrics.measured(at(ms), Duration::ZERO, received, 0);
        };
        for (connection, ms, received) in
            [(1, 0, 100), (1, 500, 170), (1, 2000, 250), (2, 5000, 30)]
        {
            measure(connection, ms, received);
        }
        let received: Vec<_> = metrics
            .samples()
            .iter()
            .map(|sample| sample.received_bytes)
            .collect();
        assert_eq!(received, [100, 150, 30]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut metrics = Metrics::default();
        for number in 0..1000 {
            metrics.see(
                at(number),
                LinkSight::Up(ConnectionId(number), PathKind::Lan),
            );
            metrics.measured(at(number * 1500), Duration::ZERO, 70, 7);
        }
        assert_eq!(metrics.history().len(), HISTORY_MAX);
        assert_eq!(metrics.samples().len(), SAMPLES_MAX);
    }
}
