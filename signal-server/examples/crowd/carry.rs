//! Packets that go round in channels: who gets one sends it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use towline_wire::packet::{ChannelId, Ecn, Packet, PacketKind};
use towline_wire::signal::{ClientMessage, RelayToken, ServerMessage};

use super::client::{Client, Socket, Ways};
use super::{Crowd, count};

pub(super) async fn run(crowd: Crowd, packets: usize, long: Duration) -> Result<()> {
    let ways = Ways::of(&crowd)?;
    let heard = Arc::new(AtomicU64::new(0));
    let mut all = JoinSet::new();
    for (mut one, mut other) in ways.pairs(crowd.count).await? {
        one.say(ClientMessage::RelayOpen { to: other.id }).await?;
        let (channel, url, token) = ready(&mut one).await?;
        let mut sender = ways.channel(one.number, &url, &token).await?;
        let (_, url, token) = ready(&mut other).await?;
        let receiver = ways.channel(other.number, &url, &token).await?;
        let datagram = [0; DATAGRAM_BYTES];
        let packet = Packet {
            kind: PacketKind::Data,
            ecn: Ecn::Capable0,
            channel,
            datagram: &datagram,
        };
        let bytes = [packet.header().as_slice(), &datagram].concat();
        for _ in 0..packets {
            sender.feed(Message::binary(bytes.clone())).await?;
        }
        sender.flush().await?;
        all.spawn(send_back(sender, heard.clone()));
        all.spawn(send_back(receiver, heard.clone()));
        // The channel ends with them.
        for mut client in [one, other] {
            all.spawn(async move {
                while let Some(Ok(_)) = client.socket.next().await {}
                bail!("the server has hung up")
            });
        }
    }
    count(all, &heard, WARM, long).await
}

async fn ready(client: &mut Client) -> Result<(ChannelId, String, RelayToken)> {
    client
        .until(|message| {
            let ServerMessage::RelayReady {
                channel,
                url,
                token,
                ..
            } = message
            else {
                return None;
            };
            Some((*channel, url.clone(), token.clone()))
        })
        .await
}

async fn send_back(mut socket: Socket, heard: Arc<AtomicU64>) -> Result<()> {
    loop {
        let mut next = socket.next().await;
        // All that is there, then one write.
        loop {
            match next.context("it hung up")?? {
                packet @ Message::Binary(_) => {
                    heard.fetch_add(1, Ordering::Relaxed);
                    socket.feed(packet).await?;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Text(_) | Message::Close(_) | Message::Frame(_)) => {
                    bail!("it says {other:?}")
                }
            }
            match socket.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        socket.flush().await?;
    }
}

/// Until the first packets have come: a second.
const WARM: Duration = Duration::from_secs(1);

/// What a packet of QUIC has on most paths: 1,200 bytes.
const DATAGRAM_BYTES: usize = 1200;
