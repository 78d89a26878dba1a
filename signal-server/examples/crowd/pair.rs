//! Codes that are made at one server and claimed at another, at a steady rate.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use towline_wire::signal::{ClientMessage, PairingFailure, ServerMessage};

use super::client::{Client, Ways};
use super::{Crowd, quantile, tell};

pub(super) async fn run(crowd: Crowd, per_second: u32, seconds: u32) -> Result<()> {
    let pairs = Ways::of(&crowd)?.pairs(crowd.count).await?;
    let apart = Duration::from_secs(1) / per_second;
    let begin = Instant::now() + apart * crowd.count;
    let mut all = JoinSet::new();
    for (number, (one, other)) in (0..).zip(pairs) {
        let turns = (number..per_second * seconds).step_by(crowd.count as usize);
        let turns = turns.map(move |turn| begin + apart * turn).collect();
        all.spawn(claim(one, other, turns));
    }
    tell(&json!({"event": "begin"}))?;
    let mut took = Vec::new();
    while let Some(claims) = all.join_next().await {
        took.extend(claims??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    took.sort();
    tell(&json!({
        "event": "end",
        "count": took.len(),
        "seconds": seconds,
        "p50": quantile(&took, 500),
        "p99": quantile(&took, 990),
        "longest": quantile(&took, 1000),
    }))
}

/// Makes a code and claims it when it is time; from asking for it to being told who the other one is.
async fn claim(
    mut creator: Client,
    mut joiner: Client,
    turns: Vec<Instant>,
) -> Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(turns.len());
    for turn in turns {
        // Who makes a code ends the pairing before it; by then both must have said that they are done, or the claim
        // counts as a guess, of which a device has five.
        sleep_until((turn - AHEAD).into()).await;
        creator.say(ClientMessage::CreatePairingCode).await?;
        let code = creator
            .until(|message| {
                let ServerMessage::PairingCode { code, .. } = message else {
                    return None;
                };
                Some(code.clone())
            })
            .await?;
        sleep_until(turn.into()).await;
        let since = Instant::now();
        joiner.say(ClientMessage::UsePairingCode { code }).await?;
        paired(&mut joiner).await?;
        took.push(since.elapsed());
        paired(&mut creator).await?;
        // Both, so that the claim costs nothing.
        for client in [&mut creator, &mut joiner] {
            client.say(ClientMessage::PairingDone).await?;
        }
    }
    Ok(took)
}

async fn paired(client: &mut Client) -> Result<()> {
    let told = client.until(|message| {
        if let ServerMessage::Paired { .. } = message {
            return Some(Ok(()));
        }
        // Other reasons are the end of the mailbox before.
        let invalid = PairingFailure::CodeInvalid;
        let failed =
            matches!(message, ServerMessage::PairingFailed { reason } if *reason == invalid);
        failed.then(|| Err(anyhow!("a claim has failed")))
    });
    told.await?
}

/// How long before it is claimed a code is made: half a second.
const AHEAD: Duration = Duration::from_millis(500);
