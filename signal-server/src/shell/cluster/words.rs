//! Questions, answers and messages between instances as the words that Redis carries.
//!
//! What comes from Redis is parsed like anything else from outside: an answer that makes no sense is none, a message
//! that makes no sense is passed over. So instances of two versions can run beside each other while one is replaced.

mod rooms;

use std::time::Duration;

use serde_json::{Value, json};
use towline_wire::code::{HALF_LETTERS_MAX, HALF_LETTERS_MIN, Slot};
use towline_wire::signal::{Notice, PairingFailure, Request, RoomCode, SignalId};

use crate::rendezvous::{
    Answer, Ask, Between, ConnectionId, EMPTY_FOR, EXCHANGE_MIN, Ended, Event, FAILURE_RATE,
    HELD_BYTES_MAX, HELD_BYTES_TOTAL_MAX, HELD_MESSAGES_MAX, LEASE, LONG_SLOTS_FOR,
    LONG_SLOTS_FROM, MAILBOXES_MAX, Made, MailboxView, NODE_LEASE, NodeId, Paid, Place, Side,
    Standing, Toll, WAITING_PER_NETWORK_MAX, Watched,
};

/// The words of a question, as `store.lua` reads them.
pub(super) fn question(ask: &Ask) -> Vec<String> {
    match ask {
        Ask::Arrive { id, place } => vec![
            "arrive".into(),
            id.to_string(),
            place_text(*place),
            ms(LEASE),
        ],
        Ask::Renew { present } => {
            let mut words = vec!["renew".into(), ms(LEASE)];
            for (id, place) in present {
                words.extend([id.to_string(), place_text(*place)]);
            }
            words
        }
        Ask::Depart { id, place } => vec![
            "depart".into(),
            id.to_string(),
            place_text(*place),
            ms(EMPTY_FOR),
        ],
        Ask::Find { ids } => {
            let ids = ids.iter().map(ToString::to_string);
            std::iter::once("find".into()).chain(ids).collect()
        }
        Ask::Beat { node, others } => {
            let mut words = vec!["beat".into(), node_text(*node), ms(NODE_LEASE)];
            words.extend(others.iter().map(|other| node_text(*other)));
            words
        }
        Ask::Open {
            creator,
            network,
            life,
            draws,
        } => {
            let mut words = vec![
                "open".into(),
                creator.to_string(),
                network.clone(),
                ms(*life),
                WAITING_PER_NETWORK_MAX.to_string(),
                MAILBOXES_MAX.to_string(),
                LONG_SLOTS_FROM.to_string(),
            ];
            for draw in draws {
                for letters in [HALF_LETTERS_MIN, HALF_LETTERS_MAX] {
                    words.push(Slot::from_number(*draw, letters).to_string());
                }
            }
            words
        }
        Ask::Claim {
            slot,
            joiner,
            paid,
            tolls: taken,
        } => with_tolls(
            taken,
            vec![
                "claim".into(),
                slot.to_string(),
                joiner.to_string(),
                match paid {
                    Paid::Yes => "paid".into(),
                    Paid::No => "not_paid".into(),
                },
                ms(EXCHANGE_MIN),
            ],
        ),
        Ask::CountFailure => vec![
            "count_failure".into(),
            FAILURE_RATE.burst.to_string(),
            ms(FAILURE_RATE.refill),
            ms(LONG_SLOTS_FOR),
        ],
        Ask::GiveBack { tolls } => with_tolls(tolls, vec!["give_back".into()]),
        Ask::Done { member } => vec!["done".into(), member.to_string()],
        Ask::End { member } => vec!["leave".into(), member.to_string()],
        Ask::Pass { from, to, notice } => vec![
            "pass".into(),
            from.to_string(),
            to.to_string(),
            notice.to_json(),
            HELD_MESSAGES_MAX.to_string(),
            HELD_BYTES_MAX.to_string(),
            (HELD_BYTES_TOTAL_MAX / HELD_BYTES_MAX).to_string(),
        ],
        Ask::Room(ask) => rooms::question(ask),
    }
}

fn with_tolls(tolls: &[Toll], mut words: Vec<String>) -> Vec<String> {
    for Toll { key, rate } in tolls {
        words.extend([key.clone(), rate.burst.to_string(), ms(rate.refill)]);
    }
    words
}

