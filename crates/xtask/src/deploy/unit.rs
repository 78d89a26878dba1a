//! The units of systemd: read by systemd, scored by it, and held against what the server really does.
//!
//! systemd itself is not started: a trial must run in containers too. So the server is watched through its
//! system calls while it does all that it can do, and the unit must allow each of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::files::quietly;
use super::image::{PATIENCE, curl, free_address, words};
use super::redis::Redis;
use super::{FILES, NAME, Place, replaced, shown, text_of};
use crate::processes::{Running, wait_until};
use crate::repo::Repo;
use crate::run;

/// systemd reads both units with their drop-ins, and finds them hard enough.
pub(super) fn verify_files(repo: &Repo, place: &Place) -> Result<()> {
    let units = place.directory("units")?;
    // What a unit starts must exist where it is read; `true` does.
    let plain = text_of(repo, &format!("{FILES}/systemd/towline-signal.service"))?;
    let plain = replaced(&plain, "/usr/local/bin/towline-signal", "/usr/bin/true")?;
    let tls = text_of(repo, &format!("{FILES}/systemd/tls.conf"))?;
    let lending = text_of(repo, &format!("{FILES}/systemd/turn.conf"))?;
    let audit = text_of(repo, &format!("{FILES}/systemd/audit.conf"))?;
    let redis = text_of(repo, &format!("{FILES}/systemd/redis.conf"))?;
    let all = format!("{tls}\n{lending}\n{audit}\n{redis}");
    let turn = text_of(repo, &format!("{FILES}/coturn/hardening.conf"))?;
    let turn_unit =
        "[Unit]\nDescription=coturn\n[Service]\nType=forking\nExecStart=/usr/bin/true\n";
    for (name, unit, drop_in) in [
        ("towline-signal", plain.as_str(), ""),
        ("towline-signal-all", &plain, &all),
        ("coturn", turn_unit, &turn),
    ] {
        let path = units.join(format!("{name}.service"));
        // A drop-in says the same as lines at the end.
        fs::write(&path, format!("{unit}\n{drop_in}"))?;
        let at = shown(&path);
        quietly(analyze(&["verify", "--man=no", &at])).with_context(|| name.to_owned())?;
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        quietly(analyze(&[
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &at,
        ]))
        .with_context(|| format!("{name} is exposed"))?;
    }
    Ok(())
}

/// The server does all that it can, under eyes that see its system calls.
pub(super) fn judge(repo: &Repo, place: &Place, signal: &Path) -> Result<String> {
    let unit = text_of(repo, &format!("{FILES}/systemd/towline-signal.service"))?;
    ports(repo, &unit)?;
    let allowed = allowed(&unit)?;
    let trace = trace(place, signal)?;
    let called: BTreeSet<String> = trace.lines().filter_map(call).collect();
    let beyond: Vec<&String> = called.difference(&allowed).collect();
    if !beyond.is_empty() {
        bail!("the unit forbids what the server does: {beyond:?}");
    }
    let redis = text_of(repo, &format!("{FILES}/systemd/redis.conf"))?;
    let with_redis = format!("{unit}\n{redis}");
    let allowed = allowed_families(&with_redis);
    let used: BTreeSet<&str> = trace.lines().filter_map(family).collect();
    if !used.is_subset(&allowed) || !used.contains(OF_SOCKETS) {
        bail!("the unit and its drop-in allow {allowed:?}, and the server needs {used:?}");
    }
    if allowed_families(&unit).contains(OF_SOCKETS) {
        bail!("the unit allows {OF_SOCKETS} also to who has no Redis");
    }
    let count = called.len();
    Ok(format!("{count} system calls, all allowed by the unit"))
}

/// Every port of the settings may be bound.
fn ports(repo: &Repo, unit: &str) -> Result<()> {
    let settings: toml::Table = text_of(repo, &format!("{FILES}/signal.toml"))?.parse()?;
    let port = |value: &toml::Value| {
        let text = value.as_str().context("an address is no text")?;
        let (_, port) = text.rsplit_once(':').context("an address has no port")?;
        port.parse::<u16>().context("a port is no number")
    };
    let allows = |kind: &str, port: u16| {
        let all = unit
            .lines()
            .filter_map(|line| line.strip_prefix("SocketBindAllow="));
        all.filter_map(|rule| rule.strip_prefix(kind)).any(|rule| {
            let (low, high) = rule.split_once('-').unwrap_or((rule, rule));
            let end = |text: &str| text.parse::<u16>().ok();
            matches!((end(low), end(high)), (Some(low), Some(high)) if (low..=high).contains(&port))
        })
    };
    for (key, kind) in [("bind", "tcp:"), ("metrics_bind", "tcp:")] {
        let value = settings
            .get(key)
            .with_context(|| format!("signal.toml has no {key}"))?;
        if !allows(kind, port(value)?) {
            bail!("the unit forbids the port of {key}");
        }
    }
    let stun = settings.get("stun_bind").and_then(toml::Value::as_array);
    for address in stun.context("signal.toml has no stun_bind")? {
        if !allows("udp:", port(address)?) {
            bail!("the unit forbids the port of {address:?}");
        }
    }
    Ok(())
}

/// The names of the system calls that the unit's filters leave.
fn allowed(unit: &str) -> Result<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for rule in unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
    {
        let (takes_away, groups) = match rule.strip_prefix('~') {
            Some(groups) => (true, groups),
            None => (false, rule),
        };
        let mut named = BTreeSet::new();
        for group in groups.split_whitespace() {
            expand(group, &mut named)?;
        }
        if takes_away {
            allowed.retain(|call| !named.contains(call));
        } else {
            allowed.extend(named);
            // Always allowed by systemd.
            expand("@default", &mut allowed)?;
        }
    }
    Ok(allowed)
}

