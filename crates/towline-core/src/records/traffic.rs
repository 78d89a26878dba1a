//! What holds for all content now: limits, or a pause, by the week's schedule and the kind of network.
//!
//! Pure: the local time of the week and what the system says of the network are parameters. A window of
//! the schedule holds instead of the device's limits; the rule for a network that costs by volume holds
//! beside, the stricter of both counts. Limits of a folder hold beside all of this.

use super::settings::{DeviceSettings, Limits, MeteredNetwork, TrafficRule, Window};

/// A time of the local week, as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeekTime {
    /// 0 is Monday, 6 Sunday.
    pub day: u8,
    /// Minute of the day, below 1440.
    pub minute: u16,
}

/// What the system says of the present network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkCost {
    /// It costs by volume.
    ByVolume,
    /// It does not, or nobody knows.
    #[default]
    Free,
}

/// Why a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It is what is set for always.
    Always,
    /// A window of the schedule.
    Schedule,
    /// The network costs by volume.
    Metered,
}

/// What holds now, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce {
    /// The rule.
    pub rule: TrafficRule,
    /// What made it differ from what is set for always; the network when both did.
    pub because: Because,
}

impl DeviceSettings {
    /// What holds for all content at a time of the week on such a network.
    pub fn in_force(&self, now: WeekTime, says: NetworkCost) -> InForce {
        let window = self.schedule.iter().find(|window| window.holds(now));
        let base = match window {
            Some(window) => InForce {
                rule: window.rule,
                because: Because::Schedule,
            },
            None => InForce {
                rule: TrafficRule::Limit(self.limits),
                because: Because::Always,
            },
        };
        let costs = match self.metered.network {
            MeteredNetwork::AsSystemSays => says == NetworkCost::ByVolume,
            MeteredNetwork::Yes => true,
            MeteredNetwork::No => false,
        };
        match self.metered.rule.filter(|_| costs) {
            None => base,
            Some(rule) => InForce {
                rule: stricter(base.rule, rule),
                because: Because::Metered,
            },
        }
    }
}

impl Window {
    /// Whether a time of the week lies in it. One that ends when it begins lasts a whole day.
    pub fn holds(&self, now: WeekTime) -> bool {
        let begins_on = |day: u8| self.days >> (day % 7) & 1 == 1;
        let today = begins_on(now.day) && now.minute >= self.from;
        if self.from < self.to {
            today && now.minute < self.to
        } else {
            today || (begins_on(now.day + 6) && now.minute < self.to)
        }
    }
}

fn stricter(one: TrafficRule, other: TrafficRule) -> TrafficRule {
    match (one, other) {
        (TrafficRule::Pause, TrafficRule::Pause | TrafficRule::Limit(_))
        | (TrafficRule::Limit(_), TrafficRule::Pause) => TrafficRule::Pause,
        (TrafficRule::Limit(one), TrafficRule::Limit(other)) => TrafficRule::Limit(Limits {
            send: lower(one.send, other.send),
            receive: lower(one.receive, other.receive),
        }),
    }
}

fn lower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    const MONDAY: u8 = 0;
    const SUNDAY: u8 = 6;

    fn at(day: u8, hour: u16, minute: u16) -> WeekTime {
        let minute = hour * 60 + minute;
        WeekTime { day, minute }
    }

    fn send(rate: u64) -> TrafficRule {
        let send = NonZeroU64::new(rate);
        TrafficRule::Limit(Limits {
            send,
            receive: None,
        })
    }

    const fn window(days: u8, from: u16, to: u16, rule: TrafficRule) -> Window {
        Window {
            days,
            from,
            to,
            rule,
        }
    }

    #[test]
    fn a_window_begins_at_its_minute_and_ends_before_its_last() {
        let office = window(0b001_1111, 8 * 60, 18 * 60, TrafficRule::Pause);
        assert!(!office.holds(at(MONDAY, 7, 59)) && office.holds(at(MONDAY, 8, 0)));
        assert!(office.holds(at(MONDAY, 17, 59)) && !office.holds(at(MONDAY, 18, 0)));
        assert!(!office.holds(at(SUNDAY, 12, 0)));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = window(1 << SUNDAY, 22 * 60, 6 * 60, TrafficRule::Pause);
        assert!(night.holds(at(SUNDAY, 22, 0)) && night.holds(at(MONDAY, 5, 59)));
        assert!(!night.holds(at(MONDAY, 6, 0)) && !night.holds(at(SUNDAY, 5, 0)));
        let whole = window(1 << MONDAY, 600, 600, TrafficRule::Pause);
        assert!(whole.holds(at(MONDAY, 10, 0)) && whole.holds(at(1, 9, 59)));
        assert!(!whole.holds(at(1, 10, 0)) && !whole.holds(at(MONDAY, 9, 59)));
    }

    #[test]
    fn the_first_window_replaces_the_limits_and_a_dear_network_makes_them_stricter() {
        let TrafficRule::Limit(limits) = send(1000) else {
            unreachable!()
        };
        let mut settings = DeviceSettings {
            limits,
            schedule: vec![
                window(1 << MONDAY, 0, 720, send(5000)),
                window(1 << MONDAY, 0, 1000, TrafficRule::Pause),
            ],
            ..DeviceSettings::default()
        };
        let rule = |settings: &DeviceSettings, now| {
            let free = settings.in_force(now, NetworkCost::Free);
            let dear = settings.in_force(now, NetworkCost::ByVolume);
            ((free.rule, free.because), (dear.rule, dear.because))
        };
        let (morning, noon, other) = (at(MONDAY, 1, 0), at(MONDAY, 12, 0), at(SUNDAY, 1, 0));
        let (fast, always) = (
            (send(5000), Because::Schedule),
            (send(1000), Because::Always),
        );
        assert_eq!(rule(&settings, morning), (fast, fast));
        assert_eq!(
            rule(&settings, noon).0,
            (TrafficRule::Pause, Because::Schedule)
        );
        assert_eq!(rule(&settings, other), (always, always));
        settings.metered.rule = Some(send(2000));
        let dear = (send(2000), Because::Metered);
        assert_eq!(rule(&settings, morning), (fast, dear));
        assert_eq!(
            rule(&settings, other).1,
            (send(1000), Because::Metered),
            "the stricter counts"
        );
        settings.metered.network = MeteredNetwork::No;
        assert_eq!(rule(&settings, morning), (fast, fast));
        settings.metered.network = MeteredNetwork::Yes;
        assert_eq!(rule(&settings, morning), (dear, dear));
    }
}
