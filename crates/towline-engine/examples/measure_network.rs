//! One end of a stream that `cargo xtask bench network` measures.
//!
//! `receive CARRIER ADDRESS:PORT` prints where to send to, takes one stream and ends; `send CARRIER ADDRESS TO
//! BYTES` prints after how many seconds the other side had them all. A carrier is `towline`, `quinn`, or what goes
//! by way of a server whose address and port both are given: `relay` or `websocket`. `forward ADDRESS` is the server
//! of the latter, and prints where it is.

use std::env;
use std::io::{Write, stdout};

use towline_engine::measure::{Carrier, Failed, forward, receive, send};

fn main() -> Result<(), Failed> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // As all programs of ours begin; the others are as they come.
    if let [_, "towline" | "relay", ..] = words.as_slice() {
        towline_engine::let_heaps_breathe();
    }
    tokio::runtime::Runtime::new()?.block_on(run(&words))
}

async fn run(words: &[&str]) -> Result<(), Failed> {
    match words {
        ["receive", carrier, at] => {
            receive(named(carrier)?, at.parse()?, say).await?;
        }
        ["send", carrier, at, to, bytes] => {
            let took = send(named(carrier)?, at.parse()?, to.parse()?, bytes.parse()?).await?;
            say(took.as_secs_f64());
        }
        ["forward", at] => forward(at.parse()?, say).await?,
        _ => return Err("receive CARRIER ADDRESS, or send CARRIER ADDRESS TO BYTES".into()),
    }
    Ok(())
}

fn named(carrier: &str) -> Result<Carrier, Failed> {
    match carrier {
        "towline" => Ok(Carrier::Towline),
        "quinn" => Ok(Carrier::Quinn),
        "relay" => Ok(Carrier::Relay),
        "websocket" => Ok(Carrier::WebSocket),
        _ => Err("no such carrier".into()),
    }
}

/// One line for whoever has started this. One who does not listen any more needs no line.
fn say(what: impl std::fmt::Display) {
    let _unheard = writeln!(stdout(), "{what}");
}
