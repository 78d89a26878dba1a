//! Somebody who uses the server while others mean harm: how long an answer takes at worst, and what it costs.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::super::client::Client;
use super::super::process::Process;

/// What somebody else got meanwhile.
#[derive(Debug, Default)]
struct Served {
    rounds: u32,
    worst: Duration,
}

/// Does harm, and shows that others are served meanwhile and afterwards, and that the server's memory has not grown by
/// more than so many bytes at any time.
pub(super) async fn harm<T>(server: &Process, bytes_max: u64, doing: impl Future<Output = T>) -> T {
    let stop = CancellationToken::new();
    let witness = tokio::spawn(use_until(server.address, stop.clone()));
    let before = server.begin_peak();
    let done = doing.await;
    let grown = server.peak_bytes().saturating_sub(before);
    stop.cancel();
    let Served { rounds, worst } = witness.await.expect("others are served");
    println!(
        "others had {rounds} rounds, the worst of {worst:?}; memory grew by {grown} bytes at most"
    );
    assert!(rounds > 0, "there was time for a round");
    assert!(worst < WORST, "somebody else waited {worst:?}");
    assert!(grown < bytes_max, "memory grew by {grown} bytes");
    done
}

/// Two devices that tell each other something, and guests that come anew, again and again.
async fn use_until(address: SocketAddr, stop: CancellationToken) -> Served {
    let (mut alice, alice_id) = Client::device(address, 201).await;
    let (mut bob, bob_id) = Client::device(address, 202).await;
    alice.say(json!({"type": "watch", "peers": [bob_id]})).await;
    bob.say(json!({"type": "watch", "peers": [alice_id]})).await;
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.hear().await["type"], "peer_connected");
    }
    let mut served = Served::default();
    // Within what one client may ask.
    let mut pace = interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        let begun = Instant::now();
        let payload = served.rounds;
        alice
            .say(json!({"type": "relay", "to": bob_id, "payload": payload}))
            .await;
        assert_eq!(bob.hear().await["payload"], payload);
        drop(Client::guest(address).await);
        served.rounds += 1;
        served.worst = served.worst.max(begun.elapsed());
        if stop.is_cancelled() {
            return served;
        }
    }
}

/// Longest that somebody else may wait for a round on a busy machine, in which four round trips and a connection are.
const WORST: Duration = Duration::from_secs(5);
