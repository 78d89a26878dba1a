//! Questions about rooms and their answers as words.

use towline_wire::signal::{ROOM_MEMBERS_MAX, RoomCode, RoomPeer};

use super::{duration, ms, node_text, place, place_text, with_tolls};
use crate::rendezvous::{
    Answer, Bereft, EMPTY_FOR, Entered, GUESS_RATE, LEASE, Member, OPENED_PER_NETWORK_MAX, Paid,
    PasswordHash, RoomAnswer, RoomAsk, RoomView,
};

/// The words of a question, as `rooms.lua` reads them.
pub(super) fn question(ask: &RoomAsk) -> Vec<String> {
    match ask {
        RoomAsk::Open {
            code,
            owner,
            at,
            network,
            rooms_max,
            own_max,
            life,
        } => vec![
            "room_open".into(),
            code.to_string(),
            owner.peer_id.to_string(),
            owner.display_name.clone(),
            place_text(*at),
            network.clone(),
            rooms_max.to_string(),
            own_max.to_string(),
            OPENED_PER_NETWORK_MAX.to_string(),
            ms(*life),
            ms(LEASE),
        ],
        RoomAsk::Lock {
            code,
            sender,
            password,
            life,
        } => vec![
            "room_lock".into(),
            code.to_string(),
            sender.to_string(),
            password.as_ref().map(hash_text).unwrap_or_default(),
            ms(*life),
        ],
        RoomAsk::Join {
            code,
            who,
            at,
            shown,
            paid,
            tolls,
            own_max,
            life,
        } => with_tolls(
            tolls,
            vec![
                "room_join".into(),
                code.to_string(),
                who.peer_id.to_string(),
                who.display_name.clone(),
                place_text(*at),
                hash_text(shown),
                match paid {
                    Paid::Yes => "paid".into(),
                    Paid::No => "not_paid".into(),
                },
                own_max.to_string(),
                ms(*life),
                ms(LEASE),
                ms(EMPTY_FOR),
                ROOM_MEMBERS_MAX.to_string(),
                GUESS_RATE.burst.to_string(),
                ms(GUESS_RATE.refill),
            ],
        ),
        RoomAsk::Leave { code, member, at } => vec![
            "room_leave".into(),
            code.to_string(),
            member.to_string(),
            place_text(*at),
            ms(EMPTY_FOR),
        ],
        RoomAsk::Look { code, node } => vec![
            "room_look".into(),
            code.to_string(),
            node_text(*node),
            ms(EMPTY_FOR),
        ],
        RoomAsk::Touch { code, life } => vec!["room_touch".into(), code.to_string(), ms(*life)],
        RoomAsk::Meet { from, to, life } => vec![
            "room_meet".into(),
            from.to_string(),
            to.to_string(),
            ms(*life),
        ],
    }
}

/// What these words answer, after the first.
pub(super) fn answer(kind: &str, mut words: impl Iterator<Item = String>) -> Option<Answer> {
    Some(Answer::Room(match kind {
        "room_opened" => RoomAnswer::Opened,
        "room_taken" => RoomAnswer::AllTaken,
        "room_network" => RoomAnswer::NetworkIsFull,
        "room_too_many" => RoomAnswer::InTooMany,
        "room_elsewhere" => RoomAnswer::Elsewhere,
        "room_locked" => RoomAnswer::Locked,
        "room_not_locked" => RoomAnswer::NotLocked,
        "room_joined" => {
            let entered = match words.next()?.as_str() {
                "now" => Entered::Now,
                _ => Entered::Before,
            };
            let owner = words.next()?;
            let view = view(&owner, words)?;
            RoomAnswer::Joined { view, entered }
        }
        "room_not_let_in" => RoomAnswer::NotLetIn,
        "room_full" => RoomAnswer::IsFull,
        "room_out" => {
            let mut rooms = bereft(words)?;
            RoomAnswer::Out(rooms.pop().map(|room| room.others).unwrap_or_default())
        }
        "room_seen" => match words.next() {
            None => RoomAnswer::Seen(None),
            Some(owner) => RoomAnswer::Seen(Some(view(&owner, words)?)),
        },
        "room_touched" => RoomAnswer::Touched,
        "room_met" => RoomAnswer::Met {
            code: RoomCode::parse(&words.next()?).ok()?,
            at: place(&words.next()?)?,
        },
        "room_not_met" => RoomAnswer::NotMet,
        _ => return None,
    }))
}

/// Rooms by code, and who remains in them by id.
pub(super) fn bereft(mut words: impl Iterator<Item = String>) -> Option<Vec<Bereft>> {
    let mut rooms = Vec::new();
    while let Some(code) = words.next() {
        let code = RoomCode::parse(&code).ok()?;
        let count: usize = words.next()?.parse().ok()?;
        let mut others = Vec::new();
        for _ in 0..count.min(ROOM_MEMBERS_MAX) {
            others.push((words.next()?.parse().ok()?, place(&words.next()?)?));
        }
        others.sort_unstable();
        rooms.push(Bereft { code, others });
    }
    rooms.sort_unstable_by_key(|room| room.code);
    Some(rooms)
}

fn view(owner: &str, mut words: impl Iterator<Item = String>) -> Option<RoomView> {
    let (owner, left) = (owner.parse().ok()?, duration(&words.next()?)?);
    let mut members = Vec::new();
    while let Some(id) = words.next() {
        let (peer_id, at) = (id.parse().ok()?, place(&words.next()?)?);
        let display_name = words.next()?;
        let peer = RoomPeer {
            peer_id,
            display_name,
        };
        members.push(Member { peer, at });
    }
    members.sort_unstable_by_key(|member| member.peer.peer_id);
    Some(RoomView {
        owner,
        members,
        left,
    })
}

fn hash_text(hash: &PasswordHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
