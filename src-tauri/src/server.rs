//! A signal server in this process, where its person wants one: it runs as long as the app does, and again with it.
//!
//! The file `server.json` in the device's home says that it shall run, at which port, and as which of its servers the
//! device knows it. The device goes to it at an address that others reach too, because that is the one it tells them;
//! when this computer gets another address, the device is told that one in the place of the old.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signal_server::beside::{Beside, USUAL_PORT};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};
use towline_engine::view::{AnswerView, CommandView, Secret, ViewError};
use tracing::{debug, warn};

use crate::device::Device;

/// The file in the home.
const FILE: &str = "server.json";

/// How often this computer's addresses are looked at while the server runs.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long a device that has just begun has to find the first of them: 2 s, where it takes some milliseconds.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// How often it is asked meanwhile.
const GLANCE: Duration = Duration::from_millis(50);

/// How long the device has to show what was set: 5 s, of which it needs a tenth of one.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Whether the server runs, as the page is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ServerHere {
    /// Nobody wants it to.
    Off,
    /// It does.
    Runs {
        /// Where others reach it, the likeliest first; nowhere while this computer is on no network.
        urls: Vec<String>,
    },
    /// It should, and cannot.
    Failed {
        /// Why; the code begins with `server_`.
        error: ViewError,
    },
}

/// What is kept for the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    port: u16,
    /// The address at which the device itself goes to it.
    url: String,
}

/// The server that runs.
#[derive(Debug)]
struct Running {
    beside: Beside,
    url: String,
}

/// The signal server of this process.
#[derive(Debug)]
pub(crate) struct Server {
    device: Arc<Device>,
    told: watch::Sender<ServerHere>,
    running: Mutex<Option<Running>>,
}

impl Server {
    /// One that does not run yet.
    pub(crate) fn new(device: Arc<Device>) -> Self {
        Self {
            device,
            told: watch::Sender::new(ServerHere::Off),
            running: Mutex::new(None),
        }
    }

    /// Whether it runs now, and each change.
    pub(crate) fn told(&self) -> watch::Receiver<ServerHere> {
        self.told.subscribe()
    }

    /// Runs it if it ran when the app ended, and follows this computer's addresses as long as the app lives.
    pub(crate) async fn live(&self) {
        self.resume().await;
        loop {
            sleep(LOOK_EVERY).await;
            if let Err(error) = self.look().await {
                debug!(error.code, "the server's address may be an old one");
            }
        }
    }

    async fn resume(&self) {
        let Some(kept) = kept(self.device.home()) else {
            return;
        };
        let mut running = self.running.lock().await;
        let begun = match Beside::start(kept.port).await {
            Ok(beside) => self.begin(beside, Some(&kept.url)).await,
            Err(error) => Err(no_port(&error)),
        };
        match begun {
            Ok(begun) => *running = Some(begun),
            Err(error) => {
                self.told.send_replace(ServerHere::Failed { error });
            }
        }
    }

