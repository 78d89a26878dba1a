//! `towline limits`: how fast content moves, when, and on which networks.
//!
//! A change reads what is set, changes one thing and sets all of it again. Speeds are written as people
//! write sizes (`500KB`, `2MiB`), days as `mon-fri,sun` or `daily`, times as `22:00-06:00`.

use std::num::NonZeroU64;
use std::path::Path;
use std::str::FromStr;

use bytesize::ByteSize;
use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{
    BecauseView, CommandView, DeviceSettingsView, LimitsView, MeteredNetworkView, TrafficRuleView,
    TrafficView, View, WindowView,
};

use super::folder::find_folder;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;
use crate::{LimitsAction, MeteredChoice, RuleArguments, ScheduleAction, SpeedArguments};

/// A speed as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    Unlimited,
    BytesPerSecond(NonZeroU64),
}

/// Days on which a window begins: bit 0 is Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days(u8);

/// From one minute of the day to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    from: u16,
    to: u16,
}

/// What a script gets of `limits`.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    now: &'a TrafficView,
    device: &'a DeviceSettingsView,
    folders: Vec<FolderLimits<'a>>,
}

#[derive(Debug, Serialize)]
struct FolderLimits<'a> {
    folder: &'a str,
    label: &'a str,
    limits: LimitsView,
}

pub(crate) async fn run(
    home: &Path,
    action: Option<LimitsAction>,
    output: &Output,
) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let view = client.view().await?;
    let Some(action) = action else {
        let folders = view.folders.iter().map(|folder| FolderLimits {
            folder: &folder.id,
            label: &folder.label,
            limits: folder.settings.limits,
        });
        let listing = Listing {
            now: &view.device.traffic,
            device: &view.device.settings,
            folders: folders.collect(),
        };
        output.say(&listing, || list(&view));
        return Ok(());
    };
    let command = change(&view, action)?;
    let answer = client.command(command).await?;
    let view = client.view().await?;
    output.say(&answer, || list(&view));
    Ok(())
}

fn change(view: &View, action: LimitsAction) -> Result<CommandView, Failure> {
    let mut settings = view.device.settings.clone();
    match action {
        LimitsAction::Set {
            folder: Some(folder),
            speeds,
        } => {
            let folder = find_folder(view, &folder)?;
            let mut settings = folder.settings.clone();
            set(&mut settings.limits, speeds)?;
            return Ok(CommandView::ConfigureFolder {
                folder: folder.id.clone(),
                settings: Box::new(settings),
            });
        }
        LimitsAction::Set {
            folder: None,
            speeds,
        } => set(&mut settings.limits, speeds)?,
        LimitsAction::Schedule { action } => reschedule(&mut settings.schedule, action)?,
        LimitsAction::Metered {
            network,
            no_rule,
            rule,
        } => {
            if let Some(network) = network {
                settings.metered_network = match network {
                    MeteredChoice::System => MeteredNetworkView::System,
                    MeteredChoice::Yes => MeteredNetworkView::Yes,
                    MeteredChoice::No => MeteredNetworkView::No,
                };
            }
            if no_rule {
                settings.metered_rule = None;
            } else if rule.is_given() {
                settings.metered_rule = Some(rule_of(rule)?);
            } else if network.is_none() {
                return Err(nothing_given());
            }
        }
    }
    Ok(CommandView::ConfigureDevice { settings })
}

fn set(limits: &mut LimitsView, speeds: SpeedArguments) -> Result<(), Failure> {
    if speeds.send.is_none() && speeds.receive.is_none() {
        return Err(nothing_given());
    }
    if let Some(speed) = speeds.send {
        limits.send = speed.limit();
    }
    if let Some(speed) = speeds.receive {
        limits.receive = speed.limit();
    }
    Ok(())
}

fn reschedule(schedule: &mut Vec<WindowView>, action: ScheduleAction) -> Result<(), Failure> {
    match action {
        ScheduleAction::Add { days, times, rule } => schedule.push(WindowView {
            days: days.0,
            from: times.from,
            to: times.to,
            rule: rule_of(rule)?,
        }),
        ScheduleAction::Remove { number } => {
            let at = number.checked_sub(1).filter(|at| *at < schedule.len());
            let at = at.ok_or_else(|| {
                let message = "there is no such window; `towline limits` numbers them".to_owned();
                Failure::new("window", message)
            })?;
            schedule.remove(at);
        }
        ScheduleAction::Clear => schedule.clear(),
    }
    Ok(())
}

fn rule_of(rule: RuleArguments) -> Result<TrafficRuleView, Failure> {
    if rule.pause {
        return Ok(TrafficRuleView::Pause);
    }
    let mut limits = LimitsView {
        send: None,
        receive: None,
    };
    set(&mut limits, rule.speeds)?;
    Ok(TrafficRuleView::Limit(limits))
}

