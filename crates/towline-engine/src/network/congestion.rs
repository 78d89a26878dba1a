//! Cubic that starts anew when the dialer moves to another path, or a peer is heard after an outage.
//!
//! The side that accepts migrates and gets fresh state from quinn itself. The side that dials swaps
//! paths under quinn, which would push the window of a fast direct path into a slow relay: seven to
//! eight times the loss, as measured. So the path's epoch is watched. When it moves, Cubic is built
//! anew, news of packets sent before is ignored, and two packets are granted above what is in
//! flight: their acknowledgement shows at once that everything before is lost, where the probe
//! timeout could come as late again as the outage was long. Either side needs that when a path works
//! again on which it already is.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

/// Packets granted above what is in flight when the path has changed: 2, since two make the peer
/// acknowledge at once (RFC 9000, section 13.2.1), plus one because quinn sends only strictly below
/// the window.
const PACKETS_GRANTED: u64 = 3;

/// Probe packets that an outage can leave in flight: 64. quinn sends two per timeout and doubles the
/// timeout each time, so half a minute sees about twenty.
const PROBES_IN_FLIGHT_MAX: u64 = 64;

/// Counts the path changes after which the sending rate must be found anew. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct PathEpoch(Arc<AtomicU64>);

/// Builds the controllers of one connection.
#[derive(Debug)]
pub(super) struct PathCubicFactory {
    pub(super) epoch: PathEpoch,
}

struct PathCubic {
    epoch: PathEpoch,
    seen: u64,
    inner: Box<dyn Controller>,
    mtu: u16,
    in_flight: u64,
    reset: Option<Reset>,
}

/// A change of path whose first new packet is not yet acknowledged, or was.
#[derive(Clone, Copy)]
struct Reset {
    at: Instant,
    /// The least that the window is until the first acknowledgement.
    granted: u64,
}

impl PathEpoch {
    /// The path is another one.
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ControllerFactory for PathCubicFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(PathCubic {
            epoch: self.epoch.clone(),
            seen: self.epoch.current(),
            inner: cubic(now, current_mtu),
            mtu: current_mtu,
            in_flight: 0,
            reset: None,
        })
    }
}

impl PathCubic {
    fn notice_epoch(&mut self, now: Instant) {
        let current = self.epoch.current();
        if current != self.seen {
            let granted = self.granted_now();
            self.seen = current;
            self.inner = cubic(now, self.mtu);
            self.reset = Some(Reset { at: now, granted });
        }
    }

    /// In flight is counted from what quinn tells, which knows lone acknowledgements as sent but
    /// never as acknowledged, so the count is bounded. The bound leaves room for what Cubic's window
    /// does not: what was sent before it shrank, also before an earlier change of path of which nothing
    /// was acknowledged, and probes, which no window holds back.
    fn granted_now(&self) -> u64 {
        let mtu = u64::from(self.mtu);
        let before = self.reset.map_or(0, |reset| reset.granted);
        let bound = before.max(2 * self.inner.window()) + PROBES_IN_FLIGHT_MAX * mtu;
        self.in_flight.min(bound) + PACKETS_GRANTED * mtu
    }

    fn was_sent_before_reset(&self, sent: Instant) -> bool {
        self.reset.is_some_and(|reset| sent < reset.at)
    }
}

impl Controller for PathCubic {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.notice_epoch(now);
        self.in_flight += bytes;
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.notice_epoch(now);
        self.in_flight = self.in_flight.saturating_sub(bytes);
        if self.was_sent_before_reset(sent) {
            return;
        }
        if let Some(reset) = &mut self.reset {
            reset.granted = 0;
        }
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.in_flight = in_flight;
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.notice_epoch(now);
        self.in_flight = self.in_flight.saturating_sub(lost_bytes);
        if !self.was_sent_before_reset(sent) {
            self.inner
                .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.epoch.current() == self.seen {
            self.inner
                .window()
                .max(self.reset.map_or(0, |reset| reset.granted))
        } else {
            self.granted_now().max(self.inner.initial_window())
        }
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            epoch: self.epoch.clone(),
            seen: self.seen,
            inner: self.inner.clone_box(),
            mtu: self.mtu,
            in_flight: self.in_flight,
            reset: self.reset,
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn cubic(now: Instant, mtu: u16) -> Box<dyn Controller> {
    Arc::new(CubicConfig::default()).build(now, mtu)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_of_path_starts_anew_and_grants_two_packets() {
        let epoch = PathEpoch::default();
        let start = Instant::now();
        let mut control = Arc::new(PathCubicFactory {
            epoch: epoch.clone(),
        })
        .build(start, 1200);
        let initial = control.window();
        control.on_sent(start, initial - 1200, 1);
        epoch.advance();
        assert!(control.window() >= initial - 1200 + 2 * 1200);
        let later = start + Duration::from_millis(100);
        control.on_sent(later, 1200, 2);
        assert!(
            control.window() > initial,
            "the grant lasts until something is acknowledged"
        );
        for probe in 3..20 {
            control.on_sent(later, 1200, probe);
        }
        epoch.advance();
        let in_flight = initial - 1200 + 18 * 1200;
        assert!(
            control.window() > in_flight + 2 * 1200,
            "probes are counted"
        );
        // Losses of the old path say nothing of the new one.
        control.on_congestion_event(later, start, true, initial - 1200);
        assert!(control.window() >= initial);
    }

    #[test]
    fn a_second_change_of_path_grants_above_what_is_in_flight_since_before_the_first() {
        let epoch = PathEpoch::default();
        let start = Instant::now();
        let mut control = Arc::new(PathCubicFactory {
            epoch: epoch.clone(),
        })
        .build(start, 1200);
        let mut in_flight = 0;
        for _ in 0..3 {
            for _ in 0..60 {
                in_flight += 1200;
                control.on_sent(start, 1200, in_flight);
            }
            epoch.advance();
            assert!(control.window() > in_flight + 2 * 1200);
        }
    }
}
