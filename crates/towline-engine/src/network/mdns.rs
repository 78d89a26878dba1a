//! Says on the local network that a device is here, and hears of others: mDNS and DNS-SD (RFC 6762, 6763).
//!
//! The service is `_towline._udp.local.`; its instance and host are called by a random number that lasts at
//! most an hour, and no longer than the networks stay the same. Neither key, name nor code is said. While a
//! code waits, its slot is: the half that the signal server would know, by which the other device finds this
//! one.
//!
//! Whatever is heard is hostile: of at most [`KNOWN_MAX`] announcements, at most [`ADDRESSES_EACH_MAX`]
//! addresses each are told, and only those that are near, so nothing is ever sent elsewhere because of an
//! announcement. A farewell counts after [`FAREWELL_LASTS`], because an interface that goes away makes the
//! library say it of devices that are still there.

mod flood;
mod sight;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use if_addrs::Interface;
use mdns_sd::{
    DaemonEvent, IfKind, IfPredicate, Receiver, ResolvedService, ScopedIp, ServiceDaemon,
    ServiceEvent, ServiceInfo,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use towline_core::io::{Neighbour, NeighbourName, NetworkEvent};
use towline_wire::code::Slot;
use tracing::debug;

use super::neighbourhood::{Neighbourhood, with_scope};
use crate::tasks::Tasks;
use flood::{Deed, Flood, listen_anew};

pub(crate) use self::sight::{MdnsSight, OwnAnnouncement};

/// What devices announce.
const SERVICE: &str = "_towline._udp.local.";

/// The property that names the slot of a waiting code.
const SLOT_PROPERTY: &str = "pair";

/// How long one name lasts: an hour, as the tags of probes do. Longer lets somebody who comes by now and then
/// know a device again; shorter would only make more traffic.
const NAME_LASTS: Duration = Duration::from_secs(3600);

/// The shortest life of a name when networks come and go: 2 s. Interfaces come up in several steps, each of
/// which is a change.
const NAME_LASTS_MIN: Duration = Duration::from_secs(2);

/// How long an announcement is believed after its farewell: 10 s. The library says farewell for a device
/// when one of several ways to it is gone, and finds it again within two.
const FAREWELL_LASTS: Duration = Duration::from_secs(10);

/// Announcements that are kept: 64. More devices than that in one place are looked for by their peers.
const KNOWN_MAX: usize = 64;

/// Announcements of one host that are kept: 8. Several people at one computer have a device each.
const KNOWN_EACH_MAX: usize = 8;

/// Addresses told of one announcement: 4, one or two networks with both families.
const ADDRESSES_EACH_MAX: usize = 4;

/// Least time between two events: 200 ms. The first is told at once, which is what a peer that comes waits
/// for; a flood of announcements is told five times a second.
const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// Pause between two looks at how much the library keeps: 10 s.
const MEASURE_INTERVAL: Duration = Duration::from_secs(10);

/// The same while it keeps more than is usual: 1 s, in which a flood brings some thousands.
const MEASURE_INTERVAL_BUSY: Duration = Duration::from_secs(1);

/// Records that are usual: 512, those of a hundred devices.
const RECORDS_USUAL: i64 = 512;

/// Records that the library may keep: 4096, those of a thousand devices. It has no bound of its own; above
/// this one it is ended, and begins anew with nothing.
const RECORDS_MAX: i64 = 4096;

/// Pause after the library has failed: 30 s.
const PAUSE: Duration = Duration::from_secs(30);

/// How long the farewell may take: 500 ms.
const CLOSE_DEADLINE: Duration = Duration::from_millis(500);

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// That it is here, and which code waits, if one does.
    Here(Option<Slot>),
    /// That it goes.
    Farewell,
}

/// The announcement of this device, and its end.
pub(super) struct Announcer {
    say: watch::Sender<Say>,
    sight: watch::Receiver<MdnsSight>,
    ended: oneshot::Receiver<()>,
}

