//! Devices that are there, and answer when they are asked for a sign of life.

use std::time::Instant;

use anyhow::{Result, bail};
use futures_util::StreamExt;
use serde_json::json;
use tokio::task::JoinSet;

use super::client::Ways;
use super::{Crowd, tell};

pub(super) async fn run(crowd: Crowd) -> Result<()> {
    let since = Instant::now();
    let mut all = JoinSet::new();
    let ways = Ways::of(&crowd)?;
    let reading = ways.devices(crowd.count, |mut device| {
        all.spawn(async move { while let Some(Ok(_)) = device.socket.next().await {} });
    });
    reading.await?;
    tell(&json!({"event": "here", "seconds": since.elapsed().as_secs_f64()}))?;
    // Nobody leaves while the server is there.
    all.join_next().await;
    bail!("the server has ended a connection")
}
