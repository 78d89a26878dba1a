//! How many packets may go where nobody has proved that a peer is.
//!
//! Ordinary probes are counted by host (`hosts`). While ports are guessed more is needed: a peer names the host at
//! which its ports are guessed (`link::birthday`), and it may lie. So what all links of this device together send in
//! that way is counted, for each host and for all of them, over the hour before. What was granted and is not sent is
//! given back. A host where a peer has answered lately bears more than one that is only named: who names it may
//! be a STUN server that lies, and one server's two ports are one witness.

mod hosts;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

use self::hosts::Hosts;
pub(crate) use self::hosts::Urgency;
use crate::clock::Moment;

/// What was granted in the last hour.
#[derive(Debug, Default)]
pub struct Ration {
    granted: Vec<Grant>,
    hosts: Hosts,
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    host: IpAddr,
    purpose: Purpose,
    at: Moment,
    packets: u32,
}

/// What many packets are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Each of many sockets sends one.
    Scatter,
    /// Each goes to another port.
    Guess,
}

impl Ration {
    /// Whether one probe may go to an address; counts as sent to its host then.
    pub(crate) fn may_probe(&mut self, now: Moment, addr: SocketAddr, urgency: Urgency) -> bool {
        self.hosts.may_probe(now, host_of(addr), urgency)
    }

    /// A peer has answered from an address.
    pub(crate) fn answered(&mut self, now: Moment, addr: SocketAddr) {
        self.hosts.answered(now, host_of(addr));
    }

    /// Grants up to `most` packets to a host; nothing when it would be less than `least`.
    pub(crate) fn take(
        &mut self,
        now: Moment,
        host: IpAddr,
        purpose: Purpose,
        [least, most]: [u32; 2],
    ) -> Option<u32> {
        self.granted.retain(|grant| now.since(grant.at) < WINDOW);
        let of_host = self.granted.iter().filter(|grant| grant.host == host);
        let of_purpose = of_host.clone().filter(|grant| grant.purpose == purpose);
        let of_purpose: u32 = of_purpose.map(|grant| grant.packets).sum();
        let of_host: u32 = of_host.map(|grant| grant.packets).sum();
        let of_all: u32 = self.granted.iter().map(|grant| grant.packets).sum();
        let of_purpose_max = if self.hosts.answers(now, host) {
            HOST_PACKETS_MAX
        } else {
            match purpose {
                Purpose::Scatter => UNPROVED_SCATTER_MAX,
                Purpose::Guess => UNPROVED_GUESS_MAX,
            }
        };
        let left = HOST_PACKETS_MAX.saturating_sub(of_host);
        let left = left.min(of_purpose_max.saturating_sub(of_purpose));
        let left = left.min(PACKETS_MAX.saturating_sub(of_all));
        let packets = most.min(left);
        if packets < least {
            return None;
        }
        self.granted.push(Grant {
            host,
            purpose,
            at: now,
            packets,
        });
        Some(packets)
    }

    /// Takes back what was granted to a host last and was not sent.
    pub(crate) fn give_back(&mut self, host: IpAddr, packets: u32) {
        let last = self.granted.iter().rposition(|grant| grant.host == host);
        if let Some(grant) = last.and_then(|last| self.granted.get_mut(last)) {
            grant.packets = grant.packets.saturating_sub(packets);
        }
        self.granted.retain(|grant| grant.packets > 0);
    }
}

/// Who gets what goes to an address, on whatever way.
fn host_of(addr: SocketAddr) -> IpAddr {
    TurnAddress::of(addr).map_or(addr.ip(), |turn| IpAddr::V4(*turn.behind().ip()))
}

/// Over how long is counted: an hour.
const WINDOW: Duration = Duration::from_secs(3600);

/// Packets to one host where a peer has answered in that hour: 4096, four whole tries with all that belongs to them.
/// With 118 bytes each on the wire that is 1 kbit/s on average, which harms nobody.
const HOST_PACKETS_MAX: u32 = 4096;

/// Guesses at a host where no peer has answered: 1024, two whole tries, by which 99.97 % meet. With 118 bytes each that
/// is 270 bit/s on average. With less, those who are unlucky wait for an hour.
pub(crate) const UNPROVED_GUESS_MAX: u32 = 1024;

