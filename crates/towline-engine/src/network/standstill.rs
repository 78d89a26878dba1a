//! Whether a peer answers, and what makes sending go on after it did not.
//!
//! quinn's probe timeout doubles with each probe, so after an outage its next probe comes as late again as
//! the outage was long. Nothing but an acknowledgement ends that. So when the peer is heard again, by a
//! packet or a probe on any way, or a packet channel to it is open again, either side is granted two packets above what is in flight and says
//! something: the acknowledgement shows at once that everything before is lost.
//!
//! Once is not enough, and nothing later would repeat it. The two packets may be lost on a path that comes
//! back by halves; then the window is full anew, quinn sends nothing, and nothing that it has sent stays
//! unanswered. And where both sides send much, both packets of both sides arrive, and none is acknowledged:
//! quinn holds even an acknowledgement back while the window is full and data waits (`poll_transmit`), so
//! each side waits for the other's probe timeout. The lack of acknowledgements is therefore counted where it
//! shows, in congestion control, and each sign of the peer grants again until something new is acknowledged.
//!
//! What is acknowledged first may be old: packets that came before the outage and whose acknowledgement was lost
//! in it. quinn takes the outage for a round trip then, and its probe timeout comes later than the connection
//! lives; so that ends nothing, and the side that accepts lets the dialer speak first. The same happens where a packet
//! channel came back after an outage and is replaced a moment later: what was on it is lost, and not waited for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::Notify;

/// Silence of a peer to which quinn sends after which its next word begins sending anew: 1.5 s. Until
/// then quinn has sent its own probes within the same second; later they come as far apart as the
/// silence was long. Shorter, and a slow path would start slowly again and again.
const OVERDUE: Duration = Duration::from_millis(1500);

/// What is no lone acknowledgement, since nobody acknowledges those: 1000 bytes. quinn does not tell them
/// apart, and its data packets and probes have 1200.
const LARGE_BYTES: u64 = 1000;

/// What may be a lone acknowledgement: less than 100 bytes. Nobody answers one, and the next word of a peer at
/// rest comes seconds later; taken for a question, each would begin sending anew.
const SMALL_BYTES: usize = 100;

/// What small packets are apart, at least, when the later one is a question: 100 ms. An acknowledgement leaves
/// within 25 ms of what it acknowledges, so a second one with nothing heard in between is none: quinn asks again,
/// or keeps alive.
const ASKED_AGAIN_MS: u64 = 100;

/// The bit that is set in the first byte of the packets of a handshake (RFC 9000, section 17.2).
const LONG_HEADER_BIT: u8 = 0x80;

/// How a peer answers. Clones share it: the table of paths, congestion control, and the session.
#[derive(Clone)]
pub(super) struct Standstill(Arc<State>);

struct State {
    /// Where the milliseconds begin.
    started: Instant,
    /// When quinn first sent something small after the peer was last heard; 0 while there is no such thing.
    small_ms: AtomicU64,
    /// When quinn first sent something after that to which the peer owes an answer; 0 while there is no such
    /// thing.
    unanswered_ms: AtomicU64,
    /// When quinn first sent something large after the peer last acknowledged; 0 while there is no such thing.
    unacknowledged_ms: AtomicU64,
    epoch: AtomicU64,
    /// The newest epoch of which something is acknowledged.
    acknowledged_epoch: AtomicU64,
    grants: AtomicU64,
    regained: Notify,
}

impl Standstill {
    /// A peer that owes no answer.
    pub(super) fn since(started: Instant) -> Self {
        Self(Arc::new(State {
            started,
            small_ms: AtomicU64::new(0),
            unanswered_ms: AtomicU64::new(0),
            unacknowledged_ms: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            acknowledged_epoch: AtomicU64::new(0),
            grants: AtomicU64::new(0),
            regained: Notify::new(),
        }))
    }

    /// quinn sends datagrams of so many bytes, wherever they go.
    pub(super) fn note_sent(&self, now: Instant, bytes: usize) {
        if bytes < SMALL_BYTES {
            let first = self.0.small_ms.load(Ordering::Relaxed);
            let asks = first != 0 && self.ms(now).saturating_sub(first) >= ASKED_AGAIN_MS;
            if !asks {
                return self.note_first(&self.0.small_ms, now);
            }
        }
        self.note_first(&self.0.unanswered_ms, now);
    }

    /// Congestion control has seen so many bytes leave.
    pub(super) fn note_sent_bytes(&self, now: Instant, bytes: u64) {
        if bytes >= LARGE_BYTES {
            self.note_first(&self.0.unacknowledged_ms, now);
        }
    }

