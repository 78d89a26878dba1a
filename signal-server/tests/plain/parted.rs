//! One of two instances is cut off from Redis, and comes back.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::client::Client;
use super::instances::{
    acquainted, connected, disconnected, hear_until, page, relay, until_status,
};
use super::process::Process;
use super::redis::RedisServer;
use super::server::PATIENCE;

/// A way to Redis that can be cut.
struct Way {
    state: watch::Sender<State>,
    url: String,
}

/// What a way does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It carries it.
    Open,
    /// It keeps it, and nobody is told.
    Silent,
    /// It ends all connections.
    Closed,
}

impl Way {
    async fn to(redis: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has free ports");
        let at = listener.local_addr().expect("it is bound");
        let (state, seen) = watch::channel(State::Open);
        let socket = redis.socket();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() == State::Closed {
                    continue;
                }
                let far = UnixStream::connect(&socket).await;
                let far = far.expect("Redis listens");
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(carry(near_in, far_out, seen.clone()));
                tokio::spawn(carry(far_in, near_out, seen.clone()));
            }
        });
        let url = format!("redis://{at}");
        Self { state, url }
    }

    fn become_(&self, state: State) {
        self.state.send_replace(state);
    }
}

/// Carries bytes one way while the way is open.
async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut state: watch::Receiver<State>,
) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let now = *state.borrow_and_update();
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            count = from.read(&mut bytes), if now == State::Open => {
                let Ok(count @ 1..) = count else { return };
                if to.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        }
        if *state.borrow() == State::Closed {
            return;
        }
    }
}