impl Announcer {
    /// Announces a device that listens there, and tells who else does.
    pub(super) fn start(
        bound: Vec<SocketAddr>,
        neighbourhood: Arc<Neighbourhood>,
        events: mpsc::Sender<NetworkEvent>,
        tasks: &Tasks,
    ) -> Self {
        let (say, said) = watch::channel(Say::Here(None));
        let (end, ended) = oneshot::channel();
        let (shown, sight) = watch::channel(MdnsSight::begin());
        let hearer = Hearer {
            sight: shown,
            bound,
            neighbourhood,
            events,
            known_by_instance: BTreeMap::new(),
            last_name: 0,
            told: Vec::new(),
            told_at: None,
            tell_at: None,
        };
        tasks.spawn("mDNS", async move {
            hearer.run(said).await;
            // Whoever started it may be gone.
            let _unheard = end.send(());
        });
        Self { say, sight, ended }
    }

    /// How the announcements are.
    pub(super) fn sight(&self) -> MdnsSight {
        self.sight.borrow().now()
    }

    /// By which another part of the network says which code waits here.
    pub(super) fn say(&self) -> watch::Sender<Say> {
        self.say.clone()
    }

    /// Says farewell.
    pub(super) async fn close(self) {
        self.say.send_replace(Say::Farewell);
        if timeout(CLOSE_DEADLINE, self.ended).await.is_err() {
            debug!("others on the local network were perhaps not told that we go");
        }
    }
}

/// What is known of others.
struct Hearer {
    sight: watch::Sender<MdnsSight>,
    bound: Vec<SocketAddr>,
    neighbourhood: Arc<Neighbourhood>,
    events: mpsc::Sender<NetworkEvent>,
    known_by_instance: BTreeMap<String, Known>,
    last_name: u64,
    told: Vec<Neighbour>,
    told_at: Option<Instant>,
    /// When what has changed is told.
    tell_at: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    name: NeighbourName,
    addresses: Vec<SocketAddr>,
    slot: Option<Slot>,
    gone_at: Option<Instant>,
}

/// Why a name is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Its time is over, the networks have changed, or the library keeps too much.
    Renewed,
    /// The library has failed.
    Failed,
    /// The device ends.
    Closed,
}

/// The library, which is ended whatever happens.
pub(super) struct Daemon(pub(super) ServiceDaemon);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended; else it says farewell by itself.
        let _ended = self.0.shutdown();
    }
}

impl Hearer {
    async fn run(mut self, mut said: watch::Receiver<Say>) {
        loop {
            match self.live(&mut said).await {
                Over::Renewed => {}
                Over::Failed => {
                    let closed = said.wait_for(|said| *said == Say::Farewell);
                    if timeout(PAUSE, closed).await.is_ok() {
                        return;
                    }
                }
                Over::Closed => return,
            }
            self.doubt_all();
        }
    }

    /// The library begins to listen anew: what it does not hear of then is gone.
    fn doubt_all(&mut self) {
        let gone_at = Instant::now() + FAREWELL_LASTS;
        for known in self.known_by_instance.values_mut() {
            known.gone_at.get_or_insert(gone_at);
        }
    }

