//! Packets for channels that are not one's own.

use std::net::SocketAddr;

use serde_json::json;

use super::super::client::Client;
use super::super::process::Process;
use super::floods::flood;
use super::raw::{BINARY, FIN, PING, PONG, Raw, TEXT, frame};
use super::witness::harm;

/// Both ends of a channel of two devices, its number, and the sessions that keep it.
struct Channel {
    ends: [Raw; 2],
    number: u32,
    tokens: [String; 2],
    _sessions: [Client; 2],
}

impl Channel {
    async fn open(address: SocketAddr, numbers: [u8; 2]) -> Self {
        let (mut one, one_id) = Client::device(address, numbers[0]).await;
        let (mut other, other_id) = Client::device(address, numbers[1]).await;
        one.say(json!({"type": "watch", "peers": [other_id]})).await;
        other.say(json!({"type": "watch", "peers": [one_id]})).await;
        for client in [&mut one, &mut other] {
            assert_eq!(client.hear().await["type"], "peer_connected");
        }
        let ours = one.ask(json!({"type": "relay_open", "to": other_id})).await;
        let theirs = other.hear().await;
        let number = ours["channel"].as_u64().expect("a number");
        let number = u32::try_from(number).expect("it is small");
        let mut ends = Vec::new();
        let tokens =
            [ours, theirs].map(|ready| ready["token"].as_str().expect("a token").to_owned());
        for token in &tokens {
            let mut raw = Raw::connect(address).await;
            assert!(
                enter(&mut raw, number, token)
                    .await
                    .starts_with("HTTP/1.1 101")
            );
            raw.say(FIN | BINARY, &packet(PING_KIND, number, b"seated?"))
                .await;
            assert!(raw.hear().await.is_some());
            ends.push(raw);
        }
        let ends = ends.try_into().unwrap_or_else(|_| panic!("two"));
        Self {
            ends,
            number,
            tokens,
            _sessions: [one, other],
        }
    }

    /// Whether what one end says is the next that the other one hears.
    async fn passes(&mut self) {
        let sent = packet(DATA_KIND, self.number, b"sealed");
        for from in [0, 1] {
            self.ends[from].say(FIN | BINARY, &sent).await;
            let heard = self.ends[1 - from].hear().await;
            assert_eq!(heard, Some((FIN | BINARY, sent.clone())));
        }
    }
}

async fn enter(raw: &mut Raw, number: u32, token: &str) -> String {
    let path = format!("/relay/{number}");
    raw.upgrade(&path, &format!("Authorization: Bearer {token}\r\n"))
        .await
}

fn packet(kind: u8, channel: u32, datagram: &[u8]) -> Vec<u8> {
    [&[kind, 0], &channel.to_be_bytes()[..], datagram].concat()
}

/// First bytes of packets: version 1 and the kind.
const DATA_KIND: u8 = 0x10;
const PING_KIND: u8 = 0x11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_packets_go_to_their_own_channel_and_nowhere_else() {
    let server = Process::start(&[]);
    harm(&server, 32 << 20, async {
        let mut channel = Channel::open(server.address, [1, 2]).await;
        let mut eves = Channel::open(server.address, [3, 4]).await;
        channel.passes().await;
        let number = channel.number;
        let [eve, _] = &mut eves.ends;
        for rubbish in [
            packet(DATA_KIND, number, b"forged"),
            packet(PING_KIND, number, b"are you there?"),
            packet(0x12, number, b"I am"),
            packet(0x1f, eves.number, b"no such kind"),
            packet(0x20, eves.number, b"no such version"),
            packet(DATA_KIND, eves.number ^ 1, b"a neighbour's"),
            packet(DATA_KIND, 0, b""),
            packet(DATA_KIND, eves.number, b"")[..5].to_vec(),
            Vec::new(),
        ] {
            for _ in 0..100 {
                eve.say(FIN | BINARY, &rubbish).await;
            }
        }
        // Nothing of it arrives: what each hears next is what its own other end says.
        eves.passes().await;
        channel.passes().await;

        for token in [
            &channel.tokens[0],
            &eves.tokens[0],
            "00112233445566778899aabbccddeeff",
        ] {
            let mut raw = Raw::connect(server.address).await;
            assert!(
                enter(&mut raw, number, token)
                    .await
                    .starts_with("HTTP/1.1 101")
            );
            assert_eq!(
                raw.hear_end().await,
                Some(4012),
                "a used, a foreign, an invented token"
            );
        }
        for token in ["", "x", "AAAA", &"A".repeat(5000)] {
            let mut raw = Raw::connect(server.address).await;
            let head = enter(&mut raw, number, token).await;
            assert!(head.starts_with("HTTP/1.1 401"), "{head}");
        }
        // A packet above the limit ends the own channel, both ends of it, and no other.
        let [eve, other] = &mut eves.ends;
        let _ = eve.write(&frame(FIN | BINARY, &[0x10; 7000])).await;
        assert_eq!(eve.hear_end().await, Some(4013));
        assert_eq!(other.hear_end().await, Some(4011));
        channel.passes().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_floods_of_what_is_no_packet_end_a_channel() {
    let server = Process::start(&[]);
    harm(&server, 32 << 20, async {
        for kind in [PING, PONG, TEXT] {
            let Channel {
                ends, _sessions, ..
            } = Channel::open(server.address, [5, 6]).await;
            let [eve, mut other] = ends;
            let answered = flood(eve, &frame(FIN | kind, b"").repeat(1000)).await;
            assert_eq!(answered.close, Some(4029), "{kind}");
            assert_eq!(other.hear_end().await, Some(4011), "{kind}");
        }
    })
    .await;
}