    /// Runs it from now on, also after the next start.
    pub(crate) async fn run(&self) -> Result<(), ViewError> {
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(());
        }
        let before = kept(self.device.home());
        let port = before.as_ref().map_or(USUAL_PORT, |kept| kept.port);
        let beside = match Beside::start(port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Beside::start(0).await,
            other => other,
        };
        let beside = beside.map_err(|error| no_port(&error))?;
        let before = before.map(|kept| kept.url);
        *running = Some(self.begin(beside, before.as_deref()).await?);
        Ok(())
    }

    /// Stops it for good; the device leaves it.
    pub(crate) async fn stop(&self) -> Result<(), ViewError> {
        let mut running = self.running.lock().await;
        let kept = kept(self.device.home());
        forget(self.device.home()).map_err(|error| not_kept(&error))?;
        self.told.send_replace(ServerHere::Off);
        let url = match running.take() {
            Some(Running { beside, url }) => {
                if let Err(error) = beside.stop().await {
                    warn!(%error, "the signal server had failed");
                }
                Some(url)
            }
            None => kept.map(|kept| kept.url),
        };
        match url {
            Some(url) => self.leave(&url).await,
            None => Ok(()),
        }
    }

    /// Has the device use a server that has just begun, in the place of what it was `before`; and keeps that it runs.
    async fn begin(&self, beside: Beside, before: Option<&str>) -> Result<Running, ViewError> {
        self.device.running().await;
        let urls = self.urls_soon(beside.port()).await?;
        let url = choose(&urls, before, beside.port());
        let own = self.device.servers();
        let wished = with(&own, before, &url);
        if wished != own {
            self.set(Some(wished)).await?;
        }
        self.reached_at(beside.port(), &url, urls)?;
        Ok(Running { beside, url })
    }

    /// Tells of this computer's addresses when they are others than before.
    async fn look(&self) -> Result<(), ViewError> {
        let mut running = self.running.lock().await;
        let Some(Running { beside, url }) = &mut *running else {
            return Ok(());
        };
        let urls = self.urls(beside.port()).await?;
        if urls.is_empty() {
            // There is no network, or the device, which goes to another server, looks for its addresses anew.
            return Ok(());
        }
        let is_told =
            matches!(&*self.told.borrow(), ServerHere::Runs { urls: told } if *told == urls);
        if is_told {
            return Ok(());
        }
        let now = choose(&urls, Some(url), beside.port());
        let own = self.device.servers();
        // Who has had the device leave it meant it.
        if now != *url && own.contains(url) {
            self.set(Some(with(&own, Some(url), &now))).await?;
        }
        self.reached_at(beside.port(), &now, urls)?;
        *url = now;
        Ok(())
    }

    fn reached_at(&self, port: u16, url: &str, urls: Vec<String>) -> Result<(), ViewError> {
        let kept = Kept {
            port,
            url: url.to_owned(),
        };
        keep(self.device.home(), &kept).map_err(|error| not_kept(&error))?;
        self.told.send_replace(ServerHere::Runs { urls });
        Ok(())
    }

    async fn leave(&self, url: &str) -> Result<(), ViewError> {
        let mut others = self.device.servers();
        if !others.iter().any(|own| own == url) {
            return Ok(());
        }
        others.retain(|own| own != url);
        // Who has no other server has not said that there shall be none.
        self.set(Some(others).filter(|others| !others.is_empty()))
            .await
    }

    /// Has the device use these, which are others than before.
    async fn set(&self, servers: Option<Vec<String>>) -> Result<(), ViewError> {
        let before = self.device.servers();
        let servers = servers.map(|urls| urls.into_iter().map(Secret::new).collect());
        let set = self.device.command(CommandView::SetServers { servers });
        set.await?;
        // Views come a little after what they show; who asks for the servers next must not see those of before.
        let seen = timeout(SHOWN_WITHIN, self.device.has_other_servers(&before));
        if seen.await.is_err() {
            debug!("the device has not shown its servers yet");
        }
        Ok(())
    }

    /// As [`Server::urls`], for a device that may have begun just now: it finds out beside its start where it is.
    async fn urls_soon(&self, port: u16) -> Result<Vec<String>, ViewError> {
        let found = async {
            loop {
                let urls = self.urls(port).await?;
                if !urls.is_empty() {
                    return Ok(urls);
                }
                sleep(GLANCE).await;
            }
        };
        // Without a network there are none.
        timeout(FOUND_WITHIN, found).await.unwrap_or(Ok(Vec::new()))
    }

    /// Where others on the network reach it: the addresses at which the device is, which hears of their changes.
    async fn urls(&self, port: u16) -> Result<Vec<String>, ViewError> {
        let AnswerView::Network(network) = self.device.command(CommandView::Network).await? else {
            return Err(ViewError::new("malformed"));
        };
        let local = network.local.iter().filter_map(|addr| addr.parse().ok());
        let ips = near(local);
        Ok(ips.into_iter().map(|ip| url((ip, port).into())).collect())
    }
}