    /// One name, until it is over.
    async fn live(&mut self, said: &mut watch::Receiver<Say>) -> Over {
        let mut networks = self.neighbourhood.subscribe();
        let name = random_name();
        let Opened {
            daemon,
            mut heard,
            done,
        } = match open() {
            Ok(opened) => opened,
            Err(error) => {
                debug!(%error, "the local network cannot be asked");
                return Over::Failed;
            }
        };
        let instance = format!("{name}.{SERVICE}");
        self.sight
            .send_modify(|sight| sight.own = MdnsSight::begin().own);
        let began = Instant::now();
        let mut renew_at = began + NAME_LASTS;
        let mut measure_at = began + MEASURE_INTERVAL;
        said.mark_changed();
        let mut flood = Flood::none();
        let over = loop {
            let farewells = self.known_by_instance.values();
            let farewells = farewells.filter_map(|known| known.gone_at);
            let due = farewells.chain(self.tell_at).chain(flood.due());
            let due = due.chain([measure_at]);
            let due = due.min().map_or(renew_at, |due| due.min(renew_at));
            tokio::select! {
                event = heard.recv_async(), if flood.deaf_until.is_none() => match event {
                    Ok(event) => {
                        let deed = flood.heard(&event, Instant::now());
                        self.hear(event, &instance);
                        if deed != Deed::Nothing {
                            self.doubt_all();
                            // A true device may be among those that wait.
                            while let Ok(event) = heard.try_recv() {
                                self.hear(event, &instance);
                            }
                        }
                        let done = match deed {
                            Deed::Nothing => Ok(()),
                            Deed::ListenAnew => listen_anew(&daemon.0).map(|anew| heard = anew),
                            Deed::StopListening => {
                                debug!("too many names are said on the local network");
                                daemon.0.stop_browse(SERVICE)
                            }
                        };
                        if let Err(error) = done {
                            debug!(%error, "the local network cannot be asked");
                            break Over::Failed;
                        }
                    }
                    Err(_) => break Over::Failed,
                },
                event = done.recv_async() => match event {
                    Ok(DaemonEvent::Respond(_)) => if flood.answered(Instant::now()) {
                        debug!("too much is asked on the local network");
                        if let Err(error) = daemon.0.unregister(&instance) {
                            debug!(%error, "the announcement cannot be taken back");
                            break Over::Failed;
                        }
                    },
                    Ok(_) => {}
                    Err(_) => break Over::Failed,
                },
                changed = said.changed() => {
                    let now = said.borrow_and_update().clone();
                    match (changed, now) {
                        (Ok(()), Say::Here(slot)) => {
                            flood.silent_until = None;
                            if let Err(error) = self.announce(&daemon.0, &name, slot.as_ref()) {
                                debug!(%error, "not announced on the local network");
                                break Over::Failed;
                            }
                        }
                        (Ok(()) | Err(_), Say::Farewell) | (Err(_), Say::Here(_)) => {
                            break Over::Closed;
                        }
                    }
                }
                _ = networks.changed() => renew_at = renew_at.min(began + NAME_LASTS_MIN),
                () = sleep_until(due) => {}
            }
            let now = Instant::now();
            if now >= renew_at {
                break Over::Renewed;
            }
            if flood.silent_until.is_some_and(|until| now >= until) {
                said.mark_changed();
            }
            if flood.deaf_until.take_if(|until| now >= *until).is_some() {
                match daemon.0.browse(SERVICE) {
                    Ok(anew) => heard = anew,
                    Err(_) => break Over::Failed,
                }
            }
            if now >= measure_at {
                let kept = records(&daemon.0).await.unwrap_or_default();
                if kept > RECORDS_MAX {
                    debug!("too much is announced on the local network");
                    break Over::Renewed;
                }
                measure_at = now
                    + if kept > RECORDS_USUAL {
                        MEASURE_INTERVAL_BUSY
                    } else {
                        MEASURE_INTERVAL
                    };
            }
            self.forget_gone(now);
            if self.tell_at.is_some_and(|at| now >= at) {
                self.tell(now).await;
            }
        };
        if let Ok(ended) = daemon.0.shutdown() {
            // Nothing else is to be done about a farewell that takes too long.
            let _late = timeout(CLOSE_DEADLINE, ended.recv_async()).await;
        }
        over
    }

    /// Says that this device is here, or says it anew when another code waits.
    fn announce(
        &self,
        daemon: &ServiceDaemon,
        name: &str,
        slot: Option<&Slot>,
    ) -> mdns_sd::Result<()> {
        let Some(port) = self.bound.first().map(SocketAddr::port) else {
            return Ok(());
        };
        let slot = slot.map(|slot| (SLOT_PROPERTY, slot.as_str()));
        let properties: Vec<(&str, &str)> = slot.into_iter().collect();
        let host = format!("{name}.local.");
        let service = ServiceInfo::new(SERVICE, name, &host, "", port, properties.as_slice())?;
        let mut service = service.enable_addr_auto();
        // Nobody else draws the same 64 bits; asking whether somebody has takes most of a second.
        service.set_requires_probe(false);
        daemon.register(service)
    }

    fn hear(&mut self, event: ServiceEvent, own_instance: &str) {
        match event {
            ServiceEvent::ServiceResolved(service)
                if service.fullname.eq_ignore_ascii_case(own_instance) =>
            {
                self.sight
                    .send_modify(|sight| sight.own = OwnAnnouncement::Heard);
            }
            ServiceEvent::ServiceResolved(service) => self.found(&service),
            ServiceEvent::ServiceRemoved(_, instance) => {
                if let Some(known) = self.known_by_instance.get_mut(&instance) {
                    known.gone_at = Some(Instant::now() + FAREWELL_LASTS);
                    // A code that waits is said by who is there.
                    known.slot = None;
                    self.has_changed();
                }
            }
            // What is found is told when it is resolved.
            ServiceEvent::SearchStarted(_)
            | ServiceEvent::ServiceFound(..)
            | ServiceEvent::SearchStopped(_) => {}
            // The library may learn to say more.
            _ => {}
        }
    }