#[tokio::test]
async fn process_an_instance_that_is_cut_off_from_redis_goes_on_alone_and_comes_back() {
    let redis = RedisServer::start();
    let way = Way::to(&redis).await;
    let url = redis.url();
    let first = Process::start(&["--redis-url", &way.url, "--instance", "a"]);
    let second = Process::start(&["--redis-url", &url, "--instance", "b"]);
    for server in [&first, &second] {
        until_status(server.address, "/ready", "200").await;
    }
    let [(mut alice, alice_id), (mut bob, bob_id)] =
        acquainted(first.address, second.address).await;
    let (mut carol, carol_id) = Client::device(first.address, 3).await;
    let room = alice.ask(json!({"type": "create_room"})).await["room_code"].clone();
    let join = json!({"type": "join_room", "room_code": room});
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.ask(join.clone()).await["type"], "joined_room");
    }
    let joined = |id: &str| json!({"type": "peer_joined", "room_code": room, "peer_id": id, "display_name": ""});
    let left = |id: &str| json!({"type": "peer_left", "room_code": room, "peer_id": id});
    hear_until(&mut bob, &joined(&carol_id)).await;

    way.become_(State::Silent);
    let cut = Instant::now();
    for refused in [
        json!({"type": "create_pairing_code"}),
        json!({"type": "use_pairing_code", "code": "222"}),
        json!({"type": "create_room"}),
    ] {
        let heard = answer(&mut alice, &refused).await;
        assert_eq!(heard["code"], "unavailable", "{refused}: {heard}");
    }
    println!("refused {:?} after the cut", cut.elapsed());
    // Within the instance all goes on, also the room.
    carol
        .say(json!({"type": "offer", "to": alice_id, "sdp": "within"}))
        .await;
    let within = json!({"type": "offer", "from": carol_id, "sdp": "within"});
    hear_until(&mut alice, &within).await;
    // The other instance serves codes, and misses those who were at this one.
    let (mut dora, dora_id) = Client::device(second.address, 4).await;
    let code = dora.ask(json!({"type": "create_pairing_code"})).await;
    let (mut eve, _) = Client::device(second.address, 5).await;
    let claim = json!({"type": "use_pairing_code", "code": code["code"]});
    let paired = json!({"type": "paired", "peer_id": dora_id});
    assert_eq!(eve.ask(claim).await, paired);
    let mut missing = vec![left(&alice_id), left(&carol_id), disconnected(&alice_id)];
    let missed = timeout(PATIENCE, async {
        while !missing.is_empty() {
            let heard = bob.hear().await;
            missing.retain(|message| *message != heard);
        }
    });
    missed
        .await
        .expect("those at the other instance are missed");
    println!(
        "missed at the other instance {:?} after the cut",
        cut.elapsed()
    );
    until_status(first.address, "/ready", "503").await;
    println!("not ready {:?} after the cut", cut.elapsed());
    until_status(second.address, "/ready", "200").await;
    until_status(first.address, "/health", "200").await;
    let ready = page(first.address, "/ready").await;
    assert!(ready.contains(r#""redis":"out_of_reach""#), "{ready}");
    assert!(number(first.address, "towline_redis_out_of_reach_seconds").await > 10.0);
    let unanswered = "towline_redis_questions_total{result=\"unanswered\"}";
    assert!(number(first.address, unanswered).await >= 3.0);
    assert_eq!(
        number(first.address, "towline_redis_losses_total").await,
        1.0
    );
    assert_eq!(
        number(second.address, "towline_redis_losses_total").await,
        0.0
    );
    let refused = json!({"type": "relay", "to": bob_id, "payload": 1});
    assert_eq!(answer(&mut alice, &refused).await["code"], "unavailable");
    // For a minute devices are still taken in. One of them is soon at the other instance, as the proxy sends it there.
    let (mut frank, _) = Client::device(first.address, 6).await;
    let (mut moved, _) = Client::device(second.address, 6).await;

    way.become_(State::Open);
    let back = Instant::now();
    until_status(first.address, "/ready", "200").await;
    println!("ready {:?} after the way was open again", back.elapsed());
    assert_eq!(
        number(first.address, "towline_redis_out_of_reach_seconds").await,
        0.0
    );
    assert_eq!(frank.hear_close().await, 4009, "the newest place counts");
    assert_eq!(moved.ask(json!({"type": "ping"})).await["type"], "pong");
    let mut missing = vec![joined(&alice_id), joined(&carol_id), connected(&alice_id)];
    let met = timeout(PATIENCE, async {
        while !missing.is_empty() {
            let heard = bob.hear().await;
            missing.retain(|message| *message != heard);
        }
    });
    met.await.expect("all are there again");
    println!("all meet again {:?} after the way was open", back.elapsed());
    relay(&mut alice, &mut bob, &bob_id).await;
    bob.say(json!({"type": "offer", "to": carol_id, "sdp": "again"}))
        .await;
    let again = json!({"type": "offer", "from": bob_id, "sdp": "again"});
    hear_until(&mut carol, &again).await;

    // A way whose end is told is noticed at once, and gone as soon as it is open.
    way.become_(State::Closed);
    let code = json!({"type": "create_pairing_code"});
    while answer(&mut alice, &code).await["code"] != "unavailable" {}
    way.become_(State::Open);
    let back = Instant::now();
    let opens = timeout(PATIENCE, async {
        while answer(&mut alice, &code).await["type"] != "pairing_code" {
            sleep(RETRY).await;
        }
    });
    opens.await.expect("codes are given again");
    println!("a code {:?} after the way was open again", back.elapsed());
}

/// Asks, and passes over what is no answer to it.
async fn answer(client: &mut Client, question: &Value) -> Value {
    let mut question = question.clone();
    question["id"] = json!("mine");
    client.say(question).await;
    let answer = timeout(PATIENCE, async {
        loop {
            let heard = client.hear().await;
            if heard["id"] == "mine" {
                return heard;
            }
        }
    });
    answer.await.expect("an answer")
}

/// One of the numbers for Prometheus.
async fn number(address: SocketAddr, name: &str) -> f64 {
    let numbers = page(address, "/metrics").await;
    let line = numbers.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{name} is not among {numbers}"))
}

/// Time between two tries, within what a client may ask.
const RETRY: Duration = Duration::from_millis(100);