/// What these words answer; nothing where they make no sense.
pub(in crate::shell) fn answer(words: Vec<String>) -> Option<Answer> {
    let mut words = words.into_iter();
    let kind = words.next()?;
    let mut next = || words.next();
    Some(match kind.as_str() {
        "arrived" => {
            let before = place(&next()?);
            let side = next()?;
            let (slot, left, standing, peer) = (next()?, next()?, next()?, next()?);
            let mailbox = if side.is_empty() {
                None
            } else {
                Some(MailboxView {
                    slot: Slot::parse(&slot).ok()?,
                    left: duration(&left)?,
                    side: side_of(&side)?,
                    standing: standing_of(&standing, &peer)?,
                })
            };
            let held = words.filter_map(|text| Notice::from_json(&text).ok());
            Answer::Arrived {
                before,
                mailbox,
                held: held.collect(),
            }
        }
        "renewed" => Answer::Renewed {
            lost: words.filter_map(|id| id.parse().ok()).collect(),
        },
        "departed" => Answer::Departed(rooms::bereft(words)?),
        "found" => {
            let mut found = Vec::new();
            while let (Some(id), Some(at)) = (words.next(), words.next()) {
                found.push((id.parse().ok()?, place(&at)?));
            }
            Answer::Found(found)
        }
        "beaten" => Answer::Beaten {
            gone: words.filter_map(|node| node_of(&node)).collect(),
        },
        "opened" => Answer::Opened {
            slot: Slot::parse(&next()?).ok()?,
            left: duration(&next()?)?,
            made: match next()?.as_str() {
                "now" => Made::Now,
                _ => Made::Before,
            },
        },
        "network" => Answer::NetworkIsFull,
        "taken" => Answer::AllSlotsTaken,
        "claimed" => {
            let (creator, at, left) = (next()?, next()?, next()?);
            Answer::Claimed {
                creator: creator.parse().ok()?,
                at: place(&at),
                left: duration(&left)?,
                ended: ended(&[next()?, next()?, next()?, next()?])?,
            }
        }
        "given_back" => Answer::GivenBack,
        "counted" => Answer::Counted,
        "not_claimed" => Answer::NotClaimed,
        "both" => Answer::BothDone {
            peer: next()?.parse().ok()?,
            at: place(&next()?),
        },
        "noted" => Answer::NotedDone,
        "ended" => Answer::Ended(ended(&[next()?, next()?, next()?, next()?])?),
        "pass_on" => Answer::PassOn {
            at: place(&next()?)?,
        },
        "kept" => Answer::Kept,
        "not_passed" => Answer::NotPassed,
        _ => return rooms::answer(&kind, words),
    })
}

/// The channel on which an instance listens.
pub(super) fn channel(node: NodeId) -> String {
    format!("towline:to:{}", node_text(node))
}

/// Several messages as one text.
pub(in crate::shell) fn told(messages: &[Between]) -> String {
    Value::Array(messages.iter().map(told_one).collect()).to_string()
}

fn told_one(message: &Between) -> Value {
    let to = message.to.to_string();
    match &message.event {
        Event::Replaced { connection } => {
            json!({"to": to, "is": "replaced", "connection": connection.0})
        }
        Event::Claimed { peer, left } => {
            json!({"to": to, "is": "claimed", "peer": peer.to_string(), "ms": in_ms(*left)})
        }
        Event::BothDone { peer } => json!({"to": to, "is": "both_done", "peer": peer.to_string()}),
        Event::MailboxEnded { peer, reason } => json!({
            "to": to,
            "is": "mailbox_ended",
            "peer": peer.to_string(),
            "reason": reason.map(reason_text),
        }),
        Event::MemberCame { peer } => {
            json!({"to": to, "is": "member_came", "peer": peer.to_string()})
        }
        Event::MemberLeft { peer } => {
            json!({"to": to, "is": "member_left", "peer": peer.to_string()})
        }
        Event::Watching { watcher, at, back } => json!({
            "to": to,
            "is": match back {
                Watched::IsToAnswer => "watching",
                Watched::HasAnswered => "watching_back",
            },
            "peer": watcher.to_string(),
            "at": place_text(*at),
        }),
        Event::Unwatching { watcher, at } => json!({
            "to": to,
            "is": "unwatching",
            "peer": watcher.to_string(),
            "at": place_text(*at),
        }),
        Event::Away { who, at } => {
            json!({"to": to, "is": "away", "peer": who.to_string(), "at": place_text(*at)})
        }
        Event::Relayed { from, at, notice } => json!({
            "to": to,
            "is": "relayed",
            "peer": from.to_string(),
            "at": place_text(*at),
            "notice": notice.to_json(),
        }),
        Event::ChannelWanted { by, at, request } => json!({
            "to": to,
            "is": "channel_wanted",
            "peer": by.to_string(),
            "at": place_text(*at),
            "request": request.to_json(),
        }),
        Event::ChannelReady { peer, notice } => json!({
            "to": to,
            "is": "channel_ready",
            "peer": peer.to_string(),
            "notice": notice.to_json(),
        }),
        Event::RoomChanged { code } => {
            json!({"to": to, "is": "room_changed", "room": code.to_string()})
        }
        Event::PassedInRoom { code, notice } => json!({
            "to": to,
            "is": "passed_in_room",
            "room": code.to_string(),
            "notice": notice.to_json(),
        }),
        Event::Passed { notice } => json!({"to": to, "is": "passed", "notice": notice.to_json()}),
    }
}