/// The IPv4 addresses of this computer in its networks, those of usual home networks first.
fn near(local: impl Iterator<Item = SocketAddr>) -> Vec<Ipv4Addr> {
    let mut ips: Vec<Ipv4Addr> = local
        .filter_map(|addr| match addr.ip() {
            IpAddr::V4(ip) if !ip.is_loopback() && !ip.is_link_local() => Some(ip),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .collect();
    // Networks of virtual machines and containers are mostly within 172.16.0.0/12.
    ips.sort_by_key(|ip| (!ip.is_private(), ip.octets().starts_with(&[172]), *ip));
    ips.dedup();
    ips
}

fn url(addr: SocketAddr) -> String {
    format!("ws://{addr}/ws")
}

/// Where the device goes to it: as `before` while that leads to it, or nothing else does.
fn choose(urls: &[String], before: Option<&str>, port: u16) -> String {
    match (urls.first(), before) {
        // Without a network the address may come back as it was.
        (None, Some(before)) => before.to_owned(),
        (None, None) => url((Ipv4Addr::LOCALHOST, port).into()),
        (Some(_), Some(before)) if urls.iter().any(|url| url == before) => before.to_owned(),
        (Some(first), _) => first.clone(),
    }
}

/// The servers of a device with this one, which stands where it stood before, or else first.
fn with(own: &[String], before: Option<&str>, url: &str) -> Vec<String> {
    let is_it = |own: &String| own == url || Some(own.as_str()) == before;
    let place = own.iter().position(is_it).unwrap_or(0);
    let mut all: Vec<String> = own.iter().filter(|own| !is_it(own)).cloned().collect();
    all.insert(place.min(all.len()), url.to_owned());
    all
}

fn kept(home: &Path) -> Option<Kept> {
    let json = fs::read(path(home)).ok()?;
    let kept = serde_json::from_slice(&json);
    kept.inspect_err(|error| debug!(%error, "nobody knows whether a server ran"))
        .ok()
}

fn keep(home: &Path, kept: &Kept) -> io::Result<()> {
    fs::write(path(home), serde_json::to_vec(kept)?)
}

fn forget(home: &Path) -> io::Result<()> {
    match fs::remove_file(path(home)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

fn no_port(error: &io::Error) -> ViewError {
    failed("server_port", error)
}

fn not_kept(error: &io::Error) -> ViewError {
    failed("server_kept", error)
}

fn failed(code: &str, error: &io::Error) -> ViewError {
    ViewError {
        code: code.to_owned(),
        detail: Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use towline_engine::view::ServerStateView;

    use crate::device::Told;
    use crate::device::tests::{device, wait_for};

    use super::*;

    /// Waits until the device is at a server, which then is the only one.
    async fn online(device: &Device) -> Vec<String> {
        let is_online = |told: &Told| matches!(told, Told::View { view } if view.server.state == ServerStateView::Online);
        wait_for(&mut device.told(), is_online).await;
        device.servers()
    }

    /// Runs a server beside a device for a test, which has its usual port alone: another one would take it while the
    /// first is started again.
    async fn beside(test: impl AsyncFnOnce(&Arc<Device>, Server, &Path)) {
        static PORT: Mutex<()> = Mutex::const_new(());
        let _alone = PORT.lock().await;
        let home = tempfile::tempdir().unwrap();
        let device = Arc::new(device(home.path(), None));
        tokio::join!(device.live(), async {
            let server = Server::new(Arc::clone(&device));
            server.run().await.unwrap();
            test(&device, server, home.path()).await;
            device.quit();
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_device_uses_the_server_that_runs_here_and_again_after_the_next_start() {
        beside(async |device, server, home| {
            let Kept { port, url } = kept(home).unwrap();
            assert_eq!(online(device).await, [url.as_str()]);
            // The app ends and is started again.
            let Running { beside, .. } = server.running.lock().await.take().unwrap();
            beside.stop().await.unwrap();
            let again = Server::new(Arc::clone(device));
            again.resume().await;
            assert!(matches!(*again.told().borrow(), ServerHere::Runs { .. }));
            assert_eq!(kept(home).unwrap().port, port);
            assert_eq!(online(device).await, [url.as_str()]);
            again.stop().await.unwrap();
            assert_eq!(*again.told().borrow(), ServerHere::Off);
            assert_eq!(kept(home), None);
            assert_eq!(device.servers(), Vec::<String>::new());
        })
        .await;
    }

    /// Has the server take this for where it was reached so far.
    async fn begun_at(server: &Server, url: &str) {
        let mut running = server.running.lock().await;
        running.as_mut().unwrap().url = url.to_owned();
        let urls = vec![url.to_owned()];
        server.told.send_replace(ServerHere::Runs { urls });
    }

    /// Looks until others are told of another address than this.
    async fn look_on_from(server: &Server, was: &str) {
        let told = ServerHere::Runs {
            urls: vec![was.to_owned()],
        };
        let found = async {
            while *server.told.borrow() == told {
                server.look().await.unwrap();
                sleep(Duration::from_millis(20)).await;
            }
        };
        let found = timeout(Duration::from_secs(20), found).await;
        found.expect("in time");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_address_takes_the_place_of_the_old_one() {
        beside(async |device, server, home| {
            let port = kept(home).unwrap().port;
            // As if this computer had been elsewhere when the server began.
            let was = url(SocketAddr::from(([203, 0, 113, 9], port)));
            begun_at(&server, &was).await;
            server.set(Some(vec![was.clone()])).await.unwrap();
            look_on_from(&server, &was).await;
            let now = kept(home).unwrap().url;
            assert_ne!(now, was);
            assert_eq!(device.servers(), [now]);

            begun_at(&server, &was).await;
            let urls = vec!["wss://signal.example.org/ws".to_owned()];
            server.set(Some(urls.clone())).await.unwrap();
            look_on_from(&server, &was).await;
            assert_eq!(device.servers(), urls, "the device has left it");
            server.stop().await.unwrap();
        })
        .await;
    }

    #[test]
    fn the_addresses_of_home_networks_come_first_and_nobody_elsewhere_is_told_loopback() {
        let local = [
            "127.0.0.1:4000",
            "172.17.0.1:4000",
            "203.0.113.9:4000",
            "192.168.1.20:4000",
            "[2001:db8::7]:4000",
            "10.0.0.7:4000",
            "192.168.1.20:4001",
            "169.254.9.9:4000",
        ];
        let told = near(local.iter().map(|addr| addr.parse().unwrap()));
        let told: Vec<String> = told.iter().map(Ipv4Addr::to_string).collect();
        assert_eq!(
            told,
            ["10.0.0.7", "192.168.1.20", "172.17.0.1", "203.0.113.9"]
        );
    }

    #[test]
    fn it_stands_first_and_takes_its_old_place_at_another_address() {
        let own = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        assert_eq!(with(&[], None, "here"), ["here"]);
        assert_eq!(with(&own(&["a"]), None, "here"), ["here", "a"]);
        let both = own(&["a", "was"]);
        assert_eq!(with(&both, Some("was"), "here"), ["a", "here"]);
        assert_eq!(with(&both, Some("was"), "was"), both);
    }

    #[test]
    fn that_it_runs_is_kept_until_it_is_stopped() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(kept(home.path()), None);
        let runs = Kept {
            port: 8080,
            url: "ws://192.168.1.20:8080/ws".to_owned(),
        };
        keep(home.path(), &runs).unwrap();
        assert_eq!(kept(home.path()), Some(runs));
        forget(home.path()).unwrap();
        forget(home.path()).unwrap();
        assert_eq!(kept(home.path()), None);
    }
}
