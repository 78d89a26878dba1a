//! The cases about rooms.

use towline_wire::signal::{RoomCode, RoomPeer, SignalId};

use super::*;
use crate::rendezvous::{
    Bereft, Entered, GUESS_RATE, Member, OPENED_PER_NETWORK_MAX, Paid, Place, RoomAnswer, RoomAsk,
};

const ROOM_LIFE: Duration = Duration::from_secs(600);

const RIGHT: [u8; 32] = [7; 32];

pub(super) fn room(number: u64) -> RoomCode {
    RoomCode::from_number(number)
}

fn called(peer_id: SignalId, name: &str) -> RoomPeer {
    let display_name = name.to_owned();
    RoomPeer {
        peer_id,
        display_name,
    }
}

fn open_room(number: u64, owner: SignalId, at: Place, rooms_max: usize) -> Ask {
    Ask::Room(RoomAsk::Open {
        code: room(number),
        owner: called(owner, "own|er\n\"\0§"),
        at,
        network: "0a000001".to_owned(),
        rooms_max,
        own_max: 3,
        life: ROOM_LIFE,
    })
}

fn join_room(number: u64, who: SignalId, at: Place, shown: [u8; 32]) -> Ask {
    Ask::Room(RoomAsk::Join {
        code: room(number),
        who: called(who, "guest"),
        at,
        shown,
        paid: Paid::Yes,
        tolls: Vec::new(),
        own_max: 3,
        life: ROOM_LIFE,
    })
}

fn look(number: u64, node: u64) -> Ask {
    let (code, node) = (room(number), NodeId(node));
    Ask::Room(RoomAsk::Look { code, node })
}

async fn ask_room(store: &mut Asked, ask: Ask) -> RoomAnswer {
    let answer = store.ask(ask).await;
    let Answer::Room(answer) = answer else {
        panic!("{answer:?}")
    };
    answer
}

/// Who is in a room, seen by an instance.
async fn inside(store: &mut Asked, number: u64, node: u64) -> Vec<SignalId> {
    let RoomAnswer::Seen(Some(view)) = ask_room(store, look(number, node)).await else {
        return Vec::new();
    };
    view.members
        .iter()
        .map(|member| member.peer.peer_id)
        .collect()
}

async fn beat(store: &mut Asked, node: u64) {
    let others = Vec::new();
    let node = NodeId(node);
    store.ask(Ask::Beat { node, others }).await;
}

async fn a_room_lets_in_who_knows_its_password_and_sixteen_at_most(store: &mut Asked) {
    beat(store, 1).await;
    beat(store, 2).await;
    let owner = device(1);
    let opened = ask_room(store, open_room(5, owner, place(1, 1), 10)).await;
    assert_eq!(opened, RoomAnswer::Opened);
    let lock = |sender| {
        Ask::Room(RoomAsk::Lock {
            code: room(5),
            sender,
            password: Some(RIGHT),
            life: ROOM_LIFE,
        })
    };
    assert_eq!(
        ask_room(store, lock(device(2))).await,
        RoomAnswer::NotLocked
    );
    assert_eq!(ask_room(store, lock(owner)).await, RoomAnswer::Locked);
    for (number, shown) in [(5, [8; 32]), (6, RIGHT)] {
        let refused = ask_room(store, join_room(number, device(2), place(2, 2), shown)).await;
        assert_eq!(refused, RoomAnswer::NotLetIn);
    }
    let mut unpaid = join_room(5, device(2), place(2, 2), RIGHT);
    if let Ask::Room(RoomAsk::Join { paid, .. }) = &mut unpaid {
        *paid = Paid::No;
    }
    assert_eq!(ask_room(store, unpaid).await, RoomAnswer::NotLetIn);
    let joined = ask_room(store, join_room(5, device(2), place(2, 2), RIGHT)).await;
    let RoomAnswer::Joined { view, entered } = joined else {
        panic!("{joined:?}")
    };
    assert_eq!((view.owner, entered), (owner, Entered::Now));
    let mut members = vec![
        Member {
            peer: called(owner, "own|er\n\"\0§"),
            at: place(1, 1),
        },
        Member {
            peer: called(device(2), "guest"),
            at: place(2, 2),
        },
    ];
    members.sort_unstable_by_key(|member| member.peer.peer_id);
    assert_eq!(view.members, members);
    let again = ask_room(store, join_room(5, device(2), place(2, 2), RIGHT)).await;
    assert!(matches!(
        again,
        RoomAnswer::Joined {
            entered: Entered::Before,
            ..
        }
    ));
    for number in 3..=16 {
        let at = place(2, number.into());
        let joined = ask_room(store, join_room(5, device(number), at, RIGHT)).await;
        assert!(matches!(joined, RoomAnswer::Joined { .. }), "{joined:?}");
    }
    let late = |shown| join_room(5, device(17), place(1, 17), shown);
    assert_eq!(ask_room(store, late(RIGHT)).await, RoomAnswer::IsFull);
    assert_eq!(ask_room(store, late([8; 32])).await, RoomAnswer::NotLetIn);
}

