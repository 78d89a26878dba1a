//! One list of cases against both stores, and both stores side by side under random questions.

#[expect(dead_code, reason = "here Redis is never stopped")]
#[path = "../../../tests/plain/redis.rs"]
mod redis_server;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::code::Slot;
use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    ClientMessage, GuestId, Notice, PairingFailure, Payload, RelayName, Request, ServerMessage,
    SignalId,
};

use super::*;
use crate::rendezvous::{
    ConnectionId, EXCHANGE_MIN, Event, FAILURE_RATE, HELD_MESSAGES_MAX, LEASE, LONG_SLOTS_FOR,
    Made, Moment, Paid, Place, Rate, RoomAnswer, Standing, Store, Toll, WAITING_PER_NETWORK_MAX,
    Watched,
};
use redis_server::RedisServer;

/// The list. Each begins with an empty store.
macro_rules! both {
    ($($case:ident)*) => {$(
        mod $case {
            #[tokio::test]
            async fn in_memory() {
                super::$case(&mut crate::shell::cluster::tests::Asked::memory()).await;
            }


            #[tokio::test]
            async fn process_in_redis() {
                super::$case(&mut crate::shell::cluster::tests::Asked::redis().await).await;
            }
        }
    )*};
}

mod claims;
mod rooms;

#[test]
fn what_is_renewed_goes_in_small_parts() {
    let (line, mut errands) = mpsc::channel(ERRANDS_MAX);
    let place = Place {
        node: NodeId(1),
        connection: ConnectionId(1),
    };
    let renewal = Ask::Renew {
        present: vec![(SignalId::Guest(GuestId(1)), place); 500],
    };
    let put = |number, ask| line.try_send(Errand::Ask(Ticket(number), ask)).unwrap();
    for number in 0..30 {
        put(number, renewal.clone());
    }
    for number in 30..330 {
        put(number, Ask::Find { ids: Vec::new() });
    }
    let mut parts = Vec::new();
    while let Ok(first) = errands.try_recv() {
        let mut batch = Vec::new();
        fill(&mut batch, first, &mut errands);
        parts.push(batch.len());
    }
    assert!(parts[..30].iter().all(|part| *part == 1), "{parts:?}");
    assert_eq!(parts[30..], [256, 44], "{parts:?}");
}

/// A store to be asked.
enum Asked {
    Memory(Box<Store>, Moment),
    Redis {
        connection: Box<MultiplexedConnection>,
        script: String,
        _server: RedisServer,
    },
}

impl Asked {
    fn memory() -> Self {
        Self::Memory(Box::default(), Moment::START)
    }

    async fn redis() -> Self {
        let server = RedisServer::start();
        let (_hub, errands) = mpsc::channel(1);
        let line = Line {
            redis: Redis::at(&server.url(), None).unwrap(),
            node: NodeId(9),
            errands,
            hub: WeakHub::default(),
            metrics: Metrics::new(),
        };
        let (_, _, script) = line.connect().await.unwrap();
        // On a busy machine an answer may take longer than a server waits.
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(LEASE));
        let client = line.redis.client();
        let asking = client.get_multiplexed_async_connection_with_config(&patient);
        let asking = asking.await.unwrap();
        Self::Redis {
            connection: Box::new(asking),
            script,
            _server: server,
        }
    }

    async fn ask(&mut self, ask: Ask) -> Answer {
        match self {
            Self::Memory(store, now) => store.carry_out(*now, ask),
            Self::Redis {
                connection, script, ..
            } => {
                let batch = [Errand::Ask(Ticket(0), ask)];
                let (pipe, _) = pipeline(&batch, script, NodeId(9));
                let answers: Vec<redis::Value> = pipe.query_async(&mut **connection).await.unwrap();
                let value = answers.into_iter().nth(1).unwrap();
                let words = redis::from_redis_value(value.clone());
                let words = words.unwrap_or_else(|error| panic!("{value:?}: {error}"));
                words::answer(words).unwrap_or_else(|| panic!("{value:?} is no answer"))
            }
        }
    }

    /// Lets this much time go by.
    async fn pass(&mut self, time: Duration) {
        match self {
            Self::Memory(_, now) => *now = now.plus(time),
            // Time is what is tested; there is no event to wait for.
            Self::Redis { .. } => sleep(time).await,
        }
    }
}

fn device(number: u8) -> SignalId {
    SignalId::Device(DeviceId::from_public_key([number; 32]))
}