fn expand(group: &str, into: &mut BTreeSet<String>) -> Result<()> {
    if !group.starts_with('@') {
        into.insert(group.to_owned());
        return Ok(());
    }
    let listed = run::capture(&mut analyze(&["syscall-filter", "--no-pager", group]))?;
    let members = listed.lines().skip(1).map(str::trim);
    for member in members.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        expand(member, into)?;
    }
    Ok(())
}

/// The system calls of a server that starts with TLS, reaches Redis by its socket, serves a WebSocket, its numbers and
/// STUN, reads its certificate again, and stops.
fn trace(place: &Place, signal: &Path) -> Result<String> {
    let trace = place.path.join("calls");
    let redis = Redis::start(place)?;
    let (certificate, key) = place.certificate(NAME)?;
    let (bind, numbers, stun) = (free_address()?, free_address()?, free_address()?);
    let flags = [
        "--bind",
        &bind,
        "--metrics-bind",
        &numbers,
        "--stun-bind",
        &stun,
        "--tls-cert",
        &shown(&certificate),
        "--tls-key",
        &shown(&key),
        "--redis-url",
        &redis.by_socket(),
        "--instance",
        "a",
        "--drain-seconds",
        "0",
    ];
    let server = words(signal, &flags);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&trace).arg("--");
    strace.arg(server.get_program()).args(server.get_args());
    let mut running = Running::start("watched", &mut strace, &place.logs)?;
    running.wait_for_line(|line| line.contains(&bind), PATIENCE)?;
    let log = place.logs.join("watched.err.log");
    let tells = |event: &str| fs::read_to_string(&log).is_ok_and(|text| text.contains(event));
    wait_until("Redis was not reached", PATIENCE, || tells("redis_reached"))?;
    let opened = run::capture(&mut upgrade(&format!("https://{bind}/ws")))?;
    if !opened.contains(r#""type":"hello""#) {
        bail!("the server does not greet over TLS: {opened}");
    }
    let text = run::capture(curl().arg(format!("http://{numbers}/metrics")))?;
    if !text.contains("towline_open_connections ") {
        bail!("the server has no numbers: {text}");
    }
    let (_, port) = stun.rsplit_once(':').context("no port")?;
    quietly(program("turnutils_stunclient", &["-p", port, "127.0.0.1"]))?;
    // strace hands signals on to nobody; the server is its only child.
    let child = run::capture(&mut program("pgrep", &["-P", &running.id().to_string()]))?;
    quietly(program("kill", &["-HUP", &child]))?;
    wait_until("the certificate was not read again", PATIENCE, || {
        tells("certificate_renewed")
    })?;
    quietly(program("kill", &["-TERM", &child]))?;
    running.wait_for_end(PATIENCE)?;
    fs::read_to_string(trace).context("reading the system calls")
}

/// The families of sockets that a unit may open.
fn allowed_families(unit: &str) -> BTreeSet<&str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix("RestrictAddressFamilies="))
        .flat_map(str::split_whitespace)
        .collect()
}

/// The family of the socket that a line of strace opens: `123 socket(AF_INET, ...`. Pairs of sockets are of one process
/// with itself, and no unit forbids them.
fn family(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" socket(")?;
    rest.split(',').next()
}

/// The name in a line of strace: `123 openat(AT_FDCWD, ...`, `123 <... read resumed>...`.
fn call(line: &str) -> Option<String> {
    let (_, line) = line.trim_start().split_once(' ')?;
    let line = line.trim_start();
    let resumed = line
        .strip_prefix("<... ")
        .and_then(|rest| rest.split(' ').next());
    let name = resumed.or_else(|| line.split_once('(').map(|(name, _)| name))?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && !name.is_empty()).then(|| name.to_owned())
}

/// Opens a WebSocket, prints what comes within a second, and leaves. The server goes on as long as it likes, so
/// that the time is over is no failure.
pub(super) fn upgrade(url: &str) -> Command {
    let mut shell = Command::new("sh");
    let script = format!(
        "curl --silent --insecure --http1.1 --max-time 1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
         -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' {url} || test $? = 28"
    );
    shell.args(["-c", &script]);
    shell
}

fn analyze(words: &[&str]) -> Command {
    program("systemd-analyze", words)
}

fn program(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(words);
    command
}

/// Of sockets that have a place among the files.
const OF_SOCKETS: &str = "AF_UNIX";

/// How exposed a unit may be, in tenths of what `systemd-analyze security` says: 2.0.
const EXPOSURE_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_calls_are_read_from_a_trace() {
        let names = |text: &str| text.lines().filter_map(call).collect::<Vec<_>>();
        let trace = "12 openat(AT_FDCWD, \"x\") = 3\n13  <... read resumed>\"\", 1) = 0\n12 --- SIGHUP {} ---\n12 +++ exited with 0 +++";
        assert_eq!(names(trace), ["openat", "read"]);
        let families = |text: &str| text.lines().filter_map(family).count();
        assert_eq!(families(trace), 0);
        assert_eq!(
            family("12  socket(AF_UNIX, SOCK_STREAM, 0) = 3"),
            Some("AF_UNIX")
        );
        assert_eq!(
            family("12  socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0"),
            None
        );
    }
}
