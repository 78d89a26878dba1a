//! One end of a stream that `cargo xtask bench network` measures.
//!
//! `receive CARRIER ADDRESS` prints where it listens, takes one stream and ends; `send CARRIER ADDRESS TO
//! BYTES` prints after how many seconds the other side had them all. A carrier is `towline` or `quinn`.

use std::env;
use std::io::{Write, stdout};

use towline_engine::measure::{Carrier, Failed, receive, send};

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["receive", carrier, at] => {
            receive(named(carrier)?, at.parse()?, say).await?;
        }
        ["send", carrier, at, to, bytes] => {
            let took = send(named(carrier)?, at.parse()?, to.parse()?, bytes.parse()?).await?;
            say(took.as_secs_f64());
        }
        _ => return Err("receive CARRIER ADDRESS, or send CARRIER ADDRESS TO BYTES".into()),
    }
    Ok(())
}

fn named(carrier: &str) -> Result<Carrier, Failed> {
    match carrier {
        "towline" => Ok(Carrier::Towline),
        "quinn" => Ok(Carrier::Quinn),
        _ => Err("a carrier is `towline` or `quinn`".into()),
    }
}

/// One line for whoever has started this. One who does not listen any more needs no line.
fn say(what: impl std::fmt::Display) {
    let _unheard = writeln!(stdout(), "{what}");
}
