//! Devices that lose their server and come back by the rules of the engine's client: after the time that a draining
//! server names, else after a pause that doubles with each failure in a row from one second to a minute, half of it by
//! chance. 15 s for TCP, TLS and HTTP, 10 s for each answer. What the protocol calls fatal is for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::{Error, Message};
use towline_wire::signal::{CloseCode, Notice, ServerMessage};

use super::client::{Side, Ways};
use super::{Crowd, quantile, tell};

/// What happens to a device.
enum Change {
    Here { number: u32, at: Instant },
    Gone { number: u32, at: Instant },
    Failed(String),
    ForGood(String),
}

pub(super) async fn run(crowd: Crowd) -> Result<()> {
    let ways = Arc::new(Ways::of(&crowd)?);
    let (changes, mut changed) = mpsc::channel(1024);
    let mut all = JoinSet::new();
    for number in crowd.first..crowd.first + crowd.count {
        let begin = Duration::from_secs_f64(f64::from(number - crowd.first) / FIRST_PER_SECOND);
        all.spawn(device(ways.clone(), number, begin, changes.clone()));
    }
    drop(changes);
    let mut here = 0;
    while here < crowd.count {
        match changed.recv().await {
            Some(Change::Here { .. }) => here += 1,
            // Handshakes of thousands; who fails comes again.
            Some(Change::Failed(_)) => {}
            Some(Change::ForGood(why)) => bail!("{why} at the beginning"),
            Some(Change::Gone { .. }) => bail!("somebody is gone at the beginning"),
            None => bail!("nobody is left"),
        }
    }
    tell(&json!({"event": "here"}))?;
    let (mut gone, mut away) = (BTreeMap::new(), Vec::new());
    let (mut failed, mut for_good) = (BTreeMap::<String, u64>::new(), 0_u32);
    while away.len() + (for_good as usize) < crowd.count as usize {
        match changed.recv().await {
            Some(Change::Here { number, at }) => {
                if let Some(since) = gone.remove(&number) {
                    away.push(at.duration_since(since));
                }
            }
            Some(Change::Gone { number, at }) => {
                gone.insert(number, at);
            }
            Some(Change::Failed(why)) => *failed.entry(why).or_default() += 1,
            Some(Change::ForGood(why)) => {
                *failed.entry(why).or_default() += 1;
                for_good += 1;
            }
            None => bail!("nobody is left"),
        }
    }
    away.sort();
    tell(&json!({
        "event": "back",
        "count": away.len(),
        "for_good": for_good,
        "failed": failed,
        "p50": quantile(&away, 500),
        "p99": quantile(&away, 990),
        "longest": quantile(&away, 1000),
    }))
}

async fn device(ways: Arc<Ways>, number: u32, begin: Duration, changes: mpsc::Sender<Change>) {
    sleep(begin).await;
    let (mut failures, mut steady) = (0, Duration::ZERO);
    // Who does not listen any more has heard enough.
    loop {
        let pause = match ways.register(number, Side::First).await {
            Ok(client) => {
                let since = Instant::now();
                let here = Change::Here { number, at: since };
                if changes.send(here).await.is_err() {
                    return;
                }
                let mut socket = client.socket;
                let end = loop {
                    match socket.next().await {
                        Some(Ok(Message::Text(text))) => {
                            let told = Notice::from_json(&text).map(|notice| notice.message);
                            if let Ok(ServerMessage::Draining { reconnect_after_ms }) = told {
                                break End::Told(Duration::from_millis(reconnect_after_ms));
                            }
                        }
                        Some(Ok(Message::Close(Some(frame)))) => {
                            break End::Closed(frame.code.into());
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break End::Lost,
                    }
                };
                // The first session stands for one that has lasted for long.
                if since.elapsed() >= steady {
                    failures = 0;
                }
                steady = STEADY;
                let gone = Change::Gone {
                    number,
                    at: Instant::now(),
                };
                if changes.send(gone).await.is_err() {
                    return;
                }
                match end {
                    End::Told(wait) => {
                        // What it still says nobody reads.
                        drop(socket);
                        wait
                    }
                    End::Closed(code) if is_fatal(code) => {
                        let _ = changes.send(Change::ForGood(code.to_string())).await;
                        return;
                    }
                    End::Closed(_) | End::Lost => next(&mut failures),
                }
            }
            Err(error) => {
                if changes.send(Change::Failed(reason(&error))).await.is_err() {
                    return;
                }
                next(&mut failures)
            }
        };
        sleep(pause).await;
    }
}

enum End {
    /// It was told to come again.
    Told(Duration),
    Closed(u16),
    Lost,
}

fn is_fatal(code: u16) -> bool {
    CloseCode::from_number(code).is_some_and(|code| !code.is_retryable())
}

fn next(failures: &mut u32) -> Duration {
    let full = Duration::from_secs((1 << (*failures).min(6)).min(60));
    *failures += 1;
    let half = full / 2;
    // Where the system has no chance to give, the longest pause is a pause all the same.
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// In a few words, to be counted.
fn reason(error: &anyhow::Error) -> String {
    if let Some(Error::Http(answer)) = error.downcast_ref::<Error>() {
        return format!("HTTP {}", answer.status().as_u16());
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return error.kind().to_string();
    }
    error.to_string()
}

/// How they come at first: 250 a second, a tenth of what a core takes with TLS.
const FIRST_PER_SECOND: f64 = 250.0;

/// How long a session must last to count as working: 60 s.
const STEADY: Duration = Duration::from_secs(60);
