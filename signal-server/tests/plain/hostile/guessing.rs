//! Many addresses that guess codes, each within what it may; and what they are told.

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;
use towline_wire::code::Slot;

use super::super::client::Client;
use super::super::friends::pair;
use super::super::instances::until_status;
use super::super::process::Process;
use super::super::redis::RedisServer;
use super::raw::{FIN, Raw, TEXT};
use super::witness::harm;

/// A guest that comes from the address of this number, as a proxy says.
async fn guest_from(server: &Process, address: usize) -> Raw {
    let (high, low) = (address / 250, address % 250);
    let from = format!("X-Forwarded-For: 198.18.{high}.{low}\r\n");
    Raw::connect(server.address).await.guest_from(&from).await
}

/// Claims a code; gives the frame that answers it.
async fn claim(raw: &mut Raw, code: &str) -> (u8, Vec<u8>) {
    let claim = json!({"type": "use_pairing_code", "code": code}).to_string();
    raw.say(FIN | TEXT, claim.as_bytes()).await;
    raw.hear().await.expect("an answer")
}

/// Guesses as often as a guest at one address may, and then knows the code; all of it fails in the same words.
async fn guess(server: &Process, address: usize, code: &Slot) {
    let mut raw = guest_from(server, address).await;
    let wrong = ["222", "333", "444", "555"].into_iter();
    let wrong = wrong.filter(|wrong| *wrong != code.as_str());
    let mut answers = Vec::new();
    for code in wrong.take(3).chain([code.as_str()]) {
        answers.push(claim(&mut raw, code).await);
    }
    answers.dedup();
    let failed = json!({"type": "pairing_failed", "reason": "code_invalid"});
    let [(_, answer)] = &answers[..] else {
        panic!("one failure differs from another: {answers:?}")
    };
    let answer: serde_json::Value = serde_json::from_slice(answer).expect("JSON");
    assert_eq!(answer, failed);
}

async fn new_code(server: &Process, number: u8) -> (Client, Slot) {
    let (mut client, _) = Client::device(server.address, number).await;
    let made = client.ask(json!({"type": "create_pairing_code"})).await;
    let code = made["code"].as_str().expect("a code");
    (client, Slot::parse(code).expect("a slot"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_guesses_from_a_thousand_addresses_finds_nothing_and_makes_codes_longer() {
    let redis = RedisServer::start();
    let url = redis.url();
    let start = |name| {
        let shared = ["--redis-url", &url, "--instance", name];
        Process::start(&[&shared[..], &["--trusted-proxies", "127.0.0.1"]].concat())
    };
    let servers = [start("a"), start("b")];
    for server in &servers {
        until_status(server.address, "/ready", "200").await;
    }
    harm(&servers[0], 32 << 20, async {
        let (mut alice, code) = new_code(&servers[0], 1).await;
        assert_eq!(code.as_str().len(), 3, "{code}");
        let begun = Instant::now();
        let mut numbers = 10..;
        for (wave, first) in (0..ADDRESSES).step_by(AT_ONCE).enumerate() {
            let addresses = first..ADDRESSES.min(first + AT_ONCE);
            let guesses = addresses.map(|address| guess(&servers[address % 2], address, &code));
            // Others pair meanwhile, across the instances.
            let at = [0, 1].map(|which| servers[(which + wave) % 2].address);
            let pairing = pair(at, [0; 2].map(|_| numbers.next().expect("a number")));
            tokio::join!(join_all(guesses), pairing);
            // Each instance has seen 480 failures in the first wave, fewer than its own brake would take; both together 960.
            for server in &servers {
                let number = numbers.next().expect("a number");
                let (_, long) = new_code(server, number).await;
                assert_eq!(long.as_str().len(), 4, "{long} after {}", first + AT_ONCE);
            }
        }
        println!(
            "{} guesses from {ADDRESSES} addresses took {:?}",
            3 * ADDRESSES,
            begun.elapsed()
        );
        // The code that all of them knew in the end is there for somebody who has not guessed.
        let mut bob = guest_from(&servers[1], ADDRESSES).await;
        let (_, answer) = claim(&mut bob, code.as_str()).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["type"], "paired", "{answer}");
        assert_eq!(alice.hear().await["type"], "paired");
    })
    .await;
}

#[tokio::test]
async fn process_every_claim_that_fails_is_answered_by_the_same_bytes() {
    let redis = RedisServer::start();
    let url = redis.url();
    for shared in [&[][..], &["--redis-url", &url, "--instance", "a"]] {
        let own = ["--trusted-proxies", "127.0.0.1", "--code-seconds", "2"];
        let server = Process::start(&[shared, &own].concat());
        until_status(server.address, "/ready", "200").await;
        let (mut creator, used) = new_code(&server, 1).await;
        let mut claimer = guest_from(&server, 0).await;
        claim(&mut claimer, used.as_str()).await;
        assert_eq!(creator.hear().await["type"], "paired");
        let (mut forgetful, expired) = new_code(&server, 2).await;
        assert_eq!(forgetful.hear().await["reason"], "expired");
        let (mut fickle, cancelled) = new_code(&server, 3).await;
        fickle.say(json!({"type": "cancel_pairing_code"})).await;
        fickle.ask(json!({"type": "ping"})).await;
        let taken = [&used, &expired, &cancelled];
        let mut free = (0..).map(|number| Slot::from_number(number, 3));
        let free = free.find(|free| !taken.contains(&free));
        let free = free.expect("a free one").to_string();

        let mut answers = Vec::new();
        for (number, code) in [
            used.as_str(),
            expired.as_str(),
            cancelled.as_str(),
            &free,
            "?",
        ]
        .into_iter()
        .enumerate()
        {
            let mut raw = guest_from(&server, 1 + number).await;
            answers.push((code, claim(&mut raw, code).await));
        }
        // What its own guest claims, and what is right but cannot be paid.
        let mut raw = guest_from(&server, 100).await;
        raw.say(FIN | TEXT, br#"{"type":"create_pairing_code"}"#)
            .await;
        let (_, made) = raw.hear().await.expect("a code");
        let made: serde_json::Value = serde_json::from_slice(&made).expect("JSON");
        let own = made["code"].as_str().expect("a code");
        for _ in 0..3 {
            answers.push(("its own", claim(&mut raw, own).await));
        }
        let (_waiting, right) = new_code(&server, 4).await;
        answers.push(("not paid", claim(&mut raw, right.as_str()).await));
        for (what, answer) in &answers {
            assert_eq!(*answer, answers[0].1, "{what}");
        }
    }
}

/// Addresses that guess.
const ADDRESSES: usize = 1000;

/// Of them at once: so many that each instance alone sees fewer failures in the first wave than its own brake takes,
/// 500, and both together see more.
const AT_ONCE: usize = 320;