    fn found(&mut self, service: &ResolvedService) {
        let addresses = self.addresses(service);
        let slot = service.get_property_val_str(SLOT_PROPERTY);
        let slot = slot.and_then(|slot| Slot::parse(slot).ok());
        let is_known = self.known_by_instance.contains_key(&service.fullname);
        let fits = |hearer: &mut Self| match addresses.first() {
            Some(first) => hearer.makes_room(first.ip(), slot.as_ref()),
            None => false,
        };
        if !is_known && !fits(self) {
            return;
        }
        let last_name = &mut self.last_name;
        let known = match self.known_by_instance.get_mut(&service.fullname) {
            Some(known) => known,
            None => {
                *last_name += 1;
                let name = NeighbourName(*last_name);
                let new = Known {
                    name,
                    addresses: Vec::new(),
                    slot: None,
                    gone_at: None,
                };
                self.known_by_instance
                    .entry(service.fullname.clone())
                    .or_insert(new)
            }
        };
        known.addresses = addresses;
        known.slot = slot;
        known.gone_at = None;
        self.has_changed();
    }

    /// Whether one more can be kept. Whoever shows a code takes the place of one that does not: somebody waits
    /// for it, and one who says its slot too must not hide behind many others. At one address are only some, so that
    /// one host which says that it is many keeps no other one out.
    fn makes_room(&mut self, host: IpAddr, slot: Option<&Slot>) -> bool {
        let is_there = |known: &Known| known.addresses.first().is_some_and(|at| at.ip() == host);
        let at_host = self
            .known_by_instance
            .values()
            .filter(|known| is_there(known));
        let host_is_full = at_host.count() >= KNOWN_EACH_MAX;
        if !host_is_full && self.known_by_instance.len() < KNOWN_MAX {
            return true;
        }
        let may_go = |known: &Known| {
            let shows_code = known.slot.is_some();
            known.gone_at.is_some() || (slot.is_some() && !shows_code)
        };
        let mut all = self.known_by_instance.iter();
        let found = all.find(|(_, known)| may_go(known) && (!host_is_full || is_there(known)));
        let Some(instance) = found.map(|(instance, _)| instance.clone()) else {
            return false;
        };
        self.known_by_instance.remove(&instance);
        true
    }

    /// Where a service may be tried, the most likely first.
    fn addresses(&self, service: &ResolvedService) -> Vec<SocketAddr> {
        let port = service.port;
        let said = service.addresses.iter().filter_map(|said| match said {
            ScopedIp::V4(v4) => Some(SocketAddr::new(IpAddr::V4(*v4.addr()), port)),
            ScopedIp::V6(v6) => {
                let interface = v6.scope_id().index;
                Some(with_scope(IpAddr::V6(*v6.addr()), port, interface))
            }
            // The library may learn to say more.
            _ => None,
        });
        let is_ours = |addr: &SocketAddr| {
            let same_port = self.bound.iter().any(|bound| bound.port() == addr.port());
            same_port && self.neighbourhood.is_own(addr.ip())
        };
        let usable = |addr: &SocketAddr| {
            let loopback = addr.ip().to_canonical().is_loopback();
            !loopback && self.neighbourhood.is_near(*addr) && !is_ours(addr)
        };
        let mut near: Vec<SocketAddr> = said.filter(usable).collect();
        near.sort_by_key(|addr| (rank(addr.ip()), *addr));
        near.dedup();
        near.truncate(ADDRESSES_EACH_MAX);
        near
    }

    fn forget_gone(&mut self, now: Instant) {
        let before = self.known_by_instance.len();
        self.known_by_instance
            .retain(|_, known| known.gone_at.is_none_or(|gone_at| now < gone_at));
        if self.known_by_instance.len() != before {
            self.has_changed();
        }
    }

    fn has_changed(&mut self) {
        let now = Instant::now();
        let next = self.told_at.map_or(now, |at| now.max(at + TELL_INTERVAL));
        self.tell_at.get_or_insert(next);
    }

