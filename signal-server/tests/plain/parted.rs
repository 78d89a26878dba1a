//! One of three instances is cut off from Redis, and comes back.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::client::Client;
use super::friends::{Friend, RETRY, all_pair, friends_at, nobody_is_missed, pair, speak};
use super::instances::{connected, disconnected, page, until_status};
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
    let third = Process::start(&["--redis-url", &url, "--instance", "c"]);
    let at = [first.address, second.address, third.address];
    for address in at {
        until_status(address, "/ready", "200").await;
    }
    let [mut alice, mut bob, mut grace] = friends_at(at).await;
    let mut carol = Friend::come(at[0], 4).await;
    let room = alice.answer(&json!({"type": "create_room"})).await["room_code"].clone();
    let join = json!({"type": "join_room", "room_code": room});
    for friend in [&mut bob, &mut grace, &mut carol] {
        assert_eq!(friend.answer(&join).await["type"], "joined_room");
    }
    let joined = |id: &str| json!({"type": "peer_joined", "room_code": room, "peer_id": id, "display_name": ""});
    let left = |id: &str| json!({"type": "peer_left", "room_code": room, "peer_id": id});
    for friend in [&mut bob, &mut grace] {
        friend.hears(&joined(&carol.id)).await;
    }

    way.become_(State::Silent);
    let cut = Instant::now();
    for refused in [
        json!({"type": "create_pairing_code"}),
        json!({"type": "use_pairing_code", "code": "222"}),
        json!({"type": "create_room"}),
    ] {
        let heard = alice.answer(&refused).await;
        assert_eq!(heard["code"], "unavailable", "{refused}: {heard}");
    }
    println!("refused {:?} after the cut", cut.elapsed());
    // Within the instance all goes on, also the room.
    offer(&mut carol, &mut alice, "within").await;
    // The two others go on with each other, and miss those who were at this one.
    speak(&mut bob, &mut grace).await;
    offer(&mut grace, &mut bob, "beside").await;
    pair([at[1], at[2]], [10, 11]).await;
    println!("the two others pair {:?} after the cut", cut.elapsed());
    for friend in [&mut bob, &mut grace] {
        for missing in [left(&alice.id), left(&carol.id), disconnected(&alice.id)] {
            friend.hears(&missing).await;
        }
    }
    println!("missed by both others {:?} after the cut", cut.elapsed());
    until_status(at[0], "/ready", "503").await;
    println!("not ready {:?} after the cut", cut.elapsed());
    for address in [at[1], at[2]] {
        until_status(address, "/ready", "200").await;
    }
    until_status(at[0], "/health", "200").await;
    let ready = page(at[0], "/ready").await;
    assert!(ready.contains(r#""redis":"out_of_reach""#), "{ready}");
    assert!(number(at[0], "towline_redis_out_of_reach_seconds").await > 10.0);
    let unanswered = "towline_redis_questions_total{result=\"unanswered\"}";
    assert!(number(at[0], unanswered).await >= 3.0);
    for (address, losses) in at.into_iter().zip([1.0, 0.0, 0.0]) {
        let counted = number(address, "towline_redis_losses_total").await;
        assert_eq!(counted, losses);
    }
    for to in [&bob.id, &grace.id] {
        let refused = json!({"type": "relay", "to": to, "payload": 1});
        assert_eq!(alice.answer(&refused).await["code"], "unavailable");
    }
    // For a minute devices are still taken in. One of them is soon at the other instance, as the proxy sends it there.
    let (mut frank, _) = Client::device(at[0], 6).await;
    let (mut moved, _) = Client::device(at[1], 6).await;
    // By now all that the two others were to miss is missed; each other they have not missed.
    speak(&mut bob, &mut grace).await;
    nobody_is_missed(&[&bob, &grace]);
    assert!(!bob.has_heard(&left(&grace.id)) && !grace.has_heard(&left(&bob.id)));

    way.become_(State::Open);
    let back = Instant::now();
    until_status(at[0], "/ready", "200").await;
    println!("ready {:?} after the way was open again", back.elapsed());
    assert_eq!(
        number(at[0], "towline_redis_out_of_reach_seconds").await,
        0.0
    );
    assert_eq!(frank.hear_close().await, 4009, "the newest place counts");
    assert_eq!(moved.ask(json!({"type": "ping"})).await["type"], "pong");
    for friend in [&mut bob, &mut grace] {
        for wanted in [joined(&alice.id), joined(&carol.id), connected(&alice.id)] {
            friend.hears(&wanted).await;
        }
    }
    println!("all meet again {:?} after the way was open", back.elapsed());
    for friend in [&mut bob, &mut grace] {
        speak(&mut alice, friend).await;
        offer(friend, &mut carol, "again").await;
    }
    speak(&mut bob, &mut grace).await;
    all_pair(at, 20).await;

    // A way whose end is told is noticed at once, and gone as soon as it is open.
    way.become_(State::Closed);
    let code = json!({"type": "create_pairing_code"});
    while alice.answer(&code).await["code"] != "unavailable" {}
    way.become_(State::Open);
    let back = Instant::now();
    let opens = timeout(PATIENCE, async {
        while alice.answer(&code).await["type"] != "pairing_code" {
            sleep(RETRY).await;
        }
    });
    opens.await.expect("codes are given again");
    println!("a code {:?} after the way was open again", back.elapsed());
}

/// Offers something to somebody who shares a room, and is heard.
async fn offer(from: &mut Friend, to: &mut Friend, what: &str) {
    from.client
        .say(json!({"type": "offer", "to": to.id, "sdp": what}))
        .await;
    to.hears(&json!({"type": "offer", "from": from.id, "sdp": what}))
        .await;
}

/// One of the numbers for Prometheus.
async fn number(address: SocketAddr, name: &str) -> f64 {
    let numbers = page(address, "/metrics").await;
    let line = numbers.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{name} is not among {numbers}"))
}
