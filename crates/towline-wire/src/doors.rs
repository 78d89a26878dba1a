//! Every decoder of this crate behind one name each, for fuzzing; not part of the product.
//!
//! A door takes any bytes and must not panic, hang, or allocate beyond what its limits allow. What it
//! lets in must come out again and in once more as the same. `cargo xtask fuzz` throws bytes at each
//! for minutes; the test here throws the seeds and simple changes of them, on every run.

#[path = "../../fuzz/src/door.rs"]
mod door;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::candidates::CandidateNotice;
use crate::card::Card;
use crate::code::PairingCode;
use crate::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, Chunk, ChunkListCheck, Header, ListEnd,
    REQUEST_FRAME_BYTES_MAX, Request,
};
use crate::entry::SymlinkTarget;
use crate::frame;
use crate::ids::{ContentHash, FolderId};
use crate::limits::CONTROL_FRAME_BYTES_MAX;
use crate::link_uri::LinkUri;
use crate::packet::{PACKET_BYTES_MAX, Packet};
use crate::pairing::{PairingMessage, SealedMessage, SignedCard};
use crate::peer::Control;
use crate::rel_path::RelPath;
use crate::server_url::ServerUrl;
use crate::signal;

pub use door::Door;

/// All doors of this crate.
pub const DOORS: &[Door] = &[
    Door {
        name: "control_frame",
        seeds: control_seeds,
        enter: |bytes| round_trip::<Control>(bytes, CONTROL_FRAME_BYTES_MAX),
    },
    Door {
        name: "data_frame",
        seeds: data_seeds,
        enter: data_frame,
    },
    Door {
        name: "relay_packet",
        seeds: packet_seeds,
        enter: relay_packet,
    },
    Door {
        name: "signal_request",
        seeds: || lines(REQUESTS),
        enter: signal_request,
    },
    Door {
        name: "signal_notice",
        seeds: || lines(NOTICES),
        enter: signal_notice,
    },
    Door {
        name: "pairing_message",
        seeds: pairing_seeds,
        enter: pairing_message,
    },
    Door {
        name: "card",
        seeds: card_seeds,
        enter: card,
    },
    Door {
        name: "text",
        seeds: text_seeds,
        enter: text,
    },
];

fn round_trip<T>(bytes: &[u8], max: usize)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    if bytes.len() > max {
        return;
    }
    if let Ok(value) = frame::decode::<T>(bytes) {
        let again =
            frame::encode(&value, max).expect("what came in within a limit goes out within it");
        let payload = again.get(frame::PREFIX_BYTES..).unwrap_or_default();
        assert_eq!(frame::decode::<T>(payload).as_ref(), Ok(&value));
    }
}

fn data_frame(bytes: &[u8]) {
    if let Some(prefix) = bytes.first_chunk::<4>()
        && let Ok(length) = frame::length(*prefix, ANSWER_FRAME_BYTES_MAX)
    {
        assert!(length <= ANSWER_FRAME_BYTES_MAX);
    }
    round_trip::<Header>(bytes, REQUEST_FRAME_BYTES_MAX);
    round_trip::<Request>(bytes, REQUEST_FRAME_BYTES_MAX);
    round_trip::<Answer>(bytes, ANSWER_FRAME_BYTES_MAX);
    if let Ok(Answer::Chunks { chunks, end }) = frame::decode(bytes) {
        let whole: u64 = chunks
            .iter()
            .map(|chunk: &Chunk| u64::from(chunk.len))
            .sum();
        for len in [0, 1, whole, whole + 1, u64::MAX] {
            let mut check = ChunkListCheck::new(len);
            let first = check.page(&chunks, end);
            if first.is_ok() && end == ListEnd::End {
                assert_eq!(whole, len, "a list that ends covers its file");
            }
        }
    }
}

fn relay_packet(bytes: &[u8]) {
    if let Ok(packet) = Packet::decode(bytes) {
        let mut buffer = [0; PACKET_BYTES_MAX];
        let length = packet.encode(&mut buffer).expect("it came in");
        let again = buffer.get(..length).unwrap_or_default();
        assert_eq!(Packet::decode(again), Ok(packet));
    }
}

fn signal_request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(request) = signal::Request::from_json(text) {
        assert_eq!(signal::Request::from_json(&request.to_json()), Ok(request));
    }
}

fn signal_notice(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(notice) = signal::Notice::from_json(text) {
        assert_eq!(signal::Notice::from_json(&notice.to_json()), Ok(notice));
    }
}

fn pairing_message(bytes: &[u8]) {
    if let Ok(message) = PairingMessage::decode(bytes) {
        assert_eq!(PairingMessage::decode(&message.encode()), Ok(message));
    }
    if let Ok(message) = SealedMessage::decode(bytes) {
        assert_eq!(SealedMessage::decode(&message.encode()), Ok(message));
    }
}

fn card(bytes: &[u8]) {
    if let Ok(card) = Card::decode(bytes) {
        assert_eq!(Card::decode(&card.encode()), Ok(card));
    }
    if let Ok(notice) = CandidateNotice::decode(bytes) {
        assert_eq!(CandidateNotice::decode(&notice.encode()), Ok(notice));
    }
}

fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(link) = text.parse::<LinkUri>() {
        assert_eq!(link.reveal().parse(), Ok(link));
    }
    if let Ok(url) = text.parse::<ServerUrl>() {
        assert_eq!(url.as_str().parse(), Ok(url));
    }
    if let Ok(path) = RelPath::parse(text) {
        assert_eq!(path.as_str(), text);
        let inner = path
            .components()
            .all(|name| !matches!(name, "" | "." | ".."));
        assert!(inner, "a path stays below its root");
    }
    // A code that is mistyped is refused by a text for people, which must hold for any text.
    let _ = text.parse::<PairingCode>();
    let _ = SymlinkTarget::parse(text);
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| line.as_bytes().to_vec()).collect()
}

/// The golden frames without their lengths.
fn control_seeds() -> Vec<Vec<u8>> {
    let frames = GOLDEN.lines().filter_map(|line| line.split_once(' '));
    let bytes = frames.filter_map(|(_, hex)| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok());
    let payloads = bytes.map(|frame| {
        frame
            .get(frame::PREFIX_BYTES..)
            .unwrap_or_default()
            .to_vec()
    });
    payloads.collect()
}

fn data_seeds() -> Vec<Vec<u8>> {
    let hash = ContentHash::from_bytes([0xcd; 32]);
    let folder = FolderId::from_bytes([0xab; 16]);
    let page = |count: u32, end| Answer::Chunks {
        chunks: (0..count)
            .map(|number| Chunk {
                len: 65_536 + number,
                hash,
            })
            .collect(),
        end,
    };
    let range = Request::Range {
        hash,
        offset: 1 << 40,
        len: 4096,
    };
    vec![
        payload(&Header::Fetch { folder }),
        payload(&Request::File { hash }),
        payload(&range),
        payload(&Request::Chunks { hash }),
        payload(&Answer::Bytes { len: 17 }),
        payload(&Answer::Gone),
        payload(&page(3, ListEnd::End)),
        payload(&page(0, ListEnd::End)),
        payload(&page(40, ListEnd::More)),
    ]
}

fn payload<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("plain data")
}

fn packet_seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0x10, 0, 0, 0, 0, 5, 1, 2, 3],
        vec![0x11, 2, 0, 0, 0, 5],
        vec![0x12, 3, 0xff, 0xff, 0xff, 0xff, 9],
    ]
}

fn pairing_seeds() -> Vec<Vec<u8>> {
    let signed = || SignedCard {
        card: vec![7; 40],
        signature: vec![9; 64],
    };
    vec![
        PairingMessage::Sealed(vec![1; 48]).encode(),
        PairingMessage::Confirm([3; 32]).encode(),
        SealedMessage::Reveal([5; 32]).encode(),
        SealedMessage::Kept.encode(),
        SealedMessage::JoinerCard {
            card: signed(),
            nonce: [4; 32],
        }
        .encode(),
    ]
}

fn card_seeds() -> Vec<Vec<u8>> {
    let addresses = vec![
        std::net::SocketAddr::from(([192, 0, 2, 1], 443)),
        std::net::SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 50_000)),
    ];
    let notice = CandidateNotice {
        run: 1 << 60,
        count: 3,
        addresses: addresses.clone(),
    };
    let card = Card {
        device: crate::ids::DeviceId::from_public_key([7; 32]),
        name: crate::card::DeviceName::cleaned("Ada's laptop"),
        capabilities: crate::card::Capabilities(3),
        servers: vec!["wss://signal.example/ws".parse().expect("a server")],
        addresses,
    };
    vec![card.encode(), notice.encode()]
}

fn text_seeds() -> Vec<Vec<u8>> {
    let link =
        "towline://pair?v=1&s=wss%3A%2F%2Fsignal.example%2Fws&c=ABC&k=AQEBAQEBAQEBAQEBAQEBAQ";
    [
        link,
        "wss://signal.example:8443/ws",
        "ws://127.0.0.1:1/ws",
        "ABC-DEF",
        "abcd efgh",
        "d\u{e9}p\u{f4}t/letters/may.txt",
        "../target",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// The golden frames of the control stream.
const GOLDEN: &str = include_str!("../golden/control.txt");

/// Every request, as the snapshot shows it.
const REQUESTS: &str =
    include_str!("signal/snapshots/towline_wire__signal__tests__requests_look_like_this.snap");

/// Every notice, as the snapshot shows it.
const NOTICES: &str =
    include_str!("signal/snapshots/towline_wire__signal__tests__notices_look_like_this.snap");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_door_breaks_under_changed_seeds() {
        door::knock(DOORS);
    }

    #[test]
    fn seeds_are_let_in() {
        for seed in control_seeds() {
            frame::decode::<Control>(&seed).unwrap();
        }
        for seed in packet_seeds() {
            Packet::decode(&seed).unwrap();
        }
        let seeds = card_seeds();
        Card::decode(&seeds[0]).unwrap();
        CandidateNotice::decode(&seeds[1]).unwrap();
        let link = String::from_utf8(text_seeds().remove(0)).unwrap();
        link.parse::<LinkUri>().unwrap();
    }
}