    /// Tells who is there, if that is not what was told last.
    async fn tell(&mut self, now: Instant) {
        self.tell_at = None;
        self.told_at = Some(now);
        let known = self.known_by_instance.values();
        let all: Vec<Neighbour> = known
            .map(|known| Neighbour {
                name: known.name,
                addresses: known.addresses.clone(),
                slot: known.slot.clone(),
            })
            .collect();
        if all != self.told {
            self.told.clone_from(&all);
            if self.events.send(NetworkEvent::Nearby(all)).await.is_err() {
                debug!("the engine no longer listens to the network");
            }
        }
        // Whoever reads this and asks for something then is asked after the news.
        let codes = self.told.iter().filter(|other| other.slot.is_some());
        let codes = codes.count();
        self.sight.send_modify(|sight| {
            sight.neighbours = self.told.len();
            sight.codes = codes;
        });
    }
}

/// The library at work.
struct Opened {
    daemon: Daemon,
    /// What it hears.
    heard: Receiver<ServiceEvent>,
    /// What it does by itself.
    done: Receiver<DaemonEvent>,
}

fn open() -> mdns_sd::Result<Opened> {
    let daemon = silent()?;
    // Changes of networks end the name, and with it the library's knowledge of them.
    daemon.set_ip_check_interval(0)?;
    let done = daemon.monitor()?;
    let heard = daemon.browse(SERVICE)?;
    Ok(Opened {
        daemon: Daemon(daemon),
        heard,
        done,
    })
}

/// The library where it says and asks nothing yet.
pub(super) fn silent() -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    // What goes into a tunnel leaves the place.
    let is_no_network = |each: &Interface| each.is_loopback() || each.is_p2p();
    daemon.disable_interface(IfKind::Predicate(IfPredicate::new(is_no_network)))?;
    Ok(daemon)
}

/// How much the library keeps. One that does not answer is asked again later.
async fn records(daemon: &ServiceDaemon) -> Option<i64> {
    let metrics = daemon.get_metrics().ok()?;
    let metrics = timeout(CLOSE_DEADLINE, metrics.recv_async()).await;
    let metrics = metrics.ok()?.ok()?;
    let kept = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("cached-"))
        .map(|(_, count)| *count);
    Some(kept.sum())
}

/// Which of several addresses of one device is tried first.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() => 3,
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) if v6.is_unique_local() => 1,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 2,
        IpAddr::V6(_) => 4,
    }
}