const fn place(node: u64, connection: u64) -> Place {
    Place {
        node: NodeId(node),
        connection: ConnectionId(connection),
    }
}

fn notice(text: &str) -> Notice {
    Notice::new(ServerMessage::Relayed {
        name: RelayName::Relay,
        from: device(1),
        payload: Payload::from_text(text),
    })
}

fn open(creator: SignalId, draw: u32, life: Duration) -> Ask {
    Ask::Open {
        creator,
        network: "0a000001".to_owned(),
        life,
        draws: [draw; 16],
    }
}

fn claim(slot: &Slot, joiner: SignalId, paid: Paid) -> Ask {
    let slot = slot.clone();
    Ask::Claim {
        slot,
        joiner,
        paid,
        tolls: Vec::new(),
    }
}

const LIFE: Duration = Duration::from_secs(300);

async fn opened(store: &mut Asked, creator: SignalId, draw: u32) -> Slot {
    let answer = store.ask(open(creator, draw, LIFE)).await;
    let Answer::Opened {
        slot,
        made: Made::Now,
        ..
    } = answer
    else {
        panic!("{answer:?}")
    };
    slot
}

async fn a_code_is_claimed_once_by_another_who_has_paid(store: &mut Asked) {
    let [alice, bob, eve] = [device(1), device(2), device(3)];
    let slot = opened(store, alice, 7).await;
    let mut refused = 0;
    for (who, paid) in [(alice, Paid::Yes), (eve, Paid::No)] {
        let answer = store.ask(claim(&slot, who, paid)).await;
        assert_eq!(answer, Answer::NotClaimed);
        refused += 1;
    }
    let arrive = Ask::Arrive {
        id: alice,
        place: place(1, 5),
    };
    store.ask(arrive).await;
    let claimed = store.ask(claim(&slot, bob, Paid::Yes)).await;
    let Answer::Claimed {
        creator, at, ended, ..
    } = claimed
    else {
        panic!("{claimed:?}")
    };
    assert_eq!((creator, at, ended), (alice, Some(place(1, 5)), None));
    for who in [eve, bob] {
        let answer = store.ask(claim(&slot, who, Paid::Yes)).await;
        assert_eq!(answer, Answer::NotClaimed);
        refused += 1;
    }
    assert_eq!(refused, 4);
}

async fn slots_are_long_while_somebody_searches(store: &mut Asked) {
    let letters = |slot: Slot| slot.to_string().len();
    assert_eq!(letters(opened(store, device(1), 7).await), 3);
    for _ in 0..FAILURE_RATE.burst {
        assert_eq!(store.ask(Ask::CountFailure).await, Answer::Counted);
    }
    assert_eq!(letters(opened(store, device(2), 8).await), 3);
    // In Redis some tokens have come back meanwhile.
    let most = match store {
        Asked::Memory(..) => 1,
        Asked::Redis { .. } => FAILURE_RATE.burst,
    };
    for _ in 0..most {
        store.ask(Ask::CountFailure).await;
    }
    let slot = opened(store, device(3), 9).await;
    assert_eq!(slot, Slot::from_number(9, 4));
    if let Asked::Memory(..) = store {
        store.pass(LONG_SLOTS_FOR).await;
        assert_eq!(letters(opened(store, device(4), 10).await), 3);
    }
}

async fn what_is_said_to_who_is_away_waits_in_order_and_is_bounded(store: &mut Asked) {
    let [alice, bob, eve] = [device(1), device(2), device(3)];
    let slot = opened(store, alice, 7).await;
    let pass = |from, to, text: &str| Ask::Pass {
        from,
        to,
        notice: notice(text),
    };
    assert_eq!(
        store.ask(pass(alice, bob, "early")).await,
        Answer::NotPassed
    );
    store.ask(claim(&slot, bob, Paid::Yes)).await;
    assert_eq!(store.ask(pass(eve, alice, "who")).await, Answer::NotPassed);
    assert_eq!(store.ask(pass(bob, eve, "who")).await, Answer::NotPassed);
    for number in 0..HELD_MESSAGES_MAX {
        let text = format!("{number}\n\"§\"");
        assert_eq!(store.ask(pass(bob, alice, &text)).await, Answer::Kept);
    }
    assert_eq!(store.ask(pass(bob, alice, "more")).await, Answer::NotPassed);
    let arrive = Ask::Arrive {
        id: alice,
        place: place(2, 1),
    };
    let Answer::Arrived {
        before: None,
        mailbox: Some(view),
        held,
    } = store.ask(arrive).await
    else {
        panic!("alice has a mailbox")
    };
    assert_eq!(view.standing, Standing::Joined { peer: bob });
    let all = (0..HELD_MESSAGES_MAX).map(|number| notice(&format!("{number}\n\"§\"")));
    assert_eq!(held, all.collect::<Vec<_>>());
    let at = place(2, 1);
    let answer = store.ask(pass(bob, alice, "now")).await;
    assert_eq!(answer, Answer::PassOn { at });
}

