//! When a connection is measured: while it carries something, and not at rest.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use towline_core::io::{NetworkEvent, NetworkRequest, Path};
use towline_wire::peer::Control;

use super::nodes::{Node, connect, connected_pair, pair};
use super::servers::Hop;
use crate::network::session::worth_measuring;

/// Longer than a path may be silent under load before the core doubts it.
const SILENCE: Duration = Duration::from_millis(500);

/// A short round trip.
const RTT: Duration = Duration::from_millis(20);

/// More bytes than handshakes, acknowledgements and the search for the path's MTU ever take.
const MANY: u64 = 100_000;

/// A frame of more than [`MANY`] bytes.
fn long() -> Control {
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 7));
    Control::Addresses(vec![addr; 20_000])
}

/// The next measurement: bytes sent and received, and the silence.
async fn measured(node: &mut Node) -> (u64, u64, Duration) {
    node.until(|event| match event {
        NetworkEvent::Measured {
            sent_bytes,
            received_bytes,
            silent_for,
            ..
        } => Some((*sent_bytes, *received_bytes, *silent_for)),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_connection_at_rest_is_not_measured_until_something_is_sent() {
    let (sent, last) = (Notify::new(), Instant::now());
    let mut waits = Box::pin(worth_measuring(&sent, last, RTT));
    // Time jumps to the next timer, and the only one is this test's.
    timeout(Duration::from_secs(3600), &mut waits)
        .await
        .expect_err("nothing was sent");
    let began = Instant::now();
    sent.notify_one();
    waits.await;
    assert_eq!(began.elapsed(), Duration::from_millis(400));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_far_peer_is_measured_when_the_answer_has_come() {
    let sent = Notify::new();
    let began = Instant::now();
    sent.notify_one();
    worth_measuring(&sent, began, Duration::from_millis(600)).await;
    assert_eq!(began.elapsed(), Duration::from_millis(900));
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_is_measured_every_half_second_and_not_once_more() {
    let sent = Notify::new();
    for _ in 0..3 {
        let last = Instant::now();
        let send = async {
            sleep(Duration::from_millis(490)).await;
            sent.notify_one();
        };
        sent.notify_one();
        tokio::join!(worth_measuring(&sent, last, RTT), send);
        assert_eq!(last.elapsed(), Duration::from_millis(500));
    }
    // What was sent in the half second before is measured already.
    let next = worth_measuring(&sent, Instant::now(), RTT);
    assert!(next.now_or_never().is_none());
}

#[tokio::test]
async fn what_moves_after_a_rest_is_measured_on_both_sides() {
    let (mut dialer, mut acceptor) = connected_pair().await;
    let (mut sent, ..) = measured(&mut dialer).await;
    let (_, mut received, _) = measured(&mut acceptor).await;
    for _ in 0..2 {
        let (sent_before, received_before) = (sent, received);
        dialer
            .network
            .request(NetworkRequest::Send(acceptor.id, long()));
        while sent < sent_before + MANY {
            (sent, ..) = measured(&mut dialer).await;
        }
        while received < received_before + MANY {
            (_, received, _) = measured(&mut acceptor).await;
        }
    }
}

#[tokio::test]
async fn the_end_of_a_flow_shows_its_silence_to_who_only_receives() {
    let (mut dialer, mut acceptor) = pair().await;
    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(hop.addr)).await;
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, long()));
    let (mut silent_for, mut received) = (Duration::ZERO, 0);
    while received < MANY || silent_for < SILENCE {
        (_, received, silent_for) = measured(&mut acceptor).await;
    }
}

#[tokio::test]
async fn what_is_sent_into_a_dead_path_shows_its_silence() {
    let (mut dialer, mut acceptor) = pair().await;
    let hop = Hop::before(acceptor.addr()).await;
    dialer.prove(acceptor.id, hop.addr).await;
    connect(&mut dialer, &mut acceptor, Path::Direct(hop.addr)).await;
    let (before, ..) = measured(&mut dialer).await;
    hop.cut();
    dialer
        .network
        .request(NetworkRequest::Send(acceptor.id, long()));
    let began = Instant::now();
    loop {
        let (sent, _, silent_for) = measured(&mut dialer).await;
        if sent > before && silent_for >= SILENCE {
            break;
        }
    }
    println!("silence shows after {:?}", began.elapsed());
}
