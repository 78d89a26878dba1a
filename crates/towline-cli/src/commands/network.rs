//! `towline network`: how this device is connected, and why not better.

use std::fmt::Write;
use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{
    AnswerView, CandidateView, CommandView, CountView, LinkCountsView, LinkReportView, NetworkView,
};

use super::peers::short;
use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

pub(crate) async fn run(home: &Path, output: &Output) -> Result<(), Failure> {
    let answer = LocalClient::connect(home)
        .await?
        .command(CommandView::Network)
        .await?;
    let AnswerView::Network(network) = answer else {
        return Err(Failure::unexpected());
    };
    output.say(&network, || told(&network));
    Ok(())
}

fn told(network: &NetworkView) -> String {
    let mut text = format!(
        "This device listens on {}.\n{}\n",
        all_of(&network.local),
        words::outside(network.outside, &network.reflexive)
    );
    for turn in &network.turn {
        let _infallible = writeln!(text, "{}", words::turn_server(turn));
    }
    for link in &network.links {
        // Writing into a string cannot fail.
        let _infallible = write!(text, "\n{}", told_of(link));
    }
    if network.links.is_empty() {
        text.push_str("\nNo peers yet.");
    }
    text
}

fn told_of(report: &LinkReportView) -> String {
    let mut lines = vec![
        format!("{}  ({})", plain(&report.name), short(&report.peer)),
        format!("    {}", words::link(&report.link)),
    ];
    if let Some(obstacle) = &report.obstacle {
        lines.push(format!("    {}", words::obstacle(obstacle)));
    }
    lines.extend(counts(&report.counts));
    for candidate in &report.candidates {
        lines.push(format!("    {}", told_of_candidate(candidate)));
    }
    if !report.history.is_empty() {
        lines.push("    lately:".to_owned());
    }
    let first = report.history.len().saturating_sub(HISTORY_SHOWN);
    for change in report.history.iter().skip(first) {
        let moment = words::moment(change.at_ms);
        lines.push(format!("      {moment}  {}", words::sight(&change.to)));
    }
    lines.join("\n") + "\n"
}

fn counts(counts: &LinkCountsView) -> Vec<String> {
    if counts.attempts == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "    {} of {} tries connected ({} %){}{}",
        counts.established,
        counts.attempts,
        100 * counts.established / counts.attempts,
        failures(&counts.failed),
        counts
            .connect_ms
            .map_or_else(String::new, |ms| format!("; the last one took {ms:.0} ms")),
    )];
    let taken: Vec<String> = counts.taken.iter().map(path_count).collect();
    lines.push(format!(
        "    paths taken: {}; addresses told {}, heard {}; probes sent {}, answered {}",
        taken.join(", "),
        counts.candidates_sent,
        counts.candidates_received,
        counts.probes_sent,
        counts.probes_answered
    ));
    lines
}

fn path_count(count: &CountView) -> String {
    format!("{} {}", words::path_kind(&count.of), count.count)
}

fn failures(counts: &[CountView]) -> String {
    let all = counts.iter();
    all.map(|one| format!(", {} times: {}", one.count, words::fault(&one.of)))
        .collect()
}

fn told_of_candidate(candidate: &CandidateView) -> String {
    let state = match (candidate.state.as_str(), candidate.rtt_ms) {
        ("answers", Some(ms)) => format!("answers in {ms:.1} ms"),
        ("silent", _) => "does not answer".to_owned(),
        ("untried", _) => "not tried yet".to_owned(),
        (other, _) => other.to_owned(),
    };
    let kind = words::path_kind(&candidate.path);
    format!("{}  ({kind}) {state}", candidate.address)
}

fn all_of(addresses: &[String]) -> String {
    if addresses.is_empty() {
        "no address".to_owned()
    } else {
        addresses.join(", ")
    }
}

/// Changes that are shown: 8; a script gets all that are kept.
const HISTORY_SHOWN: usize = 8;
