//! One question after the other through a server that has nothing else to do.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};
use towline_wire::signal::{ClientMessage, Payload, ServerMessage};

use super::client::{Client, Ways};
use super::{Crowd, quantile, tell};

pub(super) async fn run(crowd: Crowd, times: usize) -> Result<()> {
    let mut pairs = Ways::of(&crowd)?.pairs(crowd.count).await?;
    let payload = Payload::from_text(&"x".repeat(PAYLOAD_BYTES - 2));
    let (mut pings, mut ways, mut trips) = (vec![], vec![], vec![]);
    tell(&json!({"event": "begin"}))?;
    // Each pair in its turn, because a client may not ask as often as this takes.
    for (one, other) in &mut pairs {
        for _ in 0..times {
            let since = Instant::now();
            one.say(ClientMessage::Ping { timestamp: None }).await?;
            one.until(|message| matches!(message, ServerMessage::Pong { .. }).then_some(()))
                .await?;
            pings.push(since.elapsed());
            let since = Instant::now();
            one.relay(other.id, &payload).await?;
            relayed(other).await?;
            ways.push(since.elapsed());
            other.relay(one.id, &payload).await?;
            relayed(one).await?;
            trips.push(since.elapsed());
        }
    }
    let mut told = json!({"event": "end"});
    for (name, mut times) in [("ping", pings), ("way", ways), ("trip", trips)] {
        times.sort();
        let of = |thousandths| quantile(&times, thousandths);
        told[name] = Value::from_iter([("p50", of(500)), ("p99", of(990))]);
    }
    tell(&told)
}

async fn relayed(client: &mut Client) -> Result<()> {
    client
        .until(|message| matches!(message, ServerMessage::Relayed { .. }).then_some(()))
        .await
}

/// As long as what is talked.
const PAYLOAD_BYTES: usize = 256;
