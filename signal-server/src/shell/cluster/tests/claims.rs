//! What a claim that fails costs Redis.

use std::collections::BTreeMap;

use super::*;

/// How often Redis has carried out each of its commands for this question, those of the script included.
async fn steps(store: &mut Asked, ask: Ask) -> (Answer, BTreeMap<String, u64>) {
    redis_says::<()>(store, &["CONFIG", "RESETSTAT"]).await;
    let answer = store.ask(ask).await;
    let told: String = redis_says(store, &["INFO", "commandstats"]).await;
    let counts = told.lines().filter_map(|line| {
        let (name, numbers) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = numbers.split_once(',')?;
        Some((name.to_owned(), calls.parse().ok()?))
    });
    let mut counts: BTreeMap<_, _> = counts.collect();
    counts.retain(|name, _| !name.starts_with("config"));
    (answer, counts)
}

async fn redis_says<T: redis::FromRedisValue>(store: &mut Asked, words: &[&str]) -> T {
    let Asked::Redis { connection, .. } = store else {
        panic!("it is asked what only Redis knows")
    };
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let answer: RedisResult<T> = command.query_async(&mut **connection).await;
    answer.unwrap()
}

#[tokio::test]
async fn process_whatever_is_wrong_with_a_code_redis_takes_the_same_steps() {
    let mut redis = Asked::redis().await;
    let store = &mut redis;
    let [alice, bob, eve] = [device(1), device(2), device(3)];
    let [own, used, done, cancelled, expired, free] =
        [1, 2, 3, 4, 5, 6].map(|number| Slot::from_number(number, 3));
    opened(store, eve, 1).await;
    opened(store, alice, 2).await;
    store.ask(claim(&used, bob, Paid::Yes)).await;
    let others = [device(4), device(5)];
    opened(store, others[0], 3).await;
    store.ask(claim(&done, others[1], Paid::Yes)).await;
    for member in others {
        store.ask(Ask::Done { member }).await;
    }
    opened(store, device(6), 4).await;
    store.ask(Ask::End { member: device(6) }).await;
    let short = Duration::from_millis(1);
    store.ask(open(device(7), 5, short)).await;
    // Its end is what is waited for; nobody is told of it.
    store.pass(Duration::from_millis(50)).await;

    let rate = Rate {
        burst: 100,
        refill: Duration::from_secs(100),
    };
    let tolls = ["eve", "network"].map(|key| Toll {
        key: key.to_owned(),
        rate,
    });
    let mut costs = Vec::new();
    for (what, slot) in [
        ("free", free),
        ("its own", own),
        ("used", used),
        ("done", done),
        ("cancelled", cancelled),
        ("expired", expired),
    ] {
        let ask = Ask::Claim {
            slot,
            joiner: eve,
            paid: Paid::Yes,
            tolls: tolls.to_vec(),
        };
        let (answer, cost) = steps(store, ask).await;
        assert_eq!(answer, Answer::NotClaimed, "{what}");
        costs.push((what, cost));
    }
    let (_, first) = &costs[0];
    assert_eq!(first.get("evalsha"), Some(&1), "{first:?}");
    assert_eq!(first.get("hmget"), Some(&1), "{first:?}");
    for (what, cost) in &costs {
        assert_eq!(cost, first, "{what}");
    }
    // Who has nothing left to pay with: of a right code no more is done than of a wrong one.
    let right = opened(store, device(8), 7).await;
    let mut unpaid = Vec::new();
    for slot in [right, Slot::from_number(8, 3)] {
        unpaid.push(steps(store, claim(&slot, eve, Paid::No)).await);
    }
    assert_eq!(unpaid[0].0, Answer::NotClaimed);
    assert_eq!(unpaid[0], unpaid[1]);
    assert_eq!(unpaid[0].1.get("hmget"), Some(&1), "{unpaid:?}");
}
