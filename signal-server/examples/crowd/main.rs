//! The clients that `cargo xtask bench signal` lets loose on real servers.
//!
//! One process is some thousand devices, each with a key of its own and its own connection. What they do is the
//! first word; what there is to know is a JSON object per line on standard output. Processor time and memory are
//! measured from outside, between the lines `begin` and `end`. A process lasts until it is ended, unless what it does
//! has an end.

mod carry;
mod client;
mod come_back;
mod pair;
mod rest;
mod talk;
mod trip;
mod volley;

use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::sleep;

#[derive(Debug, Parser)]
struct Words {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Writes a certificate for 127.0.0.1 and its key into a directory.
    Certificate { into: PathBuf },
    /// Registers and is there.
    Rest(Crowd),
    /// Pairs say something to each other, so many messages at a time and so often.
    Talk {
        #[command(flatten)]
        crowd: Crowd,
        /// Messages that each client sends at a time.
        #[arg(long)]
        together: u32,
        /// Milliseconds from one time to the next.
        #[arg(long)]
        every_ms: u64,
        #[arg(long)]
        seconds: u64,
    },
    /// Pairs answer each other at once.
    Volley {
        #[command(flatten)]
        crowd: Crowd,
        /// Messages on their way in each pair.
        #[arg(long)]
        together: u32,
        #[arg(long)]
        seconds: u64,
    },
    /// Packets go round in the channels of pairs.
    Carry {
        #[command(flatten)]
        crowd: Crowd,
        /// Packets in each channel.
        #[arg(long)]
        packets: usize,
        #[arg(long)]
        seconds: u64,
    },
    /// Pairs ask and answer, one after the other.
    Trip {
        #[command(flatten)]
        crowd: Crowd,
        /// Questions of each pair.
        #[arg(long)]
        times: usize,
    },
    /// Pairs make codes and claim them.
    Pair {
        #[command(flatten)]
        crowd: Crowd,
        #[arg(long)]
        per_second: u32,
        #[arg(long)]
        seconds: u32,
    },
    /// Is there, and comes back as a device does when the server is gone.
    ComeBack(Crowd),
}

/// Who connects to what.
#[derive(Debug, Clone, Args)]
struct Crowd {
    /// A server; where there are two, the first of each pair is at the first one.
    #[arg(long, required = true)]
    at: Vec<SocketAddr>,
    /// Speaks TLS and trusts this certificate only.
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// Devices, or pairs of them.
    #[arg(long)]
    count: u32,
    /// The number of the first device, so that each process has others.
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// Loopback addresses to come from.
    #[arg(long, default_value_t = 100)]
    addresses: u32,
    /// Says to come from public addresses, as a proxy would.
    #[arg(long)]
    forwarded: bool,
}

fn main() -> Result<()> {
    match Words::parse().what {
        What::Certificate { into } => write_certificate(&into),
        What::Rest(crowd) => many()?.block_on(rest::run(crowd)),
        What::Talk {
            crowd,
            together,
            every_ms,
            seconds,
        } => {
            let every = Duration::from_millis(every_ms);
            many()?.block_on(talk::run(
                crowd,
                together,
                every,
                Duration::from_secs(seconds),
            ))
        }
        What::Volley {
            crowd,
            together,
            seconds,
        } => many()?.block_on(volley::run(crowd, together, Duration::from_secs(seconds))),
        What::Carry {
            crowd,
            packets,
            seconds,
        } => many()?.block_on(carry::run(crowd, packets, Duration::from_secs(seconds))),
        // What is measured is the server's time and not that of threads here that wake each other.
        What::Trip { crowd, times } => Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(trip::run(crowd, times)),
        What::Pair {
            crowd,
            per_second,
            seconds,
        } => many()?.block_on(pair::run(crowd, per_second, seconds)),
        What::ComeBack(crowd) => many()?.block_on(come_back::run(crowd)),
    }
}

fn many() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

fn write_certificate(into: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(into.join("cert.pem"), made.cert.pem())?;
    std::fs::write(into.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(())
}

/// One line for whoever has started this.
fn tell(what: &Value) -> Result<()> {
    Ok(writeln!(stdout(), "{what}")?)
}

/// Tells how much all of them together hear in so long, after they have warmed up.
async fn count(
    mut all: JoinSet<Result<()>>,
    heard: &AtomicU64,
    warm: Duration,
    long: Duration,
) -> Result<()> {
    sleep(warm).await;
    let (before, since) = (heard.load(Ordering::Relaxed), Instant::now());
    tell(&json!({"event": "begin"}))?;
    tokio::select! {
        () = sleep(long) => {}
        ended = all.join_next() => {
            ended.context("nobody is there")???;
            bail!("somebody has ended");
        }
    }
    let count = heard.load(Ordering::Relaxed) - before;
    let seconds = since.elapsed().as_secs_f64();
    tell(&json!({"event": "end", "count": count, "seconds": seconds}))
}

/// The value that so many of a thousand do not exceed, in microseconds.
fn quantile(sorted: &[Duration], thousandths: usize) -> Value {
    let at = (sorted.len() * thousandths).div_ceil(1000).max(1) - 1;
    sorted.get(at).map_or(Value::Null, |value| {
        (value.as_nanos() as f64 / 1000.0).into()
    })
}
