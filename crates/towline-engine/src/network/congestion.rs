//! Cubic that starts anew when the dialer moves to another path, or a peer is heard after an outage.
//!
//! The side that accepts migrates and gets fresh state from quinn itself. The side that dials swaps
//! paths under quinn, which would push the window of a fast direct path into a slow relay: seven to
//! eight times the loss, as measured. So the epoch of [`super::standstill`] is watched. When it moves,
//! Cubic is built anew, news of packets sent before is ignored, and two packets are granted above what is
//! in flight: their acknowledgement shows at once that everything before is lost. Either side needs that
//! when a path works again on which it already is, and may need it more than once.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

use super::standstill::Standstill;

/// Packets granted above what is in flight when the path has changed: 2, since two make the peer
/// acknowledge at once (RFC 9000, section 13.2.1), plus one because quinn sends only strictly below
/// the window.
const PACKETS_GRANTED: u64 = 3;

/// Probe packets that an outage can leave in flight: 64. quinn sends two per timeout and doubles the
/// timeout each time, so half a minute sees about twenty.
const PROBES_IN_FLIGHT_MAX: u64 = 64;

/// From which stretch on a round trip is not believed: 4. A queue that drains makes less.
const STRETCH_MIN: u128 = 4;

/// Largest window that pacing is shown in place of a smaller one: 1 GiB, which quinn still paces.
const PACED_BYTES_MAX: u64 = 1 << 30;

/// Builds the controllers of one connection.
#[derive(Debug)]
pub(super) struct PathCubicFactory {
    pub(super) standstill: Standstill,
}

struct PathCubic {
    standstill: Standstill,
    epoch: u64,
    grants: u64,
    inner: Box<dyn Controller>,
    mtu: u16,
    in_flight: u64,
    /// When this began, or began anew.
    since: Instant,
    /// The least that the window is until something sent since then is acknowledged.
    granted: u64,
    /// How many times the round trip that quinn believes in is the one that the newest acknowledgement shows.
    stretch: u64,
}

impl ControllerFactory for PathCubicFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(PathCubic {
            standstill: self.standstill.clone(),
            epoch: self.standstill.epoch(),
            grants: self.standstill.grants(),
            inner: cubic(now, current_mtu),
            mtu: current_mtu,
            in_flight: 0,
            since: now,
            granted: 0,
            stretch: 1,
        })
    }
}

impl PathCubic {
    fn notice_standstill(&mut self, now: Instant) {
        let (epoch, grants) = (self.standstill.epoch(), self.standstill.grants());
        if (epoch, grants) != (self.epoch, self.grants) {
            self.granted = self.granted_now();
        }
        if epoch != self.epoch {
            self.inner = cubic(now, self.mtu);
            self.since = now;
        }
        (self.epoch, self.grants) = (epoch, grants);
    }

    /// Whether something was granted that is not in the reckoning yet.
    fn is_granted_more(&self) -> bool {
        (self.epoch, self.grants) != (self.standstill.epoch(), self.standstill.grants())
    }

    /// In flight is counted from what quinn tells, which knows lone acknowledgements as sent but
    /// never as acknowledged, so the count is bounded. The bound leaves room for what Cubic's window
    /// does not: what was sent before it shrank, also before an earlier change of path of which nothing
    /// was acknowledged, and probes, which no window holds back.
    fn granted_now(&self) -> u64 {
        let mtu = u64::from(self.mtu);
        let bound = self.granted.max(2 * self.inner.window()) + PROBES_IN_FLIGHT_MAX * mtu;
        self.in_flight.min(bound) + PACKETS_GRANTED * mtu
    }
}