fn nothing_given() -> Failure {
    let message = "say what to set: --send, --receive or, for a rule, --pause".to_owned();
    Failure::new("nothing_given", message)
}

fn list(view: &View) -> String {
    let settings = &view.device.settings;
    let traffic = &view.device.traffic;
    let because = match traffic.because {
        BecauseView::Always => "",
        BecauseView::Schedule => ", by the schedule",
        BecauseView::Metered => ", because this network costs by volume",
    };
    let mut lines = vec![
        format!("Now: {}{because}", rule(&traffic.rule)),
        format!("Always: {}", limits(&settings.limits)),
    ];
    for (at, window) in settings.schedule.iter().enumerate() {
        lines.push(format!(
            "Schedule {}: {} {}-{}: {}",
            at + 1,
            Days(window.days),
            clock(window.from),
            clock(window.to),
            rule(&window.rule)
        ));
    }
    let network = match settings.metered_network {
        MeteredNetworkView::System => "if the system says so",
        MeteredNetworkView::Yes => "this one counts as one",
        MeteredNetworkView::No => "this one does not count as one",
    };
    let metered = settings.metered_rule.as_ref();
    let metered = metered.map_or("nothing of its own".to_owned(), rule);
    lines.push(format!(
        "On a network that costs by volume ({network}): {metered}"
    ));
    for folder in &view.folders {
        lines.push(format!(
            "{}: {}",
            plain(&folder.label),
            limits(&folder.settings.limits)
        ));
    }
    lines.join("\n")
}

fn rule(rule: &TrafficRuleView) -> String {
    match rule {
        TrafficRuleView::Pause => "no content moves".to_owned(),
        TrafficRuleView::Limit(speeds) => limits(speeds),
    }
}

fn limits(limits: &LimitsView) -> String {
    let speed = |limit: Option<NonZeroU64>| {
        limit.map_or("without limit".to_owned(), |limit| {
            format!("{} a second", words::bytes(limit.get()))
        })
    };
    if limits.send.is_none() && limits.receive.is_none() {
        return "without limit".to_owned();
    }
    format!(
        "send {}, receive {}",
        speed(limits.send),
        speed(limits.receive)
    )
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl Speed {
    fn limit(self) -> Option<NonZeroU64> {
        match self {
            Self::Unlimited => None,
            Self::BytesPerSecond(rate) => Some(rate),
        }
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Unlimited);
        }
        let size = ByteSize::from_str(text).ok();
        let rate = size.and_then(|size| NonZeroU64::new(size.as_u64()));
        rate.map(Self::BytesPerSecond)
            .ok_or_else(|| "a speed is `none`, or bytes a second like 500KB or 2MiB".to_owned())
    }
}

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "days are `daily`, or like mon-fri,sun".to_owned();
        if text == "daily" {
            return Ok(Self(0x7f));
        }
        let day = |name: &str| DAYS.iter().position(|day| *day == name).ok_or_else(wrong);
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            let length = (last + DAYS.len() - first) % DAYS.len();
            for step in 0..=length {
                days |= 1_u8 << ((first + step) % DAYS.len());
            }
        }
        Ok(Self(days))
    }
}

impl std::fmt::Display for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 & 0x7f == 0x7f {
            return f.write_str("daily");
        }
        let begins = |at: &usize| self.0 >> at & 1 == 1;
        let names: Vec<_> = (0..DAYS.len())
            .filter(begins)
            .filter_map(|at| DAYS.get(at).copied())
            .collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        text.split_once('-')
            .and_then(|(from, to)| {
                Some(Self {
                    from: minute(from)?,
                    to: minute(to)?,
                })
            })
            .ok_or_else(|| "times are like 08:00-17:30, or 22:00-06:00 over midnight".to_owned())
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_days_and_times_are_read_as_people_write_them() {
        let rate = |rate| Ok(Speed::BytesPerSecond(NonZeroU64::new(rate).unwrap()));
        assert_eq!("500KB".parse(), rate(500_000));
        assert_eq!("2MiB".parse(), rate(2 << 20));
        assert_eq!("none".parse(), Ok(Speed::Unlimited));
        assert!("0".parse::<Speed>().is_err() && "fast".parse::<Speed>().is_err());
        assert_eq!("daily".parse(), Ok(Days(0x7f)));
        assert_eq!("mon-fri".parse(), Ok(Days(0b001_1111)));
        assert_eq!("sat-mon,wed".parse(), Ok(Days(0b110_0101)));
        assert!("monday".parse::<Days>().is_err() && "".parse::<Days>().is_err());
        assert_eq!(Days(0b110_0101).to_string(), "mon,wed,sat,sun");
        let night = Times {
            from: 1320,
            to: 360,
        };
        assert_eq!("22:00-06:00".parse(), Ok(night));
        assert!("24:00-06:00".parse::<Times>().is_err() && "8-9".parse::<Times>().is_err());
    }
}
