//! `towline diagnostics`: how this device stands and its log, for somebody who helps; without names.

use std::path::Path;

use towline_engine::view::{AnswerView, CommandView};
use towline_engine::{LocalClient, diagnostics};

use crate::output::{Failure, Output};

pub(crate) async fn run(home: &Path, output: &Output) -> Result<(), Failure> {
    let view = LocalClient::connect(home).await?.view().await?;
    let mut client = LocalClient::connect(home).await?;
    let AnswerView::Network(network) = client.command(CommandView::Network).await? else {
        return Err(Failure::unexpected());
    };
    let AnswerView::Findings { findings } = client.command(CommandView::Examine).await? else {
        return Err(Failure::unexpected());
    };
    let told = diagnostics(home, &view, &network, &findings);
    // People read the same as scripts, with line breaks.
    output.say(&told, || format!("{told:#}"));
    Ok(())
}
