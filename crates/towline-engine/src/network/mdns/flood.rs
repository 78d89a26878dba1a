//! How much others may have this device do: who says something without end on the local network has it say little.
//!
//! The library answers every question at once that it may not delay, and asks after every name that is said
//! without an address; so it would say as much as it hears, or more. It also keeps all that is said. So answers and
//! names are counted: beyond [`ANSWERS`] the device is not announced for a while, and beyond [`NAMES`] it does not
//! listen for a while. After [`DEVICES_MAX`] names the library forgets them all and begins to listen anew.

use std::time::Duration;

use mdns_sd::{Receiver, ServiceDaemon, ServiceEvent};
use tokio::time::Instant;

use super::SERVICE;

/// What others have had this device do on one life of the library.
#[derive(Debug)]
pub(super) struct Flood {
    answers: Allowance,
    names: Allowance,
    devices: u32,
    /// Until when this device is not announced.
    pub(super) silent_until: Option<Instant>,
    /// Until when it does not listen.
    pub(super) deaf_until: Option<Instant>,
}

/// What is to be done about something that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing.
    Nothing,
    /// To forget all and listen anew.
    ListenAnew,
    /// Not to listen for a while.
    StopListening,
}

/// So many at once, and then one in so long.
#[derive(Debug)]
struct Allowance {
    burst: u32,
    refill: Duration,
    full_at: Option<Instant>,
}

impl Flood {
    pub(super) const fn none() -> Self {
        Self {
            answers: ANSWERS,
            names: NAMES,
            devices: 0,
            silent_until: None,
            deaf_until: None,
        }
    }

    /// The library has answered; says whether it is to be silent from now on.
    pub(super) fn answered(&mut self, now: Instant) -> bool {
        let is_too_much = !self.answers.take(now);
        if is_too_much && self.silent_until.is_none() {
            self.silent_until = Some(now + WHILE);
            return true;
        }
        false
    }

    /// Something was said.
    pub(super) fn heard(&mut self, event: &ServiceEvent, now: Instant) -> Deed {
        match event {
            ServiceEvent::ServiceFound(..) => {
                self.devices += 1;
                if !self.names.take(now) {
                    self.deaf_until = Some(now + WHILE);
                    self.devices = 0;
                    return Deed::StopListening;
                }
                if self.devices >= DEVICES_MAX {
                    self.devices = 0;
                    return Deed::ListenAnew;
                }
            }
            // It has addresses and is not asked after.
            ServiceEvent::ServiceResolved(_) => self.names.give_back(),
            ServiceEvent::SearchStarted(_)
            | ServiceEvent::ServiceRemoved(..)
            | ServiceEvent::SearchStopped(_) => {}
            // The library may learn to say more.
            _ => {}
        }
        Deed::Nothing
    }

    /// When something is to be done that is not done now.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.silent_until, self.deaf_until]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Allowance {
    const fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst,
            refill,
            full_at: None,
        }
    }

    /// One more, which may be one too many.
    fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.refill;
        let is_within = full_at.duration_since(now) <= self.refill * self.burst;
        if is_within {
            self.full_at = Some(full_at);
        }
        is_within
    }

    fn give_back(&mut self) {
        self.full_at = self.full_at.and_then(|at| at.checked_sub(self.refill));
    }
}

/// Begins to listen, with nothing known.
pub(super) fn listen_anew(daemon: &ServiceDaemon) -> mdns_sd::Result<Receiver<ServiceEvent>> {
    daemon.stop_browse(SERVICE)?;
    daemon.browse(SERVICE)
}

/// Answers: 64 at once and two in a second, which 64 devices that come at a time do not need.
const ANSWERS: Allowance = Allowance::new(64, Duration::from_millis(500));

/// Names without an address: 64 at once and two in a second. A device says both in one message.
const NAMES: Allowance = Allowance::new(64, Duration::from_millis(500));

/// Names that the library may know before it forgets all: 256, four times what is kept of them.
const DEVICES_MAX: u32 = 256;

/// How long this device is silent or deaf then: 5 s. It is announced at once when that is over, and others believe what
/// they have heard for longer.
const WHILE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u32) -> ServiceEvent {
        ServiceEvent::ServiceFound(SERVICE.to_owned(), format!("f{number}.{SERVICE}"))
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_without_end_is_answered_some_times() {
        let mut flood = Flood::none();
        let now = Instant::now();
        let first = (0..1000).position(|_| flood.answered(now));
        assert_eq!(first, Some(64));
        assert_eq!(flood.due(), Some(now + WHILE));
        assert!((0..1000).all(|_| !flood.answered(now)), "silent already");
        flood.silent_until = None;
        let later = now + WHILE;
        let second = (0..1000).position(|_| flood.answered(later));
        assert_eq!(second, Some(10), "what came back in the meantime");
    }

    #[tokio::test(start_paused = true)]
    async fn names_without_addresses_make_deaf_and_devices_are_forgotten() {
        let mut flood = Flood::none();
        let now = Instant::now();
        let deeds: Vec<_> = (0..65).map(|each| flood.heard(&found(each), now)).collect();
        assert_eq!(deeds[..64], [Deed::Nothing; 64]);
        assert_eq!(deeds[64], Deed::StopListening);
        let mut flood = Flood::none();
        for number in 1..1000 {
            let deed = flood.heard(&found(number), now);
            let anew = number % DEVICES_MAX == 0;
            assert_eq!(deed == Deed::ListenAnew, anew, "{number}");
            flood.names.give_back();
        }
        assert_eq!(flood.deaf_until, None);
    }
}
