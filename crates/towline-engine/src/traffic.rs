//! Keeps the rule that holds for all content in force: what is set, the time of the local week, and
//! whether the network costs by volume decide, and the core says how.
//!
//! Looks again when what is set changes, when the network changes, and at the begin of each minute while
//! there is a schedule. What holds now is for whoever shows it.

mod metered;

use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use tokio::sync::watch;
use tokio::time::sleep;
use towline_core::records::{
    Because, DeviceSettings, InForce, Limits, MeteredNetwork, NetworkCost, TrafficRule, WeekTime,
};
use tracing::info;

use crate::tasks::Tasks;
use crate::transfer::{self, Rate, Throttle};

/// What is set for the device, and what holds because of it.
#[derive(Debug)]
pub(crate) struct Traffic {
    settings: watch::Sender<DeviceSettings>,
    in_force: watch::Receiver<InForce>,
}

impl Traffic {
    /// Keeps `throttle` in step from now on.
    pub(crate) fn start(throttle: Arc<Throttle>, tasks: &Tasks) -> Self {
        let (settings, set) = watch::channel(DeviceSettings::default());
        let (force, in_force) = watch::channel(InForce {
            rule: TrafficRule::Limit(Limits::default()),
            because: Because::Always,
        });
        let (cost, costs) = watch::channel(NetworkCost::default());
        tasks.spawn("metered network", metered::watch(set.clone(), cost));
        tasks.spawn("traffic", keep(set, costs, throttle, force));
        Self { settings, in_force }
    }

    /// Takes what is set for the device now.
    pub(crate) fn configure(&self, settings: &DeviceSettings) {
        self.settings.send_if_modified(|last| {
            let differs = last != settings;
            if differs {
                last.clone_from(settings);
            }
            differs
        });
    }

    /// What holds now.
    pub(crate) fn in_force(&self) -> InForce {
        *self.in_force.borrow()
    }
}

async fn keep(
    mut settings: watch::Receiver<DeviceSettings>,
    mut costs: watch::Receiver<NetworkCost>,
    throttle: Arc<Throttle>,
    force: watch::Sender<InForce>,
) {
    loop {
        let now = Zoned::now();
        let (set, cost) = (
            settings.borrow_and_update().clone(),
            *costs.borrow_and_update(),
        );
        let next = set.in_force(week_time(&now), cost);
        force.send_if_modified(|last| {
            let differs = *last != next;
            if differs {
                info!(because = ?next.because, "another rule holds for traffic");
                *last = next;
            }
            differs
        });
        throttle.set_global(match next.rule {
            TrafficRule::Pause => transfer::Limits {
                sending: Rate::Nothing,
                receiving: Rate::Nothing,
            },
            TrafficRule::Limit(limits) => limits.into(),
        });
        tokio::select! {
            changed = settings.changed() => if changed.is_err() { return },
            changed = costs.changed() => if changed.is_err() { return },
            () = sleep(to_next_minute(&now)), if !set.schedule.is_empty() => {}
        }
    }
}

impl From<Limits> for transfer::Limits {
    fn from(Limits { send, receive }: Limits) -> Self {
        let rate = |limit: Option<_>| limit.map_or(Rate::Unlimited, Rate::BytesPerSecond);
        Self {
            sending: rate(send),
            receiving: rate(receive),
        }
    }
}

fn week_time(now: &Zoned) -> WeekTime {
    // Weekdays are 0 to 6, hours and minutes are not negative.
    WeekTime {
        day: u8::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0),
        minute: u16::try_from(i16::from(now.hour()) * 60 + i16::from(now.minute())).unwrap_or(0),
    }
}

fn to_next_minute(now: &Zoned) -> Duration {
    let second = u64::try_from(now.second()).unwrap_or(0);
    // A little later, so that the minute has begun for certain.
    Duration::from_secs(60_u64.saturating_sub(second)) + Duration::from_millis(50)
}

/// Whether anybody wants to know what the system says of the network.
fn asks_system(settings: &DeviceSettings) -> bool {
    settings.metered.rule.is_some() && settings.metered.network == MeteredNetwork::AsSystemSays
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_week_begins_on_monday_and_is_local() {
        let monday = date(2026, 11, 30).at(7, 59, 30, 0);
        let there = monday.in_tz("Asia/Tokyo").unwrap();
        let time = WeekTime {
            day: 0,
            minute: 479,
        };
        assert_eq!(week_time(&there), time);
        let here = there.in_tz("America/New_York").unwrap();
        assert_eq!(week_time(&here).day, 6);
        assert!(to_next_minute(&there) <= Duration::from_millis(30_050));
    }
}
