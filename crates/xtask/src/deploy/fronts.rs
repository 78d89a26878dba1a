//! The real server behind the real nginx and behind the real Caddy, with our files: WebSockets go through, numbers
//! do not, and the server knows who its clients are.
//!
//! Clients sit in a namespace of their own at the end of a cable. That the server sees their addresses shows in its
//! limits: one client that opens too many connections is turned away, whatever it claims in `X-Forwarded-For`,
//! and its neighbour is not.

use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context, Result, bail};

use super::files::{nginx_command, nginx_file};
use super::image::{PATIENCE, words};
use super::unit::upgrade;
use super::{FILES, NAME, Place, is_root, replaced, shown, text_of};
use crate::namespaces::Namespace;
use crate::processes::{Running, wait_until};
use crate::repo::Repo;
use crate::run;

/// All of it.
pub(super) fn reach_through(repo: &Repo, place: &Place, signal: &Path) -> Result<String> {
    if !is_root()? {
        return Ok("proxies not tried, which needs root".into());
    }
    for front in [Front::Nginx, Front::Caddy] {
        reach(repo, place, signal, front).with_context(|| format!("{front:?}"))?;
    }
    Ok("nginx and Caddy pass clients on, with their addresses".into())
}

/// What stands before the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Front {
    Nginx,
    Caddy,
}

fn reach(repo: &Repo, place: &Place, signal: &Path, front: Front) -> Result<()> {
    let id = process::id();
    let servers = Namespace::make(format!("tldeploy{id}-s"))?;
    let clients = Namespace::make(format!("tldeploy{id}-c"))?;
    servers.plug("front", &clients, "home")?;
    servers.address("front", &format!("{SERVER}/24"))?;
    for client in [NOISY, QUIET] {
        clients.address("home", &format!("{client}/24"))?;
    }
    // The numbers where clients are, so that it is the proxy that keeps them inside.
    let settings = text_of(repo, &format!("{FILES}/signal.toml"))?;
    let settings = replaced(&settings, "metrics_bind = ", "# ")?;
    let settings = place.write("signal.toml", &settings)?;
    let inside = |command: Command| {
        let mut there = servers.command(&command.get_program().to_string_lossy());
        there.args(command.get_args());
        there
    };
    let mut server = inside(words(signal, &["--config", &shown(&settings)]));
    let mut server = Running::start("fronted", &mut server, &place.logs)?;
    server.wait_for_line(|line| line.contains("listening on"), PATIENCE)?;
    let mut command = match front {
        Front::Nginx => inside(nginx(repo, place)?),
        Front::Caddy => {
            let mut command = inside(caddy(repo, place)?);
            command.env("TOWLINE_DOMAIN", NAME);
            command.env("TOWLINE_UPSTREAM", "127.0.0.1:8080");
            // Its certificates and its settings of before are not this machine's.
            command
                .env("HOME", &place.path)
                .env("XDG_DATA_HOME", &place.path);
            command.env("XDG_CONFIG_HOME", &place.path);
            command
        }
    };
    let _proxy = Running::start("front", &mut command, &place.logs)?;
    let ask = |words: &[&str]| {
        let mut curl = clients.command("curl");
        curl.args(["--silent", "--insecure", "--http1.1", "--max-time", "3"]);
        curl.args(["--resolve", &format!("{NAME}:443:{SERVER}")])
            .args(words);
        curl
    };
    let at = |path: &str| format!("https://{NAME}{path}");
    wait_until("the proxy does not answer", PATIENCE, || {
        run::capture(&mut ask(&[&at("/health")])).is_ok_and(|text| text.contains("ok"))
    })?;
    let opened = upgrade(&format!("--resolve {NAME}:443:{SERVER} {}", at("/ws")));
    let mut opened_there = clients.command(&opened.get_program().to_string_lossy());
    opened_there.args(opened.get_args());
    let hello = run::capture(&mut opened_there)?;
    if !hello.contains(r#""type":"hello""#) {
        bail!("no WebSocket goes through: {hello}");
    }
    let numbers = run::capture(&mut ask(&[
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        &at("/metrics"),
    ]))?;
    if numbers != "404" {
        bail!("/metrics answers {numbers} to everybody");
    }
    let page = run::capture(&mut ask(&[&at("/")]))?;
    if !page.contains(&format!("wss://{NAME}/ws")) {
        bail!("the page for people does not say where devices find the server: {page}");
    }
    // Many from one client, each with another claim; then one of its neighbour.
    let many = knock(ask(&[]), NOISY, MANY)?;
    let one = knock(ask(&[]), QUIET, 1)?;
    let of = |codes: &str, code: &str| {
        codes
            .split_whitespace()
            .filter(|word| *word == code)
            .count()
    };
    if of(&many, "101") == 0 || of(&many, "429") == 0 || of(&one, "101") != 1 {
        bail!("limits are not each client's own: one had {many:?}, the other {one:?}");
    }
    Ok(())
}

/// Opens WebSockets from this address and returns the codes of the answers.
fn knock(mut curl: Command, from: &str, count: usize) -> Result<String> {
    curl.args([
        "--parallel",
        "--parallel-immediate",
        "--parallel-max",
        "100",
        "--max-time",
        "2",
    ]);
    curl.args([
        "--interface",
        from,
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}\\n",
    ]);
    curl.args(["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"]);
    curl.args(["-H", "Sec-WebSocket-Version: 13"]);
    curl.args(["-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]);
    curl.args(["-H", "X-Forwarded-For: 198.51.100.77"]);
    for number in 0..count {
        curl.arg(format!("https://{NAME}/ws?{number}"));
        if number + 1 < count {
            curl.args(["--output", "/dev/null"]);
        }
    }
    // That a WebSocket is still open after the time is what is wanted, so the exit code says nothing.
    let output = curl.output().context("starting curl")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn nginx(repo: &Repo, place: &Place) -> Result<Command> {
    let mut command = nginx_command(&nginx_file(repo, place)?, "-q");
    command.arg("-p").arg(&place.path);
    Ok(command)
}

fn caddy(repo: &Repo, place: &Place) -> Result<Command> {
    let file = text_of(repo, &format!("{FILES}/caddy/Caddyfile"))?;
    // An authority of its own instead of the one in the internet.
    let file = format!("{{\n\tlocal_certs\n\tskip_install_trust\n}}\n{file}");
    let file = place.write("Caddyfile", &file)?;
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Ok(command)
}

const SERVER: &str = "10.71.64.1";
const NOISY: &str = "10.71.64.2";
const QUIET: &str = "10.71.64.3";

/// Connections at once: 60, twice what one address may open in a burst.
const MANY: usize = 60;
