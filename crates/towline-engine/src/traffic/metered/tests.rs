//! What the system says of the network, asked of a bus of our own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use towline_core::records::{Metered, MeteredNetwork, TrafficRule};
use zbus::connection::Builder;
use zbus::interface;

use super::*;

/// Says what a test wants NetworkManager to say.
struct Manager(u32);

#[interface(name = "org.freedesktop.NetworkManager")]
impl Manager {
    #[zbus(property)]
    fn metered(&self) -> u32 {
        self.0
    }
}

/// A message bus of our own; ends with the test.
struct Bus(Child, String);

impl Bus {
    fn start() -> std::io::Result<Self> {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(out) = daemon.stdout.take() {
            BufReader::new(out).read_line(&mut address)?;
        }
        Ok(Self(daemon, address.trim().to_owned()))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn network_manager_is_heard_and_its_changes_too() {
    let bus = Bus::start().unwrap();
    let path = "/org/freedesktop/NetworkManager";
    let manager = Builder::address(bus.1.as_str())
        .unwrap()
        .serve_at(path, Manager(1))
        .unwrap()
        .name("org.freedesktop.NetworkManager")
        .unwrap()
        .build()
        .await
        .unwrap();
    let asking = Builder::address(bus.1.as_str()).unwrap();
    let asking = asking.build().await.unwrap();
    let (cost, mut costs) = watch::channel(NetworkCost::Free);
    let change = async {
        costs
            .wait_for(|cost| *cost == NetworkCost::ByVolume)
            .await
            .unwrap();
        let served = manager.object_server();
        let served = served.interface::<_, Manager>(path).await.unwrap();
        served.get_mut().await.0 = 4;
        let changed = served.get().await;
        changed
            .metered_changed(served.signal_emitter())
            .await
            .unwrap();
        costs
            .wait_for(|cost| *cost == NetworkCost::Free)
            .await
            .unwrap();
    };
    tokio::select! {
        heard = linux::hear(&asking, &cost) => panic!("ended: {heard:?}"),
        () = change => {}
    }
}

#[tokio::test]
async fn nobody_is_asked_without_a_rule() {
    let mut settings = DeviceSettings::default();
    assert!(!asks_system(&settings));
    settings.metered = Metered {
        network: MeteredNetwork::AsSystemSays,
        rule: Some(TrafficRule::Pause),
    };
    assert!(asks_system(&settings));
    settings.metered.network = MeteredNetwork::Yes;
    assert!(!asks_system(&settings));
}