async fn the_newest_place_counts_and_an_older_one_takes_nothing_away(store: &mut Asked) {
    let (id, old, new) = (device(1), place(1, 1), place(2, 1));
    let arrive = |place| Ask::Arrive { id, place };
    store.ask(arrive(old)).await;
    let Answer::Arrived { before, .. } = store.ask(arrive(new)).await else {
        panic!("an answer")
    };
    assert_eq!(before, Some(old));
    store.ask(Ask::Depart { id, place: old }).await;
    let find = || Ask::Find {
        ids: vec![device(9), id],
    };
    assert_eq!(store.ask(find()).await, Answer::Found(vec![(id, new)]));
    let renew = |place| Ask::Renew {
        present: vec![(id, place), (device(2), place)],
    };
    let lost = vec![id];
    assert_eq!(store.ask(renew(old)).await, Answer::Renewed { lost });
    let lost = vec![device(2)];
    assert_eq!(store.ask(renew(new)).await, Answer::Renewed { lost });
    store.ask(Ask::Depart { id, place: new }).await;
    assert_eq!(store.ask(find()).await, Answer::Found(vec![]));
}

async fn an_instance_lives_as_long_as_it_says_so(store: &mut Asked) {
    let beat = |node, others: &[u64]| Ask::Beat {
        node: NodeId(node),
        others: others.iter().copied().map(NodeId).collect(),
    };
    store.ask(beat(1, &[])).await;
    let gone = vec![NodeId(3)];
    assert_eq!(
        store.ask(beat(2, &[1, 2, 3])).await,
        Answer::Beaten { gone }
    );
}

async fn both_are_done_once(store: &mut Asked) {
    let [alice, bob] = [device(1), device(2)];
    let slot = opened(store, alice, 7).await;
    let done = |member| Ask::Done { member };
    assert_eq!(store.ask(done(alice)).await, Answer::NotedDone);
    store.ask(claim(&slot, bob, Paid::Yes)).await;
    assert_eq!(store.ask(done(bob)).await, Answer::NotedDone);
    assert_eq!(store.ask(done(bob)).await, Answer::NotedDone);
    let both = Answer::BothDone {
        peer: bob,
        at: None,
    };
    assert_eq!(store.ask(done(alice)).await, both);
    assert_eq!(store.ask(done(alice)).await, Answer::NotedDone);
    let Answer::Ended(Some(ended)) = store.ask(Ask::End { member: bob }).await else {
        panic!("it was there")
    };
    assert_eq!(ended.standing, Standing::Done { peer: alice });
    let again = store.ask(Ask::End { member: alice }).await;
    assert_eq!(again, Answer::Ended(None));
}

async fn a_mailbox_ends_at_its_time_and_its_slot_is_free_again(store: &mut Asked) {
    let [alice, bob] = [device(1), device(2)];
    let short = Duration::from_millis(300);
    let Answer::Opened { slot, .. } = store.ask(open(alice, 7, short)).await else {
        panic!("a slot")
    };
    assert_eq!(
        store.ask(open(bob, 7, short)).await,
        Answer::AllSlotsTaken,
        "all draws are the same"
    );
    store.pass(short + Duration::from_millis(50)).await;
    let answer = store.ask(claim(&slot, bob, Paid::Yes)).await;
    assert_eq!(answer, Answer::NotClaimed);
    assert_eq!(opened(store, bob, 7).await, slot);
    assert_eq!(
        store.ask(Ask::End { member: alice }).await,
        Answer::Ended(None)
    );
}

async fn codes_that_wait_are_counted_by_network(store: &mut Asked) {
    for number in 0..WAITING_PER_NETWORK_MAX {
        opened(store, device(number as u8), number).await;
    }
    let one_more = open(device(200), 200, LIFE);
    let answer = store.ask(one_more.clone()).await;
    assert_eq!(answer, Answer::NetworkIsFull);
    store.ask(Ask::End { member: device(0) }).await;
    assert!(matches!(store.ask(one_more).await, Answer::Opened { .. }));
}

