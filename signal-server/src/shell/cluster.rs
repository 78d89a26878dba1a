//! The other instances, by way of Redis.
//!
//! One task carries the questions of the hub to Redis, in their order and many at once, and what other instances
//! say to the hub. Each question is one run of a Lua script, so that Redis does it whole. It is connected twice: once
//! to ask and to speak, once to listen on the channel of this instance. When either connection is lost, or answers are
//! late five times in a row, the hub is told that the store is out of reach; when both stand again, and the channel
//! is subscribed, that it is back. Nothing waits for Redis but what needs it, and nothing is queued for it.

mod redis_url;
pub(super) mod words;

pub use redis_url::Redis;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, RedisError, RedisResult};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::hub::{Stopped, WeakHub};
use super::metrics::{Metrics, Way};
use crate::rendezvous::{Answer, Ask, Between, Input, NodeId, Reached, Ticket};

/// What the hub wants done.
#[derive(Debug)]
pub(super) enum Errand {
    /// Ask the store.
    Ask(Ticket, Ask),
    /// Tell another instance.
    Publish(NodeId, Between),
}

/// The task between the hub and Redis.
pub(super) struct Line {
    pub(super) redis: Redis,
    pub(super) node: NodeId,
    pub(super) errands: mpsc::Receiver<Errand>,
    /// Weak, so that the hub ends when its sessions have.
    pub(super) hub: WeakHub,
    pub(super) metrics: Arc<Metrics>,
}

/// Why a line ends.
enum End {
    /// Redis is out of reach.
    Lost,
    /// There is no hub any more.
    NoHub,
}