async fn wrong_passwords_of_a_room_are_counted_together(store: &mut Asked) {
    beat(store, 1).await;
    ask_room(store, open_room(5, device(1), place(1, 1), 10)).await;
    let lock = RoomAsk::Lock {
        code: room(5),
        sender: device(1),
        password: Some(RIGHT),
        life: ROOM_LIFE,
    };
    ask_room(store, Ask::Room(lock)).await;
    for number in 0..GUESS_RATE.burst {
        let who = device(100 + (number % 50) as u8);
        let refused = ask_room(store, join_room(5, who, place(1, 9), [8; 32])).await;
        assert_eq!(refused, RoomAnswer::NotLetIn);
    }
    let refused = ask_room(store, join_room(5, device(2), place(1, 2), RIGHT)).await;
    assert_eq!(
        refused,
        RoomAnswer::NotLetIn,
        "not even the right one is tried"
    );
}

async fn who_departs_or_arrives_elsewhere_is_in_its_rooms_no_more(store: &mut Asked) {
    for node in 1..=3 {
        beat(store, node).await;
    }
    let [alice, bob] = [device(1), device(2)];
    for number in [5, 6] {
        ask_room(store, open_room(number, alice, place(1, 1), 10)).await;
    }
    ask_room(store, join_room(5, bob, place(2, 2), RIGHT)).await;
    let depart = |id, place| Ask::Depart { id, place };
    let elsewhere = store.ask(depart(bob, place(3, 9))).await;
    assert_eq!(elsewhere, Answer::Departed(vec![]), "it was not from there");
    let mut rooms = vec![
        Bereft {
            code: room(5),
            others: vec![(bob, place(2, 2))],
        },
        Bereft {
            code: room(6),
            others: vec![],
        },
    ];
    rooms.sort_unstable_by_key(|room| room.code);
    let departed = store.ask(depart(alice, place(1, 1))).await;
    assert_eq!(departed, Answer::Departed(rooms));
    assert_eq!(inside(store, 5, 1).await, [bob]);
    let arrive = Ask::Arrive {
        id: bob,
        place: place(3, 3),
    };
    store.ask(arrive).await;
    assert_eq!(inside(store, 5, 1).await, []);
    let stale = ask_room(store, join_room(5, bob, place(2, 2), RIGHT)).await;
    assert_eq!(stale, RoomAnswer::Elsewhere);
    let anew = ask_room(store, join_room(5, bob, place(3, 3), RIGHT)).await;
    let entered = Entered::Now;
    assert!(matches!(anew, RoomAnswer::Joined { entered: now, .. } if now == entered));
}

async fn members_of_an_instance_that_does_not_live_are_not_told(store: &mut Asked) {
    beat(store, 1).await;
    let [alice, bob] = [device(1), device(2)];
    ask_room(store, open_room(5, alice, place(1, 1), 10)).await;
    ask_room(store, join_room(5, bob, place(2, 2), RIGHT)).await;
    assert_eq!(inside(store, 5, 1).await, [alice]);
    let mut both = [alice, bob];
    both.sort_unstable();
    assert_eq!(inside(store, 5, 2).await, both, "who asks lives");
    beat(store, 2).await;
    assert_eq!(inside(store, 5, 1).await, both, "it was only late");
}

async fn who_shares_a_room_meets_and_nobody_else(store: &mut Asked) {
    let [alice, bob, eve] = [device(1), device(2), device(3)];
    let at = place(2, 2);
    ask_room(store, open_room(5, alice, place(1, 1), 10)).await;
    ask_room(store, join_room(5, bob, at, RIGHT)).await;
    ask_room(store, open_room(6, eve, place(1, 3), 10)).await;
    let meet = |from, to| {
        Ask::Room(RoomAsk::Meet {
            from,
            to,
            life: ROOM_LIFE,
        })
    };
    assert_eq!(
        ask_room(store, meet(alice, bob)).await,
        RoomAnswer::Met { code: room(5), at }
    );
    for (from, to) in [(eve, bob), (alice, eve), (alice, alice), (alice, device(9))] {
        assert_eq!(ask_room(store, meet(from, to)).await, RoomAnswer::NotMet);
    }
    let leave = Ask::Room(RoomAsk::Leave {
        code: room(5),
        member: bob,
        at,
    });
    let others = vec![(alice, place(1, 1))];
    assert_eq!(
        ask_room(store, leave.clone()).await,
        RoomAnswer::Out(others)
    );
    assert_eq!(ask_room(store, leave).await, RoomAnswer::Out(vec![]));
    assert_eq!(ask_room(store, meet(alice, bob)).await, RoomAnswer::NotMet);
}