async fn budgets_are_of_all_instances_and_all_or_none_pay(store: &mut Asked) {
    let [alice, bob] = [device(1), device(2)];
    let slot = opened(store, alice, 7).await;
    let toll = |key: &str, burst| Toll {
        key: key.to_owned(),
        rate: Rate {
            burst,
            refill: Duration::from_secs(100),
        },
    };
    let pay = |who: &str, slot: &Slot, joiner| Ask::Claim {
        slot: slot.clone(),
        joiner,
        paid: Paid::Yes,
        tolls: vec![toll("network", 3), toll(who, 2)],
    };
    let wrong = Slot::from_number(9, 3);
    for _ in 0..2 {
        let answer = store.ask(pay("eve", &wrong, device(3))).await;
        assert_eq!(answer, Answer::NotClaimed);
    }
    // She has spent hers; what she tries now costs the network nothing.
    for _ in 0..5 {
        let answer = store.ask(pay("eve", &slot, device(3))).await;
        assert_eq!(answer, Answer::NotClaimed);
    }
    let last = store.ask(pay("bob", &wrong, bob)).await;
    assert_eq!(last, Answer::NotClaimed);
    let spent = store.ask(pay("bob", &slot, bob)).await;
    assert_eq!(spent, Answer::NotClaimed, "the network has spent its own");
    let tolls = vec![toll("network", 3)];
    let given = store.ask(Ask::GiveBack { tolls }).await;
    assert_eq!(given, Answer::GivenBack);
    let claimed = store.ask(pay("bob", &slot, bob)).await;
    assert!(matches!(claimed, Answer::Claimed { .. }), "{claimed:?}");
}

both! {
    budgets_are_of_all_instances_and_all_or_none_pay
    a_code_is_claimed_once_by_another_who_has_paid
    slots_are_long_while_somebody_searches
    what_is_said_to_who_is_away_waits_in_order_and_is_bounded
    the_newest_place_counts_and_an_older_one_takes_nothing_away
    an_instance_lives_as_long_as_it_says_so
    both_are_done_once
    a_mailbox_ends_at_its_time_and_its_slot_is_free_again
    codes_that_wait_are_counted_by_network
}

/// Durations of answers, apart: the clocks are two.
fn without_time(mut answer: Answer) -> (Answer, Option<Duration>) {
    let left = if let Answer::Opened { left, .. } | Answer::Claimed { left, .. } = &mut answer {
        Some(left)
    } else if let Answer::Arrived {
        mailbox: Some(view),
        ..
    } = &mut answer
    {
        Some(&mut view.left)
    } else if let Answer::Room(RoomAnswer::Joined { view, .. } | RoomAnswer::Seen(Some(view))) =
        &mut answer
    {
        Some(&mut view.left)
    } else {
        None
    };
    let left = left.map(std::mem::take);
    (answer, left)
}

fn random_ask(dice: &mut ChaCha8Rng) -> Ask {
    let mut roll = |sides: u32| dice.next_u32() % sides;
    let who = |roll: u32| match roll {
        2 => SignalId::Guest(GuestId(7)),
        number => device(number as u8 + 1),
    };
    let (one, other) = (who(roll(3)), who(roll(3)));
    let at = place(u64::from(roll(2)) + 1, u64::from(roll(2)));
    let number = u64::from(roll(3));
    match roll(40) {
        20..=37 => rooms::random_ask(&mut roll, number, [one, other], at),
        38 => Ask::CountFailure,
        39 => Ask::Beat {
            node: NodeId(u64::from(roll(2)) + 1),
            others: Vec::new(),
        },
        0 | 1 => Ask::Arrive { id: one, place: at },
        2 | 3 => Ask::Depart { id: one, place: at },
        4 => Ask::Renew {
            present: vec![(one, at), (other, at)],
        },
        5 => Ask::Find {
            ids: vec![one, other],
        },
        6 | 7 => open(
            one,
            roll(2),
            LIFE + Duration::from_secs(u64::from(roll(50))),
        ),
        8..=10 => {
            let paid = if roll(5) == 0 { Paid::No } else { Paid::Yes };
            claim(&Slot::from_number(roll(2), 3), one, paid)
        }
        11..=13 => Ask::Done { member: one },
        14 => Ask::End { member: one },
        _ => Ask::Pass {
            from: one,
            to: other,
            notice: notice(&roll(99).to_string()),
        },
    }
}

