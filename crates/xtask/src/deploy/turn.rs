//! The hardened coturn: it takes its configuration whole, lends to who has the secret and to nobody else, and its
//! addresses do not reach this machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::image::PATIENCE;
use super::image::free_address;
use super::{FILES, Place, replaced, shown, text_of};
use crate::processes::{Running, wait_until};
use crate::repo::Repo;

/// All of it: with its file alone, and as compose puts it beside the server.
pub(super) fn lend(repo: &Repo, place: &Place) -> Result<String> {
    let port = port()?;
    let (certificate, key) = place.certificate("turn.example.org")?;
    let mut text = text_of(repo, &format!("{FILES}/coturn/turnserver.conf"))?;
    for (from, to) in [
        ("listening-port=3478", format!("listening-port={port}")),
        (
            "tls-listening-port=5349",
            format!("tls-listening-port={}", self::port()?),
        ),
        (
            "cert=/etc/coturn/tls/fullchain.pem",
            format!("cert={}", shown(&certificate)),
        ),
        (
            "pkey=/etc/coturn/tls/privkey.pem",
            format!("pkey={}", shown(&key)),
        ),
        (REPLACED_SECRET, SECRET.to_owned()),
    ] {
        text = replaced(&text, from, &to)?;
    }
    let configuration = place.write("turnserver.conf", &here(&text, place)?)?;
    let mut command = Command::new("turnserver");
    command.arg("-c").arg(&configuration);
    try_out(place, &mut command, port, "another")?;
    let port = self::port()?;
    try_out(
        place,
        &mut as_compose(repo, place, port)?,
        port,
        REPLACED_SECRET,
    )?;
    Ok("coturn lends to who may, and not towards itself".into())
}

/// The file, for this machine.
fn here(text: &str, place: &Place) -> Result<String> {
    let log = format!("log-file={}\n", shown(&log(place)));
    let text = replaced(text, "log-file=stdout\n", &log)?;
    let pid = shown(&place.path.join("turnserver.pid"));
    Ok(format!(
        "{text}listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\npidfile={pid}\n"
    ))
}

fn log(place: &Place) -> PathBuf {
    place.logs.join("turnserver.log")
}

/// What the container does that compose puts beside the server, with this port.
fn as_compose(repo: &Repo, place: &Place, port: u16) -> Result<Command> {
    let compose = text_of(repo, &format!("{FILES}/compose/turn.yaml"))?;
    let (_, script) = compose
        .split_once("      - |\n")
        .context("compose gives coturn no script")?;
    let lines = script
        .lines()
        .map_while(|line| line.strip_prefix("        "));
    let script = lines.collect::<Vec<_>>().join("\n").replace("$$", "$");
    let text = text_of(repo, &format!("{FILES}/coturn/turnserver.conf"))?;
    let file = place.write("turnserver-before.conf", &here(&text, place)?)?;
    // A secret ends with its line.
    let secret = place.write("turn-secret", &format!("{SECRET}\n"))?;
    let made = shown(&place.path.join("turnserver-made.conf"));
    let script = replaced(&script, "/etc/coturn/turnserver.conf", &shown(&file))?;
    let script = replaced(&script, "/run/secrets/turn", &shown(&secret))?;
    let script = replaced(&script, "/tmp/turnserver.conf", &made)?;
    let script = replaced(&script, "=3480", &format!("={port}"))?;
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script]);
    shell.env("TOWLINE_DOMAIN", "signal.example.org");
    shell.env("TOWLINE_EXTERNAL_IP", "");
    Ok(shell)
}

/// It begins without a complaint, lends to who has the secret and to nobody who has this other one.
fn try_out(place: &Place, command: &mut Command, port: u16, other: &str) -> Result<()> {
    let log = log(place);
    // A log of an earlier run says nothing of this one.
    if log.exists() {
        fs::remove_file(&log).context("removing an old log")?;
    }
    let _server = Running::start("coturn", command, &place.logs)?;
    let ours = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("coturn does not listen", PATIENCE, || {
        std::net::TcpStream::connect(ours).is_ok()
    })?;
    let said = fs::read_to_string(&log).context("coturn wrote no log")?;
    let complaint = |line: &&str| {
        ["ERROR", "WARNING", "Bad configuration", "nknown argument"]
            .iter()
            .any(|word| line.contains(word))
    };
    let complaints: Vec<&str> = said
        .lines()
        .filter(complaint)
        .filter(|line| !KNOWN.iter().any(|known| line.contains(known)))
        .collect();
    if !complaints.is_empty() {
        bail!("coturn complains: {complaints:?}");
    }
    // It borrows, and then may not talk to this machine through what it borrowed.
    let (right, wrong) = (borrow(port, SECRET)?, borrow(port, other)?);
    if !right.contains("403 (Forbidden IP)") {
        bail!("coturn does not lend, or its addresses reach this machine: {right}");
    }
    if !wrong.contains("Cannot complete Allocation") {
        bail!("coturn lends to who has no secret: {wrong}");
    }
    Ok(())
}

/// Borrows an address as a name that holds for ten minutes, and tries to reach this machine through it.
fn borrow(port: u16, secret: &str) -> Result<String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let name = format!("{}:trial", now.as_secs() + 600);
    let mut client = Command::new("turnutils_uclient");
    client.args(["-u", &name, "-W", secret, "-p", &port.to_string()]);
    client.args(["-n", "1", "-m", "1", "-e", "127.0.0.1", "127.0.0.1"]);
    let output = client.output().context("starting turnutils_uclient")?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn port() -> Result<u16> {
    let address = free_address()?;
    let (_, port) = address.rsplit_once(':').context("an address has no port")?;
    Ok(port.parse()?)
}

/// What it says on every start of ours.
const KNOWN: &[&str] = &[
    // A process that is not its system's may open fewer files than it would like.
    "open files/sockets",
];

const SECRET: &str = "a-secret-of-the-trial";

/// What stands in the file in the place of a secret.
const REPLACED_SECRET: &str = "REPLACE-THIS-SECRET";
