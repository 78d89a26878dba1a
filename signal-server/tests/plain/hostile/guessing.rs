//! Many addresses that guess codes, each within what it may.

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::super::client::Client;
use super::super::instances::until_status;
use super::super::process::Process;
use super::super::redis::RedisServer;
use super::raw::{FIN, Raw, TEXT};
use super::witness::harm;

/// Guesses as often as a guest at one address may; all of it fails in the same words.
async fn guess(server: &Process, address: usize) {
    let raw = Raw::connect(server.address).await;
    let from = format!(
        "X-Forwarded-For: 198.18.{}.{}\r\n",
        address / 250,
        address % 250
    );
    let mut raw = raw.guest_from(&from).await;
    let mut answers = Vec::new();
    for code in ["222", "333", "444"] {
        let claim = json!({"type": "use_pairing_code", "code": code}).to_string();
        raw.say(FIN | TEXT, claim.as_bytes()).await;
        answers.push(raw.hear().await.expect("an answer"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "no failure differs from another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_guesses_from_many_addresses_makes_codes_longer_at_all_instances() {
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
        let begun = Instant::now();
        // Each instance sees 480 failures, fewer than its own brake would take; both together see 960.
        let guesses = (0..320).map(|address| guess(&servers[address % 2], address));
        join_all(guesses).await;
        println!("960 guesses from 320 addresses took {:?}", begun.elapsed());
        for (server, number) in servers.iter().zip(1..) {
            let (mut client, _) = Client::device(server.address, number).await;
            let code = client.ask(json!({"type": "create_pairing_code"})).await;
            let code = code["code"].as_str().expect("a code").to_owned();
            assert_eq!(code.len(), 4, "{code}");
        }
    })
    .await;
}