#[tokio::test]
async fn process_redis_answers_whatever_memory_answers() {
    let mut redis = Asked::redis().await;
    let mut kinds = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..600 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut memory = Asked::memory();
        if let Asked::Redis { connection, .. } = &mut redis {
            let emptied: RedisResult<()> =
                redis::cmd("FLUSHDB").query_async(&mut **connection).await;
            emptied.unwrap();
        }
        for step in 0..120 {
            let ask = random_ask(&mut dice);
            let (ours, left) = without_time(memory.ask(ask.clone()).await);
            let (theirs, theirs_left) = without_time(redis.ask(ask.clone()).await);
            assert_eq!(ours, theirs, "seed {seed}, step {step}: {ask:?}");
            let apart = left
                .unwrap_or_default()
                .abs_diff(theirs_left.unwrap_or_default());
            assert!(
                apart < Duration::from_secs(10),
                "seed {seed}, step {step}: {apart:?}"
            );
            let kind = if let Answer::Room(ours) = &ours {
                format!("room:{ours:?}")
            } else {
                format!("{ours:?}")
            };
            let end = kind.find([' ', '(', '{']).unwrap_or(kind.len());
            *kinds.entry(kind[..end].to_owned()).or_default() += 1;
        }
    }
    for kind in [
        "Arrived",
        "Renewed",
        "Found",
        "Opened",
        "AllSlotsTaken",
        "Claimed",
        "NotClaimed",
        "BothDone",
        "NotedDone",
        "Ended",
        "PassOn",
        "Kept",
        "NotPassed",
        "Departed",
        "room:Opened",
        "room:AllTaken",
        "room:InTooMany",
        "room:Elsewhere",
        "room:Locked",
        "room:NotLocked",
        "room:Joined",
        "room:NotLetIn",
        "room:Out",
        "room:Seen",
        "room:Touched",
        "room:Met",
        "room:NotMet",
    ] {
        assert!(kinds.get(kind).copied().unwrap_or(0) > 20, "{kinds:?}");
    }
}

#[test]
fn messages_between_instances_come_as_they_were_sent_and_nonsense_is_passed_over() {
    let peer = device(2);
    let events = [
        Event::Replaced {
            connection: ConnectionId(u64::MAX),
        },
        Event::Claimed {
            peer,
            left: EXCHANGE_MIN,
        },
        Event::BothDone { peer },
        Event::MailboxEnded { peer, reason: None },
        Event::MailboxEnded {
            peer,
            reason: Some(PairingFailure::Cancelled),
        },
        Event::MemberCame { peer },
        Event::MemberLeft { peer },
        Event::RoomChanged {
            code: rooms::room(9),
        },
        Event::Watching {
            watcher: peer,
            at: place(1, 2),
            back: Watched::IsToAnswer,
        },
        Event::Watching {
            watcher: peer,
            at: place(1, 2),
            back: Watched::HasAnswered,
        },
        Event::Unwatching {
            watcher: peer,
            at: place(1, 2),
        },
        Event::Away {
            who: peer,
            at: place(u64::MAX, u64::MAX),
        },
        Event::Relayed {
            from: peer,
            at: place(1, 2),
            notice: notice("x"),
        },
        Event::ChannelWanted {
            by: peer,
            at: place(1, 2),
            request: Request::new(ClientMessage::RelayOpen { to: peer }),
        },
        Event::ChannelReady {
            peer,
            notice: notice("x"),
        },
        Event::PassedInRoom {
            code: rooms::room(9),
            notice: notice("x"),
        },
        Event::Passed {
            notice: notice("line\nbreak"),
        },
    ];
    let to = SignalId::Guest(GuestId(3));
    let all: Vec<_> = events.map(|event| Between { to, event }).into();
    assert_eq!(words::heard(words::told(&all).as_bytes()), all);
    let nonsense = br#"[1, {}, {"to": "x", "is": "passed"}, {"is": "tomorrow"}]"#;
    assert_eq!(words::heard(nonsense), []);
    assert_eq!(words::heard(b"\xff"), []);
    assert_eq!(words::heard(b"[]"), []);
    assert!(words::answer(vec!["claimed".into(), "x".into()]).is_none());
    assert!(LEASE > Duration::ZERO);
}
