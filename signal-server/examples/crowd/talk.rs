//! Pairs that say something to each other, all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use towline_wire::signal::{ClientMessage, Payload, Request, SignalId};

use super::client::{Client, Ways};
use super::{Crowd, count};

pub(super) async fn run(
    crowd: Crowd,
    together: u32,
    every: Duration,
    long: Duration,
) -> Result<()> {
    let pairs = Ways::of(&crowd)?.pairs(crowd.count).await?;
    let heard = Arc::new(AtomicU64::new(0));
    let mut all = JoinSet::new();
    for (number, (one, other)) in (0..).zip(pairs) {
        // Spread over the time between, or all would speak at once.
        let begin = every.mul_f64(f64::from(number) / f64::from(crowd.count));
        let (first, second) = (one.id, other.id);
        all.spawn(speak(one, second, together, every, begin, heard.clone()));
        all.spawn(speak(other, first, together, every, begin, heard.clone()));
    }
    count(all, &heard, WARM, long).await
}

async fn speak(
    client: Client,
    peer: SignalId,
    together: u32,
    every: Duration,
    begin: Duration,
    heard: Arc<AtomicU64>,
) -> Result<()> {
    let message = Message::Text(Utf8Bytes::from(words(peer)));
    let mut socket = client.socket;
    let mut ticks = interval_at((Instant::now() + begin).into(), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                for _ in 0..together {
                    socket.feed(message.clone()).await?;
                }
                socket.flush().await?;
            }
            frame = socket.next() => match frame.context("it hung up")?? {
                // Reading all of it would cost more here than at the server.
                Message::Text(text) if text.contains("\"relayed\"") => {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
                Message::Text(text) => bail!("it says {text}"),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    bail!("it says {other:?}")
                }
            },
        }
    }
}

/// What is said to a peer.
pub(super) fn words(peer: SignalId) -> String {
    let payload = Payload::from_text(&"x".repeat(PAYLOAD_BYTES - 2));
    Request::new(ClientMessage::relay(peer, payload)).to_json()
}

/// Until all speak: 3 s.
pub(super) const WARM: Duration = Duration::from_secs(3);

/// What is passed on: 256 bytes of JSON, quotes included.
const PAYLOAD_BYTES: usize = 256;