/// The messages in a text, without those that make no sense.
pub(in crate::shell) fn heard(text: &[u8]) -> Vec<Between> {
    let Ok(Value::Array(all)) = serde_json::from_slice(text) else {
        return Vec::new();
    };
    all.iter().filter_map(heard_one).collect()
}

fn heard_one(value: &Value) -> Option<Between> {
    let word = |name: &str| value.get(name).and_then(Value::as_str);
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let peer = || -> Option<SignalId> { word("peer")?.parse().ok() };
    let at = || place(word("at")?);
    let room = || RoomCode::parse(word("room")?).ok();
    let notice = || Notice::from_json(word("notice")?).ok();
    let event = match word("is")? {
        "replaced" => Event::Replaced {
            connection: ConnectionId(number("connection")?),
        },
        "claimed" => Event::Claimed {
            peer: peer()?,
            left: Duration::from_millis(number("ms")?),
        },
        "both_done" => Event::BothDone { peer: peer()? },
        "mailbox_ended" => Event::MailboxEnded {
            peer: peer()?,
            reason: word("reason").and_then(reason_of),
        },
        "member_came" => Event::MemberCame { peer: peer()? },
        "member_left" => Event::MemberLeft { peer: peer()? },
        "watching" => Event::Watching {
            watcher: peer()?,
            at: at()?,
            back: Watched::IsToAnswer,
        },
        "watching_back" => Event::Watching {
            watcher: peer()?,
            at: at()?,
            back: Watched::HasAnswered,
        },
        "unwatching" => Event::Unwatching {
            watcher: peer()?,
            at: at()?,
        },
        "away" => Event::Away {
            who: peer()?,
            at: at()?,
        },
        "relayed" => Event::Relayed {
            from: peer()?,
            at: at()?,
            notice: notice()?,
        },
        "channel_wanted" => Event::ChannelWanted {
            by: peer()?,
            at: at()?,
            request: Request::from_json(word("request")?).ok()?,
        },
        "channel_ready" => Event::ChannelReady {
            peer: peer()?,
            notice: notice()?,
        },
        "room_changed" => Event::RoomChanged { code: room()? },
        "passed_in_room" => Event::PassedInRoom {
            code: room()?,
            notice: notice()?,
        },
        "passed" => Event::Passed { notice: notice()? },
        _ => return None,
    };
    let to = word("to")?.parse().ok()?;
    Some(Between { to, event })
}

fn ended(words: &[String; 4]) -> Option<Option<Ended>> {
    let [side, standing, peer, at] = words;
    if side.is_empty() {
        return Some(None);
    }
    Some(Some(Ended {
        side: side_of(side)?,
        standing: standing_of(standing, peer)?,
        at: place(at),
    }))
}

fn side_of(text: &str) -> Option<Side> {
    match text {
        "c" => Some(Side::Creator),
        "j" => Some(Side::Joiner),
        _ => None,
    }
}

fn standing_of(text: &str, peer: &str) -> Option<Standing> {
    match text {
        "w" => Some(Standing::Waiting),
        "j" => Some(Standing::Joined {
            peer: peer.parse().ok()?,
        }),
        "d" => Some(Standing::Done {
            peer: peer.parse().ok()?,
        }),
        _ => None,
    }
}

fn place_text(place: Place) -> String {
    format!("{}.{}", node_text(place.node), place.connection.0)
}

fn node_text(node: NodeId) -> String {
    format!("{:016x}", node.0)
}

fn node_of(text: &str) -> Option<NodeId> {
    u64::from_str_radix(text, 16).ok().map(NodeId)
}

fn place(text: &str) -> Option<Place> {
    let (node, connection) = text.split_once('.')?;
    Some(Place {
        node: node_of(node)?,
        connection: ConnectionId(connection.parse().ok()?),
    })
}

const fn reason_text(reason: PairingFailure) -> &'static str {
    match reason {
        PairingFailure::CodeInvalid => "code_invalid",
        PairingFailure::Expired => "expired",
        PairingFailure::Cancelled => "cancelled",
        PairingFailure::PeerLeft => "peer_left",
    }
}

fn reason_of(text: &str) -> Option<PairingFailure> {
    match text {
        "code_invalid" => Some(PairingFailure::CodeInvalid),
        "expired" => Some(PairingFailure::Expired),
        "cancelled" => Some(PairingFailure::Cancelled),
        "peer_left" => Some(PairingFailure::PeerLeft),
        _ => None,
    }
}

fn in_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn ms(time: Duration) -> String {
    in_ms(time).to_string()
}

fn duration(text: &str) -> Option<Duration> {
    // Redis may be a millisecond past an end that it has not carried out yet.
    let ms: i64 = text.parse().ok()?;
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}