/// The same from scattered sockets: 1024, two whole tries.
pub(crate) const UNPROVED_SCATTER_MAX: u32 = 1024;

/// Packets to all hosts: 16,384, so that peers that name ever other hosts gain no more than those four
/// times over.
const PACKETS_MAX: u32 = 4 * HOST_PACKETS_MAX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, last])
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::new(host(last), 4000)
    }

    #[test]
    fn a_host_gets_its_share_and_what_is_not_sent_comes_back() {
        let mut ration = Ration::default();
        let now = Moment::default();
        ration.answered(now, at(1));
        let guess = Purpose::Guess;
        for _ in 0..4 {
            assert_eq!(ration.take(now, host(1), guess, [256, 1024]), Some(1024));
        }
        assert_eq!(ration.take(now, host(1), guess, [1, 1024]), None);
        ration.give_back(host(1), 1000);
        assert_eq!(ration.take(now, host(1), guess, [1001, 1024]), None);
        assert_eq!(ration.take(now, host(1), guess, [256, 1024]), Some(1000));
        let later = now.after(WINDOW);
        ration.answered(later, at(1));
        assert_eq!(ration.take(later, host(1), guess, [256, 1024]), Some(1024));
    }

    #[test]
    fn a_host_that_is_only_named_gets_two_tries_of_each_kind_in_an_hour() {
        let mut ration = Ration::default();
        let mut now = Moment::default();
        for (purpose, expected) in [
            (Purpose::Guess, [Some(512), Some(512), None]),
            (Purpose::Scatter, [Some(512), Some(512), None]),
        ] {
            let taken = [(); 3].map(|()| ration.take(now, host(1), purpose, [64, 512]));
            assert_eq!(taken, expected);
        }
        ration.answered(now, at(1));
        let taken = ration.take(now, host(1), Purpose::Guess, [64, 512]);
        assert_eq!(taken, Some(512), "it is the peer's");
        now = now.after(WINDOW);
        let taken = [(); 3].map(|()| ration.take(now, host(1), Purpose::Guess, [64, 512]));
        assert_eq!(taken, [Some(512), Some(512), None], "it was the peer's");
    }

    /// Somebody who answers by way of a TURN server does not answer for everybody whom it reaches.
    #[test]
    fn who_is_behind_a_turn_server_counts_as_one_with_who_is_written_to_directly() {
        let by_turn = |to| match at(to) {
            SocketAddr::V4(addr) => TurnAddress::Ours(addr).written(),
            SocketAddr::V6(_) => panic!("an IPv4 address"),
        };
        let mut ration = Ration::default();
        let now = Moment::default();
        ration.answered(now, by_turn(1));
        let mut count = |addr| {
            let tries = (0..1000).filter(|_| ration.may_probe(now, addr, Urgency::Burst));
            tries.count()
        };
        assert_eq!(count(by_turn(2)), 64);
        assert_eq!([count(at(2)), count(at(1))], [0, 1000]);
    }

    proptest! {
        #[test]
        fn no_hour_holds_more_than_the_share_of_a_host_and_of_all(
            asks in prop::collection::vec((0..9_u8, 1..2000_u32, 0..600_u64, 0..3000_u32, any::<bool>()), 1..200),
        ) {
            let mut ration = Ration::default();
            let mut now = Moment::default();
            let mut sent: Vec<(u8, Moment, u32)> = Vec::new();
            for (to, most, pause, unsent, is_proved) in asks {
                now = now.after(Duration::from_secs(pause));
                if is_proved {
                    ration.answered(now, at(to));
                }
                let Some(granted) = ration.take(now, host(to), Purpose::Guess, [1, most]) else { continue };
                prop_assert!(granted <= most);
                let unsent = unsent.min(granted);
                ration.give_back(host(to), unsent);
                sent.push((to, now, granted - unsent));
                let hour = sent.iter().filter(|(_, at, _)| now.since(*at) < WINDOW);
                let (mut of_host, mut of_all) = (0, 0);
                for (other, _, packets) in hour {
                    of_all += packets;
                    of_host += if *other == to { *packets } else { 0 };
                }
                prop_assert!(of_host <= HOST_PACKETS_MAX && of_all <= PACKETS_MAX);
            }
        }
    }
}
