//! Two real instances and a real Redis behind the real nginx, as compose puts them: pairs come in at any instance, and
//! packets go round in their channels, both ends of which nginx leads to the instance that carries them.
//!
//! Pairs are those of `signal-server/examples/crowd`. That they stand at different instances shows in what instances tell each
//! other; that the paths lead them right, in that nothing goes without the paths.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::files::{main_around, nginx_command, site_of_instances};
use super::image::{PATIENCE, curl, free_address, words};
use super::redis::Redis;
use super::{Place, is_root, replaced, shown};
use crate::binaries::{self, Profile};
use crate::processes::{Running, wait_until};
use crate::repo::Repo;
use crate::run;

/// All of it.
pub(super) fn meet_behind_nginx(repo: &Repo, place: &Place, signal: &Path) -> Result<String> {
    if !is_root()? {
        return Ok("instances behind nginx not tried, which needs root".into());
    }
    let crowd = binaries::build_crowd(repo, Profile::Debug)?;
    let directory = place.directory("instances")?;
    run::run(Command::new(&crowd).arg("certificate").arg(&directory))?;
    let redis = Redis::start(place)?;
    let a = Server::start(place, signal, &redis, "a")?;
    let b = Server::start(place, signal, &redis, "b")?;
    let mut site = site_of_instances(repo, [&a.at, &b.at])?;
    let (plain, tls) = (free_address()?, free_address()?);
    for (from, to) in [
        ("listen 80;", format!("listen {plain};")),
        ("listen [::]:80;", String::new()),
        ("listen 443 ssl;", format!("listen {tls} ssl;")),
        ("listen [::]:443 ssl;", String::new()),
        ("/etc/nginx/tls", shown(&directory)),
        ("fullchain.pem", "cert.pem".to_owned()),
        ("privkey.pem", "key.pem".to_owned()),
    ] {
        site = replaced(&site, from, &to)?;
    }
    let carry = |name: &str, site: &str, pairs: &str, seconds: u32| {
        let main = main_around(repo, place, site)?;
        // One process, which ends with us.
        let main = format!("daemon off;\nmaster_process off;\n{main}");
        let main = place.write("main.conf", &main)?;
        let _proxy = Running::start("nginx", &mut nginx_command(&main, "-q"), &place.logs)?;
        wait_until("nginx does not answer", PATIENCE, || {
            run::succeeds(curl().args(["--insecure", &format!("https://{tls}/ready")]))
        })?;
        let mut command = Command::new(&crowd);
        command.args(["carry", "--at", &tls, "--certificate"]);
        command.arg(directory.join("cert.pem"));
        command.args(["--count", pairs, "--packets", "4", "--seconds"]);
        command.arg(seconds.to_string());
        let mut clients = Running::start(name, &mut command, &place.logs)?;
        clients.wait_for_line(|line| line.contains(r#""event":"end""#), PACKETS_WITHIN)
    };
    let [first, others @ ..] = PAIRS;
    let mut told = carry("pairs", &site, first, 2)?;
    let is_parted = || -> Result<bool> {
        Ok(a.sum("instance_messages")? > 0.0 && b.sum("instance_messages")? > 0.0)
    };
    for pairs in others {
        if is_parted()? {
            break;
        }
        told = carry("pairs", &site, pairs, 2)?;
    }
    if !is_parted()? {
        bail!("instances have nothing to tell each other, so no pair is at both: {told}");
    }
    if a.sum("relay_packets")? + b.sum("relay_packets")? == 0.0 {
        bail!("no packets have passed: {told}");
    }
    let astray = site.replace("location /at/", "location /nowhere/");
    if let Ok(told) = carry("astray", &astray, first, 0) {
        bail!("packets go round also where no path leads to the instance: {told}");
    }
    Ok("pairs at two instances behind nginx have channels, some of them at both".into())
}

/// An instance; ends when dropped.
struct Server {
    _running: Running,
    at: String,
    numbers: String,
}

impl Server {
    fn start(place: &Place, signal: &Path, redis: &Redis, name: &str) -> Result<Self> {
        let (at, numbers) = (free_address()?, free_address()?);
        let flags = [
            "--bind",
            &at,
            "--metrics-bind",
            &numbers,
            "--redis-url",
            &redis.by_name("127.0.0.1"),
            "--instance",
            name,
            "--trusted-proxies",
            "127.0.0.1",
            "--host-name",
            "127.0.0.1",
        ];
        let what = format!("instance-{name}");
        let mut running = Running::start(&what, &mut words(signal, &flags), &place.logs)?;
        running.wait_for_line(|line| line.contains(&at), PATIENCE)?;
        let server = Self {
            _running: running,
            at,
            numbers,
        };
        // Before that it takes nobody in.
        wait_until("an instance does not reach Redis", PATIENCE, || {
            (server.sum("redis_answer_seconds_count")).is_ok_and(|count| count > 0.0)
        })?;
        Ok(server)
    }

    /// What its numbers of this name are together.
    fn sum(&self, name: &str) -> Result<f64> {
        let text = run::capture(curl().arg(format!("http://{}/metrics", self.numbers)))?;
        let mut sum = 0.0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').context("a number without a value")?;
            let of = series.split('{').next().unwrap_or(series);
            let of = of.strip_prefix("towline_").unwrap_or(of);
            if of.strip_suffix("_total").unwrap_or(of) == name {
                sum += value.parse::<f64>()?;
            }
        }
        Ok(sum)
    }
}

/// How many pairs come, and how many next where none of them was parted. nginx gives who comes to the instance with fewer
/// connections, which parts two that come one after the other; where all firsts come before all seconds, it parts those of an
/// odd number only.
const PAIRS: [&str; 3] = ["17", "16", "15"];

/// Until packets have gone round, or somebody was refused: 60 s.
const PACKETS_WITHIN: Duration = Duration::from_secs(60);
