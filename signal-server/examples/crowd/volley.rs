//! Pairs that answer each other at once: each has so many messages on their way, and every message brings the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use towline_wire::signal::SignalId;

use super::client::{Client, Ways};
use super::talk::{WARM, words};
use super::{Crowd, count};

pub(super) async fn run(crowd: Crowd, together: u32, long: Duration) -> Result<()> {
    let pairs = Ways::of(&crowd)?.pairs(crowd.count).await?;
    let heard = Arc::new(AtomicU64::new(0));
    let mut all = JoinSet::new();
    for (one, other) in pairs {
        let (first, second) = (one.id, other.id);
        all.spawn(answer(one, second, together, heard.clone()));
        all.spawn(answer(other, first, 0, heard.clone()));
    }
    count(all, &heard, WARM, long).await
}

/// Says so much, and then something for everything that it hears.
async fn answer(
    client: Client,
    peer: SignalId,
    begin_with: u32,
    heard: Arc<AtomicU64>,
) -> Result<()> {
    let message = Message::Text(Utf8Bytes::from(words(peer)));
    let mut socket = client.socket;
    for _ in 0..begin_with {
        socket.feed(message.clone()).await?;
    }
    socket.flush().await?;
    loop {
        let mut next = Some(socket.next().await);
        // What has come meanwhile is answered together.
        while let Some(frame) = next {
            match frame.context("it hung up")?? {
                Message::Text(text) if text.contains("\"relayed\"") => {
                    heard.fetch_add(1, Ordering::Relaxed);
                    socket.feed(message.clone()).await?;
                }
                Message::Text(text) => bail!("it says {text}"),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    bail!("it says {other:?}")
                }
            }
            next = socket.next().now_or_never();
        }
        socket.flush().await?;
    }
}