    /// Congestion control has seen acknowledgements, after which so many bytes are still in flight.
    pub(super) fn note_acknowledged(&self, now: Instant, in_flight: u64) {
        let since = if in_flight < LARGE_BYTES {
            0
        } else {
            self.ms(now).max(1)
        };
        self.0.unacknowledged_ms.store(since, Ordering::Relaxed);
    }

    /// Congestion control has seen something acknowledged that was sent in this epoch.
    pub(super) fn note_acknowledged_epoch(&self, epoch: u64) {
        let newest = &self.0.acknowledged_epoch;
        if newest.load(Ordering::Relaxed) < epoch {
            newest.fetch_max(epoch, Ordering::Relaxed);
        }
    }

    /// A batch of quinn's came that begins with this byte.
    pub(super) fn note_heard(&self, now: Instant, first: u8) {
        // A handshake is a new connection's, which has nothing in flight.
        if first & LONG_HEADER_BIT == 0 {
            self.note_way(now);
        }
        self.0.small_ms.store(0, Ordering::Relaxed);
        self.0.unanswered_ms.store(0, Ordering::Relaxed);
    }

    /// Some way works, if not the one that quinn uses: a probe came, or a packet channel was opened. Who is at its
    /// other end nobody knows, and both wait for each other unless one speaks.
    pub(super) fn note_way(&self, now: Instant) {
        if self.is_overdue(now) {
            self.0.regained.notify_one();
        }
    }

    /// The way by which all went is gone with what was on it, and another one is there. Nothing shows that to quinn before
    /// its probe timeout, and that is as long as an outage from which it has just come back. What was acknowledged
    /// until now shows nothing of the new way.
    pub(super) fn note_loss(&self) {
        let is_owed = |first: &AtomicU64| first.load(Ordering::Relaxed) != 0;
        if is_owed(&self.0.unanswered_ms) || is_owed(&self.0.unacknowledged_ms) {
            self.begin_anew();
            self.0.regained.notify_one();
        }
    }

    /// Whether what was sent should have been answered, or acknowledged, by now.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let since = |first: &AtomicU64| match first.load(Ordering::Relaxed) {
            0 => false,
            first => self.ms(now).saturating_sub(first) >= ms_of(OVERDUE),
        };
        since(&self.0.unanswered_ms) || since(&self.0.unacknowledged_ms)
    }

    /// The peer is reached by another path from now on: what is there to do when it is heard again is to be
    /// done now.
    pub(super) fn tell_regained(&self) {
        self.0.regained.notify_one();
    }

    /// Waits until the peer is heard while an answer is overdue.
    pub(super) async fn regained(&self) {
        self.0.regained.notified().await;
    }

    /// What was heard so far does not count.
    pub(super) fn forget_heard(&self) {
        let _before = self.0.regained.notified().now_or_never();
    }

    /// Whether something that was sent since [`Self::begin_anew`] is acknowledged. What was sent before shows
    /// nothing: its acknowledgement may be as old as the outage.
    pub(super) fn is_over(&self) -> bool {
        self.0.acknowledged_epoch.load(Ordering::Relaxed) >= self.epoch()
    }

    /// The sending rate must be found anew.
    pub(super) fn begin_anew(&self) {
        self.0.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what [`Self::begin_anew`] was told.
    pub(super) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    /// What was granted is spent, and nothing has come of it.
    pub(super) fn grant(&self) {
        self.0.grants.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what [`Self::grant`] was told.
    pub(super) fn grants(&self) -> u64 {
        self.0.grants.load(Ordering::Relaxed)
    }

    fn note_first(&self, first_ms: &AtomicU64, now: Instant) {
        if first_ms.load(Ordering::Relaxed) == 0 {
            first_ms.store(self.ms(now).max(1), Ordering::Relaxed);
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        ms_of(now.saturating_duration_since(self.0.started))
    }
}

impl fmt::Debug for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standstill").finish_non_exhaustive()
    }
}