async fn rooms_are_counted_of_each_of_a_network_and_of_all(store: &mut Asked) {
    let [alice, bob] = [device(1), device(2)];
    let here = |who: SignalId| place(1, if who == alice { 1 } else { 2 });
    for number in 0..3 {
        let opened = ask_room(store, open_room(number, alice, here(alice), 5)).await;
        assert_eq!(opened, RoomAnswer::Opened);
    }
    let more = ask_room(store, open_room(3, alice, here(alice), 5)).await;
    assert_eq!(more, RoomAnswer::InTooMany);
    let taken = ask_room(store, open_room(0, bob, here(bob), 5)).await;
    assert_eq!(taken, RoomAnswer::AllTaken, "the code is one's of others");
    for number in 3..5 {
        let opened = ask_room(store, open_room(number, bob, here(bob), 5)).await;
        assert_eq!(opened, RoomAnswer::Opened);
    }
    let full = ask_room(store, open_room(5, bob, here(bob), 5)).await;
    assert_eq!(full, RoomAnswer::AllTaken);
    for number in 5..OPENED_PER_NETWORK_MAX.into() {
        let who = device(100 + (number / 3) as u8);
        let opened = ask_room(store, open_room(number, who, place(1, number), 500)).await;
        let is_elsewhere = opened == RoomAnswer::Elsewhere;
        let opened = if is_elsewhere {
            let at = place(1, number - number % 3);
            store.ask(Ask::Arrive { id: who, place: at }).await;
            ask_room(store, open_room(number, who, at, 500)).await
        } else {
            opened
        };
        assert_eq!(opened, RoomAnswer::Opened, "{number}");
    }
    let more = ask_room(store, open_room(999, device(99), place(1, 999), 500)).await;
    assert_eq!(more, RoomAnswer::NetworkIsFull);
}

async fn a_room_ends_at_its_time_unless_something_happens(store: &mut Asked) {
    beat(store, 1).await;
    let short = Duration::from_millis(400);
    let open = |number| {
        let mut ask = open_room(number, device(1), place(1, 1), 10);
        if let Ask::Room(RoomAsk::Open { life, .. }) = &mut ask {
            *life = short;
        }
        ask
    };
    ask_room(store, open(5)).await;
    ask_room(store, open(6)).await;
    let (code, life) = (room(5), ROOM_LIFE);
    let touched = ask_room(store, Ask::Room(RoomAsk::Touch { code, life })).await;
    assert_eq!(touched, RoomAnswer::Touched);
    store.pass(short + Duration::from_millis(50)).await;
    assert_eq!(ask_room(store, look(6, 1)).await, RoomAnswer::Seen(None));
    assert_eq!(inside(store, 5, 1).await, [device(1)]);
}

both! {
    a_room_lets_in_who_knows_its_password_and_sixteen_at_most
    wrong_passwords_of_a_room_are_counted_together
    who_departs_or_arrives_elsewhere_is_in_its_rooms_no_more
    members_of_an_instance_that_does_not_live_are_not_told
    who_shares_a_room_meets_and_nobody_else
    rooms_are_counted_of_each_of_a_network_and_of_all
    a_room_ends_at_its_time_unless_something_happens
}

/// Something about a room, or about two who may be in one.
pub(super) fn random_ask(
    roll: &mut impl FnMut(u32) -> u32,
    number: u64,
    [one, other]: [SignalId; 2],
    at: Place,
) -> Ask {
    let code = room(number);
    match roll(18) {
        0..=2 => {
            let mut ask = open_room(number, one, at, 3);
            if let Ask::Room(RoomAsk::Open { own_max, .. }) = &mut ask {
                *own_max = 2;
            }
            ask
        }
        3..=7 => {
            let shown = if roll(3) == 0 { [8; 32] } else { RIGHT };
            join_room(number, one, at, shown)
        }
        8 => Ask::Room(RoomAsk::Lock {
            code,
            sender: one,
            password: (roll(3) > 0).then_some(RIGHT),
            life: ROOM_LIFE,
        }),
        9 | 10 => Ask::Room(RoomAsk::Leave {
            code,
            member: one,
            at,
        }),
        11 | 12 => look(number, u64::from(roll(2)) + 1),
        13..=16 => Ask::Room(RoomAsk::Meet {
            from: one,
            to: other,
            life: ROOM_LIFE,
        }),
        _ => Ask::Room(RoomAsk::Touch {
            code,
            life: ROOM_LIFE,
        }),
    }
}
