//! The addresses at which this device listens, told again whenever they change.

mod changes;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};
use towline_core::io::NetworkEvent;
use tracing::debug;

use changes::Changes;
pub(super) use changes::Peek;

use super::neighbourhood::Neighbourhood;
use super::path_socket::PathSocket;

/// Pause between two looks at the interfaces where the system does not tell of changes: 5 s. A shorter
/// pause would not help, since a new network takes seconds to come up anyway.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Pause between two looks where it does: 60 s, for what it may have left out. A look makes some 20 calls.
const LOOK_INTERVAL_TOLD: Duration = Duration::from_secs(60);

/// Tells the addresses now and after every change, until nobody listens.
pub(super) async fn watch(
    socket: Arc<PathSocket>,
    neighbourhood: Arc<Neighbourhood>,
    events: mpsc::Sender<NetworkEvent>,
) {
    let bound = socket.bound();
    let mut changes = Changes::subscribe()
        .inspect_err(|error| debug!(%error, "changes of addresses are not told"))
        .ok();
    let mut looks = looks(changes.as_ref());
    let mut told = None;
    loop {
        tokio::select! {
            _at = looks.tick() => {}
            heard = next(changes.as_ref()) => if let Err(error) = heard {
                debug!(%error, "changes of addresses are not told any more");
                changes = None;
                looks = self::looks(None);
            }
        }
        neighbourhood.look_again();
        socket.fresh_ids().look_again();
        let now = listening(&bound, &interfaces());
        if told.as_ref() != Some(&now) {
            told = Some(now.clone());
            if events
                .send(NetworkEvent::LocalAddresses(now))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

fn looks(changes: Option<&Changes>) -> Interval {
    let mut looks = interval(match changes {
        Some(_) => LOOK_INTERVAL_TOLD,
        None => LOOK_INTERVAL,
    });
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Waits for the next change; for ever where none is told.
async fn next(changes: Option<&Changes>) -> io::Result<()> {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// The addresses of all interfaces that are up.
fn interfaces() -> BTreeSet<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces
            .iter()
            .filter(|each| each.is_oper_up())
            .map(|each| each.ip())
            .collect(),
        Err(error) => {
            debug!(%error, "interfaces cannot be listed");
            BTreeSet::new()
        }
    }
}

/// Where this machine is: its addresses by which others know it, with their interfaces.
pub(super) fn places() -> BTreeSet<(String, IpAddr)> {
    let all = if_addrs::get_if_addrs()
        .inspect_err(|error| debug!(%error, "interfaces cannot be listed"))
        .unwrap_or_default();
    let up = all.into_iter().filter(|each| each.is_oper_up());
    let beyond = up.filter(|each| !each.is_loopback() && !each.is_link_local());
    beyond.map(|each| (each.name.clone(), each.ip())).collect()
}

/// Whether an address is one of this machine's own, so that what goes there never leaves it.
pub(super) fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || interfaces().contains(&ip)
}

/// A wildcard stands for every address of its family, loopback last. Link-local IPv6 addresses
/// mean nothing to other devices, which do not know the interface.
fn listening(bound: &[SocketAddr], interfaces: &BTreeSet<IpAddr>) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for socket in bound {
        if socket.ip().is_unspecified() {
            let same_family = interfaces
                .iter()
                .filter(|ip| ip.is_ipv4() == socket.is_ipv4());
            let usable = same_family.filter(|ip| match ip {
                IpAddr::V4(v4) => !v4.is_link_local(),
                IpAddr::V6(v6) => !v6.is_unicast_link_local(),
            });
            all.extend(usable.map(|ip| SocketAddr::new(*ip, socket.port())));
        } else {
            all.push(*socket);
        }
    }
    all.sort_by_key(|addr| addr.ip().is_loopback());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_its_family_and_loopback_comes_last() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let interfaces = ["127.0.0.1", "192.168.1.5", "::1", "fe80::1", "2001:db8::7"]
            .map(parse)
            .into();
        let bound = ["0.0.0.0:7000", "[::]:7001"].map(|text| text.parse().unwrap());
        let told = listening(&bound, &interfaces);
        let expected = [
            "192.168.1.5:7000",
            "[2001:db8::7]:7001",
            "127.0.0.1:7000",
            "[::1]:7001",
        ]
        .map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(told, expected);
    }

    #[test]
    fn a_bound_address_stands_for_itself() {
        let bound = ["127.0.0.1:7000".parse().unwrap()];
        assert_eq!(listening(&bound, &BTreeSet::new()), bound);
    }
}