impl Line {
    /// Runs until the hub is gone, or `cancel`.
    pub(super) async fn run_until(mut self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = self.run() => {}
        }
    }

    async fn run(&mut self) {
        let mut wait = RETRY_MIN;
        loop {
            match timeout(CONNECT_WITHIN, self.connect()).await {
                Ok(Ok((asking, listening, script))) => {
                    wait = RETRY_MIN;
                    // What was asked of the connection that is lost has been answered by the hub itself.
                    while self.errands.try_recv().is_ok() {}
                    if self.tell(Input::Reach(Reached::Yes)).is_err() {
                        return;
                    }
                    tracing::info!(
                        event = "redis_reached",
                        "the other instances can be reached"
                    );
                    if let End::NoHub = self.carry(asking, listening, &script).await {
                        return;
                    }
                    self.metrics.lost_redis();
                    tracing::warn!(event = "redis_lost", "the other instances are out of reach");
                    if self.tell(Input::Reach(Reached::No)).is_err() {
                        return;
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(kind = error.category(), "cannot reach Redis");
                    if let Some(why) = redis_url::distrust(&error) {
                        tracing::warn!(
                            event = "redis_distrusted",
                            why,
                            "who answers in the place of Redis is not trusted"
                        );
                    } else if is_refusal(&error) {
                        tracing::warn!(
                            event = "redis_refuses",
                            kind = error.category(),
                            "Redis is there and refuses this server"
                        );
                    }
                }
                Err(_) => tracing::debug!("Redis does not answer"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    async fn connect(&self) -> RedisResult<(MultiplexedConnection, PubSub, String)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let client = self.redis.client();
        let mut asking = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let script: String = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(STORE)
            .query_async(&mut asking)
            .await?;
        let mut listening = client.get_async_pubsub().await?;
        listening.subscribe(words::channel(self.node)).await?;
        Ok((asking, listening, script))
    }

    async fn carry(
        &mut self,
        asking: MultiplexedConnection,
        listening: PubSub,
        script: &str,
    ) -> End {
        let (hub, metrics) = (self.hub.clone(), Arc::clone(&self.metrics));
        tokio::select! {
            end = self.ask(asking, script) => end,
            end = listen(listening, hub, metrics) => end,
        }
    }

    async fn ask(&mut self, mut redis: MultiplexedConnection, script: &str) -> End {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut late = 0;
        loop {
            batch.clear();
            let beat = if late > 0 { BEAT_LATE } else { BEAT };
            // Where there is nothing to do, the beat alone shows whether Redis is there.
            let some = timeout(beat, self.errands.recv()).await;
            match some {
                Ok(Some(first)) => fill(&mut batch, first, &mut self.errands),
                Ok(None) => return End::NoHub,
                Err(_) => {}
            }
            let (pipe, tickets) = pipeline(&batch, script, self.node);
            let asked = tickets.iter().flatten().count();
            self.metrics.between(Way::Out, batch.len() - asked);
            let begun = Instant::now();
            let answers: RedisResult<Vec<redis::Value>> = pipe.query_async(&mut redis).await;
            let took = answers.is_ok().then(|| begun.elapsed());
            self.metrics.asked_redis(asked, took);
            let answers = match answers {
                Ok(answers) => {
                    late = 0;
                    answers
                }
                Err(error) if error.is_timeout() && late + 1 < LATE_MAX => {
                    late += 1;
                    Vec::new()
                }
                Err(_) => return End::Lost,
            };
            let mut answers = answers.into_iter();
            if let Some(redis::Value::Int(0)) = answers.next() {
                return End::Lost;
            }
            for ticket in tickets {
                let value = answers.next();
                let Some(ticket) = ticket else { continue };
                let words = value.and_then(|value| redis::from_redis_value(value).ok());
                let answer = words.and_then(words::answer).unwrap_or(Answer::Unavailable);
                if self.tell(Input::Answered { ticket, answer }).is_err() {
                    return End::NoHub;
                }
            }
        }
    }

    fn tell(&self, input: Input) -> Result<(), End> {
        tell(&self.hub, input)
    }
}

fn tell(hub: &WeakHub, input: Input) -> Result<(), End> {
    let hub = hub.upgrade().ok_or(End::NoHub)?;
    hub.happened(input).map_err(|Stopped| End::NoHub)
}

/// What other instances say, to the hub.
async fn listen(listening: PubSub, hub: WeakHub, metrics: Arc<Metrics>) -> End {
    let mut messages = listening.into_on_message();
    while let Some(message) = messages.next().await {
        let heard = words::heard(message.get_payload_bytes());
        metrics.between(Way::In, heard.len());
        for between in heard {
            if tell(&hub, Input::Heard(between)).is_err() {
                return End::NoHub;
            }
        }
    }
    End::Lost
}

/// Puts together what goes to Redis at a time: the first errand, and others that wait as long as it is little work.
fn fill(batch: &mut Vec<Errand>, first: Errand, errands: &mut mpsc::Receiver<Errand>) {
    let mut work = first.work();
    batch.push(first);
    while work < BATCH_MAX
        && let Ok(next) = errands.try_recv()
    {
        work += next.work();
        batch.push(next);
    }
}

impl Errand {
    /// What Redis has to do for it, in questions about one id.
    fn work(&self) -> usize {
        match self {
            Self::Ask(_, Ask::Renew { present }) => present.len().max(1),
            Self::Ask(_, Ask::Find { ids }) => ids.len().max(1),
            Self::Ask(..) | Self::Publish(..) => 1,
        }
    }
}

/// A beat, which is an empty message to oneself and tells how many listen; then all errands in their order. Messages
/// that follow each other to one instance go as one. Gives whose answer each line is, after that of the beat.
fn pipeline(batch: &[Errand], script: &str, own: NodeId) -> (redis::Pipeline, Vec<Option<Ticket>>) {
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    pipe.cmd("PUBLISH")
        .arg(words::channel(own))
        .arg(words::told(&[]));
    let mut tickets = Vec::with_capacity(batch.len());
    let mut errands = batch.iter().peekable();
    while let Some(errand) = errands.next() {
        match errand {
            Errand::Ask(ticket, ask) => {
                let command = pipe.cmd("EVALSHA").arg(script).arg(0);
                command.arg(words::question(ask));
                tickets.push(Some(*ticket));
            }
            Errand::Publish(node, message) => {
                let mut messages = vec![message.clone()];
                while let Some(Errand::Publish(same, next)) = errands.peek()
                    && same == node
                    && messages.len() < TOGETHER_MAX
                {
                    messages.push(next.clone());
                    errands.next();
                }
                pipe.cmd("PUBLISH")
                    .arg(words::channel(*node))
                    .arg(words::told(&messages));
                tickets.push(None);
            }
        }
    }
    (pipe, tickets)
}

/// Whether Redis is there and wants something else: a password, most likely.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some()
}

/// The steps of the store.
const STORE: &str = concat!(
    include_str!("cluster/store.lua"),
    include_str!("cluster/rooms.lua"),
    include_str!("cluster/dispatch.lua"),
);

/// Errands that wait for Redis: 16,384, as many as the rendezvous asks at once. When it is full, what is asked is
/// answered as if Redis were out of reach, and messages are lost.
pub(super) const ERRANDS_MAX: usize = 1 << 14;

/// Work that goes to Redis together: 256 ids, or the one question about up to 500; a few milliseconds of its time. All that
/// an instance renews at once would take longer than an answer may, where several do it on a busy machine; then each
/// takes Redis for lost, comes back and renews again, for ever.
const BATCH_MAX: usize = 256;

/// Messages to one instance that go as one: 16.
const TOGETHER_MAX: usize = 16;

/// Time for an answer: 250 ms, a thousand times what Redis takes; clients wait no longer to be told to come again.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// Late answers in a row after which Redis counts as lost: 5, so that it is not waited for over and over.
const LATE_MAX: u32 = 5;

/// Time without errands after which Redis is asked whether it is there: a second.
const BEAT: Duration = Duration::from_secs(1);

/// The same after a late answer: at once, nearly.
const BEAT_LATE: Duration = Duration::from_millis(10);

/// Time for both connections to stand: 2 s, a TCP retransmission included.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Wait before the first new attempt: 100 ms; a restart of Redis takes little more.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// Longest wait between attempts: 2 s.
const RETRY_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
#[cfg(unix)]
mod tests;
