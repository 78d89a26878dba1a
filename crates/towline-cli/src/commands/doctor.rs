//! `towline doctor`: what could keep this device from working well, and what to do about it.

use std::path::Path;

use towline_engine::LocalClient;
use towline_engine::view::{AnswerView, CommandView, FindingView, VerdictView};

use crate::output::{Failure, Output};
use crate::words;

pub(crate) async fn run(home: &Path, output: &Output) -> Result<(), Failure> {
    let answer = LocalClient::connect(home)
        .await?
        .command(CommandView::Examine)
        .await?;
    let AnswerView::Findings { findings } = answer else {
        return Err(Failure::unexpected());
    };
    output.say(&findings, || told(&findings));
    Ok(())
}

fn told(findings: &[FindingView]) -> String {
    let lines = findings.iter().map(|one| {
        let mark = match one.verdict {
            VerdictView::Fine => "ok  ",
            VerdictView::Fair => "note",
            VerdictView::Bad => "BAD ",
        };
        let (what, todo) = words::finding(&one.finding);
        match (one.verdict, todo) {
            (VerdictView::Fair | VerdictView::Bad, Some(todo)) => {
                format!("{mark}  {what}\n      {todo}")
            }
            (VerdictView::Fine | VerdictView::Fair | VerdictView::Bad, _) => {
                format!("{mark}  {what}")
            }
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
