//! `towline pair` and `towline join`: two devices become peers.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;
use towline_engine::LocalClient;
use towline_engine::view::{CommandView, MeetingView, PairingView, PeerView, Secret, View};

use crate::output::{Failure, Output};
use crate::plain::plain;
use crate::words;

/// What a script gets of a pairing, one document per step.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Code {
        code: &'a str,
        link: &'a str,
        expires_at_ms: u64,
    },
    Paired {
        peer: &'a PeerView,
    },
}

/// Shows a code and waits until it is used, has failed or has expired. Ctrl-C takes it back.
pub(crate) async fn pair(home: &Path, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    client.command(CommandView::StartPairing).await?;
    let mut shown = false;
    let mut view = client.watch().await?;
    loop {
        if let PairingView::Waiting {
            code,
            link,
            expires_at_ms,
            meeting,
            ..
        } = &view.pairing
            && !shown
        {
            shown = true;
            let code = code.reveal();
            let event = Event::Code {
                code,
                link: link.reveal(),
                expires_at_ms: *expires_at_ms,
            };
            output.say(&event, || {
                let minutes = words::seconds_until(*expires_at_ms).div_ceil(60);
                let place = match meeting {
                    MeetingView::Server => "",
                    MeetingView::Nearby => ", which must be on the same network,",
                };
                format!(
                    "Enter this code on the other device{place} within {minutes} minutes:\n\n    {code}\n"
                )
            });
        }
        if finished(&view, output)? {
            return Ok(());
        }
        tokio::select! {
            next = client.next_view() => view = next?,
            _ = tokio::signal::ctrl_c() => {
                LocalClient::connect(home).await?.command(CommandView::CancelPairing).await?;
                return Err(Failure::new("cancelled", "the code was taken back".to_owned()));
            }
        }
    }
}

/// Enters a code.
pub(crate) async fn join(home: &Path, output: &Output) -> Result<(), Failure> {
    let mut client = LocalClient::connect(home).await?;
    let code = ask_for_code()
        .map_err(|error| Failure::new("input", format!("cannot read the code: {error}")))?;
    client
        .command(CommandView::JoinPairing {
            code: Secret::new(code),
        })
        .await?;
    let mut view = client.watch().await?;
    while !finished(&view, output)? {
        view = client.next_view().await?;
    }
    Ok(())
}

/// Whether the pairing has come to its end; says how.
fn finished(view: &View, output: &Output) -> Result<bool, Failure> {
    match &view.pairing {
        PairingView::Idle => Err(Failure::new(
            "cancelled",
            "the pairing was ended on this device".to_owned(),
        )),
        PairingView::Opening
        | PairingView::Waiting { .. }
        | PairingView::Joining
        | PairingView::Proving => Ok(false),
        PairingView::Failed { reason } => Err(Failure::new(
            reason,
            words::pairing_failure(reason).to_owned(),
        )),
        PairingView::Paired { peer } => {
            let Some(peer) = view.peers.iter().find(|known| known.id == *peer) else {
                return Ok(false);
            };
            output.say(&Event::Paired { peer }, || {
                format!(
                    "Paired with {}.\nBoth devices show this; compare it if you want to be sure:\n\n    {}\n",
                    plain(&peer.name),
                    words::compare(peer)
                )
            });
            Ok(true)
        }
    }
}

/// Asks on the terminal, or takes the first line of standard input.
fn ask_for_code() -> std::io::Result<String> {
    if std::io::stdin().is_terminal() {
        eprint!("Code: ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
