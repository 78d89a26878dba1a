//! How many probes may go to hosts where no peer has answered.
//!
//! Peers, servers and the local network name addresses, and any of them may name somebody else's. So what all
//! links together send to one host is counted until a peer has answered from there; ports do not matter. An
//! IPv6 host has a /64. What goes beyond is not sent, as if it were lost.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Moment;

/// What has gone where.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    probed_by_host: BTreeMap<IpAddr, Probed>,
    /// All hosts together for which there was no place any more.
    others: Probed,
}

#[derive(Debug, Default)]
struct Probed {
    /// When probes went there in the last hour, in order.
    at: VecDeque<Moment>,
    answered: Option<Moment>,
}

/// Why a probe is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Something has changed a moment ago.
    Burst,
    /// It is time again.
    Routine,
}

impl Hosts {
    pub(super) fn may_probe(&mut self, now: Moment, host: IpAddr, urgency: Urgency) -> bool {
        let host = network_of(host);
        if !self.probed_by_host.contains_key(&host) && self.probed_by_host.len() >= HOSTS_MAX {
            self.probed_by_host.retain(|_, probed| probed.counts(now));
        }
        let has_place = self.probed_by_host.len() < HOSTS_MAX;
        let probed = match self.probed_by_host.get_mut(&host) {
            Some(probed) => probed,
            None if has_place => self.probed_by_host.entry(host).or_default(),
            None => &mut self.others,
        };
        probed.take(now, urgency)
    }

    /// Whether a peer has answered from a host in the last hour.
    pub(super) fn answers(&self, now: Moment, host: IpAddr) -> bool {
        let probed = self.probed_by_host.get(&network_of(host));
        probed.is_some_and(|probed| probed.answers(now))
    }

    pub(super) fn answered(&mut self, now: Moment, host: IpAddr) {
        let host = network_of(host);
        // Whoever answers was probed, or found no place.
        if let Some(probed) = self.probed_by_host.get_mut(&host) {
            probed.answered = Some(now);
            probed.at.clear();
        } else if self.probed_by_host.len() < HOSTS_MAX {
            let answered = Some(now);
            let at = VecDeque::new();
            self.probed_by_host.insert(host, Probed { at, answered });
        }
    }
}

impl Probed {
    fn take(&mut self, now: Moment, urgency: Urgency) -> bool {
        if self.answers(now) {
            return true;
        }
        while self.at.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.at.pop_front();
        }
        let most = match urgency {
            Urgency::Burst => PROBES_PER_HOUR_MAX,
            Urgency::Routine => PROBES_PER_HOUR_MAX / 2,
        };
        let minute = self.at.iter().rev();
        let minute = minute.take_while(|at| now.since(**at) < MINUTE).count();
        let may = self.at.len() < most && minute < PROBES_PER_MINUTE_MAX;
        if may {
            self.at.push_back(now);
        }
        may
    }

    fn answers(&self, now: Moment) -> bool {
        self.answered.is_some_and(|at| now.since(at) < HOUR)
    }

    fn counts(&self, now: Moment) -> bool {
        self.answers(now) || self.at.back().is_some_and(|at| now.since(*at) < HOUR)
    }
}

/// What counts as one host: whoever has an IPv6 address has all of its /64.
fn network_of(host: IpAddr) -> IpAddr {
    match host.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Over how long is counted.
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Probes to one host in a minute: 64, seven bursts of nine. So many peers, or ports, behind one router are looked
/// for at once; the first that answers ends the count. With 118 bytes each on the wire that is 1 kbit/s.
const PROBES_PER_MINUTE_MAX: usize = 64;

/// In an hour: 256, and half of that for what is not urgent, so that peers who are away for long do not use up
/// what is needed when they come back. Two addresses are looked for once a minute all the time.
const PROBES_PER_HOUR_MAX: usize = 256;

/// Hosts that are counted each by itself: 1024, with 2 KiB each at most. The others share one count.
const HOSTS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(last: u16) -> IpAddr {
        let [high, low] = last.to_be_bytes();
        IpAddr::from([198, 51, high, low])
    }

    #[test]
    fn a_host_where_nobody_answers_gets_few_probes_and_one_that_answers_as_many_as_it_takes() {
        let mut hosts = Hosts::default();
        let mut now = Moment::default();
        let count = |hosts: &mut Hosts, now| {
            let tries = (0..1000).filter(|_| hosts.may_probe(now, host(1), Urgency::Burst));
            tries.count()
        };
        assert_eq!(count(&mut hosts, now), 64);
        for expected in [64, 64, 64, 0] {
            now = now.after(MINUTE);
            assert_eq!(count(&mut hosts, now), expected);
        }
        hosts.answered(now, host(1));
        assert_eq!(count(&mut hosts, now), 1000);
        now = now.after(HOUR);
        assert_eq!(count(&mut hosts, now), 64);
    }

    #[test]
    fn routine_leaves_half_to_what_is_urgent() {
        let mut hosts = Hosts::default();
        let mut now = Moment::default();
        let mut sent = 0;
        for _ in 0..59 {
            let tries = (0..3).filter(|_| hosts.may_probe(now, host(1), Urgency::Routine));
            sent += tries.count();
            now = now.after(MINUTE);
        }
        assert_eq!(sent, PROBES_PER_HOUR_MAX / 2);
        assert!(hosts.may_probe(now, host(1), Urgency::Burst));
    }

    #[test]
    fn a_64_is_one_host_and_those_without_a_place_are_one_too() {
        let mut hosts = Hosts::default();
        let now = Moment::default();
        let inside = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 1, 2, 3, last]);
        let sent = (0..200).filter(|last| hosts.may_probe(now, inside(*last), Urgency::Burst));
        assert_eq!(sent.count(), 64);
        let many = (0..5000).filter(|last| hosts.may_probe(now, host(*last), Urgency::Burst));
        assert_eq!(many.count(), HOSTS_MAX - 1 + 64);
        assert_eq!(hosts.probed_by_host.len(), HOSTS_MAX);
        let later = now.after(HOUR);
        assert!(hosts.may_probe(later, host(4999), Urgency::Burst));
        assert_eq!(hosts.probed_by_host.len(), 1);
    }

    proptest! {
        #[test]
        fn no_minute_and_no_hour_hold_more_than_their_share(
            tries in prop::collection::vec((0..4_u16, 0..40_u64, any::<bool>(), 0..40_u8), 1..400),
        ) {
            let mut hosts = Hosts::default();
            let mut now = Moment::default();
            let mut sent: Vec<(u16, Moment)> = Vec::new();
            for (to, pause, urgent, count) in tries {
                now = now.after(Duration::from_secs(pause));
                let urgency = if urgent { Urgency::Burst } else { Urgency::Routine };
                for _ in 0..count {
                    if hosts.may_probe(now, host(to), urgency) {
                        sent.push((to, now));
                    }
                }
                let within = |span| sent.iter().filter(|(other, at)| *other == to && now.since(*at) < span).count();
                prop_assert!(within(MINUTE) <= PROBES_PER_MINUTE_MAX);
                prop_assert!(within(HOUR) <= PROBES_PER_HOUR_MAX);
            }
        }
    }
}
