//! How often the probes of a peer are answered that come from where nothing of ours was ever answered.
//!
//! Whoever takes a probe from the line can send it on in the name of anybody, who would get the answer. So there
//! are few answers to an address that is not proved, each with a probe back that may prove it: soon, because probes
//! are lost, and then seldom. The core decides nothing by it; the network answers probes by itself, and the simulated
//! one does as the real one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Moment;

/// What was answered of one peer.
#[derive(Debug, Default)]
pub struct Unproved {
    answered: VecDeque<Answered>,
}

#[derive(Debug)]
struct Answered {
    addr: SocketAddr,
    last: Moment,
    /// Answers before the last one.
    before: usize,
}

impl Unproved {
    /// Whether a probe from there is answered; counts as answered then.
    pub fn may_be_answered(&mut self, now: Moment, addr: SocketAddr) -> bool {
        let mut known = self.answered.iter_mut();
        if let Some(known) = known.find(|known| known.addr == addr) {
            let pause = PAUSES.get(known.before).copied();
            let may = now.since(known.last) >= pause.unwrap_or(PAUSE_LATER);
            if may {
                known.last = now;
                known.before = known.before.saturating_add(1);
            }
            return may;
        }
        if self.answered.len() >= ADDRESSES_MAX {
            self.answered.pop_front();
        }
        self.answered.push_back(Answered {
            addr,
            last: now,
            before: 0,
        });
        true
    }
}

/// Pauses after the first answers: two follow soon, because probes are lost, and one when a whole burst was.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// The pause after every later one: a minute, as long as the slowest rounds of probes take.
const PAUSE_LATER: Duration = Duration::from_secs(60);

/// Addresses remembered: 512, as many as a peer may scatter.
const ADDRESSES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 9], port))
    }

    #[test]
    fn a_burst_is_answered_four_times_and_then_one_probe_a_minute() {
        let mut unproved = Unproved::default();
        let answered: Vec<u64> = (0..2400)
            .map(|step| step * 50)
            .filter(|ms| {
                let now = Moment::from_start(Duration::from_millis(*ms));
                unproved.may_be_answered(now, addr(1))
            })
            .collect();
        assert_eq!(answered, [0, 100, 600, 2600, 62_600]);
    }

    #[test]
    fn each_address_counts_alone_and_few_are_remembered() {
        let mut unproved = Unproved::default();
        let now = Moment::default();
        for port in 0..600 {
            assert!(unproved.may_be_answered(now, addr(port)));
        }
        assert!(!unproved.may_be_answered(now, addr(599)));
        assert_eq!(unproved.answered.len(), ADDRESSES_MAX);
    }
}