fn ms_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: u8 = 0x40;
    const LONG: u8 = 0xc0;

    /// Whether it was told that the peer is heard again.
    fn is_told(standstill: &Standstill) -> bool {
        standstill.regained().now_or_never().is_some()
    }

    #[test]
    fn a_peer_that_is_heard_after_a_silence_to_which_we_sent_is_told_of() {
        let start = Instant::now();
        let later = |times| start + OVERDUE * times;
        let standstill = Standstill::since(start);
        standstill.note_heard(later(1), SHORT);
        assert!(!is_told(&standstill), "nothing was sent");
        standstill.note_sent(later(1), 1200);
        standstill.note_heard(later(1), SHORT);
        assert!(!is_told(&standstill), "it was answered soon");
        standstill.note_sent(later(2), 1200);
        assert!(standstill.is_overdue(later(3)));
        standstill.note_way(later(3));
        assert!(is_told(&standstill), "a probe will do");
        standstill.note_heard(later(3), SHORT);
        assert!(is_told(&standstill));
        standstill.note_heard(later(3), SHORT);
        assert!(!is_told(&standstill), "once");
        standstill.note_sent(later(3), 1200);
        standstill.note_heard(later(5), LONG);
        assert!(!is_told(&standstill), "a handshake is another connection's");
    }

    #[test]
    fn a_peer_at_rest_owes_no_answer_to_an_acknowledgement_but_to_what_is_sent_again() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let standstill = Standstill::since(start);
        // What is acknowledged here is followed by a probe, and by the next keep-alive of the peer.
        standstill.note_heard(at(0), SHORT);
        standstill.note_sent(at(20), 38);
        standstill.note_way(at(3_000));
        standstill.note_heard(at(10_000), SHORT);
        assert!(!is_told(&standstill));
        // Our own keep-alive comes long after the acknowledgement.
        standstill.note_sent(at(10_020), 38);
        standstill.note_sent(at(20_000), 30);
        standstill.note_heard(at(20_050), SHORT);
        assert!(!is_told(&standstill));
        // One that nobody answers is sent again.
        standstill.note_sent(at(30_000), 30);
        standstill.note_sent(at(30_200), 30);
        standstill.note_heard(at(32_000), SHORT);
        assert!(is_told(&standstill));
    }

    #[test]
    fn a_peer_is_told_of_whenever_it_is_heard_until_it_acknowledges_what_is_large() {
        let start = Instant::now();
        let later = |times| start + OVERDUE * times;
        let standstill = Standstill::since(start);
        standstill.note_sent_bytes(start, 60);
        standstill.note_heard(later(1), SHORT);
        assert!(!is_told(&standstill), "a lone acknowledgement gets none");
        standstill.note_sent_bytes(later(1), 1200);
        for times in 2..5 {
            standstill.note_heard(later(times), SHORT);
            assert!(is_told(&standstill));
        }
        standstill.note_acknowledged(later(5), 1200);
        standstill.note_heard(later(5), SHORT);
        assert!(!is_told(&standstill));
        standstill.note_heard(later(6), SHORT);
        assert!(is_told(&standstill), "much is still in flight");
        standstill.note_acknowledged(later(6), 0);
        standstill.note_heard(later(8), SHORT);
        assert!(!is_told(&standstill));
    }

    #[test]
    fn what_was_on_its_way_by_a_channel_that_is_gone_is_not_waited_for() {
        let standstill = Standstill::since(Instant::now());
        standstill.note_loss();
        assert!(!is_told(&standstill), "nothing was on its way");
        standstill.note_sent(Instant::now(), 1200);
        standstill.note_loss();
        assert!(is_told(&standstill));
        standstill.note_heard(Instant::now(), SHORT);
        standstill.note_loss();
        assert!(!is_told(&standstill), "it has come");
        standstill.note_sent_bytes(Instant::now(), 1200);
        standstill.note_loss();
        assert!(is_told(&standstill));
    }

    /// A channel comes back after an outage, something new is acknowledged by it, and a moment later it is replaced.
    #[test]
    fn what_was_acknowledged_by_a_channel_that_is_gone_ends_nothing() {
        let standstill = Standstill::since(Instant::now());
        standstill.note_sent(Instant::now(), 1200);
        standstill.begin_anew();
        standstill.note_acknowledged_epoch(standstill.epoch());
        assert!(standstill.is_over());
        standstill.note_loss();
        assert!(!standstill.is_over());
        standstill.note_acknowledged_epoch(standstill.epoch());
        assert!(standstill.is_over());
    }

    #[test]
    fn a_standstill_is_over_when_something_new_is_acknowledged() {
        let standstill = Standstill::since(Instant::now());
        assert!(standstill.is_over());
        standstill.begin_anew();
        standstill.note_acknowledged_epoch(0);
        assert!(!standstill.is_over(), "that was sent before");
        standstill.note_acknowledged_epoch(1);
        assert!(standstill.is_over());
        standstill.begin_anew();
        assert!(!standstill.is_over(), "another path");
    }
}