/// A name that says nothing: 64 random bits as hex digits.
fn random_name() -> String {
    let mut bytes = [0; 8];
    // Without randomness there is no device key either; the name would then be one that many have, and
    // nothing is proved by it.
    let _without = getrandom::fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearer() -> Hearer {
        let (events, _told) = mpsc::channel(1);
        let here = Neighbourhood::of(&[("192.168.1.5", 24), ("2001:db8::5", 64)]);
        Hearer {
            sight: watch::channel(MdnsSight::begin()).0,
            bound: vec!["0.0.0.0:7000".parse().unwrap()],
            neighbourhood: Arc::new(here),
            events,
            known_by_instance: BTreeMap::new(),
            last_name: 0,
            told: Vec::new(),
            told_at: None,
            tell_at: None,
        }
    }

    fn service(name: &str, addresses: &str, port: u16, txt: &[(&str, &str)]) -> ServiceEvent {
        let host = format!("{name}.local.");
        let service = ServiceInfo::new(SERVICE, name, &host, addresses, port, txt).unwrap();
        ServiceEvent::ServiceResolved(Box::new(service.as_resolved_service()))
    }

    fn addresses(hearer: &Hearer) -> Vec<String> {
        let known = hearer.known_by_instance.values();
        let all = known.flat_map(|known| &known.addresses);
        all.map(ToString::to_string).collect()
    }

    #[test]
    fn only_near_addresses_of_others_are_kept() {
        let mut hearer = hearer();
        let said =
            "10.1.1.1,192.168.1.9,203.0.113.4,127.0.0.1,192.168.1.255,224.0.0.251,2001:db8::9";
        hearer.hear(service("one", said, 7000, &[]), "own");
        assert_eq!(
            addresses(&hearer),
            ["192.168.1.9:7000", "[2001:db8::9]:7000"]
        );
        let mut nothing = self::hearer();
        nothing.hear(
            service("own", "192.168.1.9", 7000, &[]),
            &format!("own.{SERVICE}"),
        );
        nothing.hear(service("ours", "192.168.1.5", 7000, &[]), "own");
        nothing.hear(service("zero", "192.168.1.9", 0, &[]), "own");
        assert!(addresses(&nothing).is_empty());
        nothing.hear(service("beside", "192.168.1.5", 7001, &[]), "own");
        assert_eq!(addresses(&nothing), ["192.168.1.5:7001"]);
    }

    #[test]
    fn of_a_flood_64_are_kept_and_who_shows_a_code_is_among_them() {
        let mut hearer = hearer();
        for number in 0..300 {
            let name = format!("n{number}");
            let many = (1..20).map(|more| format!("192.168.1.{}", 10 + (number + more) % 200));
            let many = many.collect::<Vec<_>>().join(",");
            hearer.hear(service(&name, &many, 7100, &[]), "own");
        }
        assert_eq!(hearer.known_by_instance.len(), KNOWN_MAX);
        assert_eq!(addresses(&hearer).len(), KNOWN_MAX * ADDRESSES_EACH_MAX);
        for name in ["host", "copy"] {
            let shows = [(SLOT_PROPERTY, "abc")];
            hearer.hear(service(name, "192.168.1.9", 7200, &shows), "own");
        }
        assert_eq!(hearer.known_by_instance.len(), KNOWN_MAX);
        let known = hearer.known_by_instance.values();
        let showing = known.filter(|known| known.slot == Slot::parse("ABC").ok());
        assert_eq!(showing.count(), 2);
    }

    #[test]
    fn one_host_that_says_that_it_is_many_keeps_no_other_out() {
        let mut hearer = hearer();
        for number in 0..300 {
            let name = format!("n{number}");
            hearer.hear(service(&name, "192.168.1.9", 7100 + number, &[]), "own");
        }
        assert_eq!(hearer.known_by_instance.len(), KNOWN_EACH_MAX);
        hearer.hear(service("other", "192.168.1.10", 7000, &[]), "own");
        assert!(addresses(&hearer).contains(&"192.168.1.10:7000".to_owned()));
        let shows = [(SLOT_PROPERTY, "abc")];
        hearer.hear(service("host", "192.168.1.9", 7200, &shows), "own");
        assert_eq!(hearer.known_by_instance.len(), KNOWN_EACH_MAX + 1);
        assert!(
            hearer
                .known_by_instance
                .values()
                .any(|one| one.slot.is_some())
        );
    }

    #[test]
    fn a_slot_that_is_none_is_not_one() {
        let mut hearer = hearer();
        for (name, slot) in [("a", ""), ("b", "ABC-234"), ("c", "\u{202e}"), ("d", "A0C")] {
            let txt = [(SLOT_PROPERTY, slot)];
            hearer.hear(service(name, "192.168.1.9", 7000, &txt), "own");
        }
        let mut known = hearer.known_by_instance.values();
        assert!(known.all(|known| known.slot.is_none()));
        assert_eq!(hearer.known_by_instance.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_farewell_takes_the_slot_at_once_and_the_addresses_later() {
        let mut hearer = hearer();
        let shows = [(SLOT_PROPERTY, "ABC")];
        hearer.hear(service("one", "192.168.1.9", 7000, &shows), "own");
        let name = format!("one.{SERVICE}");
        let gone = ServiceEvent::ServiceRemoved(SERVICE.to_owned(), name);
        hearer.hear(gone.clone(), "own");
        let known = hearer.known_by_instance.values().next().unwrap();
        assert_eq!(known.slot, None);
        hearer.forget_gone(Instant::now());
        assert_eq!(addresses(&hearer), ["192.168.1.9:7000"]);
        hearer.hear(service("one", "192.168.1.9", 7000, &[]), "own");
        hearer.forget_gone(Instant::now() + FAREWELL_LASTS);
        assert_eq!(addresses(&hearer).len(), 1, "it is there again");
        hearer.hear(gone, "own");
        hearer.forget_gone(Instant::now() + FAREWELL_LASTS);
        assert!(addresses(&hearer).is_empty());
    }
}