impl Controller for PathCubic {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.notice_standstill(now);
        self.in_flight += bytes;
        self.standstill.note_sent_bytes(now, bytes);
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
        self.notice_standstill(now);
        self.in_flight = self.in_flight.saturating_sub(bytes);
        if sent < self.since {
            // What is no longer in flight makes no room for a burst.
            self.granted = self.granted.saturating_sub(bytes);
            return;
        }
        self.granted = 0;
        self.stretch = stretch(rtt.get(), now.saturating_duration_since(sent));
        self.standstill.note_acknowledged_epoch(self.epoch);
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
        self.standstill.note_acknowledged(now, in_flight);
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
        self.notice_standstill(now);
        self.in_flight = self.in_flight.saturating_sub(lost_bytes);
        if sent >= self.since {
            self.inner
                .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.epoch != self.standstill.epoch() {
            return self.granted_now().max(self.inner.initial_window());
        }
        let granted = if self.is_granted_more() {
            self.granted_now()
        } else {
            self.granted
        };
        let window = self.inner.window();
        // quinn asks for room first, and then paces by the same number.
        let paced = if self.in_flight + u64::from(self.mtu) <= window {
            window.saturating_mul(self.stretch).min(PACED_BYTES_MAX)
        } else {
            window
        };
        paced.max(window).max(granted)
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            standstill: self.standstill.clone(),
            epoch: self.epoch,
            grants: self.grants,
            inner: self.inner.clone_box(),
            mtu: self.mtu,
            in_flight: self.in_flight,
            since: self.since,
            granted: self.granted,
            stretch: self.stretch,
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// What was sent before an outage and is acknowledged after it makes quinn believe in a round trip as long as
/// the outage, and a window is spread over a round trip: measured, 2.6 s instead of 25 ms, ten packets in each
/// second, and 4 s until that is forgotten. Pacing is therefore shown a window that is as many times larger.
fn stretch(believed: Duration, shown: Duration) -> u64 {
    let times = believed.as_micros() / shown.as_micros().max(1);
    if times >= STRETCH_MIN {
        u64::try_from(times).unwrap_or(u64::MAX)
    } else {
        1
    }
}

fn cubic(now: Instant, mtu: u16) -> Box<dyn Controller> {
    Arc::new(CubicConfig::default()).build(now, mtu)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controlled(start: Instant) -> (Standstill, Box<dyn Controller>) {
        let standstill = Standstill::since(start);
        let factory = PathCubicFactory {
            standstill: standstill.clone(),
        };
        (standstill, Arc::new(factory).build(start, 1200))
    }

    #[test]
    fn a_change_of_path_starts_anew_and_grants_two_packets() {
        let start = Instant::now();
        let (standstill, mut control) = controlled(start);
        let initial = control.window();
        control.on_sent(start, initial - 1200, 1);
        standstill.begin_anew();
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
        standstill.begin_anew();
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
        let start = Instant::now();
        let (standstill, mut control) = controlled(start);
        let mut in_flight = 0;
        for _ in 0..3 {
            for _ in 0..60 {
                in_flight += 1200;
                control.on_sent(start, 1200, in_flight);
            }
            standstill.begin_anew();
            assert!(control.window() > in_flight + 2 * 1200);
        }
    }

    #[test]
    fn each_grant_is_two_packets_more() {
        let start = Instant::now();
        let (standstill, mut control) = controlled(start);
        let mut in_flight = 40 * 1200;
        control.on_sent(start, in_flight, 40);
        standstill.begin_anew();
        let later = start + Duration::from_secs(20);
        for number in 0..50 {
            let room = control.window() - in_flight;
            assert!((2401..=4800).contains(&room), "{room}");
            control.on_sent(later, 2400, 41 + number);
            in_flight += 2400;
            assert!(control.window() < in_flight + 2400, "the grant is spent");
            standstill.grant();
        }
    }

    #[test]
    fn only_a_round_trip_that_is_much_too_long_is_not_believed() {
        let ms = Duration::from_millis;
        assert_eq!(stretch(ms(25), ms(25)), 1);
        assert_eq!(stretch(ms(90), ms(25)), 1, "a queue drains");
        assert_eq!(stretch(ms(25), ms(2000)), 1, "a queue grows");
        assert_eq!(stretch(ms(2500), ms(25)), 100);
        assert_eq!(stretch(ms(1), Duration::ZERO), 1000);
    }
}
