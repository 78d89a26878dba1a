//! Floods on the local network: who asks too much there keeps no two devices apart, and has neither say more.

#![expect(
    clippy::print_stdout,
    reason = "what was measured is shown with --nocapture"
)]

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::support::flood::{Flood, Said};
use crate::support::lan::Lan;
use crate::support::watch::is_connected;
use crate::support::{Device, Watch, World};

/// How long each flood lasts before anything else happens: 12 s, longer than a device goes without a look at it.
const LASTS: Duration = Duration::from_secs(12);

/// For so many datagrams that it hears a device may send one.
const HEARD_FOR_EACH_SENT: u64 = 20;

/// What a device may have in memory more than before: 64 MiB.
const MORE_KIB_MAX: u64 = 64 * 1024;

/// Who floods.
const FLOODER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 3);

#[test]
fn questions_without_end_are_not_all_answered() {
    flooded(&[Said::Question, Said::FromElsewhere, Said::Claim]);
}

/// Two devices that have both moved, so that only what is announced leads to the other, meet under each of these.
fn flooded(floods: &[Said]) {
    let world = World::new("flood");
    let lan = Lan::of(&["a", "b", "c"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    ada.pair(&ben);
    ada.wait_connected(&ben);
    let mut home = [1, 2];
    for said in floods {
        ben.stop();
        ada.wait("that Ben is away", |view| !is_connected(view, "b"));
        ada.stop();
        for (host, at) in [("a", 0), ("b", 1)] {
            let device = if at == 0 { &ada } else { &ben };
            let (before, now) = (home[at], home[at] + 10);
            lan.ip(host, &format!("addr del 192.168.77.{before}/24 dev eth0"));
            lan.ip(host, &format!("addr add 192.168.77.{now}/24 dev eth0"));
            home[at] = now;
            fs::remove_file(device.home.join("port")).expect("it was there");
        }
        ada.start();
        let quiet = resident_kib(&ada);
        let before = (lan.sent_by("a"), work_seconds(&ada), Instant::now());
        let flood = Flood::begin(&lan, "c", FLOODER, *said);
        Watch::new(&ada).look_on(LASTS);
        let (said_before, sent) = (flood.sent(), lan.sent_by("a") - before.0);
        let worked = work_seconds(&ada) - before.1;
        let lasted = before.2.elapsed();
        let came = Instant::now();
        ben.start();
        ada.wait_connected(&ben);
        let met = came.elapsed();
        let more = resident_kib(&ada).saturating_sub(quiet);
        println!(
            "{said:?}: {said_before} said, {sent} packets sent, {worked:.2} s of work in {lasted:.1?}, {more} KiB more, met after {met:.2?}"
        );
        assert!(said_before > 1000 * LASTS.as_secs(), "no flood");
        let sent_max = said_before / HEARD_FOR_EACH_SENT;
        assert!(sent <= sent_max, "{said:?}: {sent} packets");
        assert!(more <= MORE_KIB_MAX, "{said:?}: {more} KiB");
    }
    assert!(ada.is_running() && ben.is_running());
}

/// The most memory that a device has had at a time.
fn resident_kib(device: &Device) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", device.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of KiB")
}

/// Seconds of a processor that a device has used (proc_pid_stat(5)).
fn work_seconds(device: &Device) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", device.id())).expect("it runs");
    let (_, after) = stat.rsplit_once(')').expect("a name");
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.map(|each| each.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}
